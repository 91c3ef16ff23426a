"""FLOPs of student and teacher, from lengths and sizes alone; `docs/compute.md` derives the formulas."""

from asft.flops.passes import Method, Row, asked, read, scored, trained, written
from asft.flops.shape import Adapter, Shape, Work, by_parameters
from asft.flops.steps import Lengths, evaluating, measuring, training
from asft.flops.student import Student, of_student

__all__ = [
    "Adapter",
    "Lengths",
    "Method",
    "Row",
    "Shape",
    "Student",
    "Work",
    "asked",
    "by_parameters",
    "evaluating",
    "measuring",
    "of_student",
    "read",
    "scored",
    "trained",
    "training",
    "written",
]
