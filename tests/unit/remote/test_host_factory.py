from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.errors import EnvironmentDiedError, RemoteTimeoutError
from netsecgame.remote import host_factory, messages
from netsecgame.remote.entrypoint import EnvironmentMaker
from netsecgame.remote.host_factory import HostFactory
from netsecgame.remote.messages import DType
from netsecgame.remote.process_host import ProcessHost
from netsecgame.remote.session import SessionOptions
from netsecgame.remote.tensors import pack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ENTRYPOINT = """
import gymnasium


def create_environment(env_id, **kwargs):
    while kwargs.get("hang"):
        pass
    return gymnasium.make("CartPole-v1")
"""


def _factory(folder: Path, prestart: int, mode: str = "process") -> HostFactory:
    (folder / "entry.py").write_text(ENTRYPOINT, encoding="utf-8")
    maker = EnvironmentMaker(folder, folder, False, mode == "process")
    return HostFactory(mode, maker, SessionOptions(), prestart)


def _creating(**kwargs: Any) -> bytes:
    args = {"entrypoint": "entry.py", "entrypoint_kwargs": kwargs, "env_id": 0}
    return messages.create_world({"args": pack(json.dumps(args), DType.STRING)})


@pytest.fixture
async def factory(tmp_path: Path) -> AsyncIterator[HostFactory]:
    made = _factory(tmp_path, 1)
    yield made
    await made.close()


async def _make(factory: HostFactory) -> ProcessHost:
    host = await factory.make()
    assert isinstance(host, ProcessHost)
    # Its pid is known when it has answered.
    assert await host.handle(messages.leave_world(), 60) == messages.empty_answer(
        messages.Kind.LEAVE_WORLD
    )
    return host


async def test_factory_ready_process_died_another_is_taken(factory: HostFactory) -> None:
    first = await _make(factory)
    assert factory._filling is not None
    await factory._filling
    (ready,) = factory._ready
    await ready.handle(messages.leave_world(), 60)
    assert ready.pid is not None
    os.kill(ready.pid, signal.SIGKILL)
    await ready._ended

    second = await _make(factory)

    assert second.pid not in (first.pid, ready.pid)
    for host in (first, second):
        await host.close()


async def test_factory_no_process_to_be_had_says_why(
    factory: HostFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(host_factory, "launch", fail)

    with pytest.raises(EnvironmentDiedError, match="Too many open files"):
        await factory.make()


async def test_process_host_killed_each_request_says_so(factory: HostFactory) -> None:
    host = await _make(factory)
    assert host.pid is not None
    os.kill(host.pid, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(EnvironmentDiedError, match="SIGKILL") as caught:
            await host.handle(messages.leave_world(), 60)
        assert caught.value.exit_code == -signal.SIGKILL
    await host.close()


async def test_process_host_late_answer_times_out_with_phase(factory: HostFactory) -> None:
    host = await _make(factory)
    with pytest.raises(RemoteTimeoutError, match=r"create took longer than 0\.2 s") as caught:
        await host.handle(_creating(hang=True), 0.2)
    assert caught.value.phase == "create"
    await host.close(is_stuck=True)
    assert not host.is_alive


async def test_thread_host_closed_twice_is_fine(tmp_path: Path) -> None:
    host = await _factory(tmp_path, 0, "thread").make()
    await host.handle(_creating(), 60)
    await host.close()
    await host.close()
