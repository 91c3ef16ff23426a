"""The student of prontoqa and game24: its format, its size, and where it stands."""

import json
import re

import pytest

from asft import decoder, student
from asft.stats import wilson
from asft.tasks.game24.task import Game24
from asft.tasks.prontoqa.task import PrOntoQA
from asft.types import Example, Task

ITSELF = student.Student(base="puzzles")


@pytest.fixture(scope="module")
def loaded() -> student.Loaded:
    return student.load(ITSELF, "cpu")


def right(loaded: student.Loaded, task: Task, examples: list[Example]) -> float:
    answers = decoder.answer(loaded, [e.prompt for e in examples], max_new_tokens=120)
    grades = [task.grade(e, a.text).value for e, a in zip(examples, answers, strict=True)]
    return sum(grade == 1.0 for grade in grades) / len(grades)


def test_it_is_at_most_4_mb_and_safe_to_load() -> None:
    files = [path for path in student.PUZZLES.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 4_000_000
    assert {path.suffix for path in files} <= {".json", ".md", ".safetensors", ".jinja"}


def test_any_text_can_be_tokenised_and_comes_back_whole(loaded: student.Loaded) -> None:
    for text in ("Zoë paid 12 € for ½ kg of 苹果 🍎.\n\tYes!", "Wumpuses are not houses.", "\x00\x7f"):
        ids = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert loaded.tokenizer.decode(ids) == text


def test_a_kind_and_a_number_are_one_token_wherever_they_stand(loaded: student.Loaded) -> None:
    tokens = loaded.tokenizer.tokenize(
        "Each wumpus is a dumpus. Dumpuses are not wumpuses.\nRex is a wumpus."
    )
    assert tokens.count("wumpus") == 3
    tokens = loaded.tokenizer.tokenize("13 - 12 = 1 (left: 1 2 13): no\n(13 + 1) * 2")
    assert tokens.count("13") == 3


def test_its_chat_template_ends_every_answer_and_marks_what_is_trained(loaded: student.Loaded) -> None:
    chat = [{"role": "user", "content": "24?"}, {"role": "assistant", "content": "#### 4 * 6"}]
    written = loaded.tokenizer.apply_chat_template(chat, tokenize=False)
    assert written == "<|user|>24?<|assistant|>#### 4 * 6<|end|>"
    marked = loaded.tokenizer.apply_chat_template(
        chat, return_dict=True, return_assistant_tokens_mask=True, tokenize=True
    )
    trained = [i for i, on in zip(marked["input_ids"], marked["assistant_masks"], strict=True) if on]
    assert loaded.tokenizer.decode(trained) == "#### 4 * 6<|end|>"


def test_it_follows_short_chains_and_guesses_at_the_end_of_long_ones(loaded: student.Loaded) -> None:
    short, long = PrOntoQA(salt="N", tests=150, hops=(1, 2, 3)), PrOntoQA(salt="N", tests=150, hops=(4, 5))
    assert right(loaded, short, list(short.load("test"))) > 0.75
    assert 0.35 < right(loaded, long, list(long.load("test"))) < 0.7


def test_it_solves_some_puzzles_that_it_has_not_met(loaded: student.Loaded) -> None:
    task = Game24(salt="B")
    assert 0.1 < right(loaded, task, list(task.load("validation"))) < 0.6


def test_the_figures_on_its_card_are_those_of_its_table() -> None:
    standing = json.loads((student.PUZZLES / "standing.json").read_text("utf-8"))
    card = (student.PUZZLES / "README.md").read_text("utf-8")
    for task, kinds in standing.items():
        for kind, (good, followed, problems) in kinds.items():
            bounds = wilson(good, problems)
            row = (
                f"| {kind} | {good / problems:.3f} | {bounds.low:.3f} to {bounds.high:.3f} "
                f"| {followed / problems:.3f} | {problems} |"
            )
            table = re.search(rf"^\| {task}: .*?(?:\n\n|\Z)", card, re.MULTILINE | re.DOTALL)
            assert table is not None
            assert row in table[0].splitlines()
