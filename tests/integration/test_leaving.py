"""Quitting, hanging up, and hanging up halfway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.server import (
    IDLE,
    NONSENSE,
    QUIT,
    WIN,
    ClosedError,
    join,
    make_task,
    reset,
)

if TYPE_CHECKING:
    from tests.integration.server import Serve


async def test_quit_is_answered_and_the_server_closes(serve: Serve) -> None:
    server = await serve()
    client = await server.join()

    farewell = await client.ask(QUIT)

    assert farewell["to_agent"] == client.address
    assert farewell["status"] == "GameStatus.OK"
    assert farewell["observation"] is None
    assert isinstance(farewell["message"]["message"], str)
    with pytest.raises(ClosedError):
        await client.reply()
    assert server.world.agents == {}


async def test_messages_behind_a_quit_are_not_answered(serve: Serve) -> None:
    server = await serve()
    client = await server.join()

    client.send(IDLE, QUIT, IDLE, NONSENSE)

    assert (await client.reply())["observation"] is not None
    assert (await client.reply())["observation"] is None
    with pytest.raises(ClosedError):
        await client.reply()


async def test_agent_that_quit_can_come_back(serve: Serve) -> None:
    server = await serve()
    for _ in range(3):
        client = await server.join()
        assert (await client.ask(WIN))["observation"]["end"]
        await client.ask(QUIT)


async def test_drop_frees_the_slot_of_an_agent_whatever_it_was_doing(serve: Serve) -> None:
    server = await serve()
    keeps = await server.join()
    idle, in_mid_message, finished, resetting = [await server.join() for _ in range(4)]
    stranger = await server.connect()
    in_mid_message.send(b'{"action_type"')
    finished.send(WIN)
    resetting.send(reset())
    stranger.send(NONSENSE, b"[[[")
    await server.settle()
    assert list(server.world.agents) == [
        c.peer for c in (keeps, idle, in_mid_message, finished, resetting)
    ]

    for client in (idle, in_mid_message, finished, resetting, stranger):
        client.drop()
    await server.settle()

    assert list(server.world.agents) == [keeps.peer]
    assert (await keeps.ask(reset()))["status"] == "GameStatus.RESET_DONE"
    assert (await keeps.ask(WIN))["observation"]["end"]


async def test_half_closed_peer_gets_the_answers_to_all_it_has_sent(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()

    client.send(join(), *[IDLE] * 50, NONSENSE, WIN, b'{"action_type": "Que')
    client.end_input()

    statuses = [(await client.reply())["status"] for _ in range(53)]
    assert statuses == [
        "GameStatus.CREATED",
        *["GameStatus.OK"] * 50,
        "GameStatus.BAD_REQUEST",
        "GameStatus.OK",
    ]
    with pytest.raises(ClosedError):
        await client.reply()
    await server.settle()
    assert server.world.agents == {}


@pytest.mark.parametrize("waits_for", ["start", "reset", "final reward"])
async def test_half_closed_peer_does_not_wait_for_others(serve: Serve, waits_for: str) -> None:
    required = 2 if waits_for == "start" else 1
    server = await serve(make_task(required_players=required))
    client = await server.connect()
    if waits_for != "start":
        await server.join()
    last = {"start": join(), "reset": reset(), "final reward": WIN}[waits_for]
    before = [] if waits_for == "start" else [join()]

    client.send(*before, last, IDLE, IDLE)
    client.end_input()

    for _ in before:
        assert (await client.reply())["status"] == "GameStatus.CREATED"
    farewell = await client.reply()
    assert (farewell["status"], farewell["observation"]) == ("GameStatus.OK", None)
    with pytest.raises(ClosedError):
        await client.reply()
    assert client.peer not in server.world.agents


async def test_half_closed_peer_that_waits_already_leaves_at_once(serve: Serve) -> None:
    server = await serve(make_task(required_players=2))
    client = await server.join_later()

    client.end_input()

    assert all(reply["observation"] is None for reply in await client.all_replies())
    await server.settle()
    assert server.world.agents == {}


async def test_peer_that_says_nothing_and_hangs_up_leaves_no_trace(serve: Serve) -> None:
    server = await serve(max_connections=3)
    await server.settle()
    for _ in range(20):
        clients = [await server.connect() for _ in range(2)]
        clients[0].drop()
        clients[1].end_input()
        await clients[1].wait_until_ended()
        await server.settle()

    assert server.world._agent_server.current_connections == 1
    assert len(server.world._agent_response_queues) == 1


async def test_peer_that_does_not_wait_for_its_farewell_does_no_harm(serve: Serve) -> None:
    server = await serve()
    other = await server.join()
    for last in (QUIT, b"[" * 100):
        for _ in range(10):
            client = await server.join()
            client.send(last)
            client.drop()
            await server.settle()
            assert list(server.world.agents) == [other.peer]

    assert server.errors == []
