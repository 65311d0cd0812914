from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from netsecgame.utils.utils import parse_log_content
from tests.unit.core.office import (
    BACKUP,
    DB,
    GATEWAY,
    GATEWAY_2,
    INTERNET_IP,
    LAPTOP,
    LOG,
    NOTES,
    NOWHERE,
    OUTSIDE,
    PAGE,
    PC,
    SERVERS,
    TABLE,
    WEB,
    block,
    exfiltrate,
    find_data,
    log_of,
    logs,
    office_dynamics,
    scan,
    view,
)

if TYPE_CHECKING:
    from netsecgame.game_components import IP, Data, GameState


def log_in(state: GameState, ip: IP) -> Data:
    (log,) = (datum for datum in state.known_data[ip] if datum == LOG)
    return log


def test_find_data_on_a_controlled_host_shows_its_data_and_its_log() -> None:
    known = view(PC, WEB)

    after = office_dynamics().step("agent", known, find_data(PC, WEB))

    assert after == replace(known, known_data={WEB: {PAGE, LOG}})


def test_find_data_gives_data_as_the_world_has_them() -> None:
    after = office_dynamics().step("agent", view(LAPTOP), find_data(LAPTOP, LAPTOP))

    (notes,) = (datum for datum in after.known_data[LAPTOP] if datum == NOTES)
    assert (notes.size, notes.type) == (7, "text")


def test_find_data_on_a_device_without_data_shows_its_log() -> None:
    dynamics = office_dynamics()

    after = dynamics.step("agent", view(PC, GATEWAY_2), find_data(PC, GATEWAY_2))

    assert after.known_data == {GATEWAY_2: {LOG}}


def test_find_data_shows_a_log_with_this_very_action_in_it() -> None:
    dynamics = office_dynamics()
    dynamics.step("other", view(PC), scan(PC, SERVERS))

    after = dynamics.step("agent", view(WEB), find_data(WEB, WEB))

    content = '[{"source_host": "192.168.2.2", "action_type": "ActionType.ScanNetwork"}, '
    content += '{"source_host": "192.168.1.2", "action_type": "ActionType.FindData"}]'
    assert log_in(after, WEB).content == content
    assert log_in(after, WEB).size == len(content)


def test_find_data_again_replaces_the_older_log() -> None:
    dynamics = office_dynamics()
    once = dynamics.step("agent", view(WEB), find_data(WEB, WEB))

    twice = dynamics.step("agent", once, find_data(WEB, WEB))

    assert len(twice.known_data[WEB]) == len(once.known_data[WEB])
    assert len(parse_log_content(log_in(once, WEB).content) or ()) == 1
    assert len(parse_log_content(log_in(twice, WEB).content) or ()) == 2


def test_find_data_keeps_what_was_known_there_and_elsewhere() -> None:
    known = view(WEB, known_data={WEB: {NOTES}, DB: {TABLE}})

    after = office_dynamics().step("agent", known, find_data(WEB, WEB))

    assert after.known_data == {WEB: {NOTES, PAGE, LOG}, DB: {TABLE}}


def test_find_data_shows_data_that_others_moved_there() -> None:
    dynamics = office_dynamics()
    thief = view(DB, WEB, known_data={DB: {BACKUP}})
    dynamics.step("thief", thief, exfiltrate(DB, WEB, BACKUP))

    after = dynamics.step("agent", view(WEB), find_data(WEB, WEB))

    assert after.known_data == {WEB: {PAGE, BACKUP, LOG}}


def test_find_data_shows_the_blocks_on_the_target_whoever_set_them() -> None:
    dynamics = office_dynamics()
    dynamics.step("one", view(DB), block(DB, DB, NOWHERE))
    dynamics.step("other", view(WEB), block(WEB, WEB, DB))

    after = dynamics.step("agent", view(DB, GATEWAY), find_data(GATEWAY, DB))

    assert after.known_blocks == {DB: {NOWHERE, WEB}}


def test_find_data_without_blocks_on_the_target_leaves_known_blocks_alone() -> None:
    dynamics = office_dynamics()
    dynamics.step("defender", view(WEB), block(WEB, WEB, DB))
    known = view(PC, known_blocks={LAPTOP: {PC}})

    assert dynamics.step("agent", known, find_data(PC, PC)).known_blocks == {LAPTOP: {PC}}


def test_find_data_on_a_host_that_is_not_controlled_shows_nothing_but_is_logged() -> None:
    dynamics = office_dynamics()
    known = view(PC, known_hosts={PC, WEB})

    assert dynamics.step("agent", known, find_data(PC, WEB)) == known
    assert log_of(dynamics, WEB) == [(PC, "ActionType.FindData")]
    assert logs(dynamics).keys() == {WEB}


@pytest.mark.parametrize(
    ("known", "source", "target"),
    [
        pytest.param(view(WEB), PC, WEB, id="source not controlled"),
        pytest.param(view(PC, DB), PC, DB, id="target not reached"),
        pytest.param(view(PC, OUTSIDE), OUTSIDE, PC, id="from outside"),
        pytest.param(view(PC), PC, NOWHERE, id="no such target"),
        pytest.param(view(PC), PC, INTERNET_IP, id="the internet router"),
    ],
)
def test_find_data_without_what_it_needs_does_nothing(
    known: GameState, source: IP, target: IP
) -> None:
    dynamics = office_dynamics()

    assert dynamics.step("agent", known, find_data(source, target)) == known
    assert logs(dynamics) == {}


def test_find_data_on_a_blocked_host_does_nothing() -> None:
    dynamics = office_dynamics()
    dynamics.step("defender", view(WEB), block(WEB, WEB, PC))

    assert dynamics.step("agent", view(PC, WEB), find_data(PC, WEB)) == view(PC, WEB)
    assert log_of(dynamics, WEB) == [(WEB, "ActionType.BlockIP")]
