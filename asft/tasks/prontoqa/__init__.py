"""PrOntoQA: is a statement about an invented world true, given what all its creatures are like?

`problem` states and proves, `language` writes problems and proofs and reads them back, `drawing` makes new
ones, `task` is the plug-in.
"""
