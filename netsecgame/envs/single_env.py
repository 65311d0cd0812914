"""One learner in one game as a Gymnasium environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, SupportsIndex

from netsecgame.envs.agent_env import AgentEnv, not_among, read_relabel
from netsecgame.envs.game import open_game
from netsecgame.envs.opponents import make_opponent
from netsecgame.envs.rounds import Rounds, Seat
from netsecgame.envs.seeds import draw_seed
from netsecgame.errors import EpisodeOverError, GameError
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.core.task import GameSpec
    from netsecgame.envs.game import Game
    from netsecgame.envs.opponents import Opponent
    from netsecgame.envs.rounds import Turn

#: Who attacks where nobody said: the scripted attacker, unless the learner attacks itself.
AUTO: Final = "auto"

_ROLES: Final = (AgentRole.Attacker, AgentRole.Defender)


#: Rounds in a row without an action of anybody, after which a learner waits no longer.
_MAX_IDLE_ROUNDS = 1_000


class NetSecGameEnv(AgentEnv):
    """One attacker, or one defender, and maybe an opponent.

    A step is a round: attackers act first, then defenders. The episode of a defender that has ended
    before the attackers goes on without it within that step, because its final reward depends on
    how the attack ends.
    """

    def __init__(
        self,
        task: Game | GameSpec | str | Path,
        role: str = AgentRole.Attacker,
        observation: str = "flat",
        attacker: str | Path | Opponent | None = AUTO,
        defender: str | Path | Opponent | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Set up a game; `reset` begins its first episode.

        Args:
            task: A task file, the name of a shipped task, or what is loaded already.
            role: ``Attacker`` or ``Defender``.
            observation: ``flat``, ``dict``, ``graph`` or ``text``.
            attacker: Who attacks besides a learner: ``random``, ``scripted``, the file of a saved
                policy, or an `Opponent`; None is nobody. ``auto`` is the scripted attacker for a
                learner that defends, and nobody for one that attacks.
            defender: Who defends besides a learner; likewise, and there is ``stochastic``.
            render_mode: ``ansi``, ``rgb_array`` or None.

        Raises:
            ConfigurationError: If an option makes no sense, or the task is wrong.
            RoleNotAvailableError: If the task has no such role.
        """
        learner = _read_role(role)
        if attacker == AUTO:
            attacker = None if learner is AgentRole.Attacker else "scripted"
        game = open_game(task)
        others = {AgentRole.Attacker: attacker, AgentRole.Defender: defender}
        seats = _take_seats(game, learner, others)
        super().__init__(
            game, learner, observation, has_others=len(seats) > 1, render_mode=render_mode
        )
        self._agent = seats[0].agent
        self._rounds = Rounds(game, seats, seed=0)  # its episodes begin with seeds of their own
        self._steps = 0
        self._has_begun = False

    @property
    def state(self) -> KnownState:
        """What the learner knows."""
        return self._rounds.state(self._agent)

    @property
    def goal(self) -> Goal:
        """What the learner has to reach in this episode."""
        return self._rounds.goal(self._agent)

    @property
    def steps(self) -> int:
        """Actions played in this episode."""
        return self._steps

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: Re-seeds every random choice, those of opponents too. None goes on with the random
                streams as they are; before the first episode it draws a seed.
            options: ``randomize_topology``: whether to draw new addresses, which only a task with
                dynamic addresses does.

        Raises:
            ConfigurationError: If there is no such option.
        """
        relabel = read_relabel(options)
        super().reset(seed=seed)
        if seed is None and not self._has_begun:
            seed = draw_seed(self.np_random)
        self._has_begun = True
        self._steps = 0
        state = self._rounds.reset(seed, randomize_topology=relabel)[self._agent]
        self.observer.begin(self.goal)
        status = self._rounds.world.player(self._agent).status
        return self._observe(state), self._tell(state, status, has_ended=False)

    def step(self, action: SupportsIndex) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Play one action.

        Args:
            action: Its number; any may be played, those that are not legal change nothing.

        Returns:
            The observation, the reward, whether the learner has won or lost or the episode is over,
            whether its step limit has ended it, and the info.

        Raises:
            UnknownActionError: If there is no such number; nothing is played then.
            EpisodeOverError: If the episode has ended, or none has begun.
        """
        number = self._read_number(action)
        rounds, agent = self._rounds, self._agent
        if not rounds.learners:
            problem = "has ended" if self._has_begun else "has not begun"
            raise EpisodeOverError(f"the episode {problem}; only a reset goes on")
        turn = rounds.step({agent: number})[agent]
        self._steps += 1
        reward = turn.reward
        if turn.is_waiting:
            turn, later = self._wait()
            reward += later
        has_ended = turn.terminated or turn.truncated
        info = self._tell(turn.state, turn.status, has_ended=has_ended)
        observation = self._observe(turn.state)
        return observation, float(reward), turn.terminated, turn.truncated, info

    def _wait(self) -> tuple[Turn, float]:
        """Play on without the learner until its final reward is known; gives that too."""
        players = self._rounds.world.episode.players
        idle = 0
        reward = 0.0
        while idle < _MAX_IDLE_ROUNDS:
            before = sum(player.steps for player in players.values())
            turn = self._rounds.step({})[self._agent]
            reward += turn.reward
            if not turn.is_waiting:
                return turn, reward
            is_idle = sum(player.steps for player in players.values()) == before
            idle = idle + 1 if is_idle else 0
        raise GameError(f"the attacker has done nothing for {idle} rounds, and may never end")


def _read_role(name: str) -> AgentRole:
    for role in _ROLES:
        if role == name:
            return role
    raise not_among("role", name, map(str, _ROLES))


def _take_seats(
    game: Game, learner: AgentRole, others: Mapping[AgentRole, str | Path | Opponent | None]
) -> list[Seat]:
    """Who plays; the learner is first."""
    seats = [Seat(f"{learner.lower()}_0", learner)]
    for role, what in others.items():
        if what is not None:
            number = int(role is learner)
            opponent = make_opponent(what, role, game, number)
            seats.append(Seat(f"{role.lower()}_{number}", role, opponent))
    return seats
