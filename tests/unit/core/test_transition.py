from __future__ import annotations

import pytest

from netsecgame.core.actions.indexed import index_action
from netsecgame.core.addressing import Labels
from netsecgame.core.knowledge import knowledge_of
from netsecgame.core.task import GAME_ACTIONS
from netsecgame.core.transition import RULES, apply_action
from netsecgame.core.world_state import WorldState
from netsecgame.game_components import Action
from tests.unit.core.office import (
    DB,
    HTTP,
    NOWHERE,
    PC,
    SERVERS,
    TABLE,
    WEB,
    block,
    exfiltrate,
    exploit,
    find_data,
    find_services,
    office_topology,
    scan,
    view,
)

#: Each works when both hosts are controlled.
WORKING = [
    scan(DB, SERVERS),
    find_services(DB, WEB),
    find_data(DB, WEB),
    exploit(DB, PC, HTTP),
    exfiltrate(DB, WEB, TABLE),
    block(DB, WEB, PC),
]


def test_rules_are_there_for_exactly_the_game_actions() -> None:
    assert set(RULES) == set(GAME_ACTIONS)


@pytest.mark.parametrize("action", WORKING, ids=lambda action: str(action.type))
def test_apply_action_from_a_source_that_is_not_controlled_changes_nothing(action: Action) -> None:
    topology = office_topology(use_firewall=False)
    labels = Labels.original(topology)
    truth = WorldState(topology, labels)
    known = knowledge_of(view(WEB, PC, known_data={DB: {TABLE}}), labels)

    assert apply_action(truth, known, index_action(action, labels), "agent") is known
    assert apply_action(truth, known, index_action(_from(NOWHERE, action), labels), "a") is known
    assert truth.data == list(topology.data_of)
    assert truth.blocked == {}
    assert all(not truth.read_log(i).content for i in range(len(topology.addresses)))


def _from(source: object, action: Action) -> Action:
    return Action(action.type, {**action.parameters, "source_host": source})
