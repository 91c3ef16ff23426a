"""Answers end before a stop string as they end before an end token."""

import functools
from typing import Any

import pytest

from asft import decoder, student
from asft.decoder.batched import STOP_EVERY
from asft.decoder.stopping import cut, reached
from asft.errors import DataError
from asft.types import Message
from tests.decoder.conftest import Tiny

PROMPTS = ["Tom has 3 apples and buys 4 more. How many apples does he have?", "What is 6*7?"]


def test_text_tokens_and_statistics_end_where_the_stop_string_begins(pocket: student.Loaded) -> None:
    whole = decoder.decode(pocket, PROMPTS[:1], stats=True)[0]
    assert whole.answer.text.count("####") == 1
    [found] = decoder.decode(pocket, PROMPTS[:1], stats=True, stop=["####", "no such text"])
    assert found.answer.text == whole.answer.text[: whole.answer.text.index("####")]
    assert found.answer.finish == "stop"
    kept, written = len(found.answer.token_ids), len(found.token_ids)
    assert found.token_ids == whole.token_ids[:written]
    assert pocket.tokenizer.decode(found.answer.token_ids) == found.answer.text
    assert pocket.tokenizer.decode(found.token_ids).endswith("####")
    assert kept < written < len(whole.token_ids)
    assert found.tokens is not None
    assert whole.tokens is not None
    assert found.tokens.nll.tolist() == whole.tokens.nll[:written].tolist()
    assert found.answer.stats is not None
    assert found.answer.stats.tokens == written


def test_of_several_stop_strings_the_one_that_begins_first_counts(pocket: student.Loaded) -> None:
    text = decoder.answer(pocket, PROMPTS[:1])[0].text
    [found] = decoder.answer(pocket, PROMPTS[:1], stop=[text[6:9], text[2:4], text[4:8]])
    assert found.text == text[: min(text.index(part) for part in (text[6:9], text[2:4], text[4:8]))]


def test_an_answer_without_a_stop_string_is_what_it_is(pocket: student.Loaded) -> None:
    plain = decoder.answer(pocket, PROMPTS, max_new_tokens=6)
    assert decoder.answer(pocket, PROMPTS, max_new_tokens=6, stop=["no such text"]) == plain
    assert {one.finish for one in plain} == {"length"}


def test_an_answer_that_is_cut_off_after_its_stop_string_ended_by_itself(pocket: student.Loaded) -> None:
    [long] = decoder.answer(pocket, PROMPTS[:1], max_new_tokens=6)
    [found] = decoder.answer(pocket, PROMPTS[:1], max_new_tokens=6, stop=[long.text[-2:]])
    assert (long.finish, found.finish) == ("length", "stop")
    assert found.text == long.text[: long.text.index(long.text[-2:])]


def test_a_special_token_as_a_stop_string_ends_an_answer_though_no_text_shows_it(
    pocket: student.Loaded,
) -> None:
    special = pocket.tokenizer.convert_tokens_to_ids("<|user|>")

    class Fixed:
        def write(self, *_: object, **__: object) -> list[decoder.Row]:
            ids = pocket.tokenizer("12", add_special_tokens=False)["input_ids"]
            return [decoder.Row(token_ids=[*ids, special, *ids])]

        def named(self) -> str:
            return "fixed"

    [found] = decoder.answer(pocket, PROMPTS[:1], by=Fixed(), stop=["<|user|>"])
    assert (found.text, found.finish) == ("12", "stop")
    assert decoder.answer(pocket, PROMPTS[:1], by=Fixed())[0].text == "1212"


def test_samples_are_cut_alike(pocket: student.Loaded) -> None:
    [whole] = decoder.sample(pocket, PROMPTS[:1], ["a"], k=3, temperature=1.0)
    [found] = decoder.sample(pocket, PROMPTS[:1], ["a"], k=3, temperature=1.0, stop=["####"])
    assert [one.answer.text for one in found] == [one.answer.text.split("####")[0] for one in whole]


def test_the_tokens_of_a_letter_in_several_bytes_are_not_kept_where_it_begins_the_stop_string() -> None:
    class Bytes:
        """A token is a byte, as the byte-level tokenizers have it for what is rare."""

        def decode(self, ids: list[int], *, skip_special_tokens: bool) -> str:
            return bytes(ids).decode("utf-8", "replace")

    text = "aé→b"
    found = cut(Bytes(), list(text.encode()), text, ["→"])
    assert found is not None
    assert (found.text, found.kept, found.written) == ("aé", 3, 6)


def test_no_more_is_written_soon_after_a_stop_string(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = tiny("llama", tie_word_embeddings=False)
    loaded.model.generation_config.eos_token_id = None
    monkeypatch.setattr(student.Loaded, "end_ids", frozenset())
    whole = decoder.decode(loaded, PROMPTS, max_new_tokens=200)
    forward = loaded.model.forward
    steps: list[int] = []

    def counted(*given: Any, **named: Any) -> Any:
        steps.append(len(named["input_ids"]))
        return forward(*given, **named)

    stop = [one.answer.text[20:23] for one in whole]
    monkeypatch.setattr(loaded.model, "forward", functools.wraps(forward)(counted))
    found = decoder.decode(loaded, PROMPTS, max_new_tokens=200, stop=stop)
    for one, before in zip(found, whole, strict=True):
        text = before.answer.text
        assert one.answer.text == text[: min(text.index(string) for string in stop if string in text)]
        assert one.token_ids == before.token_ids[: len(one.token_ids)]
    last = max(len(one.token_ids) for one in found)
    assert len(steps) <= last + STOP_EVERY < 200


@pytest.mark.parametrize("at", range(5, 40, 5))
def test_a_stop_string_is_reached_wherever_it_was_completed_of_late(pocket: student.Loaded, at: int) -> None:
    ids = pocket.tokenizer("12345678" * 10, add_special_tokens=False)["input_ids"]
    mark = pocket.tokenizer("9+9+9", add_special_tokens=False)["input_ids"]
    assert len(mark) == 5
    written = [*ids[:at], *mark]
    for later in range(STOP_EVERY):
        assert reached(pocket.tokenizer, [*written, *ids[:later]], ["none", "9+9+9"], STOP_EVERY)
    assert not reached(pocket.tokenizer, [*ids[:at], *mark[:-1], *ids[:5]], ["none", "9+9+9"], STOP_EVERY)
    assert not reached(pocket.tokenizer, written, [], STOP_EVERY)


# What the student reads


def test_a_chat_is_written_by_the_template_and_a_question_alone_as_one_turn(pocket: student.Loaded) -> None:
    chat = [
        Message(role="user", content="2+2?"),
        Message(role="assistant", content="4"),
        Message(role="user", content="3+3?"),
    ]
    texts = student.prompt_texts(pocket.tokenizer, [chat, "3+3?"])
    assert texts == [
        "<|user|>2+2?<|assistant|>4<|end|><|user|>3+3?<|assistant|>",
        "<|user|>3+3?<|assistant|>",
    ]
    assert student.prompt_ids(pocket.tokenizer, [chat]) == [
        pocket.tokenizer(texts[0], add_special_tokens=False)["input_ids"]
    ]


def test_without_a_template_turns_stand_below_each_other(
    pocket: student.Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pocket.tokenizer, "chat_template", None)
    chat = [
        Message(role="system", content="Add."),
        Message(role="user", content="2+2?"),
        Message(role="assistant", content="4"),
        Message(role="user", content="3+3?"),
    ]
    assert student.prompt_texts(pocket.tokenizer, [chat, "3+3?"]) == ["Add.\n\n2+2?\n4\n\n3+3?\n", "3+3?\n"]


def test_a_chat_that_the_template_refuses_is_told(
    pocket: student.Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuses = "{{ raise_exception('System role not supported') }}"
    monkeypatch.setattr(pocket.tokenizer, "chat_template", refuses)
    chat = [Message(role="system", content="Add."), Message(role="user", content="3+3?")]
    with pytest.raises(DataError, match=r"system, user \(System role not supported\)"):
        student.prompt_ids(pocket.tokenizer, [chat])
