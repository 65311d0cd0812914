"""The GameState of a reply: read part by part, its parts copied when somebody looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from netsecgame.game_components import IP, Data, GameState, Network, Service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_T = TypeVar("_T")

# A part that changed still has most of its values. Looking one up by its JSON takes a third of the
# time of reading it, and equal ones are one object, which keeps sets of them fast.
_KEPT_VALUES = 16_384  # of each kind; forgetting one costs only time
_LONGEST_KEPT = 512  # bytes of JSON; what is longer is the content of data, which changes

_decode = msgspec.json.Decoder().decode
_split_list = msgspec.json.Decoder(list[msgspec.Raw] | None).decode
_split_lists = msgspec.json.Decoder(dict[str, list[msgspec.Raw]] | None).decode


@dataclass(frozen=True, init=False, eq=False, repr=False)
class WireState(GameState):
    """What an agent was told it knows; equals the plain GameState of the same content.

    States that follow each other share what was read of them. A part is copied when somebody looks
    at it, so that whoever changes its sets changes no other state.
    """

    @classmethod
    def of(cls, parts: Mapping[str, Any]) -> Self:
        """The state of these parts.

        Args:
            parts: For each field of GameState what `READ_PART` gave; not to be changed any more.
        """
        state = cls.__new__(cls)  # without the fields, so that _Part is asked for them
        state.__dict__["_parts"] = parts
        return state

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled as the plain value."""
        return GameState, tuple(getattr(self, name) for name in GameState.__dataclass_fields__)


class _Part:
    """Stands in for one field of a `WireState` until somebody looks at it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, state: WireState, kind: type[WireState]) -> Any:
        part = state.__dict__["_parts"][self._name]
        copied = state.__dict__[self._name] = (
            part.copy()
            if part.__class__ is set
            else {host: items.copy() for host, items in part.items()}
        )
        return copied


for _name in GameState.__dataclass_fields__:
    setattr(WireState, _name, _Part(_name))


# --- reading --------------------------------------------------------------------------------------


def _keeping(read: Callable[[Any], _T]) -> Callable[[msgspec.Raw], _T]:
    """Reads a value from its JSON, or gives the one that was read from the same JSON before."""

    def read_json(text: bytes) -> _T:
        return read(_decode(text))

    look_up = lru_cache(_KEPT_VALUES)(read_json)

    def read_raw(raw: msgspec.Raw) -> _T:
        text = bytes(raw)
        return look_up(text) if len(text) <= _LONGEST_KEPT else read_json(text)

    return read_raw


# Agents that map hosts to concepts may send plain strings, here as in GameState.from_dict.
_read_host = _keeping(lambda item: item if item.__class__ is str else IP.from_dict(item))
_read_network = _keeping(lambda item: msgspec.convert(item, Network | str))
_read_service = _keeping(lambda item: msgspec.convert(item, Service | str))
_read_datum = _keeping(lambda item: msgspec.convert(item, Data | str))


def _read_key(text: str) -> IP | str:
    try:
        return IP(text)
    except ValueError:
        return text


def _set_of(read: Callable[[msgspec.Raw], Any]) -> Callable[[msgspec.Raw], Any]:
    return lambda part: set(map(read, _split_list(part) or ()))


def _sets_of(read: Callable[[msgspec.Raw], Any]) -> Callable[[msgspec.Raw], Any]:
    return lambda part: {
        _read_key(host): set(map(read, items)) for host, items in (_split_lists(part) or {}).items()
    }


#: Reads each field of a GameState from its JSON; null is empty. ValueError or RecursionError if it
#: is nothing that `GameState.from_dict` takes; also for a little that it does take.
READ_PART: Mapping[str, Callable[[msgspec.Raw], Any]] = MappingProxyType(
    {
        "controlled_hosts": _set_of(_read_host),
        "known_hosts": _set_of(_read_host),
        "known_services": _sets_of(_read_service),
        "known_data": _sets_of(_read_datum),
        "known_networks": _set_of(_read_network),
        "known_blocks": _sets_of(_read_host),
    }
)
