"""What came of an evaluation: shares and means with their 95 % intervals."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from netsecgame.envs.evaluation.intervals import Estimate, estimate_mean, estimate_share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netsecgame.envs.evaluation.episodes import EpisodeRecord


class Metric(NamedTuple):
    """Something measured in every episode.

    Attributes:
        name: As `summary.json` has it.
        field: Of an `EpisodeRecord`.
        is_share: Whether it is yes or no.
    """

    name: str
    field: str
    is_share: bool = False

    def of(self, record: EpisodeRecord) -> float:
        """Its value in an episode."""
        return float(getattr(record, self.field))

    def estimate(self, records: Sequence[EpisodeRecord]) -> Estimate:
        """Its mean over some episodes."""
        values = [self.of(record) for record in records]
        return (
            estimate_share(round(sum(values)), len(values))
            if self.is_share
            else (estimate_mean(values))
        )

    def describe_value(self, value: float) -> str:
        """A value as people read it."""
        return f"{value:.1%}".replace("%", " %") if self.is_share else f"{value:.2f}"

    def describe_interval(self, estimate: Estimate) -> str:
        """An interval as people read it; a dash if there is none."""
        if estimate.low is None or estimate.high is None:
            return "-"
        low, high = self.describe_value(estimate.low), self.describe_value(estimate.high)
        return f"{low.removesuffix(' %')} to {high}"


#: In the order in which they are shown.
METRICS = (
    Metric("win_rate", "won", is_share=True),
    Metric("return", "total_reward"),
    Metric("steps", "steps"),
    Metric("detection_rate", "detected", is_share=True),
    Metric("false_positives", "false_positives"),
)


@dataclass(frozen=True)
class Summary:
    """The figures of an evaluation.

    Attributes:
        configuration: What was played.
        episodes: By metric, over the episodes of all seeds.
        seeds: By metric, over the means of the seeds; how far the figures of one seed can be
            trusted.
        by_seed: By seed and metric, over its episodes.
        end_reasons: How often each ended an episode.
    """

    configuration: Mapping[str, Any]
    episodes: Mapping[str, Estimate]
    seeds: Mapping[str, Estimate]
    by_seed: Sequence[Mapping[str, Estimate]]
    end_reasons: Mapping[str, int]

    @classmethod
    def of(
        cls, configuration: Mapping[str, Any], records: Sequence[Sequence[EpisodeRecord]]
    ) -> Self:
        """The figures of the episodes of each seed, of which there is at least one."""
        everything = [record for of_seed in records for record in of_seed]
        by_seed = [{m.name: m.estimate(of_seed) for m in METRICS} for of_seed in records]
        return cls(
            configuration,
            {metric.name: metric.estimate(everything) for metric in METRICS},
            {
                metric.name: _within(metric, estimate_mean([e[metric.name].value for e in by_seed]))
                for metric in METRICS
            },
            by_seed,
            dict(sorted(Counter(record.end_reason for record in everything).items())),
        )

    @property
    def title(self) -> str:
        """Who played what, e.g. ``random against nobody on two_networks_small``."""
        settings = self.configuration
        defender = "nobody" if settings["defender"] == "none" else settings["defender"]
        return f"{settings['agent']} against {defender} on {settings['task']}"

    def rows(self) -> list[tuple[str, str, str, str]]:
        """A table's rows: metric, value, its interval, and that of the seeds' means."""
        return [
            (
                metric.name.replace("_", " "),
                metric.describe_value(self.episodes[metric.name].value),
                metric.describe_interval(self.episodes[metric.name]),
                metric.describe_interval(self.seeds[metric.name]),
            )
            for metric in METRICS
        ]

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return {
            "configuration": dict(self.configuration),
            "episodes": _plain(self.episodes),
            "seeds": _plain(self.seeds),
            "by_seed": [_plain(estimates) for estimates in self.by_seed],
            "end_reasons": dict(self.end_reasons),
        }

    def as_markdown(self) -> str:
        """All of it for people."""
        lines = [f"# {self.title}", ""]
        lines += markdown_table(
            ("setting", "value"), [(k, str(v)) for k, v in self.configuration.items()]
        )
        lines += ["", "95 % intervals: Wilson's for rates, Student's for means.", ""]
        header = ("metric", "value", "over episodes", "over the means of seeds")
        lines += [*markdown_table(header, self.rows()), ""]
        header_by_seed = ("seed", *(metric.name.replace("_", " ") for metric in METRICS))
        by_seed = [
            (str(seed), *(m.describe_value(estimates[m.name].value) for m in METRICS))
            for seed, estimates in enumerate(self.by_seed)
        ]
        lines += [*markdown_table(header_by_seed, by_seed), ""]
        reasons = [(reason, str(count)) for reason, count in self.end_reasons.items()]
        lines += markdown_table(("end", "episodes"), reasons)
        return "\n".join(lines) + "\n"


def _within(metric: Metric, estimate: Estimate) -> Estimate:
    """A share's interval ends at 0 and 1; Student's does not know."""
    value, low, high = estimate
    if not metric.is_share or low is None or high is None:
        return estimate
    return Estimate(value, max(low, 0.0), min(high, 1.0))


def _plain(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, float | None]]:
    return {name: estimate._asdict() for name, estimate in estimates.items()}


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    cells = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(row)} |" for row in cells]
