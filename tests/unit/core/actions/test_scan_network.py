from __future__ import annotations

from dataclasses import replace

import pytest

from netsecgame.game_components import IP, Network
from tests.unit.core.office import (
    ABOVE,
    CLIENTS,
    DB,
    EVERYWHERE,
    GATEWAY,
    GATEWAY_2,
    INTERNET_IP,
    LAPTOP,
    OUTSIDE,
    OUTSIDE_NET,
    PC,
    SERVERS,
    WEB,
    block,
    log_of,
    logs,
    office_dynamics,
    scan,
    view,
)


@pytest.mark.parametrize(
    ("source", "network", "found"),
    [
        (PC, SERVERS, {WEB}),
        (PC, CLIENTS, {PC, LAPTOP, GATEWAY_2}),
        (PC, OUTSIDE_NET, {OUTSIDE}),
        (WEB, SERVERS, {WEB, DB, GATEWAY}),
        (WEB, CLIENTS, set()),
        (OUTSIDE, SERVERS, set()),
        (OUTSIDE, OUTSIDE_NET, {OUTSIDE}),
        (PC, ABOVE, set()),
    ],
)
def test_scan_network_finds_the_existing_addresses_that_source_reaches(
    source: IP, network: Network, found: set[IP]
) -> None:
    dynamics = office_dynamics()

    after = dynamics.step("agent", view(source), scan(source, network))

    assert after == replace(view(source), known_hosts={source} | found)


@pytest.mark.parametrize(
    ("network", "found"),
    [
        ("192.168.1.2/32", {WEB}),
        ("192.168.1.2/31", {WEB}),  # and 192.168.1.3, which PC does not reach
        ("192.168.1.77/24", {WEB}),  # any address of the network may name it
        ("192.168.0.0/16", {WEB, LAPTOP, GATEWAY_2}),
        ("192.168.2.4/30", set()),  # begins right after the clients
        ("0.0.0.0/0", {WEB, LAPTOP, GATEWAY_2, OUTSIDE}),
    ],
)
def test_scan_network_of_any_mask_finds_the_addresses_inside(network: str, found: set[IP]) -> None:
    after = office_dynamics().step("agent", view(PC), scan(PC, network))

    assert after.known_hosts == {PC} | found


def test_scan_network_changes_only_known_hosts_and_keeps_the_old_ones() -> None:
    known = replace(view(PC, DB), known_networks={SERVERS})

    after = office_dynamics().step("agent", known, scan(PC, SERVERS))

    assert after == replace(known, known_hosts={PC, DB, WEB})


def test_scan_network_is_logged_on_each_found_host_and_on_no_other() -> None:
    dynamics = office_dynamics()

    dynamics.step("agent", view(PC), scan(PC, "192.168.0.0/16"))

    found = (WEB, PC, LAPTOP, GATEWAY_2)
    assert all(log_of(dynamics, ip) == [(PC, "ActionType.ScanNetwork")] for ip in found)
    assert logs(dynamics).keys() == {*found, GATEWAY}  # the gateway's two addresses have one log


def test_scan_network_from_a_host_that_is_not_controlled_does_nothing() -> None:
    dynamics = office_dynamics()
    known = replace(view(LAPTOP), known_hosts={LAPTOP, PC})

    after = dynamics.step("agent", known, scan(PC, SERVERS))

    assert after == known
    assert logs(dynamics) == {}


def test_scan_network_leaves_out_blocked_addresses_and_logs_nothing_there() -> None:
    dynamics = office_dynamics()
    dynamics.step("defender", view(WEB), block(WEB, WEB, PC))

    after = dynamics.step("agent", view(PC), scan(PC, SERVERS))

    assert after.known_hosts == {PC}
    assert log_of(dynamics, WEB) == [(WEB, "ActionType.BlockIP")]


def test_scan_network_never_finds_the_internet_router() -> None:
    dynamics = office_dynamics(use_firewall=False)

    after = dynamics.step("agent", view(OUTSIDE), scan(OUTSIDE, "0.0.0.0/0"))

    assert after.known_hosts == set(EVERYWHERE)
    assert INTERNET_IP not in after.known_hosts


def test_scan_network_of_something_that_is_no_network_finds_nothing() -> None:
    dynamics = office_dynamics()

    for network in (Network("net_1_5hosts", 24), Network("192.168.1.0", 33)):
        assert dynamics.step("agent", view(PC), scan(PC, network)) == view(PC)


def test_scan_network_with_nothing_new_returns_the_same_state() -> None:
    dynamics = office_dynamics()
    once = dynamics.step("agent", view(PC), scan(PC, SERVERS))

    assert dynamics.step("agent", once, scan(PC, SERVERS)) is once
