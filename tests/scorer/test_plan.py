import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.scorer.plan import Plan, Row, common, tokens, worth

ROWS = st.lists(
    st.tuples(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.lists(st.integers(0, 3), min_size=1)),
    min_size=1,
    max_size=12,
)


def of_lengths(*lengths: int) -> list[Row]:
    """Rows of which so many tokens are run."""
    return [([7], [0] * length) for length in lengths]


def cost(plan: Plan, rows: list[Row], start: int) -> int:
    return sum(start + len(batch) * max(tokens(rows[i]) for i in batch) for batch in plan.batches)


def test_rows_of_like_length_share_a_batch_long_ones_first() -> None:
    plan = Plan.of(of_lengths(10, 3, 9, 4, 10), budget=30, start=1)
    # 10 + 10 + 9 padded to 30 and 4 + 3 padded to 8: two batches, 2 tokens of padding.
    assert plan.batches == ((0, 4, 2), (3, 1))


def test_padding_is_put_up_with_where_a_batch_costs_more() -> None:
    rows = of_lengths(10, 6)
    # Together 20; apart 16 and one batch more.
    assert Plan.of(rows, budget=100, start=3).batches == ((0,), (1,))
    assert Plan.of(rows, budget=100, start=5).batches == ((0, 1),)


def test_a_row_over_the_budget_has_a_batch_to_itself() -> None:
    assert Plan.of(of_lengths(50, 40, 2, 2), budget=10, start=1).batches == ((0,), (1,), (2, 3))


@given(rows=ROWS, budget=st.integers(1, 60), start=st.integers(0, 20))
def test_each_row_is_in_one_batch_and_batches_keep_to_the_budget(
    rows: list[Row], budget: int, start: int
) -> None:
    plan = Plan.of(rows, budget=budget, start=start)
    assert plan.fits(rows)
    for batch in plan.batches:
        assert len(batch) == 1 or len(batch) * max(tokens(rows[i]) for i in batch) <= budget


@given(rows=ROWS, budget=st.integers(1, 60), start=st.integers(0, 20))
def test_no_other_cut_of_the_sorted_rows_is_cheaper(rows: list[Row], budget: int, start: int) -> None:
    lengths = sorted(map(tokens, rows), reverse=True)
    best = [0]
    for end in range(1, len(lengths) + 1):
        best.append(
            min(
                best[first] + start + (end - first) * lengths[first]
                for first in range(end)
                if end - first == 1 or (end - first) * lengths[first] <= budget
            )
        )
    assert cost(Plan.of(rows, budget=budget, start=start), rows, start) == best[-1]


@given(rows=ROWS, seed=st.integers(0, 99))
def test_the_order_in_which_rows_come_changes_nothing(rows: list[Row], seed: int) -> None:
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    mixed = [rows[i] for i in order]
    straight, other = (Plan.of(given, budget=30, start=5) for given in (rows, mixed))
    assert [[mixed[i] for i in batch] for batch in other.batches] == [
        [rows[i] for i in batch] for batch in straight.batches
    ]


def test_where_memory_runs_out_batches_are_half_as_large_from_there_on() -> None:
    rows = of_lengths(*[8] * 8)
    plan = Plan.of(rows, budget=32, start=9)
    assert list(map(len, plan.batches)) == [4, 4]
    half = plan.halved(rows, 1)
    assert half.batches[0] == plan.batches[0]
    assert list(map(len, half.batches)) == [4, 2, 2]
    assert list(map(len, plan.halved(rows, 0).halved(rows, 2).batches)) == [2, 2, 1, 1, 1, 1]
    assert half.fits(rows)


def test_the_last_token_of_a_prompt_is_never_part_of_the_prefix() -> None:
    assert common([([1, 2, 3], [9]), ([1, 2, 3], [8])]) == 2
    assert common([([1, 2, 3], [9]), ([1, 2, 4, 5], [8]), ([1, 2], [8])]) == 1
    assert common([([1], [9]), ([1], [8])]) == 0
    assert common([]) == 0


def test_a_prefix_is_run_once_where_that_spares_a_tenth_of_the_tokens() -> None:
    rows: list[Row] = [([0] * 20, [0] * 81)] * 3
    # 2 of 3 times 15 tokens, of 300 that are run.
    assert worth(15, rows)
    assert not worth(14, rows)
    assert not worth(0, rows)
    assert not worth(15, rows[:1])


@pytest.mark.parametrize("batches", [((0,),), ((0, 1, 1),), ((0, 2),), ((0,), (1,), (2,))])
def test_a_plan_of_other_rows_does_not_fit(batches: tuple[tuple[int, ...], ...]) -> None:
    rows = of_lengths(3, 4)
    assert Plan(prefix=0, batches=((0, 1),)).fits(rows)
    assert not Plan(prefix=0, batches=batches).fits(rows)
    assert not Plan(prefix=1, batches=((0, 1),)).fits(rows)
