"""Messages between the loop and the first process of a group: JSON, one to a line, over a local socket."""

import json
import os
import select
import socket
import tempfile
from pathlib import Path
from typing import Any

VARIABLE = "ASFT_WORKERS"
"""The variable that names the socket, for the processes that the loop starts."""


class Wire:
    """One end of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._read = b""

    def send(self, message: Any) -> None:
        """Raises OSError where the other end is gone."""
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, within: float | None = None) -> Any:
        """The next message. Raises TimeoutError after so many seconds, EOFError where nobody is there."""
        while b"\n" not in self._read:
            if not select.select([self._connection], [], [], within)[0]:
                raise TimeoutError
            try:
                more = self._connection.recv(1 << 16)
            except ConnectionError:
                more = b""
            if not more:
                raise EOFError
            self._read += more
        line, _, self._read = self._read.partition(b"\n")
        return json.loads(line)

    def close(self) -> None:
        """The other end gets EOFError."""
        self._connection.close()


class Door:
    """Where the loop waits for its group to connect; only this user may."""

    def __init__(self) -> None:
        # Its name has to be short: the path of a socket has 107 bytes at most.
        self._folder = Path(tempfile.mkdtemp(prefix="asft-"))
        self.path = self._folder / "w"
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(self.path))
        self._socket.listen(1)

    def wait(self, within: float) -> Wire:
        """Raises TimeoutError after so many seconds."""
        if not select.select([self._socket], [], [], within)[0]:
            raise TimeoutError
        connection, _ = self._socket.accept()
        return Wire(connection)

    def close(self) -> None:
        """Nobody can connect any more."""
        self._socket.close()
        self.path.unlink(missing_ok=True)
        self._folder.rmdir()


def to_loop() -> Wire:
    """The end of the group's first process. Raises KeyError where no loop has started it."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.environ[VARIABLE])
    return Wire(connection)
