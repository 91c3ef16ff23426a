import itertools

import pytest

from asft.stats import majority, pass_at_k


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
