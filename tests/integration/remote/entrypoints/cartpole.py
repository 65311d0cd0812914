from __future__ import annotations

from typing import Any

import gymnasium


def create_environment(env_id: int, **kwargs: Any) -> gymnasium.Env[Any, Any]:
    return gymnasium.make("CartPole-v1", **kwargs)
