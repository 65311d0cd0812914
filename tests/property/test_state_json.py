"""The JSON of states joined from kept fragments is that of the plain states, all through a game."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsecgame.core import state_json
from netsecgame.core.knowledge import KnownState
from netsecgame.game_components import IP, Action, ActionType, GameState
from netsecgame.scenarios import list_scenarios
from tests.property.games import PLAYERS, choose, open_world, random_moves

thorough = settings(max_examples=25, deadline=None, derandomize=True)

scenarios = st.sampled_from(list_scenarios())
seeds = st.integers(0, 2**32)

ENOUGH: dict[str, int] = {}
#: There is never room for two fragments, and all stay in pieces.
NOTHING = {"_MAX_KEPT_BYTES": 1, "_MAX_KEPT_LOG_BYTES": 1, "_MAX_JOINED_BYTES": 1}
#: Fragments come and go all the time.
LITTLE = {"_MAX_KEPT_BYTES": 3_000, "_MAX_KEPT_LOG_BYTES": 3_000, "_MAX_JOINED_BYTES": 600}


def plain(state: GameState) -> GameState:
    """The same state, made of the parts that it shows."""
    return GameState(**{name: getattr(state, name) for name in GameState.__dataclass_fields__})


def block_an_outsider(state: GameState, number: int) -> Action:
    host = min(state.controlled_hosts)
    blocked = IP(f"9.9.9.{number % 256}")
    parameters = {"source_host": host, "target_host": host, "blocked_host": blocked}
    return Action(ActionType.BlockIP, parameters)


@pytest.mark.parametrize("limits", [ENOUGH, LITTLE, NOTHING], ids=["enough", "little", "nothing"])
def test_json_of_every_state_of_a_game_is_that_of_the_plain_state(
    limits: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(state_json, name, value)

    @thorough
    @given(scenarios, seeds, seeds)
    def check(scenario: str, seed: int, moves_seed: int) -> None:
        world = open_world(scenario, seed)
        for randomize in (False, True, False):
            for number, move in enumerate(random_moves(moves_seed, 30)):
                name, action = choose(world, move)
                if number % 10 == 9:
                    action = block_an_outsider(world.player(name).state, move.action)
                if world.player(name).is_playing:
                    world.step(name, action)
                for each in PLAYERS:
                    state = world.player(each).state
                    assert state.as_json() == plain(state).as_json()
            world.reset(seed + 1, randomize_topology=randomize)

    check()


def test_encoder_in_long_games_keeps_a_bounded_part_of_what_it_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("_MAX_KEPT_BYTES", "_MAX_KEPT_LOG_BYTES"):
        monkeypatch.setattr(state_json, name, 20_000)
    world = open_world("two_networks", 42)
    first = world.player("D").state
    assert isinstance(first, KnownState)
    made = 0
    for move in random_moves(3, 600):
        name, action = choose(world, move)
        made += len(world.step(name, action).state.as_json())

    kept_kinds = [
        kept
        for kept in vars(first.labels.state_encoder).values()
        if isinstance(kept, state_json._Kept)
    ]
    assert len(kept_kinds) == 8
    sizes = [sum(len(fragment) for fragment, _ in kept.values()) for kept in kept_kinds]
    assert made > 1_000_000
    assert 5_000 < max(sizes) <= 20_000
