from __future__ import annotations

from random import Random

import msgspec
import pytest

from netsecgame.core.action_index import ActionIndex
from netsecgame.core.action_list import format_all_actions
from netsecgame.core.addressing import Labels, draw_labels
from netsecgame.core.legal_actions import list_all_actions
from netsecgame.core.scenario import Host, Interface, Scenario
from netsecgame.core.topology import compile_scenario
from netsecgame.game_components import IP, Network
from netsecgame.scenarios import SHIPPED_SCENARIOS, load_scenario

LONE = Scenario("lone", (Host("pc", (Interface(IP("10.0.0.1"), Network("10.0.0.0", 24)),)),))


@pytest.mark.parametrize("include_blocks", [True, False])
@pytest.mark.parametrize("name", SHIPPED_SCENARIOS)
def test_format_all_actions_is_the_json_of_the_list(name: str, include_blocks: bool) -> None:
    topology = compile_scenario(load_scenario(name))
    index = ActionIndex(topology, include_blocks=include_blocks)

    for labels in (Labels.original(topology), draw_labels(topology, Random(1))):
        actions = list_all_actions(labels, include_blocks=include_blocks)
        expected = msgspec.json.encode([action.as_dict for action in actions])
        assert format_all_actions(index, labels).encode() == expected


def test_format_all_actions_without_services_leaves_no_gap() -> None:
    topology = compile_scenario(LONE)
    labels = Labels.original(topology)

    listed = msgspec.json.decode(format_all_actions(ActionIndex(topology), labels))

    assert listed == [action.as_dict for action in list_all_actions(labels)]
