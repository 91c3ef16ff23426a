import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.stats import classified


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
