"""What the endpoint says to messages, and chance that depends on them alone."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

Messages = Sequence[Mapping[str, Any]]
"""As a chat completion request has them: {"role": ..., "content": text or parts}."""

CONSONANTS, VOWELS = "bdfghjklmnprstvz", "aiou"


def digest(messages: Messages) -> bytes:
    """What the endpoint knows messages by: their roles and texts, and nothing else of a request."""
    made = hashlib.blake2b(digest_size=16)
    for message in messages:
        for part in (str(message.get("role")), text_of(message)):
            data = part.encode("utf-8", "surrogatepass")
            made.update(len(data).to_bytes(4, "big") + data)
    return made.digest()


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message, parts joined."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""


def said(messages: Messages) -> str:
    """What the endpoint says to these messages, unless it is given a `content` of its own."""
    known_by = digest(messages)
    drawn = hashlib.blake2b(b"words", key=known_by, digest_size=60).digest()
    syllables = [CONSONANTS[byte & 15] + VOWELS[byte >> 6] for byte in drawn]
    words = ["".join(syllables[start : start + 3]) for start in range(0, len(syllables), 3)]
    return f"Reply {known_by.hex()[:12]}: {' '.join(words)}."


def uniform(known_by: bytes, what: str) -> float:
    """A number between 0 and 1, neither included, drawn from a digest for one use."""
    drawn = hashlib.blake2b(what.encode(), key=known_by, digest_size=8).digest()
    return ((int.from_bytes(drawn, "big") >> 12) + 0.5) * 2.0**-52
