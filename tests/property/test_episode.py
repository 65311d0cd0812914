"""Whoever joins, acts, leaves or asks for resets: everybody is told the end and paid once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from netsecgame.core.episode import Episode
from netsecgame.core.goal import Goal
from netsecgame.core.reward import final_reward
from netsecgame.core.task import Rewards
from netsecgame.game_components import (
    IP,
    Action,
    ActionType,
    AgentRole,
    AgentStatus,
    GameState,
    Network,
)

if TYPE_CHECKING:
    from random import Random

    from netsecgame.core.episode import AgentId

HOST = IP("10.0.0.1")
SCAN = Action(
    ActionType.ScanNetwork, {"source_host": HOST, "target_network": Network("10.0.0.0", 8)}
)
NOTHING, WON = GameState(), GameState(controlled_hosts={HOST})
REWARDS = Rewards(success=100, step=-1, fail=-10, false_positive=-5)

picks = st.integers(0, 9)


class EpisodeMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.episode = Episode(REWARDS)
        self.settled: list[AgentId] = []
        self.joined = 0
        self.has_had_attackers = False

    def pick(self, number: int) -> AgentId:
        names = list(self.episode.players)
        return names[number % len(names)]

    @rule(role=st.sampled_from(AgentRole), max_steps=st.one_of(st.none(), st.integers(1, 3)))
    def join(self, role: AgentRole, max_steps: int | None) -> None:
        self.joined += 1
        goal = Goal(NOTHING if role is AgentRole.Benign else WON)
        self.episode.join(self.joined, role, NOTHING, goal, max_steps)
        self.has_had_attackers |= role is AgentRole.Attacker

    @precondition(lambda self: self.episode.players)
    @rule(number=picks, wins=st.booleans())
    def act(self, number: int, wins: bool) -> None:
        name = self.pick(number)
        if self.episode.player(name).is_playing:
            self.settled += self.episode.step(name, SCAN, WON if wins else NOTHING)

    @precondition(lambda self: self.episode.players)
    @rule(number=picks)
    def blame(self, number: int) -> None:
        name = self.pick(number)
        if not self.episode.player(name).is_settled:
            self.episode.add_false_positive(name)

    @precondition(lambda self: self.episode.players)
    @rule(number=picks)
    def leave(self, number: int) -> None:
        name = self.pick(number)
        self.settled += self.episode.leave(name)
        assert name not in self.episode.players

    @precondition(lambda self: self.episode.players)
    @rule(number=picks)
    def request_reset(self, number: int) -> None:
        self.settled += self.episode.request_reset(self.pick(number))

    @rule(order=st.randoms(use_true_random=False))
    def withdraw_resets(self, order: Random) -> None:
        names = list(self.episode.players)
        order.shuffle(names)
        for name in names:
            self.episode.withdraw_reset(name)
        assert all(
            p.status is not AgentStatus.ResetRequested for p in self.episode.players.values()
        )

    @rule()
    def restart(self) -> None:
        self.episode.restart()
        self.settled.clear()
        self.has_had_attackers = False

    @invariant()
    def it_is_over_when_no_attacker_plays_any_more(self) -> None:
        attackers = [p for p in self.episode.players.values() if p.role is AgentRole.Attacker]
        if any(player.is_playing for player in attackers):
            assert not self.episode.is_over
        elif self.has_had_attackers:
            assert self.episode.is_over

    @invariant()
    def those_who_have_ended_are_settled_once_it_is_over(self) -> None:
        for player in self.episode.players.values():
            if player.is_settled:
                assert not player.is_playing
            elif self.episode.is_over and not player.is_playing:
                assert player.status is AgentStatus.ResetRequested

    @invariant()
    def everybody_is_reported_once(self) -> None:
        assert len(set(self.settled)) == len(self.settled)
        for name, player in self.episode.players.items():
            assert player.is_settled == (name in self.settled)

    @invariant()
    def everybody_is_paid_once(self) -> None:
        for player in self.episode.players.values():
            extra = (
                final_reward(player.role, player.status, player.false_positives, REWARDS)
                if player.is_settled
                else 0
            )
            assert sum(player.trajectory.rewards) == player.steps * REWARDS.step + extra
            assert len(player.trajectory) == player.steps


TestEpisode = EpisodeMachine.TestCase
TestEpisode.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, derandomize=True
)
