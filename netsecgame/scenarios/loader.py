"""From a scenario's name or file to a `Scenario`, or to everything that is wrong with it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from netsecgame.documents import Document, Problem, Schema, read_yaml
from netsecgame.errors import ScenarioError, suggest_nearest
from netsecgame.scenarios.conversion import convert_scenario
from netsecgame.scenarios.lint import find_contradictions

if TYPE_CHECKING:
    from netsecgame.core.scenario import Scenario

#: The JSON Schema of scenario files, for editors too.
SCHEMA_PATH = Path(__file__).with_name("scenario.schema.json")

#: The public scenarios: from the smallest to the largest, older names last.
SHIPPED_SCENARIOS = (
    "two_networks_tiny",
    "two_networks_small",
    "two_networks",
    "one_network",
    "three_net_scenario",
    "scenario1_tiny",
    "scenario1_small",
    "scenario1",
)

_DATA_DIR = Path(__file__).with_name("data")

_SUFFIXES = (".yaml", ".yml", ".json")


def list_scenarios() -> list[str]:
    """The names of the shipped scenarios."""
    return list(SHIPPED_SCENARIOS)


def load_scenario(name_or_path: str, *, base_dir: Path | None = None) -> Scenario:
    """The scenario of that name, or in that file.

    Args:
        name_or_path: A shipped name, or the path of a YAML file.
        base_dir: Where a relative path is looked up first, before the working directory; the folder
            of the task file, usually.

    Raises:
        ScenarioError: If there is none, or the first thing wrong with its file; `check_scenario`
            tells all.
    """
    document = _read_document(name_or_path, base_dir)
    errors = _find_errors(document)
    if errors:
        raise errors[0]
    return convert_scenario(name_or_path, document.content)


def check_scenario(name_or_path: str, *, base_dir: Path | None = None) -> list[ScenarioError]:
    """Everything wrong with a scenario, in the order of its lines; nothing if it is fine.

    Args:
        name_or_path: As for `load_scenario`.
        base_dir: As for `load_scenario`.
    """
    try:
        return _find_errors(_read_document(name_or_path, base_dir))
    except ScenarioError as error:
        return [error]


def _find_errors(document: Document) -> list[ScenarioError]:
    problems = _schema().find_problems(document)
    return document.errors(ScenarioError, problems or find_contradictions(document.content))


def _read_document(name_or_path: str, base_dir: Path | None) -> Document:
    """The document that has the hosts: the named one, or the one it is the same as."""
    path = _find_file(name_or_path, base_dir)
    document = read_yaml(path, ScenarioError)
    seen = {path.resolve()}
    while (target := _alias_target(document)) is not None:
        try:
            path = _find_file(target, path.parent)
        except ScenarioError as error:
            raise document.error(ScenarioError, Problem(("same_as",), error.reason)) from None
        if path.resolve() in seen:
            reason = f"{target!r} leads back to this scenario"
            raise document.error(ScenarioError, Problem(("same_as",), reason))
        seen.add(path.resolve())
        document = read_yaml(path, ScenarioError)
    return document


def _alias_target(document: Document) -> str | None:
    """What a well-formed alias points at; None for everything else."""
    if not isinstance(document.content, dict) or "same_as" not in document.content:
        return None
    return None if _schema().find_problems(document) else document.content["same_as"]


def _find_file(name_or_path: str, base_dir: Path | None) -> Path:
    if name_or_path in SHIPPED_SCENARIOS:
        return _DATA_DIR / f"{name_or_path}.yaml"
    path = Path(name_or_path)
    if path.suffix not in _SUFFIXES and path.name == name_or_path:
        names = ", ".join(SHIPPED_SCENARIOS)
        hint = suggest_nearest(name_or_path, SHIPPED_SCENARIOS)
        raise ScenarioError(
            f"unknown scenario {name_or_path!r}{hint}; expected one of {names}, "
            f"or the path of a scenario file such as {name_or_path}.yaml"
        )
    tried = list(dict.fromkeys(folder / path for folder in (base_dir or Path(), Path())))
    for candidate in tried:
        if _exists(candidate):
            return candidate
    where = " and ".join(str(candidate.absolute()) for candidate in tried)
    raise ScenarioError(f"there is no scenario file {name_or_path!r}; looked for {where}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, not to be looked at, or no path at all
        return False


@cache
def _schema() -> Schema:
    return Schema.from_file(SCHEMA_PATH)
