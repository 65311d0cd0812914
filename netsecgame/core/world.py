"""The whole game as one pure object: what the server, environments and tests step alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netsecgame.core.dynamics import Dynamics
from netsecgame.core.episode import Episode
from netsecgame.errors import AlreadyRegisteredError, EpisodeOverError, RoleNotAvailableError
from netsecgame.game_components import AgentRole, AgentStatus, GameState

if TYPE_CHECKING:
    from netsecgame.core.episode import AgentId, Player
    from netsecgame.core.goal import Goal
    from netsecgame.core.task import GameSpec
    from netsecgame.core.topology import Topology
    from netsecgame.game_components import Action

#: The seed of a game for which nobody chose one.
DEFAULT_SEED = 42


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
    """

    def __init__(
        self, spec: GameSpec, seed: int | None = None, topology: Topology | None = None
    ) -> None:
        """Set up a game before its first episode.

        Args:
            spec: The task and its scenario.
            seed: Seed of all chance; None takes the task's, or 42 if the task wants a random one:
                nothing in here draws seeds.
            topology: `compile_game(spec)`, if the caller has it already: worlds can share it.
        """
        self.spec = spec
        if seed is None:
            seed = DEFAULT_SEED if spec.task.seed is None else spec.task.seed
        self.dynamics = Dynamics(spec, seed, topology)
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
        player = self.episode.player(agent)
        if not player.is_playing:
            raise EpisodeOverError(f"the episode of agent {agent} has ended: {player.status}")
        state = self.dynamics.step(agent, player.state, action)
        blamed = self.dynamics.take_blamed()
        if blamed and player.role is not AgentRole.Attacker:
            for blocker in blamed:
                self.episode.add_false_positive(blocker)
        self.episode.step(agent, action, state, self.dynamics.streams.detection)
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
        return {agent: self.register(agent, role) for agent, role in roles.items()}
