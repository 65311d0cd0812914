from __future__ import annotations

import pytest

from netsecgame.core.reward import final_reward, final_status, is_playing
from netsecgame.core.task import Rewards
from netsecgame.game_components import AgentRole, AgentStatus
from tests.unit.core.office import ATTACKER, BENIGN, DEFENDER

PLAYING, WITH_TIMEOUT = AgentStatus.Playing, AgentStatus.PlayingWithTimeout
SUCCESS, FAIL, TIMEOUT = AgentStatus.Success, AgentStatus.Fail, AgentStatus.TimeoutReached

REWARDS = Rewards(success=50, step=-1, fail=-20, false_positive=-3)


@pytest.mark.parametrize(
    ("role", "status", "attack_succeeded", "final"),
    [
        (ATTACKER, SUCCESS, True, SUCCESS),
        (ATTACKER, FAIL, True, FAIL),  # another attacker did
        (ATTACKER, TIMEOUT, False, TIMEOUT),
        (DEFENDER, PLAYING, False, SUCCESS),
        (DEFENDER, WITH_TIMEOUT, True, FAIL),
        (DEFENDER, SUCCESS, True, FAIL),
        (DEFENDER, TIMEOUT, False, SUCCESS),
        (DEFENDER, TIMEOUT, True, FAIL),
        (BENIGN, PLAYING, False, TIMEOUT),
        (BENIGN, WITH_TIMEOUT, True, TIMEOUT),
        (BENIGN, SUCCESS, True, SUCCESS),
    ],
)
def test_final_status_of_a_role_follows_its_play_and_the_attack(
    role: AgentRole, status: AgentStatus, attack_succeeded: bool, final: AgentStatus
) -> None:
    assert final_status(role, status, attack_succeeded=attack_succeeded) is final


@pytest.mark.parametrize(
    ("role", "status", "false_positives", "reward"),
    [
        (ATTACKER, SUCCESS, 0, 50),
        (ATTACKER, FAIL, 0, -20),
        (ATTACKER, TIMEOUT, 0, -20),
        (ATTACKER, SUCCESS, 4, 50),
        (DEFENDER, SUCCESS, 0, 50),
        (DEFENDER, FAIL, 0, -20),
        (DEFENDER, SUCCESS, 2, 44),
        (DEFENDER, FAIL, 2, -26),
        (BENIGN, SUCCESS, 3, 0),
        (BENIGN, TIMEOUT, 0, 0),
    ],
)
def test_final_reward_of_a_role_follows_its_final_status(
    role: AgentRole, status: AgentStatus, false_positives: int, reward: float
) -> None:
    assert final_reward(role, status, false_positives, REWARDS) == reward


def test_is_playing_is_true_for_the_two_playing_statuses_only() -> None:
    assert [status for status in AgentStatus if is_playing(status)] == [PLAYING, WITH_TIMEOUT]
