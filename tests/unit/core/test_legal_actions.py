from __future__ import annotations

from collections import Counter
from random import Random

from netsecgame.core.addressing import Labels, draw_labels
from netsecgame.core.legal_actions import list_all_actions
from netsecgame.game_components import Action, ActionType
from tests.unit.core.office import (
    ABOVE,
    BASH,
    DB,
    EVERYWHERE,
    HTTP,
    LOG,
    NOWHERE,
    OUTSIDE,
    PC,
    TABLE,
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
LABELS = Labels.original(TOPOLOGY)


def test_list_all_actions_counts_every_combination() -> None:
    actions = list_all_actions(LABELS)

    addresses, networks, data = len(EVERYWHERE), 5, 5
    services = 3 + 2 + 2 + 1 + 1  # of web, db, pc, laptop and outside
    assert Counter(action.type for action in actions) == {
        ActionType.ScanNetwork: addresses * networks,
        ActionType.FindServices: addresses**2,
        ActionType.FindData: addresses**2,
        ActionType.ExploitService: addresses * services,
        ActionType.ExfiltrateData: addresses**2 * data,
        ActionType.BlockIP: addresses**3,
    }
    assert len(set(actions)) == len(actions)


def test_list_all_actions_has_what_exists_and_nothing_else() -> None:
    actions = set(list_all_actions(LABELS))

    assert actions >= {
        scan(OUTSIDE, ABOVE),
        find_services(WEB, WEB),
        find_data(PC, DB),
        exploit(PC, WEB, HTTP),
        exploit(OUTSIDE, DB, BASH),
        exfiltrate(WEB, PC, TABLE),
        exfiltrate(WEB, PC, LOG),
        block(PC, WEB, DB),
    }
    assert exploit(PC, DB, HTTP) not in actions


def test_list_all_actions_is_sorted_by_wire_form() -> None:
    wire = [action.to_json() for action in list_all_actions(LABELS)]

    assert wire == sorted(wire)
    assert [Action.from_json(text).to_json() for text in wire] == wire


def test_list_all_actions_without_blocks_has_all_the_others() -> None:
    everything = list_all_actions(LABELS)

    assert list_all_actions(LABELS, include_blocks=False) == [
        action for action in everything if action.type is not ActionType.BlockIP
    ]


def test_list_all_actions_leaves_outsiders_out_and_follows_the_labels() -> None:
    labels = draw_labels(TOPOLOGY, Random(1))
    labels.admit_outsider(NOWHERE)

    actions = list_all_actions(labels)

    assert len(actions) == len(list_all_actions(LABELS))
    named = {action.parameters["source_host"] for action in actions}
    assert named == set(labels.addresses[: len(EVERYWHERE)])
