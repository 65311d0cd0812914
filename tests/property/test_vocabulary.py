from __future__ import annotations

import copy
import dataclasses
import pickle
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from netsecgame.game_components import (
    ACTION_PARAMETERS,
    IP,
    Action,
    ActionType,
    AgentInfo,
    AgentRole,
    Data,
    GameState,
    Network,
    Observation,
    Service,
)
from netsecgame.utils.utils import (
    generate_valid_actions,
    observation_as_dict,
    observation_from_dict,
    observation_from_str,
    observation_to_str,
    state_as_ordered_string,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

texts = st.text(st.characters(codec="utf-8"), max_size=8)
ips = st.integers(0, 2**32 - 1).map(lambda n: IP(".".join(map(str, n.to_bytes(4, "big")))))
names = texts.filter(lambda text: text.count(".") != 3)
networks = st.builds(Network, ips.map(str) | names, st.integers(0, 32))
services = st.builds(Service, texts, texts, texts, st.booleans())
data_items = st.builds(Data, texts, texts, st.integers(0, 2**40), texts, texts)
states = st.builds(
    GameState,
    st.sets(ips, max_size=4),
    st.sets(ips, max_size=4),
    st.dictionaries(ips, st.sets(services, max_size=3), max_size=3),
    st.dictionaries(ips, st.sets(data_items, max_size=3), max_size=3),
    st.sets(networks, max_size=4),
    st.dictionaries(ips, st.sets(ips, max_size=3), max_size=3),
)
_value_of: dict[type, st.SearchStrategy[Any]] = {
    IP: ips,
    Network: networks,
    Service: services,
    Data: data_items,
}


def _actions_of(
    action_type: ActionType,
    required: Mapping[Any, st.SearchStrategy[Any]],
    optional: Mapping[Any, st.SearchStrategy[Any]] = MappingProxyType({}),
) -> st.SearchStrategy[Action]:
    values = st.fixed_dictionaries(dict(required), optional=dict(optional))
    return st.builds(Action, st.just(action_type), values)


actions = st.one_of(
    *(
        _actions_of(action_type, {name: _value_of[kind] for name, kind in parameters.items()})
        for action_type, parameters in ACTION_PARAMETERS.items()
    ),
    _actions_of(
        ActionType.JoinGame,
        {"agent_info": st.builds(AgentInfo, texts, st.sampled_from(AgentRole))},
    ),
    _actions_of(ActionType.QuitGame, {}),
    _actions_of(
        ActionType.ResetGame,
        {},
        {
            "request_trajectory": st.booleans(),
            "randomize_topology": st.booleans(),
            "seed": st.none() | st.integers(-(2**63), 2**63 - 1),
        },
    ),
)


@given(actions)
def test_action_any_one_survives_the_wire(action: Action) -> None:
    for twin in (
        Action.from_dict(action.as_dict),
        Action.from_json(action.to_json()),
        Action.from_json(action.to_json().encode()),
    ):
        assert twin == action
        assert hash(twin) == hash(action)
        assert twin.as_dict == action.as_dict
        assert str(twin) == str(action)


class _ResolvedLate(GameState):
    """Stores no field; makes each one when it is asked for."""

    def __init__(self, source: GameState) -> None:
        object.__setattr__(self, "_source", source)

    def __getattr__(self, name: str) -> Any:
        if name == "_source":
            raise AttributeError(name)
        value = getattr(self._source, name)
        return MappingProxyType(value) if isinstance(value, dict) else frozenset(value)


@given(states)
def test_state_subclass_that_resolves_fields_late_is_equal_in_both_directions(
    state: GameState,
) -> None:
    late = _ResolvedLate(state)
    assert late == state
    assert state == late
    assert hash(late) == hash(state)
    assert late.as_json() == state.as_json()
    assert str(late) == str(state)
    assert late.as_graph == state.as_graph
    other = dataclasses.replace(state, known_hosts={*state.known_hosts, IP("1.2.3.4")})
    assert (late == other) is (other == late) is (state == other)


@given(states)
def test_state_any_one_survives_the_wire(state: GameState) -> None:
    for twin in (
        GameState.from_dict(state.as_dict),
        GameState.from_json(state.as_json()),
        pickle.loads(pickle.dumps(state)),
        copy.deepcopy(state),
    ):
        assert twin == state
        assert hash(twin) == hash(state)
        assert twin.as_json() == state.as_json()


@given(states, st.integers(-100, 100) | st.floats(-1e6, 1e6), st.booleans())
def test_observation_any_one_survives_the_wire(state: GameState, reward: float, end: bool) -> None:
    info = {"end_reason": "AgentStatus.Success"} if end else {}
    observation = Observation(state, reward, end, info)
    assert observation_from_dict(observation_as_dict(observation)) == observation
    assert observation_from_str(observation_to_str(observation)) == observation


@given(states, st.booleans())
def test_generate_valid_actions_of_any_state_need_only_what_it_knows(
    state: GameState, include_blocks: bool
) -> None:
    knows: dict[type, set[Any]] = {
        IP: {*state.known_hosts, *state.controlled_hosts, *state.known_services, *state.known_data},
        Network: set(state.known_networks),
        Service: set().union(*state.known_services.values()),
        Data: set().union(*state.known_data.values()),
    }
    for action in generate_valid_actions(state, include_blocks):
        assert list(action.parameters) == list(ACTION_PARAMETERS[action.type])
        for name, kind in ACTION_PARAMETERS[action.type].items():
            assert action.parameters[name] in knows[kind]
        if action.type is not ActionType.ExfiltrateData:
            assert action.parameters["source_host"] in state.controlled_hosts
        if not include_blocks:
            assert action.type is not ActionType.BlockIP


@given(states)
def test_state_as_ordered_string_of_equal_states_is_the_same(state: GameState) -> None:
    twin = GameState.from_json(state.as_json())
    assert state_as_ordered_string(twin) == state_as_ordered_string(state)
