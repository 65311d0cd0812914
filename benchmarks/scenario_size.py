"""What the size of a network costs: loading, starting, resetting and playing on up to 2,000 hosts.

The networks: the shipped `two_networks_small`, then generated ones, the same in every run.
In this process, medians over some rounds: reading a task and its scenario (YAML, schema, values,
and whether they fit), compiling them, making a world, starting the next episode, and one step with
the JSON of its state. Steps are random valid actions, 50 an episode.
The server, in a process of its own: from its start to the answer of the first join, and steps per
second over TCP right after that, while it still searches for goals out of reach, and later.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.servers import TASK, ask, connect, game_server
from netsecgame import Action, ActionType, AgentInfo, AgentRole, generate_valid_actions
from netsecgame.core.dynamics import compile_game
from netsecgame.core.world import World
from netsecgame.game.generation import write_game
from netsecgame.game.loading import find_goals_out_of_reach, load_game

if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket

    from netsecgame.core.task import GameSpec

#: Networks, clients and servers of the generated games.
SIZES = ((6, 65, 35), (10, 350, 150), (21, 1_500, 500))

ROUNDS = 5
EPISODES = 6
STEPS_PER_EPISODE = 50
PLAY_S = 1.0


class Costs(NamedTuple):
    """What one network costs; times in seconds.

    Attributes:
        hosts: How many it has.
        load: Reading task and scenario.
        compile: From there to indices and masks.
        search: For goals out of reach.
        start: From the start of the server's process to the answer of the first join.
        construct: Making a world of a compiled game.
        reset: The next episode of a world with one attacker.
        reply_bytes: The answer to the join.
        step: One action and the JSON of the new state.
        rate_at_first: Steps per second over TCP just after the first join.
        rate_later: The same a little later.
    """

    hosts: int
    load: float
    compile: float
    search: float
    start: float
    construct: float
    reset: float
    reply_bytes: int
    step: float
    rate_at_first: float
    rate_later: float


def time_median(action: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median of the seconds that an action takes."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def time_steps(world: World, seed: int = 42) -> float:
    """Median seconds of a step and the JSON of its state, over random games."""
    rng = Random(seed)
    times = []
    for episode in range(EPISODES):
        state = world.reset(seed + episode)["agent"].state
        for _ in range(STEPS_PER_EPISODE):
            if not world.player("agent").is_playing:
                break
            action = rng.choice(sorted(generate_valid_actions(state), key=str))
            begin = time.perf_counter()
            state = world.step("agent", action).state
            state.as_json()
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


def measure_world(spec: GameSpec) -> tuple[float, float, float]:
    """Seconds that making a world, a reset and a step take."""
    topology = compile_game(spec)
    World(spec, 42, topology)  # what all worlds of a topology share is made by the first
    construct = time_median(lambda: World(spec, 42, topology))
    world = World(spec, 42, topology)
    world.register("agent", AgentRole.Attacker)
    return construct, time_median(world.reset, 50), time_steps(world)


def measure_server(task: Path, folder: Path) -> tuple[float, int, float, float]:
    """Start to first answer, bytes of that answer, and steps per second then and later."""
    begin = time.perf_counter()
    with game_server(folder, task=task) as server, connect(server.port) as connection:
        info = AgentInfo("agent", AgentRole.Attacker)
        join = Action(ActionType.JoinGame, {"agent_info": info})
        reply = ask(connection, join.to_json().encode())
        start = time.perf_counter() - begin
        at_first = play(connection)
        time.sleep(PLAY_S)
        return start, len(reply), at_first, play(connection)


def play(connection: socket) -> float:
    """Steps per second; the step limit may end the episode, so each is followed by a reset."""
    scan = {"source_host": {"ip": "213.47.23.195"}, "target_network": {"ip": "10.0.0.0", "mask": 8}}
    step = Action.from_dict({"action_type": "ScanNetwork", "parameters": scan})
    reset = Action(ActionType.ResetGame, {}).to_json().encode()
    count = 0
    begin = now = time.perf_counter()
    while now - begin < PLAY_S:
        ask(connection, step.to_json().encode())
        ask(connection, reset)
        count += 1
        now = time.perf_counter()
    return count / (now - begin)


def measure(task: Path, folder: Path) -> Costs:
    """What one network costs."""
    spec = load_game(task)
    construct, reset, step = measure_world(spec)
    start, reply_bytes, at_first, later = measure_server(task, folder)
    return Costs(
        hosts=len(spec.scenario.hosts),
        load=time_median(lambda: load_game(task)),
        compile=time_median(lambda: compile_game(spec)),
        search=time_median(lambda: find_goals_out_of_reach(spec)),
        start=start,
        construct=construct,
        reset=reset,
        reply_bytes=reply_bytes,
        step=step,
        rate_at_first=at_first,
        rate_later=later,
    )


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tasks = [TASK]
        for networks, clients, servers in SIZES:
            task = folder / f"{clients + servers}.yaml"
            write_game(task, networks=networks, clients=clients, servers=servers, seed=42)
            tasks.append(task)
        print(
            "hosts    load  compile   search    start   world   reset   reply    step"
            "   steps/s at first, later"
        )
        for task in tasks:
            costs = measure(task, folder)
            print(
                f"{costs.hosts:5d}"
                f"{costs.load * 1e3:6.0f} ms{costs.compile * 1e3:6.1f} ms"
                f"{costs.search * 1e3:6.1f} ms{costs.start * 1e3:6.0f} ms"
                f"{costs.construct * 1e6:5.0f} µs{costs.reset * 1e6:5.0f} µs"
                f"{costs.reply_bytes:6d} B{costs.step * 1e6:5.0f} µs"
                f"{costs.rate_at_first:12,.0f}{costs.rate_later:8,.0f}"
            )


if __name__ == "__main__":
    main()
