from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from typing import Any

import pytest

from netsecgame.core.addressing import Labels
from netsecgame.core.bits import mask_of
from netsecgame.core.knowledge import Knowledge, KnownState, add_bits, knowledge_of
from netsecgame.core.topology import LOG as LOG_INDEX
from netsecgame.game_components import IP, Data, GameState
from netsecgame.utils.utils import generate_valid_actions, state_as_ordered_string
from tests.unit.core.office import (
    BACKUP,
    CLIENTS,
    DB,
    HTTP,
    LOG,
    NOWHERE,
    PC,
    SERVERS,
    SHELL,
    SSH,
    TABLE,
    UNKNOWN_DATA,
    UNKNOWN_SERVICE,
    WEB,
    office_topology,
    view,
)

TOPOLOGY = office_topology()
LABELS = Labels.original(TOPOLOGY)
AT = TOPOLOGY.address_index
NEWEST_LOG = replace(LOG, size=2, content="[]")

FULL_STATE = GameState(
    controlled_hosts={PC},
    known_hosts={PC, WEB, DB},
    known_services={WEB: {HTTP, SSH}, PC: {SHELL}},
    known_data={DB: {TABLE, BACKUP, NEWEST_LOG}},
    known_networks={SERVERS, CLIENTS},
    known_blocks={WEB: {DB}, DB: {WEB}},
)


def known_state(state: GameState = FULL_STATE) -> KnownState:
    return KnownState(knowledge_of(state, LABELS), LABELS)


def services(*named: Any) -> int:
    return mask_of(TOPOLOGY.service_index[service] for service in named)


def data(*named: Data) -> int:
    return mask_of(TOPOLOGY.data_index[datum] for datum in named)


# --- Knowledge ------------------------------------------------------------------------------------


def test_controls_of_an_address_follows_the_mask() -> None:
    known = Knowledge(controlled=1 << AT[PC])

    assert known.controls(AT[PC])
    assert not known.controls(AT[WEB])
    assert not known.controls(-1)


def test_with_data_adds_and_returns_the_same_object_when_nothing_is_new() -> None:
    known = Knowledge(data={1: 0b01})

    assert known.with_data(1, 0b10).data == {1: 0b11}
    assert known.with_data(2, 0b10).data == {1: 0b01, 2: 0b10}
    assert known.with_data(1, 0b01) is known
    assert known.with_data(2, 0) is known
    assert known.data == {1: 0b01}


def test_with_log_replaces_the_log_and_marks_it_known() -> None:
    known = Knowledge().with_log(3, LOG).with_log(3, NEWEST_LOG)

    assert known.data == {3: 1 << LOG_INDEX}
    assert known.logs[3] is NEWEST_LOG


def test_with_blocks_adds_and_returns_the_same_object_when_nothing_is_new() -> None:
    known = Knowledge(blocks={1: 0b100})

    assert known.with_blocks(1, 0b001).blocks == {1: 0b101}
    assert known.with_blocks(1, 0b100) is known


def test_add_bits_leaves_the_given_mapping_alone() -> None:
    masks = {1: 0b01}

    assert add_bits(masks, 1, 0b10) == {1: 0b11}
    assert masks == {1: 0b01}


@pytest.mark.parametrize(
    "more",
    [
        Knowledge(networks=1),
        Knowledge(hosts=1),
        Knowledge(controlled=1),
        Knowledge(services={0: 1}),
        Knowledge(data={0: 2}),
        Knowledge(blocks={0: 2}),
    ],
)
def test_covers_needs_every_single_part(more: Knowledge) -> None:
    other = Knowledge(2, 2, 2, {0: 2, 1: 1}, {0: 1, 1: 1}, {0: 1, 1: 1})

    assert more.covers(Knowledge())
    assert more.covers(more)
    assert not other.covers(more)
    assert not Knowledge().covers(more)


def test_covers_does_not_look_at_the_contents_of_logs() -> None:
    assert Knowledge().with_log(1, LOG).covers(Knowledge().with_log(1, NEWEST_LOG))


# --- knowledge_of ---------------------------------------------------------------------------------


def test_knowledge_of_a_state_has_its_indices() -> None:
    known = knowledge_of(FULL_STATE, LABELS)

    assert known == Knowledge(
        networks=mask_of(TOPOLOGY.network_index[n] for n in (SERVERS, CLIENTS)),
        hosts=mask_of(AT[ip] for ip in (PC, WEB, DB)),
        controlled=1 << AT[PC],
        services={AT[WEB]: services(HTTP, SSH), AT[PC]: services(SHELL)},
        data={AT[DB]: data(TABLE, BACKUP, LOG)},
        blocks={AT[WEB]: 1 << AT[DB], AT[DB]: 1 << AT[WEB]},
        logs={AT[DB]: LOG},
    )
    assert known.logs[AT[DB]].content == "[]"


def test_knowledge_of_a_known_state_is_its_own() -> None:
    state = known_state()

    assert knowledge_of(state, LABELS) is state.knowledge


def test_knowledge_of_a_known_state_under_other_labels_goes_by_addresses() -> None:
    swapped = list(TOPOLOGY.addresses)
    swapped[AT[PC]], swapped[AT[WEB]] = WEB, PC
    other = Labels(TOPOLOGY, swapped, TOPOLOGY.networks)

    assert knowledge_of(known_state(), other).controlled == 1 << AT[WEB]


def test_knowledge_of_a_state_and_back_is_the_same_state() -> None:
    assert known_state() == FULL_STATE
    assert known_state(GameState()) == GameState()


def test_knowledge_of_a_state_leaves_out_what_does_not_exist() -> None:
    state = GameState(
        controlled_hosts={PC, NOWHERE},
        known_hosts={NOWHERE},
        known_services={NOWHERE: {SSH}, WEB: {SSH, UNKNOWN_SERVICE}},
        known_data={NOWHERE: {TABLE, LOG}, DB: {UNKNOWN_DATA, TABLE}},
        known_blocks={NOWHERE: {PC}, WEB: {NOWHERE, PC}},
    )

    assert known_state(state) == GameState(
        controlled_hosts={PC},
        known_services={WEB: {SSH}},
        known_data={DB: {TABLE}},
        known_blocks={WEB: {PC}},
    )


def test_knowledge_of_a_state_keeps_outsiders_as_blocked_but_never_as_controlled() -> None:
    labels = Labels.original(TOPOLOGY)
    outsider = labels.admit_outsider(NOWHERE)
    state = GameState(controlled_hosts={NOWHERE}, known_blocks={PC: {NOWHERE}, NOWHERE: {PC}})

    known = knowledge_of(state, labels)

    assert known.blocks == {AT[PC]: 1 << outsider, outsider: 1 << AT[PC]}
    assert known.controlled == 0


# --- KnownState -----------------------------------------------------------------------------------


def test_known_state_equals_the_plain_state_both_ways_and_hashes_alike() -> None:
    state, plain = known_state(), replace(FULL_STATE)

    assert state == plain
    assert plain == state
    assert hash(state) == hash(plain)
    assert state != GameState()
    assert state == known_state()
    assert state != known_state(view(PC))


def test_known_state_reads_like_the_plain_state() -> None:
    state = known_state()

    assert str(state) == str(FULL_STATE)
    assert state.as_dict == FULL_STATE.as_dict
    assert state.as_graph == FULL_STATE.as_graph
    assert state_as_ordered_string(state) == state_as_ordered_string(FULL_STATE)
    assert generate_valid_actions(state, include_blocks=True) == generate_valid_actions(
        FULL_STATE, include_blocks=True
    )


def test_known_state_has_the_json_of_the_plain_state() -> None:
    state = known_state()

    assert state.json_bytes == FULL_STATE.as_json().encode()
    assert state.as_json() == FULL_STATE.as_json()
    assert GameState.from_json(state.json_bytes) == FULL_STATE
    assert json.loads(state.json_bytes)["known_data"][str(DB)][2]["content"] == "[]"


def test_known_state_makes_its_json_and_parts_once() -> None:
    state = known_state()

    assert state.json_bytes is state.json_bytes
    assert state.known_services is state.known_services


def test_known_state_without_such_an_attribute_says_so() -> None:
    with pytest.raises(AttributeError, match="'KnownState' object has no attribute 'known_hots'"):
        _ = known_state().known_hots  # type: ignore[attr-defined]


def test_known_state_cannot_be_changed() -> None:
    state = known_state()

    with pytest.raises(AttributeError):
        state.known_hosts = {IP("10.0.0.1")}  # type: ignore[misc]


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy])
def test_known_state_copied_is_the_same_value(copier: Any) -> None:
    assert copier(known_state()) == FULL_STATE


def test_known_state_pickled_is_the_plain_state() -> None:
    restored = pickle.loads(pickle.dumps(known_state()))

    assert type(restored) is GameState
    assert restored == FULL_STATE
    assert restored.as_json() == known_state().as_json()


def test_known_state_keeps_its_outsiders_when_more_are_admitted() -> None:
    labels = Labels.original(TOPOLOGY)
    outsider = labels.admit_outsider(NOWHERE)
    state = KnownState(Knowledge(blocks={AT[PC]: 1 << outsider}), labels)
    labels.admit_outsider(IP("10.9.9.10"))

    assert state.known_blocks == {PC: {NOWHERE}}
