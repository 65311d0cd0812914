"""The statistics of a server as Prometheus reads them."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector

from netsecgame.errors import PortInUseError, RemoteConfigError
from netsecgame.remote.statistics import STEP_TIME_BOUNDS_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from netsecgame.remote.statistics import Statistics

_PREFIX = "netsecgame_remote"


class _StatisticsCollector(Collector):
    """Reads the statistics when Prometheus asks, so that steps pay nothing for it."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics

    def collect(self) -> Iterator[Metric]:
        counts = self._statistics
        yield GaugeMetricFamily(
            f"{_PREFIX}_environments", "Environments there are now.", counts.environments
        )
        yield CounterMetricFamily(
            f"{_PREFIX}_environments_ever",
            "Environments there have been.",
            counts.environments_ever,
        )
        yield _by_reason("errors", "Answers that were errors.", dict(counts.errors))
        yield _by_reason("refusals", "Environments asked for and not made.", dict(counts.refusals))
        yield self._step_times()

    def _step_times(self) -> Metric:
        total = 0
        buckets: list[tuple[str, float]] = []
        bounds = [f"{bound:g}" for bound in STEP_TIME_BOUNDS_S]
        for bound, count in zip([*bounds, "+Inf"], self._statistics.steps_by_time, strict=True):
            total += count
            buckets.append((bound, total))
        return HistogramMetricFamily(
            f"{_PREFIX}_step_seconds",
            "How long steps take, from request to answer.",
            buckets=buckets,
            sum_value=self._statistics.step_seconds,
        )


def _by_reason(name: str, text: str, counts: dict[str, int]) -> Metric:
    family = CounterMetricFamily(f"{_PREFIX}_{name}", text, labels=["reason"])
    for reason, count in sorted(counts.items()):
        family.add_metric([reason], count)
    return family


class MetricsServer:
    """Serves the statistics at ``http://<host>:<port>/metrics``, from a thread of its own.

    Attributes:
        port: Where.

    Args:
        statistics: What to serve.
        host: Where to listen.
        port: 0 is any.

    Raises:
        PortInUseError: If somebody listens there.
        RemoteConfigError: If nobody can.
    """

    def __init__(self, statistics: Statistics, host: str, port: int) -> None:
        registry = CollectorRegistry()
        registry.register(_StatisticsCollector(statistics))
        try:
            self._server, self._thread = start_http_server(port, addr=host, registry=registry)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUseError(f"{host}:{port}") from error
            raise RemoteConfigError(f"{host}:{port}: nobody can listen there ({error})") from error
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
