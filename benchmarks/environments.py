"""Steps per second of the Gymnasium environments: of one game, and of 4,096 at once.

What is measured: an attacker plays 20 recorded episodes of random legal actions of the task
two_networks_small: `gymnasium.make` with flat observations and masks, as learners call it, the
same without Gymnasium's wrappers, and the other kinds of observations. Only the steps are timed;
one line has the resets in it too.
Against what: `World.step_number` with the same actions, which is the game without observations,
masks and infos. The limit is 60,000 steps/s with flat observations and masks.
The vector environment steps 4,096 games on the batched world (numba where it is installed), random
legal actions, whose drawing is not timed; with arrays that are the caller's own and with those of
the environment, with masks and without.
How: in turns in one process on one core, nothing pinned; medians over the turns, and the spread
from lowest to highest. The last line tells how much the machine itself varied: rounds of a fixed
loop of plain Python a second.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import gymnasium

import netsecgame.envs  # noqa: F401 - registers the ids
from benchmarks.worlds import AGENT, describe, machine_rate
from netsecgame import AgentRole
from netsecgame.core.world import World
from netsecgame.envs.game import open_game
from netsecgame.envs.observations import KINDS
from netsecgame.envs.vector_env import NetSecGameVectorEnv

if TYPE_CHECKING:
    from collections.abc import Sequence

ENV_ID = "netsecgame/TwoNetworksSmall-v0"
TASK = "two_networks_small"
EPISODES = 20
TURNS = 25
LIMIT = 60_000
NUM_ENVS = 4_096
BATCH_STEPS = 20


def record() -> list[list[int]]:
    """The actions of some episodes, by the seed that each begins with."""
    env = gymnasium.make(ENV_ID)
    env.action_space.seed(42)
    episodes = []
    for seed in range(EPISODES):
        _, info = env.reset(seed=seed)
        episode: list[int] = []
        is_over = False
        while not is_over:
            episode.append(int(env.action_space.sample(info["action_mask"])))
            _, _, terminated, truncated, info = env.step(episode[-1])
            is_over = terminated or truncated
        episodes.append(episode)
    return episodes


def rate_of_env(
    env: gymnasium.Env[Any, Any], episodes: Sequence[Sequence[int]], *, with_resets: bool = False
) -> float:
    """Steps per second of an environment."""
    taken = 0.0
    step = env.step
    for seed, episode in enumerate(episodes):
        begin = time.perf_counter()
        env.reset(seed=seed)
        if not with_resets:
            begin = time.perf_counter()
        for action in episode:
            step(action)
        taken += time.perf_counter() - begin
    return sum(map(len, episodes)) / taken


def rate_of_world(world: World, first: int, episodes: Sequence[Sequence[int]]) -> float:
    """Steps per second of the world; its numbers begin with those of BlockIP."""
    taken = 0.0
    step = world.step_number
    for seed, episode in enumerate(episodes):
        world.reset(seed)
        numbers = [number + first for number in episode]
        begin = time.perf_counter()
        for number in numbers:
            step(AGENT, number)
        taken += time.perf_counter() - begin
    return sum(map(len, episodes)) / taken


def rate_of_batch(env: NetSecGameVectorEnv) -> float:
    """Steps per second of all games together."""
    clock = time.perf_counter
    taken = 0.0
    for _ in range(BATCH_STEPS):
        actions = env.sample_actions()
        begin = clock()
        env.step(actions)
        taken += clock() - begin
    return BATCH_STEPS * env.num_envs / taken


def main() -> None:
    """Measure and print."""
    episodes = record()
    game = open_game(TASK)
    world = World(game.spec, 42, game.topology)
    world.register(AGENT, AgentRole.Attacker)
    first = game.first_number(AgentRole.Attacker)
    envs = {kind: gymnasium.make(ENV_ID, observation=kind) for kind in KINDS}
    batches = {
        f"{NUM_ENVS:,} games{', masks' if masks else ''}{'' if copy else ', no copies'}": (
            NetSecGameVectorEnv(NUM_ENVS, TASK, action_masks=masks, copy=copy)
        )
        for masks in (False, True)
        for copy in (True, False)
    }
    for batch in batches.values():
        batch.reset(seed=1)
        rate_of_batch(batch)
    figures: dict[str, list[float]] = {}

    def note(name: str, figure: float) -> None:
        figures.setdefault(name, []).append(figure)

    for _ in range(TURNS):
        note("machine", machine_rate())
        note("World.step_number", rate_of_world(world, first, episodes))
        for kind, env in envs.items():
            note(f"make(), {kind}", rate_of_env(env, episodes))
        flat = envs["flat"]
        note("make(), flat, with resets", rate_of_env(flat, episodes, with_resets=True))
        note("without wrappers, flat", rate_of_env(flat.unwrapped, episodes))
        for name, batch in batches.items():
            note(name, rate_of_batch(batch))
    names = [
        "World.step_number",
        "without wrappers, flat",
        *(f"make(), {kind}" for kind in KINDS),
        "make(), flat, with resets",
        *batches,
    ]
    for name in names:
        print(describe(name, figures[name], "steps/s"))
    ratios = [w / e for w, e in zip(figures[names[0]], figures["make(), flat"], strict=True)]
    print(describe("make(), flat, slower than the world by", ratios, "times", 2))
    limits = [figure / LIMIT for figure in figures["make(), flat"]]
    print(describe(f"make(), flat, of {LIMIT:,} steps/s", limits, "times", 2))
    print(describe("machine", figures["machine"], "loops/s"))


if __name__ == "__main__":
    main()
