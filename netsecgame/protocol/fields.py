"""Reading the values of the game out of decoded JSON, with errors that name the field.

A reader takes a JSON value (`ABSENT` where there is none) and the dotted path it stands at, and
gives a value of the game or raises BadRequestError. What a peer sent appears in error texts only
cut and escaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from netsecgame.errors import BadRequestError, suggest_nearest
from netsecgame.game_components import IP, AgentInfo, AgentRole, Data, Network, Service

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Stands for the value of a key that is not there.
ABSENT: Final = object()

_SHOWN_CHARACTERS = 40
_MIN_INT64, _MAX_INT64 = -(2**63), 2**63 - 1
_BARE_SERVICE, _BARE_DATA = Service(""), Data("", "")  # where the defaults are


def cut(text: str) -> str:
    """The text, or its beginning with an ellipsis when it is long."""
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def describe(value: object) -> str:
    """A JSON value in an error text: short, printable, in the words of JSON."""
    if value is ABSENT:
        return "nothing"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the string {cut(value)!r}"
    if isinstance(value, int | float):
        return f"the number {cut(str(value))}"
    return "an array" if isinstance(value, list) else "an object"


def expect(expected: str, value: object, path: str) -> BadRequestError:
    """The error for a value that is not what was expected."""
    return BadRequestError(f"expected {expected}, got {describe(value)}", path)


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The reason for a name that is not known, with the nearest one that is and all of them."""
    known = list(known)
    nearest = suggest_nearest(name, known) if len(name) <= _SHOWN_CHARACTERS else ""
    return f"unknown {what} {cut(name)!r}{nearest}; expected {', '.join(known) or 'none'}"


def path_of(name: str, path: str) -> str:
    """The path of a key below another, whatever the peer has called it."""
    shown = cut(name)
    if not shown.isprintable():
        shown = repr(shown)
    return f"{path}.{shown}" if path else shown


def read_object(
    value: Any, path: str, known: tuple[str, ...], what: str = "field"
) -> dict[str, Any]:
    """An object that has no other keys than the known ones."""
    if not isinstance(value, dict):
        raise expect(f"an object with {', '.join(known)}" if known else "an object", value, path)
    for key in value:
        if key not in known:
            raise BadRequestError(unknown(what, key, known), path_of(key, path))
    return value


def read_text(value: Any, path: str) -> str:
    """Any string."""
    if not isinstance(value, str):
        raise expect("a string", value, path)
    return value


def read_bool(value: Any, path: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise expect("true or false", value, path)
    return value


def read_integer(value: Any, path: str, lowest: int, highest: int, expected: str) -> int:
    """A whole number from `lowest` to `highest`; a boolean is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise expect(expected, value, path)
    return value


def read_address(value: Any, path: str) -> IP:
    """A dotted quad."""
    if isinstance(value, str):
        try:
            return IP(value)
        except ValueError:
            pass
    raise expect("an IPv4 address such as '192.168.1.5'", value, path)


def read_host(value: Any, path: str) -> IP:
    """``{"ip": "192.168.1.5"}``."""
    return read_address(read_object(value, path, ("ip",)).get("ip", ABSENT), f"{path}.ip")


def read_network(value: Any, path: str) -> Network:
    """``{"ip": "192.168.1.0", "mask": 24}``; bits behind the mask may be set."""
    fields = read_object(value, path, ("ip", "mask"))
    address = read_address(fields.get("ip", ABSENT), f"{path}.ip")
    mask = read_integer(
        fields.get("mask", ABSENT), f"{path}.mask", 0, 32, "an integer from 0 to 32"
    )
    return Network(address.ip, mask)


def read_service(value: Any, path: str) -> Service:
    """``{"name": "ssh"}``, maybe with type, version and is_local."""
    fields = read_object(value, path, ("name", "type", "version", "is_local"))
    return Service(
        read_text(fields.get("name", ABSENT), f"{path}.name"),
        read_text(fields.get("type", _BARE_SERVICE.type), f"{path}.type"),
        read_text(fields.get("version", _BARE_SERVICE.version), f"{path}.version"),
        read_bool(fields.get("is_local", _BARE_SERVICE.is_local), f"{path}.is_local"),
    )


def read_data(value: Any, path: str) -> Data:
    """``{"owner": "User1", "id": "Data1"}``, maybe with size, type and content."""
    fields = read_object(value, path, ("owner", "id", "size", "type", "content"))
    size = fields.get("size", _BARE_DATA.size)
    return Data(
        read_text(fields.get("owner", ABSENT), f"{path}.owner"),
        read_text(fields.get("id", ABSENT), f"{path}.id"),
        read_integer(size, f"{path}.size", 0, _MAX_INT64, "an integer from 0 to 2**63-1"),
        read_text(fields.get("type", _BARE_DATA.type), f"{path}.type"),
        read_text(fields.get("content", _BARE_DATA.content), f"{path}.content"),
    )


def read_agent_info(value: Any, path: str) -> AgentInfo:
    """``{"name": "Agent1", "role": "Attacker"}``; the name may be empty."""
    fields = read_object(value, path, ("name", "role"))
    name = read_text(fields.get("name", ABSENT), f"{path}.name")
    return AgentInfo(name, _read_role(fields.get("role", ABSENT), f"{path}.role"))


def _read_role(value: Any, path: str) -> AgentRole:
    text = read_text(value, path)
    if len(text) <= _SHOWN_CHARACTERS:
        try:
            return AgentRole.from_string(text)
        except ValueError:
            pass
    raise BadRequestError(unknown("role", text, [role.name for role in AgentRole]), path)


def read_flag(value: Any, path: str) -> bool:
    """True or false, also as Python spells them in a string; null and "None" are false."""
    if value is None or value in ("None", "False"):
        return False
    return value == "True" or read_bool(value, path)


def read_seed(value: Any, path: str) -> int | None:
    """A signed 64-bit integer, or None for null and "None"."""
    if value is None or value == "None":
        return None
    return read_integer(
        value, path, _MIN_INT64, _MAX_INT64, "null or an integer from -2**63 to 2**63-1"
    )
