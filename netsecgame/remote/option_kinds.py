"""Kinds of options: what a value may be, and how the error says that it is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from netsecgame.errors import RemoteConfigError, suggest_nearest

#: Turns what was given into the option's value; raises ValueError saying what it expected.
Reader = Callable[[Any], Any]


def option(default: Any, read: Reader, tells: str) -> Any:
    """A field of a dataclass of options.

    Args:
        default: Its value if it is not given.
        read: What its values may be.
        tells: What it is for; the command line prints it.
    """
    return field(default=default, metadata={"read": read, "help": tells})


def read_option(each: Field[Any], value: Any, place: str) -> Any:
    """The value of an option, checked.

    Args:
        each: The field that `option` made.
        value: What was given.
        place: What the error calls it: the option's name, a variable, a line of a file.

    Raises:
        RemoteConfigError: If it makes no sense.
    """
    try:
        return each.metadata["read"](value)
    except ValueError as error:
        raise RemoteConfigError(f"{place}: {error}, got {value!r}") from error


def flag(value: Any) -> bool:
    """True or false; 1, 0 and the words in any case are fine."""
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower(), value)
    if value in (0, 1) and isinstance(value, (bool, int)):
        return bool(value)
    raise ValueError("expected true or false")


def counting(first: int) -> Reader:
    """A whole number from `first`."""
    return partial(_read_count, first)


def _read_count(first: int, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < first:
        raise ValueError(f"expected a whole number from {first}")
    return value


def seconds(value: Any) -> float:
    """A time that is longer than nothing."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value <= 0:
        raise ValueError("expected a number of seconds above 0")
    return float(value)


def port(value: Any) -> int:
    """The number of a port; 0 is any."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 65535:
        raise ValueError("expected a port from 0 to 65535")
    return value


def path(value: Any) -> Path:
    """A file or folder."""
    if not isinstance(value, (str, Path)) or not str(value):
        raise ValueError("expected a path")
    return Path(value)


def names(value: Any) -> tuple[str, ...]:
    """Texts; one text has commas between them."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=str)
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(each, str) and each for each in value
    ):
        raise ValueError("expected a list of texts")
    return tuple(value)


def one_of(*known: str | bool) -> Reader:
    """One of these words; False may be one of them."""
    return partial(_read_one_of, known)


def _read_one_of(known: tuple[str | bool, ...], value: Any) -> str | bool:
    folded = value.lower() if isinstance(value, str) else value
    for each in known:
        if type(each) is type(folded) and each == folded:
            return each
        if each is False and folded == "false":
            return each
    words = [each if isinstance(each, str) else str(each).lower() for each in known]
    hint = suggest_nearest(value, words) if isinstance(value, str) else ""
    raise ValueError(f"expected one of {', '.join(words)}{hint}")


def optional(read: Reader) -> Reader:
    """None, or what `read` takes."""
    return partial(_read_optional, read)


def _read_optional(read: Reader, value: Any) -> Any:
    return None if value is None else read(value)


def some_function(value: Any) -> Callable[..., object]:
    """Something to call; ``package.module:function`` is imported."""
    if isinstance(value, str):
        module, colon, name = value.partition(":")
        if not (module and colon and name):
            raise ValueError("expected package.module:function")
        try:
            value = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"expected package.module:function ({error})") from error
    if not callable(value):
        raise ValueError("expected a function")  # noqa: TRY004 - all readers raise this one
    called: Callable[..., object] = value
    return called


@dataclass(frozen=True, kw_only=True)
class ClientRule:
    """What one client may do, who is known by its certificate.

    Attributes:
        max_environments: In place of the server's `max_environments_per_client`.
        max_envs_per_stream: In place of the server's.
        entrypoints: What it may play; None is what everybody may.
    """

    max_environments: int | None = option(None, optional(counting(1)), "")
    max_envs_per_stream: int | None = option(None, optional(counting(1)), "")
    entrypoints: tuple[str, ...] | None = option(None, optional(names), "")

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(
                self, each.name, read_option(each, getattr(self, each.name), each.name)
            )


def client_rules(value: Any) -> dict[str, ClientRule]:
    """Rules by the name in a certificate; ``*`` is everybody who has none of their own."""
    if not isinstance(value, Mapping):
        raise ValueError("expected a table of clients")  # noqa: TRY004 - all readers raise this one
    return {str(name): _read_rule(str(name), rule) for name, rule in value.items()}


def _read_rule(name: str, value: Any) -> ClientRule:
    if isinstance(value, ClientRule):
        return value
    known = [each.name for each in fields(ClientRule)]
    if not isinstance(value, Mapping):
        raise ValueError(f"expected a table of {', '.join(known)} for {name!r}")  # noqa: TRY004
    for key in value:
        if key not in known:
            hint = suggest_nearest(str(key), known)
            raise ValueError(f"expected one of {', '.join(known)} for {name!r}{hint}")
    try:
        return ClientRule(**value)
    except RemoteConfigError as error:
        raise ValueError(f"client {name!r}: {error}") from error
