from __future__ import annotations

from dataclasses import replace

import pytest

from netsecgame.core import state_json
from netsecgame.core.addressing import Labels
from netsecgame.core.knowledge import Knowledge, KnownState, knowledge_of
from netsecgame.core.scenario import Host, Scenario
from netsecgame.core.topology import Topology, compile_scenario
from netsecgame.game_components import IP, Data, GameState, Network, Service
from tests.unit.core.office import (
    BACKUP,
    BASH,
    CLIENTS,
    DB,
    GATEWAY,
    HTTP,
    LAPTOP,
    LOG,
    NOTES,
    OUTSIDE,
    OUTSIDE_NET,
    PAGE,
    PC,
    SERVERS,
    SSH,
    TABLE,
    WEB,
    interfaces,
    office_topology,
    view,
)

#: In text order 192.168.2.10 comes before 192.168.2.9, and 213… before 9….
FAR, NEAR = IP("192.168.2.10"), IP("9.9.9.9")
NET_9, NET_10 = Network("9.0.0.0", 8), Network("10.0.0.0", 8)

STATES = [
    GameState(),
    view(PC),
    view(OUTSIDE, PC, WEB, GATEWAY),
    GameState(known_networks={SERVERS, CLIENTS, OUTSIDE_NET, NET_9, NET_10}),
    GameState(known_services={WEB: {SSH, HTTP, BASH}, DB: {SSH}, PC: set()}),
    GameState(known_data={WEB: {PAGE, TABLE, BACKUP, NOTES}, DB: {NOTES}, PC: set()}),
    GameState(known_data={WEB: {LOG, TABLE, NOTES}, DB: {replace(LOG, size=2, content="[]")}}),
    GameState(known_data={WEB: {replace(LOG, size=9, content='["\u00e9 EOF"]')}}),
    GameState(known_blocks={WEB: {PC, FAR, NEAR}, FAR: {WEB}, NEAR: {WEB}, PC: {WEB}}),
    view(
        PC,
        known_services={WEB: {SSH}},
        known_data={WEB: {LOG, PAGE}},
        known_networks={CLIENTS},
        known_blocks={WEB: {LAPTOP}},
    ),
]


def labelled(topology: Topology) -> Labels:
    labels = Labels.original(topology)
    for outsider in (FAR, NEAR):
        labels.admit_outsider(outsider)
    return labels


def encode(labels: Labels, known: Knowledge) -> bytes:
    return b"".join(labels.state_encoder.encode(known))


@pytest.fixture
def labels() -> Labels:
    return labelled(office_topology(extra_networks=[NET_10, NET_9]))


@pytest.mark.parametrize("state", STATES)
def test_encode_gives_the_bytes_of_the_plain_state(labels: Labels, state: GameState) -> None:
    known = knowledge_of(state, labels)

    assert encode(labels, known) == state.as_json().encode()


def test_encode_one_after_another_mixes_nothing_up(labels: Labels) -> None:
    for state in [*STATES, *reversed(STATES)]:
        known = knowledge_of(state, labels)
        assert encode(labels, known) == state.as_json().encode()


def test_encode_after_forgetting_its_fragments_gives_the_same(
    labels: Labels, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("_MAX_KEPT_BYTES", "_MAX_KEPT_LOG_BYTES", "_MAX_JOINED_BYTES"):
        monkeypatch.setattr(state_json, limit, 1)
    labels = labelled(labels.topology)

    test_encode_one_after_another_mixes_nothing_up(labels)


def test_encode_of_short_lived_knowledge_mixes_nothing_up(labels: Labels) -> None:
    # What is gone makes room in memory for what comes next, which may then have its `id`.
    address = labels.find_address(WEB)
    for number in range(500):
        content = f"[{number}]"
        log = replace(LOG, size=len(content), content=content)
        known = Knowledge(
            services={address: number % 3 + 1},
            data={address: number % 5 << 1 | 1},
            blocks={address: 1 << number % 4},
            logs={address: log},
        )
        expected = knowledge_of(KnownState(known, labels), labels)
        state = KnownState(expected, labels)
        plain = GameState(**{name: getattr(state, name) for name in GameState.__dataclass_fields__})
        assert encode(labels, known) == plain.as_json().encode()


def test_encode_knows_outsiders_admitted_since_the_last_state() -> None:
    labels = Labels.original(office_topology())
    assert encode(labels, Knowledge()) == GameState().as_json().encode()
    index = labels.admit_outsider(FAR)
    web = labels.find_address(WEB)
    state = KnownState(Knowledge(blocks={web: 1 << index, index: 1 << web}), labels)

    assert state.as_json() == GameState(known_blocks={WEB: {FAR}, FAR: {WEB}}).as_json()


def test_encode_of_names_in_any_script_gives_the_bytes_of_the_plain_state() -> None:
    strange = Service('s"q\\l \u00fc', "\n", "\u2603", is_local=False)
    secret = Data("zo\u00eb", 'a"b', size=3, type="\U0001f511", content="x\ny")
    host = Host("h", interfaces(SERVERS, WEB), services=(strange, SSH), data=(secret, TABLE))
    labels = Labels.original(compile_scenario(Scenario("strange", (host,))))
    state = GameState(known_services={WEB: {strange, SSH}}, known_data={WEB: {secret, TABLE, LOG}})

    encoded = encode(labels, knowledge_of(state, labels))

    assert encoded == state.as_json().encode()
    assert GameState.from_json(encoded) == state
