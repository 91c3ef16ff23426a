"""The game of 24: four numbers, each used once, make 24 by + - * / and brackets.

`arithmetic` reads any spelling of a calculation exactly, `solving` finds all solutions of a puzzle,
`language` writes puzzles and worked answers and reads them back, `task` is the plug-in.
"""
