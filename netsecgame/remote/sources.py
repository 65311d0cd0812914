"""What results hold, as values of tensors: observations, rewards, flags, infos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from netsecgame.remote import array_json
from netsecgame.remote.codec import Field
from netsecgame.remote.hosted import Result
from netsecgame.remote.messages import DType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from netsecgame.remote.codec import SpaceCodec

TERMINATED_FLAG: Final = 1
TRUNCATED_FLAG: Final = 2

_INFINITY = np.array(np.inf)
_NO_FLAGS = np.array(0, np.uint8)
_ALL_FLAGS = np.array(TERMINATED_FLAG | TRUNCATED_FLAG, np.uint8)
_FLAGS = [np.array(flags, np.uint8) for flags in range(_ALL_FLAGS.item() + 1)]


class Source(NamedTuple):
    """One thing that results hold, as a tensor a field.

    Attributes:
        fields: The tensors.
        values: Gives what they hold, one a field; None if a result does not have them.
    """

    fields: tuple[Field, ...]
    values: Callable[[Result], Sequence[Any] | None]


def observation(codec: SpaceCodec) -> Source:
    """What the agent sees."""
    return Source(codec.fields, lambda result: codec.encode(result.observation))


def plain_reward(bounds: tuple[float, float] | None) -> Source:
    """The reward as precise as plain peers take it."""
    low, high = np.array(bounds or (-np.inf, np.inf), np.float32)
    field = Field("reward", DType.FLOAT, (), np.asarray(low), np.asarray(high))
    return Source((field,), lambda result: (float(result.reward),))


def reward(name: str) -> Source:
    """The reward to the last bit."""
    field = Field(name, DType.DOUBLE, (), -_INFINITY, _INFINITY)
    return Source((field,), lambda result: (float(result.reward),))


def flags(name: str) -> Source:
    """Whether the episode is over, and how."""
    field = Field(name, DType.UINT8, (), _NO_FLAGS, _ALL_FLAGS)

    def values(result: Result) -> tuple[NDArray[np.uint8]]:
        terminated = TERMINATED_FLAG if result.terminated else 0
        return (_FLAGS[terminated | TRUNCATED_FLAG if result.truncated else terminated],)

    return Source((field,), values)


def info(name: str) -> Source:
    """What else there is to know, as tagged JSON; "" is nothing."""
    field = Field(name, DType.STRING, (), None, None)
    return Source((field,), lambda result: (array_json.dumps(result.info) if result.info else "",))


def vector_rewards(count: int) -> Source:
    """The rewards of so many environments."""
    field = Field("reward", DType.DOUBLE, (count,), -_INFINITY, _INFINITY)
    return Source((field,), lambda result: (np.asarray(result.reward, np.float64),))


def vector_flags(count: int) -> Source:
    """Which episodes of so many environments are over, and how."""
    field = Field("flags", DType.UINT8, (count,), _NO_FLAGS, _ALL_FLAGS)

    def values(result: Result) -> tuple[NDArray[np.uint8]]:
        terminated = np.asarray(result.terminated, np.bool_) * np.uint8(TERMINATED_FLAG)
        return (terminated | np.asarray(result.truncated, np.bool_) * np.uint8(TRUNCATED_FLAG),)

    return Source((field,), values)


def of_agent(agent: str, source: Source) -> Source:
    """A source of one agent's results, read from those of all agents."""

    def values(result: Result) -> Sequence[Any] | None:
        if agent not in result.observation:
            return None
        return source.values(
            Result(
                result.state,
                result.observation[agent],
                result.reward[agent],
                result.terminated[agent],
                result.truncated[agent],
                result.info.get(agent),
            )
        )

    return Source(source.fields, values)
