"""Who is in the game, whether it can start, and who has asked for a new episode.

Pure bookkeeping without I/O: the coordinator asks it and does the waiting and answering.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from netsecgame.errors import AlreadyRegisteredError, NotRegisteredError
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from collections.abc import Mapping

AgentT = TypeVar("AgentT", bound=Hashable)
CountedT = TypeVar("CountedT", bound=Hashable)


@dataclass(frozen=True, slots=True)
class ResetRequest:
    """What one agent asked for with its reset.

    Attributes:
        seed: Re-seeds every random choice; None if the agent gave none.
        randomize_topology: Whether addresses should be drawn anew.
        wants_trajectory: Whether its reply is to carry the trajectory of the episode that ends.
    """

    seed: int | None = None
    randomize_topology: bool = False
    wants_trajectory: bool = False


@dataclass(frozen=True, slots=True)
class ResetDecision:
    """What all agents agreed on.

    Attributes:
        seed: The one seed that was given, or None.
        randomize_topology: Whether every agent asked for new addresses and a seed was given.
    """

    seed: int | None
    randomize_topology: bool


class Lobby(Generic[AgentT]):
    """The agents that have joined, in the order they did, and their reset requests.

    What is asked after every message is counted as agents come, ask and go, so that the answer
    takes as long with a thousand agents as with one.

    Attributes:
        members: Role of every agent that has joined; not to be changed from outside.
        requests: Reset request of every agent that has asked and was not answered yet; likewise.
        has_started: Whether the game has started since it was last empty or reset.
    """

    def __init__(self, required: int | Mapping[AgentRole, int] = 1) -> None:
        """Set up an empty lobby.

        Args:
            required: How many agents must be there before the game starts: a number of any role, or
                one for each role. An attacker is needed in any case.
        """
        self._required = required
        self.members: dict[AgentT, AgentRole] = {}
        self.requests: dict[AgentT, ResetRequest] = {}
        self._roles: Counter[AgentRole] = Counter()  # of the members
        self._seeds: Counter[int] = Counter()  # of the requests that have one
        self._flags: Counter[bool] = Counter()  # randomize_topology of those requests
        self.has_started = False

    def join(self, agent: AgentT, role: AgentRole) -> None:
        """Let an agent in.

        Raises:
            AlreadyRegisteredError: If it is in already.
        """
        if agent in self.members:
            raise AlreadyRegisteredError(f"agent {agent} has joined already")
        self.members[agent] = role
        self._roles[role] += 1
        self.has_started = self.has_started or self.has_quorum()

    def leave(self, agent: AgentT) -> None:
        """Let an agent out, if it is in; it is waited for no longer."""
        role = self.members.pop(agent, None)
        if role is None:
            return
        self._roles[role] -= 1
        self._drop_request(agent)
        if not self.members:
            self.has_started = False

    def has_quorum(self) -> bool:
        """Whether the required players are there, and an attacker among them."""
        if not self._roles[AgentRole.Attacker]:
            return False
        if isinstance(self._required, int):
            return len(self.members) >= self._required
        return all(self._roles[role] >= count for role, count in self._required.items())

    def request_reset(self, agent: AgentT, request: ResetRequest) -> None:
        """Note that an agent wants a new episode.

        Raises:
            NotRegisteredError: If it is not in.
        """
        if agent not in self.members:
            raise NotRegisteredError(f"agent {agent} has not joined")
        self._drop_request(agent)
        self.requests[agent] = request
        if request.seed is not None:
            self._seeds[request.seed] += 1
            self._flags[request.randomize_topology] += 1

    def find_conflict(self) -> str | None:
        """Why the requests so far cannot all be granted; None if they can."""
        if len(self._seeds) > 1:
            return f"agents asked for different seeds: {', '.join(map(str, self._seeds))}"
        if len(self._flags) > 1:
            return "agents gave one seed but disagree on randomize_topology"
        return None

    def is_unanimous(self) -> bool:
        """Whether everybody who is in has asked for a reset."""
        return bool(self.members) and len(self.requests) == len(self.members)

    def decide(self) -> ResetDecision:
        """What the agents that have asked agree on."""
        requests = self.requests.values()
        seed = next((request.seed for request in requests if request.seed is not None), None)
        randomize = seed is not None and all(request.randomize_topology for request in requests)
        return ResetDecision(seed, randomize)

    def start_anew(self) -> None:
        """The requests are granted: the game starts, or waits until enough players are there."""
        self.drop_requests()
        self.has_started = self.has_quorum()

    def drop_requests(self) -> list[AgentT]:
        """Forget all requests; returns who had asked."""
        askers = list(self.requests)
        self.requests = {}
        self._seeds.clear()
        self._flags.clear()
        return askers

    def _drop_request(self, agent: AgentT) -> None:
        request = self.requests.pop(agent, None)
        if request is not None and request.seed is not None:
            _take_one(self._seeds, request.seed)
            _take_one(self._flags, request.randomize_topology)


def _take_one(counts: Counter[CountedT], key: CountedT) -> None:
    """Count one less; what is counted no more is not in it."""
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
