"""Results as runs leave them, made by hand."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asft.study.results import Result

ITEMS = tuple(f"item {number}" for number in range(100))
SETTINGS: dict[str, Any] = {
    "task": {"use": "pocket"},
    "student": {"base": "pocket"},
    "teacher": {"use": "openai", "model": "large"},
    "data": {"start_from": "base", "measured": "previous"},
    "stop": {"target": None, "plateau": None},
    "adapt": [],
    "criterion": {"use": "loss"},
}
ABOUT: dict[str, Any] = {
    "versions": {"asft": "0.1"},
    "hardware": {"machine": "x86_64", "threads": 2, "cuda": None},
}


def marks(right: int) -> str:
    """The first so many items are right."""
    return "1" * right + "0" * (len(ITEMS) - right)


def row(step: str, role: str, **more: Any) -> dict[str, Any]:
    """A row of a ledger."""
    return {
        "round": 1,
        "step": step,
        "role": role,
        "input_tokens": 0,
        "output_tokens": 0,
        "cost_usd": 0.0,
        "flops": 0.0,
        **more,
    }


def point(number: int, grades: str, **more: Any) -> dict[str, Any]:
    """A point of ten accepted examples a round, each of 100 teacher tokens and a cent.

    How large teacher and judge are is not known.
    """
    ledger = [
        row("write", "teacher", round=number, input_tokens=600, output_tokens=300, cost_usd=0.1, flops=None),
        row("filter", "judge", round=number, input_tokens=100, flops=None),
    ]
    return {
        "round": number,
        "kept": 10 if number else 0,
        "drafts": 12 if number else 0,
        "examples": 10 * number,
        "grades": grades,
        "ledger": ledger if number else [],
        "seconds": {"measure": 2.0, "train": 5.0, "evaluate": 1.0} if number else {"evaluate": 1.0},
        "train": {"steps": 20} if number else None,
        "funnel": {"seeds": 50} if number else {},
        "separation": None,
        "asked": [f"seed {at}" for at in range(12)] if number else [],
        "samples": [{"seed": "q", "score": 0.5, "prompt": "p", "completion": "w"}] if number else [],
        **more,
    }


def result(arm: str, seed: int, right: Sequence[int], **more: Any) -> Result:
    """A run whose students answer so many items right, round by round."""
    points = [point(number, marks(share)) for number, share in enumerate(right)]
    return Result(
        arm=arm,
        seed=seed,
        settings=SETTINGS,
        about=ABOUT,
        items=ITEMS,
        tags={"half": ["low" if at < 50 else "high" for at in range(100)]},
        points=[{**one, **more} if one["round"] else one for one in points],
    )


Shares = Callable[[int], tuple[int, ...]]


def study(arms: Mapping[str, Shares], seeds: int = 5) -> list[Result]:
    """The results of arms by what each seed's students answer right."""
    return [result(arm, seed, of(seed)) for arm, of in arms.items() for seed in range(1, seeds + 1)]
