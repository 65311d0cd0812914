"""Plays the episodes of an evaluation on the machines of a Ray cluster.

A chunk of episodes is one task of Ray. Its result is taken once, whoever played it and however
often: when a machine is lost, Ray gives its tasks to the others, and the same seeds play the same
episodes.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import ray
from ray.exceptions import RayError, RayTaskError

from netsecgame import __version__
from netsecgame.envs.evaluation.workers import WorkerLostError, play_chunk
from netsecgame.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netsecgame.envs.evaluation.episodes import Chunk, EpisodeRecord
    from netsecgame.envs.evaluation.plan import LoadedPlan, Plan

#: How often a chunk may be lost with the machine that plays it.
MAX_LOSSES = 10

#: Chunks given out ahead, for each processor of the cluster; results are taken in order.
_AHEAD = 3


class RayWorkers:
    """Plays chunks of any plans, wherever there are processors: see `open_cluster`.

    All machines need the same version of this package; they need none of the files of a plan.
    Machines may come and go while it plays.
    """

    def play(
        self, key: str, plan: Plan, chunks: Iterable[Chunk]
    ) -> Iterator[tuple[Chunk, list[EpisodeRecord]]]:
        """Play chunks of a plan: see `ChunkPlayers`.

        Raises:
            WorkerLostError: If a chunk was lost more than `MAX_LOSSES` times, or the cluster was.
            ConfigurationError: If a machine of the cluster cannot play.
        """
        loaded = ray.put(plan.load())
        task = ray.remote(_play_chunk).options(
            num_cpus=1, max_retries=MAX_LOSSES, scheduling_strategy="SPREAD"
        )
        under_way: deque[tuple[Chunk, ray.ObjectRef[list[EpisodeRecord]]]] = deque()
        for chunk in chunks:
            # Inside a list it stays a reference: who has it already need not fetch it.
            under_way.append((chunk, task.remote(__version__, key, [loaded], chunk)))
            while len(under_way) >= _AHEAD * _count_processors():
                yield _take(*under_way.popleft())
        while under_way:
            yield _take(*under_way.popleft())


def _take(
    chunk: Chunk, result: ray.ObjectRef[list[EpisodeRecord]]
) -> tuple[Chunk, list[EpisodeRecord]]:
    try:
        return chunk, ray.get(result)
    except RayTaskError as error:
        reason = f"a machine of the cluster cannot play: {error.cause!r}"
        raise ConfigurationError(reason, path="ray-address") from error
    except RayError as error:
        reason = " ".join(str(error).split())
        raise WorkerLostError(f"the cluster lost what it played: {reason}") from error


def _count_processors() -> int:
    """Those of the cluster as it is now; one at least, which is still to come."""
    return max(1, int(ray.cluster_resources().get("CPU", 0)))


def _play_chunk(
    version: str, key: str, loaded: list[ray.ObjectRef[LoadedPlan]], chunk: Chunk
) -> list[EpisodeRecord]:
    """What a machine of the cluster does."""
    if version != __version__:
        raise ConfigurationError(f"expected netsecgame {version}, this machine has {__version__}")
    return play_chunk(key, lambda: ray.get(loaded[0]), chunk)
