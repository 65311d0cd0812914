"""A world on a server as a client has it: made, joined, and played by messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from netsecgame.errors import (
    ProtocolViolationError,
    RemoteConfigError,
    UnsupportedByServerError,
)
from netsecgame.remote import array_json, messages
from netsecgame.remote.codec import read_spec
from netsecgame.remote.connection import Connection
from netsecgame.remote.messages import DType, Kind
from netsecgame.remote.received_errors import make_error
from netsecgame.remote.reports import read_error
from netsecgame.remote.tensors import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from netsecgame.remote.codec import Field
    from netsecgame.remote.connection import Server

#: How the names of worlds on our servers begin.
OUR_PREFIX: Final = "nsg1:"

RENDERING: Final = "rendering"

#: How long a server may take to close an environment before the client leaves without goodbye.
_FAREWELL_S: Final = 10.0
_INT64_LIMIT: Final = 1 << 63


class Wish(NamedTuple):
    """What a client wants to play.

    Attributes:
        kind: ``single``, ``vector`` or ``parallel``.
        remote_args: For the server; see `RemoteArgs`.
        num_envs: Of a vector; None is no vector.
        autoreset: Of a vector: ``next_step``, ``same_step`` or ``disabled``.
        is_extended: Whether to see all that a server of ours tells; otherwise as any peer does.
        wants_frames: Whether steps on other servers are to bring frames.
    """

    kind: str
    remote_args: Mapping[str, Any]
    num_envs: int | None = None
    autoreset: str = ""
    is_extended: bool = True
    wants_frames: bool = False


class RemoteWorld:
    """An environment on a server, and the stream that it belongs to.

    Attributes:
        address: Of the server, as ``host:port``.
        name: Of the world.
        is_ours: Whether the server is one of ours.
        description: What our server tells about the environment; empty for a plain peer.
        actions: By uid.
        observations: By uid.
        connection: The stream.
    """

    def __init__(self, server: Server, connection: Connection, name: str) -> None:
        self.address = server.address
        self.name = name
        self.is_ours = name.startswith(OUR_PREFIX)
        self.description: dict[str, Any] = {}
        self.actions: dict[int, Field] = {}
        self.observations: dict[int, Field] = {}
        self.connection = connection
        self._options = server.options
        self._requested: list[int] = []

    @classmethod
    def make(cls, server: Server, wish: Wish, *, keepalive: bool = True) -> Self:
        """Have a server make an environment, and join it.

        Raises:
            RemoteError: If there is no connection, or the server refuses.
        """
        settings = {"args": pack(_to_json(wish.remote_args), DType.STRING)}
        if wish.num_envs is not None:
            vector = {"num_envs": wish.num_envs, "autoreset": wish.autoreset}
            settings["nsg_vector"] = pack(json.dumps(vector), DType.STRING)
        connection = Connection(server, keepalive=keepalive)
        try:
            request = messages.create_world(settings)
            timeout_s = server.options.create_timeout_s
            (answer,) = connection.exchange([request], timeout_s, "create")
            created = _read(answer, Kind.CREATE_WORLD, server.address, "create")
            world = cls(server, connection, created.world_name)
            world._join(wish)
        except BaseException:
            connection.finish(messages.leave_world(), _FAREWELL_S)
            raise
        return world

    @property
    def is_extended(self) -> bool:
        """Whether this client sees all that a server of ours tells."""
        return bool(self.description)

    def reset(
        self,
        seed: int | list[int | None] | None = None,
        options: Mapping[str, Any] | None = None,
        mask: NDArray[Any] | None = None,
    ) -> Any:
        """Begin an episode; the answer to its first step, which is none.

        Args:
            seed: Of a vector: one for all, or one for each.
            options: Anything that tagged JSON can say.
            mask: (num_envs,) bool: which environments of a vector to reset; None is all.
        """
        settings = {}
        if self.is_extended:
            if seed is not None:
                settings["seed"] = _pack_seed(seed)
            if options is not None:
                settings["options"] = pack(array_json.dumps(options), DType.STRING)
            if mask is not None:
                settings["mask"] = pack(mask, DType.BOOL)
        requests = [messages.reset(settings), self.step_request({})]
        timeout_s = self._options.step_timeout_s
        was_reset, stepped = self.connection.exchange(requests, timeout_s, "reset")
        _read(was_reset, Kind.RESET, self.address, "reset")
        return _read(stepped, Kind.STEP, self.address, "reset")

    def step_request(self, actions: Mapping[int, Any]) -> bytes:
        """What to send to play tensors by uid."""
        return messages.step(actions, self._requested)

    def step(self, request: bytes) -> bytes:
        """Play what `step_request` gave; the answer, for `parse_step`."""
        return self.connection.exchange([request], self._options.step_timeout_s, "step")[0]

    def parse_step(self, answer: bytes) -> Any:
        """The answer to a step; raises what an error stands for."""
        return _read(answer, Kind.STEP, self.address, "step")

    def read_property(self, key: str, phase: str) -> NDArray[Any] | str:
        """What our server tells about the environment under a name."""
        request = messages.read_property(key)
        (answer,) = self.connection.exchange([request], self._options.step_timeout_s, phase)
        return self._property_in(answer, phase)

    def close(self) -> None:
        """Have the server close the environment; no error ever comes out."""
        timeout_s = min(_FAREWELL_S, self._options.step_timeout_s)
        self.connection.finish(messages.leave_world(), timeout_s)

    def _join(self, wish: Wish) -> None:
        """Learn what there is to play with."""
        if not (self.is_ours and wish.is_extended):
            if wish.kind != "single":
                raise UnsupportedByServerError(
                    f"{self.address} is not a netsecgame server, which {wish.kind} environments "
                    "need; use netsecgame.remote.RemoteEnvironment"
                )
            self._join_with([messages.join_world(self.name, {})], wish)
            return
        client = {"v": 1, "kind": wish.kind, "frames": False}
        settings = {"nsg_client": pack(json.dumps(client), DType.STRING)}
        join = messages.join_world(self.name, settings)
        text = self._join_with([join, messages.read_property("describe")], wish)
        self.description = _read_description(text, self.address)

    def _join_with(self, requests: list[bytes], wish: Wish) -> str:
        """Join, and maybe read a property in the same round trip; its text."""
        timeout_s = self._options.create_timeout_s  # a server may have to draw a first frame
        answers = self.connection.exchange(requests, timeout_s, "create")
        specs = _read(answers[0], Kind.JOIN_WORLD, self.address, "create").specs
        self.actions = {uid: read_spec(spec) for uid, spec in specs.actions.items()}
        self.observations = {uid: read_spec(spec) for uid, spec in specs.observations.items()}
        self._requested = sorted(
            uid
            for uid, field in self.observations.items()
            if field.name != RENDERING or wish.wants_frames
        )
        return "".join(str(self._property_in(answer, "create")) for answer in answers[1:])

    def _property_in(self, answer: bytes, phase: str) -> NDArray[Any] | str:
        response = _parse(answer, Kind.EXTENSION, self.address, phase)
        inner = messages.property_response_of(response)
        if inner is None or inner.WhichOneof("payload") != "read_property":
            raise ProtocolViolationError(f"{self.address}: expected the value of a property")
        return unpack(inner.read_property.value)


def read_json(text: Any) -> Any:
    """The value of a server's tagged JSON.

    Raises:
        ProtocolViolationError: If it is none.
    """
    try:
        return array_json.loads(text)
    except (TypeError, ValueError) as error:
        raise ProtocolViolationError(f"expected tagged JSON, got {str(text)[:80]!r}") from error


def _read(answer: bytes, kind: Kind, address: str, phase: str) -> Any:
    """The part of an answer that is of this kind; raises what an error stands for."""
    return getattr(_parse(answer, kind, address, phase), kind.name.lower())


def _parse(answer: bytes, kind: Kind, address: str, phase: str) -> Any:
    response = messages.parse_response(answer)
    seen = response.WhichOneof("payload")
    if seen == "error":
        raise make_error(read_error(response.error), address, phase)
    if seen != kind.name.lower():
        raise ProtocolViolationError(f"{address}: expected {kind.name.lower()}, got {seen}")
    return response


def _read_description(text: str, address: str) -> dict[str, Any]:
    try:
        description = json.loads(text)
    except ValueError:
        description = None
    if not isinstance(description, dict) or not description:
        raise ProtocolViolationError(f"{address}: expected a description, got {text[:80]!r}")
    return description


def _to_json(remote_args: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(remote_args))
    except (TypeError, ValueError) as error:
        raise RemoteConfigError(f"remote_args: {error}; they travel as JSON") from error


def _pack_seed(seed: int | list[int | None]) -> Any:
    """Integers as such where they fit."""
    seeds = seed if isinstance(seed, list) else [seed]
    if all(each is not None and -_INT64_LIMIT <= each < _INT64_LIMIT for each in seeds):
        return pack(seed, DType.INT64)
    return pack(json.dumps(seed), DType.STRING)
