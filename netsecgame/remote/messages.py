"""Requests and responses: told apart, parsed and made.

Message objects are `Any` to the type checker; their fields are those of `wire_schema`. What is made
here for the wire is bytes.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from netsecgame.errors import ProtocolViolationError
from netsecgame.remote.wire_schema import PROPERTIES, message_class

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EnvironmentRequest = message_class("dm_env_rpc.v1.EnvironmentRequest")
EnvironmentResponse = message_class("dm_env_rpc.v1.EnvironmentResponse")
ActionObservationSpecs = message_class("dm_env_rpc.v1.ActionObservationSpecs")
Tensor = message_class("dm_env_rpc.v1.Tensor")
TensorSpec = message_class("dm_env_rpc.v1.TensorSpec")
PropertyRequest = message_class(f"{PROPERTIES}.PropertyRequest")
PropertyResponse = message_class(f"{PROPERTIES}.PropertyResponse")
PropertySpec = message_class(f"{PROPERTIES}.PropertySpec")

_PROPERTY_REQUEST_URL = f"type.googleapis.com/{PROPERTIES}.PropertyRequest"
_PROPERTY_RESPONSE_URL = f"type.googleapis.com/{PROPERTIES}.PropertyResponse"


class Kind(IntEnum):
    """What a message is; the value is the number of its field."""

    CREATE_WORLD = 1
    JOIN_WORLD = 2
    STEP = 3
    RESET = 4
    RESET_WORLD = 5
    LEAVE_WORLD = 6
    DESTROY_WORLD = 7
    EXTENSION = 15
    ERROR = 16


class DType(IntEnum):
    """What the elements of a tensor are; the value is the number of the field that holds them."""

    FLOAT = 1
    DOUBLE = 2
    INT8 = 3
    INT32 = 4
    INT64 = 5
    UINT8 = 6
    UINT32 = 7
    UINT64 = 8
    BOOL = 9
    STRING = 10
    PROTO = 11


class State(IntEnum):
    """Where an episode is after a step."""

    RUNNING = 1
    TERMINATED = 2
    INTERRUPTED = 3


_KINDS_BY_TAG = {
    # Wire type 2: a length and as many bytes.
    **{bytes([kind << 3 | 2]): kind for kind in Kind if kind < 16},
    b"\x82\x01": Kind.ERROR,
}
_MAX_LENGTH_BYTES = 10


def kind_of(message: bytes) -> Kind | None:
    """What kind a request or response is, from its first bytes.

    Nothing is parsed. A message is of a kind only if that one field is all there is: one that goes
    on with a second field would be taken for another kind by whoever parses it.
    """
    tag = message[:2] if message[:1] == b"\x82" else message[:1]
    kind = _KINDS_BY_TAG.get(tag)
    if kind is None:
        return None
    length = 0
    for number, byte in enumerate(message[len(tag) : len(tag) + _MAX_LENGTH_BYTES]):
        length |= (byte & 0x7F) << (7 * number)
        if byte < 0x80:
            return kind if len(tag) + number + 1 + length == len(message) else None
    return None


def parse_request(message: bytes) -> Any:
    """The EnvironmentRequest that the bytes stand for.

    Raises:
        ProtocolViolationError: If they stand for none, or for one of no known kind.
    """
    return _parse(EnvironmentRequest, message, "request")


def parse_response(message: bytes) -> Any:
    """The EnvironmentResponse that the bytes stand for.

    Raises:
        ProtocolViolationError: If they stand for none, or for one of no known kind.
    """
    return _parse(EnvironmentResponse, message, "response")


def _parse(message_type: Any, data: bytes, name: str) -> Any:
    try:
        message = message_type.FromString(data) if kind_of(data) is not None else None
    except DecodeError as error:
        raise ProtocolViolationError(f"{len(data)} bytes are no {name}: {error}") from None
    if message is None or message.WhichOneof("payload") is None:
        raise ProtocolViolationError(
            f"{len(data)} bytes beginning with {data[:8].hex() or 'nothing'}: expected one {name} "
            "of a known kind"
        )
    return message


def serialize(message: Any) -> bytes:
    """The bytes of a message; equal messages give equal bytes."""
    data: bytes = message.SerializeToString(deterministic=True)
    return data


# Requests


def create_world(settings: Mapping[str, Any]) -> bytes:
    """A request to make an environment; the settings are tensors."""
    request = EnvironmentRequest()
    request.create_world.SetInParent()
    _set(request.create_world.settings, settings)
    return serialize(request)


def join_world(world_name: str, settings: Mapping[str, Any]) -> bytes:
    """A request for the specs of a world, and to play there."""
    request = EnvironmentRequest()
    request.join_world.world_name = world_name
    _set(request.join_world.settings, settings)
    return serialize(request)


def step(actions: Mapping[int, Any], requested: Iterable[int]) -> bytes:
    """A request for one step: tensors of actions, and which observations to answer."""
    request = EnvironmentRequest()
    request.step.requested_observations.extend(requested)
    _set(request.step.actions, actions)
    data: bytes = request.SerializeToString()
    return data


def reset(settings: Mapping[str, Any]) -> bytes:
    """A request that the next step begins an episode."""
    request = EnvironmentRequest()
    request.reset.SetInParent()
    _set(request.reset.settings, settings)
    return serialize(request)


def reset_world(world_name: str, settings: Mapping[str, Any]) -> bytes:
    """A request to make the environment anew."""
    request = EnvironmentRequest()
    request.reset_world.world_name = world_name
    request.reset_world.SetInParent()
    _set(request.reset_world.settings, settings)
    return serialize(request)


def leave_world() -> bytes:
    """A request to play there no more."""
    request = EnvironmentRequest()
    request.leave_world.SetInParent()
    return serialize(request)


def destroy_world(world_name: str) -> bytes:
    """A request to close the environment."""
    request = EnvironmentRequest()
    request.destroy_world.world_name = world_name
    request.destroy_world.SetInParent()
    return serialize(request)


def read_property(key: str) -> bytes:
    """A request for the value of a property."""
    inner = PropertyRequest()
    inner.read_property.key = key
    inner.read_property.SetInParent()
    return _extension(EnvironmentRequest(), _PROPERTY_REQUEST_URL, inner)


def list_property(key: str) -> bytes:
    """A request for what properties there are below `key`; "" is the top."""
    inner = PropertyRequest()
    inner.list_property.key = key
    inner.list_property.SetInParent()
    return _extension(EnvironmentRequest(), _PROPERTY_REQUEST_URL, inner)


# Responses


def world_created(world_name: str) -> bytes:
    """The answer to create_world."""
    response = EnvironmentResponse()
    response.create_world.world_name = world_name
    return serialize(response)


def make_specs(actions: Mapping[int, Any], observations: Mapping[int, Any]) -> Any:
    """ActionObservationSpecs of TensorSpecs by uid."""
    specs = ActionObservationSpecs()
    _set(specs.actions, actions)
    _set(specs.observations, observations)
    return specs


def world_joined(specs: Any) -> bytes:
    """The answer to join_world."""
    response = EnvironmentResponse()
    response.join_world.specs.CopyFrom(specs)
    return serialize(response)


def was_reset(specs: Any) -> bytes:
    """The answer to reset: the specs, byte by byte those of the answer to join_world."""
    response = EnvironmentResponse()
    response.reset.specs.CopyFrom(specs)
    return serialize(response)


def stepped(state: State, observations: Mapping[int, Any]) -> bytes:
    """The answer to a step: where the episode is now, and tensors by uid."""
    response = EnvironmentResponse()
    response.step.state = state
    _set(response.step.observations, observations)
    data: bytes = response.SerializeToString()
    return data


def empty_answer(kind: Kind) -> bytes:
    """The answer to reset_world, leave_world or destroy_world."""
    response = EnvironmentResponse()
    getattr(response, kind.name.lower()).SetInParent()
    return serialize(response)


def property_read(value: Any) -> bytes:
    """The answer to read_property: a tensor."""
    inner = PropertyResponse()
    inner.read_property.value.CopyFrom(value)
    return _extension(EnvironmentResponse(), _PROPERTY_RESPONSE_URL, inner)


def properties_listed(values: Iterable[Any]) -> bytes:
    """The answer to list_property: PropertySpecs."""
    inner = PropertyResponse()
    inner.list_property.SetInParent()
    inner.list_property.values.extend(values)
    return _extension(EnvironmentResponse(), _PROPERTY_RESPONSE_URL, inner)


# Extensions


def property_request_of(request: Any) -> Any | None:
    """The PropertyRequest inside a request; None if its extension is another.

    Raises:
        ProtocolViolationError: If the bytes inside are none.
    """
    return _unpack(request.extension, _PROPERTY_REQUEST_URL, PropertyRequest)


def property_response_of(response: Any) -> Any | None:
    """The PropertyResponse inside a response; None if its extension is another.

    Raises:
        ProtocolViolationError: If the bytes inside are none.
    """
    return _unpack(response.extension, _PROPERTY_RESPONSE_URL, PropertyResponse)


def _extension(outer: Any, type_url: str, inner: Any) -> bytes:
    outer.extension.type_url = type_url
    outer.extension.value = serialize(inner)
    return serialize(outer)


def _unpack(extension: Any, type_url: str, message_type: Any) -> Any | None:
    # What stands before the last slash tells where a definition lies, and nobody looks there.
    if extension.type_url.rpartition("/")[2] != type_url.rpartition("/")[2]:
        return None
    try:
        return message_type.FromString(extension.value)
    except DecodeError as error:
        raise ProtocolViolationError(f"extension {extension.type_url}: {error}") from None


def _set(target: Any, values: Mapping[Any, Any]) -> None:
    for key, value in values.items():
        target[key].CopyFrom(value)
