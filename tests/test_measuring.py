import math

import pytest
import torch

from asft import decoder, scorer, student
from asft.tasks.pocket.task import Pocket


@pytest.fixture(scope="module")
def pocket() -> student.Loaded:
    return student.load(student.Student(), "cpu")


def by_hand(loaded: student.Loaded, prompt: list[int], answer: list[int]) -> tuple[list[float], list[float]]:
    """Nll and entropy of each answer token, one row at a time, in float64."""
    with torch.inference_mode():
        logits = loaded.model(input_ids=torch.tensor([prompt + answer])).logits[0].double()
    nll, entropy = [], []
    for position, token in enumerate(answer, start=len(prompt)):
        p = torch.softmax(logits[position - 1], dim=-1)
        nll.append(-math.log(p[token].item()))
        entropy.append(-sum(x * math.log(x) for x in p.tolist() if x > 0))
    return nll, entropy


def rows(loaded: student.Loaded, count: int) -> list[tuple[list[int], list[int]]]:
    examples = Pocket(seeds=count).load("seed")
    asked = student.prompt_ids(loaded.tokenizer, [e.prompt for e in examples])
    answers = student.answer_ids(loaded, [e.completion or "" for e in examples])
    return list(zip(asked, answers, strict=True))


def test_statistics_equal_a_naive_float64_loop_whatever_the_batch(pocket: student.Loaded) -> None:
    given = rows(pocket, 12)
    for batch_tokens in (1, 700, 100_000):
        for (prompt, answer), stats in zip(
            given, scorer.score(pocket, given, batch_tokens=batch_tokens), strict=True
        ):
            nll, entropy = by_hand(pocket, prompt, answer)
            assert stats.tokens == len(answer)
            assert stats.nll_sum == pytest.approx(sum(nll), abs=1e-3)
            assert stats.nll == pytest.approx(sum(nll) / len(nll), abs=1e-4)
            assert stats.entropy == pytest.approx(sum(entropy) / len(entropy), abs=1e-4)


def test_a_row_without_answer_tokens_is_refused(pocket: student.Loaded) -> None:
    with pytest.raises(ValueError, match="at least one token"):
        scorer.score(pocket, [([1, 2], [])])


def test_greedy_answers_are_the_most_likely_tokens_one_by_one(pocket: student.Loaded) -> None:
    prompts = [e.prompt for e in Pocket(seeds=7).load("seed")]
    answers = decoder.answer(pocket, prompts, batch_size=3)
    for prompt, answer in zip(prompts, answers, strict=True):
        ids = student.prompt_ids(pocket.tokenizer, [prompt])[0]
        for token in [
            *answer.token_ids,
            *([] if answer.finish == "length" else [pocket.tokenizer.eos_token_id]),
        ]:
            with torch.inference_mode():
                logits = pocket.model(input_ids=torch.tensor([ids])).logits[0, -1]
            # Padding changes sums in the last bits; a tie within them may fall either way.
            assert logits[token] >= logits.max() - 1e-3
            ids = [*ids, token]


def test_an_answer_that_the_limit_cuts_off_says_so(pocket: student.Loaded) -> None:
    prompts = [e.prompt for e in Pocket(seeds=3).load("seed")]
    for answer in decoder.answer(pocket, prompts, max_new_tokens=4):
        assert answer.finish == "length"
        assert len(answer.token_ids) == 4


def test_progress_is_told_after_each_batch(pocket: student.Loaded) -> None:
    seen: list[int] = []
    prompts = [e.prompt for e in Pocket(seeds=5).load("seed")]
    decoder.answer(pocket, prompts, max_new_tokens=2, batch_size=2, progress=seen.append)
    assert seen == [2, 4, 5]
