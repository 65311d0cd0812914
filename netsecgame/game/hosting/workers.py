"""Games spread over worker processes, and the parent that starts, watches and stops them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pickle
import signal
import sys
from asyncio.subprocess import PIPE
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Self

import msgspec

from netsecgame.game.configuration_manager import ConfigurationManager
from netsecgame.game.coordinator import STOP_TIMEOUT_S
from netsecgame.game.hosting.failures import EXIT_OK, GamesError
from netsecgame.game.hosting.plan import describe_numbers
from netsecgame.game.hosting.worker import Report
from netsecgame.game.stopping import stop_on_signals, stop_with_stdin

if TYPE_CHECKING:
    from collections.abc import Callable

    from netsecgame.game.hosting.plan import HostPlan

logger = logging.getLogger(__name__)

#: A worker that has not ended so long after SIGTERM is killed: its games had `STOP_TIMEOUT_S`.
_KILL_AFTER_S = STOP_TIMEOUT_S + 0.5

#: Enough for the ports of 65,536 games.
_MAX_REPORT_BYTES = 1024 * 1024

_COMMAND = [sys.executable, "-m", "netsecgame.game.hosting.worker"]


def deal(numbers: range, workers: int) -> list[range]:
    """The games of each worker: evenly, and neighbours together."""
    ends = [len(numbers) * i // workers for i in range(workers + 1)]
    return [numbers[begin:end] for begin, end in pairwise(ends)]


class WorkerPool:
    """Hosts the games of a plan in several processes.

    A worker that dies is reported with its games, and the others go on. None outlives this process:
    they stop when their standard input ends, which this process holds.
    """

    def __init__(self, plan: HostPlan, workers: int) -> None:
        """Note what to host.

        Args:
            plan: All games.
            workers: How many processes, at most one a game.
        """
        self._plan = plan
        self._shares = deal(plan.numbers, workers)
        self._workers: list[_Worker] = []
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Stop all games in order, which ends `run`."""
        self._stopping.set()

    async def run(self, on_ready: Callable[[dict[int, int]], object]) -> None:
        """Serve until SIGINT or SIGTERM, or until no worker is left; as `GameHost.run`."""
        stop_on_signals(self.stop)
        if self._plan.stops_with_stdin:
            stop_with_stdin(self.stop)
        stopping = asyncio.create_task(self._stopping.wait())
        serving = asyncio.create_task(self._serve(on_ready))
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (serving, stopping):
                task.cancel()
            await asyncio.wait({serving, stopping})
            killed = await asyncio.gather(*(worker.stop() for worker in self._workers))
        if any(killed):
            raise GamesError("not every worker stopped in time")
        if not serving.cancelled():
            serving.result()

    async def _serve(self, on_ready: Callable[[dict[int, int]], object]) -> None:
        config = ConfigurationManager(self._plan.task)
        await config.load()
        config.warn_of_goals_out_of_reach()
        plan = replace(self._plan, seed=config.choose_seed(self._plan.seed))
        for number, share in enumerate(self._shares):
            worker = await _Worker.start(replace(plan, numbers=share, worker=number))
            self._workers.append(worker)
        ports: dict[int, int] = {}
        for worker in self._workers:
            ports |= await worker.wait_until_ready()
        on_ready(ports)
        statuses = await asyncio.gather(*(worker.follow() for worker in self._workers))
        if EXIT_OK not in statuses:
            raise GamesError("all games have failed")


class _Worker:
    """A worker process.

    It has a session of its own, so that Ctrl-C in a terminal reaches the parent only, which then
    stops it in order.
    """

    def __init__(self, plan: HostPlan, process: asyncio.subprocess.Process) -> None:
        self._plan = plan
        self._process = process
        self._ports: dict[int, int] = {}

    @classmethod
    async def start(cls, plan: HostPlan) -> Self:
        """Start the process; does not wait for its games."""
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, stdin=PIPE, stdout=PIPE, start_new_session=True, limit=_MAX_REPORT_BYTES
        )
        assert process.stdin is not None
        process.stdin.write(pickle.dumps(plan))
        return cls(plan, process)

    async def wait_until_ready(self) -> dict[int, int]:
        """Where its games listen, by number, once they do.

        Raises:
            GamesError: If they cannot.
        """
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            await self._process.wait()
            raise GamesError(f"{self} {self._explain_end()} before its games could start")
        report = msgspec.json.decode(line, type=Report)
        if report.failure:
            raise GamesError(report.failure, await self._process.wait())
        self._ports = report.ports
        return report.ports

    async def follow(self) -> int:
        """Wait for its end and log it, as an error if it failed; returns the exit status."""
        status = await self._process.wait()
        level = logging.INFO if status == EXIT_OK else logging.ERROR
        logger.log(level, "%s %s; the other workers go on", self, self._explain_end())
        return status

    async def stop(self) -> bool:
        """End it: politely, then by force; harmless when it has ended.

        Returns:
            Whether it took force.
        """
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(_KILL_AFTER_S):
                await self._process.wait()
                return False
        except TimeoutError:
            logger.error("%s did not stop in time and is killed", self)  # noqa: TRY400
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            return True

    def _explain_end(self) -> str:
        status = self._process.returncode
        assert status is not None
        if status < 0:
            return f"was ended by {signal.Signals(-status).name}"
        return f"ended with exit status {status}"

    def __str__(self) -> str:
        plural = "s" if len(self._plan.numbers) > 1 else ""
        what = f"game{plural} {describe_numbers(self._plan.numbers)}"
        if self._ports:
            what += f", port{plural} {describe_numbers(self._ports.values())}"
        return f"worker {self._plan.worker} ({what})"
