"""Spaces as our own clients see them: every space, without a loss, one tensor a leaf."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space

from netsecgame.errors import ProtocolViolationError, UnsupportedByServerError
from netsecgame.remote import array_json
from netsecgame.remote.fields import BOUNDED, Field, TensorValue
from netsecgame.remote.messages import DType
from netsecgame.remote.space_codec import (
    WIRE_TYPES,
    ArrayCodec,
    SpaceCodec,
    native_dtype,
    shorten,
)
from netsecgame.remote.tensors import NUMPY_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray

_TREE_LIKE = (spaces.Sequence, spaces.Graph, spaces.OneOf)


def extended_codec(space: spaces.Space[Any], name: str, *, batch: int | None = None) -> SpaceCodec:
    """How our own clients see a space.

    Args:
        space: Of one environment.
        name: Of the value; those of parts in Dict and Tuple are paths below it.
        batch: How many environments' values are one value, as in Gymnasium's vector environments;
            None for one environment. The codec's space is then the batched one.

    Raises:
        UnsupportedByServerError: If the space is of no kind that Gymnasium brings.
    """
    whole = space if batch is None else batch_space(space, batch)
    return _make(space, whole, name, batch)


def _make(
    space: spaces.Space[Any], whole: spaces.Space[Any], name: str, batch: int | None
) -> SpaceCodec:
    front = () if batch is None else (batch,)
    match space:
        case spaces.Dict():
            wholes = dict(whole.spaces)  # type: ignore[attr-defined]
            return _DictCodec(
                whole,
                {
                    key: _make(space.spaces[key], part, f"{name}/{_path_part(key)}", batch)
                    for key, part in wholes.items()
                },
            )
        case spaces.Tuple():
            wholes = dict(enumerate(whole.spaces))  # type: ignore[attr-defined]
            return _TupleCodec(
                whole,
                {
                    index: _make(space.spaces[index], part, f"{name}/{index}", batch)
                    for index, part in wholes.items()
                },
            )
        case spaces.Box() | spaces.MultiBinary() | spaces.Discrete() | spaces.MultiDiscrete():
            return _make_array_codec(space, whole, name, front)
        case spaces.Text():
            return _TextCodec(whole, Field(name, DType.STRING, front))
    if isinstance(space, _TREE_LIKE):
        return _JsonCodec(space, whole, Field(name, DType.STRING, front))
    raise UnsupportedByServerError(
        f"{name}: {shorten(space)} is no space of Gymnasium's own; wrap the environment so that it "
        "has one"
    )


def _path_part(key: Hashable) -> str:
    """A key as a part of a name; no two keys have the same, and none has a slash."""
    text = key if isinstance(key, str) else repr(key)
    text = text.replace("~", "~0").replace("/", "~1")
    return text if isinstance(key, str) else f"~{text}"


def _make_array_codec(
    space: spaces.Space[Any], whole: spaces.Space[Any], name: str, front: tuple[int, ...]
) -> SpaceCodec:
    dtype = native_dtype(space)
    wire = WIRE_TYPES.get(dtype.newbyteorder("="))
    if wire is None:  # long doubles
        return _JsonCodec(space, whole, Field(name, DType.STRING, front))
    low, high = array_bounds(space)
    shape = (*front, *(space.shape or ()))
    field = Field(name, wire, shape)
    if wire in BOUNDED:
        numpy_type = NUMPY_TYPES[wire]
        field = field._replace(
            low=_widen(low, shape).astype(numpy_type), high=_widen(high, shape).astype(numpy_type)
        )
    is_scalar = isinstance(space, spaces.Discrete) and not front
    return ArrayCodec(whole, field, is_scalar=is_scalar)


def array_bounds(space: spaces.Space[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The smallest and largest values of a space of arrays or numbers, in its shape."""
    match space:
        case spaces.Discrete():
            return np.asarray(space.start), np.asarray(space.start + space.n - 1)
        case spaces.MultiDiscrete():
            return space.start, space.start + (space.nvec - 1)
        case spaces.Box():
            return space.low, space.high
    ones = np.ones(space.shape or (), np.int8)
    return ones - 1, ones


def _widen(bound: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """A bound for all environments: one number if all are equal, which is short."""
    if bound.size and (bound == bound.ravel()[0]).all():
        return np.asarray(bound.ravel()[0])
    return np.broadcast_to(bound, shape)


class _TextCodec(SpaceCodec):
    def __init__(self, space: spaces.Space[Any], field: Field) -> None:
        self.space = space
        self.fields = (field,)

    def encode(self, value: Any) -> list[TensorValue]:
        return [_as_strings(self.fields[0], value, str)]

    def _decode(self, values: Sequence[TensorValue]) -> Any:
        (value,) = values
        return value if isinstance(value, str) else tuple(value.tolist())


class _JsonCodec(SpaceCodec):
    """Values without a fixed size, as tagged JSON."""

    def __init__(self, space: spaces.Space[Any], whole: spaces.Space[Any], field: Field) -> None:
        self.space = whole
        self.fields = (field,)
        self._single_space = space

    def encode(self, value: Any) -> list[TensorValue]:
        return [_as_strings(self.fields[0], value, array_json.dumps)]

    def _decode(self, values: Sequence[TensorValue]) -> Any:
        (value,) = values
        if isinstance(value, str):
            return self._read(value)
        parts = tuple(self._read(text) for text in value.tolist())
        if isinstance(self.space, spaces.Tuple):
            return parts
        return np.array(parts, native_dtype(self.space))

    def _read(self, text: str) -> Any:
        try:
            return _restore(self._single_space, array_json.loads(text))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ProtocolViolationError(
                f"{self.fields[0].name}: no value of {shorten(self._single_space)}: {error}"
            ) from None


def _as_strings(field: Field, value: Any, convert: Callable[[Any], str]) -> TensorValue:
    if not field.shape:
        return _as_string(field, value, convert)
    if not isinstance(value, tuple | list | np.ndarray) or len(value) != field.shape[0]:
        raise ValueError(f"{field.name}: {shorten(value)}; expected {field.shape[0]} values")
    strings = np.empty(field.shape, object)
    strings[:] = [_as_string(field, item, convert) for item in value]
    return strings


def _as_string(field: Field, value: Any, convert: Callable[[Any], str]) -> str:
    if convert is str and not isinstance(value, str):
        raise ValueError(f"{field.name}: {shorten(value)}; expected a text")
    return convert(value)


def _restore(space: spaces.Space[Any], value: Any) -> Any:
    """A value of the space once JSON has carried it: lists and graphs are what they were."""
    match space:
        case spaces.Sequence():
            if space.stack:
                return _restore_stacked(space.feature_space, value)
            return tuple(_restore(space.feature_space, item) for item in value)
        case spaces.Graph():
            nodes, edges, links = value
            value = spaces.GraphInstance(nodes, edges, links)
        case spaces.OneOf():
            index, item = value
            value = (index, _restore(space.spaces[index], item))
        case spaces.Tuple():
            parts = zip(space.spaces, value, strict=True)
            value = tuple(_restore(part, item) for part, item in parts)
        case spaces.Dict():
            value = {key: _restore(part, value[key]) for key, part in space.spaces.items()}
    return value


def _restore_stacked(feature: spaces.Space[Any], value: Any) -> Any:
    match feature:
        case spaces.Dict():
            return {key: _restore_stacked(part, value[key]) for key, part in feature.items()}
        case spaces.Tuple():
            parts = zip(feature.spaces, value, strict=True)
            return tuple(_restore_stacked(part, item) for part, item in parts)
        case spaces.Text():
            return tuple(value)
    if isinstance(feature, _TREE_LIKE):
        return tuple(_restore(feature, item) for item in value)
    return value


class _PartsCodec(SpaceCodec):
    """Several spaces side by side; the fields of all are in the order of their names."""

    def __init__(self, space: spaces.Space[Any], children: dict[Hashable, SpaceCodec]) -> None:
        self.space = space
        self._children = children
        fields = [field for child in children.values() for field in child.fields]
        #: Where the field of each child, one child after the other, stands among all.
        order = sorted(range(len(fields)), key=lambda number: fields[number].name)
        self.fields = tuple(fields[number] for number in order)
        self._places = sorted(range(len(order)), key=order.__getitem__)
        self._order = order

    def _encode_parts(self, parts: Sequence[Any]) -> list[TensorValue]:
        values = [
            value
            for child, part in zip(self._children.values(), parts, strict=True)
            for value in child.encode(part)
        ]
        return [values[number] for number in self._order]

    def _decode_parts(self, values: Sequence[TensorValue]) -> list[Any]:
        in_turn = iter([values[place] for place in self._places])
        return [
            child._decode([next(in_turn) for _ in child.fields])
            for child in self._children.values()
        ]

    def _refuse(self, value: Any) -> ValueError:
        name = self.fields[0].name.rpartition("/")[0] if self.fields else "value"
        return ValueError(f"{name}: {shorten(value)}; expected a value of {shorten(self.space)}")


class _DictCodec(_PartsCodec):
    def encode(self, value: Any) -> list[TensorValue]:
        if not isinstance(value, dict) or len(value) != len(self._children):
            raise self._refuse(value)
        try:
            parts = [value[key] for key in self._children]
        except KeyError:
            raise self._refuse(value) from None
        return self._encode_parts(parts)

    def _decode(self, values: Sequence[TensorValue]) -> Any:
        return dict(zip(self._children, self._decode_parts(values), strict=True))


class _TupleCodec(_PartsCodec):
    def encode(self, value: Any) -> list[TensorValue]:
        if not isinstance(value, tuple | list) or len(value) != len(self._children):
            raise self._refuse(value)
        return self._encode_parts(value)

    def _decode(self, values: Sequence[TensorValue]) -> Any:
        return tuple(self._decode_parts(values))
