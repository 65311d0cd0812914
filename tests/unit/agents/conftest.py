from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.game_components import IP, GameState, GameStatus, Network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


def _reply(
    status: GameStatus,
    state: GameState | None,
    reward: float = 0,
    end: bool = False,
    info: dict[str, Any] | None = None,
    **extra: Any,
) -> bytes:
    observation = state and {
        "state": state.as_dict,
        "reward": reward,
        "end": end,
        "info": info or {},
    }
    body = {
        "to_agent": ["127.0.0.1", 1],
        "status": str(status),
        "observation": observation,
        **extra,
    }
    return json.dumps(body).encode() + b"EOF"


Answer = bytes | list[bytes] | None


class Peer:
    """A server on a real socket, in a thread of its own, that answers from a script.

    One item of the script for each message: bytes are sent, bytes in a list are sent one by one;
    None closes the connection; a function is called for one of these. Whoever sends more messages
    than there are items is left waiting. Serves one connection after the other.
    """

    def __init__(
        self, script: Iterable[Answer | Callable[[], Answer]], greeting: bytes = b""
    ) -> None:
        self.requests: list[Any] = []
        self.asked = threading.Event()
        self.disconnected = threading.Event()
        self._script = deque(script)
        self._greeting = greeting
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # `close` ends accept
            while True:
                self._connection, _ = self._server.accept()
                with self._connection, contextlib.suppress(ConnectionError):
                    self._talk(self._connection)
                self.disconnected.set()

    def _talk(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._greeting:
            connection.sendall(self._greeting)
            return
        text = ""
        while data := connection.recv(4096):
            text += data.decode()
            try:
                request, end = json.JSONDecoder().raw_decode(text)
            except ValueError:
                continue
            text = text[end:]
            self.requests.append(request)
            self.asked.set()
            answer = self._script.popleft() if self._script else b""
            if callable(answer):
                answer = answer()
            if answer is None:
                return
            for piece in [answer] if isinstance(answer, bytes) else answer:
                connection.sendall(piece)

    def close(self) -> None:
        for end in (self._server, self._connection):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()


@pytest.fixture
def start() -> GameState:
    host = IP("192.168.1.2")
    return GameState({host}, {host}, known_networks={Network("192.168.1.0", 24)})


@pytest.fixture
def reply(start: GameState) -> Callable[..., bytes]:
    """Makes a server's reply in wire form; with the state `start`, unless told otherwise."""

    def make(status: GameStatus, state: GameState | None = start, **rest: Any) -> bytes:
        return _reply(status, state, **rest)

    return make


@pytest.fixture
def new_peer() -> Iterator[Callable[..., Peer]]:
    """Starts a `Peer` with the given script."""
    peers: list[Peer] = []

    def new(*script: Answer | Callable[[], Answer], greeting: bytes = b"") -> Peer:
        peers.append(Peer(script, greeting))
        return peers[-1]

    yield new
    for peer in peers:
        peer.close()
