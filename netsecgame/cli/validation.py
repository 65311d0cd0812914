"""`netsecgame validate`: what is wrong with task and scenario files."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.text import Text

from netsecgame.documents import read_yaml
from netsecgame.errors import ConfigurationError
from netsecgame.game.loading import check_game
from netsecgame.scenarios import check_scenario

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: What a file of each kind has at its top.
_TASK_KEYS = frozenset({"coordinator", "env"})
_SCENARIO_KEYS = frozenset({"networks", "hosts", "routers", "same_as"})

EXIT_OK, EXIT_BAD_CONFIGURATION = 0, 2


class Verdict(NamedTuple):
    """What was found out about a file.

    Attributes:
        kind: ``task``, ``scenario``, or ``file`` if it is neither.
        errors: The file cannot be used as it is.
        warnings: It can, but something is probably not meant so.
    """

    kind: str
    errors: Sequence[ConfigurationError]
    warnings: Sequence[ConfigurationError]


def validate_files(paths: Iterable[str]) -> int:
    """Print what is wrong with each file, or that it is fine; returns the exit status."""
    console = Console(highlight=False, soft_wrap=True)
    status = EXIT_OK
    for path in paths:
        verdict = check_file(path)
        for error in verdict.errors:
            console.print(Text(_with_source(error, path), "red"))
            status = EXIT_BAD_CONFIGURATION
        for warning in verdict.warnings:
            console.print(Text(f"{_with_source(warning, path)} (warning)", "yellow"))
        if not verdict.errors:
            console.print(Text.assemble(("✓", "green"), f" {path}: {verdict.kind}"))
    return status


def check_file(path: str) -> Verdict:
    """Everything wrong with a task or a scenario; which it is, its content says."""
    try:
        content = read_yaml(path, ConfigurationError).content
    except ConfigurationError as error:
        return Verdict("file", [error], [])
    keys = set(content) if isinstance(content, dict) else set()
    if keys & _TASK_KEYS:
        return Verdict("task", *check_game(path))
    if keys & _SCENARIO_KEYS:
        return Verdict("scenario", check_scenario(path), [])
    expected = "expected a task (coordinator, env) or a scenario (networks, hosts)"
    found = f"got {', '.join(sorted(keys))}" if keys else "found neither"
    return Verdict("file", [ConfigurationError(f"{expected}, {found}", source=path)], [])


def _with_source(error: ConfigurationError, path: str) -> str:
    return str(error) if error.source else f"{path}: {error}"
