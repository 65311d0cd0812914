"""The lobby counts as agents come, ask and go; its answers are those of counting all anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from netsecgame.game.lobby import Lobby, ResetRequest
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from collections.abc import Mapping

agents = st.integers(0, 5)
required_players = st.one_of(
    st.integers(1, 4), st.dictionaries(st.sampled_from(AgentRole), st.integers(0, 2))
)
requests = st.builds(
    ResetRequest, seed=st.sampled_from([None, 0, 1, 2]), randomize_topology=st.booleans()
)


class LobbyMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.required: int | Mapping[AgentRole, int] = 1
        self.lobby: Lobby[int] = Lobby()
        self.has_started = False

    @initialize(required=required_players)
    def open(self, required: int | Mapping[AgentRole, int]) -> None:
        self.required, self.lobby = required, Lobby(required)

    def has_quorum(self) -> bool:
        roles = list(self.lobby.members.values())
        if AgentRole.Attacker not in roles:
            return False
        if isinstance(self.required, int):
            return len(roles) >= self.required
        return all(roles.count(role) >= count for role, count in self.required.items())

    @rule(agent=agents, role=st.sampled_from(AgentRole))
    def join(self, agent: int, role: AgentRole) -> None:
        if agent not in self.lobby.members:
            self.lobby.join(agent, role)
            self.has_started = self.has_started or self.has_quorum()

    @rule(agent=agents)
    def leave(self, agent: int) -> None:
        self.lobby.leave(agent)
        assert agent not in self.lobby.requests
        self.has_started = self.has_started and bool(self.lobby.members)

    @precondition(lambda self: self.lobby.members)
    @rule(agent=agents, request=requests)
    def ask(self, agent: int, request: ResetRequest) -> None:
        if agent in self.lobby.members:
            self.lobby.request_reset(agent, request)
            assert self.lobby.requests[agent] is request

    @rule()
    def refuse(self) -> None:
        askers = list(self.lobby.requests)
        assert self.lobby.drop_requests() == askers
        assert self.lobby.requests == {}

    @rule()
    def grant(self) -> None:
        self.lobby.start_anew()
        assert self.lobby.requests == {}
        self.has_started = self.has_quorum()

    @invariant()
    def it_starts_with_enough_players(self) -> None:
        assert self.lobby.has_quorum() is self.has_quorum()
        assert self.lobby.has_started is self.has_started

    @invariant()
    def it_finds_every_conflict(self) -> None:
        seeded = [r for r in self.lobby.requests.values() if r.seed is not None]
        conflict = self.lobby.find_conflict()
        seeds = {request.seed for request in seeded}
        if len(seeds) > 1:
            assert conflict is not None
            assert {int(seed) for seed in conflict.partition(": ")[2].split(", ")} == seeds
        elif len({request.randomize_topology for request in seeded}) > 1:
            assert conflict == "agents gave one seed but disagree on randomize_topology"
        else:
            assert conflict is None


TestLobby = LobbyMachine.TestCase
TestLobby.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, derandomize=True
)
