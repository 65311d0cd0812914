"""NetSecGame: a network-security game that agents of many kinds play over TCP.

`game_components` is the vocabulary, `BaseAgent` the client. What is not vocabulary is loaded when
first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from netsecgame.game_components import (
    IP,
    Action,
    ActionType,
    AgentInfo,
    AgentRole,
    AgentStatus,
    Data,
    GameState,
    GameStatus,
    Network,
    Observation,
    ProtocolConfig,
    Service,
)

if TYPE_CHECKING:
    from netsecgame.agents.async_agent import AsyncAgent
    from netsecgame.agents.base_agent import BaseAgent
    from netsecgame.agents.parallel_base_agent import ParallelBaseAgent
    from netsecgame.utils.trajectory_recorder import TrajectoryRecorder
    from netsecgame.utils.utils import (
        generate_valid_actions,
        get_file_hash,
        observation_as_dict,
        observation_from_dict,
        observation_from_str,
        observation_to_str,
        read_trajectories_from_jsonl,
        state_as_ordered_string,
        store_trajectories_to_jsonl,
    )

__all__ = [
    "IP",
    "Action",
    "ActionType",
    "AgentInfo",
    "AgentRole",
    "AgentStatus",
    "AsyncAgent",
    "BaseAgent",
    "Data",
    "GameState",
    "GameStatus",
    "Network",
    "Observation",
    "ParallelBaseAgent",
    "ProtocolConfig",
    "Service",
    "TrajectoryRecorder",
    "__version__",
    "generate_valid_actions",
    "get_file_hash",
    "observation_as_dict",
    "observation_from_dict",
    "observation_from_str",
    "observation_to_str",
    "read_trajectories_from_jsonl",
    "state_as_ordered_string",
    "store_trajectories_to_jsonl",
]

__version__ = "0.3.0"  # as in pyproject.toml; a test compares them

_UTILS = "netsecgame.utils.utils"
_HOME_OF_LAZY_NAMES = {
    "AsyncAgent": "netsecgame.agents.async_agent",
    "BaseAgent": "netsecgame.agents.base_agent",
    "ParallelBaseAgent": "netsecgame.agents.parallel_base_agent",
    "TrajectoryRecorder": "netsecgame.utils.trajectory_recorder",
    "generate_valid_actions": _UTILS,
    "get_file_hash": _UTILS,
    "observation_as_dict": _UTILS,
    "observation_from_dict": _UTILS,
    "observation_from_str": _UTILS,
    "observation_to_str": _UTILS,
    "read_trajectories_from_jsonl": _UTILS,
    "state_as_ordered_string": _UTILS,
    "store_trajectories_to_jsonl": _UTILS,
}


def __getattr__(name: str) -> Any:
    home = _HOME_OF_LAZY_NAMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
