from __future__ import annotations

import copy
import pickle
import sys
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsecgame.game_components import (
    ACTION_PARAMETERS,
    IP,
    Action,
    ActionType,
    Data,
    GameState,
    Network,
    Service,
)
from netsecgame.utils.utils import generate_valid_actions

if TYPE_CHECKING:
    from collections.abc import Callable

A, B = IP("192.168.1.2"), IP("192.168.1.10")
LAN = Network("192.168.1.0", 24)
SCAN = Action(ActionType.ScanNetwork, {"target_network": LAN, "source_host": A})

# Few values, so that examples have states, actions and equal data in common.
hosts: Any = st.sampled_from([A, B, IP("213.47.23.195"), "web"])
networks: Any = st.sampled_from([LAN, Network("192.168.2.0", 24), "net_1"])
services: Any = st.sampled_from([Service("ssh"), Service("http", version="2"), "sql"])
data_items: Any = st.builds(
    Data,
    st.sampled_from("ab"),
    st.just("x"),
    st.integers(0, 2),
    st.just("t"),
    st.text(max_size=1) | st.sampled_from([None, ["lines"]]),  # nobody checks what agents put there
) | st.just("file")
states = st.builds(
    GameState,
    st.sets(hosts),
    st.sets(hosts),
    st.dictionaries(hosts, st.sets(services)),
    st.dictionaries(hosts, st.sets(data_items)),
    st.sets(networks),
    st.dictionaries(hosts, st.sets(hosts), max_size=1),
)


def listed(state: GameState, include_blocks: bool) -> list[Action]:
    """All valid actions, made one by one as the rules say."""
    cut_off = {frozenset((a, b)) for a, others in state.known_blocks.items() for b in others}

    def is_possible(action: Action) -> bool:
        target, source, blocked = map(
            action.parameters.get, ("target_host", "source_host", "blocked_host")
        )
        if action.type in (ActionType.ExfiltrateData, ActionType.BlockIP) and target in (
            blocked or source,
        ):
            return False
        pairs = {frozenset((source, target)), frozenset((target, blocked))}
        return action.type is ActionType.FindData or not pairs & cut_off

    candidates = [
        *product(["ScanNetwork"], state.known_networks, state.controlled_hosts),
        *product(["FindServices"], state.known_hosts, state.controlled_hosts),
        *(("FindData", host, host) for host in state.controlled_hosts),
        *(
            ("ExploitService", target, service, source)
            for target, found in state.known_services.items()
            for service, source in product(found, state.controlled_hosts)
        ),
        *(
            ("ExfiltrateData", target, holder, data)
            for holder, items in state.known_data.items()
            for target, data in product(state.controlled_hosts, items)
        ),
        *(
            product(["BlockIP"], state.controlled_hosts, state.controlled_hosts, state.known_hosts)
            if include_blocks
            else ()
        ),
    ]
    actions = (
        Action(kind, dict(zip(ACTION_PARAMETERS[ActionType(kind)], values, strict=True)))
        for kind, *values in candidates
    )
    return [action for action in actions if is_possible(action)]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(states, st.booleans())
def test_generate_valid_actions_of_any_state_are_those_that_the_rules_list(
    state: GameState, include_blocks: bool
) -> None:
    expected = listed(state, include_blocks)
    actions = generate_valid_actions(state, include_blocks)

    assert type(actions) is set
    assert actions == set(expected)
    # Text has the order of the parameters, JSON the content of data.
    assert sorted(map(str, actions)) == sorted({str(action) for action in expected})
    assert sorted(a.to_json() for a in actions) == sorted({a.to_json() for a in expected})


def test_generate_valid_actions_set_is_the_callers() -> None:
    state = GameState({A}, {A}, known_networks={LAN})
    before = generate_valid_actions(state)
    generate_valid_actions(state).clear()

    assert generate_valid_actions(state) == before
    assert SCAN in before


def test_generate_valid_actions_follow_the_changes_of_a_state() -> None:
    state = GameState({A}, {A})
    assert SCAN not in generate_valid_actions(state)
    state.known_networks.add(LAN)
    assert SCAN in generate_valid_actions(state)
    state.controlled_hosts.clear()
    assert generate_valid_actions(state) == set()


def test_generate_valid_actions_carry_the_data_of_their_state() -> None:
    for content in ("old", "new"):
        log = Data("system", "log", len(content), "log", content)
        state = GameState({A, B}, known_data={A: {log}})
        (action,) = (
            a for a in generate_valid_actions(state) if a.type is ActionType.ExfiltrateData
        )
        assert action.parameters["data"] is log


def test_generate_valid_actions_long_data_is_let_go_after_some_states() -> None:
    content = "x" * 100_000
    before = sys.getrefcount(content)
    log = Data("system", "log", len(content), "log", content)
    actions = generate_valid_actions(GameState({A, B}, known_data={A: {log}}))
    assert sys.getrefcount(content) > before

    del log, actions
    for n in range(100):
        generate_valid_actions(GameState({IP(f"10.0.0.{n}")}))
    assert sys.getrefcount(content) == before


CHANGES: list[Callable[[dict[str, Any]], Any]] = [
    lambda parameters: parameters.__setitem__("source_host", B),
    lambda parameters: parameters.__delitem__("source_host"),
    lambda parameters: parameters.__ior__({"source_host": B}),
    lambda parameters: parameters.update(source_host=B),
    lambda parameters: parameters.setdefault("blocked_host", B),
    lambda parameters: parameters.pop("source_host"),
    lambda parameters: parameters.popitem(),
    lambda parameters: parameters.clear(),
]


def valid_scan() -> Action:
    """The action of this kind that all callers share."""
    actions = generate_valid_actions(GameState({A}, known_networks={LAN}))
    (scan,) = (action for action in actions if action.type is ActionType.ScanNetwork)
    return scan


@pytest.mark.parametrize("change", CHANGES)
def test_valid_action_parameters_changed_raises(change: Callable[[dict[str, Any]], Any]) -> None:
    with pytest.raises(TypeError, match="make a new Action"):
        change(valid_scan().parameters)
    assert str(valid_scan()) == str(SCAN)
    assert valid_scan().as_dict == SCAN.as_dict


def test_valid_action_is_an_action_like_any_other() -> None:
    scan = valid_scan()
    assert scan == SCAN
    assert hash(scan) == hash(SCAN)
    assert type(scan) is Action
    assert isinstance(scan.parameters, dict)
    assert scan.parameters == SCAN.parameters
    assert str(scan) == repr(scan) == str(SCAN) == str(scan)
    assert f"{scan.parameters}" == f"{SCAN.parameters}"


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda action: pickle.loads(pickle.dumps(action)),
        lambda action: Action(action.type, action.parameters),
        lambda action: Action(action.type, action.parameters | {}),
        lambda action: Action(action.type, pickle.loads(pickle.dumps(action.parameters))),
        lambda action: Action(action.type, copy.deepcopy(action.parameters)),
    ],
)
def test_valid_action_copy_can_be_changed_and_the_shared_one_stays(
    copied: Callable[[Action], Action],
) -> None:
    action = copied(valid_scan())
    assert action == SCAN
    assert str(action) == str(SCAN)

    action.parameters["source_host"] = B

    assert str(action).endswith("'source_host': 192.168.1.10}>")
    assert valid_scan() == SCAN
    assert str(valid_scan()) == str(SCAN)
