"""Our client reads what a server of another project has said, and says what its client has said."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from netsecgame.errors import EnvironmentRaisedError, UnsupportedByServerError
from netsecgame.remote import RemoteEnvironment, RemoteParallelEnv, RemoteVectorEnv
from netsecgame.remote.messages import parse_request, parse_response
from netsecgame.remote.tensors import unpack
from netsecgame.remote.wire_schema import SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The recorded stream that plays; the one before it only looks at the specs.
_PLAYING = 2

SPACES = {
    "cartpole": (spaces.Discrete(2), None),
    "u8": (spaces.MultiDiscrete([3, 5]), spaces.Box(0, 255, (2, 3), np.uint8)),
    "frames": (spaces.Discrete(2), spaces.Box(-1, 1, (1,), np.float32)),
}


class Exchange(NamedTuple):
    """A recorded request and its answer."""

    request: bytes
    answer: bytes


class ReplayingServer:
    """Answers each request with what was answered to it when it was recorded.

    Attributes:
        port: Where it listens.
        problems: What clients said instead of what was recorded.
        streams: How many there were.
    """

    def __init__(self, exchanges: list[Exchange], ends_after: int | None = None) -> None:
        self.problems: list[str] = []
        self.streams = 0
        self._exchanges = exchanges
        self._ends_after = ends_after
        self._server = grpc.server(ThreadPoolExecutor(4))
        handler = grpc.stream_stream_rpc_method_handler(self._answer)
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, {"Process": handler}),)
        )
        self.port: int = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stop(self) -> None:
        """Say no more."""
        self._server.stop(0).wait()

    def _answer(self, requests: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
        self.streams += 1
        for number, request in enumerate(requests):
            if number == self._ends_after:
                raise RuntimeError("the environment of another project raised")
            expected = self._exchanges[number]
            if parse_request(request) != parse_request(expected.request):
                self.problems.append(f"{number}: {parse_request(request)}")
            yield expected.answer


@pytest.fixture
def recorded(request: pytest.FixtureRequest, shared_dir: Path) -> list[Exchange]:
    """The recording that the test names: its playing stream."""
    path = shared_dir / "golden_remote" / f"{request.param}.json"
    messages = json.loads(path.read_text(encoding="utf-8"))["messages"]
    playing = [(who, bytes.fromhex(text)) for number, who, text in messages if number == _PLAYING]
    requests = [message for who, message in playing if who == "client"]
    answers = [message for who, message in playing if who == "server"]
    return [Exchange(*pair) for pair in zip(requests, answers, strict=True)]


def _action_in(request: bytes) -> Any:
    return unpack(parse_request(request).step.actions[1])


@pytest.mark.parametrize("recorded", SPACES, indirect=True)
def test_client_plays_a_recorded_conversation(
    recorded: list[Exchange], request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.params["recorded"]
    server = ReplayingServer(recorded)
    try:
        # Its client asked for frames always; ours only if it may want to draw them.
        mode = "rgb_array" if name == "frames" else None
        env = RemoteEnvironment("127.0.0.1", server.port, render_mode=mode)
        action_space, observation_space = SPACES[name]
        assert env.action_space == action_space
        assert observation_space is None or env.observation_space == observation_space
        assert env.reward_range == (-np.inf, np.inf)
        assert not env.server_info["is_netsecgame"]
        assert _play(env, recorded) >= 3
        env.close()
    finally:
        server.stop()
    assert server.problems == []
    assert server.streams == 1


def _play(env: RemoteEnvironment, recorded: list[Exchange]) -> int:
    """Take the recorded actions; how many answers were read."""
    seen = 0
    has_ended = True
    for request, answer in recorded:
        step = parse_response(answer).step
        kind = parse_request(request).WhichOneof("payload")
        if kind == "reset":
            observation, info = env.reset()
            assert info == {}
            has_ended = False
            continue
        if kind != "step":
            continue
        if parse_request(request).step.actions:
            observation, reward, terminated, truncated, info = env.step(_action_in(request))
            assert reward == unpack(step.observations[2])
            # That server has one way to say that an episode has ended.
            assert (terminated, truncated, info) == (step.state == 2, False, {})
            has_ended = terminated
        expected = unpack(step.observations[1])
        assert observation.dtype == env.observation_space.dtype
        np.testing.assert_array_equal(observation, expected)
        assert env.observation_space.contains(observation)
        if env.render_mode is not None:
            frame = env.render()
            np.testing.assert_array_equal(frame, unpack(step.observations[3]))
            np.testing.assert_array_equal(env.latest_image, frame)
        if has_ended:
            with pytest.raises(ResetNeeded):
                env.step(env.action_space.sample())
        seen += 1
    return seen


@pytest.mark.parametrize("recorded", ["cartpole"], indirect=True)
def test_client_warns_once_that_seed_and_options_are_lost(recorded: list[Exchange]) -> None:
    server = ReplayingServer(recorded)
    try:
        env = RemoteEnvironment("127.0.0.1", server.port)
        with pytest.warns(UserWarning, match="seed and options of reset") as caught:
            env.reset(seed=1)
        assert len(caught) == 1
    finally:
        server.stop()


@pytest.mark.parametrize("recorded", ["cartpole"], indirect=True)
def test_client_of_an_environment_that_raised_reconnects_at_reset(
    recorded: list[Exchange],
) -> None:
    server = ReplayingServer(recorded, ends_after=4)
    try:
        env = RemoteEnvironment("127.0.0.1", server.port)
        env.reset()
        with pytest.raises(EnvironmentRaisedError, match="another project raised") as caught:
            env.step(_action_in(recorded[4].request))
        assert caught.value.message == "the environment of another project raised"
        with pytest.raises(ResetNeeded):
            env.step(0)
        env.reset()
        env.close()
    finally:
        server.stop()
    assert server.streams == 2
    assert server.problems == []


@pytest.mark.parametrize("recorded", ["cartpole"], indirect=True)
def test_many_environments_or_agents_need_a_server_of_ours(recorded: list[Exchange]) -> None:
    # The settings that only our servers know differ from the recorded ones; its server takes them.
    server = ReplayingServer(recorded)
    try:
        with pytest.raises(UnsupportedByServerError, match="not a netsecgame server"):
            RemoteVectorEnv("127.0.0.1", server.port, 2)
        with pytest.raises(UnsupportedByServerError, match="not a netsecgame server"):
            RemoteParallelEnv("127.0.0.1", server.port)
    finally:
        server.stop()
