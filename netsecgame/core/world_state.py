"""The truth of one episode: where data lie, who is blocked from whom, what was logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.core.logs import LogBook

if TYPE_CHECKING:
    from collections.abc import Hashable

    from netsecgame.core.addressing import Labels
    from netsecgame.core.logs import Log
    from netsecgame.core.topology import Topology


class WorldState:
    """What is true in one episode, whatever anybody knows.

    Attributes:
        topology: The compiled scenario.
        labels: The addresses of this episode.
        reach: Mask of the addresses that each address may connect to now.
        data: Mask of data, per device.
        blocked: Mask of the addresses blocked on an address, set by any agent.
        blockers: The agents that blocked a pair of addresses, in order; the lower index comes
            first.
        logs: What was noted on every device.
        refused: The pairs of addresses that a block kept from connecting since `take_blamed`.
    """

    def __init__(self, topology: Topology, labels: Labels) -> None:
        self.topology = topology
        self.labels = labels
        self.reach = list(topology.reach)
        self.data = list(topology.data_of)
        self.blocked: dict[int, int] = {}
        self.blockers: dict[tuple[int, int], list[Hashable]] = {}
        self.logs = LogBook(topology)
        self.refused: list[tuple[int, int]] = []

    def connect(self, source: int, targets: int) -> int:
        """Mask of the `targets` that `source` reaches; refusals because of blocks are kept."""
        if self.blocked:
            denied = targets & ~self.reach[source] & self.blocked.get(source, 0)
            while denied:
                lowest = denied & -denied
                self.refused.append((source, lowest.bit_length() - 1))
                denied ^= lowest
        return self.reach[source] & targets

    def take_blamed(self) -> list[Hashable]:
        """The agents whose blocks refused a connection since the last call, one entry a refusal."""
        if not self.refused:
            return []
        denied, self.refused = self.refused, []
        return [agent for pair in denied for agent in self.blockers.get(_ordered(*pair), ())]

    def block(self, target: int, blocked: int, agent: Hashable) -> None:
        """Cut a pair of addresses off from each other, both ways."""
        self.blocked[target] = self.blocked.get(target, 0) | 1 << blocked
        self.blocked[blocked] = self.blocked.get(blocked, 0) | 1 << target
        for one, other in ((target, blocked), (blocked, target)):
            if one < len(self.reach):
                self.reach[one] &= ~(1 << other)
        agents = self.blockers.setdefault(_ordered(target, blocked), [])
        if agent not in agents:
            agents.append(agent)

    def read_log(self, address: int) -> Log:
        """The log of the device of `address`, as it is now."""
        return self.logs.read(self.topology.device_of[address])

    def data_on(self, address: int) -> int:
        """Mask of the data that the device of `address` holds."""
        return self.data[self.topology.device_of[address]]

    def put_data(self, address: int, datum: int) -> None:
        """Put a datum on the device of `address`."""
        self.data[self.topology.device_of[address]] |= 1 << datum


def _ordered(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one < other else (other, one)
