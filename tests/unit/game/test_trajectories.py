from __future__ import annotations

import asyncio
import resource
import signal
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from netsecgame.game import trajectories as module
from netsecgame.game.trajectories import TrajectoryStore
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

ATTACKER = AgentRole.Attacker


def day() -> str:
    return datetime.now().astimezone().date().isoformat()


@contextmanager
def no_room_beyond(size: int) -> Iterator[None]:
    """Files cannot grow beyond that many bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


async def test_close_waits_until_all_lines_are_written_in_their_order(tmp_path: Path) -> None:
    store = TrajectoryStore(tmp_path / "deep" / "folder")
    for number in range(20):
        await store.save("Ada", ATTACKER, b'{"n":%d}' % number)
    await store.save("Bob", AgentRole.Defender, b"{}")

    await store.close()

    folder = tmp_path / "deep" / "folder"
    lines = (folder / f"{day()}_Ada_Attacker.jsonl").read_bytes().splitlines()
    assert lines == [b'{"n":%d}' % number for number in range(20)]
    assert (folder / f"{day()}_Bob_Defender.jsonl").read_bytes() == b"{}\n"


async def test_store_appends_to_what_an_earlier_one_has_written(tmp_path: Path) -> None:
    for _ in range(2):
        store = TrajectoryStore(tmp_path)
        await store.save("Ada", ATTACKER, b"{}")
        await store.close()

    assert (tmp_path / f"{day()}_Ada_Attacker.jsonl").read_bytes() == b"{}\n{}\n"


async def test_close_of_a_store_that_was_not_used_makes_no_folder(tmp_path: Path) -> None:
    await TrajectoryStore(tmp_path / "none").close()

    assert not (tmp_path / "none").exists()


async def test_line_for_which_there_is_no_room_leaves_no_half_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = TrajectoryStore(tmp_path)
    with no_room_beyond(1_000):
        await store.save("Ada", ATTACKER, b'"short"')
        await store.save("Ada", ATTACKER, b'"%s"' % (b"x" * 2_000))
        await store.close()

    path = tmp_path / f"{day()}_Ada_Attacker.jsonl"
    assert path.read_bytes() == b'"short"\n'
    (record,) = caplog.records
    assert str(path) in record.getMessage()


async def test_file_that_is_full_gets_nothing_and_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = TrajectoryStore(tmp_path)
    path = tmp_path / f"{day()}_Ada_Attacker.jsonl"
    path.write_bytes(b"x" * 9 + b"\n")
    with no_room_beyond(10):
        await store.save("Ada", ATTACKER, b'"more"')
        await store.save("Bob", ATTACKER, b'"other"')
        await store.close()

    assert path.read_bytes() == b"x" * 9 + b"\n"
    assert (tmp_path / f"{day()}_Bob_Attacker.jsonl").read_bytes() == b'"other"\n'
    (record,) = caplog.records
    assert str(path) in record.getMessage()


async def test_save_waits_while_too_much_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 100)
    store = TrajectoryStore(tmp_path)
    for _ in range(10):
        async with asyncio.timeout(5):
            await store.save("Ada", ATTACKER, b'"%s"' % (b"x" * 60))
        assert store._waiting_bytes <= 100 + 63
    await store.close()

    assert len((tmp_path / f"{day()}_Ada_Attacker.jsonl").read_bytes().splitlines()) == 10
