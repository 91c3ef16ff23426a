"""FLOPs of student and teacher, from lengths and sizes alone; `docs/compute.md` derives the formulas."""

from asft.flops.passes import Method, Row, read, scored, trained, written
from asft.flops.shape import Adapter, Shape, Work, by_parameters, of_base

__all__ = [
    "Adapter",
    "Method",
    "Row",
    "Shape",
    "Work",
    "by_parameters",
    "of_base",
    "read",
    "scored",
    "trained",
    "written",
]
