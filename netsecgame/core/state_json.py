"""The JSON of what an agent knows, joined from fragments that are made once per episode.

`GameState.as_json` is the reference: the bytes are the same.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from netsecgame.core.bits import iter_bits
from netsecgame.core.topology import LOG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netsecgame.core.addressing import Labels
    from netsecgame.core.knowledge import Knowledge

#: Lists of services and data kept; when there are more, all are forgotten and made anew.
_MAX_KEPT = 10_000

_encode = msgspec.json.encode


class StateEncoder:
    """Encodes knowledge under one set of labels."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._hosts: list[bytes] = []
        self._services: dict[tuple[int, int], bytes] = {}
        self._data: dict[tuple[int, int], bytes] = {}

    def encode(self, known: Knowledge) -> bytes:
        """The wire form of a state, as UTF-8."""
        if len(self._hosts) < len(self._labels.addresses):
            new = self._labels.addresses[len(self._hosts) :]
            self._hosts.extend(b'{"ip":"%s"}' % str(ip).encode() for ip in new)
        return b"".join(
            (
                b'{"known_networks":[',
                b",".join(self._known_networks(known.networks)),
                b'],"known_hosts":[',
                self._host_list(known.hosts),
                b'],"controlled_hosts":[',
                self._host_list(known.controlled),
                b'],"known_services":{',
                b",".join(
                    self._of_host(address, self._service_list(address, known.services[address]))
                    for address in self._in_order(known.services)
                ),
                b'},"known_data":{',
                b",".join(
                    self._of_host(address, self._data_list(address, known))
                    for address in self._in_order(known.data)
                ),
                b'},"known_blocks":{',
                b",".join(
                    self._of_host(address, self._host_list(known.blocks[address]))
                    for address in self._in_order(known.blocks)
                ),
                b"}}",
            )
        )

    @cached_property
    def _networks(self) -> list[tuple[int, bytes]]:
        """Bit and fragment of every network, in the order of the wire."""
        networks = sorted(enumerate(self._labels.networks), key=lambda item: item[1].sort_key)
        return [(1 << i, _encode({"ip": n.ip, "mask": n.mask})) for i, n in networks]

    def _known_networks(self, mask: int) -> list[bytes]:
        return [fragment for bit, fragment in self._networks if mask & bit]

    def _in_order(self, addresses: Mapping[int, int]) -> list[int]:
        ips = self._labels.addresses
        return sorted(addresses, key=lambda address: ips[address].value)

    def _host_list(self, mask: int) -> bytes:
        ips = self._labels.addresses
        indices = sorted(iter_bits(mask), key=lambda address: ips[address].value)
        return b",".join([self._hosts[index] for index in indices])

    def _of_host(self, address: int, items: bytes) -> bytes:
        return b'"%s":[%s]' % (str(self._labels.addresses[address]).encode(), items)

    def _service_list(self, address: int, mask: int) -> bytes:
        made = self._services.get((address, mask))
        if made is None:
            if len(self._services) >= _MAX_KEPT:
                self._services.clear()
            services = self._labels.topology.services
            chosen = sorted(services[index] for index in iter_bits(mask))
            made = self._services[address, mask] = _encode(chosen)[1:-1]
        return made

    def _data_list(self, address: int, known: Knowledge) -> bytes:
        mask = known.data[address]
        if not mask >> LOG & 1:
            made = self._data.get((address, mask))
            if made is not None:
                return made
        data = self._labels.topology.data
        chosen = [data[index] for index in iter_bits(mask & ~(1 << LOG))]
        if mask >> LOG & 1:
            # A log grows with every action on its host, so there is no use in keeping it.
            return _encode(sorted([*chosen, known.logs[address]]))[1:-1]
        if len(self._data) >= _MAX_KEPT:
            self._data.clear()
        made = self._data[address, mask] = _encode(sorted(chosen))[1:-1]
        return made
