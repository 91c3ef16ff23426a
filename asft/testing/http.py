"""As much of HTTP/1.1 as the endpoint needs, on a bare transport: streams would take half of its speed."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

MAX_HEAD = 64 * 1024
MAX_BODY = 64 * 1024 * 1024
REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    411: "Length Required",
    413: "Content Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes


class Connection(asyncio.Protocol):
    """One connection: requests are handed to `asked` one after the other, each when the last is answered.

    Whoever gets one calls `answer` or `abort` in its own time. `on_lost` is called where the other side
    goes away before.
    """

    def __init__(
        self, asked: Callable[["Connection", Asked], None], closed: Callable[["Connection"], None]
    ) -> None:
        self.on_lost: Callable[[], None] | None = None
        self._asked, self._closed = asked, closed
        self._buffer = bytearray()
        self._busy = False
        self._keep = True
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection is there."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        """asyncio: the connection is gone."""
        self._transport = None
        self._closed(self)
        lost, self.on_lost = self.on_lost, None
        if lost is not None:
            lost()

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes have come."""
        self._buffer += data
        self._read()

    def answer(self, status: int, body: bytes, headers: Mapping[str, str], pause: float = 0.0) -> None:
        """Answer the request that was handed on last; `pause` seconds in the middle of the head."""
        lines = [
            f"HTTP/1.1 {status} {REASONS[status]}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        if not self._keep:
            lines.append("Connection: close")
        whole = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        if pause:
            begun = len(lines[0]) + 10
            self._write(whole[:begun])
            asyncio.get_running_loop().call_later(pause, self._end, whole[begun:])
        else:
            self._end(whole)

    def abort(self) -> None:
        """Break the connection off."""
        self.on_lost = None
        if self._transport is not None:
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _end(self, data: bytes) -> None:
        """The last bytes of an answer; the next request may be there already."""
        self.on_lost = None
        self._write(data)
        if not self._keep:
            if self._transport is not None:
                self._transport.close()
            return
        self._busy = False
        if self._buffer:
            self._read()

    def _read(self) -> None:
        """Hand on the next request, if it is there and none is being answered."""
        if self._busy or not self._buffer or not self._keep:
            return
        if not 65 <= self._buffer[0] <= 90:
            # TLS, or something else that begins with no method; it would wait for ever for an answer.
            self._refuse(400, "this is no HTTP; is it https to an http port?")
            return
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or end > MAX_HEAD:
            if len(self._buffer) > MAX_HEAD:
                self._refuse(431, f"the head of a request may have {MAX_HEAD} bytes")
            return
        first, *rest = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = {}
        for line in rest:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        method, _, target = first.partition(" ")
        path, _, version = target.rpartition(" ")
        length = headers.get("content-length", "0")
        if not version.startswith("HTTP/1.") or not (length.isascii() and length.isdigit()):
            self._refuse(400, f"{first[:80]!r} is no request")
            return
        if "transfer-encoding" in headers:
            self._refuse(411, "send the body whole, with its Content-Length")
            return
        if int(length) > MAX_BODY:
            self._refuse(413, f"a body may have {MAX_BODY} bytes")
            return
        begins, ends = end + 4, end + 4 + int(length)
        if len(self._buffer) < ends:
            if headers.get("expect", "").lower() == "100-continue" and len(self._buffer) == begins:
                self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        body = bytes(self._buffer[begins:ends])
        del self._buffer[:ends]
        self._keep = version != "HTTP/1.0" and headers.get("connection", "").lower() != "close"
        self._busy = True
        self._asked(self, Asked(method, path.partition("?")[0], headers, body))

    def _refuse(self, status: int, message: str) -> None:
        self._keep = False
        self._buffer.clear()
        self.answer(status, b'{"error": {"message": "%s"}}' % message.replace('"', "'").encode(), {})
