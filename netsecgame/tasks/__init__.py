"""Task files: read, checked, and turned into a `netsecgame.core.task.Task`."""

from netsecgame.tasks.loader import (
    SCHEMA_PATH,
    TaskDocument,
    check_task,
    load_task,
    load_task_document,
    parse_task,
)
from netsecgame.tasks.references import check_references

__all__ = [
    "SCHEMA_PATH",
    "TaskDocument",
    "check_references",
    "check_task",
    "load_task",
    "load_task_document",
    "parse_task",
]
