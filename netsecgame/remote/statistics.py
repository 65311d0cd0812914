"""What a server has done: environments, steps, errors, refusals, and how long steps take."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Any, Final

#: Upper bounds of the classes of step times, in seconds: the series 1, 2, 5 from 10 µs to 100 s.
STEP_TIME_BOUNDS_S: Final = (
    *(digit * 10.0**exponent for exponent in range(-5, 2) for digit in (1, 2, 5)),
    100.0,
)

_QUANTILES: Final = (0.5, 0.9, 0.99)


class Statistics:
    """Counts. Written in the event loop of the server, read by anybody.

    Attributes:
        environments: How many there are now; a vector is as many as it holds.
        environments_ever: How many there have been.
        steps: How many requests for a step were answered, errors among the answers.
        step_seconds: How long these took in all.
        steps_by_time: How many fell into each class of `STEP_TIME_BOUNDS_S`; the last is slower.
        errors: Answers that were errors, by reason.
        refusals: Environments that were asked for and not made, by reason.
    """

    def __init__(self) -> None:
        self.environments = 0
        self.environments_ever = 0
        self.steps = 0
        self.step_seconds = 0.0
        self.steps_by_time = [0] * (len(STEP_TIME_BOUNDS_S) + 1)
        self.errors: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()

    def count_step(self, seconds: float) -> None:
        """Count a step that took so long."""
        self.steps += 1
        self.step_seconds += seconds
        self.steps_by_time[bisect_left(STEP_TIME_BOUNDS_S, seconds)] += 1

    def report(self) -> dict[str, Any]:
        """All of it, as JSON can carry it; times in seconds, None before the first step."""
        steps = self.steps
        return {
            "environments": self.environments,
            "environments_ever": self.environments_ever,
            "steps": steps,
            "errors": dict(self.errors),
            "refusals": dict(self.refusals),
            "step_time_s": {
                "mean": self.step_seconds / steps if steps else None,
                **{f"p{round(100 * share)}": self._quantile(share) for share in _QUANTILES},
            },
        }

    def _quantile(self, share: float) -> float | None:
        """The upper bound of the class in which a quantile lies."""
        counts = list(self.steps_by_time)
        left = share * sum(counts)
        if not left:
            return None
        for bound, count in zip(STEP_TIME_BOUNDS_S, counts, strict=False):
            left -= count
            if left <= 0:
                return bound
        return STEP_TIME_BOUNDS_S[-1]
