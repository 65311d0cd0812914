"""The server and the pure world, played side by side: equal step by step."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.core.world import World
from netsecgame.game.loading import load_game
from netsecgame.game_components import AgentRole
from tests.integration.random_play import CHANCY, choose_action
from tests.integration.server import join, reset, serving, write_task

if TYPE_CHECKING:
    from tests.integration.server import Client, Reply, Server

TASKS = Path(__file__).resolve().parents[2] / "task_configs"

A, D, B = AgentRole.Attacker, AgentRole.Defender, AgentRole.Benign

#: Shipped tasks and who plays them; None is the task with all kinds of chance.
GAMES: list[tuple[str | None, list[AgentRole]]] = [
    ("two_networks_tiny", [A]),
    ("two_networks_small", [A, A]),
    ("two_networks_defended", [A, D, B]),
    ("two_networks_team", [A, A, D]),
    ("two_networks_global_defender", [A]),
    ("two_networks_random", [A, A]),
    ("two_networks_small_dynamic", [A, B]),
    ("three_net_scenario", [A]),
    ("scenario1", [A, B]),
    (None, [A, D, A, B]),
]

ACTIONS = 350


class SideBySide:
    """One game played by the server and by a `World`.

    Attributes:
        episodes: How many have been played to their end.
        ends: How the agents' episodes ended.
    """

    def __init__(self, server: Server, world: World, seed: int) -> None:
        self.server = server
        self.world = world
        self.choices = Random(f"{seed}/side by side")
        self.clients: dict[str, Client] = {}
        self.held_back: dict[str, str] = {}  # what was played, by agents that wait for its reply
        self.episodes = 0
        self.ends: set[str] = set()

    async def join(self, roles: list[AgentRole]) -> None:
        for number, role in enumerate(roles):
            name = f"{role}{number}"
            client = self.clients[name] = await self.server.connect()
            client.send(join(role, name))
            await self.server.settle()
            self.world.register(name, role)
        for name, client in self.clients.items():
            self.compare_start(name, await client.reply())

    async def play(self, actions: int) -> None:
        played = 0
        while played < actions:
            playing = [n for n in self.clients if self.world.player(n).is_playing]
            if not playing:
                assert self.held_back == {}
                await self.reset()
                continue
            for name in playing:
                played += 1
                await self.act(name)

    async def act(self, name: str) -> None:
        player = self.world.player(name)
        action = choose_action(player.state, player.role, self.choices)
        self.world.step(name, action)
        self.clients[name].send(action.as_dict)
        self.held_back[name] = str(action)
        for waiting in list(self.held_back):
            if self.world.player(waiting).is_playing or self.world.player(waiting).is_settled:
                played = self.held_back.pop(waiting)
                self.compare(waiting, await self.clients[waiting].reply(), played)
        assert not any(self.clients[waiting].has_reply for waiting in self.held_back)

    async def reset(self) -> None:
        self.episodes += 1
        seed = self.choices.choice((None, self.choices.randrange(1_000)))
        randomize = self.choices.random() < 0.5
        self.world.reset(seed, randomize_topology=randomize and seed is not None)
        for client in self.clients.values():
            client.send(reset(seed=seed, randomize_topology=randomize))
        for name, client in self.clients.items():
            self.compare_start(name, await client.reply())

    def compare_start(self, name: str, reply: Reply) -> None:
        player = self.world.player(name)
        assert reply["status"] in ("GameStatus.CREATED", "GameStatus.RESET_DONE")
        assert reply["observation"] == {
            "state": player.state.as_dict,
            "reward": 0,
            "end": False,
            "info": {},
        }
        assert reply["message"]["goal"] == player.goal.as_dict
        assert reply["message"]["max_steps"] == player.max_steps

    def compare(self, name: str, reply: Reply, action: str) -> None:
        player = self.world.player(name)
        context = f"episode {self.episodes}, {name} plays {action}"
        assert reply["status"] == "GameStatus.OK", context
        told: dict[str, Any] = reply["observation"]
        assert told["state"] == player.state.as_dict, context
        assert told["reward"] == player.reward, context
        assert told["end"] == (not player.is_playing), context
        if player.is_playing:
            assert told["info"] == {}, context
        else:
            assert told["info"]["end_reason"] == str(player.status), context
            self.ends.add(player.status.value)


@pytest.mark.parametrize(("task", "roles"), GAMES, ids=[name or "chancy" for name, _ in GAMES])
async def test_server_and_world_playing_the_same_are_equal(
    tmp_path: Path, task: str | None, roles: list[AgentRole]
) -> None:
    file = TASKS / f"{task}.yaml" if task else write_task(tmp_path, CHANCY)
    for seed in (1, 2):
        async with serving(tmp_path, file, seed=seed) as server:
            game = SideBySide(server, World(load_game(file), seed), seed)
            await game.join(roles)
            await game.play(ACTIONS)
            assert game.episodes
            assert game.ends
