from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.cli.scenario_picture import group_addresses, print_picture
from netsecgame.core.scenario import AllowRule, Host, Interface, Router, Scenario
from netsecgame.core.topology import compile_scenario
from netsecgame.game_components import IP, Network

if TYPE_CHECKING:
    import pytest

INSIDE, OUTSIDE = Network("10.0.0.0", 24), Network("1.2.3.0", 24)


def _host(name: str, ip: str, network: Network) -> Host:
    return Host(name, (Interface(IP(ip), network),))


def _groups(scenario: Scenario) -> list[list[str]]:
    topology = compile_scenario(scenario)
    return [[str(topology.addresses[i]) for i in group] for group in group_addresses(topology)]


def test_group_addresses_same_ways_share_a_group() -> None:
    hosts = [_host(f"h{i}", f"10.0.0.{i}", INSIDE) for i in (1, 2, 3)]
    rule = AllowRule(Network("10.0.0.2", 32), OUTSIDE)
    router = Router("r", (Interface(IP("10.0.0.9"), INSIDE),), (rule,))
    outside = [_host(f"o{i}", f"1.2.3.{i}", OUTSIDE) for i in (1, 2)]

    # From inside one reaches the outside anyway, so the rule makes no difference.
    assert _groups(Scenario("s", (*hosts, *outside), (router,))) == [
        ["1.2.3.1", "1.2.3.2"],
        ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.9"],
    ]


def test_group_addresses_reached_differently_are_apart() -> None:
    hosts = [_host(f"h{i}", f"10.0.0.{i}", INSIDE) for i in (1, 2, 3)]
    rule = AllowRule(OUTSIDE, Network("10.0.0.2", 32))
    router = Router("r", (Interface(IP("10.0.0.9"), INSIDE),), (rule,))

    groups = _groups(Scenario("s", (*hosts, _host("o", "1.2.3.1", OUTSIDE)), (router,)))

    assert groups == [["1.2.3.1"], ["10.0.0.1", "10.0.0.3", "10.0.0.9"], ["10.0.0.2"]]


def test_print_picture_hosts_that_reach_only_themselves_are_marked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_picture(Scenario("s", tuple(_host(f"o{i}", f"1.2.3.{i}", OUTSIDE) for i in (1, 2, 5))))

    output = capsys.readouterr().out
    assert "A 1.2.3.1-2, .5 o1, o2, o5 ○" in output
    assert "each only itself" in output


def test_print_picture_many_groups_are_listed_with_arrows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    networks = [Network(f"10.0.{i}.0", 24) for i in range(30)]
    hosts = tuple(_host(f"h{i}", f"10.0.{i}.1", network) for i, network in enumerate(networks))
    rule = AllowRule(networks[0], networks[29])
    router = Router("internet", (Interface(IP("1.2.3.1"), OUTSIDE),), (rule,))

    print_picture(Scenario("s", hosts, (router,)))

    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "A 10.0.0.1 → A AD" in lines
    assert "AD 10.0.29.1 → AD" in lines
    assert max(map(len, lines)) <= 100
