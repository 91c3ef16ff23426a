"""FLOPs of student and teacher, from lengths and sizes alone; `docs/compute.md` derives the formulas."""

from asft.flops.passes import Method, Row, asked, read, scored, trained, written
from asft.flops.shape import Adapter, Shape, Work, by_parameters, of_base
from asft.flops.steps import Lengths, evaluating, measuring, training

__all__ = [
    "Adapter",
    "Lengths",
    "Method",
    "Row",
    "Shape",
    "Work",
    "asked",
    "by_parameters",
    "evaluating",
    "measuring",
    "of_base",
    "read",
    "scored",
    "trained",
    "training",
    "written",
]
