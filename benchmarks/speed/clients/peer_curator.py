"""curator 0.1.31: one or two LLM blocks with its openai backend, in a fresh working directory.

"shipped" leaves its limits of 200 requests and 100 000 tokens a minute; "tuned" raises them until they bind
nothing, and has the concurrency and the timeout of all others. Both take what is there where some rows fail.
"""

import importlib.util
import os
from pathlib import Path
from typing import Any

import work

# It fetches the table of a tokenizer when it starts; litellm, which it installs, holds the same file.
_found = importlib.util.find_spec("litellm")
if _found is not None and _found.origin is not None:
    tables = Path(_found.origin).parent / "litellm_core_utils" / "tokenizers"
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(tables))

from bespokelabs import curator  # noqa: E402


class Texts(curator.LLM):
    """One text for each row."""

    def prompt(self, input: dict[str, Any]) -> str:
        return input["asked"]

    def parse(self, input: dict[str, Any], response: str) -> dict[str, Any]:
        return {"item": input["item"], "asked": input["asked"], "text": response}


def texts(given: Any) -> list[dict[str, Any]]:
    """The rows, in the order in which they come out."""
    params: dict[str, Any] = {"base_url": given.base_url, "require_all_responses": False}
    if given.setting == "tuned":
        params |= {
            "max_requests_per_minute": 10_000_000,
            "max_tokens_per_minute": 100_000_000_000,
            "max_concurrent_requests": int(given.concurrency),
            "request_timeout": int(given.timeout),
        }
    rows = [{"item": item, "asked": work.question(item)} for item in range(given.n)]
    for step in range(given.steps):
        if step:
            rows = [{"item": row["item"], "asked": work.answer(row["text"])} for row in rows]
        llm = Texts(
            model_name=work.MODEL,
            backend="openai",
            backend_params=params,
            generation_params={"temperature": work.TEMPERATURE, "max_tokens": work.MAX_TOKENS},
        )
        made = llm(rows, working_dir=str(given.out / f"work-{step}"))
        rows = list(made.dataset)
    return [work.row(row["item"], row["text"], row["asked"]) for row in rows]


def main() -> None:
    given = work.arguments()
    work.measured(given.out, lambda: texts(given))


if __name__ == "__main__":
    main()
