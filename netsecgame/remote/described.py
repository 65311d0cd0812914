"""What a server's description of an environment becomes: spaces, metadata, spec, reward range."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import gymnasium
from gymnasium.envs.registration import EnvSpec

from netsecgame.errors import ProtocolViolationError
from netsecgame.remote import array_json
from netsecgame.remote.rendering import RENDER_MODES
from netsecgame.remote.space_json import space_from_json

if TYPE_CHECKING:
    from gymnasium import Space

#: Of the reward where nobody says more.
ANY_REWARD = (-math.inf, math.inf)


def space_of(description: dict[str, Any], name: str) -> Space[Any]:
    """The space under a name.

    Raises:
        ProtocolViolationError: If there is none.
    """
    return space_from_json(description.get(name))


def spaces_of(description: dict[str, Any], name: str) -> dict[str, Space[Any]]:
    """The spaces under a name, by agent.

    Raises:
        ProtocolViolationError: If there are none.
    """
    documents = description.get(name)
    if not isinstance(documents, dict):
        raise ProtocolViolationError(f"expected spaces by agent in {name!r}, got {documents!r}")
    return {agent: space_from_json(document) for agent, document in documents.items()}


def metadata_of(description: dict[str, Any]) -> dict[str, Any]:
    """The environment's metadata; the render modes are those of this side."""
    told = _untag(description.get("metadata"))
    metadata = dict(told) if isinstance(told, dict) else {}
    return {**metadata, "render_modes": list(RENDER_MODES)}


def spec_of(description: dict[str, Any]) -> EnvSpec | None:
    """Id and limit of steps; None if the environment has no id."""
    told = description.get("spec")
    if not isinstance(told, dict) or not isinstance(told.get("id"), str):
        return None
    with suppress(gymnasium.error.Error):  # an id that is none
        return EnvSpec(told["id"], max_episode_steps=told.get("max_episode_steps"))
    return None


def reward_range_of(description: dict[str, Any]) -> tuple[float, float]:
    """Between what rewards are."""
    told = _untag(description.get("reward_range"))
    if not isinstance(told, (list, tuple)) or len(told) != 2:
        return ANY_REWARD
    low, high = told
    return float(low), float(high)


def keep_equal(known: Space[Any] | None, learned: Space[Any]) -> Space[Any]:
    """The space that is known already if it is the same: it may have been seeded."""
    return learned if known is None or known != learned else known


def _untag(value: Any) -> Any:
    try:
        return array_json.untag(value)
    except ValueError as error:
        raise ProtocolViolationError(f"a description that is no tagged JSON: {error}") from error
