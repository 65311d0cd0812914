from __future__ import annotations

import json
from dataclasses import replace
from random import Random

import pytest

from netsecgame.core.addressing import Labels, draw_labels
from netsecgame.core.goal import ALL_ATTACKERS, Goal
from netsecgame.core.knowledge import KnownState, knowledge_of
from netsecgame.core.positions import draw_position
from netsecgame.core.task import Position, Word
from netsecgame.game_components import IP, GameState
from tests.unit.core.office import (
    BACKUP,
    BASH,
    CLIENTS,
    DB,
    GATEWAY,
    GATEWAY_2,
    HTTP,
    LAPTOP,
    NOWHERE,
    OUTSIDE,
    PC,
    SERVERS,
    SSH,
    TABLE,
    WEB,
    office_topology,
    view,
)

TOPOLOGY = office_topology()
LABELS = Labels.original(TOPOLOGY)


def goal_of(position: Position) -> Goal:
    return Goal.from_drawn(draw_position(position, TOPOLOGY, Random(1)), LABELS)


def known(state: GameState) -> KnownState:
    return KnownState(knowledge_of(state, LABELS), LABELS)


#: A goal of one part, a view that has just that part and more, and views that lack it.
PARTS = {
    "known_networks": (
        GameState(known_networks={SERVERS}),
        GameState(known_networks={SERVERS, CLIENTS}),
        [GameState(known_networks={CLIENTS}), GameState(known_hosts={WEB})],
    ),
    "known_hosts": (
        GameState(known_hosts={WEB, DB}),
        GameState(known_hosts={WEB, DB, PC}),
        [GameState(known_hosts={WEB, PC})],
    ),
    "controlled_hosts": (
        GameState(controlled_hosts={WEB}),
        GameState(controlled_hosts={WEB, PC}),
        [GameState(known_hosts={WEB}, controlled_hosts={PC})],
    ),
    "known_services": (
        GameState(known_services={WEB: {SSH}}),
        GameState(known_services={WEB: {SSH, HTTP}, DB: {BASH}}),
        [GameState(known_services={DB: {SSH}}), GameState(known_services={WEB: {HTTP}})],
    ),
    "known_data": (
        GameState(known_data={OUTSIDE: {TABLE}}),
        GameState(known_data={OUTSIDE: {TABLE, BACKUP}}),
        [GameState(known_data={DB: {TABLE}}), GameState(known_data={OUTSIDE: {BACKUP}})],
    ),
    "known_blocks": (
        GameState(known_blocks={WEB: {PC}}),
        GameState(known_blocks={WEB: {PC, LAPTOP}, PC: {WEB}}),
        [GameState(known_blocks={PC: {WEB}}), GameState(known_blocks={WEB: {LAPTOP}})],
    ),
}


@pytest.mark.parametrize("part", PARTS)
def test_goal_of_one_part_is_reached_when_the_view_has_it(part: str) -> None:
    wanted, more, lacking = PARTS[part]

    for goal in (Goal(wanted), Goal(known(wanted))):
        for form in (lambda state: state, known):
            assert goal.is_reached(form(wanted))
            assert goal.is_reached(form(more))
            assert not goal.is_reached(form(GameState()))
            assert not any(goal.is_reached(form(state)) for state in lacking)


def test_goal_of_several_parts_needs_them_all() -> None:
    wanted = GameState(controlled_hosts={WEB}, known_data={OUTSIDE: {TABLE}})

    for goal in (Goal(wanted), Goal(known(wanted))):
        assert goal.is_reached(known(wanted))
        assert not goal.is_reached(known(replace(wanted, controlled_hosts=set())))
        assert not goal.is_reached(known(replace(wanted, known_data={})))


@pytest.mark.parametrize(
    "nothing",
    [
        GameState(),
        GameState(known_services={WEB: set()}, known_data={WEB: set()}),
        known(GameState()),
    ],
)
def test_goal_with_nothing_in_it_is_never_reached(nothing: GameState) -> None:
    goal = Goal(nothing)

    assert goal.is_empty
    assert not goal.is_reached(GameState())
    assert not goal.is_reached(known(view(PC, known_data={WEB: {TABLE}})))


def test_goal_kept_from_other_labels_still_goes_by_addresses() -> None:
    same_addresses = Labels(TOPOLOGY, TOPOLOGY.addresses, TOPOLOGY.networks)
    moved = draw_labels(TOPOLOGY, Random(1))
    goal = Goal(known(view(WEB)))

    assert goal.is_reached(KnownState(knowledge_of(view(WEB), same_addresses), same_addresses))
    assert not goal.is_reached(KnownState(known(view(WEB)).knowledge, moved))


def test_goal_under_new_labels_names_the_new_addresses() -> None:
    labels = draw_labels(TOPOLOGY, Random(1))
    position = Position(known_data={OUTSIDE: (TABLE,)}, known_blocks={WEB: (Word.ALL_ATTACKERS,)})

    goal = Goal.from_drawn(draw_position(position, TOPOLOGY, Random(1)), labels)

    def new(ip: IP) -> IP:
        return labels.addresses[TOPOLOGY.address_index[ip]]

    assert goal.state.known_data == {new(OUTSIDE): {TABLE}}
    assert goal.all_attackers == {new(WEB)}
    assert new(WEB) != WEB


# --- all_attackers and all_routers ----------------------------------------------------------------

CUT_OFF = goal_of(Position(known_blocks={WEB: (Word.ALL_ATTACKERS,)}))


@pytest.mark.parametrize(
    ("blocked", "attackers", "is_reached"),
    [
        pytest.param({PC, OUTSIDE}, [view(PC), view(OUTSIDE)], True, id="all of all attackers"),
        pytest.param({PC, OUTSIDE, DB}, [view(PC, OUTSIDE)], True, id="more than needed"),
        pytest.param({PC}, [view(PC), view(OUTSIDE)], False, id="one attacker is missing"),
        pytest.param({PC}, [view(PC, OUTSIDE)], False, id="one address is missing"),
        pytest.param({PC}, [view(PC, WEB)], True, id="the host itself need not be blocked"),
        pytest.param({PC}, [view(WEB)], False, id="there must be another address"),
        pytest.param({PC}, [], False, id="there must be an attacker"),
        pytest.param(set(), [view(PC)], False, id="nothing is blocked"),
        pytest.param({PC}, [view(PC, known_hosts={DB})], True, id="known is not controlled"),
    ],
)
def test_goal_of_all_attackers_needs_every_address_they_control(
    blocked: set[IP], attackers: list[GameState], is_reached: bool
) -> None:
    state = GameState(known_blocks={WEB: blocked} if blocked else {})

    assert CUT_OFF.is_reached(state, attackers) is is_reached
    assert CUT_OFF.is_reached(known(state), map(known, attackers)) is is_reached


def test_goal_of_all_attackers_counts_on_each_of_its_hosts() -> None:
    goal = goal_of(
        Position(known_blocks={WEB: (Word.ALL_ATTACKERS,), DB: (Word.ALL_ATTACKERS, LAPTOP)})
    )

    assert goal.is_reached(known(view(known_blocks={WEB: {PC}, DB: {PC, LAPTOP}})), [view(PC)])
    assert not goal.is_reached(known(view(known_blocks={WEB: {PC}, DB: {PC}})), [view(PC)])
    assert not goal.is_reached(known(view(known_blocks={DB: {PC, LAPTOP}})), [view(PC)])


def test_goal_of_all_attackers_counts_outsiders_no_attacker_controls_for_nothing() -> None:
    assert CUT_OFF.is_reached(GameState(known_blocks={WEB: {PC, NOWHERE}}), [view(PC)])


def test_goal_of_all_attackers_beside_other_parts_needs_both() -> None:
    goal = goal_of(
        Position(known_hosts=(DB,), known_blocks={WEB: (Word.ALL_ATTACKERS,)}),
    )
    blocks = {WEB: {PC}}

    assert not goal.is_empty
    assert goal.is_reached(known(GameState(known_hosts={DB}, known_blocks=blocks)), [view(PC)])
    assert not goal.is_reached(known(GameState(known_blocks=blocks)), [view(PC)])


def test_goal_of_all_routers_is_every_router_address() -> None:
    goal = goal_of(Position(known_blocks={WEB: (Word.ALL_ROUTERS,)}))

    assert goal.state.known_blocks == {WEB: {GATEWAY, GATEWAY_2}}
    assert goal.is_reached(known(GameState(known_blocks={WEB: {GATEWAY, GATEWAY_2}})))
    assert not goal.is_reached(known(GameState(known_blocks={WEB: {GATEWAY}})))


# --- forms ----------------------------------------------------------------------------------------


def test_from_any_takes_goals_states_and_mappings_of_parts() -> None:
    goal = Goal(view(WEB))

    assert Goal.from_any(goal) is goal
    assert Goal.from_any(view(WEB)) == goal
    assert Goal.from_any({"controlled_hosts": {WEB}, "known_hosts": {WEB}}) == goal
    assert Goal.from_any({}).is_empty


def test_from_any_reads_the_word_for_all_attackers() -> None:
    goal = Goal.from_any({"known_blocks": {WEB: ALL_ATTACKERS, DB: {PC}}})

    assert goal == Goal(GameState(known_blocks={DB: {PC}}), frozenset({WEB}))


def test_as_dict_is_the_wire_form_with_the_word_for_all_attackers() -> None:
    goal = goal_of(Position(known_hosts=(DB,), known_blocks={WEB: (Word.ALL_ATTACKERS,)}))

    assert goal.as_dict == {
        **GameState(known_hosts={DB}).as_dict,
        "known_blocks": {"192.168.1.2": "all_attackers"},
    }
    assert goal.state.known_blocks == {}
    assert json.loads(goal.json) == goal.as_dict
