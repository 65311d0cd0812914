from __future__ import annotations

from random import Random

from netsecgame.core.task import DetectionRule
from netsecgame.game.global_defender import GlobalDefender
from netsecgame.game_components import IP, Action, ActionType, Network

HOST = IP("192.168.1.2")
SCAN = Action(
    ActionType.ScanNetwork,
    {"source_host": HOST, "target_network": Network("192.168.1.0", 24)},
)
ASK = Action(ActionType.FindServices, {"source_host": HOST, "target_host": HOST})
CERTAIN = {ActionType.ScanNetwork: DetectionRule(1.0, min_run=2)}


def test_stochastic_detects_about_as_often_as_the_table_says() -> None:
    defender = GlobalDefender(Random(1))

    hits = sum(defender.stochastic(ActionType.ExploitService) for _ in range(10_000))

    assert 900 < hits < 1_100
    assert not any(defender.stochastic(ActionType.JoinGame) for _ in range(100))


def test_stochastic_with_threshold_before_the_window_is_full_detects_nothing() -> None:
    defender = GlobalDefender(rules=CERTAIN)

    assert not defender.stochastic_with_threshold(SCAN, [SCAN] * 3)
    assert defender.stochastic_with_threshold(SCAN, [SCAN] * 4)
    assert defender.stochastic_with_threshold(SCAN, [SCAN], tw_size=2)


def test_stochastic_with_threshold_takes_actions_in_wire_form() -> None:
    defender = GlobalDefender(rules=CERTAIN)

    assert defender.stochastic_with_threshold(SCAN, [SCAN.as_dict] * 4)
    assert not defender.stochastic_with_threshold(SCAN, [ASK.as_dict] * 4)


def test_stochastic_with_threshold_action_without_a_rule_is_never_detected() -> None:
    assert not GlobalDefender(rules=CERTAIN).stochastic_with_threshold(ASK, [ASK] * 9)
