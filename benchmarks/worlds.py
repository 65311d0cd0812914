"""Steps per second of the pure world in one process, without a server.

What is measured: one attacker plays 20 recorded episodes of up to 100 random legal actions, with
the actions as objects (`World.step`) and by number (`World.step_number`); only the steps are timed.
Against what: the same on a generated scenario with 100 hosts. Besides: how long a reset and the
making of a world take, alone and with a topology that is compiled already, and how much memory a
world with one agent takes.
How: in turns in one process on one core, nothing pinned; medians over the turns, and the spread
from lowest to highest. The last line tells how much the machine itself varied: rounds of a fixed
loop of plain Python a second.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import tracemalloc
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from benchmarks.servers import TASK
from netsecgame import AgentRole
from netsecgame.core.action_index import ActionIndex
from netsecgame.core.dynamics import compile_game
from netsecgame.core.legal_actions import legal_numbers
from netsecgame.core.world import World
from netsecgame.game.generation import write_game
from netsecgame.game.loading import load_game

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netsecgame.core.task import GameSpec
    from netsecgame.core.world import Transition
    from netsecgame.game_components import Action

AGENT = "agent"
EPISODES = 20
STEPS = 100
TURNS = 25
WORLDS = 200


class Course:
    """A world, and the episodes that are played on it again and again."""

    def __init__(self, spec: GameSpec) -> None:
        self.spec = spec
        self.topology = compile_game(spec)
        self.index = ActionIndex(self.topology, include_blocks=False)
        self.world = World(spec, 42, self.topology, self.index)
        self.world.register(AGENT, AgentRole.Attacker)
        self.numbers = [self._record(42 + episode) for episode in range(EPISODES)]
        labels = self.world.dynamics.labels
        self.actions = [
            [self.index.action(number, labels) for number in episode] for episode in self.numbers
        ]

    def rate(self, step: Callable[[str, Action], Transition]) -> float:
        """Steps per second with actions as objects."""
        return self._rate(step, self.actions)

    def rate_by_number(self, step: Callable[[str, int], Transition]) -> float:
        """Steps per second with actions by number."""
        return self._rate(step, self.numbers)

    def _rate(self, step: Callable[..., Transition], episodes: Sequence[Sequence[object]]) -> float:
        taken = 0.0
        for seed, episode in enumerate(episodes):
            self.world.reset(42 + seed)
            begin = time.perf_counter()
            for action in episode:
                step(AGENT, action)
            taken += time.perf_counter() - begin
        return sum(map(len, episodes)) / taken

    def _record(self, seed: int) -> list[int]:
        rng = Random(seed)
        state = self.world.reset(seed)[AGENT].state
        episode: list[int] = []
        while self.world.player(AGENT).is_playing and len(episode) < STEPS:
            known = state.knowledge  # type: ignore[attr-defined]  # the world's own states have it
            episode.append(rng.choice(legal_numbers(self.index, known)))
            state = self.world.step_number(AGENT, episode[-1]).state
        return episode


def machine_rate() -> float:
    """Rounds of a fixed loop per second."""
    found: dict[int, tuple[int, int]] = {}
    begin = time.perf_counter()
    for number in range(20_000):
        found[number & 255] = number, number
        found.get(number)
    return 20_000 / (time.perf_counter() - begin)


def time_ms(call: Callable[[], object]) -> float:
    """Milliseconds that a call takes."""
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1_000


def bytes_per_world(course: Course) -> float:
    """Memory of a world with one agent, beside others on the same topology."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    worlds = [World(course.spec, seed, course.topology) for seed in range(WORLDS)]
    for world in worlds:
        world.register(AGENT, AgentRole.Attacker)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return taken / WORLDS


def describe(name: str, figures: Sequence[float], unit: str, digits: int = 0) -> str:
    """One line: the median and the spread."""
    low, middle, high = min(figures), statistics.median(figures), max(figures)
    return f"{name:<38}{middle:>12,.{digits}f} {unit}  ({low:,.{digits}f} to {high:,.{digits}f})"


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        game = write_game(
            Path(folder) / "hosts_100.yaml", networks=9, clients=75, servers=24, seed=1
        )
        small, large = Course(load_game(TASK)), Course(load_game(game.task))
    figures: dict[str, list[float]] = {}

    def note(name: str, figure: float) -> None:
        figures.setdefault(name, []).append(figure)

    for _ in range(TURNS):
        note("machine", machine_rate())
        for name, course in (("9 hosts", small), ("100 hosts", large)):
            note(f"step, {name}", course.rate(course.world.step))
            note(f"step_number, {name}", course.rate_by_number(course.world.step_number))
            note(f"reset, {name}", time_ms(course.world.reset))
            note(f"World(), {name}", time_ms(partial(World, course.spec, 42)))
            note(
                f"World() on a topology, {name}",
                time_ms(partial(World, course.spec, 42, course.topology)),
            )
    for what in ("step", "step_number"):
        for name in ("9 hosts", "100 hosts"):
            print(describe(f"{what}, {name}", figures[f"{what}, {name}"], "steps/s"))
        pairs = zip(figures[f"{what}, 9 hosts"], figures[f"{what}, 100 hosts"], strict=True)
        print(describe(f"{what}, 100 hosts slower by", [a / b for a, b in pairs], "times", 2))
    for name, course in (("9 hosts", small), ("100 hosts", large)):
        for what in ("reset", "World()", "World() on a topology"):
            print(describe(f"{what}, {name}", figures[f"{what}, {name}"], "ms", 3))
        print(f"{f'a world in memory, {name}':<38}{bytes_per_world(course) / 1_024:>12,.1f} KiB")
    print(describe("machine", figures["machine"], "loops/s"))


if __name__ == "__main__":
    main()
