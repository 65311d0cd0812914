"""A hosted environment: one of the three kinds, its own code under guard.

What a `gymnasium.Env`, a `gymnasium.vector.VectorEnv` and a PettingZoo `ParallelEnv` have in common
behind one face. Everything an environment's own code raises leaves here as
`EnvironmentRaisedError`, with the phase in which it did.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium
import numpy as np

from netsecgame.errors import EntrypointError, EnvironmentRaisedError, UnsupportedByServerError
from netsecgame.remote.guard import EnvironmentCode
from netsecgame.remote.messages import State
from netsecgame.remote.refusals import Refusal
from netsecgame.remote.reports import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from netsecgame.remote.settings import ResetSettings

_RESET, _STEP, _RENDER, _CLOSE = map(EnvironmentCode, ("reset", "step", "render", "close"))
#: Attributes belong to no phase.
_ATTRIBUTE = EnvironmentCode("")


class Result(NamedTuple):
    """What a reset or a step gave.

    In a vector everything has num_envs in front; of a parallel environment everything is a dict
    with agents as keys.
    """

    state: State
    observation: Any
    reward: Any
    terminated: Any
    truncated: Any
    info: Any


class Hosted(ABC):
    """One environment of a kind.

    Attributes:
        kind: ``single``, ``vector`` or ``parallel``.
        env: The environment itself.
        render_mode: As the environment has it.
    """

    kind: str
    env: Any
    render_mode: str | None
    _has_episode = False

    @abstractmethod
    def reset(self, settings: ResetSettings) -> Result:
        """Begin an episode; its first result has no reward and no end."""

    @abstractmethod
    def step(self, action: Any) -> Result:
        """Take one step; `action` is the environment's own."""

    @abstractmethod
    def close(self) -> None:
        """Close the environment."""

    @abstractmethod
    def attribute(self, name: str) -> Any:
        """The value of an attribute, looked for through all wrappers.

        Raises:
            AttributeError: If there is none.
        """

    @abstractmethod
    def _render(self) -> Any:
        """What the environment draws."""

    @property
    def is_rendering(self) -> bool:
        """Whether the environment draws frames."""
        return self.render_mode == "rgb_array"

    @property
    def reward_range(self) -> tuple[float, float] | None:
        """The bounds of rewards, if the environment tells them."""
        return None

    def frame(self) -> NDArray[np.uint8]:
        """The frame of now: (height, width, 3), of a vector (num_envs, height, width, 3).

        Raises:
            Refusal: If the environment draws none, or has not begun an episode yet.
        """
        if not self.is_rendering:
            raise Refusal(
                Reason.UNIMPLEMENTED,
                f"the environment draws no frames: its render_mode is {self.render_mode!r}, "
                "expected 'rgb_array'",
            )
        if not self._has_episode:
            raise Refusal(Reason.BAD_STATE, "there is no frame before the first episode")
        with _RENDER:
            frame = np.asarray(self._render())
        expected = 4 if self.kind == "vector" else 3
        if frame.dtype != np.uint8 or frame.ndim != expected or frame.shape[-1] != 3:
            raise EnvironmentRaisedError(
                "ValueError",
                f"render() gave {frame.dtype} {frame.shape}, expected uint8 (height, width, 3)",
                phase="render",
            )
        return frame


class HostedSingle(Hosted):
    """A `gymnasium.Env`."""

    kind = "single"

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        self.env: gymnasium.Env[Any, Any] = env
        with EnvironmentCode("constructor"):
            self.observation_space = env.observation_space
            self.action_space = env.action_space
            self.render_mode = env.render_mode
        self._step = env.step

    @property
    def reward_range(self) -> tuple[float, float] | None:
        """The bounds of rewards, if the environment still has them."""
        try:
            with EnvironmentCode("", passed=(AttributeError,)):
                low, high = self.env.get_wrapper_attr("reward_range")
                return float(low), float(high)
        except AttributeError:
            return None

    def reset(self, settings: ResetSettings) -> Result:
        """Begin an episode."""
        with _RESET:
            observation, info = self.env.reset(seed=settings.seed, options=settings.options)  # type: ignore[arg-type]
        self._has_episode = True
        return Result(State.RUNNING, observation, 0.0, False, False, info)

    def step(self, action: Any) -> Result:
        """Take one step."""
        with _STEP:
            observation, reward, terminated, truncated, info = self._step(action)
        state = (
            State.TERMINATED if terminated else State.INTERRUPTED if truncated else State.RUNNING
        )
        return Result(state, observation, reward, terminated, truncated, info)

    def close(self) -> None:
        """Close the environment."""
        with _CLOSE:
            self.env.close()

    def attribute(self, name: str) -> Any:
        """The value of an attribute of the environment or a wrapper."""
        return self.env.get_wrapper_attr(name)

    def _render(self) -> Any:
        return self.env.render()


class HostedVector(Hosted):
    """A `gymnasium.vector.VectorEnv`; its environments begin new episodes by themselves."""

    kind = "vector"

    def __init__(self, env: gymnasium.vector.VectorEnv[Any, Any, Any]) -> None:
        self.env: gymnasium.vector.VectorEnv[Any, Any, Any] = env
        with EnvironmentCode("constructor"):
            self.num_envs = env.num_envs
            self.single_observation_space = env.single_observation_space
            self.single_action_space = env.single_action_space
            self.action_space = env.action_space
            self.render_mode = env.render_mode

    def reset(self, settings: ResetSettings) -> Result:
        """Begin an episode in each environment, or in those of the mask."""
        options = settings.options
        if settings.mask is not None:
            options = {**(options or {}), "reset_mask": settings.mask}
        with _RESET:
            observation, info = self.env.reset(seed=settings.seed, options=options)  # type: ignore[arg-type]
        self._has_episode = True
        rewards = np.zeros(self.num_envs)
        over = np.zeros(self.num_envs, np.bool_)
        return Result(State.RUNNING, observation, rewards, over, over, info)

    def step(self, action: Any) -> Result:
        """Take one step."""
        with _STEP:
            return Result(State.RUNNING, *self.env.step(action))

    def close(self) -> None:
        """Close the environment."""
        with _CLOSE:
            self.env.close()

    def attribute(self, name: str) -> Any:
        """The value of an attribute of the vector, else those of its environments."""
        try:
            return getattr(self.env, name)
        except AttributeError:
            # Vectors of single environments hand out theirs, one value an environment.
            get_attr = getattr(self.env, "get_attr", None)
            if get_attr is None:
                raise
            return get_attr(name)

    def _render(self) -> Any:
        return np.stack(self.env.render() or ())


class HostedParallel(Hosted):
    """A PettingZoo `ParallelEnv`, known by what it has: PettingZoo itself need not be installed."""

    kind = "parallel"

    def __init__(self, env: Any) -> None:
        self.env = env
        with EnvironmentCode("constructor"):
            self.agents: tuple[str, ...] = tuple(env.possible_agents)
            odd = [agent for agent in self.agents if not isinstance(agent, str)]
            if odd:
                raise TypeError(f"agents must be strings, not {odd[0]!r}")
            self.observation_spaces = {name: env.observation_space(name) for name in self.agents}
            self.action_spaces = {name: env.action_space(name) for name in self.agents}
            self.render_mode = getattr(env, "render_mode", None)

    @property
    def live_agents(self) -> frozenset[str]:
        """Who acts in the next step."""
        with _ATTRIBUTE:
            return frozenset(self.env.agents)

    def reset(self, settings: ResetSettings) -> Result:
        """Begin an episode."""
        with _RESET:
            observations, infos = self.env.reset(seed=settings.seed, options=settings.options)
            self._check_agents(observations)
            nothing = dict.fromkeys(observations, False)
            rewards = dict.fromkeys(observations, 0.0)
        self._has_episode = True
        return Result(State.RUNNING, observations, rewards, nothing, nothing, infos)

    def step(self, action: Any) -> Result:
        """Take one step."""
        with _STEP:
            observations, rewards, terminated, truncated, infos = self.env.step(action)
            self._check_agents(observations)
            state = State.RUNNING
            if not self.env.agents:
                is_terminated = any(terminated.values())
                state = State.TERMINATED if is_terminated else State.INTERRUPTED
            return Result(state, observations, rewards, terminated, truncated, infos)

    def close(self) -> None:
        """Close the environment."""
        with _CLOSE:
            self.env.close()

    def attribute(self, name: str) -> Any:
        """The value of an attribute of the environment."""
        return getattr(self.env, name)

    def _render(self) -> Any:
        return self.env.render()

    def _check_agents(self, observations: Mapping[str, Any]) -> None:
        """Nobody may appear whom no client has heard of."""
        unknown = [agent for agent in observations if agent not in self.observation_spaces]
        if unknown:
            raise ValueError(f"agent {unknown[0]!r} is none of possible_agents {self.agents}")


def host(made: Any) -> HostedSingle | HostedVector | HostedParallel:
    """Take what an entrypoint made.

    Raises:
        EntrypointError: If it is no environment.
        EnvironmentRaisedError: If it does not say what its spaces are.
    """
    if isinstance(made, gymnasium.Env):
        return HostedSingle(made)
    if isinstance(made, gymnasium.vector.VectorEnv):
        return HostedVector(made)
    if all(hasattr(made, name) for name in ("possible_agents", "observation_space", "step")):
        return HostedParallel(made)
    raise EntrypointError(
        f"the entrypoint made {type(made).__name__!r}, expected a gymnasium.Env, a "
        "gymnasium.vector.VectorEnv or a pettingzoo.ParallelEnv"
    )


#: What is asked of an entrypoint's environment, by kind, and who asks.
_CLIENTS = {
    "single": "RemoteEnvironment",
    "vector": "RemoteVectorEnv",
    "parallel": "RemoteParallelEnv",
}


def check_kind(hosted: Hosted, wanted: str) -> None:
    """Refuse a client of another kind than the environment.

    Raises:
        UnsupportedByServerError: The text says which client to take instead.
    """
    if hosted.kind != wanted:
        raise UnsupportedByServerError(
            f"the environment is of the kind {hosted.kind!r}, not {wanted!r}; "
            f"use netsecgame.remote.{_CLIENTS[hosted.kind]}"
        )
