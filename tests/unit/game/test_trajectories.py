from __future__ import annotations

import asyncio
import resource
import signal
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING

from netsecgame.game import trajectories as module
from netsecgame.game.trajectories import TrajectoryStore
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

ATTACKER = AgentRole.Attacker


async def save(store: TrajectoryStore, name: str, role: AgentRole, *pieces: bytes) -> None:
    await store.save(name, role, pieces, sum(map(len, pieces)))


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
        await save(store, "Ada", ATTACKER, b'{"n":%d}' % number)
    await save(store, "Bob", AgentRole.Defender, b"{}")

    await store.close()

    folder = tmp_path / "deep" / "folder"
    lines = (folder / f"{day()}_Ada_Attacker.jsonl").read_bytes().splitlines()
    assert lines == [b'{"n":%d}' % number for number in range(20)]
    assert (folder / f"{day()}_Bob_Defender.jsonl").read_bytes() == b"{}\n"


async def test_store_appends_to_what_an_earlier_one_has_written(tmp_path: Path) -> None:
    for _ in range(2):
        store = TrajectoryStore(tmp_path)
        await save(store, "Ada", ATTACKER, b"{}")
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
        await save(store, "Ada", ATTACKER, b'"short"')
        await save(store, "Ada", ATTACKER, b'"%s"' % (b"x" * 2_000))
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
        await save(store, "Ada", ATTACKER, b'"more"')
        await save(store, "Bob", ATTACKER, b'"other"')
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
            await save(store, "Ada", ATTACKER, b'"%s"' % (b"x" * 60))
        assert store._waiting_bytes <= 100 + 63
    await store.close()

    assert len((tmp_path / f"{day()}_Ada_Attacker.jsonl").read_bytes().splitlines()) == 10


async def test_long_lines_are_written_in_blocks_and_whole(tmp_path: Path) -> None:
    store = TrajectoryStore(tmp_path)
    long = [b'["', *[b"x" * 50_000] * 40, b'"]']
    for _ in range(3):
        await save(store, "Ada", ATTACKER, *long)
        await save(store, "Ada", ATTACKER, b"{}")
    await store.close()

    lines = (tmp_path / f"{day()}_Ada_Attacker.jsonl").read_bytes().splitlines()
    assert lines == [b"".join(long), b"{}"] * 3


async def test_pieces_are_asked_for_while_others_have_their_turn(tmp_path: Path) -> None:
    turns = 0
    turns_seen = set()

    def pieces() -> Iterator[bytes]:
        for _ in range(50):
            turns_seen.add(turns)
            yield b"x" * module._BLOCK_BYTES

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    store = TrajectoryStore(tmp_path)
    await store.save("Ada", ATTACKER, pieces(), 1)
    assert turns_seen == set()
    await store.close()
    counting.cancel()

    assert len(turns_seen) == 50


async def test_long_line_for_which_there_is_no_room_leaves_the_lines_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = TrajectoryStore(tmp_path)
    with no_room_beyond(3 * module._BLOCK_BYTES):
        await save(store, "Ada", ATTACKER, b'"short"')
        await save(store, "Ada", ATTACKER, *[b"x" * 50_000] * 20)
        await store.close()

    path = tmp_path / f"{day()}_Ada_Attacker.jsonl"
    assert path.read_bytes() == b'"short"\n'
    assert [str(path) in record.getMessage() for record in caplog.records] == [True]


async def test_line_that_cannot_be_made_leaves_no_half_of_it_and_later_ones_are_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * module._BLOCK_BYTES
        yield b"y"
        raise RuntimeError("broken")

    store = TrajectoryStore(tmp_path)
    await save(store, "Ada", ATTACKER, b'"before"')
    await store.save("Ada", ATTACKER, broken(), 1)
    await store._waiting.join()
    await save(store, "Ada", ATTACKER, b'"after"')
    await store.close()

    path = tmp_path / f"{day()}_Ada_Attacker.jsonl"
    assert path.read_bytes() == b'"before"\n"after"\n'
    assert [str(path) in record.getMessage() for record in caplog.records] == [True]


async def test_writer_that_is_cancelled_leaves_no_half_line(tmp_path: Path) -> None:
    store = TrajectoryStore(tmp_path)
    half_a_line = asyncio.Event()

    def endless() -> Iterator[bytes]:
        for block in count():
            if block == 3:  # some are on the disk
                half_a_line.set()
            yield b"x" * module._BLOCK_BYTES

    await save(store, "Ada", ATTACKER, b'"before"')
    await store.save("Ada", ATTACKER, endless(), 1)
    await half_a_line.wait()
    assert store._writer is not None
    store._writer.cancel()
    await asyncio.wait([store._writer])

    path = tmp_path / f"{day()}_Ada_Attacker.jsonl"
    assert path.read_bytes() == b'"before"\n'


async def test_finish_that_is_cancelled_waits_until_nothing_is_written_any_more() -> None:
    writing: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(module._finish(writing))
    await asyncio.sleep(0)
    waiting.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    writing.set_result(1)
    await asyncio.wait([waiting])
    assert waiting.cancelled()
