"""The vocabulary of the game: what agents and the server say to each other.

Addresses, networks, services and data are immutable values; `Action` is what an agent asks for,
`GameState` what it knows. Every type reads itself from its wire form with `from_dict`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from functools import lru_cache, total_ordering
from importlib import import_module
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypedDict, TypeVar

import msgspec

from netsecgame.errors import suggest_nearest

if TYPE_CHECKING:
    from netsecgame.agents.base_agent import BaseAgent
    from netsecgame.utils.utils import generate_valid_actions, state_as_ordered_string

__all__ = [
    "ACTION_PARAMETERS",
    "IP",
    "Action",
    "ActionType",
    "AgentInfo",
    "AgentRole",
    "AgentStatus",
    "BaseAgent",
    "Data",
    "GameState",
    "GameStatus",
    "Network",
    "Observation",
    "ProtocolConfig",
    "Service",
    "generate_valid_actions",
    "state_as_ordered_string",
]

_T = TypeVar("_T")

_encode_json = msgspec.json.Encoder().encode
_set_field = object.__setattr__


class ProtocolConfig:
    """Constants of the wire."""

    END_OF_MESSAGE = b"EOF"
    BUFFER_SIZE = 8192


def escape_end_marker(json_bytes: bytes) -> bytes:
    r"""The same JSON value without the letters `EOF`.

    The O is the letter to escape: the E may be the last digit of an escape, as in ``\u00EEOF``.
    """
    # One letter is found forty times as fast as three, and this one is rare in states.
    marker = ProtocolConfig.END_OF_MESSAGE
    return json_bytes.replace(marker, rb"E\u004fF") if b"O" in json_bytes else json_bytes


# --- enumerations ---------------------------------------------------------------------------------


def _unknown_name(kind: type[Enum], name: object, known: Iterable[str]) -> ValueError:
    known = list(known)
    hint = suggest_nearest(name, known) if isinstance(name, str) else ""
    return ValueError(f"unknown {kind.__name__} {name!r}{hint}; expected one of {', '.join(known)}")


class _PrefixedEnum(Enum):
    """Written ``Kind.Name`` on the wire, and equal to that text and to the bare ``Name``."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return self._name_ == other.removeprefix(f"{type(self).__name__}.")
        return self is other

    def __hash__(self) -> int:
        return hash(self._name_)

    def __str__(self) -> str:
        return f"{type(self).__name__}.{self._name_}"

    def to_string(self) -> str:
        """The name without the prefix."""
        return self._name_

    @classmethod
    def from_string(cls, name: str) -> Self:
        """The member of that name, with or without the prefix; ValueError if there is none."""
        if isinstance(name, str):
            member = cls.__members__.get(name.removeprefix(f"{cls.__name__}."))
            if member is not None:
                return member
        raise _unknown_name(cls, name, cls.__members__)


class ActionType(_PrefixedEnum):
    """What an agent can ask for."""

    ScanNetwork = "ScanNetwork"
    FindServices = "FindServices"
    FindData = "FindData"
    ExploitService = "ExploitService"
    ExfiltrateData = "ExfiltrateData"
    BlockIP = "BlockIP"
    JoinGame = "JoinGame"
    QuitGame = "QuitGame"
    ResetGame = "ResetGame"


class AgentStatus(_PrefixedEnum):
    """How an agent's episode stands."""

    Playing = "Playing"
    PlayingWithTimeout = "PlayingWithTimeout"
    TimeoutReached = "TimeoutReached"
    ResetRequested = "ResetRequested"
    Success = "Success"
    Fail = "Fail"


class AgentRole(StrEnum):
    """The part an agent plays; equal to its name in any case, with or without ``AgentRole.``."""

    Attacker = "Attacker"
    Defender = "Defender"
    Benign = "Benign"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, AgentRole) or not isinstance(other, str):
            return self is other
        return self._value_.casefold() == other.casefold().removeprefix("agentrole.")

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self._value_)

    def __repr__(self) -> str:
        return str(self._value_)

    def to_string(self) -> str:
        """The name without the prefix."""
        return str(self._value_)

    @classmethod
    def from_string(cls, name: str) -> Self:
        """The role that `name` equals; ValueError if there is none."""
        for role in cls:
            if role == name:
                return role
        raise _unknown_name(cls, name, cls.__members__)


class GameStatus(Enum):
    """How the server took a message."""

    OK = 200
    CREATED = 201
    RESET_DONE = 202
    BAD_REQUEST = 400
    FORBIDDEN = 403

    def __str__(self) -> str:
        return f"GameStatus.{self._name_}"

    __repr__ = __str__

    def to_string(self) -> str:
        """The wire form, ``GameStatus.OK``."""
        return str(self)

    @classmethod
    def from_string(cls, name: str) -> GameStatus:
        """The status whose wire form is `name`; ValueError if there is none."""
        for status in cls:
            if str(status) == name:
                return status
        raise _unknown_name(cls, name, map(str, cls))


# --- values ---------------------------------------------------------------------------------------


_LONGEST_ADDRESS = len("255.255.255.255")
_CACHED_ADDRESSES = 65_536  # some 10 MiB; forgetting one costs only time
_known_addresses: dict[str, Any] = {}


def _address_value(text: object) -> int | None:
    """The address as a number, or None when `text` is no IPv4 address."""
    if not isinstance(text, str) or len(text) > _LONGEST_ADDRESS:
        return None
    return _parse_address(text)


@lru_cache(maxsize=_CACHED_ADDRESSES)
def _parse_address(text: str) -> int | None:
    try:
        return int(ipaddress.IPv4Address(text))
    except ipaddress.AddressValueError:
        return None


def _read_form(what: str, data: Any, form: type[_T]) -> _T:
    """Convert decoded JSON to a type; ValueError, beginning with `what`, when it does not fit."""
    try:
        return msgspec.convert(data, form)
    except msgspec.ValidationError as error:
        raise ValueError(f"{what}: {error}") from None


@total_ordering
@dataclass(frozen=True, init=False, eq=False, repr=False)
class IP:
    """An IPv4 address.

    Equal addresses are usually one object, which keeps sets and dicts of them fast.

    Attributes:
        ip: Dotted quad.
        value: The address as a number, 0..2**32-1; equality, order and hash go by it.
    """

    __slots__ = ("ip", "value")

    ip: str
    if TYPE_CHECKING:  # a slot, but no dataclass field: it follows from `ip`
        value: int

    def __new__(cls, ip: str) -> Self:
        """The address of that text; ValueError if it is none."""
        known: Self | None = _known_addresses.get(ip) if isinstance(ip, str) else None
        if known is not None and known.__class__ is cls:
            return known
        value = _address_value(ip)
        if value is None:
            raise ValueError(f"expected an IPv4 address like '10.0.0.1', got {ip!r}")
        self = super().__new__(cls)
        _set_field(self, "ip", ip)
        _set_field(self, "value", value)
        if len(_known_addresses) >= _CACHED_ADDRESSES:
            _known_addresses.clear()
        _known_addresses[ip] = self
        return self

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read ``{"ip": "10.0.0.1"}``; ValueError if it is anything else."""
        try:
            return cls(data["ip"])
        except (KeyError, TypeError):
            raise ValueError(f'expected {{"ip": …}}, got {data!r}') from None

    def is_private(self) -> bool:
        """Whether the address is kept for private use (as `ipaddress` says)."""
        return ipaddress.IPv4Address(self.value).is_private

    def __eq__(self, other: object) -> bool:
        return self.value == other.value if isinstance(other, IP) else NotImplemented

    def __lt__(self, other: IP) -> bool:
        return self.value < other.value if isinstance(other, IP) else NotImplemented

    def __hash__(self) -> int:
        return self.value

    def __str__(self) -> str:
        return self.ip

    __repr__ = __str__

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.ip,)


@total_ordering
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Network:
    """A network by address and mask; not validated, so that agents may name networks freely.

    ``host in network`` says whether an `IP` belongs to it.

    Attributes:
        ip: An address of the network as a dotted quad, or any name.
        mask: Prefix length, 0..32.
    """

    ip: str
    mask: int

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read ``{"ip": "10.0.0.0", "mask": 24}``; ValueError if it is anything else."""
        return _read_form(cls.__name__, data, cls)

    def is_private(self) -> bool:
        """Whether all its addresses are private (as `ipaddress` says); a name counts as private."""
        try:
            return ipaddress.IPv4Network((self.ip, self.mask), strict=False).is_private
        except ValueError:
            return True

    def _value_and_netmask(self) -> tuple[int, int] | None:
        """Address and mask as numbers; None when they are none."""
        value, mask = _address_value(self.ip), self.mask
        if value is None or not isinstance(mask, int) or not 0 <= mask <= 32:
            return None
        return value, 0xFFFFFFFF ^ (0xFFFFFFFF >> mask)

    @property
    def sort_key(self) -> tuple[Any, ...]:
        """Orders networks by first address, mask, given address; after them those by name."""
        numbers = self._value_and_netmask()
        if numbers is None:
            return (1, str(self.ip), str(self.mask))
        value, netmask = numbers
        return (0, value & netmask, netmask, value)

    def __contains__(self, host: object) -> bool:
        numbers = self._value_and_netmask()
        if numbers is None or not isinstance(host, IP):
            return False
        value, netmask = numbers
        return (value ^ host.value) & netmask == 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Network):
            return NotImplemented
        return self.ip == other.ip and self.mask == other.mask

    def __lt__(self, other: Network) -> bool:
        return self.sort_key < other.sort_key if isinstance(other, Network) else NotImplemented

    def __hash__(self) -> int:
        value = _address_value(self.ip)
        return hash((self.ip if value is None else value, self.mask))

    def __str__(self) -> str:
        return f"{self.ip}/{self.mask}"

    __repr__ = __str__


@dataclass(frozen=True, slots=True, order=True)
class Service:
    """A service on a host.

    Attributes:
        name: E.g. ``ssh``.
        type: E.g. ``passive``.
        version: E.g. ``8.1.0``.
        is_local: Whether only those who control the host can see it.
    """

    name: str
    type: str = "unknown"
    version: str = "unknown"
    is_local: bool = True

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the wire form, in which all but the name may be absent; else ValueError."""
        return _read_form(cls.__name__, data, cls)


@dataclass(frozen=True, slots=True, order=True)
class Data:
    """A piece of data; the same by owner, id and type, whatever its size and content.

    Attributes:
        owner: Whose it is.
        id: What it is called.
        size: Length of the content where that is known, else 0.
        type: E.g. ``log``.
        content: The data itself; often left empty.
    """

    owner: str
    id: str
    size: int = field(default=0, compare=False)
    type: str = ""
    content: str = field(default="", compare=False, repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the wire form, in which all but owner and id may be absent; else ValueError."""
        return _read_form(cls.__name__, data, cls)


class _AgentInfoForm(TypedDict):
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class AgentInfo:
    """Who joins a game.

    Attributes:
        name: As the agent calls itself.
        role: The part it wants to play; a text that names no role is kept as it is.
    """

    name: str
    role: AgentRole | str

    def __post_init__(self) -> None:
        for role in AgentRole:
            if self.role == role:
                _set_field(self, "role", role)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read ``{"name": …, "role": …}``; ValueError if it is anything else or no such role."""
        form = _read_form(cls.__name__, data, _AgentInfoForm)
        return cls(form["name"], AgentRole.from_string(form["role"]))


# --- actions --------------------------------------------------------------------------------------


def _parameters(**types: type) -> Mapping[str, type]:
    return MappingProxyType(types)


#: What each game action needs, in the order in which actions are listed.
ACTION_PARAMETERS: Mapping[ActionType, Mapping[str, type]] = MappingProxyType(
    {
        ActionType.ScanNetwork: _parameters(target_network=Network, source_host=IP),
        ActionType.FindServices: _parameters(target_host=IP, source_host=IP),
        ActionType.FindData: _parameters(target_host=IP, source_host=IP),
        ActionType.ExploitService: _parameters(
            target_host=IP, target_service=Service, source_host=IP
        ),
        ActionType.ExfiltrateData: _parameters(target_host=IP, source_host=IP, data=Data),
        ActionType.BlockIP: _parameters(target_host=IP, source_host=IP, blocked_host=IP),
    }
)


def _ip_form(host: IP) -> dict[str, Any]:
    return {"ip": host.ip}


def _network_form(network: Network) -> dict[str, Any]:
    return {"ip": network.ip, "mask": network.mask}


def _service_form(service: Service) -> dict[str, Any]:
    return {
        "name": service.name,
        "type": service.type,
        "version": service.version,
        "is_local": service.is_local,
    }


def _data_form(data: Data) -> dict[str, Any]:
    return {
        "owner": data.owner,
        "id": data.id,
        "size": data.size,
        "type": data.type,
        "content": data.content,
    }


def _agent_info_form(info: AgentInfo) -> dict[str, Any]:
    return {"name": info.name, "role": str(info.role)}


def _as_it_is(value: Any) -> Any:
    return value


_WIRE_FORMS: Mapping[type, Callable[[Any], Any]] = {
    IP: _ip_form,
    Network: _network_form,
    Service: _service_form,
    Data: _data_form,
    AgentInfo: _agent_info_form,
    bool: _as_it_is,
    int: _as_it_is,
    type(None): _as_it_is,
}


def _wire_form(value: Any) -> Any:
    """A value as JSON: value types as objects, bool, int and None as they are, else its text."""
    for kind in value.__class__.__mro__:
        if kind in _WIRE_FORMS:
            return _WIRE_FORMS[kind](value)
    return str(value)


def _read_flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("True", "False"):
        return value == "True"
    raise ValueError(f"expected true or false, got {value!r}")


def _read_seed(value: object) -> int | None:
    if value is None or value == "None":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"expected an integer or null, got {value!r}")


_PARAMETER_READERS: Mapping[str, Callable[[Any], Any]] = {
    "source_host": IP.from_dict,
    "target_host": IP.from_dict,
    "blocked_host": IP.from_dict,
    "target_network": Network.from_dict,
    "target_service": Service.from_dict,
    "data": Data.from_dict,
    "agent_info": AgentInfo.from_dict,
    "request_trajectory": _read_flag,
    "randomize_topology": _read_flag,
    "seed": _read_seed,
}


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Action:
    """What an agent asks the server to do.

    Equality and hash go by type and parameters, whatever the order of the parameters.

    Attributes:
        action_type: What to do; the constructor takes its name as well.
        parameters: Values by name, see `ACTION_PARAMETERS`; not to be changed. Agents may map
            hosts to their own concepts, so values are not checked; they must be hashable.
    """

    __slots__ = ("_hash", "_text", "action_type", "parameters")

    action_type: ActionType
    parameters: dict[str, Any]
    if TYPE_CHECKING:  # slots, but no dataclass fields: they follow from the others
        _hash: int | None
        _text: str  # only there when it is kept

    def __init__(
        self, action_type: ActionType | str, parameters: Mapping[str, Any] | None = None
    ) -> None:
        if not isinstance(action_type, ActionType):
            action_type = ActionType.from_string(action_type)
        _set_field(self, "action_type", action_type)
        _set_field(self, "parameters", {} if parameters is None else dict(parameters))
        _set_field(self, "_hash", None)

    @property
    def type(self) -> ActionType:
        """The same as `action_type`."""
        return self.action_type

    @property
    def as_dict(self) -> dict[str, Any]:
        """The wire form."""
        form_of = _WIRE_FORMS.get
        return {
            "action_type": f"ActionType.{self.action_type._name_}",
            "parameters": {
                name: form_of(value.__class__, _wire_form)(value)
                for name, value in self.parameters.items()
            },
        }

    def to_json(self) -> str:
        """The wire form as compact JSON."""
        return _encode_json(self.as_dict).decode()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the wire form; `blocked_ip` is taken as `blocked_host`.

        Raises:
            ValueError: If the action type or a parameter is unknown or a value cannot be read;
                the text names the parameter. Missing parameters are not looked for.
        """
        if not isinstance(data, Mapping) or "action_type" not in data:
            raise ValueError(f"expected an object with 'action_type', got {data!r}")
        given = data.get("parameters", {})
        if not isinstance(given, Mapping):
            raise ValueError(  # noqa: TRY004  # a wrong message, not a wrong call
                f"'parameters' must be an object, got {given!r}"
            )
        parameters: dict[str, Any] = {}
        for wire_name, wire_value in given.items():
            name = "blocked_host" if wire_name == "blocked_ip" else wire_name
            if name not in _PARAMETER_READERS or name in parameters:
                hint = suggest_nearest(str(name), _PARAMETER_READERS.keys() - parameters.keys())
                problem = "given twice" if name in parameters else f"unknown{hint}"
                raise ValueError(f"parameter {wire_name!r}: {problem}")
            try:
                parameters[name] = _PARAMETER_READERS[name](wire_value)
            except ValueError as error:
                raise ValueError(f"parameter {wire_name!r}: {error}") from None
        return cls(ActionType.from_string(data["action_type"]), parameters)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read the wire form from JSON; ValueError as in `from_dict`."""
        return cls.from_dict(_decode_json(text))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Action):
            return NotImplemented
        return self.action_type is other.action_type and self.parameters == other.parameters

    def __hash__(self) -> int:
        value = self._hash
        if value is None:
            # Without the names, that is twice as fast; few actions differ in nothing else.
            value = hash((self.action_type._name_, frozenset(self.parameters.values())))
            _set_field(self, "_hash", value)
        return value

    def __str__(self) -> str:
        if self.parameters.__class__ is not _FixedParameters:
            return self._make_text()
        try:
            return self._text
        except AttributeError:
            text = self._make_text()
            _set_field(self, "_text", text)
            return text

    __repr__ = __str__

    def _make_text(self) -> str:
        return f"Action <{self.action_type}|{self.parameters}>"

    # Without the hash: those of strings differ from process to process.
    def __reduce__(self) -> tuple[Any, ...]:
        return self.__class__, (self.action_type, self.parameters)


class _FixedParameters(dict[str, Any]):
    """Parameters of an action that many hold; a copy is a plain dict."""

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("this action is shared: to change its parameters, make a new Action")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (self.copy(),)


def fixed_action(action_type: ActionType, parameters: Mapping[str, Any]) -> Action:
    """An action that can be shared: its parameters refuse to be changed, and it keeps its text.

    Agents sort actions by text, which takes ten times as long to make as to look up.
    """
    action = Action(action_type)
    _set_field(action, "parameters", _FixedParameters(parameters))
    return action


def _decode_json(text: str | bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(f"not JSON: {error}") from None


# --- states ---------------------------------------------------------------------------------------

_Key = Callable[[Any], Any]

_HOST_ORDER: _Key = attrgetter("value")
_NETWORK_ORDER: _Key = attrgetter("sort_key")
_SERVICE_ORDER: _Key = attrgetter("name", "type", "version", "is_local")
_DATA_ORDER: _Key = attrgetter("owner", "id", "type")


def _sorted(items: Iterable[Any], order: _Key) -> list[Any]:
    """Sorted in that order, or by text when not all items are of the kind the order is for."""
    try:
        return sorted(items, key=order)
    except (AttributeError, TypeError):
        return sorted(items, key=str)


def _pairs(by_host: Mapping[Any, Iterable[Any]], order: _Key) -> Iterator[tuple[Any, list[Any]]]:
    for host in _sorted(by_host, _HOST_ORDER):
        yield host, _sorted(by_host[host], order)


def _forms(ordered: Iterable[Any]) -> list[Any]:
    form_of = _WIRE_FORMS.get
    return [form_of(item.__class__, _wire_form)(item) for item in ordered]


def _map_form(by_host: Mapping[Any, Iterable[Any]], order: _Key) -> dict[str, list[Any]]:
    return {str(host): _forms(items) for host, items in _pairs(by_host, order)}


def _set_text(ordered: list[Any]) -> str:
    return f"{{{', '.join(map(repr, ordered))}}}" if ordered else "set()"


def _map_text(by_host: Mapping[Any, Iterable[Any]], order: _Key) -> str:
    pairs = (f"{host!r}: {_set_text(items)}" for host, items in _pairs(by_host, order))
    return f"{{{', '.join(pairs)}}}"


def _frozen_map(by_host: Mapping[Any, Iterable[Any]]) -> frozenset[Any]:
    return frozenset((host, frozenset(items)) for host, items in by_host.items())


# Agents that map hosts to concepts have plain strings in their states: these stay as they are.
_NETWORKS: Any = set[Network | str]
_SERVICES_BY_HOST: Any = dict[str, set[Service | str]]
_DATA_BY_HOST: Any = dict[str, set[Data | str]]


def _read_hosts(items: Iterable[Any] | None) -> set[Any]:
    return {item if item.__class__ is str else IP.from_dict(item) for item in items or ()}


def _with_hosts(by_text: Mapping[str, Any]) -> dict[Any, Any]:
    return {
        text if _address_value(text) is None else IP(text): items for text, items in by_text.items()
    }


@dataclass(frozen=True, eq=False, repr=False)
class GameState:
    """What one agent knows.

    Attributes:
        controlled_hosts: Hosts the agent has taken over.
        known_hosts: Hosts it knows to exist.
        known_services: Services it found, by host.
        known_data: Data it found, by host.
        known_networks: Networks it knows to exist.
        known_blocks: By host, the hosts it knows to be cut off from it.
    """

    controlled_hosts: set[IP] = field(default_factory=set)
    known_hosts: set[IP] = field(default_factory=set)
    known_services: dict[IP, set[Service]] = field(default_factory=dict)
    known_data: dict[IP, set[Data]] = field(default_factory=dict)
    known_networks: set[Network] = field(default_factory=set)
    known_blocks: dict[IP, set[IP]] = field(default_factory=dict)

    @property
    def as_dict(self) -> dict[str, Any]:
        """The wire form, everything in it sorted."""
        return {
            "known_networks": _forms(_sorted(self.known_networks, _NETWORK_ORDER)),
            "known_hosts": _forms(_sorted(self.known_hosts, _HOST_ORDER)),
            "controlled_hosts": _forms(_sorted(self.controlled_hosts, _HOST_ORDER)),
            "known_services": _map_form(self.known_services, _SERVICE_ORDER),
            "known_data": _map_form(self.known_data, _DATA_ORDER),
            "known_blocks": _map_form(self.known_blocks, _HOST_ORDER),
        }

    def as_json(self) -> str:
        """The wire form as compact JSON; the same text for equal states in every process.

        The letters `EOF`, which would end a reply, are not in it: their O is escaped.
        """
        return escape_end_marker(_encode_json(self.as_dict)).decode()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the wire form; parts that are absent are empty.

        Raises:
            ValueError: If it is not the wire form of a state.
        """
        try:
            networks = data.get("known_networks") or []
            services = data.get("known_services") or {}
            items = data.get("known_data") or {}
            blocks = data.get("known_blocks") or {}
            return cls(
                controlled_hosts=_read_hosts(data.get("controlled_hosts")),
                known_hosts=_read_hosts(data.get("known_hosts")),
                known_services=_with_hosts(
                    _read_form("known_services", services, _SERVICES_BY_HOST)
                ),
                known_data=_with_hosts(_read_form("known_data", items, _DATA_BY_HOST)),
                known_networks=_read_form("known_networks", networks, _NETWORKS),
                known_blocks=_with_hosts({h: _read_hosts(hosts) for h, hosts in blocks.items()}),
            )
        except (TypeError, AttributeError) as error:
            raise ValueError(f"not the wire form of a state: {error}") from error

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read the wire form from JSON; ValueError as in `from_dict`."""
        return cls.from_dict(_decode_json(text))

    @property
    def as_graph(self) -> tuple[list[int], list[int], list[tuple[int, int]], dict[int, Any]]:
        """The state as a graph: known networks, hosts, services and data, in that order.

        A service or a datum is one node for each host it is on.

        Returns:
            The kind of each node (0 network, 1 host, 2 service, 3 data; 4 is kept for blocks), 1
            for each node that is a controlled host, the edges in both directions (network and host
            in it, host and service, host and data), and the thing behind each node.
        """
        networks = _sorted(self.known_networks, _NETWORK_ORDER)
        hosts = _sorted(self.known_hosts, _HOST_ORDER)
        nodes = [*networks, *hosts]
        kinds = [0] * len(networks) + [1] * len(hosts)
        host_node = {host: len(networks) + index for index, host in enumerate(hosts)}
        links = [
            (node, host_node[host])
            for node, network in enumerate(networks)
            for host in hosts
            if isinstance(network, Network) and host in network
        ]
        services = _pairs(self.known_services, _SERVICE_ORDER)
        data = _pairs(self.known_data, _DATA_ORDER)
        for kind, pairs in ((2, services), (3, data)):
            for host, items in pairs:
                if host in host_node:
                    links += [(host_node[host], len(nodes) + i) for i in range(len(items))]
                nodes += items
                kinds += [kind] * len(items)
        controlled = [0] * len(nodes)
        for host in host_node.keys() & self.controlled_hosts:
            controlled[host_node[host]] = 1
        edges = [edge for one, other in links for edge in ((one, other), (other, one))]
        return kinds, controlled, edges, dict(enumerate(nodes))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, GameState):
            return NotImplemented
        return (
            self.controlled_hosts == other.controlled_hosts
            and self.known_hosts == other.known_hosts
            and self.known_networks == other.known_networks
            and self.known_services == other.known_services
            and self.known_data == other.known_data
            and self.known_blocks == other.known_blocks
        )

    # Not kept: nothing stops an agent from adding to the sets of a state it made.
    def __hash__(self) -> int:
        return hash(
            (
                frozenset(self.controlled_hosts),
                frozenset(self.known_hosts),
                frozenset(self.known_networks),
                _frozen_map(self.known_services),
                _frozen_map(self.known_data),
                _frozen_map(self.known_blocks),
            )
        )

    def __str__(self) -> str:
        return (
            f"State<nets:{_set_text(_sorted(self.known_networks, _NETWORK_ORDER))}; "
            f"known:{_set_text(_sorted(self.known_hosts, _HOST_ORDER))}; "
            f"owned:{_set_text(_sorted(self.controlled_hosts, _HOST_ORDER))}; "
            f"services:{_map_text(self.known_services, _SERVICE_ORDER)}; "
            f"data:{_map_text(self.known_data, _DATA_ORDER)}; "
            f"blocks:{_map_text(self.known_blocks, _HOST_ORDER)}>"
        )

    __repr__ = __str__


class Observation(NamedTuple):
    """What an agent is told after a message.

    Attributes:
        state: What it knows now.
        reward: Reward of the step.
        end: Whether its episode has ended.
        info: Empty while the episode runs; has `end_reason` when it has ended.
    """

    state: GameState
    reward: float
    end: bool
    info: dict[str, Any]


# --- names that live elsewhere --------------------------------------------------------------------

_HOME_OF_LAZY_NAMES = {
    "BaseAgent": "netsecgame.agents.base_agent",
    "generate_valid_actions": "netsecgame.utils.utils",
    "state_as_ordered_string": "netsecgame.utils.utils",
}


def __getattr__(name: str) -> Any:
    home = _HOME_OF_LAZY_NAMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)
