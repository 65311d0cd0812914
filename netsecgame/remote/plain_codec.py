"""Spaces as a plain peer of the protocol sees them: one tensor of few types.

A plain client shows INT64 scalars as Discrete, INT64 vectors as MultiDiscrete, and FLOAT and UINT8
as Box. Whatever is something else is shown as one of these, or not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from netsecgame.errors import (
    InvalidActionError,
    ProtocolViolationError,
    UnsupportedByServerError,
)
from netsecgame.remote.extended_codec import array_bounds
from netsecgame.remote.fields import Field, TensorValue
from netsecgame.remote.messages import DType
from netsecgame.remote.space_codec import (
    ArrayCodec,
    SpaceCodec,
    native_dtype,
    shorten,
    to_array,
    to_native,
)
from netsecgame.remote.tensors import NUMPY_TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_UNCHANGED = {np.dtype(np.float32): DType.FLOAT, np.dtype(np.uint8): DType.UINT8}
_OUR_CLIENT = "play with netsecgame.remote.RemoteEnvironment, which sees every space"


def plain_codec(
    space: spaces.Space[Any], name: str, *, is_action: bool, strict: bool
) -> SpaceCodec:
    """How a plain client sees a space.

    Args:
        space: Of the environment.
        name: Of the one field.
        is_action: Whether the values are actions, which come from the client.
        strict: Refuse every space that would not be shown as what it is.

    Raises:
        UnsupportedByServerError: If it cannot be shown; says what to wrap it with.
    """
    if strict and not _is_shown_unchanged(space):
        raise UnsupportedByServerError(
            f"{name}: {shorten(space)} cannot be shown unchanged to a plain client, and "
            f'plain_spaces="strict" allows nothing else; allow "adapt", or {_OUR_CLIENT}'
        )
    match space:
        case spaces.Discrete() | spaces.MultiDiscrete():
            return _CountedCodec(space, name)
        case spaces.Box() if _UNCHANGED.get(space.dtype):
            field = Field(name, _UNCHANGED[space.dtype], space.shape, space.low, space.high)
            return ArrayCodec(space, field)
        case spaces.Box() | spaces.MultiBinary():
            return _RoundedCodec(space, name)
        case spaces.Dict() | spaces.Tuple() if not is_action and space.is_np_flattenable:
            return _FlattenedCodec(space, name)
    if is_action:
        wrapper = "TransformAction, which makes it a Box, Discrete, MultiDiscrete or MultiBinary"
    else:
        wrapper = "TransformObservation, which makes it a Box"
    raise UnsupportedByServerError(
        f"{name}: {shorten(space)} cannot be shown to a plain client; wrap the environment with "
        f"gymnasium.wrappers.{wrapper}, or {_OUR_CLIENT}"
    )


def _is_shown_unchanged(space: spaces.Space[Any]) -> bool:
    match space:
        case spaces.Discrete():
            return space.dtype == np.int64 and space.start == 0
        case spaces.MultiDiscrete():
            is_vector = space.nvec.ndim == 1 and space.nvec.size > 1
            return space.dtype == np.int64 and is_vector and not space.start.any()
        case spaces.Box():
            return space.dtype in _UNCHANGED
    return False


class _CountedCodec(SpaceCodec):
    """Discrete and MultiDiscrete, counted from 0: one number, or a vector of several."""

    def __init__(self, space: spaces.Space[Any], name: str) -> None:
        self.space = space
        self._dtype = native_dtype(space)
        self._shape = space.shape or ()
        self._start, last = array_bounds(space)
        self._last = np.asarray(last - self._start).astype(np.int64)
        shape = (self._last.size,) if self._last.size != 1 else ()
        zeros = np.zeros(shape, np.int64)
        self.fields = (Field(name, DType.INT64, shape, zeros, self._last.reshape(shape)),)

    def encode(self, value: Any) -> list[TensorValue]:
        (field,) = self.fields
        array = to_array(field.name, value, self._dtype, self._shape)
        return [(array - self._start).astype(np.int64).reshape(field.shape)]

    def _decode(self, values: Sequence[TensorValue]) -> Any:
        (field,) = self.fields
        counted = values[0].reshape(self._shape)
        if ((counted < 0) | (counted > self._last)).any():
            result = self._shift_any(counted, field.name)
        else:
            result = np.asarray(counted.astype(self._dtype) + self._start)
        return result[()] if isinstance(self.space, spaces.Discrete) else result

    def _shift_any(self, counted: NDArray[Any], name: str) -> NDArray[Any]:
        """Numbers outside the space, for environments whose actions are not checked."""
        shifted = np.asarray(counted.astype(object) + self._start.astype(object))
        try:
            # A list, whose numbers are checked one by one.
            return np.array(shifted.tolist(), self._dtype)
        except OverflowError:
            raise InvalidActionError(
                f"{name}: {shorten(counted)}; expected 0 to {shorten(self._last)}"
            ) from None


class _RoundedCodec(SpaceCodec):
    """Box of any other type as FLOAT and MultiBinary as UINT8, rounded and cast back."""

    def __init__(self, space: spaces.Space[Any], name: str) -> None:
        self.space = space
        self._dtype = native_dtype(space)
        self._low, self._high = array_bounds(space)
        is_bits = isinstance(space, spaces.MultiBinary)
        dtype = DType.UINT8 if is_bits else DType.FLOAT
        low, high = (_cast(bound, NUMPY_TYPES[dtype]) for bound in (self._low, self._high))
        self.fields = (Field(name, dtype, space.shape or (), low, high),)

    def encode(self, value: Any) -> list[TensorValue]:
        (field,) = self.fields
        array = to_array(field.name, value, self._dtype, field.shape)
        return [_cast(array, NUMPY_TYPES[field.dtype])]

    def _decode(self, values: Sequence[TensorValue]) -> Any:
        (field,) = self.fields
        (array,) = values
        if self._dtype.kind == "f":
            result = _cast(array, self._dtype)
        else:
            # A bound's rounding may lie outside what the type can hold; it is replaced below.
            at_bound = (array == field.low) | (array == field.high)
            rounded = np.where(at_bound, 0, np.rint(array.astype(np.float64)))
            result = to_native(field.name, rounded, self._dtype)
        # As a FLOAT, a bound may lie a little outside the space.
        result = np.where(array == field.high, self._high, result)
        return np.where(array == field.low, self._low, result)


class _FlattenedCodec(SpaceCodec):
    """Dict and Tuple as one vector of FLOAT, as `gymnasium.spaces.flatten` makes it."""

    def __init__(self, space: spaces.Space[Any], name: str) -> None:
        self.space = space
        flat = spaces.flatten_space(space)
        if not isinstance(flat, spaces.Box):
            raise TypeError(f"{space!r} does not become a Box")
        self._flat = flat
        low, high = (_cast(bound, NUMPY_TYPES[DType.FLOAT]) for bound in (flat.low, flat.high))
        self.fields = (Field(name, DType.FLOAT, flat.shape, low, high),)

    def encode(self, value: Any) -> list[TensorValue]:
        (field,) = self.fields
        try:
            flat = np.asarray(spaces.flatten(self.space, value))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{field.name}: {shorten(value)}; expected a value of {shorten(self.space)}: "
                f"{type(error).__name__}: {error}"
            ) from None
        if flat.shape != field.shape:
            raise ValueError(
                f"{field.name}: {shorten(value)}; expected a value of {shorten(self.space)}"
            )
        return [_cast(flat, NUMPY_TYPES[DType.FLOAT])]

    def _decode(self, values: Sequence[TensorValue]) -> Any:
        return spaces.unflatten(self.space, values[0].astype(self._flat.dtype))


def _cast(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    with np.errstate(over="ignore"):  # what is too large for a float is infinite
        return array.astype(dtype)


def space_of_plain(field: Field) -> spaces.Space[Any]:
    """The space that stands for a field of a server that tells of no spaces.

    Raises:
        UnsupportedByServerError: If there is none: for strings, messages and sizes that vary.
        ProtocolViolationError: If its bounds are none.
    """
    if field.dtype not in NUMPY_TYPES or -1 in field.shape:
        raise UnsupportedByServerError(
            f"{field.name}: no space stands for tensors of {field.dtype.name} "
            f"{list(field.shape)}; expected numbers of a fixed shape"
        )
    if field.dtype is DType.BOOL:
        return spaces.MultiBinary(field.shape) if field.shape else spaces.Discrete(2)
    try:
        return _make_space(field)
    except (AssertionError, ValueError) as error:
        raise ProtocolViolationError(f"{field.name}: bounds that are none: {error}") from None


def _make_space(field: Field) -> spaces.Space[Any]:
    dtype = NUMPY_TYPES[field.dtype]
    is_counted = field.dtype in (DType.INT32, DType.INT64)
    if is_counted and field.low is not None and field.high is not None:
        low, high = field.low.astype(object), field.high.astype(object)
        counts = np.asarray(high - low + 1)
        if (counts <= np.iinfo(np.int64).max).all():
            if not field.shape:
                return spaces.Discrete(counts.item(), start=low.item())
            nvec, start = (
                np.broadcast_to(np.asarray(part).astype(np.int64), field.shape)
                for part in (counts, low)
            )
            return spaces.MultiDiscrete(nvec, start=start)
    low, high = _limits(dtype)
    return spaces.Box(
        np.broadcast_to(low if field.low is None else field.low, field.shape).astype(dtype),
        np.broadcast_to(high if field.high is None else field.high, field.shape).astype(dtype),
        field.shape,
        dtype.type,
    )


def _limits(dtype: np.dtype[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    if dtype.kind == "f":
        return np.array(-np.inf, dtype), np.array(np.inf, dtype)
    limits = np.iinfo(dtype)
    return np.array(limits.min, dtype), np.array(limits.max, dtype)


def spaces_of_plain(fields: Sequence[Field]) -> spaces.Space[Any]:
    """The space that stands for the fields of a server that tells of no spaces.

    One field is a space itself; several are a Dict by their names.

    Raises:
        UnsupportedByServerError: As `space_of_plain`.
        ProtocolViolationError: As `space_of_plain`.
    """
    if len(fields) == 1:
        return space_of_plain(fields[0])
    return spaces.Dict({field.name: space_of_plain(field) for field in fields})


def plain_spec_codec(field: Field) -> SpaceCodec:
    """How values of `space_of_plain` are sent and read.

    Raises:
        UnsupportedByServerError: As `space_of_plain`.
        ProtocolViolationError: As `space_of_plain`.
    """
    space = space_of_plain(field)
    return ArrayCodec(space, field, is_scalar=isinstance(space, spaces.Discrete))
