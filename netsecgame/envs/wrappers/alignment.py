"""Observations and actions of several tasks brought to common places.

Each thing that can be known, and each action, has one place for all tasks. The last task comes
first, so that what is learned fits it as it is; what only others have comes behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from gymnasium import spaces

from netsecgame.core.addressing import Labels
from netsecgame.envs.observations import FlatObserver
from netsecgame.envs.wrappers.game_env import game_of
from netsecgame.errors import ConfigurationError
from netsecgame.game_components import ActionType

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import gymnasium
    from numpy.typing import NDArray

    from netsecgame.core.action_index import ActionIndex
    from netsecgame.core.knowledge import Knowledge

    Places = NDArray[np.intp]


class Alignment(NamedTuple):
    """Where the actions and numbers of some tasks are.

    Attributes:
        action_space: The actions of all.
        actions: By task: the place of each of its actions.
        observation_space: The observations of all.
        features: By task: the place of each number of its observations; None leaves them alone.
    """

    action_space: spaces.Discrete
    actions: Sequence[Places]
    observation_space: spaces.Space[Any]
    features: Sequence[Places] | None


def align(envs: Sequence[gymnasium.Env[Any, Any]]) -> Alignment:
    """Align the tasks of some environments of this game.

    Actions go by what they name under the addresses of their scenarios, flat observations by what
    is known; other observations must be in the same space.

    Raises:
        ConfigurationError: If agents play different roles, or observations cannot be aligned.
    """
    inner = [game_of(env) for env in envs]
    roles = {str(env.role) for env in inner}
    if len(roles) != 1:
        raise ConfigurationError(f"expected stages of one role, got {', '.join(sorted(roles))}")
    indices = [env.game.action_index(env.role) for env in inner]
    action_places, num_actions = _merge([_name_actions(index) for index in indices])
    space, features = _align_observations(envs)
    return Alignment(spaces.Discrete(num_actions), action_places, space, features)


def idle_action(index: ActionIndex, known: Knowledge) -> int:
    """The number of an action that changes nothing that the agent knows."""
    section = index.section(ActionType.ExfiltrateData)
    first = 0
    # From a host to itself, and best of data that it does not have as far as the agent knows.
    for rank, address in enumerate(index.addresses):
        first = section.start + rank * section.per_source + rank * len(index.data)
        has = known.data.get(address, 0)
        for place, datum in enumerate(index.data):
            if not has >> datum & 1:
                return first + place
    return first


def _align_observations(
    envs: Sequence[gymnasium.Env[Any, Any]],
) -> tuple[spaces.Space[Any], Sequence[Places] | None]:
    observers = [getattr(env.unwrapped, "observer", None) for env in envs]
    flat = [observer for observer in observers if isinstance(observer, FlatObserver)]
    is_flat = len(flat) == len(envs) and all(
        env.observation_space == observer.space for env, observer in zip(envs, flat, strict=True)
    )
    if is_flat:
        places, count = _merge([[*o.layout.feature_names, "share of steps"] for o in flat])
        return spaces.Box(0, 1, (count,), np.float32), places
    space = envs[-1].observation_space
    if any(env.observation_space != space for env in envs):
        raise ConfigurationError(
            "expected stages with flat observations or with the same observation space, got "
            + ", ".join(str(env.observation_space) for env in envs)
        )
    return space, None


def _name_actions(index: ActionIndex) -> list[Hashable]:
    labels = Labels.original(index.topology)
    return [index.action(number, labels) for number in range(index.size)]


def _merge(names: Sequence[Sequence[Hashable]]) -> tuple[list[Places], int]:
    """The place of every name, by list, and how many places there are; the last list is first."""
    place_of: dict[Hashable, int] = {}
    for some in reversed(names):
        for name in some:
            place_of.setdefault(name, len(place_of))
    places = [np.array([place_of[name] for name in some], np.intp) for some in names]
    return places, len(place_of)
