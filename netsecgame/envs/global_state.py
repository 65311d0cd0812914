"""The truth of a game as numbers, for critics that may look behind the scenes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netsecgame.core.bits import iter_bits
from netsecgame.core.topology import LOG
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from netsecgame.envs.rounds import Rounds


class GlobalState:
    """What is true in a game, whoever knows it.

    It has, for each agent, the share of its step limit that is used, whether it has ended, and the
    hosts it controls; for each host the data on it, without its log; and if anybody may block, for
    each pair of hosts whether a block cuts them off from each other. Hosts and data are in the
    order of the action index.

    Attributes:
        size: How many numbers that are, each from 0 to 1.
    """

    def __init__(self, rounds: Rounds) -> None:
        self._rounds = rounds
        index = rounds.game.full_index
        self._index = index
        hosts = len(index.addresses)
        self._data = [datum for datum in index.data if datum != LOG]
        self._data_place = {datum: place for place, datum in enumerate(self._data)}
        self._pairs = _number_pairs(hosts) if _can_block(rounds) else {}
        self._first_datum = len(rounds.seats) * (2 + hosts)
        self._first_pair = self._first_datum + hosts * len(self._data)
        self.size = self._first_pair + len(self._pairs)

    def observe(self) -> NDArray[np.float32]:
        """The numbers as they are now, (size,) float32."""
        state = np.zeros(self.size, np.float32)
        state[list(self._set_places())] = 1
        per_agent = 2 + len(self._index.addresses)
        for place, seat in enumerate(self._rounds.seats):
            state[place * per_agent] = self._rounds.share_of_steps(seat.agent)
        return state

    @property
    def feature_names(self) -> Sequence[str]:
        """What each number says, under the addresses of the scenario."""
        return list(self._names())

    def _set_places(self) -> Iterator[int]:
        rounds, ranks = self._rounds, self._index.address_ranks
        per_agent = 2 + len(ranks)
        for place, seat in enumerate(rounds.seats):
            first = place * per_agent
            if not rounds.world.player(seat.agent).is_playing:
                yield first + 1
            for address in iter_bits(rounds.state(seat.agent).knowledge.controlled):
                yield first + 2 + ranks[address]
        truth = rounds.world.dynamics.truth
        for address, rank in enumerate(ranks):
            first = self._first_datum + rank * len(self._data)
            for datum in iter_bits(truth.data_on(address) & ~(1 << LOG)):
                yield first + self._data_place[datum]
        if self._pairs:
            yield from self._blocked_pairs(truth.blocked.items())

    def _blocked_pairs(self, blocked: Iterable[tuple[int, int]]) -> Iterator[int]:
        ranks = self._index.address_ranks
        existing = (1 << len(ranks)) - 1  # outsiders are no hosts of the game
        for address, mask in blocked:
            if existing >> address & 1:
                for other in iter_bits(mask & existing):
                    one, two = sorted((ranks[address], ranks[other]))
                    yield self._first_pair + self._pairs[one, two]

    def _names(self) -> Iterator[str]:
        index = self._index
        topology = index.topology
        hosts = [str(topology.addresses[address]) for address in index.addresses]
        data = [f"{datum.owner} {datum.id}" for datum in map(topology.data.__getitem__, self._data)]
        for seat in self._rounds.seats:
            yield f"share_of_steps {seat.agent}"
            yield f"has_ended {seat.agent}"
            yield from (f"controlled_hosts {seat.agent} {host}" for host in hosts)
        yield from (f"data {host} {datum}" for host in hosts for datum in data)
        yield from (f"block {hosts[one]} {hosts[other]}" for one, other in self._pairs)


def _can_block(rounds: Rounds) -> bool:
    # Attackers that are opponents play any action, not only those that have a number.
    return any(seat.role is AgentRole.Defender or seat.opponent for seat in rounds.seats)


def _number_pairs(count: int) -> dict[tuple[int, int], int]:
    pairs = ((one, other) for one in range(count) for other in range(one + 1, count))
    return {pair: number for number, pair in enumerate(pairs)}
