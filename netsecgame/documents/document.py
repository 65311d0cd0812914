"""Plain values that remember where they were written, so that errors can say so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias, TypeVar

from netsecgame.errors import ConfigurationError

#: Keys and list indices from the top of the document to a value; () is the whole document.
DocumentPath: TypeAlias = tuple[str | int, ...]

ErrorT = TypeVar("ErrorT", bound=ConfigurationError)

_PLAIN_KEY = re.compile(r"[A-Za-z_][\w-]*")


class Problem(NamedTuple):
    """Something wrong at one place of a document.

    Attributes:
        path: The place.
        reason: What was seen and what was expected.
        line: Its 1-based line, where that is not simply the line of the value at `path`.
    """

    path: DocumentPath
    reason: str
    line: int | None = None


def format_path(path: DocumentPath) -> str:
    """The path as text, e.g. ``goal.known_data[213.47.23.195][0]``."""
    text = ""
    for part in path:
        if isinstance(part, str) and _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{part}]"
    return text


@dataclass(frozen=True)
class Document:
    """A document of mappings, lists, text, numbers, booleans and None.

    Attributes:
        content: The values.
        source: Name of the file, or None when the values came from no file.
        lines: 1-based line of every value that has one.
        texts: How numbers and booleans were written, where the document was text.
        problems: What was wrong with the document as such, before any schema.
    """

    content: Any
    source: str | None = None
    lines: Mapping[DocumentPath, int] = field(default_factory=dict)
    texts: Mapping[DocumentPath, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @classmethod
    def from_values(cls, values: object, source: str | None = None) -> Document:
        """A document of values that were never text, or not text with lines.

        Args:
            values: Mappings with text as keys, lists, tuples, text, numbers, booleans, None.
            source: What to call the origin in errors.
        """
        problems: list[Problem] = []
        return cls(_plain(values, (), problems), source, problems=tuple(problems))

    def line_of(self, path: DocumentPath) -> int | None:
        """Line of the value at `path`, or of the nearest thing around it that has one."""
        for length in range(len(path), -1, -1):
            line = self.lines.get(path[:length])
            if line is not None:
                return line
        return None

    def error(self, kind: type[ErrorT], problem: Problem) -> ErrorT:
        """One problem as an exception with file, line and path."""
        path, reason, line = problem
        return kind(
            reason,
            source=self.source,
            line=line or self.line_of(path),
            path=format_path(self._own(path)),
        )

    def errors(self, kind: type[ErrorT], problems: Iterable[Problem]) -> list[ErrorT]:
        """Problems as exceptions, in the order of the document where that is known."""
        return sorted(
            (self.error(kind, problem) for problem in problems), key=lambda error: error.line or 0
        )

    def _own(self, path: DocumentPath) -> DocumentPath:
        """The part of `path` that the document has."""
        value = self.content
        for length, part in enumerate(path):
            is_key = isinstance(value, dict) and part in value
            is_index = isinstance(value, list) and isinstance(part, int) and part < len(value)
            if not (is_key or is_index):
                return path[:length]
            value = value[part]
        return path


def _plain(value: object, path: DocumentPath, problems: list[Problem]) -> Any:
    """`value` with plain containers only; what does not belong in a document becomes a problem."""
    if isinstance(value, Mapping):
        plain = {}
        for key, entry in value.items():
            if isinstance(key, str):
                plain[str(key)] = _plain(entry, (*path, str(key)), problems)
            else:
                problems.append(Problem(path, f"expected text as a key, got {key!r}"))
        return plain
    if isinstance(value, list | tuple):
        return [_plain(entry, (*path, index), problems) for index, entry in enumerate(value)]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    expected = "expected a mapping, a list, text, a number, true, false or null"
    problems.append(Problem(path, f"{expected}, got {type(value).__name__}"))
    return None
