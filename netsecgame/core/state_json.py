"""The JSON of what an agent knows, joined from fragments that are kept.

`GameState.as_json` is the reference: the bytes are the same.

A step changes little: mostly one mask, or what is known of one host. What a state has in common
with the one before, or with one of another agent or episode, is not made again. There are two
levels: parts of the JSON by what they were made of, and below them lists by host.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from netsecgame.core.bits import iter_bits, mask_of
from netsecgame.core.logs import log_json
from netsecgame.core.topology import LOG, LOG_DATA
from netsecgame.game_components import escape_end_marker

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from netsecgame.core.addressing import Labels
    from netsecgame.core.knowledge import Knowledge
    from netsecgame.core.logs import KnownLog

#: Fragments of one kind kept at once, in bytes.
_MAX_KEPT_BYTES = 1 << 18

#: Likewise for data, among which a log may have 90 KB.
_MAX_KEPT_LOG_BYTES = 1 << 21

#: A longer state is left in pieces, which saves a copy for each answer that has it.
_MAX_JOINED_BYTES = 1 << 13

#: What an entry costs besides its bytes, roughly.
_ENTRY_BYTES = 400


def _encode(value: object) -> bytes:
    return escape_end_marker(msgspec.json.encode(value))


#: JSON in pieces that are to be joined; none ends inside a text.
Pieces: TypeAlias = tuple[bytes, ...]


class _Kept(dict[Any, tuple[bytes, object]]):
    """Fragments by key; the oldest go when there is no room for a new one.

    A key may hold the `id` of an object that goes in with the fragment: it lives as long as the
    entry, so nothing else can have that `id`.
    """

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self._room = max_bytes
        self._max_length = max_bytes // 4

    def add(self, key: Hashable, fragment: bytes, made_of: object = None) -> bytes:
        """Keep a fragment, if it is not too long, under a key that is not there; and return it."""
        if len(fragment) > self._max_length:
            return fragment
        self._room -= len(fragment) + _ENTRY_BYTES
        self[key] = fragment, made_of
        while self._room < 0:
            oldest, _ = self.pop(next(iter(self)))
            self._room += len(oldest) + _ENTRY_BYTES
        return fragment


class StateEncoder:
    """Encodes knowledge under one set of labels."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._ips: list[bytes] = []
        self._values: list[int] = []
        self._heads = _Kept(_MAX_KEPT_BYTES)
        self._service_parts = _Kept(_MAX_KEPT_BYTES)
        self._data_parts = _Kept(_MAX_KEPT_LOG_BYTES)
        self._block_parts = _Kept(_MAX_KEPT_BYTES)
        self._host_lists = _Kept(_MAX_KEPT_BYTES)
        self._data_lists = _Kept(_MAX_KEPT_BYTES)
        self._services_of = _Kept(_MAX_KEPT_BYTES)
        self._data_of = _Kept(_MAX_KEPT_LOG_BYTES)

    def encode(self, known: Knowledge) -> Pieces:
        """The wire form of a state, as UTF-8; a short one is one piece."""
        # Mappings in knowledge are never changed in place: the same object has the same JSON.
        networks, hosts, controlled, services, data, blocks, logs = known
        kept = self._heads.get((networks, hosts, controlled))
        head = kept[0] if kept else self._make_head(networks, hosts, controlled)
        kept = self._service_parts.get(id(services))
        service_part = kept[0] if kept else self._make_service_part(services)
        kept = self._data_parts.get((id(data), id(logs)))
        data_part = kept[0] if kept else self._make_data_part(data, logs)
        kept = self._block_parts.get(id(blocks))
        block_part = kept[0] if kept else self._make_block_part(blocks)
        size = len(head) + len(service_part) + len(data_part) + len(block_part)
        if size > _MAX_JOINED_BYTES:
            return head + service_part, data_part, block_part
        return (b"".join((head, service_part, data_part, block_part)),)

    # --- parts ---

    def _make_head(self, networks: int, hosts: int, controlled: int) -> bytes:
        part = b'{"known_networks":[%s],"known_hosts":[%s],"controlled_hosts":[%s]' % (
            b",".join([fragment for bit, fragment in self._networks if networks & bit]),
            self._host_list(hosts),
            self._host_list(controlled),
        )
        return self._heads.add((networks, hosts, controlled), part)

    def _make_service_part(self, services: Mapping[int, int]) -> bytes:
        found = []
        for address in self._in_order(services):
            kept = self._services_of.get((address, services[address]))
            found.append(kept[0] if kept else self._make_services(address, services[address]))
        part = b',"known_services":{%s}' % b",".join(found)
        return self._service_parts.add(id(services), part, services)

    def _make_data_part(self, data: Mapping[int, int], logs: Mapping[int, KnownLog]) -> bytes:
        found: list[bytes] = []
        for address in self._in_order(data):
            mask, log = data[address], logs.get(address)
            kept = self._data_of.get((address, mask, id(log)))
            found += (b",", kept[0] if kept else self._make_data(address, mask, log))
        # Logs are long: each is copied only once here.
        part = b"".join((b',"known_data":{', *found[1:], b"}"))
        return self._data_parts.add((id(data), id(logs)), part, (data, logs))

    def _make_block_part(self, blocks: Mapping[int, int]) -> bytes:
        found = [
            b'"%s":[%s]' % (self._ips[address], self._host_list(blocks[address]))
            for address in self._in_order(blocks)
        ]
        part = b',"known_blocks":{%s}}' % b",".join(found)
        return self._block_parts.add(id(blocks), part, blocks)

    # --- what is known of one host ---

    def _make_services(self, address: int, mask: int) -> bytes:
        services = self._labels.topology.services
        chosen = sorted([services[index] for index in iter_bits(mask)])
        made = b'"%s":%s' % (self._ips[address], _encode(chosen))
        return self._services_of.add((address, mask), made)

    def _make_data(self, address: int, mask: int, log: KnownLog | None) -> bytes:
        found: list[bytes] = []
        for each in (
            self._data_list(mask & self._before_log),
            b"" if log is None else log_json(log),
            self._data_list(mask & ~self._before_log & ~(1 << LOG)),
        ):
            if each:
                found += (b",", each)
        made = b"".join((b'"', self._ips[address], b'":[', *found[1:], b"]"))
        return self._data_of.add((address, mask, id(log)), made, log)

    # --- lists ---

    def _in_order(self, addresses: Iterable[int]) -> list[int]:
        """Addresses, outsiders too, in the order of the wire."""
        for ip in self._labels.addresses[len(self._ips) :]:
            self._ips.append(ip.ip.encode())
            self._values.append(ip.value)
        return sorted(addresses, key=self._values.__getitem__)

    @cached_property
    def _networks(self) -> list[tuple[int, bytes]]:
        """Bit and fragment of every network, in the order of the wire."""
        networks = sorted(enumerate(self._labels.networks), key=lambda item: item[1].sort_key)
        return [(1 << i, _encode({"ip": n.ip, "mask": n.mask})) for i, n in networks]

    def _host_list(self, mask: int) -> bytes:
        kept = self._host_lists.get(mask)
        if kept:
            return kept[0]
        hosts = [b'{"ip":"%s"}' % self._ips[index] for index in self._in_order(iter_bits(mask))]
        return self._host_lists.add(mask, b",".join(hosts))

    def _data_list(self, mask: int) -> bytes:
        """Data other than logs."""
        kept = self._data_lists.get(mask)
        if kept:
            return kept[0]
        data = self._labels.topology.data
        chosen = sorted([data[index] for index in iter_bits(mask)])
        return self._data_lists.add(mask, b",".join(map(_encode, chosen)))

    @cached_property
    def _before_log(self) -> int:
        """Mask of the data that come before a log."""
        data = self._labels.topology.data
        return mask_of(index for index, datum in enumerate(data) if datum < LOG_DATA)
