"""A client that knows gRPC and the messages, and nothing else."""

from __future__ import annotations

import contextlib
import json
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

import grpc

from netsecgame.remote import messages
from netsecgame.remote.messages import DType, parse_response
from netsecgame.remote.reports import read_error
from netsecgame.remote.tensors import pack, unpack
from netsecgame.remote.wire_schema import PROCESS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netsecgame.remote.reports import ReceivedError

#: No answer that is due takes that long.
DEADLINE_S = 60.0

#: Observations of a plain peer.
OBSERVATION, REWARD = 1, 2


class Peer:
    """One stream to a server."""

    def __init__(self, port: int, credentials: grpc.ChannelCredentials | None = None) -> None:
        address = f"127.0.0.1:{port}"
        options = [("grpc.use_local_subchannel_pool", 1)]
        # The types of streams are not known well to checkers.
        self._channel: Any
        if credentials is None:
            self._channel = grpc.insecure_channel(address, options)
        else:
            self._channel = grpc.secure_channel(address, credentials, options)
        self._requests: SimpleQueue[bytes | None] = SimpleQueue()
        self._call = self._channel.stream_stream(PROCESS)(self._take_requests(), timeout=DEADLINE_S)
        self.world_name = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    def send(self, request: bytes) -> None:
        """Send a request without waiting for its answer."""
        self._requests.put(request)

    def receive(self) -> Any:
        """The next answer."""
        return parse_response(next(self._call))

    def ask(self, request: bytes) -> Any:
        """The answer to a request."""
        self.send(request)
        return self.receive()

    def refuse(self, request: bytes) -> ReceivedError:
        """The error that a request gets."""
        response = self.ask(request)
        assert response.WhichOneof("payload") == "error", response
        return read_error(response.error)

    def take(self, request: bytes) -> Any:
        """The answer to a request that is fine."""
        response = self.ask(request)
        assert response.WhichOneof("payload") != "error", response
        return response

    def create(self, **kwargs: Any) -> None:
        """Make an environment with these `entrypoint_kwargs`."""
        self.world_name = self.take(creating(**kwargs)).create_world.world_name

    def join(self) -> None:
        """Join its world."""
        self.take(messages.join_world(self.world_name, {}))

    def play(self, **kwargs: Any) -> list[int]:
        """Make an environment, join, begin an episode; gives the first observation."""
        self.create(**kwargs)
        self.join()
        return self.step(0)

    def step(self, action: int) -> list[int]:
        """Take a step; gives the observation."""
        return observation_of(self.take(stepping(action)))

    def finish(self) -> None:
        """Send nothing more, and wait until the server has ended the stream."""
        self._requests.put(None)
        assert list(self._call) == []
        self._channel.close()

    def end(self) -> grpc.RpcError:
        """Wait for the error that ends the stream."""
        end = self.end_or_answer()
        assert isinstance(end, grpc.RpcError), end
        return end

    def end_or_answer(self) -> grpc.RpcError | bytes:
        """The error that ends the stream, or the next answer."""
        try:
            return bytes(next(self._call))
        except grpc.RpcError as error:
            return error

    def drop(self) -> None:
        """Go without a word."""
        self._requests.put(None)
        self._call.cancel()
        self._channel.close()

    def _take_requests(self) -> Iterator[bytes]:
        while (request := self._requests.get()) is not None:
            yield request


def creating(*, vector: dict[str, Any] | None = None, **kwargs: Any) -> bytes:
    """A create_world with these `entrypoint_kwargs`."""
    return creating_with({"entrypoint_kwargs": kwargs}, vector)


def creating_with(args: object, vector: dict[str, Any] | None = None) -> bytes:
    """A create_world with these `remote_args`."""
    return messages.create_world(_settings(args, vector))


def making_anew(world_name: str, **kwargs: Any) -> bytes:
    """A reset_world with these `entrypoint_kwargs`."""
    return messages.reset_world(world_name, _settings({"entrypoint_kwargs": kwargs}, None))


def stepping(action: int) -> bytes:
    """A step of a plain peer."""
    return messages.step({1: pack(action, DType.INT64)}, [OBSERVATION, REWARD])


def observation_of(response: Any) -> list[int]:
    """The observation in the answer to a step."""
    observation = unpack(response.step.observations[OBSERVATION])
    assert not isinstance(observation, str)
    with contextlib.suppress(ValueError):
        return [int(each) for each in observation]
    raise AssertionError(response)


def status_of(error: grpc.RpcError) -> tuple[str, str | None]:
    """The name of a gRPC status, and the server's own reason."""
    trailing: dict[str, Any] = dict(error.trailing_metadata() or ())  # type: ignore[arg-type]
    return error.code().name, trailing.get("nsg-reason")


def _settings(args: object, vector: dict[str, Any] | None) -> dict[str, Any]:
    settings = {"args": pack(json.dumps(args), DType.STRING)}
    if vector is not None:
        settings["nsg_vector"] = pack(json.dumps(vector), DType.STRING)
    return settings
