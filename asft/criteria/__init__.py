"""Criteria: how hard a seed is for the student. Higher is harder, for every one of them.

A criterion is a pure function of measurements: it scores all seeds in their order, and gives None where
what it needs was not measured or is no number. None is not zero: such a seed is never picked by rank.
"""
