"""Steps per second of the batched world, beside the pure one.

What is measured: B environments of `two_networks_small` under random legal actions, with automatic
reset in the next step; a step writes state words, rewards and ends, and the boolean action mask or
the flat observation too where it says so. The actions are drawn by `sample_actions`. The figure for
steps counts the time of `step` alone; the one with drawing counts both.
Against what: the pure `World.step_number` on the same task in the same run.
Besides: memory of an environment of `two_networks`, and how long the first step of a new process
takes, drawing included, with nothing compiled and with what the process before has left.
How: in turns in one process, nothing pinned; numba uses as many threads as there are processors,
numpy one; medians over the turns, and the spread from lowest to highest.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.servers import ROOT, TASK
from benchmarks.worlds import Course, describe
from netsecgame.envs.batch import Backend, BatchedWorld
from netsecgame.game.loading import load_game

if TYPE_CHECKING:
    from collections.abc import Mapping

TURNS = 15
TURN_S = 0.2
SMALL, LARGE = 4_096, 65_536

_FIRST_STEP = f"""
import time
begin = time.perf_counter()
from netsecgame.envs.batch import BatchedWorld
from netsecgame.game.loading import load_game
world = BatchedWorld(load_game({str(TASK)!r}), 64, backend="numba", with_masks=True)
world.step(world.sample_actions())
print(time.perf_counter() - begin)
"""


class Batch:
    """A batch that is stepped again and again."""

    def __init__(
        self,
        num_envs: int,
        backend: Backend,
        *,
        with_masks: bool = False,
        with_observations: bool = False,
    ) -> None:
        self.world = BatchedWorld(
            load_game(TASK),
            num_envs,
            backend=backend,
            with_masks=with_masks,
            with_observations=with_observations,
        )
        self._actions = np.zeros(num_envs, np.int32)
        for _ in range(60):  # so that episodes do not end all at once
            self.world.sample_actions(self._actions)
            self.world.step(self._actions)

    def rates(self) -> tuple[float, float]:
        """Steps per second, and the same with the drawing of actions."""
        clock = time.perf_counter
        stepped, steps, begin = 0.0, 0, clock()
        while (now := clock()) - begin < TURN_S:
            self.world.sample_actions(self._actions)
            before = clock()
            self.world.step(self._actions)
            stepped += clock() - before
            steps += self.world.num_envs
        return steps / stepped, steps / (now - begin)


def first_step_s(cache: str) -> float:
    """Seconds from the start of the imports to the end of the first step, in a new process."""
    environment: Mapping[str, str] = {**os.environ, "NUMBA_CACHE_DIR": cache}
    done = subprocess.run(
        [sys.executable, "-c", _FIRST_STEP],
        env=environment,
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as cache:
        fresh, cached = first_step_s(cache), first_step_s(cache)
    pure = Course(load_game(TASK))
    batches = {
        f"numba, B = {SMALL:,}": Batch(SMALL, Backend.NUMBA),
        f"numba, B = {LARGE:,}": Batch(LARGE, Backend.NUMBA),
        f"numba with masks, B = {SMALL:,}": Batch(SMALL, Backend.NUMBA, with_masks=True),
        f"numba with masks, B = {LARGE:,}": Batch(LARGE, Backend.NUMBA, with_masks=True),
        f"numba, observations, B = {SMALL:,}": Batch(SMALL, Backend.NUMBA, with_observations=True),
        f"numba, observations, B = {LARGE:,}": Batch(LARGE, Backend.NUMBA, with_observations=True),
        f"numpy, B = {SMALL:,}": Batch(SMALL, Backend.NUMPY),
        f"numpy, B = {LARGE:,}": Batch(LARGE, Backend.NUMPY),
        f"numpy, observations, B = {SMALL:,}": Batch(SMALL, Backend.NUMPY, with_observations=True),
    }
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in batches}
    pure_rates = []
    for _ in range(TURNS):
        pure_rates.append(pure.rate_by_number(pure.world.step_number))
        for name, batch in batches.items():
            rates[name].append(batch.rates())
    print(describe("pure world, step_number", pure_rates, "steps/s"))
    for name, turns in rates.items():
        print(describe(name, [steps for steps, _ in turns], "steps/s"))
        print(describe("  with drawing the actions", [both for _, both in turns], "steps/s"))
        ratio = statistics.median(
            steps / one for (steps, _), one in zip(turns, pure_rates, strict=True)
        )
        print(f"  {'times the pure world':<36}{ratio:>12,.0f}")
    world = BatchedWorld(load_game(ROOT / "task_configs" / "two_networks.yaml"), SMALL)
    with_masks = BatchedWorld(world.spec, SMALL, with_masks=True)
    print(
        f"{'an environment of two_networks':<38}{world.bytes_per_env:>12,.0f} bytes"
        f"  ({with_masks.bytes_per_env:,.0f} with its mask)"
    )
    print(f"{'first step, nothing compiled':<38}{fresh:>12.1f} s")
    print(f"{'first step of the next process':<38}{cached:>12.1f} s")


if __name__ == "__main__":
    main()
