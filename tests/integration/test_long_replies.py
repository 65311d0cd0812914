"""Replies of many megabytes: sent as fast as they are read, whole, and beside everything else."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.core.trajectory import Trajectory
from netsecgame.protocol.long_reply import PIECE_BYTES
from tests.integration.server import IDLE, QUIT, ClosedError, reset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.server import Client, Serve, Server

#: Every step reads a longer log: together far more than the system's socket buffers hold.
STEPS = 600
MIB = 1024 * 1024


async def play_long(client: Client) -> None:
    client.send(*[IDLE] * STEPS)
    for _ in range(STEPS):
        await client.raw_reply()


def check(raw: bytes) -> None:
    """A reply with the whole trajectory, and nothing else."""
    assert len(raw) > 12 * MIB
    reply = json.loads(raw)
    assert reply["status"] == "GameStatus.RESET_DONE"
    told = reply["message"]["last_trajectory"]
    assert "is_cut" not in told
    assert told["trajectory"]["actions"] == [IDLE] * STEPS
    assert len(told["trajectory"]["states"]) == STEPS + 1
    assert told["trajectory"]["states"][-1]["known_data"] != {}


def connection_of(server: Server, client: Client) -> Any:
    return server.world._agent_server._connections[client.peer]


async def ask_and_do_not_read(server: Server, reader: Client, *others: Client) -> None:
    """Have a long reply on its way to somebody who does not read it."""
    reader.transport.pause_reading()
    reader.send(reset(request_trajectory=True))
    for other in others:
        assert (await other.ask(reset()))["status"] == "GameStatus.RESET_DONE"
    await server.settle()
    for _ in range(300):  # as many pieces would be sent if nothing held them back
        await server.settle()


async def test_long_reply_to_a_peer_that_does_not_read_waits_and_others_play_on(
    serve: Serve,
) -> None:
    server = await serve()
    reader, other = await server.join(), await server.join()
    await play_long(reader)
    await ask_and_do_not_read(server, reader, other)

    connection = connection_of(server, reader)
    assert connection._pieces is not None
    assert connection._transport.get_write_buffer_size() < MIB
    for _ in range(10):
        assert (await other.ask(IDLE))["status"] == "GameStatus.OK"

    reader.transport.resume_reading()
    check(await reader.raw_reply())
    assert connection._pieces is None
    assert (await reader.ask(IDLE))["status"] == "GameStatus.OK"


async def test_messages_behind_a_long_reply_are_answered_after_it(serve: Serve) -> None:
    server = await serve()
    client = await server.join()
    await play_long(client)

    client.send(reset(request_trajectory=True), IDLE, QUIT)

    check(await client.raw_reply())
    replies = await client.all_replies()
    assert [reply["observation"] is None for reply in replies] == [False, True]


async def test_peer_that_ends_its_input_gets_the_long_reply_it_asked_for(serve: Serve) -> None:
    server = await serve()
    client = await server.join()
    await play_long(client)

    client.send(reset(request_trajectory=True))
    client.end_input()

    await client.wait_until_ended()
    check(await client.raw_reply())
    assert client.received == b""
    await server.settle()
    assert server.world.agents == {}


async def test_peer_that_drops_in_the_middle_of_a_long_reply_is_forgotten(serve: Serve) -> None:
    server = await serve()
    reader, other = await server.join(), await server.join()
    await play_long(reader)
    await ask_and_do_not_read(server, reader, other)
    connection = connection_of(server, reader)

    reader.drop()
    await server.settle()

    assert connection._pieces is None
    assert list(server.world.agents) == [other.peer]
    assert (await other.ask(reset()))["status"] == "GameStatus.RESET_DONE"


async def test_server_that_stops_in_the_middle_of_a_long_reply_puts_nothing_into_it(
    serve: Serve,
) -> None:
    server = await serve()
    reader = await server.join()
    await play_long(reader)
    await ask_and_do_not_read(server, reader)

    server.world.shutdown_flag.set()
    reader.transport.resume_reading()
    await reader.wait_until_ended()
    await server.stop()

    assert b"shutting down" not in reader.received
    assert not reader.has_reply


async def test_long_reply_gives_everybody_a_turn_between_two_pieces(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = 0
    turns = []

    def pieces(*_: object) -> Iterator[bytes]:
        for number in range(50):
            turns.append(turn)
            yield b'%s"%s"' % (b"," if number else b"[", b"x" * PIECE_BYTES)
        yield b"]"

    async def count_turns() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(Trajectory, "json_pieces", pieces)
    server = await serve()
    client = await server.join()
    counting = asyncio.create_task(count_turns())

    told = (await client.ask(reset(request_trajectory=True)))["message"]["last_trajectory"]

    counting.cancel()
    assert told == ["x" * PIECE_BYTES] * 50
    assert len(set(turns)) == 50


async def test_long_reply_that_cannot_be_made_ends_its_connection_only(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Iterator[bytes]:
        yield b"[1"
        raise RuntimeError("broken")

    monkeypatch.setattr(Trajectory, "json_pieces", broken)
    server = await serve()
    asks, other = await server.join(), await server.join()
    asks.send(reset(request_trajectory=True))
    other.send(reset())

    with pytest.raises(ClosedError):
        await asks.reply()

    assert (await other.reply())["status"] == "GameStatus.RESET_DONE"
    assert (await other.ask(IDLE))["status"] == "GameStatus.OK"
    assert "could not make a long reply" in server.errors[0]
    server.errors.clear()
