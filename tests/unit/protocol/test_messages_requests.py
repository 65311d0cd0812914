from __future__ import annotations

import gc
import json
import tracemalloc
from typing import Any

import pytest

from netsecgame.errors import BadRequestError
from netsecgame.game_components import (
    ACTION_PARAMETERS,
    IP,
    Action,
    ActionType,
    AgentInfo,
    AgentRole,
    Data,
    Network,
    Service,
)
from netsecgame.protocol import Limits, decode_request, encode_request

HOST = {"ip": "192.168.1.5"}
OTHER_HOST = {"ip": "213.47.23.195"}
NETWORK = {"ip": "192.168.1.0", "mask": 24}
SERVICE = {"name": "ssh", "type": "passive", "version": "8.1.0", "is_local": False}
DATA = {"owner": "User1", "id": "Data1", "size": 42, "type": "file", "content": "secret"}
AGENT_INFO = {"name": "Agent1", "role": "Attacker"}
RESET = {"request_trajectory": True, "randomize_topology": True, "seed": 42}

# Every row of the table in the protocol's description.
PARAMETERS: dict[str, dict[str, Any]] = {
    "JoinGame": {"agent_info": AGENT_INFO},
    "QuitGame": {},
    "ResetGame": RESET,
    "ScanNetwork": {"source_host": HOST, "target_network": NETWORK},
    "FindServices": {"source_host": HOST, "target_host": OTHER_HOST},
    "FindData": {"source_host": HOST, "target_host": OTHER_HOST},
    "ExploitService": {"source_host": HOST, "target_host": OTHER_HOST, "target_service": SERVICE},
    "ExfiltrateData": {"source_host": HOST, "target_host": OTHER_HOST, "data": DATA},
    "BlockIP": {"source_host": HOST, "target_host": OTHER_HOST, "blocked_host": {"ip": "1.2.3.4"}},
}
VALUES: dict[str, Any] = {
    "agent_info": AgentInfo("Agent1", AgentRole.Attacker),
    "request_trajectory": True,
    "randomize_topology": True,
    "seed": 42,
    "source_host": IP("192.168.1.5"),
    "target_host": IP("213.47.23.195"),
    "blocked_host": IP("1.2.3.4"),
    "target_network": Network("192.168.1.0", 24),
    "target_service": Service("ssh", "passive", "8.1.0", is_local=False),
    "data": Data("User1", "Data1", 42, "file", "secret"),
}
REQUIRED = [
    (action, name)
    for action, parameters in PARAMETERS.items()
    for name in parameters
    if action != "ResetGame"
]


def request(action_type: Any, parameters: Any) -> bytes:
    return json.dumps({"action_type": action_type, "parameters": parameters}).encode()


def error_of(frame: bytes | str) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        decode_request(frame)
    assert len(str(caught.value)) < 500
    return caught.value


def error_with(action: str, **changes: Any) -> BadRequestError:
    """The error for a valid message with some parameters changed or added."""
    return error_of(request(action, PARAMETERS[action] | changes))


# --- right ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", PARAMETERS)
@pytest.mark.parametrize("prefix", ["", "ActionType."])
def test_decode_request_valid_message_gives_the_action_in_values(action: str, prefix: str) -> None:
    decoded = decode_request(request(prefix + action, PARAMETERS[action]))

    assert decoded.action_type is ActionType.from_string(action)
    assert decoded.parameters == {name: VALUES[name] for name in PARAMETERS[action]}
    assert {type(value) for value in decoded.parameters.values()} <= {
        IP,
        Network,
        Service,
        Data,
        AgentInfo,
        bool,
        int,
    }


@pytest.mark.parametrize("action_type", ACTION_PARAMETERS)
def test_decode_request_game_action_has_its_parameters_in_the_documented_order(
    action_type: ActionType,
) -> None:
    parameters = PARAMETERS[action_type.to_string()]
    for names in (list(parameters), list(reversed(parameters))):
        decoded = decode_request(
            request(str(action_type), {name: parameters[name] for name in names})
        )
        assert list(decoded.parameters) == list(ACTION_PARAMETERS[action_type])


@pytest.mark.parametrize("action", PARAMETERS)
def test_encode_request_decoded_again_is_the_same_action(action: str) -> None:
    decoded = decode_request(request(action, PARAMETERS[action]))
    again = decode_request(encode_request(decoded))

    assert again == decoded
    assert again.as_dict == decoded.as_dict  # size and content of data do not count for equality


def test_decode_request_text_is_read_like_bytes() -> None:
    frame = request("QuitGame", {})

    assert decode_request(frame.decode()) == decode_request(frame) == Action(ActionType.QuitGame)


def test_decode_request_parameters_absent_are_empty() -> None:
    assert decode_request(b'{"action_type": "QuitGame"}') == Action(ActionType.QuitGame)


@pytest.mark.parametrize("size_and_content", [{"size": 42, "content": "x"}, {}])
def test_decode_request_data_keeps_size_and_content_or_has_the_defaults(
    size_and_content: dict[str, Any],
) -> None:
    data = {"owner": "User1", "id": "Data1", **size_and_content}
    decoded = decode_request(
        request("ExfiltrateData", PARAMETERS["ExfiltrateData"] | {"data": data})
    )

    value = decoded.parameters["data"]
    assert (value.owner, value.id, value.type) == ("User1", "Data1", "")
    assert value.size == size_and_content.get("size", 0)
    assert value.content == size_and_content.get("content", "")


def test_decode_request_service_by_name_alone_has_the_defaults() -> None:
    parameters = PARAMETERS["ExploitService"] | {"target_service": {"name": "ssh"}}
    decoded = decode_request(request("ExploitService", parameters))

    assert decoded.parameters["target_service"] == Service("ssh")


@pytest.mark.parametrize("mask", [0, 1, 31, 32])
def test_decode_request_any_mask_is_taken_with_bits_behind_it(mask: int) -> None:
    network = {"ip": "192.168.1.77", "mask": mask}
    decoded = decode_request(
        request("ScanNetwork", {"source_host": HOST, "target_network": network})
    )

    assert decoded.parameters["target_network"] == Network("192.168.1.77", mask)


@pytest.mark.parametrize("role", AgentRole)
@pytest.mark.parametrize("form", ["{}", "AgentRole.{}"])
@pytest.mark.parametrize("case", [str.title, str.lower, str.upper])
def test_decode_request_role_in_any_case_and_with_prefix_is_taken(
    role: AgentRole, form: str, case: Any
) -> None:
    info = {"name": "", "role": form.format(case(role.name))}
    decoded = decode_request(request("JoinGame", {"agent_info": info}))

    assert decoded.parameters["agent_info"] == AgentInfo("", role)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (True, True),
        (False, False),
        ("True", True),
        ("False", False),
        ("None", False),
        (None, False),
    ],
)
@pytest.mark.parametrize("flag", ["request_trajectory", "randomize_topology"])
def test_decode_request_reset_flag_is_also_read_from_python_words(
    flag: str, given: object, value: bool
) -> None:
    decoded = decode_request(request("ResetGame", {flag: given}))

    assert decoded.parameters[flag] is value


@pytest.mark.parametrize(
    ("given", "value"),
    [(0, 0), (-(2**63), -(2**63)), (2**63 - 1, 2**63 - 1), (None, None), ("None", None)],
)
def test_decode_request_reset_seed_is_an_integer_or_none(given: object, value: int | None) -> None:
    assert decode_request(request("ResetGame", {"seed": given})).parameters["seed"] == value


def test_decode_request_reset_with_nothing_has_the_defaults() -> None:
    assert decode_request(request("ResetGame", {})).parameters == {
        "request_trajectory": False,
        "randomize_topology": False,
        "seed": None,
    }


@pytest.mark.parametrize("names", [["blocked_ip"], ["blocked_ip", "blocked_host"]])
def test_decode_request_blocked_ip_is_blocked_host(names: list[str]) -> None:
    parameters = {"source_host": HOST, "target_host": OTHER_HOST}
    decoded = decode_request(
        request("BlockIP", parameters | {name: {"ip": "1.2.3.4"} for name in names})
    )

    assert decoded.parameters["blocked_host"] == IP("1.2.3.4")
    assert "blocked_ip" not in decoded.parameters


# --- missing, unknown, of the wrong type ----------------------------------------------------------


@pytest.mark.parametrize(("action", "name"), REQUIRED)
def test_decode_request_parameter_missing_is_named(action: str, name: str) -> None:
    parameters = {key: value for key, value in PARAMETERS[action].items() if key != name}
    error = error_of(request(action, parameters))

    assert error.field == f"parameters.{name}"
    assert error.reason.endswith("got nothing")


@pytest.mark.parametrize(("action", "name"), REQUIRED)
@pytest.mark.parametrize("wrong", [None, True, 1, 1.5, "192.168.1.5", [], [HOST]])
def test_decode_request_parameter_of_the_wrong_type_is_named(
    action: str, name: str, wrong: object
) -> None:
    error = error_with(action, **{name: wrong})

    assert error.field == f"parameters.{name}"
    assert error.reason.startswith("expected an object with ")


@pytest.mark.parametrize("action", PARAMETERS)
def test_decode_request_unknown_parameter_is_named(action: str) -> None:
    error = error_with(action, colour="red")

    assert error.field == "parameters.colour"
    assert f"unknown parameter of ActionType.{action} 'colour'" in error.reason
    assert all(name in error.reason for name in PARAMETERS[action])


@pytest.mark.parametrize(("action", "name"), REQUIRED)
def test_decode_request_misspelt_parameter_suggests_the_right_one(action: str, name: str) -> None:
    parameters = dict(PARAMETERS[action])
    parameters[name[:-1]] = parameters.pop(name)
    error = error_of(request(action, parameters))

    assert error.field == f"parameters.{name[:-1]}"
    assert f"did you mean {name!r}?" in error.reason


@pytest.mark.parametrize(
    ("action", "name", "value", "field", "expected"),
    [
        ("JoinGame", "agent_info", {"role": "Attacker"}, ".name", "a string, got nothing"),
        ("JoinGame", "agent_info", {"name": 1, "role": "Attacker"}, ".name", "got the number 1"),
        ("JoinGame", "agent_info", {"name": "A"}, ".role", "a string, got nothing"),
        ("JoinGame", "agent_info", {"name": "A", "role": None}, ".role", "a string, got null"),
        ("JoinGame", "agent_info", {"name": "A", "role": "Atacker"}, ".role", "mean 'Attacker'"),
        ("JoinGame", "agent_info", AGENT_INFO | {"rol": 1}, ".rol", "did you mean 'role'?"),
        ("ScanNetwork", "source_host", {}, ".ip", "an IPv4 address"),
        ("ScanNetwork", "source_host", {"ip": 1}, ".ip", "got the number 1"),
        ("ScanNetwork", "source_host", {"ip": "1.2.3"}, ".ip", "the string '1.2.3'"),
        ("ScanNetwork", "source_host", {"ip": "1.2.3.256"}, ".ip", "an IPv4 address"),
        ("ScanNetwork", "source_host", {"ip": "1.2.3.04"}, ".ip", "an IPv4 address"),
        ("ScanNetwork", "source_host", {"ip": "1.2.3.4 "}, ".ip", "an IPv4 address"),
        ("ScanNetwork", "source_host", {"ip": "1.2.3.4/24"}, ".ip", "an IPv4 address"),
        ("ScanNetwork", "source_host", {"ip": "::1"}, ".ip", "an IPv4 address"),
        ("ScanNetwork", "source_host", {"ip": ""}, ".ip", "an IPv4 address"),
        ("ScanNetwork", "source_host", HOST | {"mask": 1}, ".mask", "unknown field 'mask'"),
        ("ScanNetwork", "target_network", {"mask": 24}, ".ip", "got nothing"),
        ("ScanNetwork", "target_network", {"ip": "net_1", "mask": 24}, ".ip", "'net_1'"),
        ("ScanNetwork", "target_network", {"ip": "10.0.0.0"}, ".mask", "0 to 32, got nothing"),
        ("ScanNetwork", "target_network", NETWORK | {"mask": 33}, ".mask", "got the number 33"),
        ("ScanNetwork", "target_network", NETWORK | {"mask": -1}, ".mask", "got the number -1"),
        ("ScanNetwork", "target_network", NETWORK | {"mask": True}, ".mask", "got true"),
        ("ScanNetwork", "target_network", NETWORK | {"mask": "24"}, ".mask", "the string '24'"),
        ("ScanNetwork", "target_network", NETWORK | {"mask": 24.0}, ".mask", "the number 24.0"),
        ("ScanNetwork", "target_network", NETWORK | {"mask": None}, ".mask", "got null"),
        ("ScanNetwork", "target_network", NETWORK | {"mas": 1}, ".mas", "did you mean 'mask'?"),
        ("ExploitService", "target_service", {"type": "passive"}, ".name", "got nothing"),
        ("ExploitService", "target_service", SERVICE | {"name": None}, ".name", "got null"),
        ("ExploitService", "target_service", SERVICE | {"type": 1}, ".type", "a string"),
        ("ExploitService", "target_service", SERVICE | {"version": 8.1}, ".version", "a string"),
        ("ExploitService", "target_service", SERVICE | {"is_local": 0}, ".is_local", "true or"),
        (
            "ExploitService",
            "target_service",
            SERVICE | {"is_local": "True"},
            ".is_local",
            "true or",
        ),
        ("ExploitService", "target_service", SERVICE | {"verson": ""}, ".verson", "mean 'version'"),
        ("ExfiltrateData", "data", {"id": "x"}, ".owner", "got nothing"),
        ("ExfiltrateData", "data", {"owner": "x"}, ".id", "got nothing"),
        ("ExfiltrateData", "data", DATA | {"owner": 1}, ".owner", "a string"),
        ("ExfiltrateData", "data", DATA | {"id": []}, ".id", "got an array"),
        ("ExfiltrateData", "data", DATA | {"size": "42"}, ".size", "an integer"),
        ("ExfiltrateData", "data", DATA | {"size": False}, ".size", "got false"),
        ("ExfiltrateData", "data", DATA | {"size": -1}, ".size", "from 0"),
        ("ExfiltrateData", "data", DATA | {"size": 2**63}, ".size", "2**63-1"),
        ("ExfiltrateData", "data", DATA | {"type": None}, ".type", "a string"),
        ("ExfiltrateData", "data", DATA | {"content": {}}, ".content", "got an object"),
        ("ExfiltrateData", "data", DATA | {"ower": ""}, ".ower", "did you mean 'owner'?"),
        ("ResetGame", "request_trajectory", 1, "", "true or false, got the number 1"),
        ("ResetGame", "request_trajectory", "true", "", "true or false, got the string 'true'"),
        ("ResetGame", "randomize_topology", {}, "", "true or false, got an object"),
        ("ResetGame", "seed", True, "", "got true"),
        ("ResetGame", "seed", 1.0, "", "got the number 1.0"),
        ("ResetGame", "seed", "42", "", "got the string '42'"),
        ("ResetGame", "seed", 2**63, "", "-2**63 to 2**63-1"),
        ("ResetGame", "seed", -(2**63) - 1, "", "-2**63 to 2**63-1"),
        ("BlockIP", "blocked_host", {"ip": "x"}, ".ip", "an IPv4 address"),
    ],
)
def test_decode_request_field_that_is_wrong_is_named_with_what_was_expected(
    action: str, name: str, value: object, field: str, expected: str
) -> None:
    error = error_with(action, **{name: value})

    assert error.field == f"parameters.{name}{field}"
    assert expected in error.reason
    assert str(error) == f"{error.field}: {error.reason}"


def test_decode_request_blocked_ip_that_differs_from_blocked_host_is_an_error() -> None:
    error = error_with("BlockIP", blocked_ip={"ip": "4.3.2.1"})

    assert error.field == "parameters.blocked_ip"
    assert "blocked_host" in error.reason


def test_decode_request_blocked_ip_that_is_wrong_is_named_as_the_peer_names_it() -> None:
    parameters = {"source_host": HOST, "target_host": OTHER_HOST, "blocked_ip": {"ip": "x"}}

    assert error_of(request("BlockIP", parameters)).field == "parameters.blocked_ip.ip"


def test_decode_request_blocked_ip_of_another_action_is_unknown() -> None:
    assert error_with("FindData", blocked_ip=HOST).field == "parameters.blocked_ip"


# --- the message itself ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "field", "expected"),
    [
        (b"[]", "", "expected an object with action_type, parameters, got an array"),
        (b"null", "", "got null"),
        (b"12", "", "got the number 12"),
        (b'"QuitGame"', "", "got the string 'QuitGame'"),
        (b"{}", "action_type", "expected a string, got nothing"),
        (b'{"action_type": null}', "action_type", "got null"),
        (b'{"action_type": 1}', "action_type", "got the number 1"),
        (b'{"action_type": ["QuitGame"]}', "action_type", "got an array"),
        (b'{"action_type": {}}', "action_type", "got an object"),
        (b'{"action_type": "ScanNetwrok"}', "action_type", "did you mean 'ScanNetwork'?"),
        (b'{"action_type": "ActionType.QuitGam"}', "action_type", "did you mean 'QuitGame'?"),
        (b'{"action_type": "scannetwork"}', "action_type", "unknown action type 'scannetwork'"),
        (b'{"action_type": "Action.QuitGame"}', "action_type", "unknown action type"),
        (b'{"action_type": ""}', "action_type", "unknown action type ''"),
        (b'{"acton_type": "QuitGame"}', "acton_type", "did you mean 'action_type'?"),
        (b'{"action_type": "QuitGame", "id": 1}', "id", "unknown field 'id'"),
        (b'{"action_type": "QuitGame", "": 1}', "", "unknown field ''"),
        (b'{"action_type": "QuitGame", "parameters": null}', "parameters", "got null"),
        (b'{"action_type": "QuitGame", "parameters": []}', "parameters", "got an array"),
        (b'{"action_type": "QuitGame", "parameters": "{}"}', "parameters", "got the string '{}'"),
    ],
)
def test_decode_request_message_that_is_wrong_is_an_error(
    frame: bytes, field: str, expected: str
) -> None:
    error = error_of(frame)

    assert error.field == field
    assert expected in error.reason


def test_decode_request_unknown_action_type_lists_all_of_them() -> None:
    reason = error_of(b'{"action_type": "Attack"}').reason

    assert all(action.name in reason for action in ActionType)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"{]", "not valid JSON"),
        (b'{"a" 1}', "not valid JSON"),
        (b'{"action_type": "QuitGame",}', "not valid JSON"),
        (b'{"action_type": NaN}', "not valid JSON"),
        (b'{"action_type": 1e999}', "not valid JSON"),
        (b'{"action_type": ' + b"9" * 60_000 + b"}", "not valid JSON"),
        (b'{"action_type": "\\ud800"}', "not valid JSON"),
        (b'{"action_type": "\\udc00\\ud800"}', "not valid JSON"),
        (b'{"action_type": "a\nb"}', "not valid JSON"),
        (b'{"action_type": "\xff"}', "not valid UTF-8"),
        (b'{"action_type": "\xed\xa0\x80"}', "not valid UTF-8"),
        ('{"action_type": "\ud800"}', "not valid UTF-8"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 100_000, "nested too deep"),
    ],
)
def test_decode_request_bytes_that_are_no_json_are_an_error(
    frame: bytes | str, expected: str
) -> None:
    error = error_of(frame)

    assert error.field == ""
    assert error.reason.startswith(expected)


def test_decode_request_duplicate_keys_the_last_one_counts() -> None:
    frame = b'{"action_type": "JoinGame", "action_type": "QuitGame"}'

    assert decode_request(frame) == Action(ActionType.QuitGame)


LONG = "x" * 60_000


@pytest.mark.parametrize(
    "frame",
    [
        request(LONG, {}),
        request("QuitGame", {LONG: 1}),
        request("QuitGame", LONG),
        request("JoinGame", {"agent_info": {"name": "A", "role": LONG}}),
        request("JoinGame", {"agent_info": {LONG: 1}}),
        request("ScanNetwork", {"source_host": {"ip": LONG}, "target_network": NETWORK}),
        request("ResetGame", {"seed": LONG}),
        json.dumps({LONG: 1}).encode(),
        json.dumps(LONG).encode(),
    ],
)
def test_decode_request_long_field_is_cut_in_the_error(frame: bytes) -> None:
    error = error_of(frame)

    assert "…" in str(error)
    assert len(error.field) < 100


@pytest.mark.parametrize("name", ["\n", "\x1b[31m", "\u202e", "\x00", "a\u2028b"])
def test_decode_request_unprintable_text_is_escaped_in_the_error(name: str) -> None:
    for frame in (
        request("QuitGame", {name: 1}),
        request(name, {}),
        request("ResetGame", {"seed": name}),
    ):
        assert str(error_of(frame)).isprintable()


def test_decode_request_long_texts_in_place_of_addresses_are_not_kept() -> None:
    frames = [
        request("FindData", {"source_host": {"ip": f"{number}{LONG}"}, "target_host": HOST})
        for number in range(50)
    ]
    error_of(frames[0])
    tracemalloc.start()
    try:
        for frame in frames[1:]:
            error_of(frame)
        gc.collect()  # errors and their tracebacks hold each other
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept_bytes < 10 * len(LONG)


def test_decode_request_of_the_same_text_again_is_the_same_whoever_asks() -> None:
    text = json.dumps({"action_type": "FindData", "parameters": PARAMETERS["FindData"]})
    first = decode_request(text)

    assert decode_request(text.encode()) == decode_request(" " + text) == decode_request(text)
    assert decode_request(text) == first
    for wrong in (text + "]", text.replace("target_host", "target_hots")):
        for _ in range(2):
            with pytest.raises(BadRequestError):
                decode_request(wrong)


def test_decode_request_of_ever_new_requests_keeps_a_bounded_part_of_them() -> None:
    def ask(numbers: range, padding: str) -> None:
        for number in numbers:
            datum = {"owner": f"{number}", "id": padding}
            parameters = {**PARAMETERS["ExfiltrateData"], "data": datum}
            frame = json.dumps({"action_type": "ExfiltrateData", "parameters": parameters})
            assert decode_request(frame).parameters["data"].owner == f"{number}"

    ask(range(10_000), "x" * 200)  # as much as is ever kept
    tracemalloc.start()
    try:
        ask(range(10_000, 30_000), "x" * 200)
        ask(range(200), "x" * 50_000)
        # The traced ones have replaced the others.
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept_bytes < 10 << 20


@pytest.mark.parametrize("length", [10, 60_000, 70_000, 1_000_000])
def test_encode_request_of_a_long_datum_is_what_servers_take(length: int) -> None:
    datum = Data("system", "logfile", length, "log", "x" * length)
    hosts = {"source_host": IP("10.0.0.1"), "target_host": IP("10.0.0.2")}
    action = Action(ActionType.ExfiltrateData, {**hosts, "data": datum})

    frame = encode_request(action)

    assert len(frame) <= Limits().max_message_bytes
    assert decode_request(frame) == action
    said = decode_request(frame).parameters["data"]
    assert (said.size, said.content) == ((length, "x" * length) if length <= 60_000 else (0, ""))


def test_encode_request_that_is_too_long_otherwise_is_what_it_says() -> None:
    info = AgentInfo("x" * 70_000, AgentRole.Attacker)
    action = Action(ActionType.JoinGame, {"agent_info": info})

    assert decode_request(encode_request(action)) == action
