"""FLOPs of the steps of a round, by the lengths of what they read and write.

The same functions give a ceiling before a step, with every answer as long as it may be, and what it took
afterwards, with answers as they are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from asft.flops.passes import Method, Row, read, scored, trained, written
from asft.flops.shape import Adapter, Work
from asft.types import Need


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Tokens of a pool, example by example."""

    prompts: tuple[int, ...]
    gold: tuple[int, ...] = ()
    """Of worked references, with the token that ends them; 0 where there is none."""
    own: tuple[int, ...] = ()
    """Of the student's own answers, with the token that ends them where it came."""
    samples: tuple[tuple[int, ...], ...] = ()
    """Of those that were drawn by chance."""
    accepted: tuple[int, ...] = ()
    """Of prompts that earlier rounds accepted."""

    def at_most(self, most: int, *, samples: int = 0) -> "Lengths":
        """With every own answer as long as it may be, and so many samples for each prompt."""
        count = len(self.prompts)
        return replace(self, own=(most,) * count, samples=((most,) * samples,) * count)


def measuring(
    work: Work,
    need: Need,
    lengths: Lengths,
    *,
    adapter: Adapter | None = None,
    other: Work | None = None,
    member: int | None = None,
) -> int | None:
    """A need of the student or of training, on the pool; None where it is not known.

    `other`: the model that a need names, for rewards and embeddings by one; it is taken to cut texts as the
    student does. `member`: what training one member of an ensemble takes, as `training` says. Needs of
    scripts are calls, and of no student.
    """
    own, gold = _rows(lengths.prompts, lengths.own), _rows(lengths.prompts, lengths.gold)
    options = need.options
    match need.name:
        case "gold":
            return scored(work, gold, adapter=adapter)
        case "own":
            return sum(written(work, prompt, [answer], adapter=adapter) for prompt, answer in own)
        case "samples":
            pairs = zip(lengths.prompts, lengths.samples, strict=True)
            return sum(written(work, prompt, answers, adapter=adapter) for prompt, answers in pairs)
        case "gradient":
            return _gradients(work, own if options["of"] == "own" else gold, adapter)
        case "reference_gradient":
            # Which references are drawn is not known here: the longest, so that it is a ceiling.
            longest = sorted(gold, key=sum, reverse=True)[: options["count"]]
            return _gradients(work, longest, adapter)
        case "embedding":
            reader, worn = (work, adapter) if options["model"] is None else (other, None)
            prompts = [*lengths.prompts, *lengths.accepted]
            return None if reader is None else read(reader, prompts, head=0, adapter=worn)
        case "reward":
            return None if other is None else read(other, map(sum, own), head=len(own))
        case "ensemble":
            return (
                None if member is None else options["members"] * (member + scored(work, own, adapter=adapter))
            )
    return None


def training(
    work: Work,
    rows: Iterable[Row],
    *,
    passes: float,
    method: Method = "lora",
    adapter: Adapter | None = None,
    checkpointing: bool = False,
    max_length: int | None = None,
) -> int:
    """Training on rows, each gone through so many times; the head is counted on answers alone.

    `passes`: epochs, or steps times examples in a step, by the number of rows.
    """
    kept = [(prompt, min(answer, (max_length or prompt + answer) - prompt)) for prompt, answer in rows]
    kept = [row for row in kept if row[1] > 0]
    once = trained(
        work,
        map(sum, kept),
        head=sum(answer for _, answer in kept),
        method=method,
        adapter=adapter,
        checkpointing=checkpointing,
    )
    return round(passes * once)


def evaluating(
    work: Work,
    prompts: Sequence[int],
    answers: Sequence[int],
    *,
    samples: Sequence[Sequence[int]] = (),
    adapter: Adapter | None = None,
) -> int:
    """Answering test items greedily, and, in passes of their own, the answers that are drawn beside.

    Evaluating by likelihood writes nothing: that is `scored`, with a row for each choice.
    """
    greedy = [
        written(work, one, [answer], adapter=adapter) for one, answer in zip(prompts, answers, strict=True)
    ]
    drawn = zip(prompts, samples, strict=True) if samples else ()
    return sum(greedy) + sum(written(work, one, several, adapter=adapter) for one, several in drawn)


def _rows(prompts: Sequence[int], answers: Sequence[int]) -> list[Row]:
    """Those that have an answer."""
    if not answers:
        return []
    return [(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True) if answer]


def _gradients(work: Work, rows: Sequence[Row], adapter: Adapter | None) -> int:
    """Gradients of the head for answers: scored, and for the norm of each all products of two tokens, of
    their states and of what is wrong with their distributions. The sketch's transforms are not counted.
    """
    width = work.vocab + (work.head // work.vocab if work.vocab else 0)
    return scored(work, rows, adapter=adapter) + sum(2 * width * answer**2 for _, answer in rows)
