"""JSON that keeps apart what JSON mixes up: tuples, bytes, NaN, keys that are no strings.

What JSON has stays as it is. The rest becomes an object with one key:

| tag | stands for |
|---|---|
| ``{"$b": base64}`` | bytes |
| ``{"$t": […]}`` | a tuple |
| ``{"$f": "nan" or "inf" or "-inf"}`` | a float that JSON has no word for |
| ``{"$d": [[key, value], …]}`` | a dict with keys that are no strings, or begin with ``$`` |
| ``{"$r": text}`` | anything else, as its `repr`; read back as that text |

Reading makes nothing but these values: no text can make code run. Arrays are in
`netsecgame.remote.array_json`, which adds tags of its own by the two hooks here.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

logger = logging.getLogger(__name__)

#: Gives what stands for a value this module does not know, already tagged, or `NotImplemented`. Its
#: second argument tags a value inside.
Tagger = Callable[[Any, Callable[[Any], Any]], Any]
#: Gives the value that the content of a tag stands for; raises ValueError if it is malformed. Its
#: second argument reads a tagged value inside.
Reader = Callable[[Any, Callable[[Any], Any]], Any]

_MAX_DEPTH: Final = 200
_MAX_REPR: Final = 1000
# Python neither writes nor reads integers of more than 4300 digits as decimals.
_MAX_INT_BITS: Final = 14_000
_NON_FINITE: Final = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}

_reported: set[type] = set()


def dumps(value: Any, tag_other: Tagger | None = None) -> str:
    """A value as tagged JSON, in ASCII; what it cannot keep becomes its `repr`."""
    return json.dumps(tag(value, tag_other), separators=(",", ":"))


def loads(text: str | bytes, readers: Mapping[str, Reader] | None = None) -> Any:
    """The value that tagged JSON stands for.

    Raises:
        ValueError: If the text is no tagged JSON.
    """
    try:
        return untag(json.loads(text, parse_constant=_refuse_constant), readers)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def tag(value: Any, tag_other: Tagger | None = None) -> Any:
    """A value as `json.dumps` takes it."""
    return _Tagging(tag_other).tag(value, 0)


def untag(value: Any, readers: Mapping[str, Reader] | None = None) -> Any:
    """The value that tagged JSON stands for, once `json.loads` has read it.

    Raises:
        ValueError: If a tag is unknown or what it holds is malformed.
    """

    def read(value: Any) -> Any:
        kind = type(value)
        if kind is list:
            return [read(item) for item in value]
        if kind is not dict:
            return value
        if len(value) == 1:
            ((key, content),) = value.items()
            if key.startswith("$"):
                return read_tag(key, content)
        return {key: read(item) for key, item in value.items()}

    def read_tag(key: str, content: Any) -> Any:
        reader = all_readers.get(key)
        if reader is None:
            raise ValueError(f"unknown tag {key[:20]!r} in tagged JSON")
        return reader(content, read)

    all_readers = {**_READERS, **(readers or {})}
    return read(value)


class _Tagging:
    def __init__(self, tag_other: Tagger | None) -> None:
        self._tag_other = tag_other

    def tag(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str or kind is bool or value is None:
            return value
        if kind is int or kind is float:
            return _tag_number(value)
        if depth >= _MAX_DEPTH:
            return _as_repr(value)
        if self._tag_other is not None:
            tagged = self._tag_other(value, lambda inner: self.tag(inner, depth + 1))
            if tagged is not NotImplemented:
                return tagged
        return self._tag_container(value, depth + 1)

    def _tag_container(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            return self._tag_dict(value, depth)
        if isinstance(value, list | tuple):
            items = [self.tag(item, depth) for item in value]
            return items if isinstance(value, list) else {"$t": items}
        return _tag_leaf(value)

    def _tag_dict(self, value: Mapping[Any, Any], depth: int) -> Any:
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: self.tag(item, depth) for key, item in value.items()}
        pairs = [[self.tag(key, depth), self.tag(item, depth)] for key, item in value.items()]
        return {"$d": pairs}


def _tag_leaf(value: Any) -> Any:
    # Subclasses, such as the member of an enum, become what they are at heart.
    match value:
        case bytes() | bytearray():
            return {"$b": base64.b64encode(value).decode()}
        case str():
            return str.__str__(value)
        case int():
            return _tag_number(int.__int__(value))
        case float():
            return _tag_number(float.__float__(value))
        case _:
            return _as_repr(value)


def _tag_number(value: float) -> Any:
    if isinstance(value, int):
        return _as_repr(value) if value.bit_length() > _MAX_INT_BITS else value
    return value if math.isfinite(value) else {"$f": str(value)}


def _as_repr(value: Any) -> dict[str, str]:
    kind = type(value)
    if kind not in _reported:
        _reported.add(kind)
        logger.warning("values of %s are sent as their repr", kind.__qualname__)
    try:
        text = hex(value) if kind is int else repr(value)
    except Exception:  # noqa: BLE001 - a repr that fails must not fail what it is a detail of
        text = object.__repr__(value)
    return {"$r": text[:_MAX_REPR]}


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _read_bytes(content: Any, _read: Callable[[Any], Any]) -> bytes:
    return decode_base64(content)


def decode_base64(content: Any) -> bytes:
    """The bytes that a text in base64 stands for.

    Raises:
        ValueError: If it is none.
    """
    if not isinstance(content, str):
        raise ValueError(f"expected a text in base64, not {type(content).__name__}")  # noqa: TRY004 - bad data, not a bad call
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from None


def _read_tuple(content: Any, read: Callable[[Any], Any]) -> tuple[Any, ...]:
    if not isinstance(content, list):
        raise ValueError("a tuple's tag holds a list")  # noqa: TRY004 - bad data, not a bad call
    return tuple(read(item) for item in content)


def _read_float(content: Any, _read: Callable[[Any], Any]) -> float:
    if not isinstance(content, str) or content not in _NON_FINITE:
        raise ValueError(f"expected one of {', '.join(_NON_FINITE)}")
    return _NON_FINITE[content]


def _read_dict(content: Any, read: Callable[[Any], Any]) -> dict[Any, Any]:
    if not isinstance(content, list):
        raise ValueError("a dict's tag holds a list of pairs")  # noqa: TRY004 - bad data, not a bad call
    result = {}
    for pair in content:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError("a dict's tag holds a list of pairs")
        key = read(pair[0])
        try:
            result[key] = read(pair[1])
        except TypeError:
            raise ValueError(f"a {type(key).__name__} cannot be a key") from None
    return result


def _read_repr(content: Any, _read: Callable[[Any], Any]) -> str:
    if not isinstance(content, str):
        raise ValueError("a repr's tag holds a text")  # noqa: TRY004 - bad data, not a bad call
    return content


_READERS: Final[dict[str, Reader]] = {
    "$b": _read_bytes,
    "$t": _read_tuple,
    "$f": _read_float,
    "$d": _read_dict,
    "$r": _read_repr,
}
