"""From a task file to a `Task`, or to everything that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from netsecgame.documents import Document, DocumentPath, Problem, Schema, read_yaml
from netsecgame.errors import TaskError
from netsecgame.tasks.conversion import convert_task

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from netsecgame.core.task import Task

#: The JSON Schema of task files, for editors too.
SCHEMA_PATH = Path(__file__).with_name("task.schema.json")


@dataclass(frozen=True)
class TaskDocument:
    """A task together with the document it was read from.

    Attributes:
        task: What the document says.
        document: Where it says so.
        base_dir: The folder of the file, which the path of a scenario file is relative to.
    """

    task: Task
    document: Document
    base_dir: Path

    def error(self, path: DocumentPath, reason: str) -> TaskError:
        """An error at one place of the document, such as ``("env", "scenario")``."""
        return self.document.error(TaskError, Problem(path, reason))


def load_task(path: str | Path) -> Task:
    """The task in a YAML (or JSON) file.

    Raises:
        TaskError: The first thing wrong with the file; `check_task` tells all.
    """
    return load_task_document(path).task


def load_task_document(path: str | Path) -> TaskDocument:
    """The task in a file, with the places of everything in it.

    Raises:
        TaskError: The first thing wrong with the file.
    """
    document = read_yaml(path, TaskError)
    return TaskDocument(_convert(document), document, Path(path).parent)


def parse_task(values: Mapping[str, Any], source: str | None = None) -> Task:
    """The task in values that are already parsed, e.g. from JSON.

    Args:
        values: What a task file would hold.
        source: What to call the origin in errors.

    Raises:
        TaskError: The first thing wrong with the values; it has no line.
    """
    return _convert(Document.from_values(values, source))


def check_task(path: str | Path) -> list[TaskError]:
    """Everything wrong with a task file, in the order of its lines; nothing if it is fine."""
    try:
        document = read_yaml(path, TaskError)
    except TaskError as error:
        return [error]
    return _find_errors(document)


def _convert(document: Document) -> Task:
    errors = _find_errors(document)
    if errors:
        raise errors[0]
    return convert_task(document.content)


def _find_errors(document: Document) -> list[TaskError]:
    problems = _schema().find_problems(document)
    return document.errors(TaskError, problems or _find_contradictions(document.content))


def _find_contradictions(content: Mapping[str, Any]) -> list[Problem]:
    """What is wrong although every part is well formed."""
    required = content["env"].get("required_players")
    if not isinstance(required, dict):
        return []
    roles = {*content["coordinator"]["agents"], "Benign"}
    return [
        Problem(
            ("env", "required_players", role),
            f"waits for a role that coordinator.agents does not have, "
            f"which are {', '.join(sorted(roles))}",
        )
        for role in required
        if role not in roles
    ]


@cache
def _schema() -> Schema:
    return Schema.from_file(SCHEMA_PATH)
