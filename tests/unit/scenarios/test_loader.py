from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from netsecgame.core.scenario import AllowRule, Host, Interface, Router, Scenario
from netsecgame.errors import ScenarioError
from netsecgame.game_components import IP, Data, Network, Service
from netsecgame.scenarios import check_scenario, load_scenario

SCENARIO = """\
description: One of everything.
networks:
  servers: 10.0.1.0/24
  clients: 10.0.2.0/24
hosts:
  web:
    interfaces: [10.0.1.2, 10.0.2.2]
    services:
      - {name: http, version: 1.4.54}
      - {name: bash, version: 5.0.0, type: shell, is_local: true}
    data:
      - {owner: User1, id: Page}
  client:
    description: Where the attacker starts.
    interfaces: [10.0.2.3]
    is_start_place: true
    services:
routers:
  router:
    interfaces: [10.0.1.1]
    allow:
      - {from: clients, to: 10.0.1.2}
      - {from: [10.0.2.3, servers], to: [10.0.1.0/28, 10.0.2.3]}
"""


@pytest.fixture
def scenario_file(tmp_path: Path) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(SCENARIO)
    return path


def test_load_scenario_own_file_is_read_whole(scenario_file: Path) -> None:
    servers, clients = Network("10.0.1.0", 24), Network("10.0.2.0", 24)
    client, corner = Network("10.0.2.3", 32), Network("10.0.1.0", 28)

    assert load_scenario(str(scenario_file)) == Scenario(
        name=str(scenario_file),
        hosts=(
            Host(
                "web",
                (Interface(IP("10.0.1.2"), servers), Interface(IP("10.0.2.2"), clients)),
                (
                    Service("http", "passive", "1.4.54", False),
                    Service("bash", "shell", "5.0.0", True),
                ),
                (Data("User1", "Page"),),
            ),
            Host("client", (Interface(IP("10.0.2.3"), clients),), is_start_place=True),
        ),
        routers=(
            Router(
                "router",
                (Interface(IP("10.0.1.1"), servers),),
                (
                    AllowRule(clients, Network("10.0.1.2", 32)),
                    AllowRule(client, corner),
                    AllowRule(client, client),
                    AllowRule(servers, corner),
                    AllowRule(servers, client),
                ),
            ),
        ),
    )


def test_load_scenario_relative_path_is_looked_up_in_base_dir_first(
    scenario_file: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "own.yaml").write_text(SCENARIO.replace("client:", "other_client:"))
    monkeypatch.chdir(elsewhere)

    beside = load_scenario("own.yaml", base_dir=scenario_file.parent)
    here = load_scenario("own.yaml")

    assert [host.name for host in beside.hosts] == ["web", "client"]
    assert [host.name for host in here.hosts] == ["web", "other_client"]


def test_load_scenario_path_not_in_base_dir_is_looked_up_in_working_directory(
    scenario_file: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(scenario_file.parent)

    scenario = load_scenario("own.yaml", base_dir=tmp_path_factory.mktemp("empty"))

    assert scenario.name == "own.yaml"


def test_load_scenario_unknown_name_tells_nearest_and_all() -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario("two_network_tiny")

    text = str(caught.value)
    assert "unknown scenario 'two_network_tiny' (did you mean 'two_networks_tiny'?)" in text
    assert "two_networks_small, two_networks, one_network, three_net_scenario" in text


def test_load_scenario_missing_file_tells_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ScenarioError) as caught:
        load_scenario("own.yaml", base_dir=tmp_path / "tasks")

    assert str(caught.value) == (
        "there is no scenario file 'own.yaml'; "
        f"looked for {tmp_path / 'tasks' / 'own.yaml'} and {tmp_path / 'own.yaml'}"
    )


def test_load_scenario_alias_follows_names_and_paths(scenario_file: Path) -> None:
    (scenario_file.parent / "a.yaml").write_text("same_as: own.yaml\n")
    (scenario_file.parent / "b.yaml").write_text("same_as: a.yaml\n")
    (scenario_file.parent / "c.yaml").write_text("same_as: one_network\n")

    own, b, c = (
        load_scenario(name, base_dir=scenario_file.parent)
        for name in ("own.yaml", "b.yaml", "c.yaml")
    )

    assert (b.name, b.hosts, b.routers) == ("b.yaml", own.hosts, own.routers)
    assert c.hosts == load_scenario("one_network").hosts


def test_load_scenario_alias_circle_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("same_as: b.yaml\n")
    (tmp_path / "b.yaml").write_text("# back\nsame_as: a.yaml\n")

    with pytest.raises(ScenarioError) as caught:
        load_scenario("a.yaml", base_dir=tmp_path)

    assert str(caught.value) == (
        f"{tmp_path / 'b.yaml'}:2: same_as: 'a.yaml' leads back to this scenario"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("same_as: one_netwrk", ":1: same_as: unknown scenario 'one_netwrk' (did you mean"),
        ("same_as: x.yaml", ":1: same_as: there is no scenario file 'x.yaml'"),
        ("same_as: 5", ":1: same_as: expected the name of a shipped scenario or the path of a"),
        ("same_as: one_network\nhosts: {}", ":2: hosts: unknown key; known keys: same_as"),
    ],
)
def test_load_scenario_wrong_alias_is_an_error_at_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)

    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(path))

    assert str(caught.value).startswith(f"{path}{message}")


WRONG = yaml.safe_load(Path(__file__).with_name("wrong_scenarios.yaml").read_text())


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case["error"])
def test_check_scenario_wrong_file_is_explained(tmp_path: Path, case: dict[str, str]) -> None:
    assert SCENARIO.count(case["replace"]) == 1
    path = tmp_path / "own.yaml"
    path.write_text(SCENARIO.replace(case["replace"], case["with"]))

    errors = check_scenario(str(path))

    assert f"{path}:{case['error']}" in [str(error) for error in errors]
    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(path))
    assert str(caught.value) == str(errors[0])


def test_check_scenario_several_mistakes_come_in_order_of_lines(scenario_file: Path) -> None:
    text = SCENARIO.replace("10.0.2.2]", "10.9.9.9]").replace("[10.0.2.3]", "[10.0.1.2]")
    scenario_file.write_text(text.replace("from: clients", "from: nobody"))

    errors = check_scenario(str(scenario_file))

    assert [error.line for error in errors] == [7, 15, 22]


def test_check_scenario_unknown_name_is_one_error() -> None:
    (error,) = check_scenario("nonsense")

    assert error.reason.startswith("unknown scenario 'nonsense'; expected one of ")
