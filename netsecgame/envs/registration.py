"""The ids under which `gymnasium.make` and `gymnasium.make_vec` know the environments."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import gymnasium

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMESPACE = "netsecgame"
_SINGLE = "netsecgame.envs.single_env:NetSecGameEnv"
_VECTOR = "netsecgame.envs.vector_env:make_vector_env"
_OVER_TCP = "netsecgame.envs.server_env:ServerEnv"

#: The shipped task of each id that has one.
TASK_IDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        f"{_NAMESPACE}/OneNetwork-v0": "one_network",
        f"{_NAMESPACE}/TwoNetworksTiny-v0": "two_networks_tiny",
        f"{_NAMESPACE}/TwoNetworksSmall-v0": "two_networks_small",
        f"{_NAMESPACE}/TwoNetworks-v0": "two_networks",
        f"{_NAMESPACE}/ThreeNets-v0": "three_net_scenario",
    }
)

#: Any task: the option `task` says which.
TASK_ID: Final = f"{_NAMESPACE}/Task-v0"

#: A game on a server.
REMOTE_ID: Final = f"{_NAMESPACE}/Remote-v0"


def register_environments() -> None:
    """Make the ids known; once, however often it is called."""
    if TASK_ID in gymnasium.registry:
        return
    for name, task in TASK_IDS.items():
        gymnasium.register(
            name, entry_point=_SINGLE, vector_entry_point=_VECTOR, kwargs={"task": task}
        )
    gymnasium.register(TASK_ID, entry_point=_SINGLE, vector_entry_point=_VECTOR)
    gymnasium.register(REMOTE_ID, entry_point=_OVER_TCP)
