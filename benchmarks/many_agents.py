"""One game with 1,000 agents: its memory, how long joining takes, and what a reset of all costs.

What is measured: 1,000 attackers, one after the other, connect to the game server in a process of
its own (`two_networks_small`, without a step limit) and join; then each plays the same 20 valid
actions, all of them one action a round; then all ask for a reset. Joining is linear in their number
if the last hundred took as long as the first; a reset, if each of 1,000 agents costs as much as
each of 100. Memory is what is resident of the server process.
Against what: the figures are absolute; what may depend on the number of agents is set side by side
in one run.
How: a server of its own for each turn, all clients are blocking sockets in this process, nothing
pinned; medians over the turns, and the spread from lowest to highest.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil
import yaml

from benchmarks.servers import TASK, ask, connect, read_answer, running
from benchmarks.tcp_steps import record_requests
from netsecgame import Action, ActionType, AgentInfo, AgentRole

if TYPE_CHECKING:
    import socket

AGENTS = 1_000
BLOCK = 100
STEPS = 20
_MIB = 1024 * 1024
_SPARE_DESCRIPTORS = 100


class Turn(NamedTuple):
    """One turn.

    Attributes:
        empty_mib: Resident memory of the server when nobody has joined.
        joined_mib: The same when all have joined.
        played_mib: When each has played.
        join_ms: For each block of agents, the time to connect and join, per agent.
        few_reset_ms: Time from the first request for a reset to the last reply, with one block of
            agents joined, per agent.
        all_reset_ms: The same with all agents.
        played_reset_ms: The same when each has played.
        rate: Steps a second, of all agents together.
    """

    empty_mib: float
    joined_mib: float
    played_mib: float
    join_ms: list[float]
    few_reset_ms: float
    all_reset_ms: float
    played_reset_ms: float
    rate: float


def take_turn(folder: Path, actions: list[bytes]) -> Turn:
    """All figures, from a server of their own."""
    task = yaml.safe_load(TASK.read_text())
    del task["coordinator"]["agents"]["Attacker"]["max_steps"]
    path = folder / "task.yaml"
    path.write_text(yaml.safe_dump(task))
    module = ["netsecgame.game.worlds.NetSecGame", "-c", str(path), "-gp", "0", "-l", "WARNING"]
    agents: list[socket.socket] = []
    with running(module, folder) as server:
        process = psutil.Process(server.pid)

        def memory_mib() -> float:
            return float(process.memory_info().rss) / _MIB

        ask_once(server.port)
        empty_mib = memory_mib()
        join_ms = []
        few_reset_ms = 0.0
        for _ in range(AGENTS // BLOCK):
            begin = time.perf_counter()
            for _ in range(BLOCK):
                agents.append(connect(server.port))
                expect(ask(agents[-1], join_request()), b"CREATED")
            join_ms.append((time.perf_counter() - begin) * 1e3 / BLOCK)
            few_reset_ms = few_reset_ms or time_reset_ms(agents)
        joined_mib = memory_mib()
        all_reset_ms = time_reset_ms(agents)
        begin = time.perf_counter()
        for action in actions:
            ask_all(agents, action, b"OK")
        rate = len(agents) * len(actions) / (time.perf_counter() - begin)
        played_mib = memory_mib()
        played_reset_ms = time_reset_ms(agents)
        for agent in agents:
            agent.close()
    return Turn(
        empty_mib,
        joined_mib,
        played_mib,
        join_ms,
        few_reset_ms,
        all_reset_ms,
        played_reset_ms,
        rate,
    )


def ask_once(port: int) -> None:
    """Have a server answer somebody, so that what it loads late is loaded."""
    with connect(port) as stranger:
        expect(ask(stranger, b"{}"), b"BAD_REQUEST")


def time_reset_ms(agents: list[socket.socket]) -> float:
    """Have all agents ask for a reset; milliseconds per agent."""
    begin = time.perf_counter()
    ask_all(agents, Action(ActionType.ResetGame, {"seed": 42}).to_json().encode(), b"RESET_DONE")
    return (time.perf_counter() - begin) * 1e3 / len(agents)


def ask_all(agents: list[socket.socket], request: bytes, status: bytes) -> None:
    """Send all agents' requests, then read all answers."""
    for agent in agents:
        agent.sendall(request)
    for agent in agents:
        expect(read_answer(agent), status)


def expect(reply: bytes, status: bytes) -> None:
    """Make sure that a reply has this status."""
    if b'"GameStatus.%s"' % status not in reply:
        raise RuntimeError(f"expected {status.decode()}, got {reply[:200]!r}")


def join_request() -> bytes:
    """The message that joins as an attacker."""
    info = AgentInfo("bench", AgentRole.Attacker)
    return Action(ActionType.JoinGame, {"agent_info": info}).to_json().encode()


def allow_connections() -> None:
    """Let this process, and the servers it starts, have a descriptor for every agent."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, AGENTS + _SPARE_DESCRIPTORS), most))


def spread(values: list[float], digits: int = 2) -> str:
    """Median and spread."""
    return (
        f"{statistics.median(values):>10,.{digits}f}"
        f"  ({min(values):,.{digits}f} to {max(values):,.{digits}f})"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=5, help="servers that are filled and measured")
    options = parser.parse_args()
    allow_connections()
    actions = record_requests(42)[:STEPS]
    with tempfile.TemporaryDirectory() as name:
        turns = [take_turn(Path(name), actions) for _ in range(options.turns)]
    per_agent = [(t.joined_mib - t.empty_mib) * 1024 / AGENTS for t in turns]
    ratios = [turn.join_ms[-1] / turn.join_ms[0] for turn in turns]
    resets = [turn.all_reset_ms / turn.few_reset_ms for turn in turns]
    print(f"{AGENTS:,} agents in one game, {options.turns} turns")
    print(f"resident, nobody joined      MiB {spread([t.empty_mib for t in turns], 1)}")
    print(f"resident, all joined         MiB {spread([t.joined_mib for t in turns], 1)}")
    print(f"  per agent                  KiB {spread(per_agent, 1)}")
    print(f"resident, {STEPS} steps each      MiB {spread([t.played_mib for t in turns], 1)}")
    for number in (0, AGENTS // BLOCK // 2 - 1, AGENTS // BLOCK - 1):
        first, last = number * BLOCK + 1, (number + 1) * BLOCK
        title = f"a join, agents {first} to {last}"
        print(f"{title:<29}ms  {spread([t.join_ms[number] for t in turns])}")
    print(f"  the last to the first          {spread(ratios)}")
    print(f"steps of all agents          1/s {spread([t.rate for t in turns], 0)}")
    print(f"a reset, per agent of {BLOCK}    ms  {spread([t.few_reset_ms for t in turns])}")
    print(f"a reset, per agent of {AGENTS:,}  ms  {spread([t.all_reset_ms for t in turns])}")
    print(f"  the last to the first          {spread(resets)}")
    print(f"  after {STEPS} steps each        ms  {spread([t.played_reset_ms for t in turns])}")


if __name__ == "__main__":
    main()
