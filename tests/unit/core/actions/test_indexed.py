from __future__ import annotations

from dataclasses import replace

import pytest

from netsecgame.core.actions.indexed import IndexedAction, index_action, log_entry
from netsecgame.core.addressing import Labels
from netsecgame.core.bits import mask_of
from netsecgame.game_components import Action, ActionType
from tests.unit.core.office import (
    CLIENTS,
    DB,
    GATEWAY_2,
    HTTP,
    LAPTOP,
    NOWHERE,
    PC,
    TABLE,
    UNKNOWN_DATA,
    UNKNOWN_SERVICE,
    WEB,
    block,
    exfiltrate,
    exploit,
    find_data,
    find_services,
    office_topology,
    scan,
)

TOPOLOGY = office_topology()
AT = TOPOLOGY.address_index


@pytest.fixture
def labels() -> Labels:
    return Labels.original(TOPOLOGY)


@pytest.mark.parametrize(
    ("action", "indexed"),
    [
        (
            scan(PC, CLIENTS),
            IndexedAction(
                ActionType.ScanNetwork,
                AT[PC],
                item=mask_of(AT[ip] for ip in (PC, LAPTOP, GATEWAY_2)),
            ),
        ),
        (find_services(PC, WEB), IndexedAction(ActionType.FindServices, AT[PC], AT[WEB])),
        (find_data(NOWHERE, WEB), IndexedAction(ActionType.FindData, -1, AT[WEB])),
        (
            exploit(PC, WEB, HTTP),
            IndexedAction(ActionType.ExploitService, AT[PC], AT[WEB], TOPOLOGY.service_index[HTTP]),
        ),
        (
            exploit(PC, NOWHERE, UNKNOWN_SERVICE),
            IndexedAction(ActionType.ExploitService, AT[PC], -1, -1),
        ),
        (
            exfiltrate(DB, WEB, TABLE),
            IndexedAction(ActionType.ExfiltrateData, AT[DB], AT[WEB], TOPOLOGY.data_index[TABLE]),
        ),
        (
            exfiltrate(DB, WEB, UNKNOWN_DATA),
            IndexedAction(ActionType.ExfiltrateData, AT[DB], AT[WEB], -1),
        ),
        (block(DB, WEB, PC), IndexedAction(ActionType.BlockIP, AT[DB], AT[WEB], AT[PC])),
        (
            block(DB, WEB, NOWHERE),
            IndexedAction(ActionType.BlockIP, AT[DB], AT[WEB], -1, outsider=NOWHERE),
        ),
    ],
    ids=str,
)
def test_index_action_of_a_game_action_gives_its_indices(
    labels: Labels, action: Action, indexed: IndexedAction
) -> None:
    entry = (
        f'{{"source_host": "{action.parameters["source_host"]}", "action_type": "{action.type}"}}'
    )
    assert index_action(action, labels) == replace(indexed, log_entry=entry)


def test_index_action_of_an_admitted_outsider_gives_its_index(labels: Labels) -> None:
    index = labels.admit_outsider(NOWHERE)

    indexed = index_action(block(DB, WEB, NOWHERE), labels)
    entry = log_entry(ActionType.BlockIP, DB)
    assert indexed == IndexedAction(ActionType.BlockIP, AT[DB], AT[WEB], index, entry)
    assert indexed.outsider is None


def test_indexed_action_has_its_source_and_what_it_acts_on_as_masks(labels: Labels) -> None:
    scanning = index_action(scan(PC, CLIENTS), labels)
    assert scanning.source_mask == mask_of([AT[PC]])
    assert scanning.targets == mask_of(AT[ip] for ip in (PC, LAPTOP, GATEWAY_2))
    stealing = index_action(exfiltrate(DB, WEB, TABLE), labels)
    assert stealing.source_mask == mask_of([AT[DB]])
    assert stealing.targets == mask_of([AT[WEB]])


def test_indexed_action_of_hosts_that_do_not_exist_has_empty_masks(labels: Labels) -> None:
    nothing = index_action(find_data(NOWHERE, NOWHERE), labels)

    assert (nothing.source_mask, nothing.targets) == (0, 0)


@pytest.mark.parametrize("missing", ["source_host", "target_host", "data"])
def test_index_action_without_a_parameter_names_it(labels: Labels, missing: str) -> None:
    whole = exfiltrate(DB, WEB, TABLE)
    parameters = {name: value for name, value in whole.parameters.items() if name != missing}

    with pytest.raises(KeyError, match=missing):
        index_action(Action(whole.type, parameters), labels)
