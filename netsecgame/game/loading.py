"""From a task file to a game that can be played: the task, its scenario, and whether they fit."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from netsecgame.core.dynamics import compile_game
from netsecgame.core.reachability import find_unreachable
from netsecgame.core.task import GameSpec
from netsecgame.errors import ConfigurationError, ScenarioError, TaskError
from netsecgame.game_components import AgentRole
from netsecgame.scenarios import load_scenario
from netsecgame.tasks import check_references, check_task, load_task_document, parse_task

if TYPE_CHECKING:
    from pathlib import Path

    from netsecgame.core.scenario import Scenario
    from netsecgame.core.task import Task
    from netsecgame.documents import Document


class Findings(NamedTuple):
    """What is wrong with a game.

    Attributes:
        errors: It cannot be played, or an attacker can never win.
        warnings: It can be played, but something is probably not meant so.
    """

    errors: list[ConfigurationError]
    warnings: list[ConfigurationError]


def load_game(path: str | Path) -> GameSpec:
    """The game in a task file.

    Raises:
        ConfigurationError: The first thing wrong with the task or its scenario.
    """
    loaded = load_task_document(path)
    spec = GameSpec(loaded.task, _load_scenario(loaded.task, loaded.base_dir, loaded.document))
    _raise_first(check_references(spec.task, spec.scenario, loaded.document))
    return spec


def parse_game(values: Mapping[str, Any], source: str | None = None) -> GameSpec:
    """The game in values that are already parsed, e.g. from JSON.

    Args:
        values: What a task file would hold.
        source: What to call the origin in errors.

    Raises:
        ConfigurationError: The first thing wrong with the task or its scenario.
    """
    task = parse_task(values, source)
    spec = GameSpec(task, _load_scenario(task, None, None))
    _raise_first(check_references(task, spec.scenario))
    return spec


def check_game(path: str | Path) -> Findings:
    """Everything wrong with a task file and its scenario, goals out of reach included."""
    errors: list[ConfigurationError] = list(check_task(path))
    if errors:
        return Findings(errors, [])
    loaded = load_task_document(path)
    try:
        scenario = _load_scenario(loaded.task, loaded.base_dir, loaded.document)
    except ConfigurationError as error:
        return Findings([error], [])
    errors.extend(check_references(loaded.task, scenario, loaded.document))
    if errors:
        return Findings(errors, [])
    found = find_goals_out_of_reach(GameSpec(loaded.task, scenario), loaded.document)
    errors.extend(error for role, error in found if role is AgentRole.Attacker)
    warnings: list[ConfigurationError] = [e for role, e in found if role is not AgentRole.Attacker]
    if loaded.task.roles[AgentRole.Attacker].goal.is_empty:
        place = ("coordinator", "agents", AgentRole.Attacker.value)
        warnings.append(loaded.error(place, "the attacker has no goal, so it can never win"))
    return Findings(errors, warnings)


def find_goals_out_of_reach(
    spec: GameSpec, document: Document | None = None
) -> list[tuple[AgentRole, TaskError]]:
    """The parts of goals that no play from the start reaches, with the role whose goal it is.

    Args:
        spec: The game.
        document: What the task was read from; gives the errors their file and line.
    """
    found = []
    topology = compile_game(spec)
    for role in spec.task.roles:
        for part in find_unreachable(spec, role, topology):
            start = ", ".join(map(str, part.start)) or "no host"
            path = ("coordinator", "agents", role.value, "goal", *part.part.split(".", 1))
            reason = f"{part.what} cannot be reached by any play from {start}"
            line = document.line_of(path) if document is not None else None
            source = document.source if document is not None else None
            error = TaskError(reason, source=source, line=line, path=".".join(path))
            found.append((role, error))
    return found


def hash_game(spec: GameSpec) -> str:
    """SHA-256 of a game as hexadecimal digits; the same in every process for the same game."""
    return sha256(msgspec.json.encode(_plain(spec), order="sorted")).hexdigest()


def _plain(value: object) -> Any:
    """The value as mappings with text as keys, lists and scalars."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return str(value)
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is not None:
        return {name: _plain(getattr(value, name)) for name in fields}
    return value


def _load_scenario(task: Task, base_dir: Path | None, document: Document | None) -> Scenario:
    try:
        return load_scenario(task.scenario, base_dir=base_dir)
    except ScenarioError as error:
        if error.source is not None or document is None:
            raise
        path = ("env", "scenario")
        raise TaskError(
            error.reason,
            source=document.source,
            line=document.line_of(path),
            path=".".join(path),
        ) from error


def _raise_first(errors: list[TaskError]) -> None:
    if errors:
        raise errors[0]
