"""The options of a server and of a client, from keywords, the environment and a TOML file."""
# ruff: noqa: RUF009 - `option` makes a dataclass field

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from netsecgame.errors import RemoteConfigError, suggest_nearest
from netsecgame.remote.option_kinds import (
    ClientRule,
    client_rules,
    counting,
    flag,
    names,
    one_of,
    option,
    optional,
    path,
    port,
    read_option,
    seconds,
    some_function,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netsecgame.remote.args import RemoteArgs

#: What the names of environment variables begin with: NSG_REMOTE_STEP_TIMEOUT_S.
VARIABLE_PREFIX: Final = "NSG_REMOTE_"

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class _Options:
    """Options that were checked, however they were given."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = read_option(each, getattr(self, each.name), each.name)
            object.__setattr__(self, each.name, value)

    @classmethod
    def of(cls, **keywords: Any) -> Self:
        """The options with these keywords; None is one that was not given.

        Raises:
            TypeError: If there is no such option.
            RemoteConfigError: If a value makes no sense.
        """
        check_names(cls, keywords)
        return cls(**{name: value for name, value in keywords.items() if value is not None})


_Kind = TypeVar("_Kind", bound=_Options)


@dataclass(frozen=True, kw_only=True)
class ServerOptions(_Options):
    """How a server behaves. All times are in seconds."""

    mode: str = option("process", one_of("process", "thread", "inline"), "where environments run")
    max_environments: int = option(1024, counting(1), "how many environments there may be")
    max_environments_per_client: int = option(64, counting(1), "... of one client")
    max_envs_per_stream: int = option(1024, counting(1), "... in one vector environment")
    create_timeout_s: float = option(60.0, seconds, "how long making an environment may take")
    step_timeout_s: float = option(60.0, seconds, "how long a step or a reset may take")
    idle_timeout_s: float = option(3600.0, seconds, "how long a client may be silent")
    max_message_bytes: int = option(64 * _MIB, counting(1), "how long a client's message may be")
    allowed_entrypoints: tuple[str, ...] | None = option(
        None, optional(names), "what clients may ask for, besides the server's own entrypoint"
    )
    allowed_kwargs: tuple[str, ...] | None = option(
        None, optional(names), "which entrypoint_kwargs clients may set; all without it"
    )
    allow_client_reference: bool = option(
        False, flag, "whether clients may choose branch, tag or commit"
    )
    enable_rendering: bool = option(False, flag, "whether environments are made to render")
    plain_spaces: str = option(
        "adapt", one_of("adapt", "strict"), "what a plain peer gets for a space it cannot know"
    )
    check_actions: bool = option(True, flag, "whether actions outside their space are refused")
    drain_s: float = option(10.0, seconds, "how long clients may go on while the server stops")
    prestart: int = option(1, counting(0), "how many processes are kept ready")
    traceback_to_client: bool = option(False, flag, "whether clients see tracebacks")
    exposed_attributes: tuple[str, ...] = option(
        (), names, "which attributes of environments clients may read"
    )
    reflection: bool = option(False, flag, "whether the server answers gRPC reflection")
    keepalive_s: float = option(10.0, seconds, "how often a silent connection is tried")
    authorize: Callable[[str | None, RemoteArgs], object] | None = option(
        None, optional(some_function), "package.module:function that raises to refuse a client"
    )
    clients: dict[str, ClientRule] | None = option(
        None, optional(client_rules), "what each client may do, by the name in its certificate"
    )
    repo_cache: Path = option(Path(".repo_cache"), path, "where checkouts of repositories are")
    metrics_port: int | None = option(None, optional(port), "where Prometheus reads; 0 is any")


@dataclass(frozen=True, kw_only=True)
class ClientOptions(_Options):
    """How a client behaves. All times are in seconds."""

    connect_timeout_s: float = option(10.0, seconds, "how long connecting may take")
    create_timeout_s: float = option(60.0, seconds, "how long making the environment may take")
    step_timeout_s: float = option(60.0, seconds, "how long a step or a reset may take")
    max_message_bytes: int = option(256 * _MIB, counting(1), "how long an answer may be")
    keepalive_s: float = option(10.0, seconds, "how often a silent connection is tried")
    insecure: bool | None = option(
        None, optional(flag), "True: plaintext to another machine is meant that way"
    )
    viewer: Callable[[Any], object] | None = option(
        None, optional(some_function), "what shows frames in the render mode human"
    )
    extended: str | bool = option(
        "auto", one_of("auto", False), "False: speak to our servers as to any other"
    )


def load_server_options(
    keywords: Mapping[str, Any],
    environ: Mapping[str, str] | None = None,
    toml_path: str | Path | None = None,
) -> ServerOptions:
    """Options of a server; a keyword counts more than a variable, and that more than the file.

    Args:
        keywords: None as a value is an option that was not given.
        environ: Variables like ``NSG_REMOTE_STEP_TIMEOUT_S``, written as in TOML, or texts without
            quotes, or lists ``a,b``; None takes those of this process.
        toml_path: A file with options by name.

    Raises:
        TypeError: If a keyword is no option.
        RemoteConfigError: If a value makes no sense, or a variable or key is no option; it names
            the place.
    """
    return _load(ServerOptions, keywords, environ, toml_path)


def load_client_options(
    keywords: Mapping[str, Any],
    environ: Mapping[str, str] | None = None,
    toml_path: str | Path | None = None,
) -> ClientOptions:
    """Options of a client; otherwise as `load_server_options`."""
    return _load(ClientOptions, keywords, environ, toml_path)


def check_names(cls: type[_Options], keywords: Mapping[str, Any]) -> None:
    """Make sure that every keyword is an option.

    Raises:
        TypeError: If one is none; its text has the nearest.
    """
    known = _names_of(cls)
    for name in keywords:
        if name not in known:
            raise TypeError(f"there is no option {name!r}{suggest_nearest(name, known)}")


def _load(
    cls: type[_Kind],
    keywords: Mapping[str, Any],
    environ: Mapping[str, str] | None,
    toml_path: str | Path | None,
) -> _Kind:
    check_names(cls, keywords)
    by_name = {each.name: each for each in fields(cls)}
    values: dict[str, Any] = {}
    if toml_path is not None:
        for name, value in _read_toml(Path(toml_path)).items():
            if name not in by_name:
                hint = suggest_nearest(name, by_name)
                raise RemoteConfigError(f"{toml_path}: there is no option {name!r}{hint}")
            values[name] = read_option(by_name[name], value, f"{toml_path}: {name}")
    for name, (variable, text) in _variables(os.environ if environ is None else environ).items():
        if name in by_name:  # the others are the other side's
            values[name] = read_option(by_name[name], _parse(text), variable)
    values.update((name, value) for name, value in keywords.items() if value is not None)
    return cls(**values)


def _names_of(cls: type[_Options]) -> list[str]:
    return [each.name for each in fields(cls)]


def _variables(environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """By option, the variable and its text; empty ones do not count."""
    known = {*_names_of(ServerOptions), *_names_of(ClientOptions)}
    found = {}
    for variable, text in environ.items():
        if not variable.startswith(VARIABLE_PREFIX) or not text:
            continue
        name = variable.removeprefix(VARIABLE_PREFIX).lower()
        if name not in known:
            hint = suggest_nearest(variable, [VARIABLE_PREFIX + each.upper() for each in known])
            raise RemoteConfigError(f"{variable}: there is no such option{hint}")
        found[name] = (variable, text)
    return found


def _parse(text: str) -> Any:
    """A variable's text as the TOML value it is; as it stands if it is none."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RemoteConfigError(f"{file}: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RemoteConfigError(f"{file}: {error}") from error
