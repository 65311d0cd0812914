from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from netsecgame.utils.utils import parse_log_content
from tests.unit.core.office import (
    BACKUP,
    DB,
    GATEWAY,
    LAPTOP,
    LOG,
    NOTES,
    NOWHERE,
    OUTSIDE,
    PAGE,
    PC,
    TABLE,
    UNKNOWN_DATA,
    WEB,
    block,
    exfiltrate,
    find_data,
    log_of,
    logs,
    office_dynamics,
    view,
)

if TYPE_CHECKING:
    from netsecgame.game_components import IP, Data, GameState

#: Knows a datum that DB holds, and one that it does not hold.
KNOWING = view(DB, WEB, OUTSIDE, known_data={DB: {TABLE, NOTES}})


def test_exfiltrate_data_makes_the_datum_known_on_the_target() -> None:
    after = office_dynamics().step("agent", KNOWING, exfiltrate(DB, OUTSIDE, TABLE))

    assert after == replace(KNOWING, known_data={**KNOWING.known_data, OUTSIDE: {TABLE}})


def test_exfiltrate_data_adds_to_what_was_known_on_the_target() -> None:
    known = replace(KNOWING, known_data={DB: {TABLE}, WEB: {PAGE}})

    after = office_dynamics().step("agent", known, exfiltrate(DB, WEB, TABLE))

    assert after.known_data == {DB: {TABLE}, WEB: {PAGE, TABLE}}


def test_exfiltrate_data_copies_the_datum_for_everybody() -> None:
    dynamics = office_dynamics()

    dynamics.step("agent", KNOWING, exfiltrate(DB, OUTSIDE, TABLE))

    on_target = dynamics.step("other", view(OUTSIDE), find_data(OUTSIDE, OUTSIDE))
    on_source = dynamics.step("other", view(DB), find_data(DB, DB))
    assert on_target.known_data == {OUTSIDE: {TABLE, LOG}}
    assert on_source.known_data == {DB: {TABLE, BACKUP, LOG}}


def test_exfiltrate_data_onwards_works_from_the_new_place() -> None:
    dynamics = office_dynamics()
    once = dynamics.step("agent", KNOWING, exfiltrate(DB, WEB, TABLE))

    after = dynamics.step("agent", once, exfiltrate(WEB, OUTSIDE, TABLE))

    assert after.known_data[OUTSIDE] == {TABLE}


def test_exfiltrate_data_takes_the_world_s_own_record_not_the_client_s() -> None:
    known = view(LAPTOP, PC, known_data={LAPTOP: {replace(NOTES, size=10**6, content="forged")}})
    claimed = replace(NOTES, size=99, content="more forged")

    after = office_dynamics().step("agent", known, exfiltrate(LAPTOP, PC, claimed))

    (copied,) = after.known_data[PC]
    assert (copied, copied.size, copied.content) == (NOTES, 7, "")


def test_exfiltrate_data_is_logged_on_the_target_only() -> None:
    dynamics = office_dynamics()

    dynamics.step("agent", KNOWING, exfiltrate(DB, OUTSIDE, TABLE))

    assert log_of(dynamics, OUTSIDE) == [(DB, "ActionType.ExfiltrateData")]
    assert logs(dynamics).keys() == {OUTSIDE}


def test_exfiltrate_data_that_the_source_does_not_hold_changes_nothing_but_is_logged() -> None:
    dynamics = office_dynamics()

    assert dynamics.step("agent", KNOWING, exfiltrate(DB, WEB, NOTES)) == KNOWING
    assert log_of(dynamics, WEB) == [(DB, "ActionType.ExfiltrateData")]
    assert dynamics.step("other", view(WEB), find_data(WEB, WEB)).known_data == {WEB: {PAGE, LOG}}


@pytest.mark.parametrize(
    ("known", "source", "target", "datum"),
    [
        pytest.param(
            replace(KNOWING, controlled_hosts={WEB}), DB, WEB, TABLE, id="source not controlled"
        ),
        pytest.param(
            replace(KNOWING, controlled_hosts={DB}), DB, WEB, TABLE, id="target not controlled"
        ),
        pytest.param(
            replace(KNOWING, controlled_hosts={DB, PC}), DB, PC, TABLE, id="target not reached"
        ),
        pytest.param(KNOWING, DB, WEB, BACKUP, id="datum not known, although it is there"),
        pytest.param(KNOWING, DB, WEB, UNKNOWN_DATA, id="no such datum"),
        pytest.param(KNOWING, DB, WEB, replace(TABLE, type="log"), id="another type of datum"),
        pytest.param(KNOWING, WEB, OUTSIDE, TABLE, id="known on another host only"),
        pytest.param(KNOWING, DB, NOWHERE, TABLE, id="no such target"),
    ],
)
def test_exfiltrate_data_without_what_it_needs_does_nothing(
    known: GameState, source: IP, target: IP, datum: Data
) -> None:
    dynamics = office_dynamics()

    assert dynamics.step("agent", known, exfiltrate(source, target, datum)) == known
    assert logs(dynamics) == {}


def test_exfiltrate_data_to_a_blocked_host_does_nothing() -> None:
    dynamics = office_dynamics()
    dynamics.step("defender", view(WEB), block(WEB, WEB, DB))

    assert dynamics.step("agent", KNOWING, exfiltrate(DB, WEB, TABLE)) == KNOWING
    assert log_of(dynamics, WEB) == [(WEB, "ActionType.BlockIP")]


def test_exfiltrate_data_of_a_log_copies_what_it_says_now_and_keeps_the_target_s_own() -> None:
    dynamics = office_dynamics()
    known = dynamics.step("agent", view(DB, WEB), find_data(DB, DB))
    dynamics.step("other", view(GATEWAY), find_data(GATEWAY, DB))

    after = dynamics.step("agent", known, exfiltrate(DB, WEB, LOG))

    (copied,) = after.known_data[WEB]
    entries = parse_log_content(copied.content) or []
    assert [entry["source_host"] for entry in entries] == [DB, GATEWAY]
    assert log_of(dynamics, WEB) == [(DB, "ActionType.ExfiltrateData")]


def test_exfiltrate_data_with_nothing_new_returns_the_same_state() -> None:
    dynamics = office_dynamics()
    once = dynamics.step("agent", KNOWING, exfiltrate(DB, WEB, TABLE))

    assert dynamics.step("agent", once, exfiltrate(DB, WEB, TABLE)) is once
