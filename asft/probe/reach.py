"""Whether there is anything at an address: its name, its port, and TLS, and how long each takes."""

import asyncio
import contextlib
import os
import socket
import ssl
import time
import urllib.request
from urllib.parse import SplitResult, urlsplit

from asft.errors import FatalError
from asft.probe.findings import Finding
from asft.teachers.openai import variables

PATIENCE = 5.0
"""Seconds for each of the three."""


async def reach(base_url: str, proxy: str | None) -> Finding:
    """How long each took; `proxy` is the recipe's. Raises FatalError on the one that failed."""
    url = urlsplit(base_url)
    proxy = _proxy_of(url) if proxy is None else variables.filled(proxy, "proxy")
    at = urlsplit(proxy if "//" in proxy else f"//{proxy}") if proxy else url
    host, port = at.hostname or "", at.port or (443 if at.scheme == "https" else 80)
    told = [f"through the proxy {host}:{port}"] if proxy else []
    where = f"{host}:{port}"
    seconds = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        reason = getattr(error, "strerror", None) or "no answer"
        raise FatalError(f"the name {host} leads nowhere ({reason}); check base_url {base_url}") from None
    told.append(f"name {_milliseconds(seconds)}")
    seconds = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(str(found[0][4][0]), port)
    except TimeoutError:
        raise FatalError(
            f"{where} does not answer within {PATIENCE:g} s; is the server up, and does a firewall let you "
            f"through? Check base_url {base_url}"
        ) from None
    except OSError as error:
        raise FatalError(
            f"nothing listens at {where} ({_reason(error)}); start the server, or correct base_url {base_url}"
        ) from None
    told.append(f"connection {_milliseconds(seconds)}")
    await _close(writer)
    if url.scheme == "https" and not proxy:
        seconds = time.monotonic()
        await _shake_hands(host, port, base_url)
        told.append(f"TLS {_milliseconds(seconds)}")
    return Finding(name="reachable", verdict="yes", detail=", ".join(told))


async def speaks_tls(base_url: str) -> bool:
    """Whether a server that was taken for one without TLS has it."""
    url = urlsplit(base_url)
    anyone = ssl.create_default_context()
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(url.hostname, url.port or 80, ssl=anyone)
    except (OSError, TimeoutError):
        return False
    await _close(writer)
    return True


async def _shake_hands(host: str, port: int, base_url: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(host, port, ssl=ssl.create_default_context())
    except ssl.SSLCertVerificationError as error:
        raise FatalError(
            f"the certificate of {host}:{port} is not to be trusted ({error.verify_message}); check base_url "
            f"{base_url}, or give Python the right authority in SSL_CERT_FILE"
        ) from None
    except (OSError, TimeoutError):
        raise FatalError(
            f"{host}:{port} speaks no TLS; write base_url as http://{base_url.removeprefix('https://')}"
        ) from None
    await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _proxy_of(url: SplitResult) -> str | None:
    """The proxy that the environment names for the address; none leads from this machine to itself."""
    host = url.hostname or ""
    if host in ("localhost", "::1") or host.startswith("127.") or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(url.scheme)


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)


def _milliseconds(started: float) -> str:
    seconds = time.monotonic() - started
    return f"{1000 * seconds:.1f} ms" if seconds < 0.1 else f"{1000 * seconds:.0f} ms"
