"""Final rewards: what an agent gets on top of its last step's reward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.game_components import AgentRole, AgentStatus

if TYPE_CHECKING:
    from netsecgame.core.task import Rewards


def final_status(role: AgentRole, status: AgentStatus, *, attack_succeeded: bool) -> AgentStatus:
    """The status an agent ends an episode with.

    A defender has won if no attacker did, whatever it was doing; a benign agent neither wins nor
    loses, it runs out of time.
    """
    if role is AgentRole.Defender:
        return AgentStatus.Fail if attack_succeeded else AgentStatus.Success
    if role is AgentRole.Benign and is_playing(status):
        return AgentStatus.TimeoutReached
    return status


def final_reward(
    role: AgentRole, status: AgentStatus, false_positives: int, rewards: Rewards
) -> float:
    """The reward added to that of the last step, from the final status of an agent."""
    if role is AgentRole.Benign:
        return 0
    reward = rewards.success if status is AgentStatus.Success else rewards.fail
    if role is AgentRole.Defender:
        reward += false_positives * rewards.false_positive
    return reward


def playing_status(max_steps: int | None) -> AgentStatus:
    """The status of an agent that plays with such a step limit; None is no limit."""
    return AgentStatus.Playing if max_steps is None else AgentStatus.PlayingWithTimeout


def is_playing(status: AgentStatus) -> bool:
    """Whether an agent with this status may act."""
    return status is AgentStatus.Playing or status is AgentStatus.PlayingWithTimeout
