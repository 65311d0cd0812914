from __future__ import annotations

import pickle
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.errors import RemoteConfigError
from netsecgame.remote.option_kinds import ClientRule
from netsecgame.remote.options import (
    ClientOptions,
    ServerOptions,
    load_client_options,
    load_server_options,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MIB = 1024 * 1024

SERVER_DEFAULTS: dict[str, Any] = {
    "mode": "process",
    "max_environments": 1024,
    "max_environments_per_client": 64,
    "max_envs_per_stream": 1024,
    "create_timeout_s": 60,
    "step_timeout_s": 60,
    "idle_timeout_s": 3600,
    "max_message_bytes": 64 * MIB,
    "allowed_entrypoints": None,
    "allowed_kwargs": None,
    "allow_client_reference": False,
    "enable_rendering": False,
    "plain_spaces": "adapt",
    "check_actions": True,
    "drain_s": 10,
    "prestart": 1,
    "traceback_to_client": False,
    "exposed_attributes": (),
    "reflection": False,
    "keepalive_s": 10,
    "authorize": None,
    "clients": None,
    "repo_cache": Path(".repo_cache"),
    "metrics_port": None,
}
CLIENT_DEFAULTS: dict[str, Any] = {
    "connect_timeout_s": 10,
    "create_timeout_s": 60,
    "step_timeout_s": 60,
    "max_message_bytes": 256 * MIB,
    "keepalive_s": 10,
    "insecure": None,
    "viewer": None,
    "extended": "auto",
}

#: Of each server option: text of a variable, and what it means.
SERVER_TEXTS: dict[str, tuple[str, Any]] = {
    "mode": ("thread", "thread"),
    "max_environments": ("7", 7),
    "max_environments_per_client": ("8", 8),
    "max_envs_per_stream": ("9", 9),
    "create_timeout_s": ("1.5", 1.5),
    "step_timeout_s": ("2", 2.0),
    "idle_timeout_s": ("3", 3.0),
    "max_message_bytes": ("1_000", 1000),
    "allowed_entrypoints": ("a.py, b:make", ("a.py", "b:make")),
    "allowed_kwargs": ('["size", "speed"]', ("size", "speed")),
    "allow_client_reference": ("true", True),
    "enable_rendering": ("1", True),
    "plain_spaces": ("strict", "strict"),
    "check_actions": ("False", False),
    "drain_s": ("0.25", 0.25),
    "prestart": ("0", 0),
    "traceback_to_client": ("TRUE", True),
    "exposed_attributes": ("goal", ("goal",)),
    "reflection": ("true", True),
    "keepalive_s": ("4", 4.0),
    "authorize": ("os.path:basename", __import__("os").path.basename),
    "clients": ("{ann = {max_environments = 2}}", {"ann": ClientRule(max_environments=2)}),
    "repo_cache": ("/somewhere", Path("/somewhere")),
    "metrics_port": ("0", 0),
}
CLIENT_TEXTS: dict[str, tuple[str, Any]] = {
    "connect_timeout_s": ("1", 1.0),
    "create_timeout_s": ("2", 2.0),
    "step_timeout_s": ("3", 3.0),
    "max_message_bytes": ("4", 4),
    "keepalive_s": ("5", 5.0),
    "insecure": ("true", True),
    "viewer": ("os.path:basename", __import__("os").path.basename),
    "extended": ("false", False),
}

#: Values that make no sense, and what the error expects.
WRONG: list[tuple[str, Any, str]] = [
    ("mode", "proces", "expected one of process, thread, inline (did you mean 'process'?)"),
    ("mode", 5, "expected one of process, thread, inline"),
    ("max_environments", 0, "a whole number from 1"),
    ("max_environments", True, "a whole number from 1"),
    ("max_environments", "many", "a whole number from 1"),
    ("prestart", -1, "a whole number from 0"),
    ("step_timeout_s", 0, "a number of seconds above 0"),
    ("step_timeout_s", float("inf"), "a number of seconds above 0"),
    ("step_timeout_s", float("nan"), "a number of seconds above 0"),
    ("step_timeout_s", "60", "a number of seconds above 0"),
    ("reflection", "maybe", "true or false"),
    ("reflection", 2, "true or false"),
    ("reflection", [], "true or false"),
    ("metrics_port", 65536, "a port from 0 to 65535"),
    ("allowed_kwargs", 3, "a list of texts"),
    ("allowed_kwargs", ["a", 3], "a list of texts"),
    ("allowed_kwargs", "a,,b", "a list of texts"),
    ("repo_cache", 3, "a path"),
    ("authorize", 3, "a function"),
    ("authorize", "os.path", "package.module:function"),
    ("authorize", "no.such:function", "package.module:function (No module named 'no')"),
    ("authorize", "os.path:nothing", "package.module:function"),
    ("clients", ["ann"], "a table of clients"),
    ("clients", {"ann": 3}, "for 'ann'"),
    ("clients", {"ann": {"max_environment": 3}}, "did you mean 'max_environments'?"),
    ("clients", {"ann": {"max_environments": 0}}, "a whole number from 1"),
]


def read(
    load: Callable[..., Any],
    keywords: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    toml: Path | None = None,
) -> Any:
    return load(keywords or {}, environ or {}, toml)


@pytest.mark.parametrize(
    ("load", "defaults"),
    [(load_server_options, SERVER_DEFAULTS), (load_client_options, CLIENT_DEFAULTS)],
)
def test_options_nothing_given_are_the_documented_defaults(
    load: Callable[..., Any], defaults: dict[str, Any]
) -> None:
    options = read(load)

    assert {each.name: getattr(options, each.name) for each in fields(options)} == defaults


@pytest.mark.parametrize(
    ("load", "name", "text", "value"),
    [
        *((load_server_options, name, *each) for name, each in SERVER_TEXTS.items()),
        *((load_client_options, name, *each) for name, each in CLIENT_TEXTS.items()),
    ],
)
def test_options_variable_given_is_the_value_of_its_type(
    load: Callable[..., Any], name: str, text: str, value: Any
) -> None:
    options = read(load, environ={f"NSG_REMOTE_{name.upper()}": text})

    assert getattr(options, name) == value
    assert type(getattr(options, name)) is type(value)


def test_options_all_have_a_text_in_these_tests() -> None:
    assert SERVER_TEXTS.keys() == SERVER_DEFAULTS.keys()
    assert CLIENT_TEXTS.keys() == CLIENT_DEFAULTS.keys()


def test_options_all_tell_what_they_are_for() -> None:
    assert all(
        each.metadata["help"] for cls in (ServerOptions, ClientOptions) for each in fields(cls)
    )


def test_options_given_thrice_keyword_beats_variable_beats_file(tmp_path: Path) -> None:
    toml = tmp_path / "server.toml"
    toml.write_text('mode = "inline"\ndrain_s = 1\nprestart = 2\n')
    environ = {"NSG_REMOTE_MODE": "thread", "NSG_REMOTE_DRAIN_S": "3"}

    options = load_server_options({"mode": "process"}, environ, toml)

    assert (options.mode, options.drain_s, options.prestart) == ("process", 3.0, 2)


def test_options_keyword_none_is_not_given() -> None:
    options = load_server_options({"mode": None}, {"NSG_REMOTE_MODE": "thread"})

    assert options.mode == "thread"
    assert ServerOptions.of(mode=None).mode == "process"


def test_options_no_environ_given_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSG_REMOTE_STEP_TIMEOUT_S", "5")

    assert load_client_options({}).step_timeout_s == 5
    assert load_server_options({}).step_timeout_s == 5


def test_options_variable_of_the_other_side_is_left_alone() -> None:
    assert load_client_options({}, {"NSG_REMOTE_MODE": "thread"}) == ClientOptions()


def test_options_empty_variable_is_not_given() -> None:
    assert load_server_options({}, {"NSG_REMOTE_MODE": ""}).mode == "process"


def test_options_clients_in_toml_are_rules(tmp_path: Path) -> None:
    toml = tmp_path / "server.toml"
    toml.write_text(
        '[clients."trainer.lab"]\nmax_environments = 4\nentrypoints = ["a.py"]\n'
        '[clients."*"]\nmax_envs_per_stream = 1\n'
    )

    clients = load_server_options({}, {}, toml).clients

    assert clients == {
        "trainer.lab": ClientRule(max_environments=4, entrypoints=("a.py",)),
        "*": ClientRule(max_envs_per_stream=1),
    }


@pytest.mark.parametrize(("name", "value", "expected"), WRONG)
def test_options_wrong_value_is_named(name: str, value: Any, expected: str) -> None:
    with pytest.raises(RemoteConfigError) as raised:
        ServerOptions.of(**{name: value})

    assert str(raised.value).startswith(f"{name}: ")
    assert expected in str(raised.value)
    assert repr(value) in str(raised.value)


def test_options_wrong_variable_names_it() -> None:
    with pytest.raises(RemoteConfigError, match=r"^NSG_REMOTE_DRAIN_S: .*got 'soon'"):
        load_server_options({}, {"NSG_REMOTE_DRAIN_S": "soon"})


def test_options_wrong_value_in_the_file_names_file_and_key(tmp_path: Path) -> None:
    toml = tmp_path / "server.toml"
    toml.write_text("drain_s = 'soon'")

    with pytest.raises(RemoteConfigError, match=r"server\.toml: drain_s: .*got 'soon'"):
        load_server_options({}, {}, toml)


@pytest.mark.parametrize("make", [ServerOptions.of, lambda **k: load_server_options(k, {})])
def test_options_unknown_keyword_raises_with_the_nearest(make: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"'step_timeout'.*did you mean 'step_timeout_s'"):
        make(step_timeout=5)


def test_options_unknown_variable_raises_with_the_nearest() -> None:
    with pytest.raises(RemoteConfigError, match="did you mean 'NSG_REMOTE_MODE'"):
        load_server_options({}, {"NSG_REMOTE_MODES": "thread"})


def test_options_unknown_key_in_the_file_raises_with_the_nearest(tmp_path: Path) -> None:
    toml = tmp_path / "server.toml"
    toml.write_text("dain_s = 1")

    with pytest.raises(RemoteConfigError, match="did you mean 'drain_s'"):
        load_server_options({}, {}, toml)


@pytest.mark.parametrize("content", [b"drain_s = ", b"\xff\xfe", None])
def test_options_file_that_cannot_be_read_raises_with_its_name(
    tmp_path: Path, content: bytes | None
) -> None:
    toml = tmp_path / "server.toml"
    if content is not None:
        toml.write_bytes(content)

    with pytest.raises(RemoteConfigError, match=r"server\.toml"):
        load_server_options({}, {}, toml)


def test_options_survive_pickling() -> None:
    options = ServerOptions.of(clients={"ann": {"entrypoints": ["a.py"]}}, mode="thread")

    assert pickle.loads(pickle.dumps(options)) == options


def test_options_extended_true_is_refused() -> None:
    with pytest.raises(RemoteConfigError, match="expected one of auto, false"):
        ClientOptions.of(extended=True)
