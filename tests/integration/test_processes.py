"""The server as a process: signals, exit status, and what it says when it cannot start."""

from __future__ import annotations

import json
import signal
import socket
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from tests.integration.processes import LOOPS, end_of, serving_process, start
from tests.integration.server import (
    IDLE,
    ClosedError,
    join,
    make_task,
    reset,
    write_task,
)

if TYPE_CHECKING:
    from pathlib import Path

SIGNALS = [signal.SIGINT, signal.SIGTERM]
STOP_TIME_S = 3.0


@pytest.mark.parametrize(("number", "loop"), list(zip(SIGNALS, ["auto", LOOPS[0]], strict=True)))
async def test_signal_ends_the_process_in_time_and_waiting_agents_are_told(
    tmp_path: Path, number: signal.Signals, loop: str
) -> None:
    task = write_task(tmp_path, make_task(save_trajectories=True))
    async with serving_process(tmp_path, task, "--loop", loop) as server:
        waits, plays, idles, stalls = [await server.connect() for _ in range(4)]
        await waits.ask(join())
        await plays.ask(join())
        await plays.ask(IDLE)
        waits.send(reset())
        stalls.send(b'{"action_type": ')
        assert (await plays.ask(b"{}"))["status"] == "GameStatus.BAD_REQUEST"

        began = monotonic()
        status, errors = await server.stop(number)
        took = monotonic() - began

        assert (status, errors) == (0, "")
        assert took < STOP_TIME_S
        told = await waits.reply()
        assert told["status"] == "GameStatus.FORBIDDEN"
        assert told["message"]["message"] == "the server is shutting down"
        for client in (waits, plays, idles, stalls):
            with pytest.raises(ClosedError):
                await client.reply()

    (stored,) = (tmp_path / "logs" / "trajectories").iterdir()
    (line,) = stored.read_text().splitlines()
    assert len(json.loads(line)["trajectory"]["states"]) == 2
    assert (tmp_path / "logs" / "NSG_coordinator.log").is_file()


@pytest.mark.parametrize("loop", LOOPS)
async def test_signal_ends_the_process_in_time_while_peers_do_not_read(
    tmp_path: Path, loop: str
) -> None:
    task = write_task(tmp_path, make_task())
    async with serving_process(tmp_path, task, "--loop", loop) as server:
        client = await server.connect()
        await client.ask(join())
        client.transport.pause_reading()
        client.send(json.dumps(IDLE).encode() * 50_000)
        other = await server.connect()
        await other.ask(b"{}")

        began = monotonic()
        status, errors = await server.stop()

        assert (status, errors) == (0, "")
        assert monotonic() - began < STOP_TIME_S


async def test_port_that_is_taken_is_told_in_one_line(tmp_path: Path) -> None:
    task = write_task(tmp_path, make_task())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        status, errors = await end_of(await start(tmp_path, "-c", str(task), "-gp", str(port)))

    assert status == 1
    assert errors.count("\n") == 1
    assert str(port) in errors
    assert "in use" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "task.yaml: there is no such file"),
        (b"", "task.yaml"),
        (b"coordinator: [1, 2", "task.yaml:2"),
        (b"\xff\x00", "task.yaml:1"),
        (b"coordinator: {agents: {Attacker: {}}}\nenv: {scenario: one_netwrok}", "'one_network'"),
        (
            b"coordinator: {agents: {Attacker: {}}}\nenv:\n  scenario: one_network\n  sead: 3",
            "task.yaml:4: env.sead",
        ),
    ],
    ids=["missing", "empty", "no yaml", "binary", "no such scenario", "unknown key"],
)
async def test_bad_task_is_told_in_one_line_with_its_place(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    task = tmp_path / "task.yaml"
    if content is not None:
        task.write_bytes(content)

    status, errors = await end_of(await start(tmp_path, "-c", str(task), "-gp", "0"))

    assert status == 2
    assert told in errors
    assert errors.count("\n") == 1
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    "arguments",
    [[], ["-c", "task.yaml", "-gp", "70000"], ["-c", "task.yaml", "-s", "x"], ["--nonsense"]],
    ids=["no task", "port", "seed", "unknown"],
)
async def test_bad_option_is_told_with_the_usage(tmp_path: Path, arguments: list[str]) -> None:
    status, errors = await end_of(await start(tmp_path, *arguments))

    assert status == 2
    assert errors.startswith("usage: python -m netsecgame.game.worlds.NetSecGame")
    assert "Traceback" not in errors


async def test_join_tells_the_same_hash_in_every_process(tmp_path: Path) -> None:
    task = make_task(random_seed=1, use_global_defender=True)
    hashes = []
    for hash_seed in ("0", "1"):
        path = write_task(tmp_path, task)  # under another name each time
        async with serving_process(tmp_path, path, hash_seed=hash_seed) as server:
            client = await server.connect()
            hashes.append((await client.ask(join()))["message"]["configuration_hash"])
            await server.stop()
    other = write_task(tmp_path, make_task(random_seed=2, use_global_defender=True))
    async with serving_process(tmp_path, other) as server:
        client = await server.connect()
        changed = (await client.ask(join()))["message"]["configuration_hash"]

    assert hashes[0] == hashes[1]
    assert changed != hashes[0]
