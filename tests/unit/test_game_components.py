from __future__ import annotations

import copy
import dataclasses
import json
import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame import game_components
from netsecgame.agents import base_agent
from netsecgame.game_components import (
    ACTION_PARAMETERS,
    IP,
    Action,
    ActionType,
    AgentInfo,
    AgentRole,
    AgentStatus,
    Data,
    GameState,
    GameStatus,
    Network,
    Observation,
    ProtocolConfig,
    Service,
)
from netsecgame.utils import utils

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = IP("192.168.1.2")
OTHER = IP("192.168.1.10")
PUBLIC = IP("213.47.23.195")
LAN = Network("192.168.1.0", 24)
SSH = Service("ssh", "passive", "8.1.0", False)
SECRET = Data("User1", "DataFromServer1", 42, "db", "s3cr3t")


def example_state() -> GameState:
    return GameState(
        controlled_hosts={HOST},
        known_hosts={OTHER, HOST, PUBLIC},
        known_services={OTHER: {SSH, Service("http")}, HOST: {SSH}},
        known_data={HOST: {SECRET, Data("User1", "A")}},
        known_networks={Network("192.168.10.0", 24), LAN},
        known_blocks={HOST: {PUBLIC}, PUBLIC: {HOST}},
    )


# --- enumerations ---------------------------------------------------------------------------------


def test_action_type_any_member_equals_its_name_with_and_without_prefix() -> None:
    for member in ActionType:
        assert member == member.name
        assert member == f"ActionType.{member.name}" == str(member)
        assert member != f"AgentStatus.{member.name}"
        assert member.value == member.name == member.to_string()
        assert ActionType.from_string(str(member)) is member
        assert ActionType.from_string(member.name) is member
        assert {member: 1}[member] == 1
    assert ActionType.ScanNetwork != ActionType.FindData
    assert len({*ActionType}) == 9


def test_agent_role_in_any_spelling_is_equal_and_read() -> None:
    for text in ("Attacker", "attacker", "AgentRole.Attacker", "agentrole.ATTACKER"):
        assert AgentRole.Attacker == text
        assert text == AgentRole.Attacker
        assert not AgentRole.Attacker != text  # noqa: SIM202  # __ne__ is what is tested
        assert AgentRole.from_string(text) is AgentRole.Attacker
    assert AgentRole.Attacker != "Defender"
    assert AgentRole.Attacker != AgentRole.Defender
    assert AgentRole.Attacker != 1
    assert isinstance(AgentRole.Benign, str)
    assert repr(AgentRole.Benign) == "Benign" == AgentRole.Benign.to_string()
    assert {"Benign": 1}[AgentRole.Benign] == 1


def test_agent_status_any_member_equals_its_name_with_and_without_prefix() -> None:
    assert AgentStatus.Fail == "Fail"
    assert AgentStatus.Fail == "AgentStatus.Fail" == str(AgentStatus.Fail)
    assert AgentStatus.Fail != AgentStatus.Success
    assert AgentStatus.from_string("AgentStatus.TimeoutReached") is AgentStatus.TimeoutReached
    assert [status.to_string() for status in AgentStatus] == [
        "Playing",
        "PlayingWithTimeout",
        "TimeoutReached",
        "ResetRequested",
        "Success",
        "Fail",
    ]


def test_game_status_text_is_the_wire_form() -> None:
    assert {str(status): status.value for status in GameStatus} == {
        "GameStatus.OK": 200,
        "GameStatus.CREATED": 201,
        "GameStatus.RESET_DONE": 202,
        "GameStatus.BAD_REQUEST": 400,
        "GameStatus.FORBIDDEN": 403,
    }
    for status in GameStatus:
        assert repr(status) == str(status)
        assert GameStatus.from_string(str(status)) is status


@pytest.mark.parametrize(
    ("read", "text", "hint"),
    [
        (ActionType.from_string, "ScanNetwrk", "'ScanNetwork'"),
        (ActionType.from_string, "scannetwork", "'ScanNetwork'"),
        (ActionType.from_string, "AgentStatus.Fail", ""),
        (ActionType.from_string, 3, ""),
        (AgentRole.from_string, "Atacker", "'Attacker'"),
        (AgentRole.from_string, None, ""),
        (AgentStatus.from_string, "", ""),
        (GameStatus.from_string, "OK", ""),
        (GameStatus.from_string, "GameStatus.Ok", "'GameStatus.OK'"),
        (GameStatus.from_string, 200, ""),
    ],
)
def test_from_string_unknown_name_says_nearest(
    read: Callable[[Any], object], text: object, hint: str
) -> None:
    with pytest.raises(ValueError, match=r"unknown .*expected one of") as error:
        read(text)
    assert repr(text) in str(error.value)
    assert hint in str(error.value)


# --- values ---------------------------------------------------------------------------------------


def test_ip_values_compare_by_number() -> None:
    assert str(HOST) == repr(HOST) == HOST.ip == "192.168.1.2"
    assert HOST.value == 0xC0A80102
    assert IP("192.168.1.2") == HOST != OTHER
    assert HOST < OTHER
    assert OTHER > HOST
    assert HOST <= IP("192.168.1.2") >= HOST
    assert sorted([PUBLIC, OTHER, HOST]) == [HOST, OTHER, PUBLIC]
    assert hash(HOST) == hash(IP("192.168.1.2")) == 0xC0A80102
    assert HOST != "192.168.1.2"
    with pytest.raises(TypeError):
        HOST < "192.168.1.3"  # type: ignore[operator]  # noqa: B015


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0",
        "10.0.0.256",
        "10.0.0.1 ",
        "010.0.0.1",
        "::1",
        "host",
        "1" * 99,
        5,
        None,
        [],
        HOST,
    ],
)
def test_ip_of_bad_address_raises(text: Any) -> None:
    with pytest.raises(ValueError, match="expected an IPv4 address"):
        IP(text)


def test_ip_is_private_follows_ipaddress() -> None:
    assert HOST.is_private()
    assert IP("10.1.2.3").is_private()
    assert IP("172.31.0.1").is_private()
    assert not PUBLIC.is_private()
    assert not IP("172.32.0.1").is_private()


def test_ip_subclass_gets_instances_of_its_own() -> None:
    class NamedIP(IP):
        __slots__ = ()

    named = NamedIP("192.168.1.2")
    assert type(named) is NamedIP
    assert named == IP("192.168.1.2")
    assert type(IP("192.168.1.2")) is IP


def test_ip_more_addresses_than_are_kept_stay_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(game_components, "_CACHED_ADDRESSES", 4)
    addresses = [IP(f"10.9.8.{n}") for n in range(20)]
    assert [IP(str(address)) for address in addresses] == addresses


def test_network_any_name_is_accepted() -> None:
    concept = Network("net_1_5hosts", 24)
    assert str(concept) == repr(concept) == "net_1_5hosts/24"
    assert concept.is_private()
    assert concept == Network("net_1_5hosts", 24)
    assert hash(concept) == hash(Network("net_1_5hosts", 24))
    assert HOST not in concept


def test_network_order_is_numeric_and_by_name_last() -> None:
    ordered = [
        Network("9.0.0.0", 8),
        Network("10.0.0.0", 8),
        Network("10.0.0.0", 24),
        Network("10.0.0.5", 24),
        Network("192.168.10.0", 24),
        Network("10.0.0.0", 33),
        Network("net_10", 24),
        Network("net_2", 24),
    ]
    shuffled = [*ordered[::2], *ordered[1::2]]
    assert sorted(shuffled) == ordered
    for i, one in enumerate(ordered):
        for j, two in enumerate(ordered):
            assert (one < two, one <= two, one > two, one >= two) == (i < j, i <= j, i > j, i >= j)


@pytest.mark.parametrize(
    ("network", "is_private"),
    [
        (LAN, True),
        (Network("192.168.1.77", 24), True),
        (Network("192.168.0.0", 15), False),
        (Network("213.47.23.192", 26), False),
        (Network("213.47.23.192", 99), True),
        (Network("nowhere", 24), True),
    ],
)
def test_network_is_private_needs_all_its_addresses(network: Network, is_private: bool) -> None:
    assert network.is_private() is is_private


def test_network_membership_goes_by_the_mask() -> None:
    assert HOST in LAN
    assert HOST in Network("192.168.1.200", 24)
    assert PUBLIC not in LAN
    assert PUBLIC in Network("0.0.0.0", 0)
    assert HOST in Network("192.168.1.2", 32)
    assert OTHER not in Network("192.168.1.2", 32)
    assert HOST not in Network("192.168.1.0", 33)
    assert "192.168.1.2" not in LAN


def test_service_equality_counts_all_four_fields() -> None:
    assert Service("ssh") == Service("ssh", "unknown", "unknown", True)
    variants = [SSH, Service("ssh"), Service("sshd", "passive", "8.1.0", False)]
    variants += [dataclasses.replace(SSH, **change) for change in _SERVICE_CHANGES]
    assert len(set(variants)) == len(variants)
    assert repr(SSH) == "Service(name='ssh', type='passive', version='8.1.0', is_local=False)"


_SERVICE_CHANGES: list[dict[str, Any]] = [{"type": "x"}, {"version": "8.2"}, {"is_local": True}]


def test_data_equality_ignores_size_and_content() -> None:
    twin = Data("User1", "DataFromServer1", 7, "db", "other")
    assert twin == SECRET
    assert hash(twin) == hash(SECRET)
    assert not twin < SECRET
    assert not twin > SECRET
    assert dataclasses.replace(SECRET, type="log") != SECRET
    assert repr(SECRET) == "Data(owner='User1', id='DataFromServer1', size=42, type='db')"


def test_agent_info_role_in_any_spelling_is_the_role() -> None:
    assert AgentInfo("a", "agentrole.defender").role is AgentRole.Defender
    assert AgentInfo("a", "Defender") == AgentInfo("a", AgentRole.Defender)
    assert AgentInfo("a", "Hacker").role == "Hacker"
    assert AgentInfo.from_dict({"name": "a", "role": "benign"}) == AgentInfo("a", AgentRole.Benign)


@pytest.mark.parametrize("value", [HOST, LAN, SSH, SECRET, AgentInfo("a", "Attacker")])
def test_value_assignment_raises(value: Any) -> None:
    field = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, field, "changed")
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
        value.extra = 1


@pytest.mark.parametrize(
    "value", [HOST, LAN, SSH, SECRET, AgentInfo("a", "Attacker"), Action("QuitGame")]
)
def test_value_copied_and_pickled_is_equal(value: Any) -> None:
    for twin in (
        copy.copy(value),
        copy.deepcopy(value),
        pickle.loads(pickle.dumps(value)),
        dataclasses.replace(value),
    ):
        assert twin == value
        assert hash(twin) == hash(value)
        assert type(twin) is type(value)


@pytest.mark.parametrize(
    ("read", "form", "reason"),
    [
        (IP.from_dict, {"ip": "10.0.0.300"}, r"IPv4 address.*10\.0\.0\.300"),
        (IP.from_dict, {"ip": 7}, "IPv4 address"),
        (IP.from_dict, {}, "ip"),
        (IP.from_dict, "10.0.0.1", "ip"),
        (Network.from_dict, {"ip": "10.0.0.0"}, "Network.*mask"),
        (Network.from_dict, {"ip": "10.0.0.0", "mask": "24"}, "Network.*int.*str.*mask"),
        (Network.from_dict, {"ip": "10.0.0.0", "mask": True}, "Network.*int.*bool.*mask"),
        (Service.from_dict, {"type": "x"}, "Service.*name"),
        (Service.from_dict, {"name": "x", "is_local": 1}, "Service.*bool.*int.*is_local"),
        (Data.from_dict, {"owner": "x"}, "Data.*id"),
        (Data.from_dict, {"owner": "x", "id": "y", "size": "1"}, "Data.*size"),
        (Data.from_dict, None, "Data"),
        (AgentInfo.from_dict, {"name": "x"}, "AgentInfo.*role"),
        (AgentInfo.from_dict, {"name": "x", "role": "Hacker"}, "Hacker.*Attacker"),
    ],
)
def test_from_dict_wrong_form_says_what_is_wrong(
    read: Callable[[Any], object], form: object, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        read(form)


def test_from_dict_absent_optional_fields_have_their_defaults() -> None:
    assert Service.from_dict({"name": "ssh"}) == Service("ssh")
    assert Data.from_dict({"owner": "a", "id": "b"}) == Data("a", "b")


# --- actions --------------------------------------------------------------------------------------


def test_action_as_dict_is_the_wire_form() -> None:
    action = Action(
        ActionType.ExploitService,
        {"target_host": OTHER, "target_service": SSH, "source_host": HOST},
    )
    assert action.type is action.action_type is ActionType.ExploitService
    assert action.as_dict == {
        "action_type": "ActionType.ExploitService",
        "parameters": {
            "target_host": {"ip": "192.168.1.10"},
            "target_service": {
                "name": "ssh",
                "type": "passive",
                "version": "8.1.0",
                "is_local": False,
            },
            "source_host": {"ip": "192.168.1.2"},
        },
    }
    assert json.loads(action.to_json()) == action.as_dict


def test_action_as_dict_of_other_values_keeps_json_scalars_and_writes_texts() -> None:
    values = {"a": True, "b": 3, "c": None, "d": "host_1", "e": 1.5, "f": ActionType.FindData}
    assert Action(ActionType.ResetGame, values).as_dict["parameters"] == {
        "a": True,
        "b": 3,
        "c": None,
        "d": "host_1",
        "e": "1.5",
        "f": "ActionType.FindData",
    }


def test_action_as_dict_of_subclassed_values_is_that_of_the_value() -> None:
    class Labelled(Data):
        pass

    action = Action(ActionType.ExfiltrateData, {"data": Labelled("a", "b")})
    assert (
        action.as_dict["parameters"]["data"]
        == Action(ActionType.ExfiltrateData, {"data": Data("a", "b")}).as_dict["parameters"]["data"]
    )


def test_action_equality_goes_by_type_and_parameters_in_any_order() -> None:
    one = Action(ActionType.FindData, {"target_host": OTHER, "source_host": HOST})
    two = Action("ActionType.FindData", {"source_host": HOST, "target_host": OTHER})
    assert one == two
    assert hash(one) == hash(two)
    assert one != Action(ActionType.FindData, {"target_host": HOST, "source_host": OTHER})
    assert one != Action(ActionType.FindServices, one.parameters)
    assert one != Action(ActionType.FindData, {"target_host": "web", "source_host": HOST})
    assert one != "FindData"


def test_action_text_has_parameters_in_the_given_order() -> None:
    action = Action(ActionType.ScanNetwork, {"target_network": LAN, "source_host": HOST})
    assert (
        str(action)
        == repr(action)
        == (
            "Action <ActionType.ScanNetwork|"
            "{'target_network': 192.168.1.0/24, 'source_host': 192.168.1.2}>"
        )
    )
    assert str(Action(ActionType.QuitGame)) == "Action <ActionType.QuitGame|{}>"


def test_action_is_not_changed_by_its_makers_dict() -> None:
    parameters: dict[str, Any] = {"source_host": HOST}
    action = Action(ActionType.FindData, parameters)
    before = hash(action)
    parameters["target_host"] = OTHER
    assert action.parameters == {"source_host": HOST}
    assert hash(action) == before == hash(Action(ActionType.FindData, {"source_host": HOST}))
    with pytest.raises(dataclasses.FrozenInstanceError):
        action.action_type = ActionType.QuitGame  # type: ignore[misc]


def test_action_of_unknown_type_raises() -> None:
    with pytest.raises(ValueError, match="unknown ActionType 'Scan'"):
        Action("Scan")


def test_action_from_dict_blocked_ip_is_blocked_host() -> None:
    form = {"action_type": "BlockIP", "parameters": {"blocked_ip": {"ip": "10.0.0.1"}}}
    assert Action.from_dict(form) == Action(ActionType.BlockIP, {"blocked_host": IP("10.0.0.1")})


@pytest.mark.parametrize(
    ("wire", "value"), [("True", True), ("False", False), (True, True), (False, False)]
)
def test_action_from_dict_flags_may_be_texts(wire: object, value: bool) -> None:
    form = {"action_type": "ResetGame", "parameters": {"request_trajectory": wire, "seed": "None"}}
    assert Action.from_dict(form).parameters == {"request_trajectory": value, "seed": None}


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"source_host": {"ip": "x"}}, r"'source_host'.*IPv4"),
        ({"source_host": "10.0.0.1"}, r"'source_host'"),
        ({"target_network": {"ip": "10.0.0.0", "mask": None}}, r"'target_network'.*mask"),
        ({"target_service": []}, r"'target_service'"),
        ({"data": {"owner": 1, "id": "x"}}, r"'data'.*owner"),
        ({"agent_info": {"name": "x", "role": "y"}}, r"'agent_info'.*AgentRole 'y'"),
        ({"request_trajectory": "true"}, r"'request_trajectory'.*'true'"),
        ({"randomize_topology": 1}, r"'randomize_topology'.*1"),
        ({"seed": True}, r"'seed'.*True"),
        ({"seed": "7"}, r"'seed'.*'7'"),
        ({"blocked_ip": {}}, r"'blocked_ip'"),
        ({"source_hst": {"ip": "10.0.0.1"}}, r"'source_hst'.*'source_host'"),
        (
            {"blocked_host": {"ip": "10.0.0.1"}, "blocked_ip": {"ip": "10.0.0.1"}},
            r"'blocked_ip'.*twice",
        ),
        (["source_host"], r"'parameters'"),
        (None, r"'parameters'"),
    ],
)
def test_action_from_dict_wrong_parameter_is_named(parameters: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Action.from_dict({"action_type": "ActionType.BlockIP", "parameters": parameters})


@pytest.mark.parametrize("form", [{}, {"parameters": {}}, [], "QuitGame", {"action_type": "Quit"}])
def test_action_from_dict_without_a_type_raises(form: Any) -> None:
    with pytest.raises(ValueError, match=r"action_type|ActionType"):
        Action.from_dict(form)


def test_action_from_json_of_no_json_raises() -> None:
    with pytest.raises(ValueError, match="not JSON"):
        Action.from_json("{")


# --- states ---------------------------------------------------------------------------------------


def test_state_as_dict_is_sorted_wire_form() -> None:
    ssh = {"name": "ssh", "type": "passive", "version": "8.1.0", "is_local": False}
    http = {"name": "http", "type": "unknown", "version": "unknown", "is_local": True}
    secret = {
        "owner": "User1",
        "id": "DataFromServer1",
        "size": 42,
        "type": "db",
        "content": "s3cr3t",
    }
    form = {
        "known_networks": [
            {"ip": "192.168.1.0", "mask": 24},
            {"ip": "192.168.10.0", "mask": 24},
        ],
        "known_hosts": [{"ip": "192.168.1.2"}, {"ip": "192.168.1.10"}, {"ip": "213.47.23.195"}],
        "controlled_hosts": [{"ip": "192.168.1.2"}],
        "known_services": {"192.168.1.2": [ssh], "192.168.1.10": [http, ssh]},
        "known_data": {
            "192.168.1.2": [
                {"owner": "User1", "id": "A", "size": 0, "type": "", "content": ""},
                secret,
            ]
        },
        "known_blocks": {
            "192.168.1.2": [{"ip": "213.47.23.195"}],
            "213.47.23.195": [{"ip": "192.168.1.2"}],
        },
    }
    state = example_state()
    assert state.as_dict == form
    # Order counts, of keys too.
    assert state.as_json() == json.dumps(form, separators=(",", ":"))


def test_state_without_arguments_is_empty_and_its_own() -> None:
    state = GameState()
    state.known_hosts.add(HOST)
    assert GameState().known_hosts == set()
    assert GameState().as_json() == (
        '{"known_networks":[],"known_hosts":[],"controlled_hosts":[],'
        '"known_services":{},"known_data":{},"known_blocks":{}}'
    )
    assert str(GameState()) == (
        "State<nets:set(); known:set(); owned:set(); services:{}; data:{}; blocks:{}>"
    )


def test_state_text_is_sorted() -> None:
    assert str(example_state()) == (
        "State<nets:{192.168.1.0/24, 192.168.10.0/24}; "
        "known:{192.168.1.2, 192.168.1.10, 213.47.23.195}; "
        "owned:{192.168.1.2}; "
        "services:{192.168.1.2: {Service(name='ssh', type='passive', version='8.1.0',"
        " is_local=False)}, 192.168.1.10: {Service(name='http', type='unknown',"
        " version='unknown', is_local=True), Service(name='ssh', type='passive',"
        " version='8.1.0', is_local=False)}}; "
        "data:{192.168.1.2: {Data(owner='User1', id='A', size=0, type=''),"
        " Data(owner='User1', id='DataFromServer1', size=42, type='db')}}; "
        "blocks:{192.168.1.2: {213.47.23.195}, 213.47.23.195: {192.168.1.2}}>"
    )


@pytest.mark.parametrize("part", [field.name for field in dataclasses.fields(GameState)])
def test_state_equality_counts_every_part(part: str) -> None:
    empty: Any = set() if "hosts" in part or part == "known_networks" else {}
    other = dataclasses.replace(example_state(), **{part: empty})
    assert other != example_state()
    assert GameState.from_dict({**example_state().as_dict, part: None}) == other


def test_state_order_of_fields_is_fixed() -> None:
    assert [field.name for field in dataclasses.fields(GameState)] == [
        "controlled_hosts",
        "known_hosts",
        "known_services",
        "known_data",
        "known_networks",
        "known_blocks",
    ]


def test_state_from_dict_without_known_blocks_has_none() -> None:
    form = example_state().as_dict
    del form["known_blocks"]
    assert GameState.from_dict(form).known_blocks == {}
    assert GameState.from_dict({}) == GameState()


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        (None, "state"),
        ([], "state"),
        ({"known_hosts": 3}, "state"),
        ({"known_hosts": [{"ip": "x"}]}, "IPv4"),
        ({"known_hosts": [{"mask": 1}]}, "ip"),
        ({"known_networks": {"ip": "10.0.0.0"}}, "known_networks"),
        ({"known_networks": [{"ip": "10.0.0.0"}]}, "known_networks.*mask"),
        ({"known_services": [1]}, "known_services"),
        ({"known_services": {"10.0.0.1": [{"name": 1}]}}, "known_services.*name"),
        ({"known_data": {"10.0.0.1": 1}}, "known_data"),
        ({"known_blocks": {"10.0.0.1": [1]}}, "ip"),
        ({"known_blocks": [1]}, "state"),
    ],
)
def test_state_from_dict_wrong_form_says_what_is_wrong(form: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        GameState.from_dict(form)


def test_state_of_plain_names_is_sorted_by_text_and_survives() -> None:
    names: Any = {"host_b", "host_a"}
    items: Any = {"host_b": {SSH, "telnet"}, "host_a": {"ssh"}}
    networks: Any = {"net_1", LAN}
    state = GameState(names, {*names, HOST}, items, {}, networks, {})
    form = state.as_dict
    assert form["controlled_hosts"] == ["host_a", "host_b"]
    assert form["known_hosts"] == [{"ip": "192.168.1.2"}, "host_a", "host_b"]
    assert form["known_networks"] == [{"ip": "192.168.1.0", "mask": 24}, "net_1"]
    assert list(form["known_services"]) == ["host_a", "host_b"]
    assert GameState.from_json(state.as_json()) == state
    assert len(state.as_graph[0]) == 2 + 3 + 3
    assert "host_a" in str(state)


def test_state_as_graph_links_networks_hosts_services_and_data() -> None:
    kinds, controlled, edges, nodes = example_state().as_graph
    assert nodes == {
        0: LAN,
        1: Network("192.168.10.0", 24),
        2: HOST,
        3: OTHER,
        4: PUBLIC,
        5: SSH,
        6: Service("http"),
        7: SSH,
        8: Data("User1", "A"),
        9: SECRET,
    }
    assert kinds == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3]
    assert controlled == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    links = [(0, 2), (0, 3), (2, 5), (3, 6), (3, 7), (2, 8), (2, 9)]
    assert sorted(edges) == sorted(links + [(b, a) for a, b in links])


def test_state_as_graph_service_of_unknown_host_has_no_edge() -> None:
    kinds, controlled, edges, nodes = GameState({HOST}, set(), {HOST: {SSH}}).as_graph
    assert (kinds, controlled, edges, nodes) == ([2], [0], [], {0: SSH})


def test_state_as_json_does_not_depend_on_the_hash_seed() -> None:
    program = """
from netsecgame.game_components import *
hosts = [IP(f"10.0.{i}.{j}") for i in range(8) for j in range(8)]
names = [f"name{i}" for i in range(20)]
state = GameState(
    set(hosts), set(hosts),
    {host: {Service(name, is_local=False) for name in names} for host in hosts},
    {host: {Data(name, name) for name in names} | {"plain", 7} for host in hosts},
    {Network(name, 24) for name in names} | {Network(host.ip, 24) for host in hosts},
    {name: set(hosts) | set(names) for name in names},
)
print(state.as_json())
print(state)
print(state.as_graph)
print([hash(host) for host in hosts])
"""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert len(outputs.pop()) > 10_000


# --- the rest -------------------------------------------------------------------------------------


def test_observation_is_a_named_tuple() -> None:
    state, reward, end, info = observation = Observation(example_state(), -1, False, {})
    assert observation == (state, reward, end, info)
    assert observation._fields == ("state", "reward", "end", "info")


def test_protocol_config_is_that_of_the_wire() -> None:
    assert ProtocolConfig.END_OF_MESSAGE == b"EOF"
    assert ProtocolConfig.BUFFER_SIZE == 8192


def test_action_parameters_are_those_of_the_game_actions() -> None:
    assert {str(t): list(names) for t, names in ACTION_PARAMETERS.items()} == {
        "ActionType.ScanNetwork": ["target_network", "source_host"],
        "ActionType.FindServices": ["target_host", "source_host"],
        "ActionType.FindData": ["target_host", "source_host"],
        "ActionType.ExploitService": ["target_host", "target_service", "source_host"],
        "ActionType.ExfiltrateData": ["target_host", "source_host", "data"],
        "ActionType.BlockIP": ["target_host", "source_host", "blocked_host"],
    }


def test_module_unknown_name_raises() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        game_components.no_such_name  # noqa: B018


def test_module_lazy_names_are_those_of_their_homes() -> None:
    assert game_components.BaseAgent is base_agent.BaseAgent
    assert game_components.generate_valid_actions is utils.generate_valid_actions
    assert game_components.state_as_ordered_string is utils.state_as_ordered_string
