"""The student that ships with asft: its format, its size, and where it stands."""

import json

from asft import decoder, student
from asft.tasks.pocket.families import FAMILIES
from asft.tasks.pocket.task import MASTERED, Pocket, mastery
from asft.types import Example


def right(loaded: student.Loaded, examples: list[Example]) -> float:
    answers = decoder.answer(loaded, [e.prompt for e in examples])
    task = Pocket()
    grades = [task.grade(e, a.text).value for e, a in zip(examples, answers, strict=True)]
    return sum(grade == 1.0 for grade in grades) / len(grades)


def test_it_is_at_most_10_mb_and_safe_to_load() -> None:
    files = [path for path in student.POCKET.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 10_000_000
    assert {path.suffix for path in files} <= {".json", ".md", ".safetensors", ".jinja"}


def test_any_text_can_be_tokenised_and_comes_back_whole() -> None:
    tokenizer = student.load(student.Student(), "cpu").tokenizer
    for text in ("Zoë paid 12 € for ½ kg of 苹果 🍎.\n\tYes!", "<<48/2=24>>24 clips", "\x00\x7f"):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_digits_are_single_tokens() -> None:
    tokenizer = student.load(student.Student(), "cpu").tokenizer
    tokens = tokenizer.tokenize("has 1234 pens, <<12+345=357>>357")
    with_digits = [token for token in tokens if any(character.isdigit() for character in token)]
    assert with_digits == list("123412345357357")


def test_its_chat_template_ends_every_answer_and_marks_what_is_trained() -> None:
    tokenizer = student.load(student.Student(), "cpu").tokenizer
    chat = [{"role": "user", "content": "6*7?"}, {"role": "assistant", "content": "#### 42"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False) == "<|user|>6*7?<|assistant|>#### 42<|end|>"
    assert (
        tokenizer.apply_chat_template(chat[:1], tokenize=False, add_generation_prompt=True)
        == "<|user|>6*7?<|assistant|>"
    )
    marked = tokenizer.apply_chat_template(
        chat, return_dict=True, return_assistant_tokens_mask=True, tokenize=True
    )
    trained = [i for i, on in zip(marked["input_ids"], marked["assistant_masks"], strict=True) if on]
    assert tokenizer.decode(trained) == "#### 42<|end|>"


def test_it_masters_most_families_and_is_unsure_of_the_rest() -> None:
    loaded = student.load(student.Student(), "cpu")
    examples = Pocket(salt="B", tests=400).load("test")
    mastered = [e for e in examples if e.tags["mastered"] == "yes"]
    rest = [e for e in examples if e.tags["mastered"] == "no"]
    assert right(loaded, mastered) > 0.9
    assert 0.2 < right(loaded, rest) < 0.8


def test_its_mastery_table_knows_every_family_and_puts_a_third_of_the_pool_in_reach() -> None:
    assert set(mastery()) == set(FAMILIES)
    examples = Pocket(salt="B", seeds=1000).load("seed")
    reach = [e for e in examples if 0.10 <= mastery()[e.tags["family"]] < MASTERED]
    below = [e for e in examples if mastery()[e.tags["family"]] < 0.10]
    assert len(reach) >= len(examples) / 3
    assert len(below) <= len(examples) / 20
    assert json.loads((student.POCKET / "mastery.json").read_text("utf-8")) == dict(mastery())
