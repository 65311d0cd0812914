"""What violates a schema, as advice: what was seen, what was expected, what is near."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from netsecgame.documents.document import Document, DocumentPath, Problem
from netsecgame.errors import suggest_nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_TYPE_NAMES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "nothing",
    "number": "a number",
    "object": "a mapping",
    "string": "text",
}

_LIMITS = {
    "maximum": "at most {}",
    "minimum": "at least {}",
    "minItems": "at least {} in this list",
    "minLength": "at least {} letter",
    "minProperties": "at least {} key",
}

#: Keywords that say "this is another kind of thing", not "this thing is wrong".
_OTHER_KIND = ("type", "enum")


class Violation(NamedTuple):
    """One value that violates one keyword of a schema.

    Attributes:
        path: Where the value is.
        seen: The value.
        keyword: The keyword.
        wanted: What the schema gives for the keyword.
        schema: The schema around the keyword.
        detail: What the check of a format adds.
        branch: For a cause of an `anyOf`: which of its schemas.
        causes: For an `anyOf`: what violates the schemas in it.
    """

    path: DocumentPath
    seen: Any
    keyword: str
    wanted: Any
    schema: Mapping[str, Any]
    detail: str = ""
    branch: str | int | None = None
    causes: tuple[Violation, ...] = ()


def explain(violation: Violation, document: Document) -> Iterator[Problem]:
    """The problems behind one violation of a schema by a document."""
    match violation.keyword:
        case "additionalProperties":
            yield from _explain_unknown_keys(violation)
        case "required":
            yield from _explain_missing_keys(violation)
        case "anyOf" if meant := _find_meant(violation):
            for cause in meant:
                yield from explain(cause, document)
        case _:
            yield _explain_value(violation, document)


def _explain_unknown_keys(violation: Violation) -> Iterator[Problem]:
    known = violation.schema.get("properties", {})
    for key in _unknown_keys(violation):
        hint = suggest_nearest(key, known) or f"; known keys: {', '.join(known)}"
        yield Problem((*violation.path, key), f"unknown key{hint}")


def _explain_missing_keys(violation: Violation) -> Iterator[Problem]:
    advice = violation.schema.get("errorMessage")
    hint = f"; {advice}" if advice else ""
    unknown = list(_unknown_keys(violation))
    for key in violation.wanted:
        is_misspelt = any(suggest_nearest(other, [key]) for other in unknown)
        if key not in violation.seen and not is_misspelt:
            yield Problem(violation.path, f"the key {key!r} is missing{hint}")


def _unknown_keys(violation: Violation) -> Iterator[str]:
    known = violation.schema.get("properties", {})
    patterns = violation.schema.get("patternProperties", {})
    for key in violation.seen:
        if key not in known and not any(re.search(pattern, key) for pattern in patterns):
            yield key


def _find_meant(violation: Violation) -> list[Violation]:
    """What violates the one alternative that was meant, if the value shows which it was."""
    if not isinstance(violation.seen, dict | list):
        return []
    branches: dict[str | int | None, list[Violation]] = {}
    for cause in violation.causes:
        branches.setdefault(cause.branch, []).append(cause)
    meant = [
        causes
        for causes in branches.values()
        if not any(c.keyword in _OTHER_KIND and c.path == violation.path for c in causes)
    ]
    return meant[0] if len(meant) == 1 else []


def _explain_value(violation: Violation, document: Document) -> Problem:
    words = _allowed_words(violation)
    expected = violation.schema.get("errorMessage") or f"expected {_describe_wanted(violation)}"
    reason = f"{expected}, got {_describe_seen(violation.seen, document.texts.get(violation.path))}"
    if isinstance(violation.seen, str):
        reason += suggest_nearest(violation.seen, words)
    elif violation.schema.get("type") == "string" and violation.path in document.texts:
        reason += f'; put it in quotes: "{document.texts[violation.path]}"'
    details = {v.detail for v in (violation, *violation.causes) if v.detail}
    return Problem(violation.path, "; ".join([reason, *sorted(details)]))


def _describe_wanted(violation: Violation) -> str:
    wanted = violation.wanted
    match violation.keyword:
        case "type":
            return _describe_types(wanted)
        case "enum":
            return _join_alternatives(map(str, wanted))
        case "anyOf":
            types = [_describe_types(c.wanted) for c in violation.causes if c.keyword == "type"]
            return _join_alternatives(dict.fromkeys([*types, *_allowed_words(violation)]))
        case keyword:
            return _LIMITS.get(keyword, f"{keyword} {{}}").format(wanted)


def _describe_types(types: str | list[str]) -> str:
    return _join_alternatives(
        _TYPE_NAMES[t] for t in ([types] if isinstance(types, str) else types)
    )


def _join_alternatives(alternatives: Iterable[str]) -> str:
    *others, last = alternatives
    return f"{', '.join(others)} or {last}" if others else last


def _allowed_words(violation: Violation) -> list[str]:
    """The words that the violated enumerations would have allowed."""
    enumerations = [v.wanted for v in (violation, *violation.causes) if v.keyword == "enum"]
    return [word for wanted in enumerations for word in wanted if isinstance(word, str)]


def _describe_seen(value: object, text: str | None) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else f"{value[:57]}...")
    if text is not None:
        return text
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "a mapping"
    return "nothing" if value is None else str(value).lower()
