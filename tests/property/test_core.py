"""What holds in every game, whatever is played."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from netsecgame.core.knowledge import KnownState
from netsecgame.core.task import GAME_ACTIONS
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
from netsecgame.scenarios import list_scenarios
from tests.property.games import PLAYERS, Move, choose, digest_game, open_world, state_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netsecgame.core.addressing import Labels

PROJECT_DIR = Path(__file__).resolve().parents[2]

thorough = settings(max_examples=40, deadline=None, derandomize=True)

scenarios = st.sampled_from(list_scenarios())
seeds = st.integers(0, 2**32)
numbers = st.integers(0, 10_000)
moves = st.lists(st.builds(Move, numbers, numbers, numbers), min_size=5, max_size=40)


# --- knowledge ------------------------------------------------------------------------------------


@thorough
@given(scenarios, seeds, moves)
def test_state_in_any_game_controls_only_what_it_knows_and_never_forgets(
    scenario: str, seed: int, moves: list[Move]
) -> None:
    world = open_world(scenario, seed)
    topology = world.dynamics.topology
    for move in moves:
        name, action = choose(world, move)
        before = world.player(name).state

        after = world.step(name, action).state

        assert state_parts(before) <= state_parts(after)
        assert after.controlled_hosts <= after.known_hosts <= set(topology.addresses)
        for host in after.controlled_hosts:
            own = topology.networks[topology.network_of[topology.address_index[host]]]
            assert own in after.known_networks


@thorough
@given(scenarios, seeds, moves)
def test_state_in_any_game_is_the_plain_state_with_the_same_json(
    scenario: str, seed: int, moves: list[Move]
) -> None:
    world = open_world(scenario, seed)
    for move in moves:
        world.step(*choose(world, move))
    for name in PLAYERS:
        state = world.player(name).state
        assert isinstance(state, KnownState)
        plain = GameState.from_json(state.json_bytes)
        assert plain == state
        assert plain.as_json().encode() == state.json_bytes


# --- the same seed --------------------------------------------------------------------------------


@settings(thorough, max_examples=20)
@given(scenarios, seeds, moves)
def test_game_of_the_same_seed_and_actions_shows_the_same_bytes(
    scenario: str, seed: int, moves: list[Move]
) -> None:
    assert digest_game(scenario, seed, moves) == digest_game(scenario, seed, moves)


def test_game_shows_the_same_bytes_in_every_process() -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.property.games"],
            cwd=PROJECT_DIR,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("1", "2")
    ]
    outputs = [process.communicate(timeout=60)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    assert outputs[0] == outputs[1]
    assert outputs[0].count("\n") == len(list_scenarios())


# --- new addresses --------------------------------------------------------------------------------


class Translator:
    """From one labelling of a topology to another."""

    def __init__(self, old: Labels, new: Labels) -> None:
        self.hosts = dict(zip(old.addresses, new.addresses, strict=True))
        self.networks = dict(zip(old.networks, new.networks, strict=True))
        self.labels = new

    def one(self, value: Any) -> Any:
        if isinstance(value, IP):
            return self.hosts[value]
        return self.networks[value] if isinstance(value, Network) else value

    def many(self, values: Iterable[Any]) -> set[Any]:
        return set(map(self.one, values))

    def by_host(self, items: Mapping[IP, Iterable[Any]]) -> dict[IP, set[Any]]:
        return {self.hosts[host]: self.many(values) for host, values in items.items()}

    def action(self, action: Action) -> Action:
        return Action(action.type, {name: self.one(v) for name, v in action.parameters.items()})

    def state(self, state: GameState) -> GameState:
        return GameState(
            controlled_hosts=self.many(state.controlled_hosts),
            known_hosts=self.many(state.known_hosts),
            known_services=self.by_host(state.known_services),
            known_data=self.by_host(state.known_data),
            known_networks=self.many(state.known_networks),
            known_blocks=self.by_host(state.known_blocks),
        )

    def contents(self, state: GameState) -> dict[IP, set[str]]:
        return {
            self.hosts[host]: set(map(self.labels.translate, texts))
            for host, texts in contents(state).items()
        }


def contents(state: GameState) -> dict[IP, set[str]]:
    return {host: {datum.content for datum in data} for host, data in state.known_data.items()}


@thorough
@given(scenarios, seeds, moves)
def test_game_under_new_addresses_is_the_same_game(
    scenario: str, seed: int, moves: list[Move]
) -> None:
    old, new = open_world(scenario, 1, is_lucky=False), open_world(scenario, 1, is_lucky=False)
    old_starts, new_starts = old.reset(seed), new.reset(seed, randomize_topology=True)
    translator = Translator(old.dynamics.labels, new.dynamics.labels)

    for name, start in old_starts.items():
        assert new_starts[name].state == translator.state(start.state)
    for move in moves:
        name, action = choose(old, move)
        if not old.player(name).is_playing:
            continue
        expected, seen = old.step(name, action), new.step(name, translator.action(action))
        assert seen.state == translator.state(expected.state)
        assert seen[1:] == expected[1:]
        assert contents(seen.state) == translator.contents(expected.state)
    for name in PLAYERS:
        assert new.player(name).false_positives == old.player(name).false_positives


# --- any well-formed action -----------------------------------------------------------------------

ips = st.one_of(
    st.integers(0, 2**32 - 1).map(lambda value: IP(".".join(map(str, value.to_bytes(4, "big"))))),
    st.sampled_from(["192.168.1", "192.168.2"]).flatmap(
        lambda base: st.integers(0, 7).map(lambda host: IP(f"{base}.{host}"))
    ),
    st.just(IP("213.47.23.195")),
)
texts = st.text(max_size=5)
values: dict[type, st.SearchStrategy[Any]] = {
    IP: ips,
    Network: st.builds(Network, st.one_of(ips.map(str), st.just("net_1")), st.integers(0, 32)),
    Service: st.one_of(
        st.builds(Service, texts, texts, texts, st.booleans()),
        st.just(Service("ssh", "passive", "8.1.0", is_local=False)),
    ),
    Data: st.one_of(
        st.builds(Data, texts, texts, st.integers(), texts, texts),
        st.sampled_from([Data("User1", "DataFromServer1"), Data("system", "logfile", type="log")]),
    ),
}


def actions_of(kind: ActionType) -> st.SearchStrategy[Action]:
    parameters = {name: values[of] for name, of in ACTION_PARAMETERS[kind].items()}
    return st.fixed_dictionaries(parameters).map(lambda given: Action(kind, given))


@thorough
@given(
    scenarios,
    st.booleans(),
    st.lists(
        st.tuples(
            st.sampled_from(sorted(PLAYERS)), st.sampled_from(GAME_ACTIONS).flatmap(actions_of)
        ),
        max_size=30,
    ),
    moves,
)
def test_step_of_any_action_never_fails_and_keeps_states_sound(
    scenario: str, randomize: bool, wild: list[tuple[str, Action]], moves: list[Move]
) -> None:
    world = open_world(scenario, 3)
    world.reset(4, randomize_topology=randomize)
    valid = [choose(world, move) for move in moves]

    for name, action in [step for pair in zip(valid, wild, strict=False) for step in pair] + wild:
        before = world.player(name).state
        state = world.step(name, action).state
        assert state.controlled_hosts <= state.known_hosts
        assert state_parts(before) <= state_parts(state)
    for name in PLAYERS:
        state = world.player(name).state
        assert GameState.from_json(state.as_json()) == state
