"""Messages: what is valid survives the wire; nothing else brings more than a documented error."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsecgame.errors import BadReplyError, BadRequestError
from netsecgame.game_components import (
    ACTION_PARAMETERS,
    IP,
    Action,
    ActionType,
    AgentInfo,
    AgentRole,
    Data,
    GameStatus,
    Network,
    Service,
)
from netsecgame.protocol import (
    Reply,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
    encode_step_reply,
    escape_end_marker,
    forbidden,
)

thorough = settings(max_examples=200, deadline=None, derandomize=True)

# --- values ---------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text(
    st.sampled_from('EOFG"\\î'), max_size=12
)
addresses = st.ip_addresses(v=4).map(str)
int64s = st.integers(-(2**63), 2**63 - 1)
values_of: dict[type, st.SearchStrategy[Any]] = {
    IP: addresses.map(IP),
    Network: st.builds(Network, addresses, st.integers(0, 32)),
    Service: st.builds(Service, texts, texts, texts, st.booleans()),
    Data: st.builds(Data, texts, texts, st.integers(0, 2**63 - 1), texts, texts),
}
parameters_of: dict[ActionType, st.SearchStrategy[dict[str, Any]]] = {
    action_type: st.fixed_dictionaries({name: values_of[kind] for name, kind in kinds.items()})
    for action_type, kinds in ACTION_PARAMETERS.items()
} | {
    ActionType.JoinGame: st.fixed_dictionaries(
        {"agent_info": st.builds(AgentInfo, texts, st.sampled_from(AgentRole))}
    ),
    ActionType.QuitGame: st.just({}),
    ActionType.ResetGame: st.fixed_dictionaries(
        {
            "request_trajectory": st.booleans(),
            "randomize_topology": st.booleans(),
            "seed": st.none() | int64s,
        }
    ),
}
actions = st.sampled_from(ActionType).flatmap(
    lambda action_type: st.builds(Action, st.just(action_type), parameters_of[action_type])
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | texts
    | st.sampled_from(["1.2.3.4", "Attacker", "True", "None", "x" * 1000]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(texts | st.sampled_from(["ip", "mask", "name"]), inner, max_size=3)
    ),
    max_leaves=10,
)


# --- requests -------------------------------------------------------------------------------------


def decode_or_check_error(frame: bytes | str) -> Action | None:
    """The action, or None after an error that is fit to be shown to anybody."""
    try:
        return decode_request(frame)
    except BadRequestError as error:
        text = str(error)
    assert len(text) < 600
    assert text.isprintable()
    text.encode()
    return None


@thorough
@given(actions)
def test_decode_request_of_encode_request_is_the_same_action(action: Action) -> None:
    decoded = decode_request(encode_request(action))

    assert decoded == action
    assert decoded.as_dict == action.as_dict  # size and content of data do not count for equality


@thorough
@given(actions, st.booleans(), st.sampled_from([None, 1]))
def test_decode_request_form_of_the_json_does_not_matter(
    action: Action, ensure_ascii: bool, indent: int | None
) -> None:
    text = json.dumps(action.as_dict, ensure_ascii=ensure_ascii, indent=indent, sort_keys=True)

    assert decode_request(text) == decode_request(text.encode()) == action


@thorough
@given(st.binary(max_size=200))
def test_decode_request_arbitrary_bytes_raise_only_bad_request(data: bytes) -> None:
    assert decode_or_check_error(data) is None


@thorough
@given(json_values)
def test_decode_request_arbitrary_json_raises_only_bad_request(value: object) -> None:
    assert decode_or_check_error(json.dumps(value)) is None


@thorough
@given(st.sampled_from(ActionType), json_values)
def test_decode_request_arbitrary_parameters_raise_only_bad_request(
    action_type: ActionType, value: object
) -> None:
    decode_or_check_error(json.dumps({"action_type": str(action_type), "parameters": value}))


def places_in(value: object) -> list[tuple[dict[str, Any], str]]:
    """Every key of the nested objects, with the object it is in."""
    if not isinstance(value, dict):
        return []
    return [(value, key) for key in value] + [p for v in value.values() for p in places_in(v)]


@settings(thorough, max_examples=500)
@given(actions, st.data(), json_values)
def test_decode_request_message_changed_in_one_place_is_valid_or_a_named_error(
    action: Action, data: st.DataObject, value: object
) -> None:
    message = copy.deepcopy(action.as_dict)
    container, key = data.draw(st.sampled_from(places_in(message)))
    match data.draw(st.sampled_from(["replace", "remove", "add", "rename"])):
        case "replace":
            container[key] = value
        case "remove":
            del container[key]
        case "add":
            container[data.draw(texts)] = value
        case "rename":
            container[key + data.draw(texts)] = container.pop(key)

    decoded = decode_or_check_error(json.dumps(message))
    if decoded is not None:
        assert decode_request(encode_request(decoded)).as_dict == decoded.as_dict


@thorough
@given(actions, st.data())
def test_decode_request_message_cut_or_with_a_changed_byte_raises_only_bad_request(
    action: Action, data: st.DataObject
) -> None:
    frame = bytearray(encode_request(action))
    at = data.draw(st.integers(0, len(frame) - 1))

    assert decode_or_check_error(bytes(frame[:at])) is None
    frame[at] = data.draw(st.integers(0, 255))
    decode_or_check_error(bytes(frame))


# --- replies --------------------------------------------------------------------------------------

wire_values = st.recursive(
    st.none() | st.booleans() | int64s | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)
wire_objects = st.dictionaries(texts, wire_values, max_size=3)


@thorough
@given(
    to_agent=st.tuples(addresses | texts, st.integers(0, 65535)),
    status=st.sampled_from(GameStatus),
    state=st.none() | wire_objects,
    reward=int64s | st.floats(allow_nan=False, allow_infinity=False),
    end=st.booleans(),
    info=wire_objects,
    message=st.none() | wire_objects,
    extra=st.dictionaries(
        texts.filter(lambda key: key not in Reply.__struct_fields__), wire_values, max_size=3
    ),
)
def test_decode_reply_of_encode_reply_gives_everything_back_without_end_markers(
    to_agent: tuple[str, int],
    status: GameStatus,
    state: dict[str, Any] | None,
    reward: float,
    end: bool,
    info: dict[str, Any],
    message: dict[str, Any] | None,
    extra: dict[str, Any],
) -> None:
    encoded = encode_reply(
        to_agent,
        status,
        state_json=None if state is None else json.dumps(state).encode(),
        reward=reward,
        end=end,
        info=info,
        message=message,
        extra=extra,
    )

    assert b"EOF" not in encoded
    decoded = decode_reply(encoded)
    observation = None
    if state is not None:
        observation = {"state": state, "reward": reward, "end": end, "info": info}
    assert decoded == Reply(to_agent, status, observation, message, extra)
    if decoded.observation is not None:
        assert type(decoded.observation["reward"]) is type(reward)


@thorough
@given(
    to_agent=st.tuples(texts, st.integers(0, 65_535)),
    state=wire_objects,
    reward=st.sampled_from([0, 0.0, -1, -1.0, 1, 1.0, True]) | int64s | st.floats(allow_nan=False),
)
def test_encode_step_reply_is_what_encode_reply_gives(
    to_agent: tuple[str, int], state: dict[str, Any], reward: float
) -> None:
    state_json = escape_end_marker(json.dumps(state, ensure_ascii=False).encode())
    expected = encode_reply(to_agent, GameStatus.OK, state_json=state_json, reward=reward)

    for pieces in ([state_json], [state_json[:1], state_json[1:-1], state_json[-1:]]):
        assert b"".join(encode_step_reply(to_agent, pieces, reward)) == expected


@pytest.mark.parametrize("name", ["GEOFF", "EOF", "EOFEOF", "\\EOF", "îOF"])
def test_decode_reply_agent_with_the_end_marker_in_its_name_reads_it_again(name: str) -> None:
    encoded = forbidden(("127.0.0.1", 1), name)

    assert b"EOF" not in encoded
    assert decode_reply(encoded).message == {"message": name}


@thorough
@given(
    st.binary(max_size=100)
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries(
        {"status": st.sampled_from(["GameStatus.OK", "x"])},
        optional={
            "to_agent": json_values,
            "observation": json_values,
            "message": json_values,
            "more": json_values,
        },
    ).map(lambda value: json.dumps(value).encode())
)
def test_decode_reply_arbitrary_bytes_raise_only_bad_reply(frame: bytes) -> None:
    try:
        text = str(decode_reply(frame).status)
    except BadReplyError as error:
        text = str(error)

    assert text in map(str, GameStatus) or 0 < len(text) < 300
