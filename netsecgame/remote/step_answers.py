"""The answer to a step, put together as bytes.

Most of an answer is the same with every step: all but the elements of its tensors. What surrounds
them is made once, which takes a third of the time that message objects take. What comes out is what
`messages.stepped` gives.
"""

from __future__ import annotations

import struct
from math import inf, prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netsecgame.remote.messages import DType, State
from netsecgame.remote.tensors import NUMPY_TYPES, pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netsecgame.remote.codec import Field

    Writer = Callable[[Any], bytes]

# Tags on the wire: the number of a field, and that its length follows.
_STEP, _OBSERVATIONS, _VALUE, _ARRAY, _SHAPE = (number << 3 | 2 for number in (3, 2, 2, 1, 15))
_STRINGS = DType.STRING << 3 | 2
# … and that a number follows.
_STATE, _UID = (1 << 3 for _ in range(2))

#: Elements that take the same room whatever they are, and lie on the wire as in memory.
_FIXED_SIZE: Final = frozenset({DType.FLOAT, DType.DOUBLE, DType.BOOL, DType.INT8, DType.UINT8})
_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")


def step_answer(state: State, entries: Iterable[bytes]) -> bytes:
    """The response: where the episode is, and tensors as writers gave them."""
    return _delimited(_STEP, bytes((_STATE, state)) + b"".join(entries))


def tensor_writer(uid: int, field: Field) -> Writer:
    """What turns a field's values into parts of an answer.

    A writer takes what `pack` takes, and raises what that raises.
    """
    key = bytes((_UID,)) + _varint(uid)

    def write(value: Any) -> bytes:
        tensor = pack(value, field.dtype).SerializeToString()
        return _delimited(_OBSERVATIONS, key + _delimited(_VALUE, tensor))

    def write_string(value: Any) -> bytes:
        if type(value) is not str:
            return write(value)
        payload = _delimited(_STRINGS, _delimited(_ARRAY, value.encode()))
        return _delimited(_OBSERVATIONS, key + _delimited(_VALUE, payload))

    if field.dtype is DType.STRING and not field.shape:
        return write_string
    count = prod(field.shape)
    if field.dtype not in _FIXED_SIZE or count < 1:  # nothing in it, or of any size
        return write
    before, after = _surroundings(key, field, count)
    return _elements_writer(field, before, after, write)


def _elements_writer(field: Field, before: bytes, after: bytes, other: Writer) -> Writer:
    """A writer of elements of a fixed size, which leaves values of another type to `other`."""
    dtype, shape = NUMPY_TYPES[field.dtype], field.shape

    def write_array(value: Any) -> bytes:
        if type(value) is np.ndarray and value.dtype == dtype and value.shape == shape:
            return before + value.tobytes() + after
        return other(value)

    def write_double(value: Any) -> bytes:
        return before + _DOUBLE.pack(value) if type(value) is float else write_array(value)

    def write_float(value: Any) -> bytes:
        if type(value) is not float:
            return write_array(value)
        try:
            return before + _FLOAT.pack(value)
        except OverflowError:
            return before + _FLOAT.pack(inf if value > 0 else -inf)

    if shape:
        return write_array
    return {DType.DOUBLE: write_double, DType.FLOAT: write_float}.get(field.dtype, write_array)


def _surroundings(key: bytes, field: Field, count: int) -> tuple[bytes, bytes]:
    """What stands before and after the elements of a tensor."""
    elements = bytes(count * NUMPY_TYPES[field.dtype].itemsize)
    payload = _delimited(field.dtype << 3 | 2, _delimited(_ARRAY, elements))
    sizes = b"".join(map(_varint, field.shape))
    after = _delimited(_SHAPE, sizes) if sizes else b""
    entry = _delimited(_OBSERVATIONS, key + _delimited(_VALUE, payload + after))
    return entry[: len(entry) - len(elements) - len(after)], after


def _delimited(tag: int, content: bytes) -> bytes:
    return b"%c%b%b" % (tag, _varint(len(content)), content)


def _varint(number: int) -> bytes:
    if number < 0x80:
        return b"%c" % number
    return b"%c%b" % (number & 0x7F | 0x80, _varint(number >> 7))
