"""The task files that come with the project."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netsecgame.core.reachability import find_unreachable
from netsecgame.core.task import GameSpec, Word
from netsecgame.game_components import AgentRole
from netsecgame.scenarios import SHIPPED_SCENARIOS, load_scenario
from netsecgame.tasks import SCHEMA_PATH, check_references, check_task, load_task_document

FOLDER = Path(__file__).parents[3] / "task_configs"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def spec_of(path: Path) -> GameSpec:
    document = load_task_document(path)
    scenario = load_scenario(document.task.scenario, base_dir=document.base_dir)
    return GameSpec(document.task, scenario)


def test_shipped_task_names_only_what_its_scenario_has(path: Path) -> None:
    spec = spec_of(path)

    assert check_task(path) == []
    assert check_references(spec.task, spec.scenario) == []


def test_shipped_task_goals_can_be_reached(path: Path) -> None:
    spec = spec_of(path)

    assert not spec.task.roles[AgentRole.Attacker].goal.is_empty
    assert {role: find_unreachable(spec, role) for role in spec.task.roles} == {
        role: [] for role in spec.task.roles
    }


def test_shipped_task_tells_agents_a_goal_and_stops_the_attacker(path: Path) -> None:
    attacker = spec_of(path).task.roles[AgentRole.Attacker]

    assert attacker.goal_description.endswith(".")
    assert attacker.max_steps is not None
    assert 20 <= attacker.max_steps <= 100


def test_shipped_task_first_line_points_editors_at_the_schema(path: Path) -> None:
    prefix, _, target = path.read_text().splitlines()[0].partition("$schema=")

    assert prefix == "# yaml-language-server: "
    assert (FOLDER / target).resolve() == SCHEMA_PATH.resolve()


def test_shipped_tasks_cover_scenarios_and_features() -> None:
    tasks = [spec_of(path).task for path in FILES]

    assert {task.scenario for task in tasks} == set(SHIPPED_SCENARIOS)
    assert any(len(task.roles) == 3 for task in tasks)
    assert any(task.use_dynamic_addresses for task in tasks)
    assert any(task.detection for task in tasks)
    assert any(
        Word.RANDOM in task.roles[AgentRole.Attacker].start.controlled_hosts
        and any(
            Word.RANDOM in data for data in task.roles[AgentRole.Attacker].goal.known_data.values()
        )
        for task in tasks
    )
    assert any(
        not isinstance(task.required_players, int) and task.required_players[AgentRole.Attacker] > 1
        for task in tasks
    )


def test_shipped_tasks_readme_lists_every_file_with_its_scenario() -> None:
    rows = re.findall(r"^\| `(\S+)` \| (\w+) \|", (FOLDER / "README.md").read_text(), re.MULTILINE)

    assert dict(rows) == {path.name: spec_of(path).task.scenario for path in FILES}
