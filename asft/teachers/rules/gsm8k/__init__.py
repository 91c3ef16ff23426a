"""Numeric variants of GSM8K problems: other numbers, the same calculation, recomputed and checked.

What cannot be done safely is refused with a reason, since a wrong answer in a training set costs more than
a seed without a variant.
"""

from asft.teachers.rules.gsm8k.find import Worked, find
from asft.teachers.rules.gsm8k.sources import Cannot, Reason
from asft.teachers.rules.gsm8k.vary import Variant, render, variant

__all__ = ["Cannot", "Reason", "Variant", "Worked", "find", "render", "variant"]
