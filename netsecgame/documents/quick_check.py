"""Whether a value is valid by a JSON Schema: only yes or no, and ten times as fast as why not.

For schemas of a few keywords; a large scenario is checked in a fraction of the time that reading it
takes. What is wrong with an invalid value is left to the full validator.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from netsecgame.documents.formats import FORMATS

Check: TypeAlias = Callable[[Any], bool]

#: Keywords that say nothing about what is valid.
_ANNOTATIONS = frozenset(
    {"$defs", "$schema", "default", "description", "errorMessage", "examples", "title"}
)


def _is_number(value: Any) -> bool:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return is_integer or (isinstance(value, float) and math.isfinite(value))


_TYPES: dict[str, Check] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}


def compile_check(schema: dict[str, Any]) -> Check | None:
    """A function that says whether a value is valid; None if the schema has keywords unknown here.

    Args:
        schema: A JSON Schema (2020-12) with references to its own parts only.
    """
    try:
        return _Compiler(schema).compile(schema)
    except _UnknownKeywordError:
        return None


class _UnknownKeywordError(Exception):
    """A keyword, or a use of it, that is not known here."""


class _Compiler:
    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._referenced: dict[str, list[Check]] = {}

    def compile(self, schema: dict[str, Any]) -> Check:
        checks: list[Check] = []
        for keyword, wanted in schema.items():
            if keyword in _ANNOTATIONS or keyword in ("properties", "then", "else"):
                continue  # the latter count with the keywords they belong to
            make = getattr(self, f"_check_{keyword.removeprefix('$')}", None)
            if make is None:
                raise _UnknownKeywordError(keyword)
            checks.append(make(wanted, schema))
        if "properties" in schema and "additionalProperties" not in schema:
            checks.append(self._check_additionalProperties({}, schema))
        return _all_of(checks)

    def _check_type(self, wanted: str | list[str], _: object) -> Check:
        return _any_of([_TYPES[name] for name in ([wanted] if isinstance(wanted, str) else wanted)])

    def _check_enum(self, wanted: list[Any], _: object) -> Check:
        words = frozenset(wanted)
        if not all(isinstance(word, str) for word in words):
            raise _UnknownKeywordError("enum of other things than text")
        return lambda value: isinstance(value, str) and value in words

    def _check_format(self, wanted: str, _: object) -> Check:
        is_format = FORMATS.get(wanted)
        if is_format is None:
            raise _UnknownKeywordError(wanted)

        def check(value: Any) -> bool:
            try:
                return is_format(value)
            except ValueError:
                return False

        return check

    def _check_minLength(self, wanted: int, _: object) -> Check:  # noqa: N802 - as the keyword
        return lambda value: not isinstance(value, str) or len(value) >= wanted

    def _check_minItems(self, wanted: int, _: object) -> Check:  # noqa: N802
        return lambda value: not isinstance(value, list) or len(value) >= wanted

    def _check_minProperties(self, wanted: int, _: object) -> Check:  # noqa: N802
        return lambda value: not isinstance(value, dict) or len(value) >= wanted

    def _check_required(self, wanted: list[str], _: object) -> Check:
        keys = frozenset(wanted)
        return lambda value: not isinstance(value, dict) or keys <= value.keys()

    def _check_items(self, wanted: dict[str, Any], _: object) -> Check:
        each = self.compile(wanted)
        return lambda value: not isinstance(value, list) or all(map(each, value))

    def _check_additionalProperties(  # noqa: N802
        self, wanted: bool | dict[str, Any], schema: dict[str, Any]
    ) -> Check:
        known = {key: self.compile(part) for key, part in schema.get("properties", {}).items()}
        others = self.compile(wanted) if isinstance(wanted, dict) else lambda _: bool(wanted)

        def check(value: Any) -> bool:
            if not isinstance(value, dict):
                return True
            return all(known.get(key, others)(entry) for key, entry in value.items())

        return check

    def _check_anyOf(self, wanted: list[dict[str, Any]], _: object) -> Check:  # noqa: N802
        return _any_of([self.compile(alternative) for alternative in wanted])

    def _check_if(self, wanted: dict[str, Any], schema: dict[str, Any]) -> Check:
        condition = self.compile(wanted)
        then, otherwise = self.compile(schema.get("then", {})), self.compile(schema.get("else", {}))
        return lambda value: then(value) if condition(value) else otherwise(value)

    def _check_ref(self, wanted: str, _: object) -> Check:
        if wanted not in self._referenced:
            if not wanted.startswith("#/"):
                raise _UnknownKeywordError(wanted)
            found = self._root
            for key in wanted.removeprefix("#/").split("/"):
                found = found[key]
            made = self._referenced[wanted] = []  # there before it is made: it may name itself
            made.append(self.compile(found))
        reference = self._referenced[wanted]

        def check(value: Any) -> bool:
            return reference[0](value)

        return check


def _all_of(checks: list[Check]) -> Check:
    if len(checks) == 1:
        return checks[0]

    def check(value: Any) -> bool:
        for each in checks:  # noqa: SIM110 - half the time of a generator
            if not each(value):
                return False
        return True

    return check


def _any_of(checks: list[Check]) -> Check:
    return checks[0] if len(checks) == 1 else lambda value: any(c(value) for c in checks)
