"""What the servers of `benchmarks.remote` host."""

from __future__ import annotations

from typing import Any

import gymnasium


def create_environment(env_id: int, **options: Any) -> gymnasium.Env[Any, Any]:  # noqa: ARG001
    """CartPole-v1; several at once are stepped one after the other."""
    return gymnasium.make("CartPole-v1", **options)
