"""Arrays and strings as tensors, and back.

A tensor is row-major. Without a shape it is a scalar with exactly one element; one element and a
larger shape stand for as many copies of it; one dimension may be -1 and is worked out.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netsecgame.errors import ProtocolViolationError
from netsecgame.remote.messages import DType, Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: The numpy type of each numeric type, as it lies on the wire.
NUMPY_TYPES: Final[dict[DType, np.dtype[Any]]] = {
    DType.FLOAT: np.dtype("<f4"),
    DType.DOUBLE: np.dtype("<f8"),
    DType.INT8: np.dtype(np.int8),
    DType.INT32: np.dtype("<i4"),
    DType.INT64: np.dtype("<i8"),
    DType.UINT8: np.dtype(np.uint8),
    DType.UINT32: np.dtype("<u4"),
    DType.UINT64: np.dtype("<u8"),
    DType.BOOL: np.dtype(np.bool_),
}
#: The field of a Tensor, and of a bound in a TensorSpec, that holds elements of each type.
PAYLOADS: Final = {dtype: f"{dtype.name.lower()}s" for dtype in DType}
DEFAULT_MAX_ELEMENTS: Final = 1 << 28

_DTYPES_BY_PAYLOAD: Final = {payload: dtype for dtype, payload in PAYLOADS.items()}
_BYTES: Final = frozenset({DType.INT8, DType.UINT8})
#: Types that lie on the wire as they lie in memory. From so many elements on, copying the bytes
#: beats a Python number for each.
_FIXED_SIZE: Final = frozenset({DType.FLOAT, DType.DOUBLE, DType.BOOL})
_FEW: Final = 32
#: What kinds of Python numbers may become which kind of numpy's.
_PYTHON_KINDS: Final = {"f": "fiub", "i": "iub", "u": "iub", "b": "b"}
_MAX_DIMENSIONS: Final = 32


def pack(value: Any, dtype: DType) -> Any:
    """A Tensor of a number, a string, or an array or nested list of them.

    Raises:
        TypeError: If the elements are of another kind, such as floats that should be integers.
        OverflowError: If an `int` is too large for the type.
    """
    tensor = Tensor()
    if dtype is DType.STRING:
        _pack_strings(tensor, value)
        return tensor
    array = _as_array(value, dtype)
    pack_payload(getattr(tensor, PAYLOADS[dtype]), array, dtype)
    if array.ndim:
        tensor.shape.extend(array.shape)
    return tensor


def pack_payload(payload: Any, array: NDArray[Any], dtype: DType) -> None:
    """Put the elements of an array of that type into one of a Tensor's array messages."""
    if dtype in _BYTES:
        payload.array = array.tobytes()
    elif array.size > _FEW and dtype in _FIXED_SIZE:
        payload.MergeFromString(b"\x0a" + _varint(array.nbytes) + array.tobytes())
    elif array.size:
        payload.array.extend(array.ravel().tolist())
    else:
        payload.SetInParent()


def dtype_of(tensor: Any) -> DType:
    """What the elements of a tensor are.

    Raises:
        ProtocolViolationError: If it has none.
    """
    payload = tensor.WhichOneof("payload")
    if payload is None:
        raise ProtocolViolationError("a tensor without elements: expected floats, doubles, …")
    return _DTYPES_BY_PAYLOAD[payload]


def unpack(tensor: Any, max_elements: int = DEFAULT_MAX_ELEMENTS) -> NDArray[Any] | str:
    """What a tensor holds.

    Args:
        tensor: The message.
        max_elements: How many elements the result may have at most, copies of one among them.

    Returns:
        An array of the tensor's own that may be written to, without dimensions for a scalar. One
        string is a `str`; more are an array of objects.

    Raises:
        ProtocolViolationError: If elements and shape do not go together, or there are too many.
    """
    dtype = dtype_of(tensor)
    if dtype is DType.PROTO:
        raise ProtocolViolationError("a tensor of messages: expected numbers or strings")
    payload = getattr(tensor, PAYLOADS[dtype])
    count = len(payload.array)
    shape = tensor.shape
    if not shape:
        # The way of most rewards and actions.
        if count != 1:
            raise ProtocolViolationError(
                f"a tensor of {count} elements without a shape: a scalar has exactly one"
            )
        if dtype is DType.STRING:
            return str(payload.array[0])
        element = payload.array[0]
        if dtype is DType.INT8 and element > 127:
            element -= 256
        return np.array(element, NUMPY_TYPES[dtype])
    whole = resolve_shape(shape, count, max_elements)
    elements = unpack_payload(payload, dtype)
    if count == 1:
        return np.full(whole, elements[0], elements.dtype)
    return elements.reshape(whole)


def resolve_shape(shape: Sequence[int], count: int, max_elements: int) -> tuple[int, ...]:
    """The whole shape of a tensor of so many elements, checked before anything is allocated.

    Raises:
        ProtocolViolationError: If they do not go together.
    """
    whole = list(shape)
    seen = f"a tensor of {count} elements and shape {_shorten(whole)}"
    if len(whole) > _MAX_DIMENSIONS:
        raise ProtocolViolationError(f"{seen}: expected at most {_MAX_DIMENSIONS} dimensions")
    unknown = [axis for axis, size in enumerate(whole) if size < 0]
    if unknown:
        if len(unknown) > 1 or whole[unknown[0]] != -1:
            raise ProtocolViolationError(f"{seen}: expected sizes from 0, and at most one -1")
        rest = prod(size for size in whole if size >= 0)
        if count == 1:
            whole[unknown[0]] = 1
        elif rest == 0 or count % rest:
            raise ProtocolViolationError(f"{seen}: no size in place of the -1 makes them agree")
        else:
            whole[unknown[0]] = count // rest
    total = prod(whole)
    if total != count and (count != 1 or total == 0):
        raise ProtocolViolationError(f"{seen}: expected {total} elements, or 1 for all of them")
    if total > max_elements:
        raise ProtocolViolationError(f"{seen}: expected at most {max_elements} elements")
    return tuple(whole)


def unpack_payload(payload: Any, dtype: DType) -> NDArray[Any]:
    """The elements in one of a Tensor's array messages: (count,), strings as objects."""
    elements = payload.array
    if dtype is DType.STRING:
        strings = np.empty(len(elements), object)
        strings[:] = elements
        return strings
    numpy_type = NUMPY_TYPES[dtype]
    if dtype in _BYTES:
        return np.frombuffer(bytearray(elements), numpy_type)
    count = len(elements)
    if count > _FEW and dtype in _FIXED_SIZE:
        # A tag, a length, the elements; unknown fields would come behind them.
        data = payload.SerializeToString()
        start = 1 + len(_varint(count * numpy_type.itemsize))
        return np.frombuffer(data, numpy_type, count, start).copy()
    # Newer protobuf hands arrays its memory, which takes longer to begin with.
    return (
        np.array(elements, numpy_type) if count > _FEW else np.fromiter(elements, numpy_type, count)
    )


def _as_array(value: Any, dtype: DType) -> NDArray[Any]:
    wanted = NUMPY_TYPES.get(dtype)
    if wanted is None:
        raise TypeError(f"tensors of {dtype.name} are not made")
    array = np.asarray(value)
    if array.dtype == wanted:
        return array
    with np.errstate(over="ignore"):  # what is too large for a float is infinite
        if isinstance(value, np.ndarray | np.generic):
            return array.astype(wanted, casting="same_kind")
        # Numbers of Python have no size: what matters is whether they fit.
        if array.size and array.dtype.kind not in _PYTHON_KINDS[wanted.kind]:
            raise TypeError(f"elements of {array.dtype} where {dtype.name} was expected")
        return np.asarray(value, wanted)


def _pack_strings(tensor: Any, value: Any) -> None:
    if isinstance(value, str):
        tensor.strings.array.append(value)
        return
    array = np.asarray(value, object)
    elements = array.ravel().tolist()
    if not all(isinstance(element, str) for element in elements):
        raise TypeError("elements other than str where STRING was expected")
    tensor.strings.SetInParent()
    tensor.strings.array.extend(elements)
    tensor.shape.extend(array.shape)


def _varint(number: int) -> bytes:
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def _shorten(shape: list[int]) -> str:
    return str(shape) if len(shape) <= _MAX_DIMENSIONS else f"of {len(shape)} dimensions"
