"""A server from its start to its stop, and streams from their start to their end."""

from __future__ import annotations

import asyncio
import signal
import socket
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest

from netsecgame.errors import PortInUseError, RemoteConfigError
from netsecgame.remote import certs, listening, messages
from netsecgame.remote.key_files import OpenKeyWarning
from netsecgame.remote.server import (
    RemoteEnvironmentServicer,
    RemoteServer,
    create_remote_environment_server,
    serve,
)
from netsecgame.remote.wire_schema import PROCESS
from tests.integration.remote.entrypoints.obedient import EXIT, GO, HANG
from tests.integration.remote.peer import Peer, creating, making_anew, status_of, stepping
from tests.integration.remote.relay import Relay
from tests.integration.remote.serving import serving_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.remote.conftest import Hosting

    WaitUntil = Callable[[Callable[[], object]], None]

MODES = ["process", "thread", "inline"]
ARGS = {"entrypoint": "obedient.py"}
DRAINING = ("UNAVAILABLE", "DRAINING")
STOPPED = ("UNAVAILABLE", "STOPPED")


# --- start ----------------------------------------------------------------------------------------


def test_start_port_0_reports_the_one_it_got(host: Hosting) -> None:
    one, two = host(), host()
    assert 0 < one.port != two.port
    assert one.address == f"127.0.0.1:{one.port}"
    assert one.security == "plaintext"


def test_start_taken_port_raises(host: Hosting) -> None:
    server = host()
    with pytest.raises(PortInUseError, match=str(server.port)) as caught:
        create_remote_environment_server(ARGS, "127.0.0.1", server.port, mode="inline")
    assert isinstance(caught.value, OSError)


def test_start_port_taken_by_another_program_raises_for_any_address_of_a_name(
    hosted: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(PortInUseError):
        create_remote_environment_server(ARGS, "localhost", other.getsockname()[1])


@pytest.mark.parametrize("url", ["no.such.host.invalid", "192.0.2.1"])
def test_start_address_of_nobody_raises(hosted: Path, url: str) -> None:
    with pytest.raises(RemoteConfigError, match=url):
        create_remote_environment_server(ARGS, url, 0, mode="inline")


def test_start_after_stop_on_the_same_port_works(host: Hosting) -> None:
    first = host()
    with Peer(first.port) as peer:
        peer.play()
        first.stop(0)

    with create_remote_environment_server(ARGS, "127.0.0.1", first.port, mode="inline") as second:
        assert second.port == first.port


def test_start_use_thread_is_mode_thread(hosted: Path) -> None:
    with create_remote_environment_server(ARGS, "127.0.0.1", 0, None, True) as server:
        assert server.options.mode == "thread"


def test_start_serve_is_another_name() -> None:
    assert serve is create_remote_environment_server


@pytest.mark.parametrize(
    ("args", "options", "error", "text"),
    [
        ({}, {}, RemoteConfigError, "entrypoint"),
        ({"entrypoint": "missing.py"}, {}, RemoteConfigError, "missing.py"),
        (ARGS, {"max_enviroments": 1}, TypeError, "did you mean 'max_environments'"),
        (ARGS, {"mode": "fast"}, RemoteConfigError, "mode"),
    ],
)
def test_start_bad_arguments_raise_before_it_listens(
    hosted: Path, args: Any, options: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        create_remote_environment_server(args, "127.0.0.1", 0, **options)


def test_start_options_from_file_and_environment_count(
    hosted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "server.toml"
    config.write_text('mode = "inline"\nmax_environments = 3\ndrain_s = 2\n', encoding="utf-8")
    monkeypatch.setenv("NSG_REMOTE_MAX_ENVIRONMENTS", "4")
    with create_remote_environment_server(ARGS, "127.0.0.1", 0, config=config, drain_s=1) as server:
        options = server.options
    assert (options.mode, options.max_environments, options.drain_s) == ("inline", 4, 1)


# --- certificates ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> certs.CertificateFolder:
    return certs.init(tmp_path_factory.mktemp("certificates"), ["127.0.0.1"])


@pytest.mark.parametrize(("mutual", "security"), [(False, "tls"), (True, "mtls")])
def test_credentials_of_a_server_let_its_clients_in(
    host: Hosting, made: certs.CertificateFolder, mutual: bool, security: str
) -> None:
    server = host("obedient.py", *made.server_paths(mutual=mutual))
    own = (made.client_key.read_bytes(), made.client.read_bytes()) if mutual else (None, None)
    credentials = grpc.ssl_channel_credentials(made.authority.read_bytes(), *own)
    with Peer(server.port, credentials) as peer:
        peer.play()

        assert server.security == security
        assert server.environments[0].identity == ("client" if mutual else None)


def test_credentials_mutual_client_without_certificate_kept_out(
    host: Hosting, made: certs.CertificateFolder
) -> None:
    server = host("obedient.py", *made.server_paths(mutual=True))
    with Peer(server.port, grpc.ssl_channel_credentials(made.authority.read_bytes())) as peer:
        assert peer.end().code() is grpc.StatusCode.UNAVAILABLE
    assert server.environments == []


@pytest.mark.parametrize("paths", [(), ("a", "b"), ("a", None, "c"), (None, "b", None), "abc"])
def test_credentials_of_another_form_raise(hosted: Path, paths: Any) -> None:
    with pytest.raises(ValueError, match="server_credentials_paths"):
        create_remote_environment_server(ARGS, "127.0.0.1", 0, paths)


def test_credentials_missing_file_raises(hosted: Path, made: certs.CertificateFolder) -> None:
    with pytest.raises(FileNotFoundError):
        create_remote_environment_server(ARGS, "127.0.0.1", 0, (made.server, "missing.pem", None))


def test_credentials_that_do_not_fit_raise(hosted: Path, made: certs.CertificateFolder) -> None:
    for paths in [
        (made.server, made.client_key, None),
        (made.server_key, made.server, None),
        (made.server, made.server_key, made.server_key),
    ]:
        with pytest.raises(RemoteConfigError, match="PEM"):
            create_remote_environment_server(ARGS, "127.0.0.1", 0, paths)


def test_credentials_key_others_can_read_warns(
    hosted: Path, made: certs.CertificateFolder, tmp_path: Path
) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(made.server_key.read_bytes())
    key.chmod(stat.S_IRUSR | stat.S_IROTH)
    with pytest.warns(OpenKeyWarning):
        RemoteServer(ARGS, "127.0.0.1", 0, (made.server, key, None), mode="inline")


# --- streams --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("says_goodbye", [True, False])
def test_stream_ends_environment_is_closed_and_number_free(
    host: Hosting, tmp_path: Path, wait_until: WaitUntil, mode: str, says_goodbye: bool
) -> None:
    server = host(mode=mode)
    closed = tmp_path / "closed"
    with Peer(server.port) as peer:
        peer.play(closed=str(closed))
        if says_goodbye:
            peer.finish()
            assert server.environments == []
    wait_until(lambda: server.environments == [])
    assert closed.read_text(encoding="utf-8") == "0\n"


def test_stream_dropped_in_a_step_number_is_free(
    host: Hosting, tmp_path: Path, wait_until: WaitUntil
) -> None:
    server = host(mode="process")
    with Peer(server.port) as peer:
        peer.play(hangs=str(tmp_path / "hangs"))
        peer.send(stepping(HANG))
        wait_until((tmp_path / "hangs").exists)
    wait_until(lambda: server.environments == [])


def test_stream_client_unreachable_number_is_free(
    host: Hosting, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "_PING_TIMEOUT_S", 1)
    server = host(keepalive_s=1)
    with Relay(server.port) as relay, Peer(relay.port) as peer:
        peer.play()
        # gRPC has pings of its own after data; the one that is meant here comes when all is quiet.
        wait_until(lambda: time.monotonic() - relay.passed_at > 0.3)
        relay.is_silent = True
        wait_until(lambda: server.environments == [])


def test_stream_close_hangs_others_go_on_and_number_is_free_at_last(host: Hosting) -> None:
    server = host(mode="process")
    with Peer(server.port) as peer, Peer(server.port) as other:
        peer.play(hang_in="close")
        other.play()
        with ThreadPoolExecutor(1) as pool:
            finishing = pool.submit(peer.finish)
            assert other.step(GO)[2] == 1
            assert [each.env_id for each in server.environments] == [0, 1]
            finishing.result()
        assert [each.env_id for each in server.environments] == [1]


def test_stream_world_left_is_kept_and_can_be_joined_again(host: Hosting) -> None:
    with Peer(host().port) as peer:
        first = peer.play()
        peer.take(messages.leave_world())
        peer.join()

        assert peer.step(GO)[:2] == [first[0], first[1] + 1]


def test_stream_states_follow_its_world(
    host: Hosting, tmp_path: Path, wait_until: WaitUntil
) -> None:
    server = host(mode="process", create_timeout_s=0.5)

    def state() -> str:
        (environment,) = server.environments
        return environment.state

    hangs = tmp_path / "hangs"
    with Peer(server.port) as peer:
        peer.send(creating(hang_in="constructor", hangs=str(hangs)))
        wait_until(hangs.exists)
        assert state() == "making"
        assert server.environments[0].created_at == 0
        peer.receive()

        peer.create()
        assert state() == "made"
        assert 0 < server.environments[0].created_at <= time.time()
        peer.join()
        assert state() == "joined"
        peer.step(GO)
        peer.refuse(stepping(EXIT))
        assert state() == "gone"
        peer.take(messages.leave_world())
        peer.take(messages.destroy_world(peer.world_name))
        peer.create()
        assert server.environments[0].steps == 0


def test_stream_world_destroyed_another_can_be_made(host: Hosting, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    server = host()
    with Peer(server.port) as peer:
        peer.create(closed=str(closed))
        peer.take(messages.destroy_world(peer.world_name))

        assert closed.read_text(encoding="utf-8") == "0\n"
        assert server.environments == []
        assert peer.play()[0] == 0


@pytest.mark.parametrize("mode", MODES)
def test_stream_world_reset_is_made_anew_under_its_number(
    host: Hosting, tmp_path: Path, mode: str
) -> None:
    closed = tmp_path / "closed"
    with Peer(host(mode=mode).port) as other, Peer(host(mode=mode).port) as peer:
        other.play()
        first = peer.play(closed=str(closed))
        peer.step(GO)

        peer.take(making_anew(peer.world_name))

        again = peer.step(GO)
        assert again[:3] == first[:3]
        assert (again[3] != first[3]) is (mode == "process")
        assert closed.read_text(encoding="utf-8") == f"{first[0]}\n"


# --- stop -----------------------------------------------------------------------------------------


def _wait_for_drain(port: int) -> None:
    """Wait until a server takes no new streams."""
    while True:
        with Peer(port) as probe:
            probe.send(messages.leave_world())
            end = probe.end_or_answer()
        if isinstance(end, grpc.RpcError):
            assert status_of(end) == DRAINING
            return


def test_stop_running_stream_goes_on_and_new_ones_are_refused(
    host: Hosting, wait_until: WaitUntil
) -> None:
    server = host()
    with Peer(server.port) as peer, Peer(server.port) as idle, ThreadPoolExecutor(1) as pool:
        peer.play()
        idle.take(messages.leave_world())
        stopping = pool.submit(server.stop, 60)
        _wait_for_drain(server.port)

        idle.send(creating())
        assert status_of(idle.end()) == DRAINING
        assert peer.step(GO)[2] == 1
        assert server.wait_for_termination(0) is True

        peer.finish()
        stopping.result(30)
        assert server.wait_for_termination(0) is False


@pytest.mark.parametrize("mode", MODES)
def test_stop_after_the_grace_ends_streams_and_closes_environments(
    host: Hosting, tmp_path: Path, mode: str
) -> None:
    closed = tmp_path / "closed"
    server = host(mode=mode, drain_s=0.1)
    with Peer(server.port) as peer:
        peer.play(closed=str(closed))

        server.stop()

        assert status_of(peer.end()) == STOPPED
        assert closed.read_text(encoding="utf-8") == "0\n"
        assert server.environments == []


def test_stop_second_call_shortens_the_grace(host: Hosting) -> None:
    server = host()
    with Peer(server.port) as peer, ThreadPoolExecutor(1) as pool:
        peer.play()
        stopping = pool.submit(server.stop, 3_600)
        _wait_for_drain(server.port)

        server.stop(0)

        stopping.result(30)
        assert status_of(peer.end()) == STOPPED


def test_stop_twice_and_before_start_is_fine(hosted: Path) -> None:
    server = RemoteServer(ARGS, "127.0.0.1", 0, mode="inline")
    server.stop()
    server.start()
    server.stop()
    server.stop()


def test_stop_in_a_step_ends_it(host: Hosting, tmp_path: Path, wait_until: WaitUntil) -> None:
    server = host(mode="process")
    with Peer(server.port) as peer:
        peer.play(hangs=str(tmp_path / "hangs"))
        peer.send(stepping(HANG))
        wait_until((tmp_path / "hangs").exists)

        server.stop(0)

        assert status_of(peer.end()) == STOPPED


@pytest.mark.parametrize("mode", MODES)
def test_sigterm_drains_and_exits_0(hosted: Path, mode: str) -> None:
    with serving_process(hosted, mode=mode, drain_s=60) as server, Peer(server.port) as peer:
        peer.play()
        server.process.send_signal(signal.SIGTERM)
        _wait_for_drain(server.port)
        assert peer.step(GO)[2] == 1
        peer.finish()
        assert server.wait() == 0


def test_second_signal_stops_at_once(hosted: Path) -> None:
    with (
        serving_process(hosted, mode="process", drain_s=3_600) as server,
        Peer(server.port) as peer,
    ):
        peer.play()
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGINT)
        assert status_of(peer.end()) == STOPPED
        assert server.wait() == 0


def test_program_that_does_not_stop_its_server_ends(hosted: Path) -> None:
    program = (
        "from netsecgame.remote.server import create_remote_environment_server as serve\n"
        "server = serve({'entrypoint': 'obedient.py'}, '127.0.0.1', 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=hosted,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# --- in the caller's event loop -------------------------------------------------------------------


async def _play(port: int) -> tuple[int, int]:
    """Play with the asyncio client of gRPC, in this event loop."""
    channel: Any  # its types are not known well to checkers
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.stream_stream(PROCESS)(timeout=30)

        async def ask(request: bytes) -> Any:
            await call.write(request)
            return messages.parse_response(await call.read())

        name = (await ask(creating())).create_world.world_name
        await ask(messages.join_world(name, {}))
        response = await ask(stepping(GO))
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF  # type: ignore[attr-defined]
        return int(name.partition(":")[2]), response.step.state


@pytest.mark.both_loops
@pytest.mark.parametrize("mode", MODES)
async def test_astart_serves_in_the_running_loop(hosted: Path, mode: str) -> None:
    server = RemoteServer(ARGS, "127.0.0.1", 0, mode=mode)
    await server.astart()
    try:
        assert await _play(server.port) == (0, 1)
        assert await _play(server.port) == (0, 1)
    finally:
        await server.astop(0)
    assert server.wait_for_termination(0) is False


async def test_astop_waits_for_streams(hosted: Path) -> None:
    server = RemoteServer(ARGS, "127.0.0.1", 0, mode="inline", drain_s=60)
    await server.astart()
    peer = await asyncio.to_thread(Peer, server.port)
    await asyncio.to_thread(peer.play)
    stopping = asyncio.create_task(server.astop())
    await asyncio.to_thread(peer.step, GO)
    assert not stopping.done()
    await asyncio.to_thread(peer.finish)
    await stopping


async def test_servicer_in_a_server_of_the_caller_plays(hosted: Path) -> None:
    servicer = RemoteEnvironmentServicer(ARGS, mode="process")
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((servicer,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        assert await _play(port) == (0, 1)
        assert servicer.stats()["environments_ever"] == 1
        assert servicer.environments == []
    finally:
        await servicer.close()
        await server.stop(None)
