"""The batched world equals the pure one, step by step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netsecgame.core.dynamics import compile_game
from netsecgame.envs.batch.batched_world import Autoreset, Backend, BatchedWorld, Defender
from netsecgame.game.loading import load_game
from netsecgame.game_components import AgentRole
from tests.unit.envs.reference import ReferenceEnv

ROOT = Path(__file__).resolve().parents[3]
TASKS = sorted((ROOT / "task_configs").glob("*.yaml"))
ENVS, STEPS = 64, 1_000


def compare(
    spec,
    backend,
    *,
    defender=None,
    include_blocks=False,
    autoreset=Autoreset.NEXT_STEP,
    envs=ENVS,
    steps=STEPS,
    seed=7,
):
    batch = BatchedWorld(
        spec,
        envs,
        seed=seed,
        autoreset=autoreset,
        defender=defender,
        include_blocks=include_blocks,
        with_masks=True,
        backend=backend,
    )
    topology = compile_game(spec)
    references = [
        ReferenceEnv(spec, seed + i, topology, batch.action_index, autoreset, defender)
        for i in range(envs)
    ]
    layout = batch.layout
    encoded: list[tuple[object, bytes]] = [(None, b"")] * envs
    masks: dict[bytes, bytes] = {}
    rng = np.random.default_rng(seed)
    result = batch.reset()
    for env in references:
        env.reset()
    ends = 0
    for step in range(steps):
        legal = batch.sample_actions()
        anything = rng.integers(0, batch.num_actions, envs, dtype=np.int32)
        actions = np.where(rng.random(envs) < 0.9, legal, anything)
        for i in range(envs):
            assert result.action_masks[i, legal[i]], (step, i)
        result = batch.step(actions)
        for i, env in enumerate(references):
            outcome = env.step(int(actions[i]))
            place = f"step {step}, environment {i}, action {actions[i]}"
            if encoded[i][0] is not outcome.state:
                encoded[i] = outcome.state, env.words(layout)
            words = encoded[i][1]
            assert result.states[i].tobytes() == words, place
            assert result.rewards[i] == outcome.reward, place
            assert result.terminated[i] == outcome.terminated, place
            assert result.truncated[i] == outcome.truncated, place
            if words not in masks:
                masks[words] = env.mask()
            assert result.action_masks[i].tobytes() == masks[words], place
            if outcome.final_state is not None:
                final = layout.encode(outcome.final_state.knowledge).tobytes()
                assert result.final_states[i].tobytes() == final, place
            if defender is not None:
                theirs = layout.encode(env.defender_state.knowledge).tobytes()
                assert batch.defender_states[i].tobytes() == theirs, place
            ends += outcome.terminated or outcome.truncated
    return ends


@pytest.mark.parametrize("task", TASKS, ids=lambda path: path.stem)
def test_step_on_every_task_equals_the_pure_world(task: Path) -> None:
    compare(load_game(task), Backend.NUMBA)
