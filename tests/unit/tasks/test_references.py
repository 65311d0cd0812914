from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.core.scenario import Host, Interface, Router, Scenario
from netsecgame.core.task import Position, RoleTask, Task
from netsecgame.core.topology import LOG_DATA
from netsecgame.game_components import IP, AgentRole, Network
from netsecgame.scenarios import load_scenario
from netsecgame.tasks import check_references, load_task_document, parse_task

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCENARIO = load_scenario("two_networks_small")

OFFICE = Network("192.168.1.0", 24)
PUBLIC = Network("213.47.23.192", 26)


def bare_scenario(
    address: str = "192.168.1.2", network: Network = OFFICE, routers: tuple[Router, ...] = ()
) -> Scenario:
    """One host without services, data or start place."""
    return Scenario("bare", (Host("host", (Interface(IP(address), network),)),), routers)


def errors_of(
    scenario: Scenario,
    *,
    goal: dict[str, Any] | None = None,
    start: dict[str, Any] | None = None,
    benign: bool = True,
) -> list[str]:
    agents: dict[str, Any] = {"Attacker": {"goal": goal or {}, "start_position": start or {}}}
    if benign:
        agents["Benign"] = {"start_position": {}}
    task = parse_task({"coordinator": {"agents": agents}, "env": {"scenario": scenario.name}})
    return [str(error) for error in check_references(task, scenario)]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "controlled_hosts: [192.168.1.3]",
            "controlled_hosts: [192.168.1.2, 192.168.1.30]",
            (
                "9: coordinator.agents.Attacker.goal.controlled_hosts[1]: "
                "scenario 'two_networks_small' has no address 192.168.1.30 "
                "(did you mean '192.168.1.3'?)"
            ),
        ),
        (
            "known_hosts: [192.168.1.4]",
            "known_hosts: [213.47.23.193]",
            (
                "15: coordinator.agents.Attacker.start_position.known_hosts[0]: "
                "213.47.23.193 is an address of the router 'internet', "
                "which is not part of the game"
            ),
        ),
        (
            "[[User1, DataFromServer1]]",
            "[random, [User1, DataFromServer]]",
            (
                "11: coordinator.agents.Attacker.goal.known_data[213.47.23.195][1]: "
                "scenario 'two_networks_small' has no data [User1, DataFromServer] "
                "(did you mean '[User1, DataFromServer1]'?)"
            ),
        ),
        (
            "[[ssh, passive, 8.1.0, false]]",
            "[[ssh, passive, 8.2.0, false]]",
            (
                "10: coordinator.agents.Attacker.goal.known_services[192.168.1.3][0]: "
                "192.168.1.3 has no service [ssh, passive, 8.2.0, false]; "
                "it has [ssh, passive, 8.1.0, false], [postgresql, passive, 14.3.0, false], "
                "[bash, passive, 5.0.0, true]"
            ),
        ),
        (
            "{192.168.1.2: all}",
            "{192.168.1.1: all}",
            (
                "17: coordinator.agents.Attacker.start_position.known_services[192.168.1.1]: "
                "192.168.1.1 has no services"
            ),
        ),
        (
            "{192.168.1.2: random}",
            "{192.168.7.7: random}",
            (
                "18: coordinator.agents.Attacker.start_position.known_data[192.168.7.7]: "
                "scenario 'two_networks_small' has no address 192.168.7.7 "
                "(did you mean '192.168.2.2'?)"
            ),
        ),
        (
            "{192.168.1.2: [192.168.2.2]}",
            "{192.168.1.2: [10.0.0.1]}",
            (
                "19: coordinator.agents.Attacker.start_position.known_blocks[192.168.1.2][0]: "
                "scenario 'two_networks_small' has no address 10.0.0.1"
            ),
        ),
    ],
)
def test_check_references_name_that_scenario_lacks_is_an_error_at_its_line(
    write_task: Callable[..., Path], old: str, new: str, message: str
) -> None:
    path = write_task(old, new)
    document = load_task_document(path)

    errors = check_references(document.task, SCENARIO, document.document)

    assert [str(error) for error in errors] == [f"{path}:{message}"]


def test_check_references_all_names_there_has_no_errors(write_task: Callable[..., Path]) -> None:
    assert check_references(load_task_document(write_task()).task, SCENARIO) == []


def test_check_references_several_errors_come_in_order_of_lines(
    tmp_path: Path, task_text: str
) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(task_text.replace("192.168.1.", "192.168.9."))
    document = load_task_document(path)

    errors = check_references(document.task, SCENARIO, document.document)

    assert [error.line for error in errors] == [8, 9, 10, 12, 15, 17, 18, 19]


def test_check_references_network_that_scenario_lacks_is_fine() -> None:
    assert errors_of(SCENARIO, start={"known_networks": ["10.0.0.0/8"]}) == []


@pytest.mark.parametrize(
    ("part", "said", "missing"),
    [
        ("controlled_hosts", ["random"], "[0]: scenario 'bare' has no start place that"),
        ("known_services", {"192.168.1.2": "random"}, "[192.168.1.2][0]: 192.168.1.2 has no serv"),
        (
            "known_data",
            {"192.168.1.2": ["random"]},
            "[192.168.1.2][0]: scenario 'bare' has no data",
        ),
        (
            "known_blocks",
            {"all_routers": ["192.168.1.2"]},
            ".all_routers: scenario 'bare' has no ro",
        ),
        (
            "known_blocks",
            {"192.168.1.2": "all_routers"},
            "[192.168.1.2][0]: scenario 'bare' has no",
        ),
    ],
)
def test_check_references_word_that_can_stand_for_nothing_is_an_error(
    part: str, said: object, missing: str
) -> None:
    (error,) = errors_of(bare_scenario(), goal={part: said})

    assert error.startswith(f"coordinator.agents.Attacker.goal.{part}{missing}")


@pytest.mark.parametrize("part", ["known_networks", "known_hosts", "controlled_hosts"])
def test_check_references_all_local_without_private_network_is_an_error(part: str) -> None:
    scenario = bare_scenario("213.47.23.195", PUBLIC)

    (error,) = errors_of(scenario, start={part: ["all_local"]})

    assert "has no private network that this word could stand for" in error


def test_check_references_router_addresses_exist_and_those_of_internet_do_not() -> None:
    routers = (
        Router("router", (Interface(IP("192.168.1.1"), OFFICE),)),
        Router("internet", (Interface(IP("213.47.23.193"), PUBLIC),)),
    )

    (error,) = errors_of(
        bare_scenario(routers=routers), goal={"known_hosts": ["192.168.1.1", "213.47.23.193"]}
    )

    assert error.startswith("coordinator.agents.Attacker.goal.known_hosts[1]: 213.47.23.193 is an")


def test_check_references_benign_without_start_needs_a_start_place() -> None:
    (error,) = errors_of(bare_scenario(), benign=False)

    assert error == (
        "coordinator.agents.Benign: scenario 'bare' has no start place for benign agents; "
        "make a host one with is_start_place, or give Benign a start_position"
    )


def test_check_references_log_is_data_of_every_scenario() -> None:
    goal = Position(known_data={IP("192.168.1.2"): (LOG_DATA,)})
    task = Task("bare", {AgentRole.Attacker: RoleTask(goal=goal)})

    assert check_references(task, bare_scenario()) == []


def test_check_references_the_log_every_device_holds_is_data_it_has() -> None:
    goal = {"known_data": {"192.168.1.2": [["system", "logfile"]]}}

    task = parse_task(
        {
            "coordinator": {"agents": {"Attacker": {"goal": goal}}},
            "env": {"scenario": SCENARIO.name},
        }
    )

    assert check_references(task, SCENARIO) == []
    (data,) = task.roles[AgentRole.Attacker].goal.known_data.values()
    assert data == (LOG_DATA,)
