"""One tensor of a step: what it is called, what it may hold, how it is read."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from netsecgame.errors import ProtocolViolationError
from netsecgame.remote.messages import DType, TensorSpec
from netsecgame.remote.tensors import (
    DEFAULT_MAX_ELEMENTS,
    NUMPY_TYPES,
    PAYLOADS,
    dtype_of,
    pack,
    pack_payload,
    resolve_shape,
    unpack,
    unpack_payload,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: What a tensor holds once it is read: an array, or one string.
TensorValue = Any

#: Types that a spec may have bounds for.
BOUNDED = frozenset(DType(number) for number in range(DType.FLOAT, DType.BOOL))


class Field(NamedTuple):
    """A tensor that every step has.

    Attributes:
        name: As in its spec.
        dtype: Of its elements.
        shape: Of the whole; a size of -1 is any size.
        low: The smallest values, of `shape`, or without dimensions if one is for all; None if
            unbounded or no numbers.
        high: The largest values, likewise.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    low: NDArray[Any] | None = None
    high: NDArray[Any] | None = None


def field_spec(field: Field) -> Any:
    """The TensorSpec that tells of a field."""
    spec = TensorSpec(name=field.name, shape=field.shape, dtype=int(field.dtype))
    for value, bound in ((spec.min, field.low), (spec.max, field.high)):
        if bound is not None:
            pack_payload(getattr(value, PAYLOADS[field.dtype]), bound, field.dtype)
    return spec


def read_spec(spec: Any) -> Field:
    """The field that a TensorSpec tells of.

    Raises:
        ProtocolViolationError: If its parts do not go together.
    """
    if spec.dtype not in DType.__members__.values():
        raise ProtocolViolationError(f"spec {spec.name!r}: no known type ({spec.dtype})")
    dtype = DType(spec.dtype)
    shape = tuple(spec.shape)
    if any(size < -1 for size in shape):
        raise ProtocolViolationError(f"spec {spec.name!r}: no shape: {list(shape)}")
    low = _read_bound(spec, spec.min, dtype, shape)
    return Field(spec.name, dtype, shape, low, _read_bound(spec, spec.max, dtype, shape))


def _read_bound(spec: Any, value: Any, dtype: DType, shape: tuple[int, ...]) -> NDArray[Any] | None:
    payload = value.WhichOneof("payload")
    if payload is None:
        return None
    if dtype not in BOUNDED or payload != PAYLOADS[dtype]:
        raise ProtocolViolationError(
            f"spec {spec.name!r}: a bound of {payload} for elements of {dtype.name}"
        )
    bound = unpack_payload(getattr(value, payload), dtype)
    if bound.size == 1:
        return bound.reshape(())
    if -1 in shape or bound.size != prod(shape):
        raise ProtocolViolationError(
            f"spec {spec.name!r}: a bound of {bound.size} elements for the shape {list(shape)}"
        )
    return bound.reshape(shape)


def write_tensor(field: Field, value: TensorValue) -> Any:
    """The Tensor that carries a field's value."""
    return pack(value, field.dtype)


def read_tensor(field: Field, tensor: Any, uid: int | None = None) -> TensorValue:
    """What a tensor holds, if it is of the field's type and shape.

    Nothing larger than the field is ever allocated.

    Args:
        field: What is expected.
        tensor: The message.
        uid: For the error's text.

    Raises:
        ProtocolViolationError: If it is something else; names the field.
    """
    try:
        return _read_tensor(field, tensor)
    except ProtocolViolationError as error:
        place = field.name if uid is None else f"{field.name} (uid {uid})"
        raise ProtocolViolationError(f"{place}: {error}; expected {describe(field)}") from None


def _read_tensor(field: Field, tensor: Any) -> TensorValue:
    name = PAYLOADS[field.dtype]
    if tensor.WhichOneof("payload") == name and tuple(tensor.shape) == field.shape:
        # The way of nearly all: nothing is left to find out but the number of elements.
        payload = getattr(tensor, name)
        if field.shape and field.dtype in NUMPY_TYPES and len(payload.array) == prod(field.shape):
            return unpack_payload(payload, field.dtype).reshape(field.shape)
        return unpack(tensor, DEFAULT_MAX_ELEMENTS)
    dtype = dtype_of(tensor)
    if dtype is not field.dtype:
        raise ProtocolViolationError(f"elements of {dtype.name}")
    count = len(getattr(tensor, name).array)
    shape = resolve_shape(tensor.shape, count, DEFAULT_MAX_ELEMENTS)
    if not _is_of_shape(shape, field.shape):
        raise ProtocolViolationError(f"shape {list(shape)}")
    return unpack(tensor, DEFAULT_MAX_ELEMENTS)


def check_value(field: Field, value: TensorValue) -> None:
    """See that what a tensor held is of the field's type and shape.

    Raises:
        ProtocolViolationError: If it is something else; names the field.
    """
    if field.dtype is DType.STRING and not field.shape:
        is_fine = isinstance(value, str)
    else:
        expected = NUMPY_TYPES.get(field.dtype, np.dtype(object))
        is_fine = isinstance(value, np.ndarray) and value.dtype == expected
    shape = getattr(value, "shape", ())
    if not is_fine or not _is_of_shape(shape, field.shape):
        seen = f"elements of {getattr(value, 'dtype', type(value).__name__)}, shape {list(shape)}"
        raise ProtocolViolationError(f"{field.name}: {seen}; expected {describe(field)}")


def describe(field: Field) -> str:
    """What a field holds, for texts."""
    return f"{field.dtype.name} {list(field.shape)}" if field.shape else f"a {field.dtype.name}"


def _is_of_shape(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    return shape == expected or (
        len(shape) == len(expected)
        and all(size in (-1, seen) for seen, size in zip(shape, expected, strict=True))
    )
