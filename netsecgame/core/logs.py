"""The logs of all devices of one episode: written with every action, seldom read.

Writing is one append, however many devices a scan has found, and what was read is put into words
only when somebody looks at it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from netsecgame.core.bits import iter_bits
from netsecgame.core.topology import LOG_DATA
from netsecgame.game_components import Data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netsecgame.core.topology import Topology

#: Log entries kept on a device; older ones are dropped.
MAX_LOG_ENTRIES = 1_000

#: Entries that wait to be filed under their devices.
_MAX_WAITING = 256


class Log:
    """What the log of one device said at one moment.

    Later entries do not change it: the lists it looks into only grow, and it knows their length.
    """

    __slots__ = ("_filed", "_filed_count", "_own", "_waiting", "_waiting_count")

    def __init__(
        self, filed: Sequence[str], waiting: Sequence[tuple[int, str]], own_addresses: int
    ) -> None:
        self._filed = filed
        self._filed_count = len(filed)
        self._waiting = waiting
        self._waiting_count = len(waiting)
        self._own = own_addresses

    @property
    def data(self) -> Data:
        """The log as a datum, its newest 1,000 entries as JSON in its content."""
        content = self.content
        if not content:
            return LOG_DATA
        return Data(LOG_DATA.owner, LOG_DATA.id, len(content), LOG_DATA.type, content)

    @property
    def content(self) -> str:
        """The entries as a JSON list; nothing at all if there are none."""
        own = self._own
        entries = list(self._filed[max(0, self._filed_count - MAX_LOG_ENTRIES) : self._filed_count])
        for addresses, entry in self._waiting[: self._waiting_count]:
            if addresses & own:  # one entry for each address of the device that was acted on
                entries += [entry] * (addresses & own).bit_count()
        return f"[{', '.join(entries[-MAX_LOG_ENTRIES:])}]" if entries else ""


#: A log that an agent knows: one it has read, or one its start position gave it.
KnownLog: TypeAlias = Log | Data


def log_data(log: KnownLog) -> Data:
    """A known log as a datum."""
    return log if isinstance(log, Data) else log.data


class LogBook:
    """The logs of all devices."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._filed: dict[int, list[str]] = {}
        self._waiting: list[tuple[int, str]] = []

    def write(self, addresses: int, entry: str) -> None:
        """Note an entry on the devices of some addresses (a mask), once for each address."""
        waiting = self._waiting
        waiting.append((addresses, entry))
        if len(waiting) > _MAX_WAITING:
            self._file()

    def read(self, device: int) -> Log:
        """The log of a device as it is now."""
        return Log(self._filed.get(device, ()), self._waiting, self._topology.device_masks[device])

    def _file(self) -> None:
        device_of = self._topology.device_of
        for addresses, entry in self._waiting:
            for address in iter_bits(addresses):
                entries = self._filed.setdefault(device_of[address], [])
                if len(entries) >= 2 * MAX_LOG_ENTRIES:  # old logs go on looking into the old list
                    entries = self._filed[device_of[address]] = entries[-MAX_LOG_ENTRIES:]
                entries.append(entry)
        self._waiting = []
