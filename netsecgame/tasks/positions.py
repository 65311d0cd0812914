"""Start positions and goals: from the values of a task file to a `Position`.

Entries keep their order and their number, so that entry `i` here is entry `i` in the file.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from netsecgame.core.task import Position, Word
from netsecgame.core.topology import LOG_DATA
from netsecgame.game_components import IP, Data, Network, Service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_T = TypeVar("_T")
_K = TypeVar("_K")

_WORDS = frozenset(Word)

#: What the file gives for one host: entries, or a word that stands for all of them.
_Entries: TypeAlias = "list[Any] | str | None"


def convert_position(said: Mapping[str, Any]) -> Position:
    """The position that checked values describe; absent parts are empty."""
    return Position(
        known_networks=_convert_list(said.get("known_networks"), _convert_network),
        known_hosts=_convert_list(said.get("known_hosts"), _convert_host),
        controlled_hosts=_convert_list(said.get("controlled_hosts"), _convert_host),
        known_services=_convert_map(said.get("known_services"), IP, _convert_service),
        known_data=_convert_map(said.get("known_data"), IP, _convert_datum),
        known_blocks=_convert_map(said.get("known_blocks"), _convert_host, _convert_host),
    )


def _convert_list(said: _Entries, convert: Callable[[Any], _T]) -> tuple[_T, ...]:
    return tuple(convert(entry) for entry in ([said] if isinstance(said, str) else said or ()))


def _convert_map(
    said: Mapping[str, _Entries] | None,
    convert_key: Callable[[str], _K],
    convert: Callable[[Any], _T],
) -> Mapping[_K, tuple[_T, ...]]:
    return MappingProxyType(
        {convert_key(key): _convert_list(value, convert) for key, value in (said or {}).items()}
    )


def _convert_network(entry: str) -> Network | Word:
    if entry in _WORDS:
        return Word(entry)
    address, _, mask = entry.partition("/")
    return Network(address, int(mask))


def _convert_host(entry: str) -> IP | Word:
    return Word(entry) if entry in _WORDS else IP(entry)


def _convert_service(entry: str | list[Any] | dict[str, Any]) -> Service | Word:
    if isinstance(entry, str):
        return Word(entry)
    if isinstance(entry, list):
        return Service(*entry)
    return Service(**{"type": "passive", "is_local": False, **entry})


def _convert_datum(entry: str | list[str] | dict[str, str]) -> Data | Word:
    if isinstance(entry, str):
        return Word(entry)
    owner, data_id = entry if isinstance(entry, list) else (entry["owner"], entry["id"])
    if (owner, data_id) == (LOG_DATA.owner, LOG_DATA.id):
        return LOG_DATA
    return Data(owner, data_id)
