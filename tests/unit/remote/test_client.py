"""The parts of the client that need no server."""

from __future__ import annotations

import importlib
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from netsecgame import errors, remote
from netsecgame.errors import InvalidActionError, ProtocolViolationError, RemoteError
from netsecgame.remote import array_json, described
from netsecgame.remote.binding import Binding
from netsecgame.remote.client_arguments import read_options
from netsecgame.remote.codec import extended_codec
from netsecgame.remote.messages import parse_response
from netsecgame.remote.received_errors import make_error
from netsecgame.remote.reports import Reason, ReceivedError, Report, error_response, read_error
from netsecgame.remote.tls import is_loopback, join_address

ADDRESS = "trainer.lab:56765"


def _raised_for(report: Report, phase: str = "step") -> RemoteError:
    status = parse_response(error_response(report)).error
    return make_error(read_error(status), ADDRESS, phase)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Reason.ENV_RAISED, errors.EnvironmentRaisedError),
        (Reason.ENV_DIED, errors.EnvironmentDiedError),
        (Reason.ENV_TIMEOUT, errors.RemoteTimeoutError),
        (Reason.BAD_ACTION, errors.InvalidActionError),
        (Reason.BAD_TENSOR, errors.ProtocolViolationError),
        (Reason.BAD_ARGS, errors.RemoteConfigError),
        (Reason.NOT_ALLOWED, errors.NotAllowedError),
        (Reason.ENTRYPOINT, errors.EntrypointError),
        (Reason.FULL, errors.ServerFullError),
        (Reason.BAD_STATE, errors.ProtocolViolationError),
        (Reason.UNIMPLEMENTED, errors.UnsupportedByServerError),
        (Reason.NOT_FOUND, errors.ProtocolViolationError),
    ],
)
def test_make_error_of_each_reason_is_its_exception(
    reason: Reason, expected: type[RemoteError]
) -> None:
    error = _raised_for(Report(reason, "SomeError", "what was seen"))
    assert type(error) is expected
    assert "what was seen" in str(error)


def test_make_error_covers_all_reasons() -> None:
    for reason in Reason:
        assert isinstance(_raised_for(Report(reason, "SomeError", "text")), RemoteError)


def test_make_error_carries_what_the_server_tells() -> None:
    error = _raised_for(Report(Reason.ENV_RAISED, "KeyError", "'x'", "reset", "Traceback …"))
    assert isinstance(error, errors.EnvironmentRaisedError)
    assert (error.type_name, error.message) == ("KeyError", "'x'")
    assert (error.phase, error.traceback) == ("reset", "Traceback …")
    died = _raised_for(Report(Reason.ENV_DIED, "EnvironmentDiedError", "gone", exit_code=-9))
    assert isinstance(died, errors.EnvironmentDiedError)
    assert died.exit_code == -9
    late = _raised_for(Report(Reason.ENV_TIMEOUT, "RemoteTimeoutError", "late"), "reset")
    assert isinstance(late, errors.RemoteTimeoutError)
    assert late.phase == "reset"
    assert ADDRESS in str(late)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (2, errors.EnvironmentRaisedError),
        (3, errors.ProtocolViolationError),
        (4, errors.RemoteTimeoutError),
        (7, errors.NotAllowedError),
        (8, errors.ServerFullError),
        (12, errors.UnsupportedByServerError),
        (14, errors.ServerDrainingError),
        (99, errors.EnvironmentRaisedError),
    ],
)
def test_make_error_of_another_server_goes_by_the_code(
    code: int, expected: type[RemoteError]
) -> None:
    assert type(make_error(ReceivedError(code, None, "", "text"), ADDRESS, "step")) is expected
    assert str(make_error(ReceivedError(code, None, "", ""), ADDRESS, "step"))


def test_read_options_knows_options_from_other_arguments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert read_options((), {"step_timeout_s": 3}).step_timeout_s == 3.0
    monkeypatch.setenv("NSG_REMOTE_STEP_TIMEOUT_S", "7")
    assert read_options((), {}).step_timeout_s == 7.0
    with pytest.warns(UserWarning, match=r"ignored: 1, viewers \(did you mean 'viewer'\?\)"):
        read_options([1], {"viewers": 2})


def test_reward_range_of_a_description_is_two_floats() -> None:
    told = {"reward_range": array_json.tag((-1, math.inf))}
    assert described.reward_range_of(told) == (-1.0, math.inf)
    assert described.reward_range_of({"reward_range": None}) == (-math.inf, math.inf)
    with pytest.raises(ProtocolViolationError, match="tagged JSON"):
        described.reward_range_of({"reward_range": {"$nd": 1}})


def test_spec_of_a_description_has_id_and_limit() -> None:
    spec = described.spec_of({"spec": {"id": "CartPole-v1", "max_episode_steps": 9}})
    assert spec is not None
    assert (spec.id, spec.max_episode_steps) == ("CartPole-v1", 9)
    for told in (None, {}, {"id": "no id at all!", "max_episode_steps": None}):
        assert described.spec_of({"spec": told}) is None


def test_keep_equal_keeps_a_seeded_space() -> None:
    known = gymnasium.spaces.Discrete(3, seed=1)
    assert described.keep_equal(known, gymnasium.spaces.Discrete(3)) is known
    other = gymnasium.spaces.Discrete(4)
    assert described.keep_equal(known, other) is other
    assert described.keep_equal(None, other) is other


def test_binding_goes_by_name_and_names_what_is_missing() -> None:
    space = gymnasium.spaces.Dict(
        {"a": gymnasium.spaces.Discrete(2), "b": gymnasium.spaces.MultiBinary(2)}
    )
    codec = extended_codec(space, "action")
    offered = dict(zip((1007, 1003), codec.fields, strict=True))
    binding = Binding.by_name(codec, offered)
    value = {"a": np.int64(1), "b": np.array([0, 1], np.int8)}
    tensors = binding.write(value)
    assert set(tensors) == {1007, 1003}
    seen = binding.read(tensors)
    assert seen["a"] == 1
    assert seen["b"].tolist() == [0, 1]
    with pytest.raises(ProtocolViolationError, match=r"'action/b' \(uid 1003\)"):
        binding.read({1007: tensors[1007]})
    with pytest.raises(ProtocolViolationError, match="'action/b'"):
        Binding.by_name(codec, {1007: codec.fields[0]})
    for wrong in ({"a": 1}, {"a": "x", "b": [0, 1]}, 3, None):
        with pytest.raises(InvalidActionError, match="expected one of Dict"):
            binding.write(wrong)


@pytest.mark.parametrize("url", ["localhost", "LOCALHOST.", "a.localhost", "127.8.9.1", "::1"])
def test_is_loopback_knows_this_machine(url: str) -> None:
    assert is_loopback(url)


@pytest.mark.parametrize("url", ["trainer.lab", "10.0.0.1", "localhost.lab", "0.0.0.0", "::"])
def test_is_loopback_knows_other_machines(url: str) -> None:
    assert not is_loopback(url)


def test_join_address_has_brackets_for_ipv6() -> None:
    assert join_address("::1", 5) == "[::1]:5"
    assert join_address("trainer.lab", 5) == "trainer.lab:5"


def test_public_names_are_there_and_nothing_else() -> None:
    for name in remote.__all__:
        assert getattr(remote, name) is not None
    assert {*remote.__all__} <= {*dir(remote)}
    with pytest.raises(AttributeError, match="no attribute 'RemoteEnv'"):
        remote.RemoteEnv  # noqa: B018


def test_serve_is_the_known_function() -> None:
    assert remote.serve is remote.create_remote_environment_server


def _run(program: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_loads_no_grpc() -> None:
    program = "import sys, netsecgame, netsecgame.remote; print(*sys.modules)"
    modules = set(_run(program).split())
    assert modules & {"grpc", "google.protobuf", "numpy", "gymnasium", "cryptography"} == set()


def test_client_needs_neither_a_server_nor_pettingzoo_nor_the_game() -> None:
    program = "import sys; from netsecgame.remote import RemoteEnvironment; print(*sys.modules)"
    modules = set(_run(program).split())
    assert modules & {"pettingzoo", "pygame", "cryptography", "netsecgame.envs", "asyncio"} <= {
        "asyncio"  # of gRPC
    }
    assert "netsecgame.remote.server" not in modules


@pytest.mark.parametrize(
    ("name", "library", "extra"),
    [
        ("RemoteEnvironment", "grpc", "remote"),
        ("RemoteVectorEnv", "google", "remote"),
        ("RemoteParallelEnv", "pettingzoo", "env"),
    ],
)
def test_missing_library_says_what_to_install(name: str, library: str, extra: str) -> None:
    _run(f"""
import sys
sys.modules[{library!r}] = None  # makes its import fail
try:
    from netsecgame.remote import {name}
except ImportError as error:
    assert "pip install netsecgame[{extra}]" in str(error), error
else:
    raise AssertionError
""")


def test_modules_of_the_client_do_not_know_the_server() -> None:
    for name in ("client", "vector", "parallel", "connection", "keeper", "views"):
        module: Any = importlib.import_module(f"netsecgame.remote.{name}")
        assert not hasattr(module, "RemoteServer")
