"""What others see of a server: health, reflection, statistics, metrics."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.request import urlopen

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from netsecgame.errors import PortInUseError
from netsecgame.remote import messages
from netsecgame.remote.statistics import STEP_TIME_BOUNDS_S, Statistics
from netsecgame.remote.wire_schema import SERVICE
from tests.integration.remote.entrypoints.obedient import GO, RAISE
from tests.integration.remote.peer import Peer, creating, stepping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.remote.conftest import Hosting

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def channel_to() -> Iterator[list[grpc.Channel]]:
    """Channels that are closed with the test."""
    channels: list[grpc.Channel] = []
    yield channels
    for each in channels:
        each.close()


def _open(channels: list[grpc.Channel], port: int) -> grpc.Channel:
    channels.append(
        grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.use_local_subchannel_pool", 1)])
    )
    return channels[-1]


def _ask(stub: health_pb2_grpc.HealthStub, service: str) -> int:
    return int(stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status)


@pytest.mark.parametrize("service", ["", SERVICE])
def test_health_serving_until_it_drains(
    host: Hosting, channel_to: list[grpc.Channel], service: str
) -> None:
    server = host()
    stub = health_pb2_grpc.HealthStub(_open(channel_to, server.port))
    assert _ask(stub, service) == _SERVING
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=service), timeout=30)
    assert next(watch).status == _SERVING
    with Peer(server.port) as peer:
        peer.play()

        with ThreadPoolExecutor(1) as pool:
            stopping = pool.submit(server.stop, 30)
            assert next(watch).status == _NOT_SERVING
            assert _ask(stub, service) == _NOT_SERVING
            watch.cancel()
            peer.finish()
            stopping.result(30)


def test_health_unknown_service_not_found(host: Hosting, channel_to: list[grpc.Channel]) -> None:
    stub = health_pb2_grpc.HealthStub(_open(channel_to, host().port))
    with pytest.raises(grpc.RpcError) as caught:
        _ask(stub, "nothing")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_reflection_asked_for_describes_the_messages(
    host: Hosting, channel_to: list[grpc.Channel]
) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(_open(channel_to, host(reflection=True).port))
    request = reflection_pb2.ServerReflectionRequest
    answers = stub.ServerReflectionInfo(
        iter([request(list_services=""), request(file_containing_symbol=SERVICE)]), timeout=10
    )

    names = [each.name for each in next(answers).list_services_response.service]
    found = next(answers).file_descriptor_response.file_descriptor_proto

    assert SERVICE in names
    assert "grpc.health.v1.Health" in names
    files = [descriptor_pb2.FileDescriptorProto.FromString(each) for each in found]
    assert "EnvironmentRequest" in [each.name for file in files for each in file.message_type]


def test_reflection_not_asked_for_unimplemented(
    host: Hosting, channel_to: list[grpc.Channel]
) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(_open(channel_to, host().port))
    request = reflection_pb2.ServerReflectionRequest(list_services="")

    with pytest.raises(grpc.RpcError) as caught:
        next(stub.ServerReflectionInfo(iter([request]), timeout=10))
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("mode", ["process", "thread", "inline"])
def test_stats_count_what_happened(host: Hosting, mode: str) -> None:
    server = host(mode=mode)
    assert server.stats()["step_time_s"]["mean"] is None
    with Peer(server.port) as peer, Peer(server.port) as other:
        peer.play()
        peer.step(GO)
        peer.refuse(stepping(RAISE))
        other.refuse(creating(raise_in="constructor"))
        other.refuse(messages.reset({}))

        stats = server.stats()
        (environment,) = server.environments

    assert (stats["environments"], stats["environments_ever"], stats["steps"]) == (1, 1, 3)
    assert stats["errors"] == {"ENV_RAISED": 2, "BAD_STATE": 1}
    assert stats["refusals"] == {"ENV_RAISED": 1}
    assert 0 < stats["step_time_s"]["mean"] <= stats["step_time_s"]["p99"]
    assert (environment.env_id, environment.steps, environment.state) == (0, 3, "joined")
    assert environment.entrypoint == "obedient.py"


def test_statistics_quantiles_are_bounds_of_classes() -> None:
    statistics = Statistics()
    for _ in range(98):
        statistics.count_step(0.000_015)
    statistics.count_step(0.003)
    statistics.count_step(1_000)

    times = statistics.report()["step_time_s"]

    assert times["p50"] == times["p90"] == pytest.approx(20e-6)
    assert times["p99"] == pytest.approx(0.005)
    assert times["mean"] == pytest.approx(1_000.00447 / 100)
    assert STEP_TIME_BOUNDS_S[0] == pytest.approx(10e-6)


def test_metrics_port_serves_prometheus_text(host: Hosting) -> None:
    server = host(metrics_port=0)
    with Peer(server.port) as peer:
        peer.play()
        peer.refuse(stepping(99))

        with urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=10) as page:
            lines = page.read().decode().splitlines()

    assert "netsecgame_remote_environments 1.0" in lines
    assert "netsecgame_remote_environments_ever_total 1.0" in lines
    assert 'netsecgame_remote_errors_total{reason="BAD_ACTION"} 1.0' in lines
    assert "netsecgame_remote_step_seconds_count 2.0" in lines
    assert 'netsecgame_remote_step_seconds_bucket{le="+Inf"} 2.0' in lines


def test_metrics_port_taken_raises_and_nobody_listens(host: Hosting) -> None:
    taken = host(metrics_port=0)

    with pytest.raises(PortInUseError, match=str(taken.metrics_port)):
        host(metrics_port=taken.metrics_port)


def test_metrics_port_not_asked_for_is_none(host: Hosting) -> None:
    assert host().metrics_port is None
