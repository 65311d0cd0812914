"""What the server shows over TCP is what `core.World` shows, step by step."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame import Action, AgentRole, GameState, generate_valid_actions
from netsecgame.core.world import World
from netsecgame.game.loading import load_game
from tests.integration.server import Client, Server, join, reset, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netsecgame.core.episode import Player
    from netsecgame.core.task import GameSpec

TASKS = sorted((Path(__file__).resolve().parents[2] / "task_configs").glob("*.yaml"))
STEPS_PER_EPISODE = 60
SEEDS = (11, 12, 13)


def roles_to_play(spec: GameSpec) -> list[AgentRole]:
    """Everyone whom the task waits for, and one of each other role that it has."""
    required = spec.task.required_players
    if isinstance(required, int):
        return [role for role in AgentRole if role in spec.task.roles]
    roles = [role for role in AgentRole for _ in range(required.get(role, 0))]
    return roles + [role for role in spec.task.roles if role not in roles]


def played(world: World, rng: Random, agents: list[int]) -> Iterator[tuple[int, Action]]:
    """A game of random actions until all have ended or the steps are used up."""
    for _ in range(STEPS_PER_EPISODE):
        for agent in agents:
            player = world.player(agent)
            if not player.is_playing:
                continue
            known = sorted(generate_valid_actions(player.state, include_blocks=True), key=str)
            action = rng.choice(known)
            world.step(agent, action)
            yield agent, action


class Match:
    """The same game on a server and in a pure world, with the same agents."""

    def __init__(self, server: Server, world: World) -> None:
        self.server = server
        self.world = world
        self.clients: list[Client] = []
        self.waiting: set[int] = set()

    async def join(self, roles: list[AgentRole]) -> None:
        for agent, role in enumerate(roles):
            self.world.register(agent, role)
            self.clients.append(await self.server.connect())
            self.clients[agent].send(join(role.value))
            await self.server.settle()
        await self.check_starts()

    async def play_episode(self, rng: Random) -> None:
        for agent, action in played(self.world, rng, list(range(len(self.clients)))):
            self.clients[agent].send(action.as_dict)
            self.waiting.add(agent)
            await self.check_answers()

    async def check_answers(self) -> None:
        """Who plays on, or knows its final reward, is answered; the others wait."""
        await self.server.settle()
        for agent in sorted(self.waiting):
            player = self.world.player(agent)
            if player.is_playing or player.is_settled:
                check_step(await self.clients[agent].reply(), player)
                self.waiting.remove(agent)
            else:
                assert not self.clients[agent].has_reply

    async def reset(self, seed: int) -> None:
        free = [agent for agent in range(len(self.clients)) if agent not in self.waiting]
        held_back = sorted(self.waiting)
        for agent in free:
            self.world.episode.request_reset(agent)
            self.clients[agent].send(reset(seed=seed, randomize_topology=True))
        # No attacker plays any more, so those who had ended get their last answer now.
        await self.check_answers()
        for agent in held_back:
            self.clients[agent].send(reset(seed=seed, randomize_topology=True))
        self.world.reset(seed, randomize_topology=True)
        await self.check_starts()

    async def check_starts(self) -> None:
        for agent, client in enumerate(self.clients):
            check_start(await client.reply(), self.world.player(agent))


def check_step(reply: Mapping[str, Any], player: Player) -> None:
    shown = reply["observation"]
    assert shown["state"] == json.loads(player.state.as_json())
    assert shown["reward"] == player.reward
    assert shown["end"] is not player.is_playing
    if shown["end"]:
        assert shown["info"]["end_reason"] == str(player.status)


def check_start(reply: Mapping[str, Any], player: Player) -> None:
    shown = reply["observation"]
    assert GameState.from_dict(shown["state"]) == player.state
    assert (shown["reward"], shown["end"], shown["info"]) == (0, False, {})
    assert reply["message"]["goal"] == player.goal.as_dict
    assert reply["message"]["max_steps"] == player.max_steps


@pytest.mark.parametrize("task_file", TASKS, ids=lambda path: path.stem)
async def test_server_playing_a_seeded_game_equals_the_pure_world(
    task_file: Path, tmp_path: Path
) -> None:
    spec = load_game(task_file)
    async with serving(tmp_path, task_file, seed=5) as server:
        match = Match(server, World(spec, seed=5))
        await match.join(roles_to_play(spec))
        for seed in SEEDS:
            await match.play_episode(Random(seed))
            await match.reset(seed)
        await match.play_episode(Random(0))
        assert not match.waiting or any(p.is_playing for p in match.world.episode.players.values())
