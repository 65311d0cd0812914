from __future__ import annotations

from dataclasses import replace

import pytest

from netsecgame.game_components import IP, GameState
from tests.unit.core.office import (
    BASH,
    DB,
    GATEWAY_2,
    HTTP,
    INTERNET_IP,
    LAPTOP,
    NOWHERE,
    OUTSIDE,
    PC,
    RDP,
    SERVERS,
    SHELL,
    SSH,
    WEB,
    block,
    find_services,
    log_of,
    logs,
    office_dynamics,
    view,
)


def test_find_services_of_a_foreign_host_shows_those_that_are_not_local() -> None:
    known = view(PC, known_hosts={PC, WEB})

    after = office_dynamics().step("agent", known, find_services(PC, WEB))

    assert after == replace(known, known_services={WEB: {HTTP, SSH}})


def test_find_services_of_a_controlled_host_shows_all() -> None:
    dynamics = office_dynamics()
    known = view(PC, WEB)

    assert dynamics.step("agent", known, find_services(PC, WEB)).known_services == {
        WEB: {HTTP, SSH, BASH}
    }
    assert dynamics.step("agent", known, find_services(PC, PC)).known_services == {PC: {RDP, SHELL}}


def test_find_services_of_an_unknown_host_makes_host_and_network_known() -> None:
    known = view(PC)

    after = office_dynamics().step("agent", known, find_services(PC, WEB))

    assert after == GameState(
        controlled_hosts={PC},
        known_hosts={PC, WEB},
        known_networks={SERVERS},
        known_services={WEB: {HTTP, SSH}},
    )


def test_find_services_of_a_known_host_leaves_known_networks_alone() -> None:
    known = view(PC, known_hosts={PC, WEB})

    after = office_dynamics().step("agent", known, find_services(PC, WEB))

    assert after.known_networks == set()


@pytest.mark.parametrize("target", [LAPTOP, GATEWAY_2])
def test_find_services_that_finds_none_changes_nothing_but_is_logged(target: IP) -> None:
    dynamics = office_dynamics()
    known = view(PC, known_services={LAPTOP: {SHELL}})

    after = dynamics.step("agent", known, find_services(PC, target))

    assert after == known
    assert log_of(dynamics, target) == [(PC, "ActionType.FindServices")]


def test_find_services_replaces_what_was_known_of_the_host_and_of_no_other() -> None:
    known = view(PC, known_services={WEB: {HTTP, BASH}, DB: {SSH}})

    after = office_dynamics().step("agent", known, find_services(PC, WEB))

    assert after.known_services == {WEB: {HTTP, SSH}, DB: {SSH}}


def test_find_services_is_logged_on_the_target_only() -> None:
    dynamics = office_dynamics()

    dynamics.step("agent", view(PC), find_services(PC, WEB))

    assert log_of(dynamics, WEB) == [(PC, "ActionType.FindServices")]
    assert logs(dynamics).keys() == {WEB}


@pytest.mark.parametrize(
    ("known", "source", "target"),
    [
        pytest.param(view(LAPTOP, known_hosts={LAPTOP, PC}), PC, WEB, id="source not controlled"),
        pytest.param(view(PC), PC, DB, id="target not reached"),
        pytest.param(view(OUTSIDE), OUTSIDE, WEB, id="from outside"),
        pytest.param(view(PC), PC, NOWHERE, id="no such target"),
        pytest.param(view(PC), PC, INTERNET_IP, id="the internet router"),
        pytest.param(view(PC), NOWHERE, WEB, id="no such source"),
    ],
)
def test_find_services_without_what_it_needs_does_nothing(
    known: GameState, source: IP, target: IP
) -> None:
    dynamics = office_dynamics()

    assert dynamics.step("agent", known, find_services(source, target)) == known
    assert logs(dynamics) == {}


def test_find_services_of_a_blocked_host_does_nothing() -> None:
    dynamics = office_dynamics()
    dynamics.step("defender", view(WEB), block(WEB, WEB, PC))

    assert dynamics.step("agent", view(PC), find_services(PC, WEB)) == view(PC)
    assert log_of(dynamics, WEB) == [(WEB, "ActionType.BlockIP")]


def test_find_services_with_nothing_new_returns_the_same_state() -> None:
    dynamics = office_dynamics()
    once = dynamics.step("agent", view(PC), find_services(PC, WEB))

    assert dynamics.step("agent", once, find_services(PC, WEB)) is once
