"""Answers per second of 16 agents in 16 games, against the same 16 agents in one game.

What is measured: 16 clients (TCP_NODELAY), each of which sends its next request when it has its
answer, as a blocking client does. One loop over their sockets in one process drives them all: 16
threads would cost more than the server, which is to be the limit. Whether it is shows in how busy
its processes are, about one core each if nothing else runs. Each client plays the same recorded
conversation, 10 episodes of 100 random valid actions with a reset after each, on
`two_networks_small` without goal and step limit. It is played once as it is and once without
FindData, which shows the agents of one game each other's traces in the logs: their replies are many
times longer with it, and as long as those of the others without.
Against what: one game with all 16 agents, 16 games in one process, and 16 games in two worker
processes; the servers run side by side, and two of them idle at any time.
How: in turns in one run, nothing pinned; medians over the turns, and the spread from lowest to
highest.
"""

from __future__ import annotations

import argparse
import re
import select
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil
import yaml

from benchmarks.servers import END, TASK, ask, connect
from benchmarks.tcp_steps import record_requests
from netsecgame import Action, ActionType, AgentInfo, AgentRole

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

AGENTS = 16

#: What is compared: name and options of the server.
SETUPS = {
    "one game": ["--games", "1"],
    f"{AGENTS} games": ["--games", str(AGENTS)],
    f"{AGENTS} games, 2 workers": ["--games", str(AGENTS), "--workers", "2"],
}

_JOIN = Action(ActionType.JoinGame, {"agent_info": AgentInfo("bench", AgentRole.Attacker)})
_PORT = re.compile(r"listening on \S+:(\d+) ")
_READ_BYTES = 1 << 18


class Turn(NamedTuple):
    """One turn of all clients against one setup.

    Attributes:
        rate: Answers per second.
        busy: Processor time of the server, in cores.
        reply_bytes: Mean length of an answer.
    """

    rate: float
    busy: float
    reply_bytes: float


class Setup:
    """A server that listens, and the clients that have joined its games."""

    def __init__(self, server: subprocess.Popen[str], ports: list[int]) -> None:
        process = psutil.Process(server.pid)
        self._processes = [process, *process.children()]
        self._clients = [connect(port) for port in ports]
        for client in self._clients:
            ask(client, _JOIN.to_json().encode())

    def play(self, requests: list[bytes]) -> Turn:
        """All clients play a conversation once."""
        busy = self._cpu_s()
        begin = time.perf_counter()
        reply_bytes = play_all(self._clients, requests)
        seconds = time.perf_counter() - begin
        answers = len(self._clients) * len(requests)
        return Turn(answers / seconds, (self._cpu_s() - busy) / seconds, reply_bytes / answers)

    def _cpu_s(self) -> float:
        """User and system time of all its processes so far, in seconds."""
        times = [process.cpu_times() for process in self._processes]
        return float(sum(each.user + each.system for each in times))


def play_all(clients: list[socket.socket], requests: list[bytes]) -> int:
    """Every client asks all, one after the other; returns the length of all answers."""
    by_number = {client.fileno(): (client, iter(requests)) for client in clients}
    reply_bytes = 0
    with select.epoll() as ready:
        for number, (client, left) in by_number.items():
            ready.register(number, select.EPOLLIN)
            client.sendall(next(left))
        while by_number:
            for number, _ in ready.poll():
                client, left = by_number[number]
                data = client.recv(_READ_BYTES)
                if not data:
                    raise ConnectionError("the server closed a connection")
                reply_bytes += len(data)
                if not data.endswith(END):
                    continue
                request = next(left, None)
                if request is None:
                    del by_number[number]
                else:
                    client.sendall(request)
    return reply_bytes


def write_task(folder: Path) -> Path:
    """A task in which agents play on until they reset."""
    values = yaml.safe_load(TASK.read_text())
    for role in values["coordinator"]["agents"].values():
        role.pop("max_steps", None)
        role.pop("goal", None)
    path = folder / "task.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@contextmanager
def serving(task: Path, options: list[str]) -> Iterator[Setup]:
    """A server that is ended with the block, and its clients."""
    command = [sys.executable, "-m", "netsecgame.cli", "serve", str(task), "-gp", "0", *options]
    games = int(options[1])
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline() for _ in range(games)]
            ports = [int(found[1]) for found in map(_PORT.match, lines) if found]
            if len(ports) < games:
                raise RuntimeError("the server did not start")
            yield Setup(process, ports * (AGENTS // games))
        finally:
            process.terminate()
            process.wait(10)


def measure(turns: int) -> dict[str, dict[str, list[Turn]]]:
    """Turns by conversation and setup, one of each after the other, and a round to warm up."""
    requests = record_requests()
    conversations = {
        "as it is": requests,
        "without FindData": [request for request in requests if b"FindData" not in request],
    }
    played: dict[str, dict[str, list[Turn]]] = {
        conversation: {name: [] for name in SETUPS} for conversation in conversations
    }
    with ExitStack() as stack:
        task = write_task(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        setups = {
            name: stack.enter_context(serving(task, options)) for name, options in SETUPS.items()
        }
        for turn in range(turns + 1):
            for conversation, requests in conversations.items():
                for name, setup in setups.items():
                    taken = setup.play(requests)
                    if turn > 0:
                        played[conversation][name].append(taken)
    return played


def describe(name: str, turns: list[Turn]) -> str:
    """One line on a setup."""
    rates = [turn.rate for turn in turns]
    busy = statistics.median(turn.busy for turn in turns)
    cost = statistics.median(turn.busy / turn.rate for turn in turns) * 1e6
    length = statistics.median(turn.reply_bytes for turn in turns)
    return (
        f"{name:<20}{statistics.median(rates):>9,.0f} answers/s"
        f"  ({min(rates):,.0f} to {max(rates):,.0f})  {busy:.2f} cores busy,"
        f" {cost:.0f} us an answer of {length:,.0f} bytes"
    )


def compare(name: str, turns: list[Turn], others: list[Turn]) -> str:
    """One line on the ratio of two setups, turn by turn."""
    ratios = [turn.rate / other.rate for turn, other in zip(turns, others, strict=True)]
    return f"{name:<36}{statistics.median(ratios):.2f}  ({min(ratios):.2f} to {max(ratios):.2f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=7, help="turns of each setup")
    options = parser.parse_args()
    for conversation, played in measure(options.turns).items():
        print(f"{AGENTS} agents, two_networks_small {conversation}, {options.turns} turns")
        for name, turns in played.items():
            print(describe(name, turns))
        one, many, workers = played.values()
        print(compare(f"ratio {AGENTS} games to one game", many, one))
        print(compare("ratio 2 workers to one process", workers, many))


if __name__ == "__main__":
    main()
