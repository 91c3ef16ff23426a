"""What writers make of replies: a draft with an example, or one that says in a word why it has none."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from asft.errors import RequestError
from asft.types import Context, Draft, Example, Pick, Reply, Request, Script, Task
from asft.writers.reading import read_answer, says_that_it_cannot

T = TypeVar("T")


class NoDraftError(Exception):
    """Why there is no draft: a word of `REASONS`, and a detail."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.may_be_asked_again = reason not in ("teacher cannot", "no solution")


def read_or_ask_again(reply: Reply, read: Callable[[Reply], T], again: Iterator[Request]) -> Script[T]:
    """What `read` makes of the reply, or of the first later one that can be read."""
    while True:
        try:
            return read(reply)
        except NoDraftError as unread:
            request = next(again, None) if unread.may_be_asked_again else None
            if request is None:
                raise
        [reply] = yield [request]


def whole_text(reply: Reply) -> str:
    """The text of a reply that came to its end and is no apology; hidden reasoning that shows is left out."""
    if reply.finish == "length":
        raise NoDraftError("cut off", f"after {reply.output_tokens} tokens")
    text = reply.text.rpartition("</think>")[2].strip()
    if says_that_it_cannot(text):
        raise NoDraftError("teacher cannot", shown(text))
    return text


def worked_answer(text: str, question: str, seed: Example, task: Task) -> tuple[str, str]:
    """A worked answer and the final answer in it."""
    completion = read_answer(text)
    if completion is None:
        raise NoDraftError("no answer", shown(text))
    # A task may read from the question what an answer can be: the choices that it names.
    answer = _final(completion, replace(seed, prompt=question), task)
    if answer is None:
        raise NoDraftError("no final answer", shown(completion[-80:]))
    return completion, answer


def _final(text: str, asked: Example, task: Task) -> str | None:
    """The final answer, found as the task finds it; what stands last in a text without a mark is none.

    A student is given credit for that number or word. In a teacher's answer it may be anything, and it would
    be trained on.
    """
    grade = task.grade(asked, text)
    unmarked = grade.note.startswith("last ")
    return None if grade.extracted is None or unmarked else grade.extracted.strip() or None


def vote_of(reply: Reply, question: str, seed: Example, task: Task) -> str | None:
    try:
        return worked_answer(whole_text(reply), question, seed, task)[1]
    except NoDraftError:
        return None


def with_example(
    pick: Pick,
    context: Context,
    question: str,
    completion: str,
    answer: str,
    *,
    votes: tuple[str | None, ...] = (),
    beside: Sequence[Example] = (),
) -> Draft:
    """The draft of a pick; `beside` are the examples that were shown with it."""
    example = Example.make(
        task=pick.example.task,
        prompt=question,
        answer=answer,
        completion=completion,
        parents=(pick.example.id, *(example.id for example in beside)),
        round=context.round,
    )
    return Draft(number=pick.number, example=example, votes=votes)


def without_example(pick: Pick, error: NoDraftError | RequestError) -> Draft:
    reason = str(error) if isinstance(error, NoDraftError) else f"refused: {shown(str(error), 200)}"
    return Draft(number=pick.number, example=None, reason=reason)


def shown(text: str, most: int = 80) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= most else line[: most - 3] + "...")
