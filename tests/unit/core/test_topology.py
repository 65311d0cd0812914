from __future__ import annotations

from dataclasses import replace

import pytest

from netsecgame.core.bits import iter_bits
from netsecgame.core.scenario import AllowRule, Host, Router, Scenario
from netsecgame.core.topology import LOG_DATA, Topology, compile_scenario, neighbours
from netsecgame.errors import ScenarioError
from netsecgame.game_components import IP, Network, Service
from tests.unit.core.office import (
    ABOVE,
    BACKUP,
    BASH,
    BELOW,
    CLIENTS,
    DB,
    EVERYWHERE,
    GATEWAY,
    GATEWAY_2,
    HTTP,
    INTERNET_IP,
    LAPTOP,
    OFFICE,
    OUTSIDE,
    OUTSIDE_NET,
    PC,
    SERVERS,
    SSH,
    TABLE,
    WEB,
    interfaces,
    office_topology,
    single,
)


def ips(topology: Topology, mask: int) -> set[IP]:
    return {topology.addresses[index] for index in iter_bits(mask)}


def reached_from(topology: Topology, source: IP) -> set[IP]:
    return ips(topology, topology.reach[topology.address_index[source]])


# --- who reaches whom -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "reached"),
    [
        pytest.param(WEB, {WEB, DB, GATEWAY, OUTSIDE}, id="one network, itself, and public ones"),
        pytest.param(PC, {PC, LAPTOP, GATEWAY_2, OUTSIDE, WEB}, id="and what a rule allows"),
        pytest.param(GATEWAY, {WEB, DB, GATEWAY, OUTSIDE}, id="a router like any other"),
        pytest.param(GATEWAY_2, {PC, LAPTOP, GATEWAY_2, OUTSIDE, WEB}, id="a router, by rule"),
        pytest.param(OUTSIDE, {OUTSIDE}, id="a public address reaches itself only"),
    ],
)
def test_reach_behind_the_firewall_follows_networks_and_rules(source: IP, reached: set[IP]) -> None:
    assert reached_from(office_topology(), source) == reached


def test_reach_without_the_firewall_is_everywhere() -> None:
    topology = office_topology(use_firewall=False)

    assert all(reached_from(topology, source) == set(EVERYWHERE) for source in EVERYWHERE)


def test_reach_by_a_rule_goes_one_way_and_between_the_named_addresses_only() -> None:
    router = replace(OFFICE.routers[0], allow=(AllowRule(single(PC), SERVERS),))
    topology = compile_scenario(replace(OFFICE, routers=(router,)))

    assert reached_from(topology, PC) >= {WEB, DB, GATEWAY}
    assert not reached_from(topology, LAPTOP) & {WEB, DB, GATEWAY}
    assert not reached_from(topology, WEB) & {PC, LAPTOP, GATEWAY_2}


def test_reach_by_rules_of_the_internet_router_counts() -> None:
    internet = Router(
        "internet", interfaces(OUTSIDE_NET, INTERNET_IP), (AllowRule(single(OUTSIDE), single(WEB)),)
    )
    topology = compile_scenario(replace(OFFICE, routers=(OFFICE.routers[0], internet)))

    assert reached_from(topology, OUTSIDE) == {OUTSIDE, WEB}


def test_reach_between_two_public_addresses_needs_a_rule() -> None:
    other = IP("213.47.23.196")
    hosts = (*OFFICE.hosts, Host("other", interfaces(OUTSIDE_NET, other)))
    topology = compile_scenario(replace(OFFICE, hosts=hosts))

    assert reached_from(topology, OUTSIDE) == {OUTSIDE}
    assert reached_from(topology, PC) >= {OUTSIDE, other}


# --- what is compiled -----------------------------------------------------------------------------


def test_compile_scenario_leaves_out_the_address_of_the_internet_router() -> None:
    topology = office_topology()

    assert set(topology.addresses) == set(EVERYWHERE)
    assert INTERNET_IP not in topology.address_index
    assert "internet" not in topology.device_names


def test_compile_scenario_gives_each_address_its_device_and_network() -> None:
    topology = office_topology()
    at = topology.address_index

    assert topology.device_of[at[GATEWAY]] == topology.device_of[at[GATEWAY_2]]
    assert topology.device_names[topology.device_of[at[GATEWAY]]] == "gateway"
    assert set(map(frozenset, topology.devices)) == {
        frozenset({at[GATEWAY], at[GATEWAY_2]}),
        *(frozenset({at[ip]}) for ip in (WEB, DB, PC, LAPTOP, OUTSIDE)),
    }
    assert {ip: topology.networks[topology.network_of[at[ip]]] for ip in EVERYWHERE} == {
        **dict.fromkeys((GATEWAY, WEB, DB), SERVERS),
        **dict.fromkeys((GATEWAY_2, PC, LAPTOP), CLIENTS),
        OUTSIDE: OUTSIDE_NET,
    }


def test_compile_scenario_knows_the_kinds_of_addresses() -> None:
    topology = office_topology()

    assert ips(topology, topology.private_addresses) == set(EVERYWHERE) - {OUTSIDE}
    assert ips(topology, topology.router_addresses) == {GATEWAY, GATEWAY_2}
    assert [topology.addresses[i] for i in topology.start_places] == [PC, LAPTOP]


def test_compile_scenario_lists_own_networks_then_neighbours_then_those_of_the_task() -> None:
    named = Network("10.1.0.0", 16)
    topology = office_topology(extra_networks=[named, SERVERS])

    own = [topology.networks[i] for i in iter_bits(topology.scenario_networks)]
    assert own == [SERVERS, CLIENTS, OUTSIDE_NET]
    assert topology.networks == (SERVERS, CLIENTS, OUTSIDE_NET, BELOW, ABOVE, named)
    assert topology.network_index[named] == 5


def test_compile_scenario_gives_each_address_its_services() -> None:
    named = Service("gopher")
    topology = office_topology(extra_services=[named])

    def services(ip: IP) -> set[Service]:
        mask = topology.services_of[topology.address_index[ip]]
        return {topology.services[i] for i in iter_bits(mask)}

    assert services(WEB) == {HTTP, SSH, BASH}
    assert services(DB) == {SSH, BASH}
    assert services(GATEWAY) == set()
    assert all(
        s.is_local != bool(topology.open_services >> i & 1) for i, s in enumerate(topology.services)
    )
    assert topology.service_index[named] == len(topology.services) - 1


def test_compile_scenario_gives_every_device_a_log_besides_its_data() -> None:
    topology = office_topology()

    held = {
        name: {topology.data[i] for i in iter_bits(mask)}
        for name, mask in zip(topology.device_names, topology.data_of, strict=True)
    }
    assert held["db"] == {LOG_DATA, TABLE, BACKUP}
    assert held["pc"] == held["gateway"] == {LOG_DATA}
    assert topology.data[0] == LOG_DATA
    assert (LOG_DATA.owner, LOG_DATA.id, LOG_DATA.type) == ("system", "logfile", "log")


def test_compile_scenario_with_an_address_used_twice_names_it() -> None:
    twice = Scenario(
        "twice", hosts=(Host("a", interfaces(SERVERS, WEB)), Host("b", interfaces(SERVERS, WEB)))
    )

    with pytest.raises(ScenarioError, match=r"twice: address 192\.168\.1\.2 is used twice"):
        compile_scenario(twice)


# --- neighbours -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "beside"),
    [
        ("192.168.1.0/24", ["192.168.0.0/24", "192.168.2.0/24"]),
        ("192.168.255.0/24", ["192.168.254.0/24"]),  # above are public addresses
        ("192.168.0.0/24", ["192.168.1.0/24"]),  # below, too
        ("10.0.4.0/22", ["10.0.0.0/22", "10.0.8.0/22"]),
        ("10.0.0.128/25", ["10.0.0.0/25", "10.0.1.0/25"]),
        ("0.0.0.0/24", ["0.0.1.0/24"]),
        ("172.16.0.0/12", []),
        ("213.47.23.192/26", []),
    ],
)
def test_neighbours_are_one_size_below_and_above_while_private(
    network: str, beside: list[str]
) -> None:
    address, _, mask = network.partition("/")

    assert list(map(str, neighbours(Network(address, int(mask))))) == beside
