"""The defenders of the batched world as plain objects: what the kernels are compared with.

A defender is asked once after each action of the attacker, while the attacker still plays, and
answers with the number of an action of an index that has BlockIP, or with None when there is
nothing it could do; then it spends no step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from netsecgame.core.bits import iter_bits
from netsecgame.core.legal_actions import legal_numbers
from netsecgame.core.logs import log_data
from netsecgame.game_components import IP, Action, ActionType

if TYPE_CHECKING:
    from netsecgame.core.action_index import ActionIndex
    from netsecgame.core.knowledge import KnownState
    from netsecgame.core.rng import StreamRandom


class RandomDefender:
    """Plays any legal action, BlockIP included; all are equally likely."""

    def __init__(self, index: ActionIndex, rng: StreamRandom) -> None:
        self._index = index
        self._rng = rng

    def begin(self) -> None:
        """A new episode begins."""

    def act(self, state: KnownState) -> int | None:
        """The number of an action."""
        numbers = legal_numbers(self._index, state.knowledge)
        return numbers[self._rng.below(len(numbers))] if numbers else None


class ScriptedDefender:
    """Reads the logs of its hosts in turn, and cuts off whoever acted on one from outside.

    It goes through its hosts in the order of the index, one FindData on each. If the log then has
    entries of another device, its next action blocks the newest one's source there, unless it is
    known to be blocked.
    """

    def __init__(self, index: ActionIndex) -> None:
        self._index = index
        self.begin()

    def begin(self) -> None:
        """A new episode begins."""
        self._searched = -1  # rank
        self._before: KnownState | None = None

    def act(self, state: KnownState) -> int | None:
        """The number of an action."""
        suspect = self._find_suspect(state)
        self._before = None
        if suspect >= 0:
            host = self._index.addresses[self._searched]
            return self._number(
                state, ActionType.BlockIP, host, blocked_host=state.labels.addresses[suspect]
            )
        count = len(self._index.addresses)
        for ahead in range(1, count + 1):
            rank = (self._searched + ahead) % count
            host = self._index.addresses[rank]
            if state.knowledge.controls(host):
                self._searched = rank
                self._before = state
                return self._number(state, ActionType.FindData, host)
        return None

    def _find_suspect(self, state: KnownState) -> int:
        """The address that acted last on the host searched last; -1 for none."""
        if self._before is None or state is self._before:  # it did not search, or in vain
            return -1
        host = self._index.addresses[self._searched]
        log = log_data(state.knowledge.logs[host]).content
        device_of = state.labels.topology.device_of
        for entry in reversed(msgspec.json.decode(log)):
            source = state.labels.find_address(IP(entry["source_host"]))
            if device_of[source] != device_of[host]:
                blocked = state.knowledge.blocks.get(host, 0)
                return -1 if source in iter_bits(blocked) else source
        return -1

    def _number(self, state: KnownState, kind: ActionType, host: int, **more: IP) -> int:
        ip = state.labels.addresses[host]
        action = Action(kind, {"source_host": ip, "target_host": ip, **more})
        return self._index.find(action, state.labels)
