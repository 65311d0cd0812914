"""What the process of an environment does: answer requests until its connection ends.

A message on the connection is its length, an unsigned 32-bit little-endian number, and as many
bytes. The first one says how to make environments; each further one is a request, and is answered.
"""

from __future__ import annotations

import contextlib
import pickle
import struct
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from netsecgame.remote.session import Session

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from netsecgame.remote.session import SessionOptions
    from netsecgame.remote.settings import WorldArgs

#: The length in front of a message.
LENGTH: Final = struct.Struct("<I")

#: What one read takes at most: all of most messages.
_READ_BYTES = 65_536


class ChildSettings(NamedTuple):
    """What the first message says; pickled, for it comes from the process that started this one.

    Attributes:
        path: Where modules are found.
        maker: Makes environments.
        options: Of the session.
    """

    path: list[str]
    maker: Callable[[WorldArgs], Any]
    options: SessionOptions


def main(connection: socket.socket) -> None:
    """Answer requests until the connection ends, which is what happens if the server dies."""
    # A request may follow at once, so no byte more than the first message is read.
    first = _receive_rest(connection, connection.recv(LENGTH.size))
    if first is None:
        return  # it was kept ready and never used
    # Python sees to its own generator after a fork, numpy does not.
    np.random.seed()
    settings = _read_settings(first)
    session = Session(settings.maker, settings.options)
    try:
        with contextlib.suppress(ConnectionError):
            while (request := receive(connection)) is not None:
                answer = session.handle(request)
                connection.sendall(LENGTH.pack(len(answer)) + answer)
    finally:
        session.close()


def receive(connection: socket.socket) -> bytes | None:
    """The next message; None when the connection has ended."""
    # The server sends a request only when it has the answer to the one before.
    data = connection.recv(_READ_BYTES)
    if len(data) >= LENGTH.size:
        (length,) = LENGTH.unpack_from(data)
        if len(data) == LENGTH.size + length:
            return data[LENGTH.size :]
    return _receive_rest(connection, data)


def _receive_rest(connection: socket.socket, begun: bytes) -> bytes | None:
    """The message that begins with these bytes; None if the connection ends before it does."""
    if not begun:
        return None
    head = _receive_exactly(connection, LENGTH.size, begun[: LENGTH.size])
    if head is None:
        return None
    (length,) = LENGTH.unpack(head)
    return _receive_exactly(connection, length, begun[LENGTH.size :])


def _receive_exactly(connection: socket.socket, length: int, begun: bytes = b"") -> bytes | None:
    message = bytearray(length)
    view = memoryview(message)
    filled = len(begun)
    view[:filled] = begun
    while filled < length:
        count = connection.recv_into(view[filled:])
        if not count:
            return None
        filled += count
    return bytes(message)


def _read_settings(message: bytes) -> ChildSettings:
    path, rest = pickle.loads(message)
    sys.path[:] = path  # before what may lie there is looked for
    maker, options = pickle.loads(rest)
    return ChildSettings(path, maker, options)


def pack_settings(settings: ChildSettings) -> bytes:
    """The first message, with its length."""
    message = pickle.dumps((settings.path, pickle.dumps((settings.maker, settings.options))))
    return LENGTH.pack(len(message)) + message
