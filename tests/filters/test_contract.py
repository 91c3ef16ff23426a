"""What every filter promises."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft import registry
from asft.budget import ceiling_of
from asft.tasks.gsm8k import GSM8K
from asft.types import (
    Answer,
    Context,
    Draft,
    Example,
    Filter,
    Measured,
    Measurements,
    Observation,
    TokenStats,
    Verdict,
)
from tests.filters.scripts import Driven, decided

CASES = [
    ("well_formed", {}),
    ("duplicate", {}),
    ("not_in_test", {}),
    ("agrees", {}),
    ("agrees", {"mode": "task"}),
    ("rouge_l", {}),
    ("rouge_l", {"threshold": 0.2, "pool": False}),
    ("rouge_l", {"round": False}),
    ("length", {"min_question": 3, "max_answer": 20}),
    ("length", {"unit": "characters", "max_question": 40}),
    ("language", {}),
    ("language", {"scripts": ["Han", "Latin"], "share": 0.5, "of": "answer"}),
    ("blocklist", {"phrases": ["nuts"], "patterns": [r"[0-9]{2}"]}),
    ("embedding_similarity", {"threshold": 0.9}),
    ("embedding_similarity", {"threshold": 0.9, "pool": False, "accepted": False}),
    ("embedding_similarity", {"threshold": 0.9, "round": False}),
    ("still_uncertain", {"above": 0.5}),
    ("still_uncertain", {"criterion": {"use": "incorrect", "k": 3}, "quantile": 0.5}),
    ("consistency", {"k": 3}),
    ("consistency", {"k": 3, "by": "teacher"}),
    ("consistency", {"k": 2, "by": "judge", "at_least": 1.0}),
    ("judge", {}),
    ("judge", {"at_least": 3, "reasks": 0, "max_bytes": 40}),
]


def make(name: str, options: Mapping[str, object]) -> Filter:
    made = registry.make("filter", name, options)
    assert isinstance(made, Filter)
    return made


def example(prompt: str, answer: str = "42", completion: str | None = "So 6*7 = 42.\n#### 42") -> Example:
    return Example.make(task="gsm8k", prompt=prompt, answer=answer, completion=completion)


POOL = Context(
    task=GSM8K(),
    seeds=(example("Ann has 6 bags of 7 nuts. How many nuts?"),),
    accepted=(example("Bob has 2 cats. How many legs?"),),
    test=(example("Cy buys 3 pens for $4 each and pays with a $20 bill. How much change does he get back?"),),
    round=2,
    seed=0,
)

DRAFTS = st.builds(
    Draft,
    number=st.integers(0, 99),
    example=st.one_of(
        st.none(),
        st.builds(
            example,
            prompt=st.one_of(st.text(max_size=60), st.just("Ann has 6 bags of 7 nuts. How many nuts?")),
            answer=st.sampled_from(["", "42", "x", "1,000"]),
            completion=st.one_of(st.none(), st.text(max_size=20), st.just("#### 42")),
        ),
    ),
    reason=st.just("no answer"),
    votes=st.lists(st.sampled_from(["42", "43", "", None]), max_size=4).map(tuple),
)

ACCEPTED = st.lists(
    st.sampled_from(["Ann has 6 bags of 7 nuts. How many nuts?", "Ann has 7 nuts?", "Who?"]).map(example),
    max_size=3,
)


def measured(examples: Sequence[Example], drafts: int) -> Measurements:
    """Some numbers about each example that come from its text alone; none of an empty question."""
    told = [sum(one.prompt.encode("utf-8", "surrogatepass")) for one in examples]
    vectors = np.eye(7, dtype=np.float32)[[number % 7 for number in told]]
    vectors[[not one.prompt for one in examples]] = np.nan
    return Measurements(
        round=2,
        examples=tuple(examples),
        observations=tuple(
            Observation(
                example_id=one.id,
                own=answer(0.0, number) if one.prompt else None,
                samples=tuple(answer(float(number % 3 > i), number) for i in range(3)) if one.prompt else (),
            )
            for one, number in zip(examples, told, strict=True)
        ),
        arrays={"embedding": vectors, "accepted_embedding": vectors[drafts:]},
    )


def answer(grade: float, number: int) -> Answer:
    stats = TokenStats(tokens=1, nll=0.1, nll_sum=0.1, entropy=number % 10 / 10)
    return Answer(text="#### 1", token_ids=(1,), finish="stop", grade=grade, stats=stats)


def seen(draft: Draft, context: Context, accepted: Sequence[Example]) -> Measured | None:
    """As the write step has it: the draft in a wave with what was accepted before it."""
    if draft.example is None:
        return None
    wave = measured([*accepted, draft.example], 0)
    pool = measured([*context.seeds, *context.accepted], len(context.seeds))
    pool = replace(pool, arrays={**pool.arrays, "embedding": pool.arrays["embedding"][: len(context.seeds)]})
    rows = [(wave, row) for row in range(len(accepted))]
    return Measured(wave=wave, row=len(accepted), pool=pool, accepted=rows)


REPLIES = ("Good.\nScore: 8", "6 * 7 = 42\n#### 42", "I would rather not.")


def judged(used: Filter, draft: Draft, context: Context, accepted: Sequence[Example] = ()) -> Verdict:
    """The verdict, with everything at hand that a write step has, and replies to all that is asked."""
    if not used.looks.ordered:
        accepted = ()
    given = used.check(draft, context, accepted, seen(draft, context, accepted))
    return decided(given, *(REPLIES[(draft.number + i) % 3] for i in range(9)))


def test_every_built_in_is_under_contract() -> None:
    assert {name for name, _ in CASES} == set(registry.BUILT_IN["filter"])


@pytest.mark.parametrize(("name", "options"), CASES)
class TestEveryFilter:
    @given(draft=DRAFTS)
    def test_every_draft_gets_a_verdict_with_a_reason(
        self, name: str, options: dict[str, object], draft: Draft
    ) -> None:
        verdict = judged(make(name, options), draft, POOL)
        assert (verdict.number, verdict.filter) == (draft.number, name)
        assert verdict.decision in ("keep", "drop", "undecided")
        assert verdict.reason.strip()

    @given(drafts=st.lists(DRAFTS, min_size=2, max_size=5), seed=st.integers(0, 9))
    def test_what_it_checked_before_does_not_matter(
        self, name: str, options: dict[str, object], drafts: list[Draft], seed: int
    ) -> None:
        used = make(name, options)
        others = [
            replace(POOL, test=(example("Who?"),)),
            POOL,
            replace(POOL, seeds=POOL.accepted, accepted=(), test=()),
        ]
        for draft in drafts:
            judged(used, draft, random.Random(seed).choice(others))
        assert judged(used, drafts[0], POOL) == judged(make(name, options), drafts[0], POOL)

    @given(draft=DRAFTS, growing=st.lists(ACCEPTED, min_size=1, max_size=4))
    def test_only_what_is_accepted_now_counts(
        self, name: str, options: dict[str, object], draft: Draft, growing: list[list[Example]]
    ) -> None:
        # One list that grows, as in a round, and then is emptied and holds others.
        used, accepted = make(name, options), list[Example]()
        for more in growing:
            for at in range(len(more) + 1):
                accepted[:] = more[:at]
                now = judged(used, draft, POOL, accepted)
                assert now == judged(make(name, options), draft, POOL, tuple(more[:at]))

    def test_only_an_ordered_filter_reads_what_was_accepted(
        self, name: str, options: dict[str, object]
    ) -> None:
        draft = Draft(number=0, example=example("Dee has 6 rows of 7 trees. How many trees?"), votes=("42",))
        used = make(name, options)
        alone = judged(used, draft, POOL)
        assert draft.example is not None
        given = used.check(draft, POOL, (draft.example,), seen(draft, POOL, (draft.example,)))
        beside = decided(given, *(REPLIES[i % 3] for i in range(9)))
        assert (alone != beside) == used.looks.ordered

    def test_a_draft_without_an_example_is_dropped(self, name: str, options: dict[str, object]) -> None:
        verdict = judged(make(name, options), Draft(number=1, example=None, reason="cut off"), POOL)
        assert (verdict.decision, verdict.reason) == ("drop", "no example: cut off")

    def test_making_it_remembers_nothing_of_another(self, name: str, options: dict[str, object]) -> None:
        assert make(name, options) == make(name, options)
        used = make(name, options)
        judged(used, Draft(number=0, example=example("Who has 42 nuts?")), POOL)
        assert vars(make(name, options)).keys() <= vars(used).keys()
        assert used == make(name, options)

    @given(draft=DRAFTS)
    def test_what_it_asks_is_within_its_ceiling(
        self, name: str, options: dict[str, object], draft: Draft
    ) -> None:
        used = make(name, options)
        driven = Driven([REPLIES[2]] * 9)
        driven.decide(used.check(draft, POOL, (), seen(draft, POOL, ())))
        most = used.looks.ceiling
        asked = [ceiling_of(request) for request in driven.asked]
        assert len(asked) <= most.requests
        assert sum(one.input_tokens for one in asked) <= most.input_tokens
        assert sum(one.output_tokens for one in asked) <= most.output_tokens

    def test_it_asks_or_measures_or_reads_what_was_accepted_but_never_asks_and_does_another(
        self, name: str, options: dict[str, object]
    ) -> None:
        used = make(name, options)
        assert not (used.looks.ceiling.requests and (used.looks.needs or used.looks.ordered))
        assert all(need.kind == "student" for need in (*used.looks.needs, *used.looks.pool_needs))
        assert used.looks.needs or not used.looks.pool_needs

    def test_without_measurements_it_is_undecided_where_it_needs_them(
        self, name: str, options: dict[str, object]
    ) -> None:
        used = make(name, options)
        draft = Draft(number=0, example=example("Dee has 6 rows of 7 trees. How many trees?"), votes=("42",))
        verdict = decided(used.check(draft, POOL, ()), *(REPLIES[i % 3] for i in range(9)))
        if used.looks.needs:
            assert (verdict.decision, verdict.reason[:3]) == ("undecided", "no ")
        else:
            assert verdict == judged(used, draft, POOL)
