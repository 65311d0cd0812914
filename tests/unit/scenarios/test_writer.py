from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from netsecgame.core.scenario import AllowRule, Host, Interface, Router, Scenario
from netsecgame.game_components import IP, Data, Network, Service
from netsecgame.scenarios import SCHEMA_PATH, SHIPPED_SCENARIOS, check_scenario, load_scenario
from netsecgame.scenarios.generator import draw_scenario
from netsecgame.scenarios.writer import format_scenario, format_text

if TYPE_CHECKING:
    from pathlib import Path

SERVERS, CLIENTS = Network("10.0.1.0", 24), Network("10.0.2.0", 24)

SMALL = Scenario(
    "small",
    hosts=(
        Host(
            "web",
            (Interface(IP("10.0.1.2"), SERVERS), Interface(IP("10.0.2.2"), CLIENTS)),
            (Service("http", "passive", "1.4", False), Service("bash", "shell", "5.0.0", True)),
            (Data("User 1", "no"),),
        ),
        Host("client", (Interface(IP("10.0.2.3"), CLIENTS),), is_start_place=True),
    ),
    routers=(
        Router(
            "router",
            (Interface(IP("10.0.1.1"), SERVERS),),
            (
                AllowRule(CLIENTS, Network("10.0.1.2", 32)),
                AllowRule(CLIENTS, Network("10.0.1.128", 25)),
                AllowRule(SERVERS, CLIENTS),
            ),
        ),
    ),
)


def test_format_scenario_is_a_block_for_each_machine() -> None:
    text = format_scenario(SMALL, {SERVERS: "servers", CLIENTS: "clients"}, ["Two lines", ""])

    assert text == (
        """\
# Two lines
#
networks:
  servers: 10.0.1.0/24
  clients: 10.0.2.0/24

hosts:
  web:
    interfaces: [10.0.1.2, 10.0.2.2]
    services:
      - {name: http, version: "1.4"}
      - {name: bash, version: 5.0.0, type: shell, is_local: true}
    data:
      - {owner: User 1, id: "no"}
  client:
    interfaces: [10.0.2.3]
    is_start_place: true

routers:
  router:
    interfaces: [10.0.1.1]
    allow:
      - {from: clients, to: [10.0.1.2, 10.0.1.128/25]}
      - {from: servers, to: clients}
"""
    )


@pytest.mark.parametrize("name", SHIPPED_SCENARIOS)
def test_format_scenario_of_a_shipped_one_is_read_as_the_same(name: str, tmp_path: Path) -> None:
    shipped = load_scenario(name)
    content = yaml.safe_load((SCHEMA_PATH.parent / "data" / f"{name}.yaml").read_text())
    if "same_as" in content:
        path = SCHEMA_PATH.parent / "data" / f"{content['same_as']}.yaml"
        content = yaml.safe_load(path.read_text())
    names = {Network(*_split(text)): name for name, text in content["networks"].items()}
    path = tmp_path / "copy.yaml"
    path.write_text(format_scenario(shipped, names), encoding="utf-8")

    copy = load_scenario(str(path))

    assert (copy.hosts, copy.routers) == (shipped.hosts, shipped.routers)


def test_format_scenario_of_a_generated_one_is_read_as_the_same_and_is_clean(
    tmp_path: Path,
) -> None:
    generated = draw_scenario(30, 60, 40)
    path = tmp_path / "own.yaml"
    path.write_text(format_scenario(generated.scenario, generated.network_names), encoding="utf-8")

    own = load_scenario(str(path))

    assert check_scenario(str(path)) == []
    assert (own.hosts, own.routers) == (generated.scenario.hosts, generated.scenario.routers)


@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        ("windows login", True),
        ("10.0.19041", True),
        ("big-2.scenario.yaml", True),
        ("10.0", False),
        ("8", False),
        ("No", False),
        ("null", False),
        ("", False),
        ("a: b", False),
        ("a #b", False),
        ("- a", False),
        ("a ", False),
        ("=", False),
        ("2024-01-31", False),
        ("1:30", False),
        ('"quoted"', False),
        ("größer", False),
        ("two\nlines", False),
    ],
)
def test_format_text_is_read_as_the_same_text(text: str, is_plain: bool) -> None:
    written = format_text(text)

    assert (written == text) is is_plain
    assert yaml.safe_load(f"{{key: {written}, {written}: 1}}") == {"key": text, text: 1}


def _split(text: str) -> tuple[str, int]:
    address, _, mask = text.partition("/")
    return address, int(mask)
