"""Filters: what keeps bad drafts out of the training set. Each gives every draft a verdict with a reason.

A reason begins with a fixed phrase, and a detail follows behind a colon; whoever counts reasons counts what
stands before it. `undecided` is a verdict of its own: the filter cannot tell, which is neither for nor
against the draft.
"""
