from __future__ import annotations

import gc
import math
import socket
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from netsecgame.errors import (
    ConnectError,
    EnvironmentRaisedError,
    InvalidActionError,
    ProtocolViolationError,
    RemoteConfigError,
    RemoteTimeoutError,
    UnsupportedByServerError,
)
from netsecgame.remote import RemoteEnvironment, connection
from tests.integration.remote.entrypoints.mirror import REWARD, SPACES, Mirror
from tests.integration.remote.entrypoints.obedient import GO, HANG, RAISE
from tests.integration.remote.equal import assert_equal
from tests.integration.remote.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netsecgame.remote.server import RemoteServer

    Host = Callable[..., RemoteServer]

#: What a plain peer is not shown.
UNKNOWN_TO_PLAIN_ACTIONS = {"dict", "tuple", "text", "sequence", "graph", "one_of"}
UNKNOWN_TO_PLAIN_OBSERVATIONS = {"text", "sequence", "graph", "one_of"}


def _connect(server: RemoteServer, **options: Any) -> RemoteEnvironment:
    kwargs = options.pop("kwargs", {})
    remote_args = {"entrypoint_kwargs": kwargs} if kwargs else {}
    return RemoteEnvironment("127.0.0.1", server.port, remote_args, **options)


@pytest.fixture
def mirror(host: Host) -> Callable[..., RemoteEnvironment]:
    """Connects to mirrors of a server; the arguments are those of the environment."""
    server = host("mirror.py")

    def connect(**kwargs: Any) -> RemoteEnvironment:
        return _connect(server, kwargs=kwargs)

    return connect


@pytest.mark.parametrize("name", ["CartPole-v1", "Acrobot-v1"])
@pytest.mark.parametrize("mode", ["process", "thread", "inline"])
def test_client_episode_equals_local_bit_for_bit(host: Host, name: str, mode: str) -> None:
    local = gymnasium.make(name)
    server = host("made.py", mode=mode, kwargs={"name": name})
    with _connect(server) as env:
        assert env.action_space == local.action_space
        assert env.observation_space == local.observation_space
        assert env.spec is not None
        assert local.spec is not None
        assert (env.spec.id, env.spec.max_episode_steps) == (name, local.spec.max_episode_steps)
        assert_equal(env.reset(seed=7), local.reset(seed=7))
        local.action_space.seed(1)
        for _ in range(200):
            action = local.action_space.sample()
            outcome = local.step(action)
            assert_equal(env.step(action), outcome)
            assert env.observation_space.contains(outcome[0])
            if outcome[2] or outcome[3]:
                assert_equal(env.reset(), local.reset())


def test_client_reads_what_a_server_answers_without_parsing_it(host: Host) -> None:
    with _connect(host("made.py", kwargs={"name": "CartPole-v1"})) as env:
        env.reset()
        world, view = env.remote_environment, env._view
        assert world is not None
        assert view is not None
        answer = world.step(world.step_request(view.write(0)))
        read = view.glance(answer)
        assert read is not None
        assert_equal(read, view.read(world.parse_step(answer)))


def test_client_makes_one_environment(host: Host) -> None:
    server = host()
    with _connect(server) as env:
        observation, _ = env.reset()
        assert observation.tolist()[:2] == [0, 1]
        assert len(server.environments) == 1
    assert server.environments == []


@pytest.mark.parametrize("name", SPACES)
def test_client_space_and_values_arrive_as_they_are(
    mirror: Callable[..., RemoteEnvironment], name: str
) -> None:
    space = SPACES[name]
    with mirror(action=name) as env:
        assert env.action_space == space
        assert env.observation_space == space
        env.action_space.seed(3)
        observation, _ = env.reset(seed=5)
        space.seed(5)
        assert_equal(observation, space.sample())
        for _ in range(5):
            action = env.action_space.sample()
            observation, _, _, _, info = env.step(action)
            assert_equal(observation, action)
            assert info["is_native"]
            assert space.contains(observation)


@pytest.mark.parametrize("name", SPACES)
def test_plain_client_observation_is_in_its_space(host: Host, name: str) -> None:
    server = host("mirror.py", kwargs={"observation": name})
    if name in UNKNOWN_TO_PLAIN_OBSERVATIONS:
        with pytest.raises(UnsupportedByServerError, match=r"."):
            _connect(server, extended=False)
        return
    with _connect(server, extended=False) as env:
        assert env.observation_space.contains(env.reset()[0])
        for _ in range(3):
            observation = env.step(env.action_space.sample())[0]
            assert env.observation_space.contains(observation)


@pytest.mark.parametrize("name", SPACES)
def test_plain_client_action_arrives_in_the_space_of_the_environment(host: Host, name: str) -> None:
    # Through the infos of another client: a plain one has none.
    server = host("told.py", kwargs={"action": name})
    if name in UNKNOWN_TO_PLAIN_ACTIONS:
        with pytest.raises(UnsupportedByServerError, match=r"."):
            _connect(server, extended=False)
        return
    with _connect(server, extended=False) as env:
        env.reset()
        for _ in range(5):
            assert env.step(env.action_space.sample())[1] == 1.0


def test_plain_client_reads_what_plain_tensors_say(host: Host) -> None:
    server = host("mirror.py", kwargs={"ends_after": 2, "how": "truncated"})
    with _connect(server, extended=False) as env:
        assert env.reward_range == (-1.5, math.inf)
        with pytest.warns(UserWarning, match="seed and options"):
            _, info = env.reset(seed=3)
        assert info == {}
        env.reset(seed=4)  # warned once
        env.step(1)
        _, reward, terminated, truncated, info = env.step(4)
        assert (reward, terminated, truncated) == (float(np.float32(REWARD)), False, True)
        assert info == {}
        assert not env.server_info.get("kind")


@pytest.mark.parametrize(
    ("how", "expected"),
    [("terminated", (True, False)), ("truncated", (False, True)), ("both", (True, True))],
)
def test_client_end_of_episode_is_told_exactly(
    mirror: Callable[..., RemoteEnvironment], how: str, expected: tuple[bool, bool]
) -> None:
    with mirror(ends_after=2, how=how) as env:
        env.reset()
        assert_equal(env.step(1)[1:4], (REWARD, False, False))
        assert_equal(env.step(1)[1:4], (REWARD, *expected))
        with pytest.raises(ResetNeeded, match="it has ended"):
            env.step(1)
        env.reset()
        assert_equal(env.step(1)[1:4], (REWARD, False, False))


def test_client_time_limit_truncates(host: Host) -> None:
    server = host("made.py", kwargs={"name": "MountainCar-v0", "max_episode_steps": 3})
    with _connect(server) as env:
        assert env.spec is not None
        assert env.spec.max_episode_steps == 3
        env.reset(seed=1)
        assert [env.step(0)[2:4] for _ in range(3)] == [(False, False)] * 2 + [(False, True)]


def test_client_step_before_reset_asks_nobody(host: Host) -> None:
    server = host()
    with _connect(server) as env:
        with pytest.raises(ResetNeeded, match="no episode has begun"):
            env.step(0)
        assert [each.steps for each in server.environments] == [0]


def test_client_options_and_infos_travel(mirror: Callable[..., RemoteEnvironment]) -> None:
    options = {
        "array": np.arange(6, dtype=">i2").reshape(2, 3),
        "scalar": np.float32(0.1),
        "tuple": (1, (2.5, None)),
        "bytes": b"\x00\xff",
        "nan": math.nan,
        "keys": {1: "a", "$x": True},
        "odd": [],
    }
    with mirror() as env:
        _, info = env.reset(seed=2**40, options=options)
        assert_equal(info["options"], options)
        assert info["seed"] == 2**40
        assert info["odd"] == "<something odd>"
        assert env.reset(seed=2**70)[1]["seed"] == 2**70
        assert_equal(env.reset()[1], {"seed": None, "options": None, "env_id": 0})


def test_client_arrays_belong_to_the_caller(mirror: Callable[..., RemoteEnvironment]) -> None:
    with mirror(action="box_uint8") as env:
        env.reset()
        action = env.action_space.sample()
        first = env.step(action)[0]
        assert first.flags.writeable
        kept = first.copy()
        env.step(env.action_space.sample())
        assert_equal(first, kept)


def test_client_learns_what_the_environment_says(mirror: Callable[..., RemoteEnvironment]) -> None:
    with mirror() as env:
        assert env.metadata == {
            "render_modes": ["human", "rgb_array"],
            "render_fps": 7,
            "tags": ("a", 1),
        }
        assert env.reward_range == (-1.5, math.inf)
        assert env.spec is None
        assert env.server_info["is_netsecgame"]
        assert env.server_info["env_id"] == 0
        assert env.server_info["kind"] == "single"


def test_client_keeps_its_seeded_action_space(mirror: Callable[..., RemoteEnvironment]) -> None:
    env = mirror()
    env.action_space.seed(4)
    space = env.action_space
    env.reset()
    env.close()
    env.reset()
    assert env.action_space is space
    env.close()


def test_client_action_outside_its_space_is_invalid(host: Host) -> None:
    server = host()
    with _connect(server) as env:
        env.reset()
        with pytest.raises(InvalidActionError):
            env.step(9)
        with pytest.raises(ResetNeeded, match="an error has ended it"):
            env.step(GO)
        env.reset()
        with pytest.raises(InvalidActionError):
            env.step("a word")
        assert env.reset()[0].tolist()[2] == 0
        assert env.step(np.int64(GO))[0].tolist()[2] == 1


def test_client_actions_are_not_checked_if_the_server_does_not(host: Host) -> None:
    with _connect(host(check_actions=False)) as env:
        env.reset()
        assert env.step(99)[1] == 1.0


def test_client_environment_that_raises_can_be_reset(host: Host) -> None:
    server = host()
    with _connect(server) as env:
        env.reset()
        with pytest.raises(EnvironmentRaisedError) as caught:
            env.step(RAISE)
        error = caught.value
        assert (error.type_name, error.message) == ("ValueError", "told to raise")
        assert (error.phase, error.traceback) == ("step", None)
        with pytest.raises(ResetNeeded):
            env.step(GO)
        assert env.reset()[0].tolist()[1] == 2
        assert len(server.environments) == 1


def test_client_constructor_that_raises_leaves_nothing(host: Host) -> None:
    server = host()
    with pytest.raises(EnvironmentRaisedError, match="told to raise in constructor") as caught:
        _connect(server, kwargs={"raise_in": "constructor"})
    assert caught.value.phase == "constructor"
    with _connect(server) as env:
        assert env.reset()[0].tolist()[0] == 0
    assert server.environments == []


def test_client_closed_may_begin_again(host: Host) -> None:
    server = host()
    env = _connect(server)
    env.reset()
    env.close()
    env.close()
    assert server.environments == []
    assert env.connection is None
    with pytest.raises(ResetNeeded):
        env.step(GO)
    env.reset()
    assert env.step(GO)[1] == 1.0
    assert env.remote_environment is not None
    env.close()


def test_client_forgotten_leaves_quietly(
    host: Host, wait_until: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    server = host()
    env = _connect(server)
    env.reset()
    capfd.readouterr()
    del env
    gc.collect()
    wait_until(lambda: not server.environments)
    assert capfd.readouterr().err == ""


def test_client_constructor_that_fails_leaves_quietly(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        RemoteEnvironment("127.0.0.1", 1, client_credentials_paths=("one",))
    gc.collect()
    assert capfd.readouterr().err == ""


def test_client_environment_slower_than_its_limit_times_out(host: Host) -> None:
    server = host(mode="process")
    with _connect(server, step_timeout_s=1.0) as env:
        env.reset()
        with pytest.raises(RemoteTimeoutError) as caught:
            env.step(HANG)
        assert caught.value.phase == "step"
        assert f"127.0.0.1:{server.port}" in str(caught.value)
        with pytest.raises(ResetNeeded):
            env.step(GO)
    with pytest.raises(RemoteTimeoutError) as caught:
        _connect(
            server, kwargs={"hang_in": "constructor"}, create_timeout_s=0.2, connect_timeout_s=0.2
        )
    assert caught.value.phase == "create"


def test_client_answer_longer_than_its_limit_is_a_violation(
    mirror: Callable[..., RemoteEnvironment], host: Host
) -> None:
    server = host("mirror.py", kwargs={"render_mode": "rgb_array", "size": 100})
    with _connect(server, render_mode="rgb_array", max_message_bytes=20_000) as env:
        env.reset()
        with pytest.raises(ProtocolViolationError, match="max_message_bytes"):
            env.render()
        assert env.reset()[1]["env_id"] == 0


def test_client_unknown_arguments_are_ignored_with_one_warning(host: Host) -> None:
    server = host()
    with pytest.warns(UserWarning, match=r"'more', step_timeout \(did you mean") as caught:
        env = RemoteEnvironment(
            "127.0.0.1", server.port, {}, None, None, "more", step_timeout=3, other=1
        )
    env.close()
    assert len(caught) == 1


def test_client_option_without_sense_is_refused() -> None:
    with pytest.raises(RemoteConfigError, match="step_timeout_s"):
        RemoteEnvironment("127.0.0.1", 1, step_timeout_s=-1)
    with pytest.raises(RemoteConfigError, match="travel as JSON"):
        RemoteEnvironment("127.0.0.1", 1, {"entrypoint_kwargs": {"a": object()}})


def test_client_of_a_parallel_environment_is_told_what_to_use(host: Host) -> None:
    server = host("agents.py")
    with pytest.raises(UnsupportedByServerError, match="RemoteParallelEnv"):
        _connect(server)
    with pytest.raises(UnsupportedByServerError, match="RemoteParallelEnv"):
        _connect(server, extended=False)


def test_clients_at_once_play_episodes_of_their_own(host: Host) -> None:
    server = host(mode="thread")
    seen: dict[int, list[int]] = {}

    def play(number: int) -> None:
        with _connect(server) as env:
            env.reset()
            barrier.wait()
            steps = [env.step(GO)[0].tolist() for _ in range(number + 1)]
            seen[number] = [steps[-1][0], steps[-1][2]]
            barrier.wait()

    barrier = threading.Barrier(16)
    players = [threading.Thread(target=play, args=(number,)) for number in range(16)]
    for player in players:
        player.start()
    for player in players:
        player.join()
    assert sorted(env_id for env_id, _ in seen.values()) == list(range(16))
    assert [seen[number][1] for number in range(16)] == list(range(1, 17))
    assert server.environments == []


@pytest.mark.parametrize("mode", ["process", "thread", "inline"])
@pytest.mark.parametrize("is_inside", [False, True])
def test_client_connects_a_hundred_times_in_a_row(host: Host, mode: str, is_inside: bool) -> None:
    with ExitStack() as stack:
        if is_inside:
            port = host(mode=mode).port
        else:
            port = stack.enter_context(ServerProcess("obedient.py", mode=mode)).port
        for _ in range(100):
            with RemoteEnvironment("127.0.0.1", port) as env:
                assert env.reset()[0].tolist()[:3] == [0, 1, 0]


@pytest.fixture
def other_process() -> Iterator[ServerProcess]:
    """A server in a process of its own."""
    with ServerProcess("obedient.py") as server:
        yield server


def test_client_of_a_server_that_was_killed_reconnects_at_reset(
    other_process: ServerProcess,
) -> None:
    env = RemoteEnvironment("127.0.0.1", other_process.port)
    env.reset()
    env.step(GO)
    other_process.kill()
    with pytest.raises(ConnectError) as caught:
        env.step(GO)
    assert caught.value.reason == "lost"
    with pytest.raises(ConnectError) as caught:
        env.reset()
    assert caught.value.reason == "refused"
    other_process.start()
    assert env.reset()[0].tolist()[1] == 1
    assert env.step(GO)[1] == 1.0
    # Between two episodes: the reset itself finds out, and is the one that connects.
    other_process.kill()
    other_process.start()
    assert env.reset()[0].tolist()[1] == 1
    env.close()


def test_client_of_a_server_that_falls_silent_finds_out(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_KEEPALIVE_TIMEOUT_S", 0.2)
    server = host()
    with _Relay(server.port) as relay:
        env = RemoteEnvironment("127.0.0.1", relay.port, keepalive_s=0.2)
        env.reset()
        relay.is_silent = True
        with pytest.raises(ConnectError) as caught:
            env.step(GO)
        assert caught.value.reason == "lost"
        env.close()


class _Relay:
    """Passes bytes between a client and a server until it is told to be silent."""

    def __init__(self, port: int) -> None:
        self.is_silent = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._target = port
        self._sockets: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> _Relay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            each.close()
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        client = self._listener.accept()[0]
        server = socket.create_connection(("127.0.0.1", self._target))
        self._sockets += [client, server]
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                if not self.is_silent:
                    sink.sendall(data)
        except OSError:
            pass


def test_mirror_is_a_proper_environment() -> None:
    """What the tests above compare with."""
    for name in SPACES:
        env = Mirror(action=name)
        observation, _ = env.reset(seed=1)
        assert env.observation_space.contains(observation)
