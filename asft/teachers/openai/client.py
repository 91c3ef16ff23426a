"""Makes the client: proxies, timeouts, and connections in several pools."""

from typing import Any
from urllib.request import getproxies

import httpx2

POOLS = 16
"""A pool looks at each of its connections at every call; in smaller ones there is less to look at."""


class Spread(httpx2.AsyncBaseTransport):
    """Several pools of connections; a call goes to the one with the fewest calls."""

    def __init__(self, **options: Any) -> None:
        """`options` are those of each pool."""
        self._pools = [httpx2.AsyncHTTPTransport(**options) for _ in range(POOLS)]
        self._calls = [0] * POOLS

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request."""
        least = self._calls.index(min(self._calls))
        self._calls[least] += 1
        try:
            return await self._pools[least].handle_async_request(request)
        finally:
            self._calls[least] -= 1

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools:
            await pool.aclose()


def http_client(
    timeout: httpx2.Timeout, *, scheme: str, proxy: str | None, local: bool
) -> httpx2.AsyncClient:
    """A client for very many calls at once. `local`: no proxy leads from this machine to itself."""
    import openai

    options: dict[str, Any] = {
        "verify": httpx2.create_ssl_context(),
        "trust_env": not local,
        # How many calls are made at once is for others to say.
        "limits": httpx2.Limits(max_connections=None, max_keepalive_connections=None),
    }
    if proxy is not None:
        return openai.DefaultAsyncHttpxClient(timeout=timeout, proxy=proxy, **options)
    if not local and {scheme, "all"} & set(getproxies()):
        # The client knows which hosts the environment leaves out.
        return openai.DefaultAsyncHttpxClient(timeout=timeout, **options)
    return openai.DefaultAsyncHttpxClient(timeout=timeout, transport=Spread(**options), **options)
