"""Many peers, and peers that do harm by doing nothing: the others play on, memory stays bounded."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.integration.processes import LOOPS, serving_process
from tests.integration.server import (
    CLIENT,
    IDLE,
    NONSENSE,
    WIN,
    Client,
    join,
    make_task,
    reset,
    scan,
    write_task,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.integration.processes import ServerProcess
    from tests.integration.server import Serve

#: Costs a step and changes nothing, not even a log.
IN_VAIN = scan(CLIENT, {"ip": "10.0.0.0", "mask": 8})

#: Far above what a round trip takes (below a millisecond) also where the machine is busy, and far
#: below what it takes behind a peer that holds the server up.
GENEROUS_S = 0.1

MIB = 1024 * 1024


async def percentile_99(client: Client, rounds: int = 300) -> float:
    """How long an action takes, in seconds; all but the slowest percent."""
    times = []
    for _ in range(rounds):
        began = perf_counter()
        assert (await client.ask(IN_VAIN))["status"] == "GameStatus.OK"
        times.append(perf_counter() - began)
    return sorted(times)[rounds * 99 // 100]


async def fill_the_view(client: Client) -> None:
    """Have a long log in the view, so that each reply is of 60 KB."""
    client.send(*[scan(CLIENT, {"ip": CLIENT, "mask": 32})] * 1_000)
    for _ in range(1_000):
        await client.reply()
    client.send(IDLE)
    assert len(await client.raw_reply()) > 60_000


class Measured:
    """A server process under load."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self._process = psutil.Process(server.process.pid)

    @property
    def memory_mib(self) -> float:
        return self._process.memory_info().rss / MIB

    @property
    def descriptors(self) -> int:
        return self._process.num_fds()

    async def join(self) -> Client:
        client = await self.server.connect()
        assert (await client.ask(join()))["status"] == "GameStatus.CREATED"
        return client

    async def settle(self) -> None:
        """Wait until all that was sent before has been seen to."""
        probe = await self.server.connect()
        for _ in range(4):
            await probe.ask(NONSENSE)
        probe.drop()


@asynccontextmanager
async def measured(folder: Path, *arguments: str, **env: Any) -> AsyncIterator[Measured]:
    task = write_task(folder, make_task(**env))
    async with serving_process(folder, task, *arguments) as server:
        yield Measured(server)
        server.close_clients()
        assert await server.stop() == (0, "")


@pytest.mark.parametrize("loop", LOOPS)
async def test_peer_that_pipelines_a_lot_does_not_hold_up_others(tmp_path: Path, loop: str) -> None:
    async with measured(tmp_path, "--loop", loop) as load:
        other, greedy = await load.join(), await load.join()
        count = 60_000
        greedy.send(NONSENSE * count)

        assert await percentile_99(other) < GENEROUS_S
        for _ in range(count):
            assert (await greedy.reply())["status"] == "GameStatus.BAD_REQUEST"


@pytest.mark.parametrize("loop", LOOPS)
async def test_peers_that_never_read_cost_bounded_memory_and_no_time(
    tmp_path: Path, loop: str
) -> None:
    async with measured(tmp_path, "--loop", loop) as load:
        other = await load.join()
        deaf = [await load.join() for _ in range(5)]
        for client in deaf:
            await fill_the_view(client)
        before = load.memory_mib
        for client in deaf:
            client.transport.pause_reading()
            # Each asks for some 60 MB of replies, which the server has the time to write.
            client.send(json.dumps(IN_VAIN).encode() * 1_000)

        assert await percentile_99(other, 1_200) < GENEROUS_S
        assert load.memory_mib - before < 30

        for client in deaf:
            client.drop()
        other.send(reset())  # nobody waits for those that are gone
        assert (await other.reply())["status"] == "GameStatus.RESET_DONE"


@pytest.mark.parametrize("loop", LOOPS)
async def test_many_stalled_peers_slow_nobody(tmp_path: Path, loop: str) -> None:
    async with measured(tmp_path, "--max_connections", "400", "--loop", loop) as load:
        other = await load.join()
        stalled = [await load.server.connect() for _ in range(300)]
        for number, client in enumerate(stalled):
            client.send(json.dumps(join()).encode()[: number % 60 + 1])
        await load.settle()

        assert await percentile_99(other) < GENEROUS_S
        assert (await other.ask(WIN))["observation"]["end"]


async def test_stalled_peers_can_go_on_where_they_stopped(tmp_path: Path) -> None:
    async with measured(tmp_path) as load:
        clients = [await load.server.connect() for _ in range(50)]
        whole = json.dumps(join()).encode()
        for number, client in enumerate(clients):
            client.send(whole[: number + 1])
        await load.settle()

        for number, client in enumerate(clients):
            client.send(whole[number + 1 :])
        for client in clients:
            assert (await client.reply())["status"] == "GameStatus.CREATED"


async def test_peer_byte_by_byte_slows_nobody(tmp_path: Path) -> None:
    async with measured(tmp_path) as load:
        other, slow = await load.join(), await load.join()
        text = b'{"action_type": "' + b"x" * 20_000 + b'"}'

        async def trickle() -> None:
            for byte in text:
                slow.send(bytes([byte]))
                await asyncio.sleep(0)

        trickling = asyncio.create_task(trickle())
        assert await percentile_99(other) < GENEROUS_S
        await trickling
        assert (await slow.reply())["status"] == "GameStatus.BAD_REQUEST"


async def test_peers_that_are_refused_and_do_not_hang_up_take_bounded_descriptors(
    tmp_path: Path,
) -> None:
    async with measured(tmp_path, "-l", "ERROR", "--max_connections", "10") as load:
        before = load.descriptors
        joined = [await load.join() for _ in range(10)]

        refused = [await load.server.connect() for _ in range(100)]
        for client in refused:
            (reply,) = await client.all_replies()
            assert reply["status"] == "GameStatus.FORBIDDEN"

        assert load.descriptors <= before + 2 * len(joined) + 2
        assert (await joined[0].ask(IN_VAIN))["status"] == "GameStatus.OK"


# --- the long run ---------------------------------------------------------------------------------

ROUNDS = 10_000
AT_ONCE = 50
WAYS = ["drop", "half a message", "reset", "flood", "win", "stranger", "hang up", "nonsense"]


async def play_and_drop(load: Measured, way: str) -> None:
    """Connect, act, and drop in one of many ways; every message that was whole is answered."""
    client = await Client.connect(load.server.port)
    try:
        if way == "stranger":
            assert (await client.ask(IDLE))["status"] == "GameStatus.BAD_REQUEST"
            return
        assert (await client.ask(join()))["status"] == "GameStatus.CREATED"
        if way == "drop":
            client.send(IN_VAIN)
        elif way == "half a message":
            client.send(IN_VAIN, b'{"action_type": "ActionType.')
            assert (await client.reply())["status"] == "GameStatus.OK"
        elif way == "reset":  # parked: it drops before the others have asked
            client.send(reset(request_trajectory=True))
        elif way == "flood":
            client.send(*[IN_VAIN] * 20)
            for _ in range(20):
                assert (await client.reply())["status"] == "GameStatus.OK"
        elif way == "win":  # parked: others play on
            client.send(WIN)
        elif way == "hang up":
            client.send(IN_VAIN)
            client.end_input()
            assert (await client.reply())["status"] == "GameStatus.OK"
            await client.wait_until_ended()
        elif way == "nonsense":
            client.send(b"[" * 40)
            (refused,) = await client.all_replies()
            assert refused["status"] == "GameStatus.BAD_REQUEST"
    finally:
        client.drop()


async def soak(load: Measured, rounds: int) -> None:
    ways = Random(rounds)

    async def worker() -> None:
        for _ in range(rounds // AT_ONCE):
            await play_and_drop(load, ways.choice(WAYS))

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(worker())
    await load.settle()


async def test_thousands_of_agents_come_and_go_and_leave_nothing_behind(tmp_path: Path) -> None:
    async with measured(tmp_path, "-l", "WARNING", save_trajectories=True) as load:
        stays = await load.join()
        await soak(load, ROUNDS // 5)
        memory, descriptors = load.memory_mib, load.descriptors

        await soak(load, ROUNDS - ROUNDS // 5)

        assert load.descriptors <= descriptors + 2
        assert load.memory_mib < memory + 8
        assert await percentile_99(stays) < GENEROUS_S
        # Nobody that has left is waited for.
        assert (await stays.ask(reset(seed=1)))["status"] == "GameStatus.RESET_DONE"
        assert (await stays.ask(WIN))["observation"]["end"]


async def test_trajectory_of_a_long_episode_is_cut_to_a_bounded_size(serve: Serve) -> None:
    server = await serve()
    writer, reader = await server.join(), await server.join("Defender")
    await fill_the_view(reader)
    for _ in range(9):
        reader.send(*[IN_VAIN] * 60)
        for _ in range(60):
            await reader.reply()
    writer.send(reset())

    reader.send(reset(request_trajectory=True))

    raw = await reader.raw_reply()
    assert len(raw) < 33 * MIB
    told = json.loads(raw)["message"]["last_trajectory"]
    assert told["is_cut"]
    assert 1_400 < len(told["trajectory"]["actions"]) < 1_001 + 540
    assert len(told["trajectory"]["states"]) == len(told["trajectory"]["actions"]) + 1
