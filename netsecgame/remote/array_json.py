"""Tagged JSON with numpy's arrays and scalars.

| tag | stands for |
|---|---|
| ``{"$nd": [dtype, shape, base64]}`` | an array, its elements row by row |
| ``{"$nd": ["O", shape, […]]}`` | an array of objects, each tagged JSON itself |
| ``{"$np": [dtype, value]}`` | a scalar; a value that JSON cannot keep is its bytes |

Types are numpy's names with the byte order, e.g. ``<f4``.
"""

from __future__ import annotations

import base64
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netsecgame.utils import tagged_json

if TYPE_CHECKING:
    from collections.abc import Callable

#: Kinds of numpy types whose elements are plain bytes: no objects, no structures.
_PLAIN_KINDS: Final = frozenset("biufcSUmM")
_MAX_DIMENSIONS: Final = 32
_MAX_SIZE: Final = 1 << 31


def dumps(value: Any) -> str:
    """A value as tagged JSON; what it cannot keep becomes its `repr`."""
    return tagged_json.dumps(value, _tag_numpy)


def loads(text: str | bytes) -> Any:
    """The value that tagged JSON stands for; its arrays may be written to.

    Raises:
        ValueError: If the text is no tagged JSON.
    """
    return tagged_json.loads(text, _READERS)


def tag(value: Any) -> Any:
    """A value as `json.dumps` takes it."""
    return tagged_json.tag(value, _tag_numpy)


def untag(value: Any) -> Any:
    """The value that tagged JSON stands for, once `json.loads` has read it.

    Raises:
        ValueError: If a tag is unknown or what it holds is malformed.
    """
    return tagged_json.untag(value, _READERS)


def _tag_numpy(value: Any, tag_inner: Callable[[Any], Any]) -> Any:
    if isinstance(value, np.ndarray):
        return _tag_array(value, tag_inner)
    if isinstance(value, np.generic) and value.dtype.kind in _PLAIN_KINDS:
        return {"$np": [value.dtype.str, _tag_scalar(value, tag_inner)]}
    return NotImplemented


def _tag_array(array: np.ndarray[Any, Any], tag_inner: Callable[[Any], Any]) -> Any:
    shape = list(array.shape)
    if array.dtype.kind == "O":
        return {"$nd": ["O", shape, [tag_inner(item) for item in array.ravel().tolist()]]}
    if array.dtype.kind not in _PLAIN_KINDS:
        return NotImplemented
    return {"$nd": [array.dtype.str, shape, base64.b64encode(array.tobytes()).decode()]}


def _tag_scalar(value: np.generic, tag_inner: Callable[[Any], Any]) -> Any:
    item = value.item()
    # A long double stays what it is, and Python's dates know less than numpy's.
    is_kept = isinstance(item, bool | int | float | str) and value.dtype.kind in "biufU"
    return tag_inner(item if is_kept else value.tobytes()[: value.dtype.itemsize])


def _read_array(content: Any, read: Callable[[Any], Any]) -> np.ndarray[Any, Any]:
    if not isinstance(content, list) or len(content) != 3:
        raise ValueError("an array's tag holds its type, its shape and its elements")
    name, shape, elements = content
    if (
        not isinstance(shape, list)
        or len(shape) > _MAX_DIMENSIONS
        or not all(type(size) is int and 0 <= size <= _MAX_SIZE for size in shape)
    ):
        raise ValueError("an array's shape is a list of sizes")
    count = prod(shape)
    if name == "O":
        return _read_objects(elements, shape, count, read)
    dtype = _read_dtype(name)
    data = tagged_json.decode_base64(elements)
    if len(data) != count * dtype.itemsize:
        raise ValueError(
            f"{len(data)} bytes for an array of {dtype} with shape {shape}: expected "
            f"{count * dtype.itemsize}"
        )
    if not data:
        return np.empty(shape, dtype)
    return np.frombuffer(bytearray(data), dtype).reshape(shape)


def _read_objects(
    elements: Any, shape: list[int], count: int, read: Callable[[Any], Any]
) -> np.ndarray[Any, Any]:
    if not isinstance(elements, list) or len(elements) != count:
        raise ValueError(f"an array of objects with shape {shape} holds a list of {count}")
    # One by one, else numpy takes elements that are arrays for rows.
    objects = np.empty(count, object)
    for number, element in enumerate(elements):
        objects[number] = read(element)
    return objects.reshape(shape)


def _read_scalar(content: Any, read: Callable[[Any], Any]) -> Any:
    if not isinstance(content, list) or len(content) != 2:
        raise ValueError("a scalar's tag holds its type and its value")
    dtype = _read_dtype(content[0])
    value = read(content[1])
    try:
        return _make_scalar(dtype, value)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"no scalar of {dtype}: {error}") from None


def _make_scalar(dtype: np.dtype[Any], value: Any) -> Any:
    if isinstance(value, bytes):
        if len(value) != dtype.itemsize:
            raise ValueError(f"{len(value)} bytes for a scalar of {dtype}")
        return np.frombuffer(value, dtype)[0] if value else dtype.type()
    if isinstance(value, str) and dtype.kind == "U":
        # The text says how long it is: a type that says otherwise costs no memory.
        return np.str_(value)
    if not isinstance(value, bool | int | float) or dtype.kind not in "biuf":
        raise ValueError(f"a {type(value).__name__} for a scalar of {dtype}")
    return np.asarray(value, dtype)[()]


def _read_dtype(name: Any) -> np.dtype[Any]:
    try:
        dtype = np.dtype(name) if isinstance(name, str) else None
    except (TypeError, ValueError, SyntaxError):
        dtype = None
    if dtype is None or dtype.kind not in _PLAIN_KINDS:
        raise ValueError(f"{str(name)[:40]!r} is no type of plain elements")
    return dtype


_READERS: Final[dict[str, tagged_json.Reader]] = {"$nd": _read_array, "$np": _read_scalar}
