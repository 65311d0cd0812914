"""`netsecgame remote bench`: how quick a server is, beside the least that gRPC can do.

The echo runs on this machine, in plaintext, so what is compared holds for a server on this machine.
With one elsewhere the difference is the network's, too.
"""

from __future__ import annotations

import statistics
from contextlib import ExitStack, closing
from itertools import cycle
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from gymnasium import Env

from netsecgame.cli.remote.credentials import warnings_in_one_line
from netsecgame.remote.client import RemoteEnvironment
from netsecgame.remote.echo import echo
from netsecgame.remote.vector import RemoteVectorEnv

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gymnasium.vector import VectorEnv

    from netsecgame.cli.remote.credentials import Place
    from netsecgame.remote.connection import Connection
    from netsecgame.remote.remote_world import RemoteWorld

#: Actions that are drawn before the clock runs, and steps whose messages are weighed.
_ACTIONS = 256
_WEIGHED = 16


class Player:
    """Steps an environment with random actions, through the ends of its episodes."""

    def __init__(self, env: Env[Any, Any] | VectorEnv[Any, Any, Any]) -> None:
        self._env = env
        env.action_space.seed(0)
        self._actions = cycle([env.action_space.sample() for _ in range(_ACTIONS)])
        self._is_single = isinstance(env, Env)
        env.reset(seed=0)

    def step(self) -> None:
        """One step, and a reset if it was the last of an episode."""
        _, _, terminated, truncated, _ = self._env.step(next(self._actions))
        if self._is_single and (terminated or truncated):  # a vector goes on by itself
            self._env.reset()

    def rate(self, seconds: float) -> float:
        """Steps per second, resets among the time, in about so much time."""
        count = 0
        begin = now = perf_counter()
        while now - begin < seconds:
            self.step()
            count += 1
            now = perf_counter()
        return count / (now - begin)


class Sizes(NamedTuple):
    """Bytes of a step.

    Attributes:
        request: Of the message with the action.
        answer: Of the message with the result.
    """

    request: int
    answer: int


class Line(NamedTuple):
    """What was measured of one environment, or of several at once.

    Attributes:
        name: What it was.
        envs: How many environments.
        sizes: Of a message.
        rates: Messages per second, by round.
        echo_rates: Round trips per second of the echo beside it.
    """

    name: str
    envs: int
    sizes: Sizes
    rates: Sequence[float]
    echo_rates: Sequence[float]

    def __str__(self) -> str:
        steps = [self.envs * rate for rate in self.rates]
        ratios = [rate / bare for rate, bare in zip(self.rates, self.echo_rates, strict=True)]
        return (
            f"{self.name:<18}{_spread(steps, ',.0f')} steps/s\n"
            f"{'  bare echo':<18}{_spread(self.echo_rates, ',.0f')} messages/s"
            f" of {self.sizes.request} bytes out, {self.sizes.answer} back\n"
            f"{'  ratio':<18}{_spread(ratios, '.2f')}"
        )


def bench_server(place: Place, vector: int | None, rounds: int, seconds: float) -> int:
    """Measure in turns and tell; returns the exit status.

    Args:
        place: Where.
        vector: How many environments at once to measure, too.
        rounds: How many turns each gets.
        seconds: Length of a turn.

    Raises:
        RemoteError: If there is no connection, or the environment fails.
    """
    where = (place.url, place.port)
    with warnings_in_one_line(), ExitStack() as stack:
        single = stack.enter_context(
            closing(
                RemoteEnvironment(*where, place.remote_args, place.credentials, **place.options)
            )
        )
        envs: list[tuple[str, int, Any]] = [("one environment", 1, single)]
        if vector is not None:
            several = RemoteVectorEnv(
                *where, vector, place.remote_args, place.credentials, **place.options
            )
            stack.callback(several.close)
            envs.append((f"{vector} environments", vector, several))
        measured = []
        for name, count, env in envs:
            player = Player(env)
            sizes = weigh_steps(env.remote_environment, player.step)
            bare = stack.enter_context(echo(*sizes))
            measured.append((Line(name, count, sizes, [], []), player, bare))
        for _ in range(rounds):
            for line, player, bare in measured:
                cast("list[float]", line.rates).append(player.rate(seconds))
                cast("list[float]", line.echo_rates).append(bare.rate(seconds))
    for line, _, _ in measured:
        print(line, flush=True)  # noqa: T201 - this is the command line
    return 0


def weigh_steps(world: RemoteWorld, step: Callable[[], object]) -> Sizes:
    """The median sizes of the messages of a few steps.

    Args:
        world: Whose steps they are.
        step: Takes one.
    """
    scale = _Scale(world.connection)
    world.connection = cast("Connection", scale)
    try:
        for _ in range(_WEIGHED):
            step()
    finally:
        world.connection = scale.connection
    requests, answers = zip(*scale.weighed, strict=True)
    return Sizes(int(statistics.median(requests)), int(statistics.median(answers)))


class _Scale:
    """A connection that weighs what passes."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.weighed: list[tuple[int, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def exchange(self, requests: Sequence[bytes], timeout_s: float, phase: str) -> list[bytes]:
        answers = self.connection.exchange(requests, timeout_s, phase)
        if phase == "step":
            self.weighed += zip(map(len, requests), map(len, answers), strict=True)
        return answers


def _spread(figures: Sequence[float], form: str) -> str:
    low, middle, high = min(figures), statistics.median(figures), max(figures)
    return f"{middle:>10{form}}  ({low:{form}} to {high:{form}})"
