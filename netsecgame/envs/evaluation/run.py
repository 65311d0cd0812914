"""Plays what is missing of an evaluation and sums up what there is."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from netsecgame.envs.evaluation.episodes import Chunk, EpisodePlayer
from netsecgame.envs.evaluation.results import ResultsFolder
from netsecgame.envs.evaluation.summary import Summary
from netsecgame.envs.evaluation.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from netsecgame.envs.evaluation.episodes import EpisodeRecord
    from netsecgame.envs.evaluation.plan import Plan
    from netsecgame.envs.evaluation.workers import ChunkPlayers

SUMMARY_JSON, SUMMARY_MARKDOWN = "summary.json", "summary.md"

#: Episodes written at once; at most so many are lost for each process when it is killed.
EPISODES_PER_CHUNK = 25


class Progress(NamedTuple):
    """How far an evaluation is.

    Attributes:
        total: Episodes in all.
        played: Episodes on the disk.
        won: How many of those the attacker won.
    """

    total: int
    played: int = 0
    won: int = 0

    def after(self, records: Sequence[EpisodeRecord]) -> Progress:
        """With those on the disk, too."""
        won = sum(record.won for record in records)
        return Progress(self.total, self.played + len(records), self.won + won)


def evaluate(
    plan: Plan,
    folder: str | Path,
    *,
    workers: ChunkPlayers | None = None,
    on_progress: Callable[[Progress], object] = lambda _: None,
) -> Summary:
    """Play all episodes of a plan that the folder does not have yet; gives what came of all.

    The same plan gives the same files, whoever plays which episodes, and however often it was
    stopped.

    Args:
        plan: What to play.
        folder: Where the results go, or are already.
        workers: Who plays: `Workers`, those of `netsecgame.conductor`, or None for this process.
        on_progress: Called when playing begins and whenever episodes have been written; not at all
            if everything is there.

    Raises:
        ConfigurationError: If the plan cannot be played, or the folder is another plan's.
        RoleNotAvailableError: If the task has no defender and there should be one.
        WorkerLostError: If a worker was lost; what was played before is kept.
    """
    loaded = plan.load()
    spec = loaded.spec
    results = ResultsFolder(folder, plan.configuration(spec))
    records = [results.read(seed) for seed in range(plan.seeds)]
    if sum(map(len, records)) == plan.total and (results.path / SUMMARY_JSON).exists():
        return Summary.of(results.configuration, records)
    EpisodePlayer(loaded)  # what is wrong with it is told here and not by a worker
    with results.writing():
        for seed in range(plan.seeds):
            results.drop_cut_line(seed)
        records = [results.read(seed) for seed in range(plan.seeds)]
        progress = Progress(plan.total).after(list(chain.from_iterable(records)))
        on_progress(progress)
        chunks = list(_missing(plan, records))
        for chunk, played in (workers or Workers(1)).play(plan.digest(spec), plan, chunks):
            results.append(chunk.seed, played)
            records[chunk.seed] += played
            progress = progress.after(played)
            on_progress(progress)
        summary = Summary.of(results.configuration, records)
        results.write_text(SUMMARY_MARKDOWN, summary.as_markdown())
        results.write_text(SUMMARY_JSON, json.dumps(summary.as_dict(), indent=2) + "\n")
    return summary


def _missing(plan: Plan, records: list[list[EpisodeRecord]]) -> Iterator[Chunk]:
    for seed, played in enumerate(records):
        for first in range(len(played), plan.episodes, EPISODES_PER_CHUNK):
            yield Chunk(seed, range(first, min(first + EPISODES_PER_CHUNK, plan.episodes)))
