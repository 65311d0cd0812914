"""Games of several learners as PettingZoo environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from gymnasium.utils.seeding import np_random
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec
from pettingzoo.utils.wrappers import AssertOutOfBoundsWrapper, OrderEnforcingWrapper

from netsecgame.envs.game import open_game
from netsecgame.envs.global_state import GlobalState
from netsecgame.envs.learner import Learner
from netsecgame.envs.rounds import ROLE_ORDER, Rounds
from netsecgame.envs.seating import take_seats
from netsecgame.errors import ConfigurationError, suggest_nearest
from netsecgame.game_components import AgentStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import TypeAlias

    from numpy.typing import NDArray

    from netsecgame.core.task import GameSpec
    from netsecgame.envs.game import Game
    from netsecgame.envs.seating import Choice

    #: Observations or infos, by agent.
    ByAgent: TypeAlias = dict[str, dict[str, Any]]

#: The task that is played when nobody chose one: it has all three roles.
DEFAULT_TASK = "two_networks_defended"

RENDER_MODES = ("ansi", "human", "rgb_array")


class NetSecGameParallelEnv(ParallelEnv[str, dict[str, Any], int]):  # type: ignore[misc]  # untyped
    """Attackers, defenders and benign agents in one network; a step is one round.

    In a round attackers act first, then defenders, then benign agents, each on what the ones before
    have done. What an agent sees changes by its own actions only.

    An observation is a dict: `observation`, of the kind that was chosen, and `action_mask`, which
    has a 1 for each legal action. Infos have `action_mask` too, and `status`, `steps`, `is_waiting`
    and, at the end, `is_success`.

    An agent leaves when its final reward is known. That of a defender depends on the attackers: one
    that has ended before them waits, and its actions count for nothing.

    Attributes:
        game: What is played.
        possible_agents: The learners, in the order in which they act.
        agents: Those that have not left this episode.
        max_cycles: Rounds until everybody who is left is truncated; None leaves the end to the
            step limits of the task.
        state_space: What `state` gives.
    """

    def __init__(
        self,
        task: Game | GameSpec | str | Path = DEFAULT_TASK,
        attackers: int = 1,
        defenders: int = 1,
        benign: int = 0,
        observation: str = "flat",
        opponents: Mapping[str, Choice] | None = None,
        render_mode: str | None = None,
        max_cycles: int | None = None,
    ) -> None:
        """Set up a game; `reset` begins its first episode.

        Args:
            task: A task file, the name of a shipped task, or what is loaded already.
            attackers: How many play; at least one, because they decide when an episode is over.
            defenders: How many play.
            benign: How many play.
            observation: ``flat``, ``dict``, ``graph`` or ``text``.
            opponents: Who plays agents that are not to learn, by the name of the agent
                (``defender_0``) or of the role (``Defender``): see `make_opponent`.
            render_mode: ``ansi``, ``rgb_array``, ``human`` or None: see `render`.
            max_cycles: Rounds until everybody who is left is truncated; None is no limit.

        Raises:
            ConfigurationError: If an option makes no sense, or the task is wrong.
            RoleNotAvailableError: If the task has no such role.
        """
        if attackers < 1:
            raise ConfigurationError(f"expected at least 1, got {attackers}", path="attackers")
        if render_mode is not None and render_mode not in RENDER_MODES:
            hint = suggest_nearest(render_mode, RENDER_MODES)
            raise ConfigurationError(
                f"expected one of {', '.join(RENDER_MODES)}, got {render_mode!r}{hint}",
                path="render_mode",
            )
        self.metadata = {
            "name": "netsecgame_v0",
            "render_modes": list(RENDER_MODES),
            "render_fps": 2,
            "is_parallelizable": True,
        }
        self.render_mode = render_mode
        self.max_cycles = max_cycles
        self.game = open_game(task)
        counts = dict(zip(ROLE_ORDER, (attackers, defenders, benign), strict=True))
        seats = take_seats(self.game, counts, opponents or {})
        _, seed = np_random()  # drawn by the system: who wants the same again gives `reset` one
        self._rounds = Rounds(self.game, seats, seed)
        self._learners = {
            seat.agent: Learner(self._rounds, seat, observation)
            for seat in self._rounds.seats
            if seat.opponent is None
        }
        self.possible_agents = list(self._learners)
        self.agents: list[str] = []
        self._truth = GlobalState(self._rounds)
        self.state_space = spaces.Box(0, 1, (self._truth.size,), np.float32)
        self._cycles = 0

    def observation_space(self, agent: str) -> spaces.Dict:
        """What an agent observes."""
        return self._learners[agent].observation_space

    def action_space(self, agent: str) -> spaces.Discrete:
        """The numbers of an agent's actions: those of `game.action_index` for its role."""
        return self._learners[agent].action_space

    @property
    def state_names(self) -> list[str]:
        """What each number of `state` says."""
        return list(self._truth.feature_names)

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[ByAgent, ByAgent]:
        """Begin an episode; observations and infos.

        Args:
            seed: Re-seeds every random choice, those of opponents too; None goes on with the
                random streams as they are.
            options: ``randomize_topology``: whether to draw new addresses, which only a task with
                dynamic addresses does. Others are left to wrappers.
        """
        relabel = bool((options or {}).get("randomize_topology", False))
        self._rounds.reset(seed, randomize_topology=relabel)
        self.agents = self.possible_agents[:]
        self._cycles = 0
        observations, infos = {}, {}
        for agent, learner in self._learners.items():
            learner.begin()
            seen = observations[agent] = learner.observe()
            infos[agent] = learner.describe(seen["action_mask"], is_waiting=False)
        if self.render_mode == "human":
            self.render()
        return observations, infos

    def step(
        self, actions: Mapping[str, int]
    ) -> tuple[ByAgent, dict[str, float], dict[str, bool], dict[str, bool], ByAgent]:
        """Play a round.

        Args:
            actions: By agent, the number of its action; those of agents that wait do not count.

        Returns:
            By agent: observations, rewards, whether it has won or lost or its episode is over,
            whether a step limit has ended it, and infos.

        Raises:
            UnknownActionError: If there is no such number.
            KeyError: If an agent that plays is given no action.
        """
        turns = self._rounds.step(actions) if self.agents else {}
        self._cycles += 1
        is_cut = self.max_cycles is not None and self._cycles >= self.max_cycles
        observations, rewards, terminations, truncations, infos = {}, {}, {}, {}, {}
        for agent, turn in turns.items():
            learner = self._learners[agent]
            seen = observations[agent] = learner.observe()
            rewards[agent] = float(turn.reward)
            terminations[agent] = turn.terminated
            truncations[agent] = turn.truncated or (is_cut and not turn.terminated)
            told = infos[agent] = learner.describe(seen["action_mask"], is_waiting=turn.is_waiting)
            if terminations[agent] or truncations[agent]:
                told["is_success"] = turn.status is AgentStatus.Success
        self.agents = [] if is_cut else self._rounds.learners[:]
        if self.render_mode == "human":
            self.render()
        return observations, rewards, terminations, truncations, infos

    def state(self) -> NDArray[np.float32]:
        """The truth: who controls what, where data are, and who is blocked; see `state_names`."""
        return self._truth.observe()

    def render(self) -> str | NDArray[np.uint8] | None:
        """What each agent knows, opponents too: as text, or as pictures side by side.

        In the mode ``human`` the text is printed, after each reset and step by itself.
        """
        if self.render_mode is None:
            return None
        # Only who draws needs it.
        from netsecgame.envs.rendering import View, render_ansi, render_rgb_many  # noqa: PLC0415

        rounds = self._rounds
        views = []
        for seat in rounds.seats:
            player = rounds.world.player(seat.agent)
            state, goal = rounds.state(seat.agent), rounds.goal(seat.agent)
            title = f"{seat.agent} in {self.game.spec.task.scenario}"
            views.append(View(state, goal, player.steps, player.max_steps, title))
        if self.render_mode == "rgb_array":
            return render_rgb_many(views)
        text = "\n\n".join(map(render_ansi, views))
        if self.render_mode == "ansi":
            return text
        print(text, flush=True)  # noqa: T201 - the mode for people
        return None

    def close(self) -> None:
        """Nothing is open."""

    def __str__(self) -> str:
        return str(self.metadata["name"])


#: All agents act at once.
parallel_env = NetSecGameParallelEnv


def env(*arguments: Any, **options: Any) -> AECEnv[str, dict[str, Any], int]:
    """One agent acts after another; the arguments are those of `NetSecGameParallelEnv`.

    Actions are collected, and played when everybody has chosen: all see what was known at the
    beginning of the round.
    """
    turns = parallel_to_aec(NetSecGameParallelEnv(*arguments, **options))
    return OrderEnforcingWrapper(AssertOutOfBoundsWrapper(turns))
