"""Who plays the episodes of an evaluation: processes that end with the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Protocol, Self

from netsecgame.envs.evaluation.episodes import EpisodePlayer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from multiprocessing.connection import Connection
    from types import TracebackType

    from netsecgame.envs.evaluation.episodes import Chunk, EpisodeRecord
    from netsecgame.envs.evaluation.plan import LoadedPlan, Plan

#: Chunks given out ahead, for each process; results are taken in order.
_AHEAD = 3

_EXIT_ABANDONED = 1

#: What may reach all processes of a terminal at once.
_GROUP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class WorkerLostError(Exception):
    """A worker ended before its work did."""


class ChunkPlayers(Protocol):
    """Whoever plays the chunks of plans."""

    def play(
        self, key: str, plan: Plan, chunks: Iterable[Chunk]
    ) -> Iterator[tuple[Chunk, list[EpisodeRecord]]]:
        """Play chunks of a plan; gives each with its episodes, once, in the order of the chunks.

        Args:
            key: Differs for whatever plays differently.
            plan: What to play.
            chunks: Which episodes of it.

        Raises:
            WorkerLostError: If a worker was lost, and nobody else plays in its place.
        """


class Workers:
    """Plays chunks of any plans; a context manager.

    Programs that use more than one process have to be importable: what starts them belongs under
    ``if __name__ == "__main__"``.
    """

    def __init__(self, jobs: int | None = None) -> None:
        """Start nothing yet.

        Args:
            jobs: How many processes play; 1 is this one, None as many as there are processors.
        """
        self._jobs = count_processors() if jobs is None else jobs
        self._pool: ProcessPoolExecutor | None = None
        self._lifeline: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._pool is None or self._lifeline is None:
            return
        if kind is not None:
            self._lifeline.close()  # nobody wants what is still being played
        self._pool.shutdown(cancel_futures=True)
        self._lifeline.close()

    def play(
        self, key: str, plan: Plan, chunks: Iterable[Chunk]
    ) -> Iterator[tuple[Chunk, list[EpisodeRecord]]]:
        """Play chunks of a plan: see `ChunkPlayers`.

        Raises:
            WorkerLostError: If a worker process was killed.
        """
        if self._jobs == 1:
            player = EpisodePlayer(plan.load())
            return ((chunk, player.play_chunk(chunk)) for chunk in chunks)
        return self._play_in_processes(key, plan, chunks)

    def _play_in_processes(
        self, key: str, plan: Plan, chunks: Iterable[Chunk]
    ) -> Iterator[tuple[Chunk, list[EpisodeRecord]]]:
        under_way: deque[tuple[Chunk, Future[list[EpisodeRecord]]]] = deque()
        try:
            for chunk in chunks:
                under_way.append((chunk, self._submit(key, plan, chunk)))
                if len(under_way) >= _AHEAD * self._jobs:
                    done, future = under_way.popleft()
                    yield done, future.result()
            while under_way:
                done, future = under_way.popleft()
                yield done, future.result()
        except BrokenProcessPool as error:
            assert self._lifeline is not None
            self._lifeline.close()  # the pool waits for the others, and signals do not reach them
            raise WorkerLostError("a worker process was ended from outside") from error

    def _submit(self, key: str, plan: Plan, chunk: Chunk) -> Future[list[EpisodeRecord]]:
        """Give a chunk out; that may start a process, for which signals stay blocked for ever.

        A Ctrl-C in a terminal reaches all processes: this one ends the others, which by themselves
        would only complain.
        """
        if self._pool is None:
            self._pool = self._start()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _GROUP_SIGNALS)
        try:
            return self._pool.submit(_play_chunk, key, plan, chunk)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _start(self) -> ProcessPoolExecutor:
        resource_tracker.ensure_running()  # starting it later would unblock the signals
        # A fresh interpreter each: a fork would copy locks of threads that numba or torch may have.
        context = multiprocessing.get_context("spawn")
        theirs, self._lifeline = context.Pipe(duplex=False)
        return ProcessPoolExecutor(self._jobs, context, _end_with, (theirs,))


def count_processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _end_with(lifeline: Connection) -> None:
    """Let this process end when nobody holds the other end of a pipe any more."""

    def watch() -> None:
        lifeline.poll(None)
        os._exit(_EXIT_ABANDONED)

    threading.Thread(target=watch, daemon=True).start()


#: The player used last, and the key of its plan.
_kept: list[tuple[str, EpisodePlayer]] = []


def _play_chunk(key: str, plan: Plan, chunk: Chunk) -> list[EpisodeRecord]:
    return play_chunk(key, plan.load, chunk)


def play_chunk(key: str, load: Callable[[], LoadedPlan], chunk: Chunk) -> list[EpisodeRecord]:
    """Play a chunk in this process, which keeps what it has loaded for the next one.

    Args:
        key: Differs for whatever plays differently.
        load: Gives what is played.
        chunk: Which episodes.
    """
    if not _kept or _kept[0][0] != key:
        _kept[:] = [(key, EpisodePlayer(load()))]
    return _kept[0][1].play_chunk(chunk)
