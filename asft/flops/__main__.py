"""`python -m asft.flops`: the table of `docs/compute.md`."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from asft.flops.passes import Row, asked, read, scored, trained
from asft.flops.shape import Adapter, Shape, Work
from asft.flops.steps import Lengths, evaluating, measuring, training
from asft.types import Need

MODELS: Mapping[str, Shape] = {
    "pocket": Shape(layers=4, hidden=160, heads=5, kv_heads=5, head_dim=32, intermediate=448, vocab=904),
    "Qwen2.5-0.5B": Shape(
        layers=24, hidden=896, heads=14, kv_heads=2, head_dim=64, intermediate=4864, vocab=151_936
    ),
    "Qwen2.5-7B": Shape(
        layers=28, hidden=3584, heads=28, kv_heads=4, head_dim=128, intermediate=18_944, vocab=152_064
    ),
}
ROW: Row = (100, 150)
"""Tokens of a problem of grade-school mathematics, and of its worked answer."""
COUNT = 1000
RANK = 16
CALL = {"input_tokens": 500, "output_tokens": 300}

Line = Callable[[Work, Adapter], int]
LINES: Mapping[str, Line] = {
    "weights that a token meets, without the head": lambda work, _: work.body,
    "weights of the head": lambda work, _: work.head,
    f"weights of an adapter, rank {RANK}, all matrices": lambda _, adapter: adapter.weights,
    "reading a token, attention apart": lambda work, _: read(replace(work, attention=()), [1], head=0),
    "scoring an answer, or writing it": lambda work, _: scored(work, [ROW]),
    "of that, attention": lambda work, _: scored(work, [ROW]) - scored(replace(work, attention=()), [ROW]),
    "training the adapter on it, once": lambda work, adapter: _trained(work, adapter),
    "the same with checkpointing": lambda work, adapter: _trained(work, adapter, checkpointing=True),
    "training all weights on it, once": lambda work, _: trained(work, [sum(ROW)], head=ROW[1], method="full"),
    f"measuring own answers of {COUNT} seeds": lambda work, adapter: (
        measuring(
            work, Need(name="own"), Lengths(prompts=(ROW[0],) * COUNT, own=(ROW[1],) * COUNT), adapter=adapter
        )
        or 0
    ),
    f"training on {COUNT} examples, three times": lambda work, adapter: training(
        work, [ROW] * COUNT, passes=3, adapter=adapter
    ),
    f"evaluating on {COUNT} test items": lambda work, adapter: evaluating(
        work, [ROW[0]] * COUNT, [ROW[1]] * COUNT, adapter=adapter
    ),
    f"{COUNT} calls of a teacher of 7.6e9 parameters, {CALL['input_tokens']} tokens in and "
    f"{CALL['output_tokens']} out": lambda *_: COUNT * asked(7.6e9, **CALL),
}


def table() -> str:
    """In Markdown."""
    lines = [f"| | {' | '.join(MODELS)} |", f"|---|{'---:|' * len(MODELS)}"]
    for name, line in LINES.items():
        figures = [line(shape.work, shape.adapter(RANK)) for shape in MODELS.values()]
        lines.append(f"| {name} | {' | '.join(map(_short, figures))} |")
    return "\n".join(lines)


def _trained(work: Work, adapter: Adapter, *, checkpointing: bool = False) -> int:
    return trained(work, [sum(ROW)], head=ROW[1], adapter=adapter, checkpointing=checkpointing)


def _short(figure: int) -> str:
    number, _, power = f"{figure:.2e}".partition("e")
    return f"{number}e{int(power)}"


if __name__ == "__main__":
    print(table())
