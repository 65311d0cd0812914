"""What environment is made: the server's arguments, and what a client may change of them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict

from netsecgame.errors import (
    EntrypointError,
    NotAllowedError,
    RemoteConfigError,
    suggest_nearest,
)
from netsecgame.remote.entrypoint_files import check_entrypoint
from netsecgame.remote.repository import absolute_url, check_reference, check_url, checkout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netsecgame.remote.entrypoint import EnvironmentMaker
    from netsecgame.remote.option_kinds import ClientRule
    from netsecgame.remote.options import ServerOptions

#: Longest JSON of a client's arguments. It is parsed where all clients are served.
MAX_ARGS_LENGTH: Final = 1024 * 1024

_NAMES: Final = ("entrypoint", "entrypoint_kwargs", "repo", "reference")


class RemoteArgs(TypedDict, total=False):
    """How to make an environment.

    Attributes:
        entrypoint: A ``.py`` file below the working folder or in the repository, or
            ``package.module:function``.
        entrypoint_kwargs: For the factory, as JSON can carry them.
        repo: URL or path of a git repository, which the server clones.
        reference: Branch, tag or commit in it; None is its HEAD.
        env_id: The environment's number; the server's gate writes it.
    """

    entrypoint: str | None
    entrypoint_kwargs: dict[str, Any]
    repo: str | None
    reference: str | None
    env_id: int


@dataclass(frozen=True)
class ServerArgs:
    """A server's own arguments, checked when it starts.

    Attributes:
        defaults: What holds where a client says nothing.
        allowed: Entrypoints that any client may ask for.
        folder: The working folder, where entrypoints without a repository lie.
        repo_cache: Where checkouts are.
    """

    defaults: RemoteArgs
    allowed: tuple[str, ...]
    folder: Path
    repo_cache: Path

    def maker(self, options: ServerOptions) -> EnvironmentMaker:
        """What makes the environments; in process mode each process needs its own."""
        # It brings Gymnasium, which checking arguments needs not.
        from netsecgame.remote.entrypoint import EnvironmentMaker  # noqa: PLC0415

        owns_process = options.mode == "process"
        return EnvironmentMaker(
            self.folder, self.repo_cache, options.enable_rendering, owns_process
        )


def check_server_args(default_args: Mapping[str, Any] | None, options: ServerOptions) -> ServerArgs:
    """What a server begins with; fetches the repository if there is one, which may take long.

    Args:
        default_args: As `RemoteArgs`, without `env_id`.
        options: Of the server.

    Raises:
        RemoteConfigError: If there is nothing to play, or it cannot be found.
    """
    defaults = _read_args(default_args or {})
    folder = Path.cwd().resolve()
    cache = (folder / options.repo_cache).resolve()
    own = defaults.get("entrypoint")
    allowed = tuple(dict.fromkeys([*([own] if own else []), *(options.allowed_entrypoints or ())]))
    of_clients = [rule.entrypoints or () for rule in (options.clients or {}).values()]
    playable = [*allowed, *(each for group in of_clients for each in group)]
    if not playable:
        raise RemoteConfigError("expected an entrypoint, or allowed_entrypoints; got neither")
    try:
        base = _fetch(defaults, folder, cache)
        for entrypoint in playable:
            check_entrypoint(entrypoint, base)
    except (EntrypointError, NotAllowedError) as error:
        detail = f": {error.__cause__}" if error.__cause__ else ""
        raise RemoteConfigError(f"{error}{detail}") from error
    return ServerArgs(defaults, allowed, folder, cache)


def merge(
    server_args: ServerArgs,
    client_json: str | None,
    options: ServerOptions,
    identity: str | None,
) -> dict[str, Any]:
    """The arguments of one environment: the client's over the server's, where it may choose.

    Args:
        server_args: What the server begins with.
        client_json: The client's `RemoteArgs` as JSON; None is ``{}``.
        options: Of the server.
        identity: The client's name in its certificate; None without one.

    Returns:
        A new `RemoteArgs` with an entrypoint and `entrypoint_kwargs`, still without `env_id`.

    Raises:
        RemoteConfigError: If the client's arguments cannot be understood.
        NotAllowedError: If the client may not have that.
    """
    rule = _rule_of(identity, options)
    client = _parse(client_json)
    defaults = server_args.defaults
    merged: dict[str, Any] = {**defaults}
    if "repo" in client:
        raise NotAllowedError("'repo' is the server's choice")
    if "reference" in client:
        merged["reference"] = _read_client_reference(client["reference"], defaults, options)
    merged["entrypoint"] = _choose_entrypoint(client, server_args, rule)
    merged["entrypoint_kwargs"] = {
        **defaults.get("entrypoint_kwargs", {}),
        **_read_client_kwargs(client, options),
    }
    return merged


def _read_args(given: Mapping[str, Any]) -> RemoteArgs:
    """Arguments of the operator, all of them checked; those that are None are left out."""
    if not isinstance(given, Mapping):
        raise RemoteConfigError(f"default_args: expected a dict, got {given!r}")
    _check_names(given, "default_args: ")
    args = RemoteArgs()
    entrypoint, repo, reference = (given.get(n) for n in ("entrypoint", "repo", "reference"))
    if entrypoint is not None:
        args["entrypoint"] = _read_text("entrypoint", entrypoint)
    if repo is not None:
        url = _read_text("repo", repo)
        _check_of_operator(check_url, url)
        args["repo"] = absolute_url(url)
    if reference is not None:
        name = _read_text("reference", reference)
        if repo is None:
            raise RemoteConfigError(f"reference: {name!r} needs a repo")
        _check_of_operator(check_reference, name)
        args["reference"] = name
    args["entrypoint_kwargs"] = _read_kwargs(given.get("entrypoint_kwargs"))
    return args


def _check_names(given: Mapping[str, Any], place: str = "") -> None:
    for name in given:
        if name not in _NAMES:
            hint = suggest_nearest(str(name), _NAMES)
            expected = ", ".join(_NAMES)
            raise RemoteConfigError(f"{place}expected {expected}; there is no {name!r}{hint}")


def _read_text(name: str, value: object) -> str:
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise RemoteConfigError(f"{name}: expected a text, got {value!r}")
    return str(os.fspath(value))


def _check_of_operator(check: Callable[[str], None], value: str) -> None:
    try:
        check(value)
    except NotAllowedError as error:
        raise RemoteConfigError(str(error)) from error


def _read_kwargs(value: object) -> dict[str, Any]:
    """The operator's `entrypoint_kwargs`; they go to environments as JSON, tuples as lists."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RemoteConfigError(f"entrypoint_kwargs: expected a dict, got {value!r}")
    for name, each in value.items():
        if not isinstance(name, str):
            raise RemoteConfigError(f"entrypoint_kwargs: expected texts as names, got {name!r}")
        try:
            json.dumps(each)
        except (TypeError, ValueError) as error:
            raise RemoteConfigError(
                f"entrypoint_kwargs: expected what JSON can carry for {name!r} ({error})"
            ) from error
    copied: dict[str, Any] = json.loads(json.dumps(dict(value)))
    return copied


def _fetch(args: RemoteArgs, folder: Path, cache: Path) -> Path:
    """Where entrypoints lie."""
    repo = args.get("repo")
    return checkout(repo, args.get("reference"), cache) if repo else folder


def _rule_of(identity: str | None, options: ServerOptions) -> ClientRule | None:
    if options.clients is None:
        return None
    rule = options.clients.get("*") if identity is None else options.clients.get(identity)
    rule = rule or options.clients.get("*")
    if rule is None:
        seen = "no certificate" if identity is None else f"the name {identity!r} in a certificate"
        raise NotAllowedError(f"the server knows its clients by name; it got {seen}")
    return rule


def _parse(client_json: str | None) -> dict[str, Any]:
    if client_json is None:
        return {}
    if len(client_json) > MAX_ARGS_LENGTH:
        raise RemoteConfigError(
            f"args: expected at most {MAX_ARGS_LENGTH} characters, got {len(client_json)}"
        )
    try:
        given = json.loads(client_json)
    except (ValueError, RecursionError) as error:
        raise RemoteConfigError(f"args: expected JSON ({error})") from error
    if not isinstance(given, dict):
        raise RemoteConfigError(f"args: expected a JSON object, got a {type(given).__name__}")
    _check_names(given, "args: ")
    return given


def _read_client_reference(
    reference: object, defaults: RemoteArgs, options: ServerOptions
) -> str | None:
    if not options.allow_client_reference:
        raise NotAllowedError("'reference' is the server's choice")
    if reference is None:
        return None
    if not isinstance(reference, str):
        raise RemoteConfigError(f"reference: expected a text or null, got {reference!r}")
    if not defaults.get("repo"):
        raise RemoteConfigError("reference: the server's environments are in no repository")
    check_reference(reference)
    return reference


def _choose_entrypoint(
    client: Mapping[str, Any], server_args: ServerArgs, rule: ClientRule | None
) -> str:
    allowed = server_args.allowed
    if rule is not None and rule.entrypoints is not None:
        allowed = rule.entrypoints
    if "entrypoint" in client:
        entrypoint = client["entrypoint"]
    else:
        entrypoint = server_args.defaults.get("entrypoint")
        if entrypoint is None:
            raise RemoteConfigError(f"entrypoint: choose one of {_list(allowed)}")
    if entrypoint not in allowed:
        hint = suggest_nearest(entrypoint, allowed) if isinstance(entrypoint, str) else ""
        raise NotAllowedError(
            f"the entrypoint {_shorten(entrypoint)} is not allowed; expected {_list(allowed)}{hint}"
        )
    assert isinstance(entrypoint, str)
    return entrypoint


def _read_client_kwargs(client: Mapping[str, Any], options: ServerOptions) -> dict[str, Any]:
    kwargs = client.get("entrypoint_kwargs", {})
    if not isinstance(kwargs, dict):
        raise RemoteConfigError(f"entrypoint_kwargs: expected an object, got {_shorten(kwargs)}")
    allowed = options.allowed_kwargs
    if allowed is not None:
        for name in kwargs:
            if name not in allowed:
                hint = suggest_nearest(name, allowed)
                raise NotAllowedError(
                    f"entrypoint_kwargs: clients may set {_list(allowed)}, "
                    f"not {_shorten(name)}{hint}"
                )
    return kwargs


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "nothing"


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
