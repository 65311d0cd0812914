"""ResetGame: who is waited for, what is agreed on, and what a new episode is like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.server import (
    CLIENT,
    IDLE,
    OUTSIDE,
    QUIT,
    SERVER,
    WIN,
    act,
    block,
    join,
    make_task,
    reset,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.server import Client, Message, Serve

DATUM = {"owner": "User1", "id": "DataFromServer1"}
SHARE = {"name": "microsoft-ds", "type": "passive", "version": "10.0.19041", "is_local": False}


def is_done(reply: dict[str, Any]) -> bool:
    return bool(reply["status"] == "GameStatus.RESET_DONE")


async def test_reset_reply_tells_the_start_and_the_same_facts_as_a_join(serve: Serve) -> None:
    server = await serve(make_task(attacker={"max_steps": 9}))
    client = await server.connect()
    joined = await client.ask(join())
    await client.ask(IDLE)

    reply = await client.ask(reset())

    assert list(reply) == ["to_agent", "status", "observation", "message"]
    assert reply["status"] == "GameStatus.RESET_DONE"
    assert reply["observation"] == joined["observation"]
    for fact in ("max_steps", "goal_description", "configuration_hash", "goal"):
        assert reply["message"][fact] == joined["message"][fact]
    assert "last_trajectory" not in reply["message"]


@pytest.mark.parametrize("parameters", [{}, None], ids=["no parameters", "no key"])
async def test_reset_needs_no_parameters(serve: Serve, parameters: Any) -> None:
    server = await serve()
    client = await server.join()
    question: Message = {"action_type": "ResetGame"}
    if parameters is not None:
        question = {**question, "parameters": parameters}

    assert is_done(await client.ask(question))


async def test_reset_with_the_trajectory_asked_for_tells_the_episode(serve: Serve) -> None:
    server = await serve(make_task(rewards={"step": -1, "success": 100}))
    client = await server.connect()
    replies = [await client.ask(question) for question in (join(name="Nimble"), IDLE, WIN)]
    states = [reply["observation"]["state"] for reply in replies]

    told = (await client.ask(reset(request_trajectory=True)))["message"]["last_trajectory"]

    assert told == {
        "trajectory": {"states": states, "actions": [IDLE, WIN], "rewards": [-1, 99]},
        "end_reason": "AgentStatus.Success",
        "agent_role": "Attacker",
        "agent_name": "Nimble",
    }
    after = await client.ask(reset(request_trajectory=True))
    assert after["message"]["last_trajectory"]["trajectory"] == {
        "states": states[:1],
        "actions": [],
        "rewards": [],
    }


async def test_reset_gives_the_trajectory_to_those_who_asked_for_it(serve: Serve) -> None:
    server = await serve()
    asks, does_not = await server.join(), await server.join()
    await asks.ask(IDLE)
    asks.send(reset(request_trajectory=True))
    await server.settle()

    assert "last_trajectory" not in (await does_not.ask(reset()))["message"]
    told = (await asks.reply())["message"]["last_trajectory"]
    assert len(told["trajectory"]["actions"]) == 1
    assert told["end_reason"] == "AgentStatus.ResetRequested"


@pytest.mark.parametrize(
    ("flag", "is_set"),
    [
        (True, True),
        ("True", True),
        (False, False),
        ("False", False),
        (None, False),
        ("None", False),
    ],
)
async def test_reset_flags_are_taken_as_python_spells_them(
    serve: Serve, flag: object, is_set: bool
) -> None:
    server = await serve()
    client = await server.join()

    reply = await client.ask(reset(request_trajectory=flag, randomize_topology=flag, seed="None"))

    assert is_done(reply)
    assert ("last_trajectory" in reply["message"]) is is_set


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"seed": "7"}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"seed": True}, "seed"),
        ({"request_trajectory": "yes"}, "request_trajectory"),
        ({"randomize_topology": 1}, "randomize_topology"),
        ({"sead": 7}, "sead"),
    ],
)
async def test_reset_with_a_wrong_parameter_is_refused_and_nobody_waits(
    serve: Serve, parameters: dict[str, Any], field: str
) -> None:
    server = await serve()
    client = await server.join()

    refused = await client.ask(reset(**parameters))

    assert refused["status"] == "GameStatus.BAD_REQUEST"
    assert f"parameters.{field}" in refused["message"]["message"]
    assert (await client.ask(IDLE))["status"] == "GameStatus.OK"


# --- who is waited for ----------------------------------------------------------------------------


async def test_reset_happens_when_all_joined_agents_have_asked(serve: Serve) -> None:
    server = await serve()
    roles = ["Attacker", "Attacker", "Defender", "Benign"]
    clients = [await server.join(role) for role in roles]
    for client in clients[:-1]:
        client.send(reset())
        await server.settle()
        assert not any(c.has_reply for c in clients)

    assert is_done(await clients[-1].ask(reset()))
    for client in clients[:-1]:
        assert is_done(await client.reply())


async def test_reset_does_not_wait_for_connections_that_have_not_joined(serve: Serve) -> None:
    server = await serve()
    await server.connect()
    client = await server.join()

    assert is_done(await client.ask(reset()))


async def test_reset_waits_for_an_agent_that_joins_meanwhile(serve: Serve) -> None:
    server = await serve()
    first, second = await server.join(), await server.join()
    first.send(reset())
    await server.settle()
    third = await server.join("Benign")
    second.send(reset())
    await server.settle()
    assert not first.has_reply

    assert is_done(await third.ask(reset()))
    assert is_done(await first.reply())
    assert is_done(await second.reply())


async def leave_by_quitting(client: Client) -> None:
    await client.ask(QUIT)


async def leave_by_dropping(client: Client) -> None:
    client.drop()


async def leave_in_mid_message(client: Client) -> None:
    client.send(b'{"action_type": "Res')
    client.drop()


async def leave_by_breaking_a_limit(client: Client) -> None:
    await client.ask(b"[" * 100)


LEAVES = [leave_by_quitting, leave_by_dropping, leave_in_mid_message, leave_by_breaking_a_limit]


@pytest.mark.parametrize("leave", LEAVES)
@pytest.mark.parametrize("role", ["Attacker", "Defender"])
async def test_reset_does_not_wait_for_an_agent_that_has_left(
    serve: Serve, leave: Callable[..., Any], role: str
) -> None:
    server = await serve()
    first, second, leaver = await server.join(), await server.join(), await server.join(role)
    for client in (first, second):
        client.send(reset())
    await server.settle()
    assert not first.has_reply

    await leave(leaver)

    assert is_done(await first.reply())
    assert is_done(await second.reply())
    assert (await first.ask(IDLE))["observation"]["reward"] == -1


@pytest.mark.parametrize("drop", ["drop", "end_input"])
async def test_agent_dropped_while_it_waits_for_a_reset_is_forgotten(
    serve: Serve, drop: str
) -> None:
    server = await serve()
    gone, stays = await server.join(), await server.join()
    gone.send(reset(seed=1))
    await server.settle()
    getattr(gone, drop)()
    await server.settle()
    assert len(server.world.agents) == 1

    assert (await stays.ask(IDLE))["status"] == "GameStatus.OK"
    assert is_done(await stays.ask(reset(seed=2)))  # no conflict with one that has left


async def test_reset_is_answered_when_enough_players_are_there_again(serve: Serve) -> None:
    server = await serve(make_task(required_players={"Attacker": 1, "Defender": 1}))
    attacker = await server.join_later("Attacker")
    defender = await server.join("Defender")
    await attacker.reply()
    await attacker.ask(IDLE)
    defender.drop()
    attacker.send(reset())
    await server.settle()
    assert not attacker.has_reply

    await server.join("Defender")

    assert is_done(await attacker.reply())
    assert (await attacker.ask(IDLE))["observation"]["reward"] == -1


async def test_defender_alone_waits_with_its_reset_for_an_attacker(serve: Serve) -> None:
    server = await serve()
    attacker, defender = await server.join(), await server.join("Defender")
    await attacker.ask(QUIT)
    assert (await defender.ask(IDLE))["observation"]["end"]
    defender.send(reset(request_trajectory=True))
    await server.settle()
    assert not defender.has_reply

    await server.join()

    told = await defender.reply()
    assert is_done(told)
    assert len(told["message"]["last_trajectory"]["trajectory"]["actions"]) == 1
    assert not (await defender.ask(IDLE))["observation"]["end"]


async def test_attacker_leaving_before_the_next_start_does_not_end_the_next_episode(
    serve: Serve,
) -> None:
    server = await serve(make_task(required_players=3))
    leaver, benign = await server.join_later(), await server.join_later("Benign")
    third = await server.join("Benign")
    await leaver.reply()
    await benign.reply()
    third.drop()
    leaver.send(reset())
    benign.send(reset())
    await server.settle()
    assert not benign.has_reply  # the third player is missing
    leaver.drop()
    await server.settle()
    await server.join_later()

    await server.join("Benign")

    assert is_done(await benign.reply())
    assert not (await benign.ask(IDLE))["observation"]["end"]


# --- conflicts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wishes", "reason"),
    [
        ([{"seed": 1}, {"seed": 2}], "agents asked for different seeds: 1, 2"),
        ([{"seed": 1}, {}, {"seed": 2}], "agents asked for different seeds: 1, 2"),
        (
            [{"seed": 1, "randomize_topology": True}, {"seed": 1}],
            "agents gave one seed but disagree on randomize_topology",
        ),
    ],
)
async def test_reset_conflict_is_told_to_all_askers_and_the_game_goes_on(
    serve: Serve, wishes: list[dict[str, Any]], reason: str
) -> None:
    server = await serve()
    clients = [await server.join() for _ in wishes]
    bystander = await server.join()
    for client in clients:
        assert not (await client.ask(IDLE))["observation"]["end"]

    for client, wish in zip(clients, wishes, strict=True):
        client.send(reset(**wish))
        await server.settle()

    for client in clients:
        refused = await client.reply()
        assert refused["status"] == "GameStatus.BAD_REQUEST"
        assert refused["observation"] is None
        assert refused["message"]["message"] == f"Bad request received: no reset: {reason}"
    for client in (*clients, bystander):
        played = await client.ask(IDLE)
        assert (played["status"], played["observation"]["end"]) == ("GameStatus.OK", False)
    # All requests were dropped, so that all have to ask again.
    for client in clients:
        client.send(reset(seed=5))
        await server.settle()
        assert not client.has_reply
    assert is_done(await bystander.ask(reset()))
    for client in clients:
        assert is_done(await client.reply())


@pytest.mark.parametrize(
    "wishes",
    [
        [{"seed": 3}, {"seed": 3}],
        [{"seed": 3}, {}],
        [{}, {"seed": 3}],
        [{"seed": 3, "randomize_topology": True}, {}],
        [{"randomize_topology": True}, {"seed": 3}],
        [{"randomize_topology": True}, {}],
    ],
)
async def test_reset_wishes_that_agree_are_granted(
    serve: Serve, wishes: list[dict[str, Any]]
) -> None:
    server = await serve()
    first, second = await server.join(), await server.join()
    first.send(reset(**wishes[0]))
    await server.settle()

    assert is_done(await second.ask(reset(**wishes[1])))
    assert is_done(await first.reply())


async def test_attackers_whose_resets_are_dropped_play_on_against_the_same_defender(
    serve: Serve,
) -> None:
    server = await serve()
    attackers, defender = [await server.join(), await server.join()], await server.join("Defender")
    for seed, attacker in enumerate(attackers):
        attacker.send(reset(seed=seed))
        await server.settle()
    for attacker in attackers:
        assert (await attacker.reply())["status"] == "GameStatus.BAD_REQUEST"

    assert not (await defender.ask(IDLE))["observation"]["end"]
    assert not (await attackers[0].ask(IDLE))["observation"]["end"]


# --- the new episode ------------------------------------------------------------------------------


async def steal(client: Client) -> dict[str, Any]:
    """Carry the datum off; returns the last reply."""
    exploited = act("ExploitService", CLIENT, SERVER, target_service=SHARE)
    for action in (
        act("FindServices", CLIENT, SERVER),
        exploited,
        act("FindData", SERVER, SERVER),
        act("ExfiltrateData", SERVER, OUTSIDE, data=DATUM),
    ):
        reply = await client.ask(action)
    return reply


async def data_outside(client: Client) -> list[str]:
    read = await client.ask(act("FindData", CLIENT, OUTSIDE))
    return [datum["id"] for datum in read["observation"]["state"]["known_data"].get(OUTSIDE, [])]


async def test_reset_restores_data_blocks_logs_and_views(serve: Serve) -> None:
    away = {"description": "Out of reach.", "known_hosts": ["192.168.1.1"]}
    server = await serve(make_task(attacker={"goal": away}))
    attacker, defender = await server.join(), await server.join("Defender")
    stolen = await steal(attacker)
    assert OUTSIDE in stolen["observation"]["state"]["known_data"]
    assert "DataFromServer1" in await data_outside(attacker)
    await defender.ask(block(SERVER, CLIENT))
    blocked = await attacker.ask(act("FindServices", CLIENT, SERVER))
    assert blocked["observation"]["state"]["known_services"]

    attacker.send(reset())
    await server.settle()
    start = (await defender.ask(reset()))["observation"]["state"]
    assert (start["known_blocks"], start["known_data"]) == ({}, {})
    start = (await attacker.reply())["observation"]["state"]

    assert start["known_services"] == {}
    assert await data_outside(attacker) == ["logfile"]
    again = await attacker.ask(act("FindServices", CLIENT, SERVER))
    assert SERVER in again["observation"]["state"]["known_services"]


async def starts_of(client: Client, seed: int | None, count: int) -> list[Any]:
    first = await client.ask(reset(seed=seed))
    more = [await client.ask(reset()) for _ in range(count - 1)]
    return [reply["observation"]["state"]["controlled_hosts"] for reply in [first, *more]]


async def test_reset_with_a_seed_draws_the_same_starts_again(serve: Serve) -> None:
    start = {"controlled_hosts": [OUTSIDE, "random"]}
    goal = {"known_data": {OUTSIDE: ["random"]}}
    task = make_task(attacker={"start_position": start, "goal": goal}, scenario="two_networks")
    for role in ("Defender", "Benign"):
        del task["coordinator"]["agents"][role]
    server = await serve(task)
    client = await server.join()

    seven = await starts_of(client, 7, 8)
    eight = await starts_of(client, 8, 8)

    assert await starts_of(client, 7, 8) == seven
    assert eight != seven
    assert len({str(start) for start in seven}) > 1


async def test_last_agent_leaving_gives_the_next_one_a_fresh_world(serve: Serve) -> None:
    away = {"description": "Out of reach.", "known_hosts": ["192.168.1.1"]}
    server = await serve(make_task(attacker={"goal": away, "max_steps": 20}))
    attacker, defender = await server.join(), await server.join("Defender")
    await steal(attacker)
    await defender.ask(block(SERVER, CLIENT))
    attacker.drop()
    defender.drop()
    await server.settle()

    client = await server.connect()
    joined = await client.ask(join())

    assert joined["observation"]["state"]["known_data"] == {}
    assert await data_outside(client) == ["logfile"]
    seen = await client.ask(act("FindServices", CLIENT, SERVER))
    assert SERVER in seen["observation"]["state"]["known_services"]
    for _ in range(17):
        assert not (await client.ask(IDLE))["observation"]["end"]
    assert (await client.ask(IDLE))["observation"]["end"]
