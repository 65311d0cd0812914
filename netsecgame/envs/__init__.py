"""Environments for training: Gymnasium, PettingZoo, and many games at once on arrays.

Importing this registers the ids of `netsecgame.envs.registration` with Gymnasium; everything else
is imported when somebody asks for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from netsecgame.errors import missing_extra

try:
    from netsecgame.envs.registration import register_environments
except ImportError as error:
    raise missing_extra(error, "env") from error

if TYPE_CHECKING:
    from netsecgame.envs.action_text import format_action, parse_action
    from netsecgame.envs.game import Game, open_game
    from netsecgame.envs.multi_agent import env, parallel_env
    from netsecgame.envs.observations import make_observer
    from netsecgame.envs.opponents import make_opponent
    from netsecgame.envs.single_env import NetSecGameEnv
    from netsecgame.envs.vector_env import NetSecGameVectorEnv

__all__ = [
    "Game",
    "NetSecGameEnv",
    "NetSecGameVectorEnv",
    "env",
    "format_action",
    "make_observer",
    "make_opponent",
    "open_game",
    "parallel_env",
    "parse_action",
]

_HOME_OF_LAZY_NAMES = {
    "Game": "game",
    "NetSecGameEnv": "single_env",
    "NetSecGameVectorEnv": "vector_env",
    "env": "multi_agent",
    "format_action": "action_text",
    "make_observer": "observations",
    "make_opponent": "opponents",
    "open_game": "game",
    "parallel_env": "multi_agent",
    "parse_action": "action_text",
}

register_environments()


def __getattr__(name: str) -> Any:
    home = _HOME_OF_LAZY_NAMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
