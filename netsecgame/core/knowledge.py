"""What one agent knows, as bit masks, and the GameState that is made of it on demand."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from netsecgame.core.bits import iter_bits
from netsecgame.core.logs import KnownLog, log_data
from netsecgame.core.topology import LOG
from netsecgame.game_components import (
    IP,
    Data,
    GameState,
    Network,
    Service,
    escape_end_marker,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from netsecgame.core.addressing import Labels
    from netsecgame.core.state_json import Pieces

#: Masks by index; never changed. Both types have `copy`, which takes half the time of `{**masks}`.
Masks: TypeAlias = dict[int, int] | MappingProxyType[int, int]
Logs: TypeAlias = dict[int, KnownLog] | MappingProxyType[int, KnownLog]

_NONE: Masks = MappingProxyType({})
_NO_LOGS: Logs = MappingProxyType({})

# The constructor of a NamedTuple, `_replace` all the more, takes longer than most actions.
_new = tuple.__new__


class Knowledge(NamedTuple):
    """What one agent knows and controls; a value, never changed in place.

    Attributes:
        networks: Mask of known networks.
        hosts: Mask of known addresses.
        controlled: Mask of controlled addresses; always within `hosts`.
        services: Mask of known services, per address.
        data: Mask of known data, per address.
        blocks: Mask of addresses known to be blocked, per address.
        logs: The newest log read, per address; there for exactly the addresses whose `data` has it.
    """

    networks: int = 0
    hosts: int = 0
    controlled: int = 0
    services: Masks = _NONE
    data: Masks = _NONE
    blocks: Masks = _NONE
    logs: Logs = _NO_LOGS

    def controls(self, address: int) -> bool:
        """Whether an address index (-1: no such address) is under the agent's control."""
        return address >= 0 and bool(self.controlled >> address & 1)

    def with_hosts(self, mask: int) -> Knowledge:
        """With the addresses of `mask` known, besides those that were."""
        networks, hosts, controlled, services, data, blocks, logs = self
        return _new(Knowledge, (networks, hosts | mask, controlled, services, data, blocks, logs))

    def with_control(self, address: int, network: int) -> Knowledge:
        """With an address known and controlled, and its network known."""
        networks, hosts, controlled, services, data, blocks, logs = self
        bit = 1 << address
        networks |= 1 << network
        return _new(
            Knowledge, (networks, hosts | bit, controlled | bit, services, data, blocks, logs)
        )

    def with_services(self, address: int, network: int, mask: int) -> Knowledge:
        """With an address and its network known, and exactly the services of `mask` on it."""
        networks, hosts, controlled, services, data, blocks, logs = self
        if services.get(address) != mask:
            services = services.copy()
            services[address] = mask
        elif hosts >> address & 1:
            return self
        if not hosts >> address & 1:
            hosts |= 1 << address
            networks |= 1 << network
        return _new(Knowledge, (networks, hosts, controlled, services, data, blocks, logs))

    def with_data(self, address: int, mask: int) -> Knowledge:
        """With the data of `mask` known on an address, besides what was known there."""
        networks, hosts, controlled, services, before, blocks, logs = self
        data = add_bits(before, address, mask)
        if data is before:
            return self
        return _new(Knowledge, (networks, hosts, controlled, services, data, blocks, logs))

    def with_log(self, address: int, log: KnownLog, mask: int = 0) -> Knowledge:
        """With a log known on an address, in place of an older one, and the data of `mask`."""
        networks, hosts, controlled, services, data, blocks, logs = self
        data = add_bits(data, address, mask | 1 << LOG)
        logs = logs.copy()
        logs[address] = log
        return _new(Knowledge, (networks, hosts, controlled, services, data, blocks, logs))

    def with_blocks(self, address: int, mask: int) -> Knowledge:
        """With the addresses of `mask` known as blocked on an address."""
        networks, hosts, controlled, services, data, before, logs = self
        blocks = add_bits(before, address, mask)
        if blocks is before:
            return self
        return _new(Knowledge, (networks, hosts, controlled, services, data, blocks, logs))

    def covers(self, other: Knowledge) -> bool:
        """Whether everything in `other` is in this one too; contents of logs do not count."""
        # Data first, because most goals are about data alone.
        return not (
            (other.data and not _covers_each(self.data, other.data))
            or other.networks & ~self.networks
            or other.hosts & ~self.hosts
            or other.controlled & ~self.controlled
            or (other.services and not _covers_each(self.services, other.services))
            or (other.blocks and not _covers_each(self.blocks, other.blocks))
        )


def add_bits(masks: Masks, key: int, mask: int) -> Masks:
    """`masks` with the bits of `mask` set at `key`; the same object if they were set already."""
    known = masks.get(key, 0)
    if known | mask == known:
        return masks
    masks = masks.copy()
    masks[key] = known | mask
    return masks


def _covers_each(masks: Mapping[int, int], needed: Mapping[int, int]) -> bool:
    for key, mask in needed.items():  # noqa: SIM110 - half the time of a generator
        if mask & ~masks.get(key, 0):
            return False
    return True


class KnownState(GameState):
    """The GameState of a `Knowledge`, built part by part when somebody looks at it.

    It equals the plain GameState of the same content. Its goal test works on the masks and its JSON
    is made once.

    Attributes:
        knowledge: The masks.
        labels: The addresses they stand for.
    """

    # Slots, because reading an attribute of an object that has them takes a fifth of the time.
    __slots__ = ("_json", "knowledge", "labels")

    knowledge: Knowledge
    labels: Labels
    _json: Pieces | None

    def __init__(self, knowledge: Knowledge, labels: Labels) -> None:
        # The fields of GameState are left out on purpose: `_Part` builds them.
        _set_knowledge(self, knowledge)
        _set_labels(self, labels)
        _set_json(self, None)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as the plain value: the masks mean nothing in another process."""
        return GameState, tuple(getattr(self, name) for name in GameState.__dataclass_fields__)

    def forget_json(self) -> None:
        """Let go of the JSON; it is made again when somebody asks."""
        _set_json(self, None)

    def as_json(self) -> str:
        """The wire form as text; made once."""
        return self.json_bytes.decode()

    @property
    def json_bytes(self) -> bytes:
        """The wire form as UTF-8 bytes."""
        pieces = self.json_pieces
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    @property
    def json_pieces(self) -> Pieces:
        """The wire form as UTF-8 bytes that are to be joined; made once."""
        pieces = self._json
        if pieces is None:
            pieces = self.labels.state_encoder.encode(self.knowledge)
            _set_json(self, pieces)
        return pieces


_set_knowledge = KnownState.__dict__["knowledge"].__set__  # the dataclass above it is frozen
_set_labels = KnownState.__dict__["labels"].__set__
_set_json = KnownState.__dict__["_json"].__set__
_new_state = object.__new__


def make_state(knowledge: Knowledge, labels: Labels) -> KnownState:
    """What the constructor makes, in half the time."""
    state = _new_state(KnownState)
    _set_knowledge(state, knowledge)
    _set_labels(state, labels)
    _set_json(state, None)
    return state


def encode_state(state: GameState) -> bytes:
    """The wire form of any state as UTF-8."""
    return state.json_bytes if isinstance(state, KnownState) else state.as_json().encode()


def encode_in_pieces(state: GameState) -> Pieces:
    """As `encode_state`, in pieces to be joined; those of the world's own states are made once.

    The letters `EOF` are in none of them, whatever a state of somebody else's says.
    """
    if isinstance(state, KnownState):
        return state.json_pieces
    return (escape_end_marker(state.as_json().encode()),)


def _hosts(mask: int, labels: Labels) -> set[IP]:
    return {labels.addresses[index] for index in iter_bits(mask)}


def _services(known: Knowledge, labels: Labels) -> dict[IP, set[Service]]:
    services = labels.topology.services
    return {
        labels.addresses[address]: {services[i] for i in iter_bits(mask)}
        for address, mask in known.services.items()
    }


def _data(known: Knowledge, labels: Labels) -> dict[IP, set[Data]]:
    data = labels.topology.data
    found = {}
    for address, mask in known.data.items():
        items: Iterable[Data] = (data[i] for i in iter_bits(mask & ~(1 << LOG)))
        log = (log_data(known.logs[address]),) if mask >> LOG & 1 else ()
        found[labels.addresses[address]] = {*log, *items}
    return found


def _blocks(known: Knowledge, labels: Labels) -> dict[IP, set[IP]]:
    return {labels.addresses[a]: _hosts(mask, labels) for a, mask in known.blocks.items()}


def _networks(known: Knowledge, labels: Labels) -> set[Network]:
    return {labels.networks[index] for index in iter_bits(known.networks)}


class _Part:
    """A field of a `KnownState`, built when somebody looks at it first.

    The state keeps it in its `__dict__`, where it is found before this object.
    """

    def __init__(self, name: str, build: Callable[[Knowledge, Labels], Any]) -> None:
        self._name = name
        self._build = build

    def __get__(self, state: KnownState | None, _: type) -> Any:
        if state is None:
            return self
        part = state.__dict__[self._name] = self._build(state.knowledge, state.labels)
        return part


_PARTS: Mapping[str, Callable[[Knowledge, Labels], Any]] = {
    "controlled_hosts": lambda known, labels: _hosts(known.controlled, labels),
    "known_hosts": lambda known, labels: _hosts(known.hosts, labels),
    "known_services": _services,
    "known_data": _data,
    "known_networks": _networks,
    "known_blocks": _blocks,
}
for _name, _build in _PARTS.items():
    setattr(KnownState, _name, _Part(_name, _build))


def knowledge_of(state: GameState, labels: Labels) -> Knowledge:
    """The masks of any GameState; parts that the labels do not know are left out."""
    if isinstance(state, KnownState) and state.labels is labels:
        return state.knowledge
    topology = labels.topology
    existing = (1 << len(topology.addresses)) - 1  # outsiders cannot be controlled

    def each(parts: Mapping[Any, Iterable[Any]], index: Callable[[Any], int]) -> dict[int, int]:
        found = {labels.find_address(ip): _mask(map(index, items)) for ip, items in parts.items()}
        found.pop(-1, None)
        return found

    logs: dict[int, KnownLog] = {
        labels.find_address(ip): datum
        for ip, items in state.known_data.items()
        for datum in items
        if topology.data_index.get(datum, -1) == LOG
    }
    logs.pop(-1, None)
    return Knowledge(
        networks=_mask(map(labels.find_network, state.known_networks)),
        hosts=_mask(map(labels.find_address, state.known_hosts)),
        controlled=_mask(map(labels.find_address, state.controlled_hosts)) & existing,
        services=each(state.known_services, lambda s: topology.service_index.get(s, -1)),
        data=each(state.known_data, lambda d: topology.data_index.get(d, -1)),
        blocks=each(state.known_blocks, labels.find_address),
        logs=logs,
    )


def _mask(indices: Iterable[int]) -> int:
    mask = 0
    for index in indices:
        if index >= 0:
            mask |= 1 << index
    return mask
