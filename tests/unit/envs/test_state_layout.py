"""Flat observations say what states say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netsecgame.core.action_index import ActionIndex
from netsecgame.core.dynamics import compile_game
from netsecgame.envs.batch import BatchedWorld
from netsecgame.envs.batch.layout import StateLayout
from netsecgame.game.loading import load_game
from tests.unit.envs.features import names_of

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("task", ["two_networks_tiny", "two_networks_team", "three_net_scenario"])
def test_flatten_after_some_steps_sets_what_the_names_say(task: str) -> None:
    spec = load_game(ROOT / "task_configs" / f"{task}.yaml")
    world = BatchedWorld(spec, 4, include_blocks=True, backend="numpy")
    names = world.layout.feature_names
    assert len(names) == len(set(names)) == world.layout.num_features
    parts = set()
    for _ in range(150):
        world.step(world.sample_actions())
        rows = world.layout.flatten(world.states, 0.25)
        for i, row in enumerate(rows):
            known = {name for name, value in zip(names, row, strict=False) if value == 1.0}
            assert known == names_of(world.game_state(i))
            parts |= {name.split()[0] for name in known}
        assert set(np.unique(rows[:, :-1]).tolist()) == {0.0, 1.0}
    assert len(parts) == 6


def test_flatten_of_one_state_equals_the_row_of_many() -> None:
    spec = load_game(ROOT / "task_configs" / "two_networks.yaml")
    world = BatchedWorld(spec, 3, include_blocks=True)
    for _ in range(60):  # so that there are bits in every word
        world.step(world.sample_actions())
    assert world.states.all()
    layout = world.layout
    shares = np.array([0.0, 0.5, 1.0])
    rows = layout.flatten(world.states, shares)
    assert rows.dtype == np.float32
    assert rows.shape == (3, layout.num_features + 1)
    for words, share, row in zip(world.states, shares.tolist(), rows, strict=True):
        out = np.full(layout.num_features + 1, 7, np.float32)
        assert layout.flatten(words, share, out) is out
        assert np.array_equal(out, row)
        assert out[-1] == share


@pytest.mark.parametrize("has_blocks", [False, True])
def test_used_bits_hold_every_bit_of_a_state(has_blocks: bool) -> None:
    spec = load_game(ROOT / "task_configs" / "two_networks.yaml")
    layout = StateLayout(ActionIndex(compile_game(spec)), has_blocks=has_blocks)
    assert len(layout.used_bits) == layout.words
    everything = np.full(layout.words, 2**64 - 1, np.uint64)
    lowest = np.array([2**used - 1 for used in layout.used_bits], np.uint64)
    assert np.array_equal(layout.encode(layout.decode(everything)), lowest)
    assert layout.flatten(everything, 1.0).all()
