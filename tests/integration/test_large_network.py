"""A network of 2,000 hosts is served like any other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from netsecgame.game.generation import write_game
from netsecgame.game.loading import check_game
from tests.integration.server import join, reset, scan, serving

if TYPE_CHECKING:
    from pathlib import Path


async def test_replies_on_2000_hosts_hold_what_the_agent_knows_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    game = write_game(path, networks=21, clients=1_500, servers=500, seed=42)
    assert len(game.content.scenario.hosts) == 2_001
    async with serving(tmp_path, path) as server:
        client = await server.connect()

        start = (await client.ask(join()))["observation"]["state"]

        assert len(start["controlled_hosts"]) == len(start["known_hosts"]) == 2
        assert len(json.dumps(start)) < 1_500
        place = next(h["ip"] for h in start["controlled_hosts"] if h["ip"].startswith("10."))
        seen = (await client.ask(scan(place, {"ip": "10.0.0.0", "mask": 8})))["observation"][
            "state"
        ]
        # Its own network and the doors; the outside was known.
        doors = [str(ip) for ip in game.content.doors if ip in game.content.server_networks[0]]
        own = place.rpartition(".")[0]
        known = {host["ip"] for host in seen["known_hosts"]} - {str(game.content.command_ip)}
        assert known - set(doors) == {ip for ip in known if ip.rpartition(".")[0] == own}
        assert set(doors) <= known
        assert 107 <= len(known) <= 112
        again = (await client.ask(reset()))["observation"]["state"]
        assert len(again["known_hosts"]) == 2


def test_check_game_on_2000_hosts_tries_every_start(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    write_game(path, networks=21, clients=1_500, servers=500, seed=42)
    assert check_game(path) == ([], [])

    # In one network only the router reaches the doors: its clients cannot win.
    scenario = tmp_path / "large.scenario.yaml"
    text = scenario.read_text(encoding="utf-8")
    rule = "{from: clients_9, "
    assert text.count(rule) == 1
    scenario.write_text(text.replace(rule, "{from: 10.0.16.1, "), encoding="utf-8")

    errors, warnings = check_game(path)

    assert (len(errors), warnings) == (1, [])
    assert errors[0].reason.endswith("by any play from 10.0.16.2, 213.47.23.195")
