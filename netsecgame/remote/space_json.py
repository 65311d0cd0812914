"""Spaces as JSON, and back.

| space | JSON |
|---|---|
| Box | ``{"t":"Box","dtype","shape","low","high"}`` |
| Discrete | ``{"t":"Discrete","n","start","dtype"}`` |
| MultiDiscrete | ``{"t":"MultiDiscrete","nvec","start","dtype"}`` |
| MultiBinary | ``{"t":"MultiBinary","n"}`` |
| Text | ``{"t":"Text","min","max","charset"}`` |
| Tuple, OneOf | ``{"t","s":[space, …]}`` |
| Dict | ``{"t":"Dict","s":[[key, space], …]}`` |
| Sequence | ``{"t":"Sequence","s":space,"stack"}`` |
| Graph | ``{"t":"Graph","node":space,"edge":space or null}`` |

A bound of a Box is a number if all are equal, else an array. Arrays, infinities and keys that are
no strings are tagged JSON (`array_json`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from gymnasium import spaces

from netsecgame.errors import ProtocolViolationError, UnsupportedByServerError
from netsecgame.remote import array_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

_MAX_DEPTH: Final = 100


def space_to_json(space: spaces.Space[Any]) -> dict[str, Any]:
    """A space as `json.dumps` takes it; how it was seeded is not kept.

    Raises:
        UnsupportedByServerError: If it is of no kind that Gymnasium brings.
    """
    for kind, write in _WRITERS.items():
        if isinstance(space, kind):
            return {"t": kind.__name__, **write(space)}
    raise UnsupportedByServerError(
        f"the space {space!r} is no space of Gymnasium's own, and only those can be described"
    )


def space_from_json(document: Any) -> spaces.Space[Any]:
    """The space that JSON stands for, once `json.loads` has read it.

    Raises:
        ProtocolViolationError: If it stands for none.
    """
    return _read(document, 0)


def _read(document: Any, depth: int) -> spaces.Space[Any]:
    if not isinstance(document, dict) or document.get("t") not in [*_READERS]:
        raise ProtocolViolationError(f"no space: {str(document)[:80]}")
    if depth > _MAX_DEPTH:
        raise ProtocolViolationError("a space nested too deeply")
    name = document["t"]
    try:
        return _READERS[name](document, depth + 1)
    except (AssertionError, KeyError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, ProtocolViolationError):
            raise
        raise ProtocolViolationError(
            f"no {name}: {type(error).__name__}: {str(error)[:200]}"
        ) from None


def _box_to_json(space: Any) -> dict[str, Any]:
    return {
        "dtype": _dtype_to_json(space.dtype),
        "shape": list(space.shape),
        "low": _bound_to_json(space.low, space.bounded_below, -math.inf),
        "high": _bound_to_json(space.high, space.bounded_above, math.inf),
    }


def _bound_to_json(bound: NDArray[Any], bounded: NDArray[np.bool_], infinity: float) -> Any:
    # Integers without a bound have the limit of their type as one, but are drawn in another way.
    values = bound
    if bound.dtype.kind == "i" and not bounded.all():
        values = np.where(bounded, bound.astype(object), infinity)
    first = values.ravel()[:1].tolist()
    is_number = first and isinstance(first[0], bool | int | float)
    if is_number and (values == first[0]).all():
        return array_json.tag(int(first[0]) if bound.dtype.kind == "b" else first[0])
    return array_json.tag(values)


def _box_from_json(document: Mapping[str, Any], _depth: int) -> spaces.Space[Any]:
    dtype = np.dtype(document["dtype"])
    shape = tuple(document["shape"])
    low, bounded_below = _bound_from_json(document["low"], shape, dtype, is_low=True)
    high, bounded_above = _bound_from_json(document["high"], shape, dtype, is_low=False)
    space = spaces.Box(low, high, shape, dtype)
    if dtype.kind == "i":
        space.bounded_below, space.bounded_above = bounded_below, bounded_above
    return space


def _bound_from_json(
    document: Any, shape: tuple[int, ...], dtype: np.dtype[Any], *, is_low: bool
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    values = array_json.untag(document)
    if not isinstance(values, np.ndarray):
        values = np.full(shape, values, object if dtype.kind == "i" else dtype)
    if values.shape != shape:
        raise ValueError(f"a bound of shape {values.shape} for the shape {shape}")
    bounded = np.ones(shape, np.bool_)
    if dtype.kind == "i" and values.dtype == object:
        bounded[...] = np.abs(values.astype(np.float64)) != np.inf
        limits = np.iinfo(dtype)
        values = np.where(bounded, values, limits.min if is_low else limits.max)
    return values.astype(dtype), bounded


def _discrete_to_json(space: Any) -> dict[str, Any]:
    dtype = _dtype_to_json(space.dtype)
    return {"n": int(space.n), "start": int(space.start), "dtype": dtype}


def _discrete_from_json(document: Mapping[str, Any], _depth: int) -> spaces.Space[Any]:
    n, start, dtype = document["n"], document["start"], np.dtype(document["dtype"])
    if dtype == np.int64:
        return spaces.Discrete(n, start=start)
    # Only newer Gymnasium has others.
    return spaces.Discrete(n, start=start, dtype=dtype)


def _multi_discrete_to_json(space: Any) -> dict[str, Any]:
    dtype = _dtype_to_json(space.dtype)
    return {"nvec": space.nvec.tolist(), "start": space.start.tolist(), "dtype": dtype}


def _multi_discrete_from_json(document: Mapping[str, Any], _depth: int) -> spaces.Space[Any]:
    dtype = np.dtype(document["dtype"])
    nvec, start = np.array(document["nvec"], dtype), np.array(document["start"], dtype)
    return spaces.MultiDiscrete(nvec, dtype, start=start)


def _multi_binary_to_json(space: Any) -> dict[str, Any]:
    return {"n": space.n if isinstance(space.n, int) else [int(size) for size in space.n]}


def _text_to_json(space: Any) -> dict[str, Any]:
    characters = "".join(space.character_list)
    return {"min": space.min_length, "max": space.max_length, "charset": characters}


def _text_from_json(document: Mapping[str, Any], _depth: int) -> spaces.Space[Any]:
    return spaces.Text(document["max"], min_length=document["min"], charset=document["charset"])


def _dict_to_json(space: Any) -> dict[str, Any]:
    return {"s": [[array_json.tag(key), space_to_json(part)] for key, part in space.spaces.items()]}


def _dict_from_json(document: Mapping[str, Any], depth: int) -> spaces.Space[Any]:
    # Pairs keep their order; a dict would be sorted.
    return spaces.Dict([(array_json.untag(key), _read(part, depth)) for key, part in document["s"]])


def _parts_to_json(space: Any) -> dict[str, Any]:
    return {"s": [space_to_json(part) for part in space.spaces]}


def _graph_to_json(space: Any) -> dict[str, Any]:
    edge = None if space.edge_space is None else space_to_json(space.edge_space)
    return {"node": space_to_json(space.node_space), "edge": edge}


def _graph_from_json(document: Mapping[str, Any], depth: int) -> spaces.Space[Any]:
    edge = None if document["edge"] is None else _read(document["edge"], depth)
    return spaces.Graph(_read(document["node"], depth), edge)


def _dtype_to_json(dtype: np.dtype[Any]) -> str:
    return dtype.name if dtype.isnative else dtype.str


_WRITERS: Final[dict[type, Callable[[Any], dict[str, Any]]]] = {
    spaces.Box: _box_to_json,
    spaces.Discrete: _discrete_to_json,
    spaces.MultiDiscrete: _multi_discrete_to_json,
    spaces.MultiBinary: _multi_binary_to_json,
    spaces.Text: _text_to_json,
    spaces.Tuple: _parts_to_json,
    spaces.OneOf: _parts_to_json,
    spaces.Dict: _dict_to_json,
    spaces.Sequence: lambda space: {
        "s": space_to_json(space.feature_space),
        "stack": space.stack,
    },
    spaces.Graph: _graph_to_json,
}

_READERS: Final[dict[str, Callable[[Mapping[str, Any], int], spaces.Space[Any]]]] = {
    "Box": _box_from_json,
    "Discrete": _discrete_from_json,
    "MultiDiscrete": _multi_discrete_from_json,
    "MultiBinary": lambda document, _depth: spaces.MultiBinary(document["n"]),
    "Text": _text_from_json,
    "Tuple": lambda document, depth: spaces.Tuple([_read(part, depth) for part in document["s"]]),
    "OneOf": lambda document, depth: spaces.OneOf([_read(part, depth) for part in document["s"]]),
    "Dict": _dict_from_json,
    "Sequence": lambda document, depth: spaces.Sequence(
        _read(document["s"], depth), stack=document["stack"]
    ),
    "Graph": _graph_from_json,
}
