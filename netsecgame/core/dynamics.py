"""The network of one game: draws starts and goals, carries out actions, starts anew.

Knows nothing of episodes, rewards and turns; see `episode.py` for those and `world.py` for both
together.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from netsecgame.core.addressing import Labels, draw_labels
from netsecgame.core.goal import Goal
from netsecgame.core.knowledge import KnownState, knowledge_of, make_state
from netsecgame.core.positions import (
    draw_position,
    named_networks,
    named_services,
    start_knowledge,
)
from netsecgame.core.rng import RandomStreams
from netsecgame.core.topology import compile_scenario
from netsecgame.core.transition import apply_action
from netsecgame.core.world_state import WorldState

if TYPE_CHECKING:
    from collections.abc import Hashable

    from netsecgame.core.actions.indexed import IndexedAction
    from netsecgame.core.positions import Drawn
    from netsecgame.core.task import GameSpec, Position
    from netsecgame.core.topology import Topology
    from netsecgame.game_components import Action, GameState

#: For positions of which nothing is drawn.
_NO_CHANCE = Random(0)


def compile_game(spec: GameSpec) -> Topology:
    """The topology of a game: its scenario, and what only its task names."""
    positions = [p for role in spec.task.roles.values() for p in (role.start, role.goal)]
    return compile_scenario(
        spec.scenario,
        use_firewall=spec.task.use_firewall,
        extra_networks=[network for p in positions for network in named_networks(p)],
        extra_services=[service for p in positions for service in named_services(p)],
    )


class Dynamics:
    """One network, played on by any number of agents.

    Attributes:
        spec: The task and its scenario.
        topology: The scenario compiled; shared by all episodes.
        labels: The addresses of this episode.
        truth: What is true in this episode.
        streams: All chance of this game.
        has_chance: Whether there are actions that may fail by chance.
    """

    def __init__(self, spec: GameSpec, seed: int, topology: Topology | None = None) -> None:
        self.spec = spec
        self.topology = topology or compile_game(spec)
        self.streams = RandomStreams(seed)
        self.labels = Labels.original(self.topology)
        self.truth = WorldState(self.topology, self.labels)
        chances = spec.task.success_probability
        self.has_chance = any(chance < 1 for chance in chances.values())
        # What the task's own positions mean under the labels, where nothing in them is drawn.
        own = (p for role in spec.task.roles.values() for p in (role.start, role.goal))
        self._fixed_positions = {id(p) for p in own if not p.has_chance}
        self._starts: dict[int, KnownState] = {}
        self._goals: dict[int, Goal] = {}

    def draw_start(self, position: Position) -> KnownState:
        """What an agent with that start position knows at its start.

        Raises:
            TaskError: If the position names what the scenario does not have.
        """
        start = self._starts.get(id(position))
        if start is None:
            drawn = self._draw(position, "start")
            start = KnownState(start_knowledge(drawn.knowledge, self.labels), self.labels)
            if id(position) in self._fixed_positions:
                self._starts[id(position)] = start
        return start

    def draw_goal(self, position: Position) -> Goal:
        """A goal made concrete.

        Raises:
            TaskError: If the position names what the scenario does not have.
        """
        goal = self._goals.get(id(position))
        if goal is None:
            goal = Goal.from_drawn(self._draw(position, "goal"), self.labels)
            if id(position) in self._fixed_positions:
                self._goals[id(position)] = goal
        return goal

    def _draw(self, position: Position, stream: str) -> Drawn:
        # To seed a stream takes as long as all the rest of a reset.
        rng = getattr(self.streams, stream) if position.has_chance else _NO_CHANCE
        return draw_position(position, self.topology, rng)

    def step(self, agent: Hashable, state: GameState, action: Action) -> KnownState:
        """Carry out one game action.

        An action whose needs are not met, or that fails by chance, is no error and changes nothing.

        Args:
            agent: Who acts; remembered with the blocks it sets.
            state: What the agent knows.
            action: A game action with all its parameters.

        Returns:
            What the agent knows afterwards; the same object when nothing changed for it.
        """
        return self.step_indexed(agent, state, self.labels.index(action))

    def step_indexed(self, agent: Hashable, state: GameState, action: IndexedAction) -> KnownState:
        """As `step`, for an action that is looked up."""
        labels = self.labels
        if isinstance(state, KnownState) and state.labels is labels:
            known = state.knowledge
        else:
            known = knowledge_of(state, labels)
            state = KnownState(known, labels)
        if self.has_chance:
            chance = self.spec.task.success_probability[action.type]
            if chance < 1 and self.streams.actions.random() >= chance:
                return state
        after = apply_action(self.truth, known, action, agent)
        return state if after is known else make_state(after, labels)

    def take_blamed(self) -> list[Hashable]:
        """The agents whose blocks refused a connection since the last call, one entry a refusal."""
        return self.truth.take_blamed()

    def reset(self, seed: int | None = None, *, randomize_addresses: bool = False) -> None:
        """Restore the network for a new episode.

        Args:
            seed: Re-seeds every random choice; None goes on with the streams as they are.
            randomize_addresses: Draw new addresses; otherwise they stay as they are.
        """
        if seed is not None:
            self.streams = RandomStreams(seed)
        before = self.labels
        if randomize_addresses:
            self.labels = draw_labels(self.topology, self.streams.addresses)
        else:
            self.labels = before.without_outsiders()
        if self.labels is not before:
            self._starts.clear()
            self._goals.clear()
        self.truth = WorldState(self.topology, self.labels)
