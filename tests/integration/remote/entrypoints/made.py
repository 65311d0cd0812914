"""Any environment that Gymnasium knows by name."""

from __future__ import annotations

from typing import Any

import gymnasium


def create_environment(env_id: int, name: str, **kwargs: Any) -> gymnasium.Env[Any, Any]:
    return gymnasium.make(name, **kwargs)
