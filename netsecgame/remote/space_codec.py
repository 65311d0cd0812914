"""What every way of showing a space by tensors has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netsecgame.errors import InvalidActionError, ProtocolViolationError
from netsecgame.remote.fields import Field, TensorValue, check_value, read_tensor
from netsecgame.remote.messages import DType
from netsecgame.remote.tensors import NUMPY_TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gymnasium.spaces import Space
    from numpy.typing import NDArray

_MAX_REPR: Final = 200

#: The type that carries each of numpy's without a loss; long doubles have none.
WIRE_TYPES: Final = {
    np.dtype(np.float16): DType.FLOAT,
    np.dtype(np.float32): DType.FLOAT,
    np.dtype(np.float64): DType.DOUBLE,
    np.dtype(np.int8): DType.INT8,
    np.dtype(np.int16): DType.INT32,
    np.dtype(np.int32): DType.INT32,
    np.dtype(np.int64): DType.INT64,
    np.dtype(np.uint8): DType.UINT8,
    np.dtype(np.uint16): DType.UINT32,
    np.dtype(np.uint32): DType.UINT32,
    np.dtype(np.uint64): DType.UINT64,
    np.dtype(np.bool_): DType.BOOL,
}


class SpaceCodec(ABC):
    """The values of a space as the values of tensors, and back.

    Attributes:
        space: Where the values come from and return to.
        fields: The tensors of a value.
    """

    space: Space[Any]
    fields: tuple[Field, ...]

    @abstractmethod
    def encode(self, value: Any) -> list[TensorValue]:
        """A value of the space as one value for each field.

        Values that are none of the space's are not refused if the tensors can hold them.

        Raises:
            ValueError: If they cannot; names the field.
        """

    def decode(self, values: Sequence[TensorValue], *, check: bool = False) -> Any:
        """The value of the space that tensors stand for, in the type and shape of the space.

        Args:
            values: One for each field, as `read_tensor` gives them. Arrays become part of the
                result.
            check: Whether the result must be in the space.

        Raises:
            ProtocolViolationError: If a value is not of its field's type and shape.
            InvalidActionError: If the space's type cannot hold what came, or it is checked and
                outside the space. Names the field.
        """
        self._check_count(values)
        for field, value in zip(self.fields, values, strict=True):
            check_value(field, value)
        return self._finish(values, check=check)

    def read(self, tensors: Sequence[Any], *, check: bool = False) -> Any:
        """The value of the space that messages stand for: `read_tensor` and `decode` in one.

        Args:
            tensors: A Tensor for each field.
            check: Whether the result must be in the space.

        Raises:
            ProtocolViolationError: As `read_tensor`.
            InvalidActionError: As `decode`.
        """
        self._check_count(tensors)
        return self._finish(list(map(read_tensor, self.fields, tensors)), check=check)

    def _check_count(self, values: Sequence[Any]) -> None:
        if len(values) != len(self.fields):
            raise ProtocolViolationError(
                f"{len(values)} tensors; expected {len(self.fields)}: "
                + ", ".join(field.name for field in self.fields)
            )

    def _finish(self, values: Sequence[TensorValue], *, check: bool) -> Any:
        result = self._decode(values)
        if check and not self.space.contains(result):
            raise InvalidActionError(f"{shorten(result)} is not in {shorten(self.space)}")
        return result

    @abstractmethod
    def _decode(self, values: Sequence[TensorValue]) -> Any:
        """What `decode` does with values that are of the right types and shapes."""


class ArrayCodec(SpaceCodec):
    """A space of arrays or numbers that one field carries without a loss.

    Args:
        space: Of the values.
        field: Its shape is that of the values.
        is_scalar: Whether values without dimensions are numpy scalars, as those of Discrete.
    """

    def __init__(self, space: Space[Any], field: Field, *, is_scalar: bool = False) -> None:
        self.space = space
        self.fields = (field,)
        self._field = field
        self._dtype = native_dtype(space)
        self._wire = NUMPY_TYPES[field.dtype]
        self._is_scalar = is_scalar

    def encode(self, value: Any) -> list[TensorValue]:
        """A value of the space as one array."""
        array = to_array(self._field.name, value, self._dtype, self._field.shape)
        return [array if array.dtype == self._wire else array.astype(self._wire)]

    def _decode(self, values: Sequence[TensorValue]) -> Any:
        array = to_native(self._field.name, values[0], self._dtype)
        return array[()] if self._is_scalar else array


def native_dtype(space: Space[Any]) -> np.dtype[Any]:
    """The type of a space's values."""
    if space.dtype is None:
        raise TypeError(f"the values of {space!r} are no arrays")
    return np.dtype(space.dtype)


def to_array(name: str, value: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """A value of a space as an array of the space's type and shape.

    Raises:
        ValueError: If that type cannot hold it, or it has another shape; names the field.
    """
    try:
        array = np.asarray(value)
    except ValueError:  # lists of different lengths
        array = np.empty((), object)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name}: {shorten(value)}; expected numbers of {dtype}")
    if array.shape != shape:
        raise ValueError(f"{name}: shape {list(array.shape)}; expected {list(shape)}")
    if array.dtype == dtype:
        return array
    with np.errstate(invalid="ignore", over="ignore"):
        result = array.astype(dtype)
    if dtype.kind in "biu" and not (result == array).all():
        raise ValueError(f"{name}: {shorten(value)}; expected numbers that {dtype} can hold")
    return result


def to_native(name: str, array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array from the wire in the type of its space.

    Raises:
        InvalidActionError: If that type cannot hold it; names the field.
    """
    if array.dtype == dtype:
        return array
    with np.errstate(invalid="ignore", over="ignore"):
        result = array.astype(dtype)
    if dtype.kind in "biu" and not (result == array).all():
        raise InvalidActionError(
            f"{name}: {shorten(array)}; expected numbers that {dtype} can hold"
        )
    return result


def shorten(value: Any) -> str:
    """A value for texts, in one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _MAX_REPR else f"{text[:_MAX_REPR]}…"
