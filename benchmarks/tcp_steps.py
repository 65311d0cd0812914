"""Steps per second of one agent over TCP, against the most a bare asyncio server could do.

What is measured: one client with a blocking socket (TCP_NODELAY) plays a recorded conversation,
10 episodes of 100 random valid actions with a reset after each, on `two_networks_small`,
against the game server in a process of its own with its default log level.
Against what: an `asyncio.Protocol` echo server in a process of its own, which answers the same
requests with the very bytes the game server answered. Same client, same bytes both ways.
How: in turns in one run, nothing pinned; medians over the turns, and the spread from lowest to
highest.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from netsecgame import Action, ActionType, AgentInfo, AgentRole, generate_valid_actions
from netsecgame.core.world import World
from netsecgame.game.loading import load_game

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
TASK = ROOT / "task_configs" / "two_networks_small.yaml"
EPISODES = 10
STEPS_PER_EPISODE = 100
END = b"EOF"
_READ_BYTES = 1 << 18


class Turn(NamedTuple):
    """One turn against one server.

    Attributes:
        rate: Answers per second.
        p50_us: Median latency in microseconds.
        p99_us: 99th percentile of the latency in microseconds.
    """

    rate: float
    p50_us: float
    p99_us: float


def record_requests(seed: int = 42) -> list[bytes]:
    """A seeded conversation after the join: random valid actions, a reset after every episode."""
    spec = load_game(TASK)
    rng = Random(seed)
    requests = []
    for episode in range(EPISODES):
        world = World(spec, seed + episode)
        state = world.register("agent", AgentRole.Attacker).state
        for _ in range(STEPS_PER_EPISODE):
            action = rng.choice(sorted(generate_valid_actions(state), key=str))
            requests.append(action.to_json().encode())
            if world.player("agent").is_playing:
                state = world.step("agent", action).state
        reset = Action(ActionType.ResetGame, {"seed": seed + episode + 1})
        requests.append(reset.to_json().encode())
    return requests


def play(connection: socket.socket, requests: list[bytes], duration_s: float) -> Turn:
    """Ask again and again for `duration_s` seconds."""
    latencies = []
    clock = time.perf_counter
    begin = now = clock()
    while now - begin < duration_s:
        for request in requests:
            ask(connection, request)
            after = clock()
            latencies.append(after - now)
            now = after
    latencies.sort()
    return Turn(
        len(latencies) / (now - begin),
        latencies[len(latencies) // 2] * 1e6,
        latencies[len(latencies) * 99 // 100] * 1e6,
    )


def ask(connection: socket.socket, request: bytes) -> bytes:
    """Send one request and read its answer."""
    connection.sendall(request)
    reply = connection.recv(_READ_BYTES)
    while not reply.endswith(END):
        more = connection.recv(_READ_BYTES)
        if not more:
            raise ConnectionError("the server closed the connection")
        reply += more
    return reply


def connect(port: int) -> socket.socket:
    """A blocking connection without Nagle's delay, tried until the server listens."""
    deadline = time.monotonic() + 10
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def game_server(folder: Path) -> Iterator[int]:
    """The game server in a process of its own, on a task without a step limit; gives its port."""
    task = folder / "task.yaml"
    lines = TASK.read_text().splitlines(keepends=True)
    task.write_text("".join(line for line in lines if "max_steps" not in line))
    port = free_port()
    command = [sys.executable, "-m", "netsecgame.game.worlds.NetSecGame"]
    with running([*command, "-c", str(task), "-gp", str(port)], folder):
        yield port


@contextmanager
def echo_server(folder: Path, replies: list[bytes]) -> Iterator[int]:
    """The echo server in a process of its own; gives its port."""
    file = folder / "replies.json"
    file.write_text(json.dumps([reply.decode() for reply in replies]))
    port = free_port()
    with running(
        [sys.executable, "-m", "benchmarks.tcp_steps", "--echo", str(port), str(file)], ROOT
    ):
        yield port


@contextmanager
def running(command: list[str], folder: Path) -> Iterator[None]:
    """A process that is ended with the block."""
    with subprocess.Popen(command, cwd=folder) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(10)


class Echo(asyncio.Protocol):
    """Answers each chunk with the next reply: a blocking client sends one request a chunk."""

    def __init__(self, replies: list[bytes]) -> None:
        self._replies = replies
        self._next = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - whatever was asked
        """Answer."""
        self._transport.write(self._replies[self._next])
        self._next = (self._next + 1) % len(self._replies)


async def serve_echo(port: int, replies: list[bytes]) -> None:
    """Be the echo server."""
    server = await asyncio.get_running_loop().create_server(
        lambda: Echo(replies), "127.0.0.1", port
    )
    await server.serve_forever()


def measure(turns: int, turn_s: float) -> tuple[list[Turn], list[Turn]]:
    """Turns against the game server and against the echo server, one of each after the other."""
    requests = record_requests()
    info = AgentInfo("bench", AgentRole.Attacker)
    join = Action(ActionType.JoinGame, {"agent_info": info}).to_json().encode()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with game_server(folder) as port, connect(port) as game:
            ask(game, join)
            ask(game, Action(ActionType.ResetGame, {"seed": 42}).to_json().encode())
            replies = [ask(game, request) for request in requests]
            with echo_server(folder, replies) as echo_port, connect(echo_port) as echo:
                games, echoes = [], []
                for _ in range(turns):
                    games.append(play(game, requests, turn_s))
                    echoes.append(play(echo, requests, turn_s))
                return games, echoes


def describe(name: str, turns: list[Turn]) -> str:
    """One line on a server."""
    rates = [turn.rate for turn in turns]
    p50 = statistics.median(turn.p50_us for turn in turns)
    p99 = statistics.median(turn.p99_us for turn in turns)
    return (
        f"{name:<12}{statistics.median(rates):>9,.0f} answers/s"
        f"  ({min(rates):,.0f} to {max(rates):,.0f})  p50 {p50:.0f} us  p99 {p99:.0f} us"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=7, help="turns against each server")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn")
    parser.add_argument("--echo", nargs=2, metavar=("PORT", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.echo:
        replies = [reply.encode() for reply in json.loads(Path(options.echo[1]).read_text())]
        asyncio.run(serve_echo(int(options.echo[0]), replies))
        return
    games, echoes = measure(options.turns, options.seconds)
    ratios = [game.rate / echo.rate for game, echo in zip(games, echoes, strict=True)]
    print(f"one agent over TCP, two_networks_small, {options.turns} turns of {options.seconds:g} s")
    print(describe("game server", games))
    print(describe("echo server", echoes))
    print(
        f"ratio       {statistics.median(ratios):>9.2f}"
        f"            ({min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    main()
