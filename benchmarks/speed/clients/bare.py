"""The openai client in a loop with a semaphore: what one writes in five minutes. Its retries are its own."""

import asyncio
from typing import Any

import openai.resources.chat
import work


async def texts(given: Any) -> list[dict[str, Any]]:
    """The rows, in the order of the items."""
    places = asyncio.Semaphore(int(given.concurrency))
    async with openai.AsyncOpenAI(base_url=given.base_url, api_key="none", timeout=given.timeout) as client:

        async def ask(content: str) -> str:
            async with places:
                reply = await client.chat.completions.create(
                    model=work.MODEL,
                    messages=[{"role": "user", "content": content}],
                    max_tokens=work.MAX_TOKENS,
                    temperature=work.TEMPERATURE,
                )
            return reply.choices[0].message.content or ""

        async def one(item: int) -> dict[str, Any]:
            asked = work.question(item)
            try:
                text = await ask(asked)
                if given.steps == 2:
                    asked = work.answer(text)
                    text = await ask(asked)
            except (openai.OpenAIError, ValueError) as error:
                return work.row(item, None, asked, str(error))
            return work.row(item, text, asked)

        return await asyncio.gather(*map(one, range(given.n)))


def main() -> None:
    given = work.arguments()
    work.measured(given.out, lambda: asyncio.run(texts(given)))


if __name__ == "__main__":
    main()
