from __future__ import annotations

import inspect
import json
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from netsecgame.errors import ProtocolViolationError, UnsupportedByServerError
from netsecgame.remote import array_json
from netsecgame.remote.space_json import space_from_json, space_to_json

_BOX = spaces.Box(-1, 1, (2,))
SPACES: dict[str, spaces.Space[Any]] = {
    "box": spaces.Box(-1, 1, (3,)),
    "box-two-bounds": spaces.Box(np.array([0, 1.0]), np.array([2, np.inf]), dtype=np.float64),
    "box-uint8": spaces.Box(0, 255, (2, 2), np.uint8),
    "box-float16": spaces.Box(0, 0.1, (2,), np.float16),
    "box-bool": spaces.Box(0, 1, (), np.bool_),
    "box-int64": spaces.Box(-(2**63), 2**63 - 2, (2,), np.int64),
    "box-int64-unbounded": spaces.Box(-np.inf, np.inf, (2,), np.int64),
    "box-int32-half-bounded": spaces.Box(
        np.array([-np.inf, 0.0]), np.array([5.0, np.inf]), dtype=np.int32
    ),
    "box-empty": spaces.Box(0, 1, (0, 2)),
    "discrete": spaces.Discrete(3),
    "discrete-start": spaces.Discrete(3, start=-4),
    "multi-discrete": spaces.MultiDiscrete([2, 3]),
    "multi-discrete-2d": spaces.MultiDiscrete(
        np.array([[2, 3], [4, 5]]), start=np.array([[1, 0], [0, -2]])
    ),
    "multi-discrete-int32": spaces.MultiDiscrete([3], np.int32),
    "multi-binary": spaces.MultiBinary(3),
    "multi-binary-2d": spaces.MultiBinary([2, 2]),
    "text": spaces.Text(5, min_length=0, charset="ba$ä"),
    "tuple": spaces.Tuple([spaces.Discrete(2), spaces.Text(3)]),
    "tuple-empty": spaces.Tuple([]),
    "dict": spaces.Dict([("b", spaces.Discrete(2)), ("a", spaces.Dict({"$x": _BOX}))]),
    "dict-keys": spaces.Dict([(1, _BOX), ((2, "x"), spaces.Discrete(2))]),  # type: ignore[list-item]
    "sequence": spaces.Sequence(spaces.Discrete(3)),
    "sequence-stack": spaces.Sequence(_BOX, stack=True),
    "graph": spaces.Graph(_BOX, spaces.Discrete(3)),
    "graph-without-edges": spaces.Graph(spaces.Discrete(2), None),
    "one-of": spaces.OneOf([spaces.Discrete(2), _BOX]),
}
if "dtype" in inspect.signature(spaces.Discrete).parameters:
    SPACES["discrete-int32"] = spaces.Discrete(3, dtype=np.int32)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_space_through_json_is_equal_and_draws_the_same(space: spaces.Space[Any]) -> None:
    result = space_from_json(json.loads(json.dumps(space_to_json(space), allow_nan=False)))
    assert result == space
    assert (repr(result), result.dtype, result.shape) == (repr(space), space.dtype, space.shape)
    space.seed(5)
    result.seed(5)
    for _ in range(3):
        assert repr(result.sample()) == repr(space.sample())


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_space_inside_tagged_json_is_equal(space: spaces.Space[Any]) -> None:
    document = {"action_space": space_to_json(space)}
    assert space_from_json(array_json.loads(json.dumps(document))["action_space"]) == space
    assert space_from_json(array_json.loads(array_json.dumps(document))["action_space"]) == space


def test_json_of_each_kind_is_as_documented() -> None:
    box = {"t": "Box", "dtype": "float32", "shape": [3], "low": -1.0, "high": 1.0}
    assert space_to_json(SPACES["box"]) == box
    assert type(space_to_json(SPACES["box-bool"])["low"]) is int
    start = {"t": "Discrete", "n": 3, "start": -4, "dtype": "int64"}
    assert space_to_json(SPACES["discrete-start"]) == start
    assert space_to_json(SPACES["multi-binary-2d"]) == {"t": "MultiBinary", "n": [2, 2]}
    text = {"t": "Text", "min": 0, "max": 5, "charset": "ba$ä"}
    assert space_to_json(SPACES["text"]) == text
    one = {"t": "Discrete", "n": 2, "start": 0, "dtype": "int64"}
    assert space_to_json(SPACES["one-of"])["s"][0] == one
    assert space_to_json(SPACES["dict"])["s"][0] == ["b", one]
    assert space_to_json(SPACES["sequence-stack"])["stack"] is True
    assert space_to_json(SPACES["graph-without-edges"]) == {"t": "Graph", "node": one, "edge": None}


def test_box_without_bounds_stays_without() -> None:
    result = space_from_json(space_to_json(SPACES["box-int32-half-bounded"]))
    assert isinstance(result, spaces.Box)
    assert result.bounded_below.tolist() == [False, True]
    assert result.bounded_above.tolist() == [True, False]


class _OwnSpace(spaces.Space[int]):
    pass


def test_space_of_another_kind_is_refused() -> None:
    with pytest.raises(UnsupportedByServerError, match="no space of Gymnasium's own"):
        space_to_json(spaces.Tuple([_OwnSpace()]))


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"t": "Space"},
        {"t": ["Box"]},
        {"t": "Box"},
        {"t": "Box", "dtype": "float32", "shape": [2], "low": 1, "high": 0},
        {"t": "Box", "dtype": "no type", "shape": [2], "low": 0, "high": 1},
        {"t": "Box", "dtype": "object", "shape": [2], "low": 0, "high": 1},
        {"t": "Box", "dtype": "float32", "shape": 2, "low": 0, "high": 1},
        {"t": "Box", "dtype": "float32", "shape": [2], "low": {"$x": 1}, "high": 1},
        {
            "t": "Box",
            "dtype": "float32",
            "shape": [2],
            "low": array_json.tag(np.ones(3)),
            "high": 1,
        },
        {"t": "Discrete", "n": 0, "start": 0, "dtype": "int64"},
        {"t": "Discrete", "n": "3", "start": 0, "dtype": "int64"},
        {"t": "MultiDiscrete", "nvec": [[1], [1, 2]], "start": [0], "dtype": "int64"},
        {"t": "MultiBinary", "n": -1},
        {"t": "Dict", "s": [["a", {"t": "Discrete"}]]},
        {"t": "Tuple", "s": 3},
        {"t": "OneOf", "s": [3]},
    ],
)
def test_json_of_no_space_is_refused(document: Any) -> None:
    with pytest.raises(ProtocolViolationError, match="no "):
        space_from_json(document)


def test_json_nested_too_deeply_is_refused() -> None:
    document: dict[str, Any] = {"t": "MultiBinary", "n": 1}
    for _ in range(200):
        document = {"t": "Tuple", "s": [document]}
    with pytest.raises(ProtocolViolationError, match="too deeply"):
        space_from_json(document)
