"""The options of a server as flags of a command: `step_timeout_s` is ``--step-timeout-s``."""

from __future__ import annotations

import inspect
import tomllib
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from netsecgame.remote.options import ServerOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import Field

_Command = TypeVar("_Command", bound="Callable[..., int]")

_PANEL = "Options of the server (also NSG_REMOTE_X_Y, and x_y in the file of --config)"


def with_server_options(command: _Command) -> _Command:
    """Let a command, which takes `**options`, have a flag for each option of a server.

    What was not given is not among its `options`.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    flags = [_flag_of(each) for each in fields(ServerOptions)]
    command.__signature__ = signature.replace(parameters=[*own, *flags])  # type: ignore[attr-defined]
    return command


def read_given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, as keywords of a server."""
    given = {name: value for name, value in options.items() if value is not None}
    if "clients" in given:
        given["clients"] = _read_table("--clients", given["clients"])
    return given


def _flag_of(each: Field[Any]) -> inspect.Parameter:
    name = "--" + each.name.replace("_", "-")
    help_text: str = each.metadata["help"]
    kind: Any = type(each.default) if isinstance(each.default, (bool, int, float)) else str
    if each.name == "metrics_port":
        kind = int
    option = typer.Option(
        f"{name}/--no-{name[2:]}" if kind is bool else name,
        help=_to_sentence(help_text),
        show_default=_show(each.default),
        rich_help_panel=_PANEL,
        metavar=_METAVARS.get(each.name),
    )
    return inspect.Parameter(
        each.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


_METAVARS = {
    "mode": "process|thread|inline",
    "plain_spaces": "adapt|strict",
    "allowed_entrypoints": "E,E...",
    "allowed_kwargs": "NAME,NAME...",
    "exposed_attributes": "NAME,NAME...",
    "authorize": "MODULE:FUNCTION",
    "clients": "TOML",
    "repo_cache": "DIR",
}


def _to_sentence(text: str) -> str:
    is_code = ":" in text.partition(" ")[0]
    return f"{text if is_code else text[0].upper() + text[1:]}."


def _show(default: Any) -> str | bool:
    """What the help tells as the default; nothing where there is none."""
    if isinstance(default, bool):
        return str(default).lower()
    if default is None or default == ():
        return False
    return f"{default:g}" if isinstance(default, float) else str(default)


def _read_table(flag: str, text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        example = "{alice = {max_environments = 2}}"
        raise typer.BadParameter(
            f"expected an inline table of TOML such as {example} ({error})", param_hint=flag
        ) from error
