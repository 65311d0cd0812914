"""The game of a server, as a client knows it: which task it is, and what its addresses are called.

Over TCP everything is text. What environments and saved policies work on are the indices of the
topology, so a client needs the task, and the labels that stand for its addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netsecgame.core.addressing import Labels, draw_labels
from netsecgame.core.goal import ALL_ATTACKERS, Goal
from netsecgame.core.knowledge import knowledge_of, make_state
from netsecgame.core.rng import RandomStreams
from netsecgame.envs.game import open_game
from netsecgame.errors import ConfigurationError
from netsecgame.game.loading import hash_game
from netsecgame.game.task_files import TASKS_DIRS
from netsecgame.game_components import IP, GameState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netsecgame.core.action_index import ActionIndex
    from netsecgame.core.knowledge import KnownState
    from netsecgame.envs.game import Game
    from netsecgame.game_components import Action, AgentRole, Observation


def find_game(welcome: Mapping[str, Any], expected: Game | None = None) -> Game:
    """The game that a server plays.

    Args:
        welcome: What the server says in its reply to a join.
        expected: What it ought to be; None looks among the shipped tasks.

    Raises:
        ConfigurationError: If it is another game, or no shipped task.
    """
    said = welcome.get("configuration_hash")
    if expected is not None:
        if hash_game(expected.spec) != said:
            raise ConfigurationError("the server plays another task", path="task")
        return expected
    for path in _list_shipped():
        try:
            game = open_game(path)
        except ConfigurationError:  # somebody is working on it
            continue
        if hash_game(game.spec) == said:
            return game
    raise ConfigurationError(
        "the server plays none of the shipped tasks; say which it is", path="task"
    )


def _list_shipped() -> list[Path]:
    return [path for place in TASKS_DIRS for path in sorted(place.glob("*.yaml"))]


class RemoteGame:
    """Translates between what a server says to one agent and what environments work on.

    Attributes:
        game: What is played.
        labels: The addresses of this episode.
    """

    def __init__(self, game: Game, role: AgentRole) -> None:
        self.game = game
        self.labels = Labels.original(game.topology)
        self._index: ActionIndex = game.action_index(role)

    def begin(self, start: Observation, drawn_from: int | None = None) -> tuple[KnownState, Goal]:
        """A new episode begins: what the agent knows at its start, and its goal.

        The server does not tell its addresses. But those that it draws follow from the seed of the
        reset, and without a reset that draws they stay as they are.

        Args:
            start: What the server says; its info has the goal.
            drawn_from: The seed of a reset that asked for new addresses.

        Raises:
            ConfigurationError: If the server plays under addresses that cannot be known here.
        """
        state, wanted = start.state, _read_goal(start.info.get("goal") or {})
        candidates = [self.labels.without_outsiders()]
        if drawn_from is not None and self.game.spec.task.use_dynamic_addresses:
            # All agents have to ask for it, so it need not have happened.
            topology = self.game.topology
            candidates.insert(0, draw_labels(topology, RandomStreams(drawn_from).addresses))
        for labels in candidates:
            if _has_all_of(labels, state) and _has_all_of(labels, wanted.state):
                self.labels = labels
                its_goal = make_state(knowledge_of(wanted.state, labels), labels)
                return self.known(state), Goal(its_goal, wanted.all_attackers)
        raise ConfigurationError(
            "the addresses of the server are neither those of the task nor those that follow from"
            ' the seed; reset with options={"randomize_topology": True} and a seed, and so must all'
            " agents of the game"
        )

    def known(self, state: GameState) -> KnownState:
        """What the agent knows, in indices."""
        labels = self.labels
        for blocked in state.known_blocks.values():
            for ip in blocked:  # a block may name what is no part of the scenario
                labels.admit_outsider(ip)
        return make_state(knowledge_of(state, labels), labels)

    def action(self, number: int) -> Action:
        """The action of a number under the addresses of this episode.

        Raises:
            UnknownActionError: If there is no such number.
        """
        return self._index.action(number, self.labels)


def _read_goal(values: Mapping[str, Any]) -> Goal:
    parts = dict(values)
    blocks = dict(parts.pop("known_blocks", {}))
    hosts = [ip for ip, blocked in blocks.items() if blocked == ALL_ATTACKERS]
    for ip in hosts:
        del blocks[ip]
    return Goal(GameState.from_dict({**parts, "known_blocks": blocks}), frozenset(map(IP, hosts)))


def _has_all_of(labels: Labels, state: GameState) -> bool:
    """Whether everything that a state names has an index; blocks may name outsiders."""
    hosts = {
        *state.controlled_hosts,
        *state.known_hosts,
        *state.known_services,
        *state.known_data,
        *state.known_blocks,
    }
    return all(labels.find_address(ip) >= 0 for ip in hosts) and all(
        labels.find_network(network) >= 0 for network in state.known_networks
    )
