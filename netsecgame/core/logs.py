"""The logs of all devices of one episode: written with every action, seldom read.

Writing is one append, however many devices a scan has found. Entries are filed under a device when
somebody looks at its log, and put into words then; what was put into words stays so.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from netsecgame.core.topology import LOG_DATA
from netsecgame.game_components import Data, escape_end_marker

if TYPE_CHECKING:
    from netsecgame.core.topology import Topology

#: Log entries kept on a device; older ones are dropped.
MAX_LOG_ENTRIES = 1_000

#: Entries that wait to be filed under all their devices; then one is with each that comes.
_MAX_WAITING = 4_096

_SEPARATOR = ", "

_encode = msgspec.json.encode

# The JSON of a log with its size and its text left out.
_EMPTY_JSON = _encode(LOG_DATA)
_BEFORE_SIZE, _rest = _EMPTY_JSON.split(b"0")
_BEFORE_TEXT, _AFTER_TEXT = _rest[:-2] + b"[", b"]" + _rest[-2:]


class _Tape:
    """What was written lately, on whatever device.

    Attributes:
        entries: The addresses that were acted on, as a mask, and what they note.
        first: How many entries there were before these.
    """

    __slots__ = ("entries", "first")

    def __init__(self) -> None:
        self.entries: list[tuple[int, str]] = []
        self.first = 0


class _DeviceLog:
    """The entries of one device; only grows.

    Args:
        own: Mask of the addresses of the device.
        tape: Where its entries come from; nothing before what is on it now is seen.
    """

    __slots__ = ("_ends", "_entries", "_filed", "_json", "_own", "_places", "_tape", "_text_ends")

    def __init__(self, own: int, tape: _Tape) -> None:
        self._own = own
        self._tape = tape
        self._filed = tape.first  # place on the tape of the next entry to look at
        self._entries: list[str] = []
        self._places: list[int] = []  # of the entries on the tape
        # In words: the JSON of a text that has all entries, each with a separator behind it, and
        # where in it, and in the text itself, each entry ends.
        self._json = bytearray()
        self._ends = [0]
        self._text_ends = [0]

    @property
    def is_full(self) -> bool:
        """Whether it has far more entries than it may show."""
        return len(self._entries) >= 2 * MAX_LOG_ENTRIES

    def file(self) -> None:
        """Take over what is on the tape."""
        tape, own = self._tape, self._own
        begin = max(self._filed, tape.first)
        for place, (addresses, entry) in enumerate(tape.entries[begin - tape.first :], begin):
            if addresses & own:
                self.add(place, addresses & own, entry)
        self._filed = tape.first + len(tape.entries)

    def add(self, place: int, addresses: int, entry: str) -> None:
        """Take over an entry of the tape: once for each address of the device it is about.

        Nothing happens if that was done already.
        """
        if place >= self._filed:
            self._filed = place + 1
            self._entries += [entry] * addresses.bit_count()
            self._places += [place] * addresses.bit_count()

    def newest(self) -> _DeviceLog:
        """A log with the entries that may be shown now; this one stays for who looks into it."""
        log = _DeviceLog(self._own, self._tape)
        log._filed = self._filed
        log._entries = self._entries[-MAX_LOG_ENTRIES:]
        log._places = self._places[-MAX_LOG_ENTRIES:]
        return log

    def json(self, end: int) -> bytes:
        """What it said when the tape had come to `end`: the newest entries, as JSON of a datum."""
        if self._filed < end:
            self.file()
        count = bisect_left(self._places, end)
        if not count:
            return _EMPTY_JSON
        self._put_into_words(count)
        first = max(0, count - MAX_LOG_ENTRIES)
        begin, end = self._ends[first], self._ends[count] - len(_SEPARATOR)
        size = self._text_ends[count] - len(_SEPARATOR) - self._text_ends[first] + len("[]")
        with memoryview(self._json) as words:
            return b"".join(
                (_BEFORE_SIZE, b"%d" % size, _BEFORE_TEXT, words[begin:end], _AFTER_TEXT)
            )

    def _put_into_words(self, count: int) -> None:
        words, ends, text_ends = self._json, self._ends, self._text_ends
        end, text_end = ends[-1], text_ends[-1]
        for entry in self._entries[len(ends) - 1 : count]:
            escaped = _escape(entry)
            words += escaped
            end += len(escaped)
            text_end += len(entry) + len(_SEPARATOR)
            ends.append(end)
            text_ends.append(text_end)


@lru_cache(4_096)
def _escape(entry: str) -> bytes:
    """An entry and a separator, as inside a JSON text."""
    return escape_end_marker(_encode(entry + _SEPARATOR))[1:-1]


class Log:
    """What the log of one device said at one moment; later entries do not change it."""

    __slots__ = ("_device", "_end")

    def __init__(self, device: _DeviceLog, end: int) -> None:
        self._device = device
        self._end = end

    @property
    def data(self) -> Data:
        """The log as a datum, its newest 1,000 entries as JSON in its content."""
        return msgspec.json.decode(self.json, type=Data)

    @property
    def json(self) -> bytes:
        """The JSON of that datum."""
        return self._device.json(self._end)

    @property
    def content(self) -> str:
        """The entries as a JSON list; nothing at all if there are none."""
        return self.data.content


#: A log that an agent knows: one it has read, or one its start position gave it.
KnownLog: TypeAlias = Log | Data


def log_data(log: KnownLog) -> Data:
    """A known log as a datum."""
    return log if isinstance(log, Data) else log.data


def log_json(log: KnownLog) -> bytes:
    """The JSON of a known log, without the letters `EOF`."""
    return escape_end_marker(_encode(log)) if isinstance(log, Data) else log.json


class LogBook:
    """The logs of all devices."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._tape = _Tape()
        self._filed = 0  # entries on the tape that all their devices have
        self._devices: dict[int, _DeviceLog] = {}

    def write(self, addresses: int, entry: str) -> None:
        """Note an entry on the devices of some addresses (a mask), once for each address."""
        entries = self._tape.entries
        entries.append((addresses, entry))
        if len(entries) > _MAX_WAITING:
            self._file_oldest()

    def read(self, device: int) -> Log:
        """The log of a device as it is now."""
        tape = self._tape
        log = self._devices.get(device) or self._open(device)
        return Log(log, tape.first + len(tape.entries))

    def _open(self, device: int) -> _DeviceLog:
        log = self._devices[device] = _DeviceLog(self._topology.device_masks[device], self._tape)
        return log

    def _file_oldest(self) -> None:
        tape, topology = self._tape, self._topology
        addresses, entry = tape.entries[self._filed]
        while addresses:
            device = topology.device_of[(addresses & -addresses).bit_length() - 1]
            own = topology.device_masks[device]
            log = self._devices.get(device) or self._open(device)
            log.add(tape.first + self._filed, addresses & own, entry)
            addresses &= ~own
            if log.is_full:
                log.file()
                self._devices[device] = log.newest()
        self._filed += 1
        if self._filed == _MAX_WAITING:
            del tape.entries[:_MAX_WAITING]
            tape.first += _MAX_WAITING
            self._filed = 0
