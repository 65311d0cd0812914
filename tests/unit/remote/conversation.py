"""A stream's client in a test: asks a `Session`, without anything in between."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from netsecgame.remote import array_json, messages
from netsecgame.remote.messages import DType, State
from netsecgame.remote.reports import Reason, ReceivedError, read_error
from netsecgame.remote.session import Session, SessionOptions
from netsecgame.remote.tensors import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from netsecgame.remote.settings import WorldArgs


class Stepped(NamedTuple):
    """What a step was answered with."""

    state: State
    values: dict[int, Any]  # by uid


class RefusedError(AssertionError):
    """A request was answered with an error.

    Attributes:
        error: The error.
    """

    def __init__(self, error: ReceivedError) -> None:
        self.error = error
        super().__init__(f"{error.code} {error.reason}: {error.message}")


class Conversation:
    """A session, and what a client sends to it.

    Args:
        make: Makes environments; each one made is in `made`, each one's arguments in `asked`.
        options: Of the session.
    """

    def __init__(self, make: Callable[[], Any], options: SessionOptions | None = None) -> None:
        self.made: list[Any] = []
        self.asked: list[WorldArgs] = []
        self.make = make
        self.session = Session(self._make, options)
        self.name = "nsg1:0"
        self.specs: Any = None

    @property
    def env(self) -> Any:
        """The environment made last."""
        return self.made[-1]

    def _make(self, args: WorldArgs) -> Any:
        self.asked.append(args)
        self.made.append(self.make())
        return self.made[-1]

    def send(self, request: bytes) -> Any:
        """The response to a request; raises if it is an error."""
        response = messages.parse_response(self.session.handle(request))
        if response.WhichOneof("payload") == "error":
            raise RefusedError(read_error(response.error))
        return response

    def refused(self, request: bytes) -> ReceivedError:
        """The error that a request is answered with."""
        response = messages.parse_response(self.session.handle(request))
        assert response.WhichOneof("payload") == "error", response
        return read_error(response.error)

    def reason(self, request: bytes) -> Reason | None:
        """The reason of the error that a request is answered with."""
        return self.refused(request).reason

    def create(self, args: Mapping[str, Any] | None = None, vector: Any = None) -> str:
        """Create a world; its name."""
        self.name = self.send(create_request(args, vector)).create_world.world_name
        return self.name

    def join(self, kind: str | None = None, *, frames: bool = False) -> Any:
        """Join the world; its specs."""
        self.specs = self.send(join_request(self.name, kind, frames=frames)).join_world.specs
        return self.specs

    def start(self, kind: str | None = None, *, frames: bool = False) -> Conversation:
        """Create a world and join it."""
        self.create()
        self.join(kind, frames=frames)
        return self

    def reset(self, **settings: Any) -> Any:
        """Ask for a new episode; the specs."""
        return self.send(messages.reset(settings)).reset.specs

    def step(
        self, actions: Mapping[int, Any] | None = None, requested: Iterable[int] | None = None
    ) -> Stepped:
        """Take a step; without `requested` every tensor is asked for."""
        uids = sorted(self.specs.observations) if requested is None else requested
        response = self.send(messages.step(actions or {}, uids)).step
        values = {uid: unpack(tensor) for uid, tensor in response.observations.items()}
        return Stepped(State(response.state), values)

    def read(self, key: str) -> Any:
        """The value of a property."""
        inner = messages.property_response_of(self.send(messages.read_property(key)))
        assert inner is not None
        return unpack(inner.read_property.value)

    def uids(self, which: str = "observations") -> dict[str, int]:
        """The uids of the world's tensors by their names."""
        return {spec.name: uid for uid, spec in getattr(self.specs, which).items()}


def create_request(args: Mapping[str, Any] | None = None, vector: Any = None) -> bytes:
    """A request to make an environment."""
    return messages.create_world(world_settings(args, vector))


def world_settings(args: Mapping[str, Any] | None = None, vector: Any = None) -> dict[str, Any]:
    """Settings of create_world and reset_world."""
    settings = {} if args is None else {"args": text(json.dumps(args))}
    return settings if vector is None else {**settings, "nsg_vector": text(json.dumps(vector))}


def join_request(name: str, kind: str | None = None, *, frames: bool = False) -> bytes:
    """A request to join a world; without a kind as a plain peer does."""
    if kind is None:
        return messages.join_world(name, {})
    wish = json.dumps({"v": 1, "kind": kind, "frames": frames})
    return messages.join_world(name, {"nsg_client": text(wish)})


def text(value: str) -> Any:
    """A tensor of one string."""
    return pack(value, DType.STRING)


def tagged(value: Any) -> Any:
    """A tensor of one value as tagged JSON."""
    return text(array_json.dumps(value))


def whole(value: Any) -> Any:
    """A tensor of integers."""
    return pack(value, DType.INT64)
