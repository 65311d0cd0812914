"""New addresses at a reset: when they are drawn, and what follows them."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.server import (
    CLIENT,
    DEFENDER,
    OUTSIDE,
    SERVER,
    SERVERS,
    act,
    join,
    make_task,
    reset,
    scan,
)

if TYPE_CHECKING:
    from tests.integration.server import Client, Serve

GOAL = {
    "description": f"Carry User1's DataFromServer1 from {SERVER} (in 192.168.1.0/24) to {OUTSIDE}.",
    "known_data": {OUTSIDE: [["User1", "DataFromServer1"]]},
}
TASK = make_task(attacker={"goal": GOAL}, use_dynamic_addresses=True)


def networks_of(reply: dict[str, Any]) -> set[str]:
    return {f"{n['ip']}/{n['mask']}" for n in reply["observation"]["state"]["known_networks"]}


def controlled_by(reply: dict[str, Any]) -> list[str]:
    return [host["ip"] for host in reply["observation"]["state"]["controlled_hosts"]]


async def play_to_the_goal(client: Client, start: dict[str, Any]) -> dict[str, Any]:
    """Win with nothing but what the server tells; returns the last reply."""
    inside, outside = sorted(controlled_by(start), key=lambda ip: not ip_network(ip).is_private)
    for network in start["observation"]["state"]["known_networks"]:
        found = await client.ask(scan(inside, network))
    hosts = [host["ip"] for host in found["observation"]["state"]["known_hosts"]]
    for host in hosts:
        found = await client.ask(act("FindServices", inside, host))
    services = found["observation"]["state"]["known_services"]
    (server,) = (ip for ip, items in services.items() if any("ds" in s["name"] for s in items))
    service = services[server][0]
    await client.ask(act("ExploitService", inside, server, target_service=service))
    await client.ask(act("FindData", server, server))
    datum = {"owner": "User1", "id": "DataFromServer1"}
    return await client.ask(act("ExfiltrateData", server, outside, data=datum))


async def test_new_addresses_are_followed_by_start_goal_and_description(serve: Serve) -> None:
    server = await serve(TASK)
    client = await server.connect()
    joined = await client.ask(join())

    moved = await client.ask(reset(randomize_topology=True, seed=3))

    inside, outside = sorted(controlled_by(moved), key=lambda ip: not ip_network(ip).is_private)
    assert CLIENT not in controlled_by(moved)
    assert OUTSIDE not in controlled_by(moved)
    assert ip_network(inside).is_private
    assert not ip_network(outside).is_private
    assert list(moved["message"]["goal"]["known_data"]) == [outside]
    description = moved["message"]["goal_description"]
    assert description.endswith(f"to {outside}.")
    for old in (SERVER, OUTSIDE, "192.168.1.0/24"):
        assert old in joined["message"]["goal_description"]
        assert old not in description
    assert not networks_of(moved) & networks_of(joined)
    # The client's network has kept its distance to its neighbours, and the host its offset.
    bases = sorted(int(ip_network(n).network_address) for n in networks_of(moved) if "/24" in n)
    assert [base - bases[0] for base in bases] == [0, 256, 512]
    assert int(ip_network(inside).network_address) - bases[1] == 2


async def test_game_under_new_addresses_can_be_won(serve: Serve) -> None:
    server = await serve(TASK)
    client = await server.join()
    for seed in (1, 2, 3):
        start = await client.ask(reset(randomize_topology=True, seed=seed))

        last = await play_to_the_goal(client, start)

        assert last["observation"]["info"]["end_reason"] == "AgentStatus.Success", seed


async def test_old_addresses_are_gone_under_new_ones(serve: Serve) -> None:
    server = await serve(TASK)
    client = await server.join()
    moved = await client.ask(reset(randomize_topology=True, seed=3))

    played = await client.ask(scan(CLIENT, SERVERS))

    assert played["observation"]["state"] == moved["observation"]["state"]


async def test_same_seed_gives_the_same_addresses_another_one_others(serve: Serve) -> None:
    server = await serve(TASK)
    client = await server.join()
    three, four, again = [
        controlled_by(await client.ask(reset(randomize_topology=True, seed=seed)))
        for seed in (3, 4, 3)
    ]

    assert three == again
    assert three != four


async def test_addresses_stay_as_they_are_without_the_request(serve: Serve) -> None:
    server = await serve(TASK)
    client = await server.connect()
    joined = await client.ask(join())
    kept = [await client.ask(reset(**wish)) for wish in ({}, {"seed": 3})]
    moved = await client.ask(reset(randomize_topology=True, seed=3))
    stays = [await client.ask(reset(**wish)) for wish in ({}, {"seed": 4})]

    assert [controlled_by(reply) for reply in kept] == [controlled_by(joined)] * 2
    assert [controlled_by(reply) for reply in stays] == [controlled_by(moved)] * 2
    assert stays[0]["message"]["goal_description"] == moved["message"]["goal_description"]


async def test_new_addresses_need_a_seed(serve: Serve) -> None:
    server = await serve(TASK)
    client = await server.connect()
    joined = await client.ask(join())

    kept = await client.ask(reset(randomize_topology=True))

    assert controlled_by(kept) == controlled_by(joined)


@pytest.mark.parametrize(
    ("wishes", "moves"),
    [
        (({"seed": 3, "randomize_topology": True}, {"seed": 3, "randomize_topology": True}), True),
        (({"seed": 3, "randomize_topology": True}, {"randomize_topology": True}), True),
        (({"seed": 3, "randomize_topology": True}, {}), False),
        (({"seed": 3}, {"randomize_topology": True}), False),
    ],
)
async def test_new_addresses_need_all_agents_to_ask(
    serve: Serve, wishes: tuple[dict[str, Any], ...], moves: bool
) -> None:
    server = await serve(TASK)
    clients = [await server.join(), await server.join()]
    clients[0].send(reset(**wishes[0]))
    await server.settle()

    second = await clients[1].ask(reset(**wishes[1]))
    first = await clients[0].reply()

    assert controlled_by(first) == controlled_by(second)
    assert (OUTSIDE not in controlled_by(first)) is moves


async def test_task_without_dynamic_addresses_keeps_them_whatever_is_asked(serve: Serve) -> None:
    server = await serve(make_task(attacker={"goal": GOAL}))
    client = await server.connect()
    joined = await client.ask(join())

    kept = await client.ask(reset(randomize_topology=True, seed=3))

    assert controlled_by(kept) == controlled_by(joined)


async def test_late_agent_joins_under_the_addresses_of_the_episode(serve: Serve) -> None:
    server = await serve(make_task(defender=DEFENDER, use_dynamic_addresses=True))
    client = await server.join()
    moved = await client.ask(reset(randomize_topology=True, seed=3))
    late = await server.connect()

    joined = await late.ask(join("Benign"))

    assert controlled_by(joined) == [ip for ip in controlled_by(moved) if ip_network(ip).is_private]
    defender = await server.connect()
    assert set(controlled_by(await defender.ask(join("Defender")))) > set(controlled_by(joined))
