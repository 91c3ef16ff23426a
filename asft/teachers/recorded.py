"""`recorded`: replies that were given before, out of a journal or a file of conversations; no call is made.

A run through it is repeated without an endpoint: for trying filters and training, and for showing others what
was done. It costs what it cost then.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from asft.budget import ActiveParams, Prices, estimated_tokens
from asft.errors import DataError, RequestError
from asft.journal import Reading, of_run
from asft.registry import plugin
from asft.types import Reply, Request, Sampling

ROLES = ("system", "user", "assistant")
_REPLY = TypeAdapter(Reply)
_TOLD = tuple(field.name for field in fields(Reply) if field.name != "limits")
"""What a file may say of a reply."""


@plugin
class Recorded:
    """Replies that were recorded before: those of a journal, or of conversations in JSON lines."""

    path: str
    """A run directory, a journal, or a file of JSON lines. A line is as `asft journal export` writes it, or
    {"messages": [{"role": ..., "content": ...}, ...], "reply": "..."}, where "completion" is as good a name,
    and the last message is the reply where there is neither. A reply may also be an object with `text` and
    what else is known: finish, input_tokens, output_tokens, cost_usd, ... `sampling`, `seed`, `draw` and
    `index` may stand beside it; lines with the same messages that do not say so are index 0, 1, 2, ...

    A request is answered by the line with the same messages, sampling, seed, draw and index; or else the
    same but for the seed; or else with the same messages, draw and index. The first such line counts.
    """
    run: str | None = None
    """Whose replies, in a journal that several runs share; None: all of a file, or those of the directory."""
    prices: Prices | None = None
    """US dollars per million tokens, for what a line says no cost of; None: unknown."""
    active_params: ActiveParams | None = None
    """Parameters that were active for a token, such as 7.6e9; None: unknown."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """What the journal knows it by: what it holds, and not where it lies."""
        return {"plugin": "recorded", "replies": self._replies.digest}

    def check(self) -> str:
        """How much it holds. Raises DataError or JournalError where it cannot be read."""
        return f"{self._replies.count} replies of {self.path}"

    async def reply(self, request: Request) -> Reply:
        """The recorded reply. Raises RequestError where there is none, or where it was refused then too."""
        found = next((found for key in _keys(request) if (found := self._replies.by_key.get(key))), None)
        if found is None:
            raise RequestError(f"{self.path} holds no reply to this request")
        if isinstance(found, str):
            raise RequestError(found)
        if found.output_tokens > request.sampling.max_tokens:
            raise RequestError(
                f"the reply in {self.path} has {found.output_tokens} tokens, and this request asks for "
                f"{request.sampling.max_tokens} at most"
            )
        if found.cost_usd is None and self.prices is not None:
            return replace(found, cost_usd=self.prices.of(found))
        return found

    @cached_property
    def _replies(self) -> "_Replies":
        path = Path(self.path).expanduser()
        if not path.exists():
            raise DataError(f"there is no {path}; name a run directory, a journal, or a file of JSON lines")
        lines = _of_journal(path, self.run) if path.is_dir() or _is_journal(path) else _of_file(path)
        replies = _Replies()
        for line in lines:
            replies.add(line)
        if not replies.count:
            raise DataError(f"{path} holds no replies")
        return replies


@dataclass(frozen=True, kw_only=True)
class _Line:
    """A request with what came of it."""

    messages: list[list[str]]
    sampling: Mapping[str, Any]
    seed: int
    draw: int
    index: int | None
    """None: the next of those with the same messages."""
    reply: Reply | str
    """A text is why it was refused."""


class _Replies:
    """The lines of a source, found by what a request has in common with theirs."""

    def __init__(self) -> None:
        self.by_key: dict[bytes, Reply | str] = {}
        self.count = 0
        self._seen: dict[bytes, int] = {}
        self._digest = hashlib.blake2b(digest_size=16)

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def add(self, line: _Line) -> None:
        index = line.index
        if index is None:
            same = _digest(line.messages)
            index = self._seen.get(same, 0)
            self._seen[same] = index + 1
        keys = _levels(line.messages, line.sampling, line.seed, line.draw, index)
        for key in keys:
            self.by_key.setdefault(key, line.reply)
        self.count += 1
        self._digest.update(keys[0] + repr(line.reply).encode("utf-8", "surrogatepass"))


def _keys(request: Request) -> list[bytes]:
    messages = [[message.role, message.content] for message in request.messages]
    return _levels(messages, asdict(request.sampling), request.seed, request.draw, request.index)


def _levels(
    messages: list[list[str]], sampling: Mapping[str, Any], seed: int, draw: int, index: int
) -> list[bytes]:
    """What a request is looked for by, the most particular first."""
    place = [draw, index]
    levels = [[messages, sampling, seed, place], [messages, sampling, place], [messages, place]]
    return [_digest(level) for level in levels]


def _digest(value: Any) -> bytes:
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode("ascii"), digest_size=16).digest()


# Where lines are from


def _is_journal(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(15) == b"SQLite format 3"


def _of_journal(path: Path, run: str | None) -> Iterator[_Line]:
    file, own = of_run(path)
    with Reading(file) as journal:
        for stored in journal.replies(run or own):
            asked = json.loads(stored.request)
            yield _line(asked, asked["messages"], stored.reply or stored.refusal or "refused")


def _of_file(path: Path) -> Iterator[_Line]:
    with path.open(encoding="utf-8") as file:
        try:
            for number, text in enumerate(file, 1):
                if text.strip():
                    yield _read(text, f"{path}, line {number}")
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is neither a journal nor UTF-8 text: {error}") from None


def _read(text: str, where: str) -> _Line:
    """A line of a file. Raises DataError, which says where it is."""
    try:
        row = json.loads(text)
        if not isinstance(row, dict):
            raise ValueError("an object is wanted")
        return _exported(row) if "request" in row else _conversation(row)
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None


def _exported(row: Mapping[str, Any]) -> _Line:
    """A line of `asft journal export`."""
    asked = row["request"]
    if not isinstance(asked, dict):
        raise ValueError("`request` must be an object")
    messages = _messages(asked.get("messages"))
    if row.get("reply") is None:
        return _line(asked, messages, str(row.get("refusal") or "refused"))
    return _line(asked, messages, _reply(row["reply"], messages))


def _conversation(row: Mapping[str, Any]) -> _Line:
    messages = _messages(row.get("messages"))
    said = row.get("reply", row.get("completion"))
    if said is None and messages[-1][0] == "assistant":
        [*messages, (_, said)] = messages
    if said is None:
        raise ValueError("there is no reply; give it as `reply`, a text or an object with `text`")
    return _line(row, messages, _reply(said, messages))


def _messages(given: Any) -> list[list[str]]:
    """Role and content of each, as objects or, as in a journal, as pairs."""
    pairs = []
    for one in given if isinstance(given, list) else []:
        pair = [one.get("role"), one.get("content")] if isinstance(one, dict) else one
        if not (isinstance(pair, list) and len(pair) == 2 and pair[0] in ROLES and isinstance(pair[1], str)):
            raise ValueError(f"a message needs a role ({', '.join(ROLES)}) and a text: {json.dumps(one):.80}")
        pairs.append(pair)
    if not pairs:
        raise ValueError("`messages` must be a list with at least one message")
    return pairs


def _reply(said: Any, messages: list[list[str]]) -> Reply:
    """A reply, with estimates for what is not told of its tokens."""
    told = {"text": said} if isinstance(said, str) else said
    if not isinstance(told, dict) or not isinstance(told.get("text"), str):
        raise ValueError(f"a reply is a text, or an object with `text`: {json.dumps(said):.80}")
    unknown = sorted(set(told) - set(_TOLD))
    if unknown:
        raise ValueError(f"unknown in a reply: {', '.join(unknown)}; known: {', '.join(_TOLD)}")
    counts = {
        "input_tokens": estimated_tokens(content for _, content in messages),
        "output_tokens": estimated_tokens([told["text"]]),
    }
    values = {"finish": "stop", **counts, "estimated": not set(counts) <= set(told), **told}
    return _REPLY.validate_python(values)


def _line(asked: Mapping[str, Any], messages: list[list[str]], reply: Reply | str) -> _Line:
    values = {name: asked[name] for name in ("seed", "draw", "index") if asked.get(name) is not None}
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{name} = {value!r} must be a whole number")
    sampling = asked.get("sampling") or {}
    if not isinstance(sampling, dict):
        raise ValueError(f"sampling = {sampling!r} must be an object")
    return _Line(
        messages=messages,
        sampling={**asdict(Sampling()), **sampling},
        seed=values.get("seed", 0),
        draw=values.get("draw", 0),
        index=values.get("index"),
        reply=reply,
    )
