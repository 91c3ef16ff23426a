"""What was asked about and what came of it: scores, the hardest seeds, drafts beside their seeds."""

import statistics
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from asft.report.facts import HardSeed, Sample, Scores
from asft.report.read import Round, Row, Run, count, number, part, text
from asft.report.scale import ticks

# A report is for reading: it shows some of the seeds and drafts; the run directory has them all.
HARD_SEEDS = 8
KEPT_SAMPLES = 2
OTHER_SAMPLES = 3
LONGEST_TEXT = 1500
BINS = 24


def score_distributions(run: Run) -> tuple[Scores, ...]:
    """Scores of the pool in each round; each seed once, however often the round comes back to it."""
    pools = {found.number: _seeds(found) for found in run.rounds if found.rows("score")}
    known = [score for seeds in pools.values() for score, _ in seeds if score is not None]
    if not known:
        return ()
    edges = ticks(min(known), max(known), BINS)
    return tuple(_distribution(of_round, seeds, edges) for of_round, seeds in pools.items())


def _seeds(round: Round) -> list[tuple[float | None, bool]]:
    """Score of each seed of the pool, and whether the teacher was asked about it."""
    written = {count(row, "number") for row in round.rows("write")}
    asked = {str(row.get("example_id")) for row in round.rows("select") if count(row, "number") in written}
    return [(number(row, "score"), str(row.get("example_id")) in asked) for row in round.rows("score")]


def _distribution(round: int, seeds: Sequence[tuple[float | None, bool]], edges: Sequence[float]) -> Scores:
    asked = [score for score, was_asked in seeds if was_asked and score is not None]
    others = [score for score, was_asked in seeds if not was_asked and score is not None]
    return Scores(
        round=round,
        edges=tuple(edges),
        asked=_binned(asked, edges),
        others=_binned(others, edges),
        median_asked=statistics.median(asked) if asked else None,
        median_others=statistics.median(others) if others else None,
        unscored=sum(score is None for score, _ in seeds),
    )


def _binned(scores: Iterable[float], edges: Sequence[float]) -> tuple[int, ...]:
    """Counts per bin; a score on an edge belongs to the bin above, and on the last edge to the last bin."""
    bins = Counter(min(bisect_right(edges, score) - 1, len(edges) - 2) for score in scores)
    return tuple(bins[place] for place in range(len(edges) - 1))


def hardest(run: Run) -> tuple[int | None, tuple[HardSeed, ...]]:
    """The picks with the highest scores in the last round that has any."""
    for latest in reversed(run.rounds):
        scored = {
            str(row.get("example_id")): (score, row)
            for row in latest.rows("select")
            if (score := number(row, "score")) is not None
        }
        if scored:
            observed = {str(row.get("example_id")): row for row in latest.rows("measure")}
            order = sorted(scored, key=lambda seed: (-scored[seed][0], seed))[:HARD_SEEDS]
            return latest.number, tuple(_hard(seed, *scored[seed], observed.get(seed, {})) for seed in order)
    return None, ()


def _hard(seed: str, score: float, pick: Row, observation: Row) -> HardSeed:
    own = part(observation, "own") or None
    return HardSeed(
        example_id=seed,
        score=score,
        prompt=clipped(text(pick, "prompt")),
        answer=clipped(text(pick, "answer")),
        own=None if own is None else clipped(text(own, "text")),
        grade=None if own is None else number(own, "grade"),
        cut_off=own is not None and own.get("finish") == "length",
    )


def samples(round: Round) -> tuple[Sample, ...]:
    """Some drafts that were kept, and one for each of the commonest reasons why others were not."""
    picks = {count(row, "number"): row for row in round.rows("select")}
    verdicts: dict[int | None, list[Row]] = {}
    for row in round.rows("filter"):
        verdicts.setdefault(count(row, "number"), []).append(row)
    drafts = [_sample(round.number, row, picks, verdicts) for row in round.rows("write")]
    kept = [draft for draft in drafts if draft.outcome == "kept"]
    others = [draft for draft in drafts if draft.outcome != "kept"]
    spread = kept[:: max(1, len(kept) // KEPT_SAMPLES)][:KEPT_SAMPLES]
    common = Counter((draft.outcome, draft.why) for draft in others).most_common(OTHER_SAMPLES)
    first = [next(draft for draft in others if (draft.outcome, draft.why) == kind) for kind, _ in common]
    return (*spread, *first)


def _sample(
    round: int, row: Row, picks: Mapping[int | None, Row], verdicts: Mapping[int | None, Sequence[Row]]
) -> Sample:
    pick, example = picks.get(count(row, "number"), {}), part(row, "example")
    outcome, why = _outcome(row, verdicts.get(count(row, "number"), ()))
    return Sample(
        round=round,
        number=count(row, "number") or 0,
        outcome=outcome,
        why=why,
        seed_prompt=clipped(text(pick, "prompt")),
        seed_answer=clipped(text(pick, "answer")),
        prompt=clipped(text(example, "prompt")),
        completion=clipped(text(example, "completion")),
        answer=clipped(text(example, "answer")),
    )


def _outcome(row: Row, verdicts: Sequence[Row]) -> tuple[str, str]:
    """What became of a draft, and which filter said so and why. One filter that drops it is enough."""
    if not part(row, "example"):
        return "no draft", text(row, "reason") or ""
    for decision, outcome in (("drop", "dropped"), ("undecided", "undecided"), ("keep", "kept")):
        for verdict in verdicts:
            if verdict.get("decision") == decision:
                said = [text(verdict, "filter"), text(verdict, "reason")]
                return outcome, "" if outcome == "kept" else ": ".join(filter(None, said))
    return "no verdict", ""


def clipped(value: str | None) -> str:
    """The start of a long text, and how much is left out."""
    if value is None or len(value) <= LONGEST_TEXT:
        return value or ""
    return f"{value[:LONGEST_TEXT]} … [{len(value) - LONGEST_TEXT:,} more characters]"
