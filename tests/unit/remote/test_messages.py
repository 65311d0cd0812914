from __future__ import annotations

import warnings
from typing import Any

import pytest
from google.protobuf import descriptor_pb2
from hypothesis import given
from hypothesis import strategies as st

from netsecgame.errors import ProtocolViolationError
from netsecgame.remote import messages
from netsecgame.remote.messages import (
    DType,
    Kind,
    State,
    Tensor,
    TensorSpec,
    kind_of,
    parse_request,
    parse_response,
)
from netsecgame.remote.reports import Reason, Report, error_response, read_error
from netsecgame.remote.tensors import pack
from netsecgame.remote.wire_schema import POOL, PROPERTIES

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what the peer's generated code says of itself
    from dm_env_rpc.v1 import dm_env_rpc_pb2 as peer
    from dm_env_rpc.v1.extensions import properties_pb2 as peer_properties

_NUMBER = pack(7, DType.INT64)
_TEXT = pack("{}", DType.STRING)
_SPEC = TensorSpec(name="reward", dtype=1)

REQUESTS = {
    Kind.CREATE_WORLD: messages.create_world({"args": _TEXT}),
    Kind.JOIN_WORLD: messages.join_world("nsg1:3", {"nsg_client": _TEXT}),
    Kind.STEP: messages.step({1: _NUMBER}, [2, 1]),
    Kind.RESET: messages.reset({"seed": _NUMBER}),
    Kind.RESET_WORLD: messages.reset_world("nsg1:3", {"args": _TEXT}),
    Kind.LEAVE_WORLD: messages.leave_world(),
    Kind.DESTROY_WORLD: messages.destroy_world("nsg1:3"),
    Kind.EXTENSION: messages.read_property("describe"),
}
RESPONSES = {
    Kind.CREATE_WORLD: messages.world_created("nsg1:3"),
    Kind.JOIN_WORLD: messages.world_joined(messages.make_specs({1: _SPEC}, {2: _SPEC})),
    Kind.STEP: messages.stepped(State.INTERRUPTED, {2: _NUMBER}),
    Kind.RESET: messages.was_reset(messages.make_specs({1: _SPEC}, {2: _SPEC})),
    Kind.RESET_WORLD: messages.empty_answer(Kind.RESET_WORLD),
    Kind.LEAVE_WORLD: messages.empty_answer(Kind.LEAVE_WORLD),
    Kind.DESTROY_WORLD: messages.empty_answer(Kind.DESTROY_WORLD),
    Kind.EXTENSION: messages.property_read(_TEXT),
    Kind.ERROR: error_response(Report(Reason.FULL, "ServerFullError", "8 of 8 environments")),
}


def _fields_of(file: descriptor_pb2.FileDescriptorProto) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}

    def visit(message: descriptor_pb2.DescriptorProto, path: str) -> None:
        for field in message.field:
            found[f"{path}{message.name}.{field.name}"] = (
                field.number,
                field.type,
                field.label,
                field.type_name,
                field.HasField("oneof_index"),
            )
        for nested in message.nested_type:
            visit(nested, f"{path}{message.name}.")

    for message in file.message_type:
        visit(message, "")
    for enum in file.enum_type:
        for value in enum.value:
            found[f"{enum.name}.{value.name}"] = (value.number,)
    for service in file.service:
        for method in service.method:
            found[f"{service.name}.{method.name}"] = (
                method.input_type,
                method.output_type,
                method.client_streaming,
                method.server_streaming,
            )
    return found


@pytest.mark.parametrize("theirs", [peer, peer_properties], ids=["messages", "properties"])
def test_schema_beside_the_peers_has_the_same_fields(theirs: Any) -> None:
    expected = descriptor_pb2.FileDescriptorProto()
    theirs.DESCRIPTOR.CopyToProto(expected)
    ours = descriptor_pb2.FileDescriptorProto()
    name = "properties" if theirs is peer_properties else "dm_env_rpc"
    folder = "extensions/" if theirs is peer_properties else ""
    POOL.FindFileByName(f"dm_env_rpc/v1/{folder}{name}.proto").CopyToProto(ours)
    wanted = _fields_of(expected)
    wanted.pop("PropertySpec.description", None)  # nobody sends it
    assert wanted == _fields_of(ours)


def test_schema_beside_the_peers_is_another_class() -> None:
    assert Tensor is not peer.Tensor
    assert Tensor.DESCRIPTOR.full_name == peer.Tensor.DESCRIPTOR.full_name


@pytest.mark.parametrize("kind", REQUESTS)
def test_request_of_each_kind_is_recognised_and_parsed(kind: Kind) -> None:
    assert kind_of(REQUESTS[kind]) is kind
    assert parse_request(REQUESTS[kind]).WhichOneof("payload") == kind.name.lower()


@pytest.mark.parametrize("kind", RESPONSES)
def test_response_of_each_kind_is_recognised_and_parsed(kind: Kind) -> None:
    assert kind_of(RESPONSES[kind]) is kind
    assert parse_response(RESPONSES[kind]).WhichOneof("payload") == kind.name.lower()


@pytest.mark.parametrize("kind", REQUESTS)
def test_request_of_each_kind_is_read_alike_by_the_peer(kind: Kind) -> None:
    theirs = peer.EnvironmentRequest.FromString(REQUESTS[kind])
    assert str(theirs) == str(parse_request(REQUESTS[kind]))
    assert theirs.WhichOneof("payload") == kind.name.lower()


def test_step_holds_actions_and_what_is_requested() -> None:
    step = parse_request(REQUESTS[Kind.STEP]).step
    assert list(step.requested_observations) == [2, 1]
    assert list(step.actions[1].int64s.array) == [7]


def test_step_begins_with_0x1a() -> None:
    assert REQUESTS[Kind.STEP][0] == 0x1A


def test_reset_answer_has_the_bytes_of_the_specs_joined() -> None:
    specs = messages.make_specs({1: _SPEC, 900: _SPEC}, dict.fromkeys(range(50), _SPEC))
    joined = parse_response(messages.world_joined(specs)).join_world.specs
    reset = parse_response(messages.was_reset(specs)).reset.specs
    assert messages.serialize(joined) == messages.serialize(reset)
    assert messages.world_joined(specs)[1:] == messages.was_reset(specs)[1:]


def test_serialize_of_equal_messages_gives_equal_bytes() -> None:
    uids = [*range(50), 10**9]
    one = messages.make_specs({}, dict.fromkeys(uids, _SPEC))
    other = messages.make_specs({}, dict.fromkeys(reversed(uids), _SPEC))
    assert one == other
    assert messages.serialize(one) == messages.serialize(other)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x00",
        b"\x08\x01",  # a number in place of a message
        b"\x4a\x00",  # field 9
        b"\x1a",
        b"\x1a\x05\x00",
        b"\x1a" + b"\xff" * 10,
        b"\x82",
        b"\x82\x02\x00",
        b"\x9a\x00\x00",  # a step, its tag longer than need be
    ],
)
def test_kind_of_what_is_no_message_is_none(message: bytes) -> None:
    assert kind_of(message) is None
    with pytest.raises(ProtocolViolationError, match="of a known kind"):
        parse_request(message)


def test_kind_of_a_step_with_another_request_behind_it_is_none() -> None:
    smuggled = messages.leave_world().replace(b"\x32", b"\x1a") + REQUESTS[Kind.RESET_WORLD]
    assert messages.EnvironmentRequest.FromString(smuggled).WhichOneof("payload") == "reset_world"
    assert kind_of(smuggled) is None
    with pytest.raises(ProtocolViolationError, match="one request"):
        parse_request(smuggled)


def test_kind_of_a_long_message_is_found() -> None:
    long = messages.join_world("x" * 70_000, {})
    assert kind_of(long) is Kind.JOIN_WORLD
    assert kind_of(long[:-1]) is None
    assert kind_of(long + b"\x00") is None


def test_parse_response_of_broken_contents_raises() -> None:
    with pytest.raises(ProtocolViolationError, match="no response"):
        parse_response(b"\x1a\x02\x12\x7f")


@given(st.binary(max_size=60))
def test_parse_of_any_bytes_is_a_message_of_its_kind_or_an_error(data: bytes) -> None:
    for parse in (parse_request, parse_response):
        try:
            message = parse(data)
        except ProtocolViolationError:
            continue
        kind = kind_of(data)
        assert kind is not None
        assert message.WhichOneof("payload") == kind.name.lower()


def test_parse_request_of_an_error_raises() -> None:
    with pytest.raises(ProtocolViolationError, match="of a known kind"):
        parse_request(RESPONSES[Kind.ERROR])


def test_property_request_is_found_in_the_extension() -> None:
    read = messages.property_request_of(parse_request(messages.read_property("attr/x")))
    assert read is not None
    assert read.read_property.key == "attr/x"
    listed = messages.property_request_of(parse_request(messages.list_property("")))
    assert listed is not None
    assert listed.WhichOneof("payload") == "list_property"


def test_property_answers_are_found_in_the_extension() -> None:
    spec = messages.PropertySpec(spec=TensorSpec(name="frame"), is_readable=True)
    listed = messages.property_response_of(parse_response(messages.properties_listed([spec])))
    assert listed is not None
    assert [value.spec.name for value in listed.list_property.values] == ["frame"]
    read = messages.property_response_of(parse_response(messages.property_read(_TEXT)))
    assert read is not None
    assert read.read_property.value == _TEXT


def test_property_request_of_another_extension_is_none() -> None:
    request = messages.EnvironmentRequest()
    request.extension.type_url = "type.googleapis.com/other.Request"
    assert messages.property_request_of(request) is None


def test_property_request_of_broken_bytes_raises() -> None:
    request = messages.EnvironmentRequest()
    request.extension.type_url = f"type.googleapis.com/{PROPERTIES}.PropertyRequest"
    request.extension.value = b"\x0a\x05"
    with pytest.raises(ProtocolViolationError, match="PropertyRequest"):
        messages.property_request_of(request)


@pytest.mark.parametrize("reason", Reason)
def test_error_of_each_reason_is_read_back(reason: Reason) -> None:
    report = Report(reason, "ValueError", "no: such thing", "step", "Traceback …", -9)
    received = read_error(parse_response(error_response(report)).error)
    assert received == (
        *(reason.code, reason, "ValueError", "no: such thing", "step", "Traceback …", -9),
    )


def test_error_without_a_traceback_sends_none() -> None:
    message = error_response(Report(Reason.ENV_RAISED, "KeyError", "'x'", "reset"))
    assert b"traceback" not in message
    status = parse_response(message).error
    assert (status.code, status.message) == (2, "KeyError: 'x'")
    assert status.details[0].type_url == "type.googleapis.com/google.rpc.ErrorInfo"
    assert read_error(status).traceback is None


def test_error_of_an_empty_text_says_something() -> None:
    status = parse_response(error_response(Report(Reason.ENV_RAISED, "", " "))).error
    assert status.message == "Error: (no text)"


def test_error_of_a_long_text_is_cut_to_4_kib_of_whole_characters() -> None:
    report = Report(Reason.ENV_RAISED, "T" * 5000, "ä" * 5000, traceback="x" * 99_999 + "end")
    message = error_response(report)
    status = parse_response(message).error
    assert 4090 < len(status.message.encode()) <= 4096
    assert len(message) < 40_000
    traceback = read_error(status).traceback
    assert traceback is not None
    assert traceback.endswith("end")


def test_error_of_a_text_that_is_no_unicode_is_sent() -> None:
    status = parse_response(error_response(Report(Reason.BAD_ARGS, "OSError", "\udcff"))).error
    assert status.message == "OSError: \\udcff"


def test_read_error_of_another_server_has_no_reason() -> None:
    response = messages.EnvironmentResponse()
    response.error.code = 13
    response.error.message = "it broke"
    assert read_error(response.error) == (13, None, "", "it broke", "", None, None)


@pytest.mark.parametrize(
    ("type_url", "value"),
    [
        ("type.googleapis.com/google.rpc.Help", b""),
        ("type.googleapis.com/google.rpc.ErrorInfo", b"\x0a\x7f"),
        ("type.googleapis.com/google.rpc.ErrorInfo", b"\x0a\x04FULL\x12\x05other"),
    ],
    ids=["other-detail", "broken-detail", "other-domain"],
)
def test_read_error_of_details_not_ours_has_no_reason(type_url: str, value: bytes) -> None:
    response = messages.EnvironmentResponse()
    response.error.message = "it broke"
    response.error.details.add(type_url=type_url, value=value)
    assert read_error(response.error).reason is None


def test_read_error_of_a_reason_from_the_future_keeps_the_rest() -> None:
    message = error_response(Report(Reason.FULL, "T", "text")).replace(b"FULL", b"FOOL")
    received = read_error(parse_response(message).error)
    assert (received.reason, received.type_name, received.message) == (None, "T", "text")
