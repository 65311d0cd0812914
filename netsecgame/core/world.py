"""The whole game as one pure object: what the server, environments and tests step alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netsecgame.core.dynamics import Dynamics
from netsecgame.core.episode import Episode
from netsecgame.core.knowledge import KnownState, make_state
from netsecgame.core.trajectory import count_text
from netsecgame.core.transition import RULE_BY_NAME
from netsecgame.errors import AlreadyRegisteredError, EpisodeOverError, RoleNotAvailableError
from netsecgame.game_components import AgentRole, AgentStatus, GameState

if TYPE_CHECKING:
    from netsecgame.core.action_index import ActionIndex
    from netsecgame.core.actions.indexed import IndexedAction, NumberedAction
    from netsecgame.core.episode import AgentId, Player
    from netsecgame.core.goal import Goal
    from netsecgame.core.task import GameSpec
    from netsecgame.core.topology import Topology
    from netsecgame.game_components import Action

_new = tuple.__new__  # half the time of a NamedTuple's own constructor
_WITHOUT_TIMEOUT, _WITH_TIMEOUT = AgentStatus.Playing, AgentStatus.PlayingWithTimeout

#: The seed of a game for which nobody chose one.
DEFAULT_SEED = 42


def default_seed(spec: GameSpec) -> int:
    """The seed of a game for which nobody gave one: the task's, or 42 if it wants a random one."""
    return DEFAULT_SEED if spec.task.seed is None else spec.task.seed


class Registration(NamedTuple):
    """What an agent is given when it joins or an episode begins.

    Attributes:
        state: What it knows.
        goal: What it has to reach.
    """

    state: GameState
    goal: Goal


class Transition(NamedTuple):
    """The result of one action.

    Attributes:
        state: What the agent knows now.
        reward: Reward of this action; with the final reward in it if `is_settled`.
        status: The agent's status now.
        is_settled: Whether its episode has ended and its final reward is known. An agent that has
            ended while attackers still play is settled later: see `World.player`.
    """

    state: GameState
    reward: float
    status: AgentStatus
    is_settled: bool


class World:
    """A game that any number of agents play, one action at a time.

    Attributes:
        spec: The task and its scenario.
        dynamics: The network and its truth.
        episode: The players and how they stand.
        action_index: What the numbers of `step_number` mean.
    """

    def __init__(
        self,
        spec: GameSpec,
        seed: int | None = None,
        topology: Topology | None = None,
        action_index: ActionIndex | None = None,
    ) -> None:
        """Set up a game before its first episode.

        Args:
            spec: The task and its scenario.
            seed: Seed of all chance; None takes the task's, or 42 if the task wants a random one:
                nothing in here draws seeds.
            topology: `compile_game(spec)`, if the caller has it already: worlds can share it.
            action_index: What the numbers of `step_number` mean; None has all actions there can be.
        """
        self.spec = spec
        self.dynamics = Dynamics(spec, default_seed(spec) if seed is None else seed, topology)
        self.action_index = action_index or self.dynamics.topology.action_index
        self._numbers = self.dynamics.labels.numbers(self.action_index)
        self.episode = Episode(
            spec.task.rewards,
            detection=spec.task.detection,
            detection_window=spec.task.detection_window,
        )

    def register(self, agent: AgentId, role: AgentRole) -> Registration:
        """Let an agent join the running episode.

        Raises:
            RoleNotAvailableError: If the task has no such role.
            AlreadyRegisteredError: If the agent has joined already.
        """
        part = self.spec.task.roles.get(role)
        if part is None:
            raise RoleNotAvailableError(role, [str(name) for name in self.spec.task.roles])
        if agent in self.episode.players:
            raise AlreadyRegisteredError(f"agent {agent} has joined already")
        state = self.dynamics.draw_start(part.start)
        goal = self.dynamics.draw_goal(part.goal)
        self.episode.join(agent, role, state, goal, part.max_steps)
        return Registration(state, goal)

    def step(self, agent: AgentId, action: Action) -> Transition:
        """Apply one game action of one agent.

        An action whose preconditions fail is no error: it costs a step and changes nothing.

        Args:
            agent: Who acts; must be registered.
            action: A game action (not Join, Quit or Reset) with all its parameters.

        Returns:
            The agent's new state, the step reward, and its status after the step.

        Raises:
            NotRegisteredError: If the agent is unknown.
            EpisodeOverError: If its episode has ended.
        """
        indexed = self.dynamics.labels.index(action)
        return self._play(agent, (action, indexed, count_text(action)))

    def step_number(self, agent: AgentId, number: int) -> Transition:
        """As `step`, for an action of `action_index`, and faster.

        Raises:
            UnknownActionError: If there is no such number.
            NotRegisteredError: If the agent is unknown.
            EpisodeOverError: If its episode has ended.
        """
        try:
            numbered = self._numbers[number]
        except KeyError:
            numbered = self.dynamics.labels.numbered(number, self.action_index)
        return self._play(agent, numbered)

    def _play(self, agent: AgentId, numbered: NumberedAction) -> Transition:
        """What `_play_in_full` does, without its calls, for a player that meets no special case."""
        action, indexed, text = numbered
        episode, dynamics = self.episode, self.dynamics
        try:
            player = episode.players[agent]
        except KeyError:
            return self._play_in_full(agent, action, indexed)
        state, status, truth = player.state, player.status, dynamics.truth
        if (
            (status is not _WITH_TIMEOUT and status is not _WITHOUT_TIMEOUT)
            or not player.is_plain
            or player.attack_succeeded is not None
            or truth.blocked
            or dynamics.has_chance
            or type(state) is not KnownState
            or state.labels is not dynamics.labels
        ):
            return self._play_in_full(agent, action, indexed)
        known = after = state.knowledge
        if known.controlled & indexed.source_mask:
            after = RULE_BY_NAME[indexed.name](truth, known, indexed, agent)
        steps = player.steps = player.steps + 1
        reward = player.reward = episode.rewards.step
        if after is not known:
            state.forget_json()
            state = player.state = make_state(after, dynamics.labels)
        player.trajectory.add(action, reward, state, text)
        told = player.told
        if (after is not known or steps == 1) and player.goal.is_reached(state):
            episode.end(player, AgentStatus.Success)
        elif player.max_steps is not None and steps >= player.max_steps:
            episode.end(player, AgentStatus.TimeoutReached)
        elif told is not None and told[0] is state:
            return told  # most actions change nothing; to make an equal answer takes a tenth longer
        told = player.told = _new(
            Transition, (state, player.reward, player.status, player.is_settled)
        )
        return told

    def _play_in_full(self, agent: AgentId, action: Action, indexed: IndexedAction) -> Transition:
        episode, dynamics = self.episode, self.dynamics
        player = episode.player(agent)
        if not player.is_playing:
            raise EpisodeOverError(f"the episode of agent {agent} has ended: {player.status}")
        state = dynamics.step_indexed(agent, player.state, indexed)
        blamed = dynamics.take_blamed()
        if player.role is not AgentRole.Attacker:
            for blocker in blamed:
                episode.add_false_positive(blocker)
        episode.advance(agent, player, action, state, dynamics.streams.detection)
        return Transition(state, player.reward, player.status, player.is_settled)

    def player(self, agent: AgentId) -> Player:
        """How an agent stands in this episode; NotRegisteredError if it is unknown."""
        return self.episode.player(agent)

    def remove(self, agent: AgentId) -> None:
        """Take an agent out of the game; it counts no more."""
        self.episode.leave(agent)

    def reset(
        self, seed: int | None = None, *, randomize_topology: bool = False
    ) -> dict[AgentId, Registration]:
        """Begin a new episode with the same agents, in the order they joined.

        Args:
            seed: Re-seeds every random choice; None goes on with the streams as they are.
            randomize_topology: Draw new addresses; only a task with dynamic addresses does.
        """
        roles = {agent: player.role for agent, player in self.episode.players.items()}
        self.episode.restart()
        relabel = randomize_topology and self.spec.task.use_dynamic_addresses
        self.dynamics.reset(seed, randomize_addresses=relabel)
        self._numbers = self.dynamics.labels.numbers(self.action_index)
        return {agent: self.register(agent, role) for agent, role in roles.items()}
