from __future__ import annotations

import pytest

from netsecgame.core.addressing import Labels
from netsecgame.core.world_state import WorldState
from tests.unit.core.office import (
    BACKUP,
    DB,
    GATEWAY,
    GATEWAY_2,
    NOWHERE,
    PC,
    WEB,
    office_topology,
)

TOPOLOGY = office_topology()
AT = TOPOLOGY.address_index
WEB_I, DB_I, PC_I = AT[WEB], AT[DB], AT[PC]


@pytest.fixture
def truth() -> WorldState:
    return WorldState(TOPOLOGY, Labels.original(TOPOLOGY))


# --- blocks and blame -----------------------------------------------------------------------------


def test_block_cuts_both_ways_and_leaves_the_topology_alone(truth: WorldState) -> None:
    truth.block(WEB_I, DB_I, "defender")

    assert not truth.connect(WEB_I, 1 << DB_I)
    assert not truth.connect(DB_I, 1 << WEB_I)
    assert truth.connect(PC_I, 1 << WEB_I)
    assert TOPOLOGY.reach[WEB_I] >> DB_I & 1


def test_take_blamed_names_who_blocked_a_refused_pair_once(truth: WorldState) -> None:
    truth.block(WEB_I, PC_I, "defender")

    truth.connect(PC_I, 1 << WEB_I)

    assert truth.take_blamed() == ["defender"]
    assert truth.take_blamed() == []


def test_take_blamed_names_every_agent_that_blocked_the_pair_from_either_side(
    truth: WorldState,
) -> None:
    truth.block(WEB_I, DB_I, "one")
    truth.block(DB_I, WEB_I, "two")
    truth.block(WEB_I, DB_I, "one")

    truth.connect(DB_I, 1 << WEB_I)

    assert truth.take_blamed() == ["one", "two"]


def test_take_blamed_of_a_refusal_by_the_firewall_is_nobody(truth: WorldState) -> None:
    truth.block(WEB_I, PC_I, "defender")

    truth.connect(PC_I, 1 << DB_I)
    truth.connect(PC_I, 0)
    truth.connect(DB_I, 1 << WEB_I)

    assert truth.take_blamed() == []


def test_take_blamed_after_connect_to_many_counts_each_refused_address(truth: WorldState) -> None:
    everyone = (1 << len(TOPOLOGY.addresses)) - 1
    truth.block(WEB_I, PC_I, "one")
    truth.block(DB_I, PC_I, "two")  # refused by the firewall anyway, but blocked too

    reached = truth.connect(PC_I, everyone)

    assert not reached >> WEB_I & 1
    assert sorted(map(str, truth.take_blamed())) == ["one", "two"]


def test_connect_without_blocks_is_the_reach(truth: WorldState) -> None:
    assert truth.connect(PC_I, 1 << WEB_I | 1 << DB_I) == 1 << WEB_I
    assert truth.take_blamed() == []


def test_block_of_an_outsider_is_kept_with_the_host(truth: WorldState) -> None:
    outsider = truth.labels.admit_outsider(NOWHERE)

    truth.block(WEB_I, outsider, "defender")

    assert truth.blocked == {WEB_I: 1 << outsider, outsider: 1 << WEB_I}
    assert truth.reach == list(TOPOLOGY.reach)


# --- data -----------------------------------------------------------------------------------------


def test_put_data_is_there_on_all_addresses_of_the_device_only(truth: WorldState) -> None:
    backup = TOPOLOGY.data_index[BACKUP]

    truth.put_data(AT[GATEWAY], backup)

    assert truth.data_on(AT[GATEWAY_2]) >> backup & 1
    assert not truth.data_on(WEB_I) >> backup & 1
    assert truth.data_on(DB_I) == TOPOLOGY.data_of[TOPOLOGY.device_of[DB_I]]
