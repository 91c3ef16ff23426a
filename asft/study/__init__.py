"""Studies: arms x seeds of one recipe under an equal budget, and what can be said of their differences.

    design (a YAML file) -> plan (what it takes) -> runs (each an ordinary run) -> results (a file per arm and
    seed) -> report

An arm is the base recipe with a preset or overrides on top. Each pair of arm and seed is a run like any
other, so a study goes on wherever it stopped; what runs have in common is done once.
"""

from asft.study.design import Arm, Study, load

__all__ = ["Arm", "Study", "load"]
