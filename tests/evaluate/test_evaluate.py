"""How the test split is asked, and what becomes of the answers."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from asft import decoder, evaluate, registry, student
from asft.errors import DataError
from asft.evaluate import Asking, asking_by
from asft.recipe import EvaluateOptions, SampleOptions
from asft.types import Example, Grade, Task

LIMITS: Mapping[str, Any] = {"max_new_tokens": 60, "batch_size": 8}


@pytest.fixture(scope="module")
def loaded() -> student.Loaded:
    return student.load(student.Student(), "cpu")


@pytest.fixture(scope="module")
def task() -> Task:
    made: Task = registry.make("task", "pocket", {"seeds": 12, "tests": 6})
    return made


def example(prompt: str, answer: str = "1") -> Example:
    return Example.make(task="t", prompt=prompt, answer=answer)


class Choosing:
    """A task with choices; `listed` says which a prompt has."""

    def __init__(self, **listed: tuple[str, ...]) -> None:
        self.listed = listed

    def load(self, split: str) -> Sequence[Example]:
        return []

    def choices(self, example: Example) -> tuple[str, ...]:
        return self.listed[example.prompt]

    def grade(self, example: Example, text: str) -> Grade:
        return Grade(value=float(text == example.answer) if text else None, extracted=text or None)


# Asking


def test_a_question_without_anything_around_it_stays_a_question() -> None:
    assert Asking(stop=("x",)).prompt("6*7?") == "6*7?"


def test_shots_are_turns_before_the_question_and_the_system_prompt_comes_first(
    loaded: student.Loaded,
) -> None:
    shot = Example.make(task="t", prompt="2+2?", answer="4", completion="2+2=4 #### 4")
    asking = Asking(system="Add.", shots=(shot, example("1+1?", "2")))
    [text] = student.prompt_texts(loaded.tokenizer, [asking.prompt("3+3?")])
    assert text == (
        "<|system|>Add.<|user|>2+2?<|assistant|>2+2=4 #### 4<|end|><|user|>1+1?<|assistant|>2<|end|>"
        "<|user|>3+3?<|assistant|>"
    )


def test_shots_depend_on_the_seed_alone_and_fewer_are_the_first_of_more() -> None:
    seeds = [example(f"seed {number}") for number in range(20)]
    three, five = (asking_by(EvaluateOptions(shots=n), seeds, [], 1).shots for n in (3, 5))
    assert three == five[:3]
    assert asking_by(EvaluateOptions(shots=3), seeds, [], 2).shots != three


def test_a_seed_that_is_in_the_test_split_is_never_shown() -> None:
    seeds = [example("in  both"), example("seed alone")]
    test = [example("in both", "2")]
    for seed in range(10):
        assert [one.prompt for one in asking_by(EvaluateOptions(shots=1), seeds, test, seed).shots] == [
            "seed alone"
        ]
    with pytest.raises(DataError, match=r"evaluate\.shots = 2: the pool has 1 seeds"):
        asking_by(EvaluateOptions(shots=2), seeds, test, 0)


def test_what_is_told_of_the_asking_is_the_prompt_as_the_student_read_it(loaded: student.Loaded) -> None:
    shot = example("2+2?", "4")
    options = EvaluateOptions(samples=SampleOptions(k=2), shots=1, stop=["?"])
    asking = Asking(shots=(shot,), stop=("?",))
    assert evaluate.asked(loaded, [example("3+3?"), example("4+4?")], options, asking, 7) == {
        "prompt": "<|user|>2+2?<|assistant|>4<|end|><|user|>3+3?<|assistant|>",
        "by": "answers",
        "system": None,
        "shots": [shot.id],
        "max_new_tokens": 7,
        "stop": ["?"],
        "decoder": f"transformers {transformers.__version__}",
        "samples": {"k": 2, "temperature": 0.7, "top_p": 1.0},
    }


# Answers


def test_the_plain_row_is_the_greedy_answer_with_its_grade(loaded: student.Loaded, task: Task) -> None:
    examples = task.load("test")
    rows = evaluate.evaluate(loaded, task, examples, **LIMITS)
    answers = decoder.answer(loaded, [one.prompt for one in examples], **LIMITS)
    assert [row["text"] for row in rows] == [answer.text for answer in answers]
    for row, one in zip(rows, examples, strict=True):
        assert list(row) == ["example_id", "text", "finish", "grade", "final", "tags"]
        assert row["grade"] == task.grade(one, row["text"]).value
        assert (row["example_id"], row["tags"]) == (one.id, one.tags)


def test_samples_come_beside_the_greedy_answer_which_they_do_not_change(
    loaded: student.Loaded, task: Task
) -> None:
    examples = task.load("test")[:3]
    told: list[int] = []
    options = EvaluateOptions(samples=SampleOptions(k=3, temperature=1.0))
    rows = evaluate.evaluate(loaded, task, examples, options, seed=4, progress=told.append, **LIMITS)
    plain = evaluate.evaluate(loaded, task, examples, **LIMITS)
    assert [{key: row[key] for key in plain[0]} for row in rows] == plain
    drawn = decoder.sample(
        loaded, [e.prompt for e in examples], [e.id for e in examples], k=3, temperature=1.0, seed=4, **LIMITS
    )
    for row, samples, one in zip(rows, drawn, examples, strict=True):
        assert [sample["text"] for sample in row["samples"]] == [sample.answer.text for sample in samples]
        assert [s["grade"] for s in row["samples"]] == [
            task.grade(one, s["text"]).value for s in row["samples"]
        ]
    assert told == sorted(told)
    assert told[-1] == evaluate.passes(options) * len(examples)


def test_shots_and_stop_strings_reach_the_student(loaded: student.Loaded, task: Task) -> None:
    [one] = task.load("test")[:1]
    asking = Asking(shots=tuple(task.load("seed")[:1]), stop=("####",))
    [row] = evaluate.evaluate(loaded, task, [one], EvaluateOptions(), asking=asking, **LIMITS)
    [answer] = decoder.answer(loaded, [asking.prompt(one.prompt)], **LIMITS)
    assert row["text"] == answer.text.split("####")[0]
    assert row["text"] != evaluate.evaluate(loaded, task, [one], **LIMITS)[0]["text"].split("####")[0]


# Choices


def alone(loaded: student.Loaded, prompt: str, choice: str) -> tuple[float, int]:
    """The nll of an answer and its end, summed, from one forward pass; and its tokens."""
    [asked] = student.prompt_ids(loaded.tokenizer, [prompt])
    [answer] = student.answer_ids(loaded, [choice])
    with torch.inference_mode():
        logits = loaded.model(input_ids=torch.tensor([[*asked, *answer]])).logits[0].double()
    nll = -torch.log_softmax(logits, -1)[range(len(asked) - 1, len(asked) + len(answer) - 1), answer].sum()
    return float(nll), len(answer)


@pytest.mark.parametrize("by", ["likelihood", "mean_likelihood"])
def test_the_likeliest_choice_with_its_end_is_the_answer_by_sum_or_by_mean(
    loaded: student.Loaded, by: Any
) -> None:
    choices = ("42", "7", "Tom has 3 + 4 = 7 apples.", "9 9 9")
    task = Choosing(**{"6*7?": choices, "3+4?": choices[:2]})
    examples = [example("6*7?", "42"), example("3+4?", "42")]
    rows = evaluate.evaluate(loaded, task, examples, EvaluateOptions(by=by), **LIMITS)
    for row, one in zip(rows, examples, strict=True):
        assert [choice["text"] for choice in row["choices"]] == list(task.choices(one))
        expected = []
        for choice in row["choices"]:
            nll, tokens = alone(loaded, one.prompt, choice["text"])
            expected.append(nll / tokens if by == "mean_likelihood" else nll)
            assert choice["nll"] == pytest.approx(expected[-1], rel=1e-4)
        assert row["text"] == task.choices(one)[expected.index(min(expected))]
        assert (row["grade"], row["finish"]) == (float(row["text"] == "42"), "stop")


def test_the_mean_can_prefer_another_choice_than_the_sum(loaded: student.Loaded, task: Task) -> None:
    [one] = task.load("test")[:1]
    worked = decoder.answer(loaded, [one.prompt], **LIMITS)[0].text
    # Its own answer four times over: unlikely where each begins, and likely at most of its tokens.
    choices = (worked.split()[0], "\n".join([worked] * 4))
    short, long = (alone(loaded, one.prompt, text) for text in choices)
    assert short[0] < long[0]
    assert short[0] / short[1] > long[0] / long[1]
    texts = [
        evaluate.evaluate(loaded, Choosing(**{one.prompt: choices}), [one], EvaluateOptions(by=by), **LIMITS)[
            0
        ]["text"]
        for by in ("likelihood", "mean_likelihood")
    ]
    assert texts == list(choices)


def test_equally_likely_choices_leave_the_first_and_no_choices_leave_no_answer(
    loaded: student.Loaded,
) -> None:
    task = Choosing(same=("7", "7"), none=(), one=("7",))
    examples = [example("same", "7"), example("none", "7"), example("one", "7")]
    rows = evaluate.evaluate(loaded, task, examples, EvaluateOptions(by="likelihood"), **LIMITS)
    assert [row["text"] for row in rows] == ["7", "", ""]
    assert [row["grade"] for row in rows] == [1.0, None, None]
    assert not math.isnan(rows[0]["choices"][0]["nll"])


def test_a_task_or_a_split_without_choices_is_refused(loaded: student.Loaded, task: Task) -> None:
    options = EvaluateOptions(by="likelihood")
    with pytest.raises(DataError, match="the task Pocket lists no choices"):
        evaluate.evaluate(loaded, task, task.load("test"), options, **LIMITS)
    with pytest.raises(DataError, match="none of the 1 examples has two choices"):
        evaluate.evaluate(loaded, Choosing(a=("7",)), [example("a")], options, **LIMITS)


def test_shots_are_part_of_what_choices_are_scored_after(loaded: student.Loaded) -> None:
    task = Choosing(**{"6*7?": ("42", "7")})
    asking = Asking(shots=(replace(example("2*2?", "4"), completion="#### 4"),))
    [bare], [shown] = (
        evaluate.evaluate(
            loaded, task, [example("6*7?", "42")], EvaluateOptions(by="likelihood"), asking=how, **LIMITS
        )
        for how in (Asking(), asking)
    )
    assert bare["choices"][0]["nll"] != shown["choices"][0]["nll"]


# Labels


def test_a_classification_is_told_by_label_and_its_f1_is_in_the_summary(
    loaded: student.Loaded, tmp_path: Path
) -> None:
    path = tmp_path / "reviews.jsonl"
    rows = [{"text": f"text {n}", "label": label} for n, label in enumerate(("good", "good", "bad", "odd"))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    task = registry.make("task", "classification", {"seed": str(path), "test": str(path)})
    examples = task.load("test")
    answers = iter(["good", "label: bad", "bad", "The answer is purple."])

    class Says:
        def write(self, loaded: student.Loaded, jobs: Sequence[Any], **_: object) -> list[decoder.Row]:
            texts = loaded.tokenizer([next(answers) for _ in jobs], add_special_tokens=False)["input_ids"]
            return [decoder.Row(token_ids=ids) for ids in texts]

        def named(self) -> str:
            return "says"

    found = evaluate.evaluate(loaded, task, examples, by=Says(), **LIMITS)
    assert [row["label"] for row in found] == [
        {"is": "good", "given": "good"},
        {"is": "good", "given": "bad"},
        {"is": "bad", "given": "bad"},
        {"is": "odd", "given": None},
    ]
    f1 = evaluate.summarise(found)["f1"]
    # bad: 1 right, 2 given, 1 item: 2/3. good: 1, 1, 2: 2/3. odd: 0. Together 2, 3, 4: 4/7.
    assert f1["macro"] == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert f1["micro"] == pytest.approx(4 / 7)
    assert f1["labels"]["bad"] == {"right": 1, "given": 2, "items": 1, "f1": pytest.approx(2 / 3)}
    likely = evaluate.evaluate(loaded, task, examples, EvaluateOptions(by="likelihood"), **LIMITS)
    assert all(row["label"]["given"] == row["text"] in task.choices(examples[0]) for row in likely)


def test_where_choices_differ_or_are_no_labels_nothing_is_told_of_labels(loaded: student.Loaded) -> None:
    task = Choosing(a=("7", "8"), b=("7", "9"), c=("7", "8"))
    a, b, c = (replace(example(prompt, "7"), tags={"label": "7"}) for prompt in "abc")
    options = EvaluateOptions(by="likelihood")
    assert "f1" in evaluate.summarise(evaluate.evaluate(loaded, task, [a, c], options, **LIMITS))
    for others in ([a, b], [a, replace(c, tags={})]):
        rows = evaluate.evaluate(loaded, task, others, options, **LIMITS)
        assert all("label" not in row for row in rows)
        assert "f1" not in evaluate.summarise(rows)
