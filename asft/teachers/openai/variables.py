"""Secrets by name: a recipe says ${NAME}, and the value comes from the environment.

A recipe is copied into the run directory as it is, so what it holds is in no way secret.
"""

import os
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from asft.errors import FatalError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def names(text: str) -> list[str]:
    """The variables that a text names."""
    return _VARIABLE.findall(text)


def filled(text: str, where: str) -> str:
    """The text with the values of its variables. Raises FatalError for one that is not set."""

    def value(found: re.Match[str]) -> str:
        held = held_by(found[1])
        if not held:
            raise FatalError(
                f"{where} names the environment variable {found[1]}, which is not set; export {found[1]}=..."
            )
        return held

    return _VARIABLE.sub(value, text)


def held_by(name: str) -> str:
    """What the environment holds under a name; empty where it has none."""
    return os.environ.get(name, "").strip()


def hidden(text: str, secrets: Iterable[str]) -> str:
    """The text on one line, not endless, and without these secrets: some endpoints repeat the key."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    text = " ".join(text.split())
    return text if len(text) <= 300 else text[:297] + "..."


def passwords_of_proxies() -> list[str]:
    """Those of the environment's proxies."""
    urls = [urlsplit(os.environ.get(name) or os.environ.get(name.upper(), "")) for name in _PROXIES]
    return [url.password for url in urls if url.password]
