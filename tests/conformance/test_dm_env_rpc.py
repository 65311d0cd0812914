"""dm_env_rpc's own suites for servers, and its adaptor to dm_env, played against our server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dm_env
import grpc
import numpy as np
import pytest
from dm_env_rpc.v1 import connection as peer
from dm_env_rpc.v1 import dm_env_adaptor, tensor_spec_utils, tensor_utils
from dm_env_rpc.v1 import dm_env_rpc_pb2 as pb
from dm_env_rpc.v1.compliance import (
    create_destroy_world,
    join_leave_world,
    reset,
    reset_world,
    step,
)

from netsecgame.remote.server import RemoteServer, create_remote_environment_server
from tests.conformance.entrypoints.played_by_peers import ACTION_SPACES

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRYPOINTS = Path(__file__).parent / "entrypoints"


@pytest.fixture(scope="module")
def server() -> Iterator[RemoteServer]:
    """A server of ours that has been listening for all tests of this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ENTRYPOINTS)
        args = {"entrypoint": "played_by_peers.py"}
        with create_remote_environment_server(args, "127.0.0.1", 0, mode="inline") as server:
            yield server


@pytest.fixture(scope="module")
def channel(server: RemoteServer) -> Iterator[grpc.Channel]:
    """A channel to the server."""
    with grpc.insecure_channel(server.address) as channel:
        yield channel


@pytest.fixture
def connection(channel: grpc.Channel) -> Iterator[peer.Connection]:
    """A stream of dm_env_rpc's own client."""
    connection = peer.Connection(channel)
    requests = connection._stream._requests
    yield connection
    connection.close()
    requests.put(None)  # closing leaves the stream open


def settings(**kwargs: Any) -> dict[str, pb.Tensor]:
    args = json.dumps({"entrypoint_kwargs": kwargs})
    return {"args": tensor_utils.pack_tensor(args)}


def create(connection: peer.Connection, **kwargs: Any) -> str:
    request = pb.CreateWorldRequest(settings=settings(**kwargs))
    name: str = connection.send(request).world_name
    return name


class WithConnection:
    """Gives a suite a stream of its own for each test."""

    @pytest.fixture(autouse=True)
    def _connect(self, connection: peer.Connection) -> None:
        self._connection = connection

    @property
    def connection(self) -> peer.Connection:
        return self._connection


class WithWorld(WithConnection):
    """… and a world."""

    @pytest.fixture(autouse=True)
    def _create(self, _connect: None) -> None:
        self._world_name = create(self._connection)

    @property
    def world_name(self) -> str:
        return self._world_name


class TestCreateDestroyWorld(WithConnection, create_destroy_world.CreateDestroyWorld):
    required_world_settings: dict[str, pb.Tensor] = {}  # noqa: RUF012 - as the suite has it
    has_multiple_world_support = False  # each stream has its own

    @property
    def invalid_world_settings(self) -> dict[str, pb.Tensor]:
        return {"args": tensor_utils.pack_tensor('{"entrypoint": "../other.py"}')}


class TestJoinLeaveWorld(WithWorld, join_leave_world.JoinLeaveWorld):
    @property
    def invalid_join_settings(self) -> dict[str, pb.Tensor]:
        return {"nsg_client": tensor_utils.pack_tensor("nobody")}


class TestReset(WithWorld, reset.Reset):
    def join_world(self) -> pb.ActionObservationSpecs:
        request = pb.JoinWorldRequest(world_name=self.world_name)
        return self.connection.send(request).specs


class TestResetWorld(WithWorld, reset_world.ResetWorld):
    pass


class WithJoinedWorld(WithConnection):
    """Gives the suite about steps a world that it has joined, whose actions are of one kind."""

    kwargs: dict[str, Any]

    @pytest.fixture(autouse=True)
    def _join(self, _connect: None) -> None:
        name = create(self._connection, **self.kwargs)
        self._specs = self._connection.send(pb.JoinWorldRequest(world_name=name)).specs

    @property
    def specs(self) -> pb.ActionObservationSpecs:
        return self._specs

    @property
    def required_actions(self) -> dict[int, pb.Tensor]:
        """An agent has to act: what the space has for its smallest value."""
        spec = self._specs.actions[1]
        smallest = tensor_spec_utils.bounds(spec).min
        return {1: tensor_utils.pack_tensor(np.broadcast_to(smallest, spec.shape), spec.dtype)}


def _add_step_suites() -> None:
    """One suite for each kind of action, and one for an environment that draws."""
    kinds = {kind: {"action": kind} for kind in ACTION_SPACES}
    kinds["rendering"] = {"render_mode": "rgb_array"}
    for kind, kwargs in kinds.items():
        name = "TestStep" + kind.title().replace("_", "")
        globals()[name] = type(name, (WithJoinedWorld, step.Step), {"kwargs": kwargs})


_add_step_suites()


@pytest.mark.parametrize("action", ACTION_SPACES)
def test_dm_env_adaptor_plays_episodes(connection: peer.Connection, action: str) -> None:
    env, _ = dm_env_adaptor.create_and_join_world(
        connection, {"args": settings(action=action)["args"]}, {}
    )
    generator = np.random.default_rng(3)
    rewards = []
    for _ in range(2):
        timestep = env.reset()
        assert timestep.step_type is dm_env.StepType.FIRST
        while not timestep.last():
            spec = env.action_spec()["action"]
            sample = generator.uniform(spec.minimum, spec.maximum, spec.shape)
            timestep = env.step({"action": np.rint(sample).astype(spec.dtype)})
            rewards.append(timestep.reward)
            env.observation_spec()["observation"].validate(timestep.observation["observation"])
    assert rewards == [0.5] * 10
    env.close()
