"""What every filter promises."""

import random
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft import registry
from asft.tasks.gsm8k import GSM8K
from asft.types import Context, Draft, Example, Filter

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


def test_every_built_in_is_under_contract() -> None:
    assert {name for name, _ in CASES} == set(registry.BUILT_IN["filter"])


@pytest.mark.parametrize(("name", "options"), CASES)
class TestEveryFilter:
    @given(draft=DRAFTS)
    def test_every_draft_gets_a_verdict_with_a_reason(
        self, name: str, options: dict[str, object], draft: Draft
    ) -> None:
        verdict = make(name, options).check(draft, POOL, ())
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
            used.check(draft, random.Random(seed).choice(others), ())
        assert used.check(drafts[0], POOL, ()) == make(name, options).check(drafts[0], POOL, ())

    @given(draft=DRAFTS, growing=st.lists(ACCEPTED, min_size=1, max_size=4))
    def test_only_what_is_accepted_now_counts(
        self, name: str, options: dict[str, object], draft: Draft, growing: list[list[Example]]
    ) -> None:
        # One list that grows, as in a round, and then is emptied and holds others.
        used, accepted = make(name, options), list[Example]()
        for more in growing:
            for at in range(len(more) + 1):
                accepted[:] = more[:at]
                assert used.check(draft, POOL, accepted) == make(name, options).check(
                    draft, POOL, tuple(more[:at])
                )

    def test_only_an_ordered_filter_reads_what_was_accepted(
        self, name: str, options: dict[str, object]
    ) -> None:
        draft = Draft(number=0, example=example("Dee has 6 rows of 7 trees. How many trees?"), votes=("42",))
        used = make(name, options)
        alone = used.check(draft, POOL, ())
        assert draft.example is not None
        beside = used.check(draft, POOL, (draft.example,))
        assert (alone != beside) == used.ordered

    def test_a_draft_without_an_example_is_dropped(self, name: str, options: dict[str, object]) -> None:
        verdict = make(name, options).check(Draft(number=1, example=None, reason="cut off"), POOL, ())
        assert (verdict.decision, verdict.reason) == ("drop", "no example: cut off")

    def test_making_it_remembers_nothing_of_another(self, name: str, options: dict[str, object]) -> None:
        assert make(name, options) == make(name, options)
        used = make(name, options)
        used.check(Draft(number=0, example=example("Who has 42 nuts?")), POOL, ())
        assert vars(make(name, options)).keys() <= vars(used).keys()
        assert used == make(name, options)
