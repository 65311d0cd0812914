"""The shipped scenarios against the facts of the public ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.game_components import Service
from netsecgame.scenarios import (
    SCHEMA_PATH,
    SHIPPED_SCENARIOS,
    check_scenario,
    list_scenarios,
    load_scenario,
)

if TYPE_CHECKING:
    from netsecgame.core.scenario import Host, Router

FACTS_PATH = Path(__file__).parents[4] / "shared" / "spec" / "scenarios.json"
DATA_DIR = SCHEMA_PATH.parent / "data"

needs_facts = pytest.mark.skipif(not FACTS_PATH.exists(), reason=f"{FACTS_PATH} is not there")


def facts_of(name: str) -> dict[str, Any]:
    facts: dict[str, dict[str, Any]] = json.loads(FACTS_PATH.read_text())
    return facts[facts[name].get("same_as", name)]


def interfaces_of(device: Host | Router) -> list[tuple[str, str]]:
    return [(str(i.ip), str(i.network)) for i in device.interfaces]


def test_list_scenarios_names_are_the_files_there_are() -> None:
    assert sorted(list_scenarios()) == sorted(path.stem for path in DATA_DIR.iterdir())
    assert len(SHIPPED_SCENARIOS) == len(set(SHIPPED_SCENARIOS)) == 8


@needs_facts
def test_list_scenarios_names_are_the_public_ones() -> None:
    assert sorted(list_scenarios()) == sorted(json.loads(FACTS_PATH.read_text()))


@pytest.mark.parametrize("name", SHIPPED_SCENARIOS)
def test_shipped_scenario_is_without_errors_and_has_the_name_asked_for(name: str) -> None:
    assert check_scenario(name) == []
    assert load_scenario(name).name == name


@pytest.mark.parametrize("name", SHIPPED_SCENARIOS)
def test_shipped_scenario_first_line_points_editors_at_the_schema(name: str) -> None:
    first = (DATA_DIR / f"{name}.yaml").read_text().splitlines()[0]

    prefix, _, target = first.partition("$schema=")
    assert prefix == "# yaml-language-server: "
    assert (DATA_DIR / target).resolve() == SCHEMA_PATH.resolve()


@needs_facts
@pytest.mark.parametrize("name", SHIPPED_SCENARIOS)
def test_shipped_scenario_hosts_equal_the_facts(name: str) -> None:
    expected = [
        (
            host["id"],
            [(i["ip"], i["net"]) for i in host["interfaces"]],
            [Service(s["name"], "passive", s["version"], s["is_local"]) for s in host["services"]],
            [(d["owner"], d["id"], 0, "", "") for d in host["data"]],
            host["attacker_can_start_here"],
        )
        for host in facts_of(name)["hosts"]
    ]

    found = [
        (
            host.name,
            interfaces_of(host),
            list(host.services),
            [(d.owner, d.id, d.size, d.type, d.content) for d in host.data],
            host.is_start_place,
        )
        for host in load_scenario(name).hosts
    ]
    assert found == expected


@needs_facts
@pytest.mark.parametrize("name", SHIPPED_SCENARIOS)
def test_shipped_scenario_routers_equal_the_facts(name: str) -> None:
    expected = [
        (
            router["id"],
            [(i["ip"], i["net"]) for i in router["interfaces"]],
            {(source, destination) for _, source, destination in router["allow"]},
        )
        for router in facts_of(name)["routers"]
    ]

    found = [
        (
            router.name,
            interfaces_of(router),
            {(str(rule.source), str(rule.destination)) for rule in router.allow},
        )
        for router in load_scenario(name).routers
    ]
    assert found == expected
