"""Answers as endpoints give them: what is there is taken, what is missing is no reason to lose a reply."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.teachers.openai.reading import UnreadableError, read
from asft.types import Message, Reply, Request, Sampling

ASKED = Request(messages=(Message(role="user", content="abcdef"),), sampling=Sampling(max_tokens=20))


def of(**changed: Any) -> Reply:
    """What is read of an answer with these fields."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "six"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 8, "completion_tokens": 2}
    return read(ASKED, json.dumps({"id": "x", "choices": [choice], "usage": usage, **changed}).encode())


def said(content: Any, **fields: Any) -> Reply:
    """What is read of a message."""
    return of(choices=[{"message": {"role": "assistant", "content": content, **fields}}])


# Text and reasoning


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_in_a_field_of_its_own_is_kept_apart(name: str) -> None:
    reply = said("It is 7.", **{name: "3 and 4 are 7."})
    assert (reply.text, reply.reasoning) == ("It is 7.", "3 and 4 are 7.")


def test_reasoning_that_stands_under_both_names_is_kept_once() -> None:
    assert said("7", reasoning="3 + 4", reasoning_content="3 + 4").reasoning == "3 + 4"


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ("<think>\n3 + 4\n</think>\n\nIt is 7.", "It is 7.", "3 + 4"),
        ("  <think></think>It is 7.", "It is 7.", ""),
        # Cut off while it thinks: there is no answer.
        ("<think>3 + 4 is", "", "3 + 4 is"),
        # The template has opened it.
        ("3 + 4\n</think>\n\nIt is 7.", "It is 7.", "3 + 4"),
        # Not at its beginning: the answer is about the mark.
        ("Write <think>so</think> first.", "Write <think>so</think> first.", ""),
        ("The mark </think> ends it.", "The mark </think> ends it.", ""),
    ],
)
def test_a_thought_that_opens_the_answer_is_kept_apart(content: str, text: str, reasoning: str) -> None:
    reply = said(content)
    assert (reply.text, reply.reasoning) == (text, reasoning)


def test_a_content_in_parts_is_put_together_and_its_thoughts_are_kept_apart() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "3 + 4"}]}
    parts = [thinking, {"type": "text", "text": "It "}, {"type": "image"}, None, {"text": "is 7."}]
    reply = said(parts)
    assert (reply.text, reply.reasoning) == ("It is 7.", "3 + 4")


@pytest.mark.parametrize("content", [None, 5, {}, []])
def test_a_message_without_a_text_is_an_empty_answer(content: Any) -> None:
    assert (said(content).text, said(content).finish) == ("", "stop")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("length", "length"), ("content_filter", "length"), (None, "stop"), ("stop", "stop")],
)
def test_an_answer_that_did_not_end_by_itself_is_cut_off(reason: str | None, finish: str) -> None:
    assert of(choices=[{"message": {"content": "x"}, "finish_reason": reason}]).finish == finish


# Counts


def test_counts_are_as_they_are_told() -> None:
    reply = of(
        usage={
            "prompt_tokens": 1000,
            "completion_tokens": 100,
            "total_tokens": 1100,
            "prompt_tokens_details": {"cached_tokens": 400},
            "completion_tokens_details": {"reasoning_tokens": 30},
        }
    )
    assert (reply.input_tokens, reply.cached_tokens, reply.output_tokens) == (1000, 400, 100)
    assert (reply.reasoning_tokens, reply.estimated) == (30, False)


def test_a_cache_hit_is_read_under_its_other_name() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 1, "prompt_cache_hit_tokens": 6}
    assert of(usage=usage).cached_tokens == 6


@pytest.mark.parametrize("details", [{"completion_tokens_details": {"reasoning_tokens": 50}}, {}])
def test_reasoning_that_is_left_out_of_what_was_written_is_counted(details: dict[str, Any]) -> None:
    # 10 read and 5 written are 15 of 65: 50 more were thought.
    reply = of(usage={"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 65, **details})
    assert (reply.output_tokens, reply.reasoning_tokens) == (55, 50)


@pytest.mark.parametrize(
    "usage",
    [None, {}, [], {"prompt_tokens": None, "completion_tokens": -1}, {"prompt_tokens": True}],
)
def test_missing_counts_are_estimated_and_marked(usage: Any) -> None:
    reply = of(usage=usage)
    # Six bytes and three bytes, three to a token.
    assert (reply.input_tokens, reply.output_tokens, reply.estimated) == (2, 1, True)


def test_an_estimate_counts_what_was_thought_and_is_never_more_than_was_asked_for() -> None:
    choices = [{"message": {"content": "six", "reasoning": "x" * 30}}]
    assert of(usage=None, choices=choices).output_tokens == 11
    assert of(usage=None, choices=[{"message": {"content": "x" * 999}}]).output_tokens == 20


def test_parts_of_a_count_are_never_more_than_the_whole() -> None:
    usage = {
        "prompt_tokens": 8,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 9},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    assert (of(usage=usage).cached_tokens, of(usage=usage).reasoning_tokens) == (8, 2)


# What is none


@pytest.mark.parametrize("choices", [None, [], {}, [None], [{}], [{"message": None}]])
def test_an_answer_without_a_message_is_none(choices: Any) -> None:
    with pytest.raises(UnreadableError, match="it holds no message"):
        of(choices=choices)


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b"5", b"\xff\xfe{"])
def test_a_body_that_is_no_answer_is_none(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read(ASKED, body)


def test_a_page_of_a_portal_is_shown_by_its_beginning() -> None:
    with pytest.raises(UnreadableError, match=r"it is no JSON .*'<html>please log in"):
        read(ASKED, b"<html>please log in" + b"x" * 10_000)


def test_an_error_under_status_200_is_told_with_the_status_that_it_names() -> None:
    with pytest.raises(UnreadableError, match="upstream is busy") as caught:
        of(choices=None, error={"message": "upstream is busy", "code": 503})
    assert caught.value.status == 503


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(content=JSON, usage=JSON, reasoning=JSON, reason=JSON)
def test_any_message_gives_a_reply(content: Any, usage: Any, reasoning: Any, reason: Any) -> None:
    message = {"content": content, "reasoning_content": reasoning}
    reply = of(choices=[{"message": message, "finish_reason": reason}], usage=usage)
    assert reply.input_tokens >= reply.cached_tokens >= 0
    assert reply.output_tokens >= reply.reasoning_tokens >= 0
