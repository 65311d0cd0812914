"""Random games, described by numbers: the same numbers are the same game, in every process."""

from __future__ import annotations

import hashlib
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from netsecgame.core.task import (
    DEFAULT_DETECTION,
    GAME_ACTIONS,
    GameSpec,
    Position,
    RoleTask,
    Task,
    Word,
)
from netsecgame.core.world import World
from netsecgame.game_components import IP, Action, AgentRole, GameState
from netsecgame.scenarios import list_scenarios, load_scenario
from netsecgame.utils.utils import generate_valid_actions

if TYPE_CHECKING:
    from collections.abc import Iterable

OUTSIDE = IP("213.47.23.195")

#: Every role, words wherever they may stand, and no goal that ends a game early.
ROLES = {
    AgentRole.Attacker: RoleTask(start=Position(controlled_hosts=(OUTSIDE, Word.RANDOM))),
    AgentRole.Defender: RoleTask(start=Position(controlled_hosts=(Word.ALL_LOCAL,))),
    AgentRole.Benign: RoleTask(start=Position(controlled_hosts=(Word.RANDOM,) * 2)),
}

PLAYERS = {
    "A1": AgentRole.Attacker,
    "A2": AgentRole.Attacker,
    "D": AgentRole.Defender,
    "B": AgentRole.Benign,
}


class Move(NamedTuple):
    """Who plays, which of the types of action there are, and which of these actions.

    Each is taken modulo how many there are.
    """

    player: int
    kind: int
    action: int


def open_world(scenario: str, seed: int, *, is_lucky: bool = True) -> World:
    """A world that everybody of `PLAYERS` has joined.

    Args:
        scenario: A shipped name.
        seed: Of all chance in the world.
        is_lucky: Whether no action fails by chance and nobody is detected.
    """
    task = Task(
        scenario,
        ROLES,
        use_dynamic_addresses=True,
        success_probability=dict.fromkeys(GAME_ACTIONS, 1.0 if is_lucky else 0.8),
        detection=None if is_lucky else DEFAULT_DETECTION,
    )
    world = World(GameSpec(task, load_scenario(scenario)), seed)
    for name, role in PLAYERS.items():
        world.register(name, role)
    return world


def choose(world: World, move: Move) -> tuple[str, Action]:
    """The player and the valid action that a move stands for."""
    name = list(PLAYERS)[move.player % len(PLAYERS)]
    by_kind: dict[str, list[Action]] = {}
    for action in generate_valid_actions(world.player(name).state, include_blocks=True):
        by_kind.setdefault(str(action.type), []).append(action)
    kinds = sorted(by_kind)
    actions = sorted(by_kind[kinds[move.kind % len(kinds)]], key=Action.to_json)
    return name, actions[move.action % len(actions)]


def digest_game(scenario: str, seed: int, moves: Iterable[Move]) -> str:
    """The hash of every byte that a game shows its players, over two episodes."""
    world = open_world(scenario, seed, is_lucky=False)
    digest = hashlib.sha256()
    for randomize in (False, True):
        for name, start in world.reset(seed + 1, randomize_topology=randomize).items():
            digest.update(f"{name} {start.state.as_json()} {start.goal.as_dict}\n".encode())
        for move in moves:
            name, action = choose(world, move)
            if world.player(name).is_playing:
                after = world.step(name, action)
                digest.update(f"{action} {after.reward} {after.status}\n".encode())
                digest.update(after.state.as_json().encode())
    return digest.hexdigest()


def random_moves(seed: int, count: int) -> list[Move]:
    rng = Random(seed)
    return [Move(*(rng.randrange(1_000) for _ in range(3))) for _ in range(count)]


def state_parts(state: GameState) -> set[tuple[str, object]]:
    """Everything a state knows, one entry for each single thing; logs whatever they say."""
    parts: set[tuple[str, object]] = set()
    for name in ("known_networks", "known_hosts", "controlled_hosts"):
        parts |= {(name, item) for item in getattr(state, name)}
    for name in ("known_services", "known_data", "known_blocks"):
        parts |= {
            (name, (host, item)) for host, items in getattr(state, name).items() for item in items
        }
    return parts


def main() -> None:
    """Print the hash of a game on each scenario, for comparison between processes."""
    for scenario in list_scenarios():
        print(scenario, digest_game(scenario, 7, random_moves(7, 60)))  # noqa: T201


if __name__ == "__main__":
    main()
