"""YAML files as documents: safe, with the line of every value, and without silent surprises."""

from __future__ import annotations

import gc
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsecgame.documents.document import Document, DocumentPath, Problem
from netsecgame.errors import ConfigurationError, missing_extra

try:
    import yaml
except ModuleNotFoundError as error:
    raise missing_extra(error, "server") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netsecgame.documents.document import ErrorT

#: The parser in C, where PyYAML was built with it, is ten times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: Beyond these a file is a mistake or an attack (YAML aliases multiply). A generated scenario of
#: 10,000 hosts has 2.3 MiB and 150,000 values.
_MAX_BYTES = 16 * 1024 * 1024
_MAX_VALUES = 500_000
_MAX_DEPTH = 64

#: Numbers that YAML 1.1 reads in base 8 or 60, and YAML 1.2 and people do not.
_MISREAD_NUMBER = re.compile(r"[-+]?(0[0-9_]+|[0-9][0-9_]*(:[0-9_.]+)+)")

_TAG = "tag:yaml.org,2002:"


def read_yaml(path: str | Path, error: type[ErrorT]) -> Document:
    """A YAML (or JSON) file as a document.

    Duplicate keys, numbers that YAML 1.1 reads in base 8 or 60 and the like are among the
    document's `problems`.

    Args:
        path: The file.
        error: What to raise when there is nothing to go on with.

    Raises:
        ConfigurationError: As `error`; if the file cannot be read or is no YAML at all.
    """
    source = str(path)
    try:
        with Path(path).open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise error("there is no such file", source=source) from None
    except OSError as cause:
        raise error(f"cannot be read: {cause.strerror}", source=source) from cause
    if len(raw) > _MAX_BYTES:
        raise error(f"is longer than {_MAX_BYTES} bytes", source=source)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        line = raw.count(b"\n", 0, cause.start) + 1
        raise error("is not UTF-8 text", source=source, line=line) from cause
    try:
        return parse_yaml(text, source)
    except yaml.MarkedYAMLError as cause:
        mark = cause.problem_mark or cause.context_mark
        what = " ".join(filter(None, (cause.context, cause.problem)))
        raise error(
            f"is not YAML: {what}", source=source, line=mark.line + 1 if mark else None
        ) from cause
    except yaml.YAMLError as cause:
        raise error(f"is not YAML: {cause}", source=source) from cause
    except ConfigurationError as cause:
        raise error(cause.reason, source=source, line=cause.line) from None


def parse_yaml(text: str, source: str | None = None) -> Document:
    """YAML text as a document; see `read_yaml`.

    Raises:
        yaml.YAMLError: If the text is no YAML.
        ConfigurationError: If it is too deep, or too large once its aliases are followed.
    """
    with _without_garbage_collection():
        _check_depth(text)
        root = yaml.compose(text, Loader=_LOADER)
        builder = _Builder()
        content = None if root is None else builder.build(root, ())
    return Document(content, source, builder.lines, builder.texts, tuple(builder.problems))


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Parsing makes a great many objects and no garbage: looking for some took 3/4 of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _check_depth(text: str) -> None:
    """Refuse text so deep that composing it would exhaust the stack of the parser in C."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise _too_deep(event.start_mark.line + 1 if event.start_mark else None)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _too_deep(line: int | None) -> ConfigurationError:
    return ConfigurationError(f"is nested more than {_MAX_DEPTH} levels deep", line=line)


class _Builder:
    """Turns YAML nodes into values and notes their lines."""

    def __init__(self) -> None:
        self.lines: dict[DocumentPath, int] = {}
        self.texts: dict[DocumentPath, str] = {}
        self.problems: list[Problem] = []
        self._scalars = yaml.constructor.SafeConstructor()

    def build(self, node: yaml.Node, path: DocumentPath) -> Any:
        """The value of a node."""
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        if len(path) > _MAX_DEPTH:
            raise _too_deep(line)
        if len(self.lines) > _MAX_VALUES:
            raise ConfigurationError(f"has more than {_MAX_VALUES} values", line=line)
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._build_mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.build(entry, (*path, i)) for i, entry in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._build_scalar(node, path)
        self.problems.append(Problem(path, f"the YAML tag {node.tag} has no place here"))
        return None

    def _build_mapping(self, node: yaml.MappingNode, path: DocumentPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value
            if key_node.tag != f"{_TAG}str":
                self.problems.append(Problem(path, _explain_key(key_node), line))
            elif key in values:
                first = self.lines[*path, key]
                reason = f"is given twice, first in line {first}"
                self.problems.append(Problem((*path, key), reason, line))
            else:
                self.lines[*path, key] = line
                values[key] = self.build(value_node, (*path, key))
        return values

    def _build_scalar(self, node: yaml.ScalarNode, path: DocumentPath) -> Any:
        text: str = node.value
        match node.tag.removeprefix(_TAG):
            case "str" | "timestamp" | "value" | "merge":
                return text
            case "null":
                return None
            case "bool":
                self.texts[path] = text
                return self._scalars.construct_yaml_bool(node)
            case "int":
                return self._build_number(node, path, self._scalars.construct_yaml_int)
            case "float":
                return self._build_number(node, path, self._scalars.construct_yaml_float)
            case _:
                self.problems.append(Problem(path, f"the YAML tag {node.tag} has no place here"))
                return None

    def _build_number(
        self,
        node: yaml.ScalarNode,
        path: DocumentPath,
        construct: Callable[[yaml.ScalarNode], float],
    ) -> float:
        text = self.texts[path] = node.value
        try:
            value = construct(node)
        except ValueError:
            self.problems.append(Problem(path, f"{text[:40]!r} is not a number"))
            return 0
        if _MISREAD_NUMBER.fullmatch(text):
            reason = (
                f"YAML reads {text} as {value}; write that number, "
                f'or put it in quotes if it is text: "{text}"'
            )
            self.problems.append(Problem(path, reason))
        return value


def _explain_key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        return "expected text as a key, got a list or a mapping"
    if node.tag == f"{_TAG}merge":
        return "merge keys (<<) are not supported; write the entries out"
    return f'expected text as a key, got {node.value}; put it in quotes: "{node.value}"'
