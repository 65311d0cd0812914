"""Steps per second of environments on a server, against a bare gRPC echo and against each other.

What is measured: `RemoteEnvironment` and `RemoteVectorEnv` play CartPole-v1, and the game, with
random actions on servers in processes of their own, over plaintext on loopback. The time of resets
is in it, that of drawing actions is not.
Against what: one CartPole environment in each mode of the server, against a bidirectional echo of
`grpc.aio` that answers messages of 20 bytes with 50 bytes, asked by a blocking client; two clients,
each a process of its own, against one; 64 environments in one message against one environment; 64
games against 64 in this process, stepped one after the other and as a batch, and against an echo of
messages as long; and an environment that can draw frames, for which nobody asks, against one that
cannot.
How: in turns in one run, nothing pinned; medians over the rounds, and the spread from lowest to
highest. Clients, server and environments share the machine's processors.
"""

from __future__ import annotations

import argparse
import statistics
from contextlib import ExitStack, closing
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, NamedTuple

from gymnasium.vector import SyncVectorEnv

from benchmarks.servers import ROOT, running
from netsecgame.cli.remote.benching import Player, weigh_steps
from netsecgame.envs.single_env import NetSecGameEnv
from netsecgame.envs.vector_env import NetSecGameVectorEnv
from netsecgame.remote import RemoteEnvironment, RemoteVectorEnv
from netsecgame.remote.echo import echo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection

CARTPOLE = "benchmarks.remote_environments:create_environment"
TASK = "two_networks_small"
HOST = "127.0.0.1"
REQUEST_BYTES, ANSWER_BYTES = 20, 50
NUM_ENVS = 64


class Ratio(NamedTuple):
    """What is compared.

    Attributes:
        name: How it is told.
        what: The rate above the line.
        to: The one below it.
        asked: What it has to be at least; None if nobody asks for it.
    """

    name: str
    what: str
    to: str
    asked: float | None


RATIOS = (
    Ratio("process to a bare echo", "process", "echo", 0.50),
    Ratio("thread to a bare echo", "thread", "echo", 0.45),
    Ratio("inline to a bare echo", "inline", "echo", 0.65),
    Ratio("2 clients to 1", "2 clients", "1 client", 1.5),
    Ratio(f"{NUM_ENVS} CartPole in one message to 1", f"{NUM_ENVS} CartPole", "process", 10),
    Ratio(f"{NUM_ENVS} games to a SyncVectorEnv", "games, remote", "games, SyncVectorEnv", 0.4),
    Ratio(f"{NUM_ENVS} games to a batch", "games, remote", "games, batch", 0.4),
    Ratio(f"{NUM_ENVS} games to an echo as long", "games, remote", "games, echo", None),
    Ratio("frames nobody asks for to none", "with frames", "process", 0.9),
)


class Measuring:
    """Servers and clients, and how quick each is; a context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.rates: dict[str, Callable[[float], float]] = {}

    def __enter__(self) -> Measuring:
        try:
            self._begin()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _begin(self) -> None:
        bare = self._stack.enter_context(echo(REQUEST_BYTES, ANSWER_BYTES))
        self.rates["echo"] = bare.rate
        ports = {}
        for mode in ("process", "thread", "inline"):
            ports[mode] = self._serve("--entrypoint", CARTPOLE, "--mode", mode)
            self._play(mode, RemoteEnvironment(HOST, ports[mode]))
        drawing = {"entrypoint_kwargs": {"render_mode": "rgb_array"}}
        self._play(
            "with frames", RemoteEnvironment(HOST, ports["process"], drawing, None, "rgb_array")
        )
        self._play(f"{NUM_ENVS} CartPole", RemoteVectorEnv(HOST, ports["process"], NUM_ENVS))
        clients = [self._stack.enter_context(closing(Client(ports["process"]))) for _ in range(2)]
        self.rates["1 client"] = lambda seconds: _rate_of_all(clients[:1], seconds)
        self.rates["2 clients"] = lambda seconds: _rate_of_all(clients, seconds)
        games = self._serve("--task", TASK)
        remote = RemoteVectorEnv(HOST, games, NUM_ENVS)
        player = self._play("games, remote", remote)
        assert remote.remote_environment is not None
        sizes = weigh_steps(remote.remote_environment, player.step)
        as_long = self._stack.enter_context(echo(*sizes))
        self.rates["games, echo"] = lambda seconds: NUM_ENVS * as_long.rate(seconds)
        singles = SyncVectorEnv([partial(NetSecGameEnv, TASK)] * NUM_ENVS)
        self._play("games, SyncVectorEnv", singles)
        self._play("games, batch", NetSecGameVectorEnv(NUM_ENVS, TASK))

    def _serve(self, *arguments: str) -> int:
        command = ["netsecgame.cli", "remote", "serve", "--port", "0", *arguments]
        return self._stack.enter_context(running(command, ROOT)).port

    def _play(self, name: str, env: Any) -> Player:
        self._stack.callback(env.close)
        count = getattr(env, "num_envs", 1)
        player = Player(env)
        self.rates[name] = lambda seconds: count * player.rate(seconds)
        return player


class Client:
    """A client in a process of its own."""

    def __init__(self, port: int) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_be_client, args=(port, theirs))
        self._process.start()
        theirs.close()
        self._pipe.recv()

    def begin(self, seconds: float) -> None:
        """Let it play for so long."""
        self._pipe.send(seconds)

    def end(self) -> float:
        """The rate at which it has played."""
        rate: float = self._pipe.recv()
        return rate

    def close(self) -> None:
        """Let it leave."""
        self._pipe.send(None)
        self._process.join()


def _be_client(port: int, pipe: Connection) -> None:
    with closing(RemoteEnvironment(HOST, port)) as env:
        player = Player(env)
        pipe.send("ready")
        while (seconds := pipe.recv()) is not None:
            pipe.send(player.rate(seconds))


def _rate_of_all(clients: Sequence[Client], seconds: float) -> float:
    """Steps per second of clients that play at the same time."""
    for client in clients:
        client.begin(seconds)
    return sum(client.end() for client in clients)


def measure(rounds: int, seconds: float) -> dict[str, list[float]]:
    """By name, the rate in each round."""
    figures: dict[str, list[float]] = {}
    with Measuring() as measuring:
        for rate in measuring.rates.values():
            rate(seconds / 4)  # what is done once is done now
        for _ in range(rounds):
            for name, rate in measuring.rates.items():
                figures.setdefault(name, []).append(rate(seconds))
    return figures


def spread(figures: Sequence[float], digits: int) -> str:
    """The median, and the lowest and highest."""
    low, middle, high = min(figures), statistics.median(figures), max(figures)
    return f"{middle:>12,.{digits}f}  ({low:,.{digits}f} to {high:,.{digits}f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9, help="turns of each")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn")
    options = parser.parse_args()
    figures = measure(options.rounds, options.seconds)
    print(f"{options.rounds} rounds of {options.seconds:g} s; steps a second")
    for name, rates in figures.items():
        print(f"  {name:<34}{spread(rates, 0)}")
    for ratio in RATIOS:
        each = [a / b for a, b in zip(figures[ratio.what], figures[ratio.to], strict=True)]
        asked = "" if ratio.asked is None else f", asked for at least {ratio.asked:g}"
        print(f"  {ratio.name:<34}{spread(each, 2)}{asked}")


if __name__ == "__main__":
    main()
