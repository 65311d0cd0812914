"""A JSON Schema to check documents against."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from netsecgame.documents.explain import Violation, explain
from netsecgame.documents.formats import FORMATS
from netsecgame.documents.quick_check import compile_check
from netsecgame.errors import missing_extra

try:
    from jsonschema import FormatChecker, validators
except ModuleNotFoundError as error:
    raise missing_extra(error, "server") from error

if TYPE_CHECKING:
    from pathlib import Path

    from jsonschema.exceptions import ValidationError

    from netsecgame.documents.document import Document, Problem


def _is_integer(_checker: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite_number(checker: object, value: object) -> bool:
    return _is_integer(checker, value) or (isinstance(value, float) and math.isfinite(value))


#: Draft 2020-12, but 5.0 is no integer, and infinity and nan are no numbers.
_Validator = validators.extend(  # type: ignore[no-untyped-call]
    validators.Draft202012Validator,
    type_checker=validators.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_finite_number}
    ),
)


class Schema:
    """A JSON Schema (2020-12).

    It may say in its own words what it expects, in an `errorMessage` that starts with "expected";
    editors show the same text.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        checker = FormatChecker(formats=())
        for name, check in FORMATS.items():
            checker.checks(name, raises=ValueError)(check)
        self._validator = _Validator(schema, format_checker=checker)
        self._is_valid = compile_check(schema)

    @classmethod
    def from_file(cls, path: Path) -> Schema:
        """The schema in a JSON file of this package."""
        return cls(json.loads(path.read_bytes()))

    def find_problems(self, document: Document) -> list[Problem]:
        """Everything wrong with a document: as such, and by this schema."""
        if self._is_valid is not None and self._is_valid(document.content):
            return list(document.problems)
        found = (
            problem
            for error in self._validator.iter_errors(document.content)
            for problem in explain(_read_violation(error), document)
        )
        return [*document.problems, *dict.fromkeys(found)]


def _read_violation(error: ValidationError) -> Violation:
    path = tuple(error.absolute_path)
    if "propertyNames" in error.relative_schema_path:
        path = (*path, str(error.instance))  # the key itself, not the mapping around it
    return Violation(
        path=path,
        seen=error.instance,
        keyword=str(error.validator),
        wanted=error.validator_value,
        schema=error.schema if isinstance(error.schema, dict) else {},
        detail=str(error.cause or ""),
        branch=error.relative_schema_path[0] if error.relative_schema_path else None,
        causes=tuple(_read_violation(cause) for cause in error.context or ()),
    )
