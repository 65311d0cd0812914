"""A page of results as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.envs.evaluation.intervals import estimate_share
from netsecgame.envs.evaluation.reference import PUBLISHED_EPISODES, REFERENCES
from netsecgame.envs.evaluation.summary import METRICS, markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netsecgame.envs.evaluation.bench import Bench, Column, Row
    from netsecgame.envs.evaluation.intervals import Estimate
    from netsecgame.envs.evaluation.summary import Metric

_METRIC = {metric.name: metric for metric in METRICS}
_WIN_RATE = _METRIC["win_rate"]

_INTRODUCTION = """\
# Results

How attackers do on the shipped tasks, without and with the global defender. Where a task has none,
the default one is switched on. No defender agent plays. In brackets: 95 % intervals, Wilson's for
rates and Student's for means. [How it is measured](evaluating.md).
"""

_BESIDE = """\
## Beside the public game

Episodes won by the random attacker of the public project, and by the one here on the same tasks:
100 steps, control of the outside host and of one that is drawn, DatabaseData as the goal.
"""


def make_page(bench: Bench, about: Sequence[tuple[str, str]]) -> str:
    """The page.

    Args:
        bench: What was measured.
        about: How it was made: what, and its value.
    """
    watched = [row for row in bench.rows if row.global_defender]
    lines = [
        _INTRODUCTION,
        *markdown_table(("made", ""), about),
        "",
        "## Episodes won",
        "",
        *_table(bench.columns, bench.rows, _WIN_RATE),
        "",
        "## Return",
        "",
        *_table(bench.columns, bench.rows, _METRIC["return"]),
        "",
        "## Steps of an episode",
        "",
        *_table(bench.columns, bench.rows, _METRIC["steps"]),
        "",
        "## Episodes ended by the global defender",
        "",
        *_table(bench.columns, watched, _METRIC["detection_rate"]),
        "",
        _BESIDE,
        *_reference_table(bench),
    ]
    return "\n".join(lines) + "\n"


def _table(columns: Sequence[Column], rows: Iterable[Row], metric: Metric) -> list[str]:
    header = ("task", "global defender", *(column.title for column in columns))
    return markdown_table(
        header,
        [
            (
                row.task,
                _yes(is_so=row.global_defender),
                *(
                    _cell(metric, cell.episodes[metric.name] if cell else None)
                    for cell in row.cells
                ),
            )
            for row in rows
        ],
    )


def _reference_table(bench: Bench) -> list[str]:
    rows = []
    for reference, ours in zip(REFERENCES, bench.references, strict=True):
        theirs = estimate_share(reference.won, PUBLISHED_EPISODES)
        rows.append(
            (
                reference.scenario,
                _yes(is_so=reference.global_defender),
                _cell(_WIN_RATE, theirs),
                _cell(_WIN_RATE, ours.episodes["win_rate"]),
            )
        )
    episodes = sum(bench.references[0].end_reasons.values())
    theirs_title = f"public ({PUBLISHED_EPISODES} episodes)"
    header = ("scenario", "global defender", theirs_title, f"here ({episodes:,} episodes)")
    return markdown_table(header, rows)


def _cell(metric: Metric, estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    value = metric.describe_value(estimate.value)
    return f"{value} ({metric.describe_interval(estimate).removesuffix(' %')})"


def _yes(*, is_so: bool) -> str:
    return "yes" if is_so else "no"
