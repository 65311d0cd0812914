"""From what a person types to a task file."""

from __future__ import annotations

from pathlib import Path

from netsecgame.errors import TaskError, suggest_nearest

_PACKAGE_DIR = Path(__file__).resolve().parents[1]

#: Where tasks are known by name: under the working directory, inside an installed package, or
#: beside the package in a checkout.
TASKS_DIRS = (
    Path("task_configs"),
    _PACKAGE_DIR / "shipped_tasks",
    _PACKAGE_DIR.parent / "task_configs",
)

_SUFFIXES = (".yaml", ".yml", ".json")


def find_task_file(name_or_path: str) -> Path:
    """The task file at a path, or of a name.

    Args:
        name_or_path: A path, or the name of a file in `TASKS_DIRS` without its suffix.

    Raises:
        TaskError: If there is no such file.
    """
    path = Path(name_or_path)
    named = [place / f"{name_or_path}{suffix}" for place in TASKS_DIRS for suffix in _SUFFIXES]
    found = next((candidate for candidate in (path, *named) if candidate.is_file()), None)
    if found is not None:
        return found
    if path.is_dir():
        raise TaskError("expected a task file, got a folder", source=name_or_path)
    known = sorted(
        {file.stem for place in TASKS_DIRS for file in place.glob("*") if file.suffix in _SUFFIXES}
    )
    hint = suggest_nearest(path.stem, known)
    raise TaskError(f"there is no such task file{hint}", source=name_or_path)
