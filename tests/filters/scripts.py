"""A filter's script, driven by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from asft.types import Finish, Reply, Request, Script, Verdict


def said(text: str, finish: Finish = "stop") -> Reply:
    return Reply(text=text, finish=finish, input_tokens=1, output_tokens=1)


@dataclass
class Driven:
    """Sends replies in order, and keeps what was asked for."""

    replies: Sequence[Reply | str] = ()
    asked: list[Request] = field(default_factory=list)

    def decide(self, given: Verdict | Script[Verdict]) -> Verdict:
        """The verdict, or that of a script that asks for no more than there are replies."""
        if isinstance(given, Verdict):
            return given
        left = iter(self.replies)
        try:
            requests = next(given)
            while True:
                self.asked += requests
                texts = [next(left) for _ in requests]
                requests = given.send([one if isinstance(one, Reply) else said(one) for one in texts])
        except StopIteration as end:
            verdict: Verdict = end.value
            return verdict


def decided(given: Verdict | Script[Verdict], *replies: Reply | str) -> Verdict:
    return Driven(replies).decide(given)
