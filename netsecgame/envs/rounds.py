"""A world played in rounds: what all environments step.

In a round everybody who still plays acts once: attackers first, then defenders, then benign agents,
and those of one role in the order of their seats. Each acts on what the ones before it have done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netsecgame.core.knowledge import KnownState
from netsecgame.core.reward import final_reward
from netsecgame.core.world import World
from netsecgame.game_components import Action, AgentRole, AgentStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netsecgame.core.episode import Player
    from netsecgame.core.goal import Goal
    from netsecgame.envs.game import Game
    from netsecgame.envs.opponents import Opponent

#: Who acts first in a round.
ROLE_ORDER = (AgentRole.Attacker, AgentRole.Defender, AgentRole.Benign)


class Seat(NamedTuple):
    """One agent of a game.

    Attributes:
        agent: Its name.
        role: What it plays.
        opponent: Who plays it; None is a learner, whose actions come from outside.
    """

    agent: str
    role: AgentRole
    opponent: Opponent | None = None


class Turn(NamedTuple):
    """What came of one round for one learner.

    Attributes:
        state: What it knows now.
        reward: What it gained; its final reward too, if that became known.
        terminated: Whether its episode has ended other than by its step limit.
        truncated: Whether its step limit has ended it.
        status: How its episode stands.
        is_waiting: Whether it has ended and waits for its final reward: actions of it are ignored.
    """

    state: KnownState
    reward: float
    terminated: bool
    truncated: bool
    status: AgentStatus
    is_waiting: bool


class Rounds:
    """One game, some of whose agents are learners.

    An attacker or benign agent is told its final reward when it ends. That of a defender depends on
    how the attack goes: one that ends before the attackers waits.

    Attributes:
        game: What is played.
        seats: All agents in the order in which they act.
        world: The rules and the truth.
        learners: The agents that still play or wait in this episode, in order.
    """

    def __init__(self, game: Game, seats: Sequence[Seat], seed: int) -> None:
        """Set up a game before its first episode; `reset` begins one.

        Raises:
            RoleNotAvailableError: If the task has no such role.
        """
        self.game = game
        self._first_seed: int | None = seed
        self.seats = sorted(seats, key=lambda seat: ROLE_ORDER.index(seat.role))
        self.world = World(game.spec, seed, game.topology, game.full_index)
        self._first_number = {seat.agent: game.first_number(seat.role) for seat in self.seats}
        self._goals: dict[str, Goal] = {}
        for seat in self.seats:
            game.role_task(seat.role)
            self._goals[seat.agent] = self.world.register(seat.agent, seat.role).goal
        self.learners: list[str] = []
        self._untold: list[tuple[str, Opponent]] = []  # those that have not heard of their end
        self._paid: dict[str, float] = {}  # of the reward of the last action

    def reset(
        self, seed: int | None = None, *, randomize_topology: bool = False
    ) -> dict[str, KnownState]:
        """Begin an episode; gives what each learner knows.

        Args:
            seed: Re-seeds every random choice; None goes on with the streams as they are, and the
                first time begins those of the seed that the game was set up with.
            randomize_topology: Draw new addresses; only a task with dynamic addresses does.
        """
        if seed is None:
            seed = self._first_seed
        self._first_seed = None
        begun = self.world.reset(seed, randomize_topology=randomize_topology)
        self._goals = {seat.agent: begun[seat.agent].goal for seat in self.seats}
        self._paid = {}
        self.learners = []
        self._untold = []
        for seat in self.seats:
            if seat.opponent is None:
                self.learners.append(seat.agent)
            else:
                seat.opponent.begin(self.state(seat.agent), self._goals[seat.agent], seed)
                self._untold.append((seat.agent, seat.opponent))
        return {agent: self.state(agent) for agent in self.learners}

    def step(self, actions: Mapping[str, int | Action]) -> dict[str, Turn]:
        """Play a round; gives what came of it for each learner that played or waited.

        The round ends early when no learner is left.

        Args:
            actions: By learner, its action: the number in the index of its role, or the action
                itself; those of learners that wait are not looked at.

        Raises:
            UnknownActionError: If there is no such number.
            KeyError: If a learner that plays is given no action.
        """
        turns: dict[str, Turn] = {}
        acted: set[str] = set()
        playing = list(self.learners)
        for seat in self.seats:
            if not self.learners:
                break
            agent = seat.agent
            player = self.world.player(agent)
            if not player.is_playing:
                continue
            if seat.opponent is not None:
                self._let_play(agent, seat.opponent)
            elif agent in self.learners:
                self._act(agent, actions[agent])
                acted.add(agent)
            self._let_go()
        if self._untold:
            self._tell_ends()
        for agent in playing:
            turns[agent] = self._turn(agent, has_acted=agent in acted)
        return turns

    def state(self, agent: str) -> KnownState:
        """What an agent knows."""
        state = self.world.player(agent).state
        assert isinstance(state, KnownState)
        return state

    def goal(self, agent: str) -> Goal:
        """What an agent has to reach in this episode."""
        return self._goals[agent]

    def share_of_steps(self, agent: str) -> float:
        """How much of its step limit an agent has used, 0..1; 0 without a limit."""
        player = self.world.player(agent)
        return player.steps / player.max_steps if player.max_steps else 0.0

    def _act(self, agent: str, action: int | Action) -> None:
        if isinstance(action, Action):
            self.world.step(agent, action)
        else:  # an int, because masks are shifted by parts of the number: those of numpy overflow
            self.world.step_number(agent, int(action) + self._first_number[agent])

    def _let_play(self, agent: str, opponent: Opponent) -> None:
        action = opponent.act(self.state(agent))
        if action is not None:
            self._act(agent, action)

    def _tell_ends(self) -> None:
        """Opponents whose final reward is known are told."""
        done = [(agent, opponent) for agent, opponent in self._untold if self._is_done(agent)]
        for agent, opponent in done:
            self._untold.remove((agent, opponent))
            player = self.world.player(agent)
            opponent.end(self.state(agent), self._total_reward(player), player.status)

    def _let_go(self) -> None:
        """Those whose final reward is known play no more."""
        self.learners = [agent for agent in self.learners if not self._is_done(agent)]

    def _is_done(self, agent: str) -> bool:
        player = self.world.player(agent)
        return player.is_settled or (
            player.role is not AgentRole.Defender and not player.is_playing
        )

    def _turn(self, agent: str, *, has_acted: bool) -> Turn:
        player = self.world.player(agent)
        is_done = self._is_done(agent)
        total = self._total_reward(player)
        reward = total if has_acted else total - self._paid.get(agent, 0)
        self._paid[agent] = total
        is_late = player.is_out_of_steps and player.status is AgentStatus.TimeoutReached
        truncated = is_done and is_late
        return Turn(
            self.state(agent),
            reward,
            is_done and not truncated,
            truncated,
            player.status,
            is_waiting=not is_done and not player.is_playing,
        )

    def _total_reward(self, player: Player) -> float:
        """The reward of its last action, with the final one in it if that is known."""
        if player.is_settled or player.is_playing or player.role is AgentRole.Defender:
            return player.reward
        # The world pays when the episode is over for everyone; what, is known now.
        rewards = self.game.spec.task.rewards
        return player.reward + final_reward(player.role, player.status, 0, rewards)
