from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.game_components import (
    IP,
    Action,
    ActionType,
    Data,
    GameState,
    Network,
    Observation,
    Service,
)
from netsecgame.utils.utils import (
    clean_agent_name,
    generate_valid_actions,
    get_file_hash,
    get_logging_level,
    get_str_hash,
    observation_as_dict,
    observation_from_dict,
    observation_from_str,
    observation_to_str,
    parse_log_content,
    read_trajectories_from_jsonl,
    state_as_ordered_string,
    store_trajectories_to_jsonl,
)

if TYPE_CHECKING:
    from pathlib import Path

A, B, C = IP("192.168.1.2"), IP("192.168.1.10"), IP("213.47.23.195")
LAN = Network("192.168.1.0", 24)
SSH, HTTP = Service("ssh", "passive", "8.1.0", False), Service("http")
DATA = Data("User1", "DataFromServer1")


def _state(**changes: Any) -> GameState:
    parts: dict[str, Any] = {
        "controlled_hosts": {A, C},
        "known_hosts": {A, B, C},
        "known_services": {B: {SSH, HTTP}},
        "known_data": {A: {DATA}},
        "known_networks": {LAN},
    }
    return GameState(**parts | changes)


# --- states and actions ---------------------------------------------------------------------------


def test_generate_valid_actions_lists_every_kind_for_every_controlled_host() -> None:
    expected: dict[str, list[dict[str, Any]]] = {
        "ExfiltrateData": [{"target_host": C, "source_host": A, "data": DATA}]
    }
    for source in (A, C):
        kinds: list[tuple[str, dict[str, Any]]] = [
            ("ScanNetwork", {"target_network": LAN, "source_host": source}),
            ("FindServices", {"target_host": A, "source_host": source}),
            ("FindServices", {"target_host": B, "source_host": source}),
            ("FindServices", {"target_host": C, "source_host": source}),
            ("FindData", {"target_host": source, "source_host": source}),
            (
                "ExploitService",
                {"target_host": B, "target_service": SSH, "source_host": source},
            ),
            (
                "ExploitService",
                {"target_host": B, "target_service": HTTP, "source_host": source},
            ),
        ]
        for kind, parameters in kinds:
            expected.setdefault(kind, []).append(parameters)
    # By text, so that the order of the parameters counts.
    assert sorted(map(str, generate_valid_actions(_state()))) == sorted(
        str(Action(kind, parameters))
        for kind, several in expected.items()
        for parameters in several
    )


def test_generate_valid_actions_with_blocks_adds_blocks_of_other_hosts() -> None:
    blocks = generate_valid_actions(_state(), include_blocks=True) - generate_valid_actions(
        _state()
    )
    assert blocks == {
        Action(
            ActionType.BlockIP,
            {"target_host": target, "source_host": source, "blocked_host": other},
        )
        for source in (A, C)
        for target in (A, C)
        for other in (A, B, C)
        if other != target
    }
    assert {tuple(block.parameters) for block in blocks} == {
        ("target_host", "source_host", "blocked_host")
    }


@pytest.mark.parametrize("known_blocks", [{A: {C}}, {C: {A}}, {A: {C}, C: {A}}])
def test_generate_valid_actions_leaves_blocked_pairs_out_in_both_directions(
    known_blocks: dict[IP, set[IP]],
) -> None:
    state = _state(known_services={C: {SSH}}, known_blocks=known_blocks)
    actions = generate_valid_actions(state, include_blocks=True)
    everything = generate_valid_actions(_state(known_services={C: {SSH}}), include_blocks=True)
    pair = {A, C}
    assert actions == {
        action
        for action in everything
        if {action.parameters["source_host"], action.parameters.get("target_host")} != pair
        and {action.parameters.get("target_host"), action.parameters.get("blocked_host")} != pair
    }
    assert len(actions) < len(everything)


def test_generate_valid_actions_of_nothing_controlled_are_none() -> None:
    assert generate_valid_actions(_state(controlled_hosts=set()), include_blocks=True) == set()


def test_generate_valid_actions_hosts_may_be_names() -> None:
    names: Any = {"host_a", "host_b"}
    actions = generate_valid_actions(GameState(names, names))
    assert Action(ActionType.FindServices, {"target_host": "host_a", "source_host": "host_b"}) in (
        actions
    )
    assert len(actions) == 2 * 2 + 2


def test_state_as_ordered_string_is_exactly_this_text() -> None:
    state = _state(
        known_networks={Network("192.168.10.0", 24), LAN},
        known_services={B: {SSH, HTTP}, A: {SSH}},
        known_data={C: {DATA}, A: {Data("User2", "X"), DATA}},
        known_blocks={B: {C, A}, A: {B}},
    )
    ssh = "Service(name='ssh', type='passive', version='8.1.0', is_local=False)"
    http = "Service(name='http', type='unknown', version='unknown', is_local=True)"
    one = "Data(owner='User1', id='DataFromServer1', size=0, type='')"
    two = "Data(owner='User2', id='X', size=0, type='')"
    assert state_as_ordered_string(state) == (
        "nets:[192.168.1.0/24,192.168.10.0/24],"
        "hosts:[192.168.1.2,192.168.1.10,213.47.23.195],"
        "controlled:[192.168.1.2,213.47.23.195],"
        f"services:{{192.168.1.2:[{ssh}]192.168.1.10:[{http},{ssh}]}},"
        f"data:{{192.168.1.2:[{one},{two}]213.47.23.195:[{one}]}}, "
        "blocks:{192.168.1.2:[192.168.1.10]192.168.1.10:[192.168.1.2,213.47.23.195]}"
    )


def test_state_as_ordered_string_of_nothing_has_all_parts() -> None:
    assert state_as_ordered_string(GameState()) == (
        "nets:[],hosts:[],controlled:[],services:{},data:{}, blocks:{}"
    )


def test_state_as_ordered_string_of_names_and_addresses_sorts_by_text() -> None:
    hosts: Any = {"host_a", B, A}
    assert state_as_ordered_string(GameState(known_hosts=hosts)) == (
        "nets:[],hosts:[192.168.1.10,192.168.1.2,host_a],controlled:[],"
        "services:{},data:{}, blocks:{}"
    )


# --- observations ---------------------------------------------------------------------------------


def test_observation_as_dict_is_the_wire_form() -> None:
    observation = Observation(_state(), 99, True, {"end_reason": "AgentStatus.Success"})
    assert observation_as_dict(observation) == {
        "state": _state().as_dict,
        "reward": 99,
        "end": True,
        "info": {"end_reason": "AgentStatus.Success"},
    }
    assert json.loads(observation_to_str(observation)) == observation_as_dict(observation)


def test_observation_from_dict_without_info_has_an_empty_one() -> None:
    form = {"state": {}, "reward": -1, "end": False}
    assert observation_from_dict(form) == Observation(GameState(), -1, False, {})


@pytest.mark.parametrize("state", ["{}", None, [], 3])
def test_observation_from_dict_of_no_state_raises(state: object) -> None:
    with pytest.raises(ValueError, match="state of an observation"):
        observation_from_dict({"state": state, "reward": 0, "end": False, "info": {}})


@pytest.mark.parametrize("missing", ["state", "reward", "end"])
def test_observation_from_dict_of_a_part_names_what_is_missing(missing: str) -> None:
    form = observation_as_dict(Observation(GameState(), 0, False, {}))
    del form[missing]
    with pytest.raises(ValueError, match=f"needs {missing}"):
        observation_from_dict(form)


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_observation_from_str_of_no_observation_raises(text: str) -> None:
    with pytest.raises(ValueError, match=r"not JSON|must be an object"):
        observation_from_str(text)


# --- hashes, logs, log levels ---------------------------------------------------------------------


def test_get_str_hash_is_the_hex_digest() -> None:
    assert get_str_hash("héllo") == hashlib.sha256("héllo".encode()).hexdigest()
    assert get_str_hash("abc", "md5") == "900150983cd24fb0d6963f7d28e17f72"


@pytest.mark.parametrize("chunk_size", [1, 7, 4096])
def test_get_file_hash_any_chunk_size_is_the_hex_digest(tmp_path: Path, chunk_size: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 10_000)
    assert get_file_hash(file, chunk_size=chunk_size) == hashlib.sha256(b"x" * 10_000).hexdigest()
    assert get_file_hash(str(file), "sha1") == hashlib.sha1(b"x" * 10_000).hexdigest()


def test_parse_log_content_reads_who_did_what() -> None:
    text = json.dumps(
        [
            {"source_host": "192.168.1.2", "action_type": "ActionType.ScanNetwork"},
            {"source_host": "213.47.23.195", "action_type": "FindData"},
        ]
    )
    assert parse_log_content(text) == [
        {"source_host": A, "action_type": ActionType.ScanNetwork},
        {"source_host": C, "action_type": ActionType.FindData},
    ]
    assert parse_log_content("[]") == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no log",
        "3",
        "[3]",
        '[{"source_host": "192.168.1.2"}]',
        '[{"source_host": "nobody", "action_type": "FindData"}]',
        '[{"source_host": "192.168.1.2", "action_type": "Dance"}]',
    ],
)
def test_parse_log_content_of_no_log_is_none(text: str) -> None:
    assert parse_log_content(text) is None


def test_get_logging_level_knows_names_in_any_case() -> None:
    assert get_logging_level("DEBUG") == logging.DEBUG
    assert get_logging_level("warning") == logging.WARNING
    assert get_logging_level("chatty") == logging.ERROR


# --- trajectories ---------------------------------------------------------------------------------


def test_store_trajectories_appends_lines_that_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    first, second = {"a": [1, 2.5, None, "ü"]}, [{"b": True}]
    store_trajectories_to_jsonl(first, str(folder), "games")
    store_trajectories_to_jsonl(second, folder, "games")
    file = folder / "games.jsonl"
    assert file.read_bytes().count(b"\n") == 2
    assert read_trajectories_from_jsonl(file) == [first, second]


def test_read_trajectories_skips_blank_lines_and_names_a_bad_one(tmp_path: Path) -> None:
    file = tmp_path / "games.jsonl"
    file.write_text('{"a":1}\n\n  \n[]')
    assert read_trajectories_from_jsonl(str(file)) == [{"a": 1}, []]
    file.write_text('{"a":1}\n\n{"a":')
    with pytest.raises(ValueError, match=r"games\.jsonl:3: not JSON"):
        read_trajectories_from_jsonl(file)


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("Agent_1-b", "Agent_1-b"),
        ("../../etc/passwd", "etcpasswd"),
        ("a b\0c\nd", "abcd"),
        ("ágent", "gent"),
        ("x" * 300, "x" * 200),
    ],
)
def test_clean_agent_name_keeps_only_safe_characters(name: str, cleaned: str) -> None:
    assert clean_agent_name(name) == cleaned


@pytest.mark.parametrize("name", ["", "…", "///"])
def test_clean_agent_name_of_nothing_safe_is_made_up(name: str) -> None:
    made_up = clean_agent_name(name)
    assert made_up.startswith("agent_")
    assert len(made_up) == len("agent_") + 8
    assert set(made_up[6:]) <= set("0123456789abcdef")
    assert clean_agent_name(name) == made_up
