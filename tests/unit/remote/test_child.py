from __future__ import annotations

import socket
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import gymnasium
import pytest

from netsecgame.remote import messages
from netsecgame.remote.child import LENGTH, ChildSettings, main, pack_settings, receive
from netsecgame.remote.messages import parse_response
from netsecgame.remote.session import SessionOptions

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, two = socket.socketpair()
    with one, two:
        yield one, two


def _make(_: Any) -> gymnasium.Env[Any, Any]:
    return gymnasium.make("CartPole-v1")


@pytest.mark.parametrize("length", [0, 1, 100, 65_531, 65_532, 65_533, 1_000_000])
@pytest.mark.parametrize("piece", [3, 4, 5, 10_000_000])
def test_receive_message_in_pieces_is_whole(
    pair: tuple[socket.socket, socket.socket], length: int, piece: int
) -> None:
    if length > 100 and piece < 10:
        piece *= 10_000
    message = bytes(i % 251 for i in range(length))
    data = LENGTH.pack(length) + message

    def send() -> None:
        for start in range(0, len(data), piece):
            pair[0].sendall(data[start : start + piece])

    sender = threading.Thread(target=send)
    sender.start()
    received = receive(pair[1])
    sender.join()

    assert received == message


@pytest.mark.parametrize("data", [b"", b"\x05", b"\x05\x00\x00\x00", b"\x05\x00\x00\x00abc"])
def test_receive_connection_ends_early_none(
    pair: tuple[socket.socket, socket.socket], data: bytes
) -> None:
    pair[0].sendall(data)
    pair[0].close()

    assert receive(pair[1]) is None


def test_main_settings_and_request_at_once_are_taken_apart(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    request = messages.leave_world()
    settings = ChildSettings(list(sys.path), _make, SessionOptions())
    ours.sendall(pack_settings(settings) + LENGTH.pack(len(request)) + request)
    running = threading.Thread(target=partial(main, theirs))
    running.start()
    try:
        answer = receive(ours)
    finally:
        ours.close()
        running.join()

    assert answer is not None
    assert parse_response(answer).WhichOneof("payload") == "leave_world"


def test_main_never_used_ends(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].close()
    main(pair[1])
