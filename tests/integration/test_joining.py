"""JoinGame: its reply, who is let in, and what it waits for."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from netsecgame.game.loading import hash_game, load_game
from netsecgame.game_components import ActionType
from tests.integration.server import (
    CLIENT,
    IDLE,
    NONSENSE,
    OUTSIDE,
    QUIT,
    SERVER,
    WIN,
    ClosedError,
    join,
    make_task,
    message,
    reset,
)

if TYPE_CHECKING:
    from tests.integration.server import Message, Serve


async def test_join_reply_tells_start_limits_goal_actions_and_hash(serve: Serve) -> None:
    server = await serve(make_task(attacker={"max_steps": 12}))
    client = await server.connect()

    reply = await client.ask(join())

    assert list(reply) == ["to_agent", "status", "observation", "message"]
    assert reply["to_agent"] == client.address
    assert reply["status"] == "GameStatus.CREATED"
    observation = reply["observation"]
    assert list(observation) == ["state", "reward", "end", "info"]
    assert (observation["reward"], observation["end"], observation["info"]) == (0, False, {})
    assert observation["state"] == {
        "known_networks": [
            {"ip": "192.168.1.0", "mask": 24},
            {"ip": "192.168.2.0", "mask": 24},
            {"ip": "192.168.3.0", "mask": 24},
            {"ip": "213.47.23.192", "mask": 26},
        ],
        "known_hosts": [{"ip": CLIENT}, {"ip": OUTSIDE}],
        "controlled_hosts": [{"ip": CLIENT}, {"ip": OUTSIDE}],
        "known_services": {},
        "known_data": {},
        "known_blocks": {},
    }
    told = reply["message"]
    assert told["max_steps"] == 12
    assert told["goal_description"] == f"Find the server {SERVER}."
    assert told["actions"] == [str(kind) for kind in ActionType]
    assert len(told["actions"]) == 9
    assert told["configuration_hash"] == hash_game(load_game(server.task_file))
    assert len(told["configuration_hash"]) == len(sha256().hexdigest())
    assert told["goal"]["known_hosts"] == [{"ip": SERVER}]
    assert isinstance(told["message"], str)


async def test_join_without_a_step_limit_tells_null(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()

    assert (await client.ask(join()))["message"]["max_steps"] is None


@pytest.mark.parametrize("role", ["attacker", "ATTACKER", "AgentRole.Attacker"])
async def test_join_role_in_any_spelling_is_taken(serve: Serve, role: str) -> None:
    server = await serve()
    client = await server.connect()

    assert (await client.ask(join(role)))["status"] == "GameStatus.CREATED"


async def test_join_a_second_time_is_refused_and_play_goes_on(serve: Serve) -> None:
    server = await serve()
    client = await server.join()

    again = await client.ask(join())

    assert again["status"] == "GameStatus.BAD_REQUEST"
    assert again["observation"] is None
    assert "joined already" in again["message"]["message"]
    assert (await client.ask(IDLE))["status"] == "GameStatus.OK"
    assert len(server.world.agents) == 1


async def test_join_role_that_the_task_lacks_lists_those_it_has(serve: Serve) -> None:
    task = make_task()
    del task["coordinator"]["agents"]["Defender"]
    del task["coordinator"]["agents"]["Benign"]
    server = await serve(task)
    client = await server.connect()

    refused = await client.ask(join("Defender"))

    assert refused["status"] == "GameStatus.BAD_REQUEST"
    assert refused["message"]["message"].endswith("available roles: Attacker, Benign")


async def test_join_benign_without_a_section_starts_on_a_start_place(serve: Serve) -> None:
    task = make_task()
    del task["coordinator"]["agents"]["Benign"]
    server = await serve(task)
    await server.join("Attacker")
    client = await server.connect()

    reply = await client.ask(join("Benign"))

    assert reply["status"] == "GameStatus.CREATED"
    assert reply["observation"]["state"]["controlled_hosts"] == [{"ip": CLIENT}]


async def test_join_unknown_role_is_refused_by_name_and_can_be_corrected(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()

    refused = await client.ask(join("Attaker"))

    assert refused["status"] == "GameStatus.BAD_REQUEST"
    assert "parameters.agent_info.role" in refused["message"]["message"]
    assert "did you mean 'Attacker'?" in refused["message"]["message"]
    assert (await client.ask(join("Attacker")))["status"] == "GameStatus.CREATED"


@pytest.mark.parametrize(
    "early", [IDLE, WIN, reset(), reset(seed=7)], ids=["act", "win", "reset", "seed"]
)
async def test_anything_before_joining_is_refused_and_joining_works_after(
    serve: Serve, early: Message
) -> None:
    server = await serve()
    client = await server.connect()

    refused = await client.ask(early)

    assert refused == {
        "to_agent": client.address,
        "status": "GameStatus.BAD_REQUEST",
        "observation": None,
        "message": {"message": "Bad request received: join the game first"},
    }
    assert (await client.ask(join()))["status"] == "GameStatus.CREATED"


async def test_quit_before_joining_is_answered_and_closed(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()

    assert (await client.ask(QUIT))["status"] == "GameStatus.OK"
    with pytest.raises(ClosedError):
        await client.reply()


async def test_join_agent_called_geoff_gets_a_whole_reply(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()

    reply = await client.ask(join(name="GEOFFEOF"))

    assert reply["status"] == "GameStatus.CREATED"
    assert "GEOFFEOF" in reply["message"]["message"]
    assert client.received == b""
    # The letters come back from other places too.
    refused = await client.ask(message("EOFEOF"))
    assert "'EOFEOF'" in refused["message"]["message"]
    assert client.received == b""


# --- waiting for players --------------------------------------------------------------------------


async def test_join_waits_for_the_required_number_of_players(serve: Serve) -> None:
    server = await serve(make_task(required_players=3))
    first = await server.join_later("Attacker")
    second = await server.join_later("Benign")
    third = await server.connect()

    assert (await third.ask(join("Attacker")))["status"] == "GameStatus.CREATED"
    assert (await first.reply())["status"] == "GameStatus.CREATED"
    assert (await second.reply())["status"] == "GameStatus.CREATED"


async def test_join_waits_for_an_attacker_whatever_the_number(serve: Serve) -> None:
    server = await serve(make_task(required_players=1))
    waiting = [await server.join_later("Defender"), await server.join_later("Benign")]

    await server.join("Attacker")

    for client in waiting:
        assert (await client.reply())["status"] == "GameStatus.CREATED"


async def test_join_waits_for_the_required_players_of_each_role(serve: Serve) -> None:
    server = await serve(make_task(required_players={"Attacker": 2, "Defender": 1}))
    waiting = [
        await server.join_later("Attacker"),
        await server.join_later("Benign"),
        await server.join_later("Attacker"),
    ]

    await server.join("Defender")

    for client in waiting:
        assert (await client.reply())["status"] == "GameStatus.CREATED"


@pytest.mark.parametrize("role", ["Attacker", "Defender", "Benign"])
async def test_join_a_running_game_is_answered_at_once(serve: Serve, role: str) -> None:
    server = await serve(make_task(required_players=2))
    first = await server.join_later("Attacker")
    await server.join("Attacker")
    await first.reply()

    await server.join(role)


async def test_join_in_a_running_game_that_fell_below_its_number_is_answered_at_once(
    serve: Serve,
) -> None:
    server = await serve(make_task(required_players=2))
    first = await server.join_later("Attacker")
    second = await server.join("Attacker")
    await first.reply()
    second.drop()
    await server.settle()

    await server.join("Defender")


async def test_agent_dropped_while_waiting_for_the_start_is_not_counted(serve: Serve) -> None:
    server = await serve(make_task(required_players=2))
    gone = await server.join_later("Attacker")
    gone.drop()
    await server.settle()
    stays = await server.join_later("Attacker")

    await server.join("Defender")

    assert (await stays.reply())["status"] == "GameStatus.CREATED"
    assert len(server.world.agents) == 2


async def test_agent_leaving_before_the_start_does_not_end_the_episode_of_those_who_wait(
    serve: Serve,
) -> None:
    server = await serve(make_task(required_players=3))
    gone = await server.join_later("Attacker")
    benign = await server.join_later("Benign")
    gone.drop()
    await server.settle()
    attacker = await server.join_later("Attacker")
    defender = await server.join("Defender")
    await attacker.reply()
    await benign.reply()

    for client in (benign, defender):
        played = await client.ask(IDLE)
        assert (played["observation"]["end"], played["observation"]["info"]) == (False, {})


async def test_nothing_a_waiting_agent_sends_is_answered_before_its_join(serve: Serve) -> None:
    server = await serve(make_task(required_players=2))
    first = await server.join_later("Attacker")
    first.send(IDLE, NONSENSE)
    await server.settle()
    assert not first.has_reply

    await server.join("Defender")

    statuses = [(await first.reply())["status"] for _ in range(3)]
    assert statuses == ["GameStatus.CREATED", "GameStatus.OK", "GameStatus.BAD_REQUEST"]


# --- connections ----------------------------------------------------------------------------------


async def test_connection_beyond_the_limit_is_told_so_and_closed(serve: Serve) -> None:
    server = await serve(max_connections=2)
    clients = [await server.join(), await server.connect()]
    extra = await server.connect()

    reply = await extra.reply()

    assert reply == {
        "to_agent": extra.address,
        "status": "GameStatus.FORBIDDEN",
        "observation": None,
        "message": {"message": "too many connections: this server takes 2"},
    }
    with pytest.raises(ClosedError):
        await extra.reply()
    assert (await clients[0].ask(IDLE))["status"] == "GameStatus.OK"
    assert (await clients[1].ask(join()))["status"] == "GameStatus.CREATED"


async def test_connection_beyond_the_limit_that_talks_first_can_read_the_reason(
    serve: Serve,
) -> None:
    server = await serve(max_connections=1)
    await server.join()
    for _ in range(20):
        extra = await server.connect()
        await extra.send_all(join(), b"x" * 1_000_000)
        assert (await extra.reply())["status"] == "GameStatus.FORBIDDEN"
        extra.drop()


@pytest.mark.parametrize("way", ["drop", "quit", "too long a message"])
async def test_connection_that_ends_makes_room_at_once(serve: Serve, way: str) -> None:
    server = await serve(max_connections=2)
    await server.settle()  # its connection stays, so there is room for one more
    for _ in range(3):
        client = await server.join()
        if way == "drop":
            client.drop()
            await server.settle()
        elif way == "quit":
            await client.ask(QUIT)
        else:
            await client.ask(b'"' + b"x" * 70_000)
