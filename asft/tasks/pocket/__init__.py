"""The pocket world: generated word problems in GSM8K's format, with a parser that reads them back.

`families` is the table of the steps a problem is built from, `program` composes, solves and varies
problems, `language` writes them in English and reads them back, `task` is the plug-in.
"""
