import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.stats import (
    BLOCK,
    bootstrap,
    classified,
    hierarchical_bootstrap,
    holm,
    majority,
    mcnemar_exact,
    paired_bootstrap,
    pass_at_k,
    spearman,
    wilson,
)

Z95 = 1.959963984540054  # the 97.5% point of the normal distribution, from a table


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


# Wilson


def test_wilson_gives_the_published_interval() -> None:
    # 8 of 10: centre (0.8 + z^2/20) / (1 + z^2/10) = 0.99207 / 1.38415 = 0.71674, and
    # reach z * sqrt(0.016 + z^2/400) / 1.38415 = 1.95996 * 0.16000 / 1.38415 = 0.22658.
    interval = wilson(8, 10)
    assert interval.low == pytest.approx(0.49016, abs=1e-5)
    assert interval.high == pytest.approx(0.94332, abs=1e-5)


@pytest.mark.parametrize(("right", "items"), [(1, 7), (8, 10), (263, 500), (999, 1000)])
def test_the_ends_of_wilson_are_the_shares_that_the_score_test_just_allows(right: int, items: int) -> None:
    interval = wilson(right, items)
    for p in (interval.low, interval.high):
        assert abs(right / items - p) / math.sqrt(p * (1 - p) / items) == pytest.approx(Z95)


def test_wilson_of_none_right_starts_at_0_and_of_all_right_ends_at_1() -> None:
    # 0 of 10: the upper end is z^2 / (10 + z^2) = 3.84146 / 13.84146.
    assert wilson(0, 10).low == 0.0
    assert wilson(0, 10).high == pytest.approx(3.8414588 / 13.8414588)
    assert wilson(10, 10).high == 1.0
    assert wilson(10, 10).low == pytest.approx(1 - 3.8414588 / 13.8414588)


def test_a_higher_level_is_wider() -> None:
    assert wilson(8, 10, level=0.99).low < wilson(8, 10).low < 0.8 < wilson(8, 10).high
    assert wilson(8, 10).high < wilson(8, 10, level=0.99).high


@pytest.mark.parametrize(("right", "items"), [(0, 0), (3, 2), (-1, 5)])
def test_wilson_refuses_what_is_no_share(right: int, items: int) -> None:
    with pytest.raises(ValueError, match="is no share"):
        wilson(right, items)


# Bootstraps


def ends(means: list[float], level: float) -> tuple[float, float]:
    """The quantiles of a distribution that is known whole: every resample, equally likely."""
    means = sorted(means)
    edge = (1 - level) / 2
    return means[math.floor(edge * len(means))], means[math.ceil((1 - edge) * len(means)) - 1]


def test_the_paired_bootstrap_agrees_with_every_resample_counted_out() -> None:
    before, after = [0.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.25, 1.0]
    differences = [1.0, 0.0, 0.25, 1.0]
    # All 4^4 = 256 resamples. At 80% the ends lie inside steps of the distribution, not on their edges.
    means = [sum(drawn) / 4 for drawn in itertools.product(differences, repeat=4)]
    found = paired_bootstrap(before, after, rng(), level=0.8, resamples=40_000)
    assert found.mean == pytest.approx(0.5625)
    assert (found.low, found.high) == pytest.approx(ends(means, 0.8))


def test_the_bootstrap_of_a_mean_agrees_with_every_resample_counted_out() -> None:
    grades = [0.0, 1.0, 0.25, 1.0]
    means = [sum(drawn) / 4 for drawn in itertools.product(grades, repeat=4)]
    found = bootstrap(grades, rng(), level=0.8, resamples=40_000)
    assert (found.low, found.high) == pytest.approx(ends(means, 0.8))


def test_the_bootstrap_of_equal_grades_has_no_width_and_of_none_there_is_none() -> None:
    assert (bootstrap([1.0] * 5, rng()).low, bootstrap([1.0] * 5, rng()).high) == (1.0, 1.0)
    with pytest.raises(ValueError, match="there are no grades"):
        bootstrap([], rng())


def test_the_hierarchical_bootstrap_agrees_with_every_resample_counted_out() -> None:
    table = [[1.0, 0.0, 0.5], [0.2, 0.1, 0.9]]
    # All 2^2 draws of seeds times 3^3 draws of items, shared by the drawn seeds: 108 resamples.
    means = [
        sum(table[s][i] for s in seeds for i in items) / 6
        for seeds in itertools.product(range(2), repeat=2)
        for items in itertools.product(range(3), repeat=3)
    ]
    found = hierarchical_bootstrap(table, rng(), level=0.8, resamples=40_000)
    assert found.mean == pytest.approx(2.7 / 6)
    assert (found.low, found.high) == pytest.approx(ends(means, 0.8))


def test_the_paired_interval_has_the_width_that_theory_gives() -> None:
    # 1000 items, 200 gained, 100 lost: variance 0.3 - 0.1^2 = 0.29, so 0.1 +- 1.96 * sqrt(0.29 / 1000).
    before = [0.0] * 200 + [1.0] * 100 + [1.0] * 700
    after = [1.0] * 200 + [0.0] * 100 + [1.0] * 700
    found = paired_bootstrap(before, after, rng())
    assert found.mean == pytest.approx(0.1)
    assert found.low == pytest.approx(0.1 - 0.03338, abs=0.002)
    assert found.high == pytest.approx(0.1 + 0.03338, abs=0.002)


def test_items_that_are_hard_for_all_seeds_do_not_count_as_independent() -> None:
    # Eight seeds that agree on every item know no more than one: the interval is that of the items.
    items = [1.0] * 30 + [0.0] * 70
    together = hierarchical_bootstrap([items] * 8, rng())
    alone = paired_bootstrap([0.0] * 100, items, rng())
    assert together.low == pytest.approx(alone.low, abs=0.011)
    assert together.high == pytest.approx(alone.high, abs=0.011)


def test_seeds_that_differ_widen_the_interval_however_many_items_there_are() -> None:
    # Seeds at 0 and 1 on 1000 items: one draw in four takes either seed twice, so 95% spans them all.
    found = hierarchical_bootstrap([[0.0] * 1000, [1.0] * 1000], rng())
    assert (found.mean, found.low, found.high) == (0.5, 0.0, 1.0)


def test_equal_chance_gives_equal_intervals() -> None:
    first, second = (paired_bootstrap([0, 1, 0], [1, 1, 0], rng()) for _ in range(2))
    assert first == second


def test_resamples_that_fill_several_blocks_are_all_used() -> None:
    differences = np.linspace(-1, 1, 3001)
    few = -(-BLOCK // 3001)  # just over one block
    found = paired_bootstrap([0.0] * 3001, list(differences), rng(), resamples=2 * few)
    # The standard deviation of the uniform law on [-1, 1] is 1/sqrt(3).
    assert found.high - found.low == pytest.approx(2 * Z95 / math.sqrt(3 * 3001), rel=0.15)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [([], [], "no pairs"), ([1.0], [1.0, 0.0], "no pairs"), ([1.0], [math.nan], "not a finite number")],
)
def test_the_paired_bootstrap_refuses_what_is_no_pair(
    before: list[float], after: list[float], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        paired_bootstrap(before, after, rng())


@pytest.mark.parametrize("table", [[1.0, 0.0], [[1.0, 0.0]], [[], []]])
def test_the_hierarchical_bootstrap_refuses_less_than_two_seeds_with_items(table: npt.ArrayLike) -> None:
    with pytest.raises(ValueError, match="at least two seeds"):
        hierarchical_bootstrap(table, rng())


def test_a_level_or_a_number_of_resamples_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="level 95"):
        wilson(1, 2, level=95)
    with pytest.raises(ValueError, match="0 resamples"):
        paired_bootstrap([0.0], [1.0], rng(), resamples=0)


# Several answers to one question


@pytest.mark.parametrize(("samples", "right", "k"), [(5, 2, 3), (4, 0, 2), (4, 4, 1), (6, 1, 6), (6, 5, 2)])
def test_pass_at_k_is_the_share_of_all_ways_to_take_k_answers_with_a_right_one_among_them(
    samples: int, right: int, k: int
) -> None:
    answers = [True] * right + [False] * (samples - right)
    taken = list(itertools.combinations(answers, k))
    assert pass_at_k(samples, right, k) == pytest.approx(sum(map(any, taken)) / len(taken))


def test_pass_at_3_of_5_answers_with_2_right_by_hand() -> None:
    # 1 - C(3,3) / C(5,3) = 1 - 1/10
    assert pass_at_k(5, 2, 3) == 0.9


def test_pass_at_k_of_hundreds_of_answers_stays_exact() -> None:
    # C(999,500) / C(1000,500) = 500/1000
    assert pass_at_k(1000, 1, 500) == 0.5


@pytest.mark.parametrize(("samples", "right", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 4), (3, 1, 0)])
def test_pass_at_k_refuses_what_cannot_be_taken(samples: int, right: int, k: int) -> None:
    with pytest.raises(ValueError, match="answers, k ="):
        pass_at_k(samples, right, k)


@pytest.mark.parametrize(
    ("answers", "wins"),
    [
        (["4", "5", "5"], 1),
        (["4", "5", "5", "4"], 0),
        ([None, None, "5"], 2),
        (["4", None, None], 0),
        ([None, None], None),
        ([], None),
    ],
)
def test_the_majority_is_the_commonest_answer_the_first_of_several_and_none_has_no_vote(
    answers: list[str | None], wins: int | None
) -> None:
    assert majority(answers) == wins


# McNemar


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (5, 0), (6, 1), (3, 3), (4, 9)])
def test_mcnemar_agrees_with_every_way_in_which_the_changes_could_fall(gained: int, lost: int) -> None:
    changed = gained + lost
    far = abs(gained - lost)
    flips = itertools.product((-1, 1), repeat=changed)
    as_far = sum(abs(sum(flip)) >= far for flip in flips)
    assert mcnemar_exact(gained, lost) == pytest.approx(as_far / 2**changed)


def test_mcnemar_of_6_gained_and_1_lost() -> None:
    # 2 * (C(7,0) + C(7,1)) / 2^7 = 16 / 128
    assert mcnemar_exact(6, 1) == mcnemar_exact(1, 6) == 0.125


def test_mcnemar_stays_a_number_for_thousands_of_changes() -> None:
    assert mcnemar_exact(2000, 2000) == 1.0
    assert 0 < mcnemar_exact(2200, 1800) < 1e-9


def test_mcnemar_refuses_negative_counts() -> None:
    with pytest.raises(ValueError, match="cannot be negative"):
        mcnemar_exact(-1, 2)


# Holm


def test_holm_multiplies_by_the_tests_that_are_left_and_never_falls() -> None:
    # Sorted: 0.005 x 4 = 0.02, 0.01 x 3 = 0.03, 0.03 x 2 = 0.06, 0.04 x 1 = 0.04 -> 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_never_exceeds_1_and_leaves_one_test_alone() -> None:
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([0.04]) == [0.04]
    assert holm([]) == []


def test_holm_refuses_what_is_no_p_value() -> None:
    with pytest.raises(ValueError, match=r"1\.2 is no p-value"):
        holm([0.1, 1.2])


# Spearman


def test_spearman_by_hand() -> None:
    # Ranks 1 2 3 4 5 and 2 1 4 3 5: differences 1 1 1 1 0, rho = 1 - 6 * 4 / (5 * 24) = 0.8.
    assert spearman([1.0, 2.0, 3.0, 4.0, 5.0], [0.2, 0.1, 0.9, 0.5, 7.0]) == pytest.approx(0.8)


def test_spearman_gives_ties_their_mean_rank() -> None:
    # Ranks 1.5 1.5 3 and 1 2 3: deviations -.5 -.5 1 and -1 0 1, so 1.5 / sqrt(1.5 * 2).
    assert spearman([4.0, 4.0, 9.0], [1.0, 2.0, 3.0]) == pytest.approx(1.5 / math.sqrt(3))


def test_spearman_is_of_the_pairs_in_which_both_are_known() -> None:
    assert spearman([1.0, None, 2.0, 3.0, 0.0], [3.0, 5.0, 2.0, 1.0, None]) == pytest.approx(-1.0)


def test_spearman_of_what_cannot_be_compared_is_unknown_and_not_zero() -> None:
    assert spearman([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]) is None
    assert spearman([1.0, 2.0], [1.0, 2.0]) is None
    assert spearman([None, None, None], [1.0, 2.0, 3.0]) is None


def test_spearman_depends_on_the_order_alone() -> None:
    values = rng().normal(size=(2, 50))
    plain = spearman(values[0].tolist(), values[1].tolist())
    assert spearman(np.exp(values[0]).tolist(), (values[1] ** 3).tolist()) == pytest.approx(plain)


# Classification


def test_f1_of_a_classification_by_hand() -> None:
    # a: 2 right of 3 called and 3 items, F1 4/6. b: 1 right of 2 called and 2 items, F1 2/4. c: 1 right of
    # 1 called and 1 item, F1 1. Together 4 right of 6 called and 6 items: micro F1 8/12, the accuracy.
    found = classified(list("aaabbc"), list("aababc"), "abc")
    assert found.accuracy == pytest.approx(4 / 6)
    assert [one.f1 for one in found.labels.values()] == pytest.approx([4 / 6, 2 / 4, 1.0])
    assert found.macro_f1 == pytest.approx((4 / 6 + 2 / 4 + 1.0) / 3)
    assert found.micro_f1 == pytest.approx(8 / 12)


def test_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    # 1 right of 2 called (1/2) and of 4 items (1/4): 2 * 1/2 * 1/4 / (3/4) = 1/3.
    found = classified(list("aaaab"), list("abbba"), "ab").labels["a"]
    assert (found.precision, found.recall) == (0.5, 0.25)
    assert found.f1 == pytest.approx(1 / 3)


def test_an_answer_that_is_no_label_is_wrong_and_a_false_alarm_of_none() -> None:
    # a: 1 right of 1 called and 2 items, F1 2/3. b: 1 right of 1 called and 2 items, F1 2/3. Together 2 of 2
    # called and 4 items: micro F1 4/6, the accuracy 2/4.
    found = classified(list("aabb"), ["a", None, "b", "purple"], "ab")
    assert found.accuracy == 0.5
    assert found.labels["a"].precision == 1.0
    assert found.macro_f1 == pytest.approx(2 / 3)
    assert found.micro_f1 == pytest.approx(4 / 6)


def test_a_label_that_never_comes_has_f1_0_and_counts_in_the_macro_mean() -> None:
    found = classified(["a", "a"], ["a", "a"], "ab")
    assert (found.labels["b"].precision, found.labels["b"].recall, found.labels["b"].f1) == (0.0, 0.0, 0.0)
    assert (found.accuracy, found.macro_f1, found.micro_f1) == (1.0, 0.5, 1.0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1))
def test_micro_f1_is_the_accuracy_where_every_answer_is_a_label(pairs: list[tuple[str, str]]) -> None:
    found = classified([r for r, _ in pairs], [a for _, a in pairs], "abc")
    assert found.micro_f1 == pytest.approx(sum(r == a for r, a in pairs) / len(pairs))


@pytest.mark.parametrize(
    ("references", "answers", "says"),
    [([], [], "at least one"), (["a"], [], "as many"), (["c"], ["a"], "'c' is not in the label set")],
)
def test_a_classification_that_cannot_be_counted_is_refused(
    references: list[str], answers: list[str], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        classified(references, answers, "ab")
