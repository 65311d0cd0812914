from __future__ import annotations

from dataclasses import replace

import pytest

from netsecgame.core import addressing
from netsecgame.game_components import IP, GameState
from tests.unit.core.office import (
    DB,
    GATEWAY,
    INTERNET_IP,
    LAPTOP,
    NOWHERE,
    OUTSIDE,
    PC,
    WEB,
    block,
    find_data,
    find_services,
    log_of,
    logs,
    office_dynamics,
    scan,
    view,
)


def test_block_ip_makes_the_pair_known_as_blocked_both_ways() -> None:
    known = view(WEB, DB)

    after = office_dynamics().step("agent", known, block(DB, WEB, PC))

    assert after == replace(known, known_blocks={WEB: {PC}, PC: {WEB}})


def test_block_ip_cuts_the_pair_off_both_ways_and_nothing_else() -> None:
    dynamics = office_dynamics()

    dynamics.step("agent", view(WEB), block(WEB, WEB, DB))

    assert dynamics.step("other", view(DB), scan(DB, "192.168.1.0/24")).known_hosts == {DB, GATEWAY}
    assert dynamics.step("other", view(WEB), scan(WEB, "192.168.1.0/24")).known_hosts == {
        WEB,
        GATEWAY,
    }
    assert dynamics.step("other", view(PC), scan(PC, "192.168.1.0/24")).known_hosts == {PC, WEB}


def test_block_ip_binds_its_own_agent_too() -> None:
    dynamics = office_dynamics()
    after = dynamics.step("agent", view(WEB, DB), block(WEB, WEB, DB))

    assert dynamics.step("agent", after, find_services(DB, WEB)) is after


def test_block_ip_lasts_until_the_reset() -> None:
    dynamics = office_dynamics()
    dynamics.step("agent", view(WEB), block(WEB, WEB, PC))
    dynamics.step("agent", view(WEB), block(WEB, WEB, NOWHERE))

    dynamics.reset()

    assert dynamics.step("other", view(PC), scan(PC, "192.168.1.2/32")).known_hosts == {PC, WEB}
    assert dynamics.step("other", view(WEB), find_data(WEB, WEB)).known_blocks == {}


def test_block_ip_adds_to_the_blocks_known_before() -> None:
    known = view(WEB, known_blocks={WEB: {DB}, DB: {WEB}})

    after = office_dynamics().step("agent", known, block(WEB, WEB, PC))

    assert after.known_blocks == {WEB: {DB, PC}, DB: {WEB}, PC: {WEB}}


@pytest.mark.parametrize("outsider", [NOWHERE, INTERNET_IP])
def test_block_ip_of_an_address_that_does_not_exist_is_known_like_any_other(outsider: IP) -> None:
    dynamics = office_dynamics()

    after = dynamics.step("agent", view(WEB), block(WEB, WEB, outsider))

    assert after == view(WEB, known_blocks={WEB: {outsider}, outsider: {WEB}})
    assert dynamics.step("other", view(PC), scan(PC, "0.0.0.0/0")).known_hosts.isdisjoint(
        {outsider}
    )


def test_block_ip_of_more_outsiders_than_the_cap_does_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(addressing, "MAX_OUTSIDERS", 2)
    dynamics = office_dynamics()
    state: GameState = view(WEB)
    for number in (1, 2):
        state = dynamics.step("agent", state, block(WEB, WEB, IP(f"10.9.9.{number}")))

    assert dynamics.step("agent", state, block(WEB, WEB, IP("10.9.9.3"))) is state
    # Those that were admitted before can still be blocked elsewhere.
    again = dynamics.step("agent", view(DB), block(DB, DB, IP("10.9.9.2")))
    assert again.known_blocks == {DB: {IP("10.9.9.2")}, IP("10.9.9.2"): {DB}}


def test_block_ip_after_a_reset_has_the_whole_cap_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addressing, "MAX_OUTSIDERS", 1)
    dynamics = office_dynamics()
    dynamics.step("agent", view(WEB), block(WEB, WEB, IP("10.9.9.1")))
    dynamics.reset()

    after = dynamics.step("agent", view(WEB), block(WEB, WEB, IP("10.9.9.2")))

    assert after.known_blocks.keys() == {WEB, IP("10.9.9.2")}


def test_block_ip_is_logged_on_the_target_only() -> None:
    dynamics = office_dynamics()

    dynamics.step("agent", view(WEB, DB), block(DB, WEB, PC))

    assert log_of(dynamics, WEB) == [(DB, "ActionType.BlockIP")]
    assert logs(dynamics).keys() == {WEB}


@pytest.mark.parametrize(
    ("known", "source", "target", "blocked"),
    [
        pytest.param(view(WEB), DB, WEB, PC, id="source not controlled"),
        pytest.param(view(DB), DB, WEB, PC, id="target not controlled"),
        pytest.param(view(PC, DB), PC, DB, LAPTOP, id="target not reached"),
        pytest.param(view(OUTSIDE, PC), OUTSIDE, PC, WEB, id="from outside"),
        pytest.param(view(WEB), WEB, WEB, WEB, id="target is blocked address"),
        pytest.param(view(WEB), WEB, NOWHERE, PC, id="no such target"),
        pytest.param(view(WEB), WEB, NOWHERE, NOWHERE, id="no such target, itself blocked"),
    ],
)
def test_block_ip_without_what_it_needs_does_nothing(
    known: GameState, source: IP, target: IP, blocked: IP
) -> None:
    dynamics = office_dynamics()

    assert dynamics.step("agent", known, block(source, target, blocked)) == known
    assert logs(dynamics) == {}
    assert dynamics.truth.blocked == {}


def test_block_ip_on_a_blocked_host_does_nothing() -> None:
    dynamics = office_dynamics()
    dynamics.step("other", view(WEB), block(WEB, WEB, DB))

    assert dynamics.step("agent", view(WEB, DB), block(DB, WEB, PC)) == view(WEB, DB)
    assert log_of(dynamics, WEB) == [(WEB, "ActionType.BlockIP")]


def test_block_ip_of_its_own_source_works_once() -> None:
    dynamics = office_dynamics()
    known = view(WEB, DB)

    once = dynamics.step("agent", known, block(DB, WEB, DB))

    assert once.known_blocks == {WEB: {DB}, DB: {WEB}}
    assert dynamics.step("agent", once, block(DB, WEB, PC)) is once
