"""Compares values to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import GraphInstance


def assert_equal(seen: Any, expected: Any, place: str = "value") -> None:
    """Fail unless both are the same in value, type, and type and shape of arrays."""
    if isinstance(expected, np.generic | np.ndarray):
        assert isinstance(seen, np.generic | np.ndarray), (place, seen, expected)
        assert seen.dtype == expected.dtype, (place, seen.dtype, expected.dtype)
        assert seen.shape == expected.shape, (place, seen.shape, expected.shape)
        if expected.dtype == object:
            for index, (one, other) in enumerate(zip(seen.flat, expected.flat, strict=True)):
                assert_equal(one, other, f"{place}[{index}]")
            return
        assert seen.tobytes() == expected.tobytes(), (place, seen, expected)
        return
    if isinstance(expected, dict):
        assert isinstance(seen, dict), (place, seen)
        assert set(seen) == set(expected), (place, set(seen), set(expected))
        for key, value in expected.items():
            assert_equal(seen[key], value, f"{place}[{key!r}]")
        return
    if isinstance(expected, tuple | list):
        assert isinstance(
            seen, GraphInstance if isinstance(expected, GraphInstance) else type(expected)
        )
        assert len(seen) == len(expected), (place, seen, expected)
        for index, value in enumerate(expected):
            assert_equal(seen[index], value, f"{place}[{index}]")
        return
    assert type(seen) is type(expected), (place, seen, expected)
    assert seen == expected or (seen != seen and expected != expected), (place, seen, expected)  # noqa: PLR0124
