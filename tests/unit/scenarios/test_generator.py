from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Network
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from netsecgame.core.bits import iter_bits
from netsecgame.core.topology import INTERNET, compile_scenario
from netsecgame.errors import ConfigurationError
from netsecgame.game_components import Data, Network
from netsecgame.scenarios.generator import draw_scenario, generate_scenario

if TYPE_CHECKING:
    from netsecgame.core.scenario import Host, Router, Scenario

PRIVATE_SPACE = IPv4Network("10.0.0.0/8")

#: Networks, clients and servers: the least of each, more of one, and many.
SIZES = [
    (2, 1, 1),
    (3, 4, 3),
    (4, 1, 9),
    (4, 9, 1),
    (9, 7, 2),
    (20, 10, 10),
    (12, 300, 100),
    (260, 300, 300),
    (2, 2_000, 1),
    (1_000, 999, 1),
]


def networks_of(scenario: Scenario) -> Counter[Network]:
    """How many hosts each network has."""
    return Counter(host.interfaces[0].network for host in scenario.hosts)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_generate_scenario_has_the_size_asked_for(size: tuple[int, int, int]) -> None:
    networks, clients, servers = size
    scenario = generate_scenario(*size)

    names = Counter(host.name.rpartition("_")[0] for host in scenario.hosts)
    assert names.pop("client") == clients
    assert names.pop("command") == 1
    assert names.total() == servers
    assert len({host.name for host in scenario.hosts}) == clients + servers + 1
    private = [network for network in networks_of(scenario) if network.is_private()]
    assert len(private) == networks
    assert sum(host.is_start_place for host in scenario.hosts) == clients


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_generate_scenario_gives_every_machine_an_address_inside_its_network(
    size: tuple[int, int, int],
) -> None:
    scenario = generate_scenario(*size)
    machines: list[Host | Router] = [*scenario.hosts, *scenario.routers]
    interfaces = [interface for machine in machines for interface in machine.interfaces]
    networks = sorted({IPv4Network(str(i.network)) for i in interfaces})

    assert len({i.ip for i in interfaces}) == len(interfaces)
    for interface in interfaces:
        hosts = IPv4Network(str(interface.network))
        first, last = int(hosts.network_address), int(hosts.broadcast_address)
        assert first < interface.ip.value < last
    assert not any(one.overlaps(other) for one, other in pairwise(networks))
    assert all(network.subnet_of(PRIVATE_SPACE) for network in networks[:-1])
    assert not networks[-1].is_private
    joined = {i.network for router in scenario.routers for i in router.interfaces}
    assert joined == {i.network for host in scenario.hosts for i in host.interfaces}


def test_generate_scenario_spreads_hosts_evenly() -> None:
    counts = networks_of(generate_scenario(9, 61, 32))

    assert sorted(counts.values()) == [1, *[10] * 5, *[10, 11, 11, 11]]


@pytest.mark.parametrize("seed", range(5))
def test_generate_scenario_lets_clients_reach_nothing_but_the_doors_of_one_network(
    seed: int,
) -> None:
    generated = draw_scenario(12, 40, 30, seed)
    topology = compile_scenario(generated.scenario)
    at = topology.address_index
    inner = [net for net in generated.server_networks if net != generated.server_networks[0]]
    assert len(inner) == 3

    for place in topology.start_places:
        own = topology.networks[topology.network_of[place]]
        reached = {topology.addresses[i] for i in iter_bits(topology.reach[place])}
        servers = {ip for ip in reached if ip.is_private() and ip not in own}
        assert servers
        assert servers <= set(generated.doors)
        assert all(ip in generated.server_networks[0] for ip in servers)
    # The prize is behind two networks at least, and on no door.
    prize_ip = generated.prize_host.interfaces[0].ip
    assert any(prize_ip in net for net in inner)
    assert prize_ip not in generated.doors
    reaching = [i for i, reach in enumerate(topology.reach) if reach >> at[prize_ip] & 1]
    own = generated.prize_host.interfaces[0].network
    assert all(topology.addresses[i] in own for i in reaching)


def test_generate_scenario_has_data_that_are_nowhere_twice_and_services_of_all_kinds() -> None:
    generated = draw_scenario(6, 60, 40)
    hosts = generated.scenario.hosts
    data = [datum for host in hosts for datum in host.data]
    clients = [host for host in hosts if host.is_start_place]
    servers = [host for host in hosts if not host.is_start_place]

    assert len(data) == len(set(data))
    assert generated.prize in generated.prize_host.data
    assert all(host.data for host in servers if host.name != "command_server")
    assert {bool(host.data) for host in clients} == {True, False}
    assert all(any(not s.is_local for s in host.services) for host in servers)
    assert {any(not s.is_local for s in host.services) for host in clients} == {True, False}
    assert all(any(s.is_local for s in host.services) for host in hosts)
    assert len({s.version for host in hosts for s in host.services if s.name == "ssh"}) > 1


def test_generate_scenario_same_arguments_same_scenario() -> None:
    assert generate_scenario(4, 20, 10, 7) == generate_scenario(4, 20, 10, 7)


def test_generate_scenario_other_seed_other_scenario() -> None:
    one, other = draw_scenario(8, 20, 20, 7), draw_scenario(8, 20, 20, 8)

    assert one.scenario.hosts != other.scenario.hosts
    assert one.scenario.routers != other.scenario.routers
    assert one.prize_host.interfaces != other.prize_host.interfaces


def test_generate_scenario_pins_what_a_seed_means() -> None:
    """Whoever changes what is drawn changes everybody's networks."""
    generated = draw_scenario(3, 4, 3, 42)

    assert generated.prize == Data("User3", "InvoicesS2")
    assert [host.name for host in generated.scenario.hosts] == [
        "web_server_1",
        "smb_server_2",
        "mail_server_3",
        "client_1",
        "client_2",
        "client_3",
        "client_4",
        "command_server",
    ]
    assert list(map(str, generated.doors)) == ["10.0.1.2", "10.0.1.4"]


@pytest.mark.parametrize(
    ("size", "named"),
    [
        (
            (1, 5, 5),
            "expected 2 to 1,000 networks (one for clients, one for servers at least)",
        ),
        ((1_001, 5_000, 5), "got 1,001"),
        ((2, 0, 5), "expected at least 1 client and 1 server, got 0 clients"),
        ((2, 5, 0), "0 servers"),
        ((2, -1, 5), "-1 clients"),
        ((2, 10_000, 1), "expected at most 10,000 clients and servers together, got 10,001"),
        ((7, 3, 3), "expected a client or a server for every network, got 7 networks for 6 hosts"),
    ],
)
def test_generate_scenario_impossible_size_says_what_is_possible(
    size: tuple[int, int, int], named: str
) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        generate_scenario(*size)

    assert named in str(refusal.value)


def test_generate_scenario_has_an_outside_that_is_not_part_of_the_game() -> None:
    scenario = generate_scenario(2, 1, 1)

    outside = scenario.routers[-1]
    assert outside.name == INTERNET
    assert outside.interfaces[0].ip not in compile_scenario(scenario).addresses
