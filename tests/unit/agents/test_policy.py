from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netsecgame import IP, Action, ActionType, AgentRole, GameState, GameStatus
from netsecgame.agents.episodic_agent import EpisodicAgent
from netsecgame.agents.policy import IDLE, Policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.agents.conftest import Peer

STATE = GameState(controlled_hosts={IP(f"192.168.1.{i}") for i in range(2, 250)})


class Wanderer(Policy):
    """Looks at any host it controls."""

    plays_as = AgentRole.Benign

    def choose_action(self, state: GameState) -> Action:
        host = self.rng.choice(sorted(state.controlled_hosts)) if state.controlled_hosts else None
        if host is None:
            return IDLE
        return Action(ActionType.FindData, {"target_host": host, "source_host": host})


class WandererAgent(Wanderer, EpisodicAgent):
    """The same, connected."""


def test_policy_without_choice_raises() -> None:
    with pytest.raises(NotImplementedError):
        Policy().choose_action(STATE)


def test_policy_same_seed_chooses_the_same() -> None:
    first, second, other = (
        [policy.choose_action(STATE) for _ in range(5)]
        for policy in (Wanderer(1), Wanderer(1), Wanderer(2))
    )
    assert first == second != other


def test_policy_without_seed_draws_one() -> None:
    assert Wanderer().rng.random() != Wanderer().rng.random()


def test_agent_of_a_policy_chooses_as_the_policy(
    new_peer: Callable[..., Peer], reply: Callable[..., bytes]
) -> None:
    peer = new_peer(reply(GameStatus.CREATED, message={"goal": {}}), reply(GameStatus.OK, end=True))
    with WandererAgent("127.0.0.1", peer.port, 3) as agent:
        assert agent.role is AgentRole.Benign
        assert [agent.choose_action(STATE) for _ in range(5)] == [
            policy.choose_action(STATE) for policy in [Wanderer(3)] for _ in range(5)
        ]
        (report,) = agent.play(1)

    assert report.steps == 1
    assert [request["action_type"] for request in peer.requests] == [
        "ActionType.JoinGame",
        "ActionType.FindData",
    ]
    assert peer.requests[0]["parameters"]["agent_info"]["name"] == "WandererAgent"
