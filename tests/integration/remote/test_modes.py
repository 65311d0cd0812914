"""Where environments run: in processes, in threads, in the event loop."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import psutil
import pytest

from netsecgame.remote import launching, messages
from netsecgame.remote.reports import Reason, read_error
from tests.integration.remote.entrypoints.obedient import (
    EXIT,
    GO,
    HANG,
    REFUSE_TO_END,
    START_HELPER,
)
from tests.integration.remote.peer import Peer, stepping
from tests.integration.remote.serving import serving_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.remote.conftest import Hosting

    WaitUntil = Callable[[Callable[[], object]], None]

MODES = ["process", "thread", "inline"]


def _is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _forkserver() -> psutil.Process:
    """The one of this process."""
    (found,) = [
        each for each in psutil.Process().children() if "forkserver" in " ".join(each.cmdline())
    ]
    return found


@pytest.fixture(params=["asyncio", "uvloop"])
def event_loop_of_servers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs a test with servers on each of the event loops that there may be."""
    if request.param == "asyncio":
        monkeypatch.setitem(sys.modules, "uvloop", None)
    else:
        pytest.importorskip("uvloop")


@pytest.mark.usefixtures("event_loop_of_servers")
@pytest.mark.parametrize("mode", MODES)
def test_mode_two_environments_are_independent(host: Hosting, mode: str) -> None:
    server = host(mode=mode)
    with Peer(server.port) as one, Peer(server.port) as two:
        first = one.play()
        second = two.play()
        assert one.step(GO)[2] == 1

        assert two.step(GO)[:3] == [1, 1, 1]
        assert one.step(GO)[:3] == [0, 1, 2]
        pids = {os.getpid(), first[3], second[3]}
        assert len(pids) == (3 if mode == "process" else 1)


@pytest.mark.usefixtures("event_loop_of_servers")
@pytest.mark.parametrize("mode", MODES)
def test_mode_hundred_connects_in_a_row_from_inside_reuse_one_number(
    host: Hosting, mode: str
) -> None:
    server = host(mode=mode)
    for _ in range(100):
        with Peer(server.port) as peer:
            assert peer.play()[0] == 0
            peer.take(messages.leave_world())
            peer.finish()
    assert server.stats()["environments_ever"] == 100
    assert server.stats()["environments"] == 0


@pytest.mark.parametrize("mode", MODES)
def test_mode_hundred_connects_in_a_row_from_outside_reuse_one_number(
    hosted: Path, mode: str
) -> None:
    with serving_process(hosted, mode=mode) as server:
        for _ in range(100):
            with Peer(server.port) as peer:
                assert peer.play()[0] == 0
                peer.finish()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, 2, 16])
def test_mode_clients_at_once_have_numbers_of_their_own(
    host: Hosting, mode: str, count: int
) -> None:
    server = host(mode=mode)

    def play(_: int) -> tuple[int, int]:
        with Peer(server.port) as peer:
            env_id = peer.play()[0]
            for steps in range(1, 20):
                assert peer.step(GO)[:3] == [env_id, 1, steps]
            return env_id, all_play.wait()

    all_play = Barrier(count, timeout=60)
    with ThreadPoolExecutor(count) as pool:
        numbers = [env_id for env_id, _ in pool.map(play, range(count))]
    assert sorted(numbers) == list(range(count))


@pytest.mark.parametrize("prestart", [0, 3])
def test_prestart_processes_are_ready_before_they_are_needed(
    host: Hosting, prestart: int, wait_until: WaitUntil
) -> None:
    host(mode="process", prestart=0)  # from now on there is a forkserver
    others = len(_forkserver().children())

    def count() -> int:
        return len(_forkserver().children()) - others

    server = host(mode="process", prestart=prestart)

    wait_until(lambda: count() == prestart)
    with Peer(server.port) as peer:
        peer.play()
        wait_until(lambda: count() == prestart + 1)
        peer.finish()
    wait_until(lambda: count() == prestart)
    server.stop(0)
    assert count() == 0


def test_process_draws_numbers_of_its_own(host: Hosting, tmp_path: Path) -> None:
    draws = tmp_path / "draws"
    server = host(mode="process")
    with Peer(server.port) as one, Peer(server.port) as two:
        one.create(draws=str(draws))
        two.create(draws=str(draws))

    first, second = draws.read_text(encoding="utf-8").splitlines()
    assert first != second


def test_process_works_in_the_servers_folder_others_do_not_change_it(
    host: Hosting, hosted: Path
) -> None:
    with Peer(host(mode="process").port) as peer:
        pid = peer.play()[3]

        assert psutil.Process(pid).cwd() == str(hosted)


def test_process_that_started_another_takes_it_along(host: Hosting, wait_until: WaitUntil) -> None:
    with Peer(host(mode="process").port) as peer:
        peer.play()
        helper = peer.step(START_HELPER)[4]
        assert not _is_gone(helper)

        assert peer.refuse(stepping(EXIT)).reason is Reason.ENV_DIED

        wait_until(lambda: _is_gone(helper))


@pytest.mark.parametrize("action", [GO, HANG])
def test_process_whose_server_is_killed_ends(
    hosted: Path, tmp_path: Path, action: int, wait_until: WaitUntil
) -> None:
    hangs = tmp_path / "hangs"
    with serving_process(hosted, mode="process") as server, Peer(server.port) as peer:
        pid = peer.play(hangs=str(hangs))[3]
        peer.send(stepping(action))
        if action == HANG:
            wait_until(hangs.exists)
        else:
            peer.receive()

        server.process.send_signal(signal.SIGKILL)

        wait_until(lambda: _is_gone(pid))


@pytest.mark.parametrize("action", [GO, HANG])
def test_process_whose_forkserver_is_killed_ends_and_is_replaced(
    host: Hosting, tmp_path: Path, action: int, wait_until: WaitUntil
) -> None:
    hangs = tmp_path / "hangs"
    server = host(mode="process")
    with Peer(server.port) as peer:
        pid = peer.play(hangs=str(hangs))[3]
        if action == HANG:
            peer.send(stepping(HANG))
            wait_until(hangs.exists)

        _forkserver().kill()

        wait_until(lambda: _is_gone(pid))
        error = read_error(peer.receive().error) if action == HANG else peer.refuse(stepping(GO))
        assert error.reason is Reason.ENV_DIED
        peer.take(messages.reset({}))
        assert peer.step(GO)[:3] == [0, 1, 0]


@pytest.fixture
def without_forkserver(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a system that cannot fork."""
    monkeypatch.setattr(launching, "can_fork", lambda: False)


@pytest.mark.usefixtures("without_forkserver")
def test_spawned_process_plays_dies_and_hangs_like_a_forked_one(
    host: Hosting, wait_until: WaitUntil
) -> None:
    server = host(mode="process", prestart=0, step_timeout_s=2)
    with Peer(server.port) as peer:
        pid = peer.play()[3]
        assert psutil.Process(pid).ppid() == os.getpid()

        died = peer.refuse(stepping(EXIT))
        assert (died.reason, died.exit_code) == (Reason.ENV_DIED, 7)
        peer.take(messages.reset({}))
        pid = peer.step(GO)[3]
        assert peer.refuse(stepping(REFUSE_TO_END)).reason is Reason.ENV_TIMEOUT
        wait_until(lambda: _is_gone(pid))
        peer.finish()
    assert server.environments == []
