"""One episode: who plays, how far they are, when it ends and what everyone gets.

Knows nothing of networks: it is told each agent's new view and decides goals, detection, time
limits, the end and the rewards. The server, whose worlds may be anything, and the pure `World`
share it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from netsecgame.core.detection import ActionHistory
from netsecgame.core.reward import final_reward, final_status, is_playing, playing_status
from netsecgame.core.task import DEFAULT_DETECTION_WINDOW, Rewards
from netsecgame.core.trajectory import Trajectory
from netsecgame.errors import AlreadyRegisteredError, EpisodeOverError, NotRegisteredError
from netsecgame.game_components import AgentRole, AgentStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from random import Random

    from netsecgame.core.goal import Goal
    from netsecgame.core.task import DetectionRule
    from netsecgame.core.world import Transition
    from netsecgame.game_components import Action, ActionType, GameState

AgentId: TypeAlias = Hashable


@dataclass
class Player:
    """One agent in one episode.

    Attributes:
        role: Its role.
        goal: What it has to reach.
        max_steps: Its step limit; None is no limit.
        state: What it knows now.
        trajectory: What it did so far.
        history: What the global defender remembers of it; None if nobody watches.
        status: How its episode stands.
        steps: Actions played.
        reward: Reward of the last action; includes the final reward once the player is settled.
        false_positives: Actions of others that its blocks refused wrongly.
        is_settled: Whether its episode has ended and its final reward is known.
        attack_succeeded: How the attack stood when the episode was over for this player, who was
            still playing; None before. It is told in the reply to its next action.
        told: What the world answered last, to be told again while nothing changes.
        is_plain: Whether nobody watches it and its goal is about itself alone.
    """

    role: AgentRole
    goal: Goal
    max_steps: int | None
    state: GameState
    trajectory: Trajectory
    history: ActionHistory | None = None
    status: AgentStatus = AgentStatus.Playing
    steps: int = 0
    reward: float = 0
    false_positives: int = 0
    is_settled: bool = False
    attack_succeeded: bool | None = None
    told: Transition | None = field(default=None, repr=False)
    _status_before_reset_request: AgentStatus | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.is_plain = self.history is None and not self.goal.all_attackers

    @property
    def is_playing(self) -> bool:
        """Whether it may act."""
        return is_playing(self.status)

    @property
    def is_out_of_steps(self) -> bool:
        """Whether it has used up its step limit, if it has one."""
        return self.max_steps is not None and self.steps >= self.max_steps


class Episode:
    """The players of one episode and the rules of its end.

    Attributes:
        players: By agent, in the order they joined.
        rewards: What steps and ends are worth.
        is_over: Whether no attacker plays any more. It was over then for everyone who had joined,
            also when another attacker comes and plays on.
        attack_succeeded: Whether an attacker reached its goal since the episode was last over.
    """

    def __init__(
        self,
        rewards: Rewards,
        *,
        detection: Mapping[ActionType, DetectionRule] | None = None,
        detection_window: int = DEFAULT_DETECTION_WINDOW,
    ) -> None:
        self.rewards = rewards
        self.players: dict[AgentId, Player] = {}
        self.is_over = False
        self.attack_succeeded = False
        self._detection = detection
        self._detection_window = detection_window
        self._attacking = 0  # attackers who are playing
        self._dismissed: list[Player] = []  # those for whom the episode was over last

    def join(
        self,
        agent: AgentId,
        role: AgentRole,
        state: GameState,
        goal: Goal,
        max_steps: int | None = None,
    ) -> Player:
        """Let an agent play from `state` on.

        Raises:
            AlreadyRegisteredError: If it plays already.
        """
        if agent in self.players:
            raise AlreadyRegisteredError(f"agent {agent} has joined already")
        watched = self._detection is not None and role is AgentRole.Attacker
        player = Player(
            role=role,
            goal=goal,
            max_steps=max_steps,
            state=state,
            trajectory=Trajectory(state),
            history=ActionHistory(self._detection_window) if watched else None,
            status=playing_status(max_steps),
        )
        self.players[agent] = player
        if role is AgentRole.Attacker:
            self._attacking += 1
        if self.is_over and role is AgentRole.Attacker:
            self.is_over = False
            self.attack_succeeded = False
            self._dismissed = []
        elif self.is_over:
            self._dismiss(player)
        return player

    def leave(self, agent: AgentId, *, has_begun: bool = True) -> list[AgentId]:
        """Take an agent out; it counts no more.

        Args:
            agent: Who leaves.
            has_begun: Whether the others were told that they may play; if not, they still wait for
                enough players, and the episode does not end for want of attackers.

        Returns:
            The agents whose final reward is known because of that.
        """
        player = self.players.pop(agent, None)
        if player is None or player.role is not AgentRole.Attacker:
            return []
        if player.is_playing:
            self._attacking -= 1
        return self._end_if_over() if has_begun else []

    def player(self, agent: AgentId) -> Player:
        """The player of an agent.

        Raises:
            NotRegisteredError: If it does not play.
        """
        try:
            return self.players[agent]
        except KeyError:
            raise NotRegisteredError(f"agent {agent} has not joined") from None

    def step(
        self, agent: AgentId, action: Action, state: GameState, rng: Random | None = None
    ) -> list[AgentId]:
        """Count one action of an agent and its result.

        Args:
            agent: Who acted.
            action: What it played.
            state: What it knows now.
            rng: Draws detections; needed when there is a global defender.

        Returns:
            The agents whose final reward is known because of that, the acting one too if so.

        Raises:
            NotRegisteredError: If the agent does not play.
            EpisodeOverError: If its episode has ended.
        """
        player = self.player(agent)
        if not player.is_playing:
            raise EpisodeOverError(f"the episode of agent {agent} has ended: {player.status}")
        return self.advance(agent, player, action, state, rng)

    def advance(
        self, agent: AgentId, player: Player, action: Action, state: GameState, rng: Random | None
    ) -> list[AgentId]:
        """As `step`, for a player who is known to be playing."""
        steps = player.steps = player.steps + 1
        reward = player.reward = self.rewards.step
        player.trajectory.append(action, reward, state)
        # What the player knows decides alone, unless its goal is about all attackers.
        may_be_reached = state is not player.state or steps == 1 or player.goal.all_attackers
        player.state = state
        status = player.status
        if may_be_reached and player.goal.is_reached(state, self.attacker_states()):
            status = AgentStatus.Success
        elif player.history is not None and self._is_detected(player.history, action, rng):
            status = AgentStatus.Fail
        elif player.is_out_of_steps:
            status = AgentStatus.TimeoutReached
        elif player.attack_succeeded is None:
            return []
        if player.attack_succeeded is None:
            return self.end(player, status)
        player.status = status
        self._settle(player, attack_succeeded=player.attack_succeeded)
        return [agent]

    def end(self, player: Player, status: AgentStatus) -> list[AgentId]:
        """End the episode of a player; returns the agents whose final reward is known now."""
        player.status = status
        if player.role is AgentRole.Attacker:
            self._attacking -= 1
            self.attack_succeeded = self.attack_succeeded or status is AgentStatus.Success
        return self._end_if_over()

    def add_false_positive(self, agent: AgentId) -> None:
        """Count a false positive of an agent, if it still plays along."""
        player = self.players.get(agent)
        if player is not None:
            player.false_positives += 1

    def request_reset(self, agent: AgentId) -> list[AgentId]:
        """An agent asks for a new episode; an attacker that does no longer plays this one.

        Returns:
            The agents whose final reward is known because of that.
        """
        player = self.player(agent)
        if player.is_playing:
            player._status_before_reset_request = player.status
            player.status = AgentStatus.ResetRequested
            if player.role is AgentRole.Attacker:
                self._attacking -= 1
        return self._end_if_over() if player.role is AgentRole.Attacker else []

    def withdraw_reset(self, agent: AgentId) -> None:
        """The agent's request is dropped; it goes on as before.

        An attacker that does goes on with those who were not yet told that the episode was over.
        """
        player = self.player(agent)
        if player._status_before_reset_request is None:
            return
        player.status = player._status_before_reset_request
        player._status_before_reset_request = None
        if player.role is AgentRole.Attacker:
            self._attacking += 1
        if self.is_over and player.role is AgentRole.Attacker:
            self.is_over = False
            for dismissed in self._dismissed:
                dismissed.attack_succeeded = None
            self._dismissed = []
        elif self.is_over:
            self._dismiss(player)

    def restart(self) -> None:
        """Begin anew, with nobody in it."""
        self.players = {}
        self._attacking = 0
        self.is_over = False
        self.attack_succeeded = False
        self._dismissed = []

    def attacker_states(self) -> Iterable[GameState]:
        """The views of all attackers, in the order they joined."""
        return (p.state for p in self.players.values() if p.role is AgentRole.Attacker)

    def _dismiss(self, player: Player) -> None:
        """The episode is over for a player who still plays; its next action is its last."""
        if player.attack_succeeded is None:
            player.attack_succeeded = self.attack_succeeded
            self._dismissed.append(player)

    def _is_detected(self, history: ActionHistory, action: Action, rng: Random | None) -> bool:
        if self._detection is None or rng is None:
            return False
        return history.is_detected(action, self._detection, rng)

    def _end_if_over(self) -> list[AgentId]:
        if self.is_over or self._attacking:
            return []
        self.is_over = True
        settled = []
        for agent, player in self.players.items():
            if player.is_playing:
                self._dismiss(player)
            elif player.status is not AgentStatus.ResetRequested and not player.is_settled:
                self._settle(player, attack_succeeded=self.attack_succeeded)
                settled.append(agent)
        return settled

    def _settle(self, player: Player, *, attack_succeeded: bool) -> None:
        player.status = final_status(player.role, player.status, attack_succeeded=attack_succeeded)
        extra = final_reward(player.role, player.status, player.false_positives, self.rewards)
        player.reward += extra
        player.trajectory.add_to_last_reward(extra)
        player.is_settled = True
