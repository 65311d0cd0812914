"""Many games in one process: each by itself, as if it had a server of its own."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.game.hosting.failures import GamesError
from netsecgame.game.hosting.host import GameHost
from netsecgame.game.hosting.plan import HostPlan
from netsecgame.game.hosting.workers import WorkerPool
from netsecgame.game.worlds.NetSecGame import NetSecGame
from netsecgame.game_components import AgentRole, GameState
from tests.integration.random_play import CHANCY, choose_action
from tests.integration.server import (
    DEADLINE_S,
    HOST,
    IDLE,
    WIN,
    Client,
    ClosedError,
    join,
    make_task,
    reset,
    write_task,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.server import Message, Serve

ROOT = Path(__file__).resolve().parents[2]


class HostedGames:
    """The games of a host that runs, and the clients of a test.

    Attributes:
        host: The host.
        ports: Where its games listen, by number.
        running: Ends with the host.
    """

    def __init__(
        self, host: GameHost | WorkerPool, ports: dict[int, int], running: asyncio.Task[None]
    ) -> None:
        self.host = host
        self.ports = ports
        self.running = running
        self.clients: list[Client] = []

    async def connect(self, number: int) -> Client:
        client = await Client.connect(self.ports[number])
        self.clients.append(client)
        return client

    async def join(self, number: int) -> Client:
        """A client that plays in one of the games."""
        client = await self.connect(number)
        assert (await client.ask(join()))["status"] == "GameStatus.CREATED"
        return client


@asynccontextmanager
async def hosting(host: GameHost | WorkerPool) -> AsyncIterator[HostedGames]:
    """Hosts games until the end of the block, and then stops those that are left."""
    told: asyncio.Queue[dict[int, int]] = asyncio.Queue()
    running = asyncio.create_task(host.run(told.put_nowait))
    listening = asyncio.create_task(told.get())
    try:
        await asyncio.wait({running, listening}, return_when=asyncio.FIRST_COMPLETED)
        if not listening.done():
            running.result()  # raises why
        games = HostedGames(host, await listening, running)
        try:
            yield games
        finally:
            for client in games.clients:
                client.drop()
            host.stop()
            async with asyncio.timeout(DEADLINE_S):
                await running
    finally:
        running.cancel()
        listening.cancel()
        await asyncio.wait({running, listening})


def plan_for(task: Path, games: int, **options: Any) -> HostPlan:
    """A plan on free ports."""
    options = {"world": NetSecGame, "host": HOST, "port": 0, "games": games, **options}
    return HostPlan(task=task, numbers=range(games), **options)


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Path:
    """A task file, in a working directory for logs."""
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO")
    return write_task(tmp_path, make_task(save_trajectories=True))


def log_of(number: int) -> str:
    return Path(f"logs/game_{number:02}/NSG_coordinator.log").read_text(encoding="utf-8")


async def is_playing(client: Client) -> bool:
    return bool((await client.ask(IDLE))["status"] == "GameStatus.OK")


# --- each game is as alone ------------------------------------------------------------------------


async def read_raw(client: Client) -> bytes:
    """The next reply as it came, but for the client's port."""
    return (await client.raw_reply()).replace(str(client.address[1]).encode(), b"PORT", 1)


async def play(
    clients: dict[int, Client],
) -> tuple[dict[int, list[Message]], dict[int, list[bytes]]]:
    """All play two episodes at random, in turns; gives what each sent and was answered."""
    sent: dict[int, list[Message]] = {number: [] for number in clients}
    answers: dict[int, list[bytes]] = {number: [] for number in clients}
    choices = Random("many games")
    for turn in range(40):
        for number, client in clients.items():
            question = join() if turn == 0 else reset(randomize_topology=True, seed=None)
            if turn % 20 > 0:
                state = json.loads(answers[number][-1].replace(b"PORT", b"0"))["observation"][
                    "state"
                ]
                action = choose_action(GameState.from_dict(state), AgentRole.Attacker, choices)
                question = action.as_dict
            sent[number].append(question)
            client.send(question)
        for number, client in clients.items():
            answers[number].append(await read_raw(client))
    return sent, answers


async def test_every_game_answers_with_the_bytes_of_a_server_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Serve
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_task(tmp_path, {**CHANCY, "env": {**CHANCY["env"], "random_seed": 70}})
    async with hosting(GameHost(plan_for(path, 16))) as games:
        sent, answers = await play({number: await games.connect(number) for number in range(16)})

    assert len({answers[number][0] for number in answers}) > 1, "all begin alike"
    for number, questions in sent.items():
        alone = await serve(path, seed=70 + number)
        client = await alone.connect()
        for question, answer in zip(questions, answers[number], strict=True):
            client.send(question)
            assert await read_raw(client) == answer, f"game {number}"


async def test_games_share_their_task_and_nothing_of_an_episode(task: Path) -> None:
    host = GameHost(plan_for(task, 3, seed=5))
    async with hosting(host) as games:
        worlds = list(host.worlds.values())
        clients = [await games.join(number) for number in range(3)]
        await clients[0].ask(IDLE)
        await clients[1].ask(WIN)

        assert [world.seed for world in worlds] == [5, 6, 7]
        assert len({id(world.config_manager) for world in worlds}) == 1
        assert len({id(world.dynamics.topology) for world in worlds}) == 1  # type: ignore[attr-defined]
        assert [len(world.agents) for world in worlds] == [1, 1, 1]
        assert (await clients[1].ask(IDLE))["status"] == "GameStatus.FORBIDDEN"
        assert await is_playing(clients[0])

    stored = sorted(str(path.parent) for path in task.parent.rglob("*.jsonl"))
    assert stored == [str(task.parent / f"logs/game_0{number}/trajectories") for number in (0, 1)]
    for number in range(3):
        log = log_of(number)
        assert f"seed {5 + number}\n" in log
        assert f"listening on {HOST}:{games.ports[number]}\n" in log
        assert log.count(" joined as ") == 1
        assert log.endswith(" stopped\n")


async def test_random_seed_is_drawn_once_for_all_games(task: Path, tmp_path: Path) -> None:
    path = write_task(tmp_path, make_task(random_seed="random"))
    bases = []
    for _ in range(2):
        host = GameHost(plan_for(path, 3))
        async with hosting(host):
            bases.append(host.worlds[0].seed)
            assert [world.seed - bases[-1] for world in host.worlds.values()] == [0, 1, 2]
    assert bases[0] != bases[1]


# --- a game that ends takes no other with it ------------------------------------------------------


class Mortal(NetSecGame):
    """Its consumer can be made to fail."""

    async def run_game(self) -> None:
        self.dies = asyncio.Event()
        consumer = asyncio.create_task(super().run_game())
        try:
            await self.dies.wait()
        finally:
            consumer.cancel()
        self.end()

    def end(self) -> None:
        raise RuntimeError("the consumer fell over")


class Ending(Mortal):
    """Its consumer can be made to end."""

    def end(self) -> None:
        pass


@pytest.mark.parametrize(
    ("world", "reason"),
    [(Mortal, "the consumer fell over"), (Ending, "the consumer ended by itself")],
)
async def test_game_whose_consumer_dies_is_closed_and_the_others_go_on(
    task: Path, caplog: pytest.LogCaptureFixture, world: type[Mortal], reason: str
) -> None:
    host = GameHost(plan_for(task, 3, world=world))
    async with hosting(host) as games:
        clients = [await games.join(number) for number in range(3)]
        dying = host.worlds[1]
        assert isinstance(dying, Mortal)
        dying.dies.set()
        await clients[1].wait_until_ended()
        with pytest.raises(ConnectionRefusedError):
            await games.connect(1)

        assert await is_playing(clients[0])
        assert await is_playing(clients[2])
        assert (await (await games.connect(2)).ask(join()))["status"] == "GameStatus.CREATED"

    assert f"game 1 on port {games.ports[1]} has failed" in log_of(1)
    assert reason in log_of(1)
    assert "fail" not in log_of(0) + log_of(2)
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1


class Refusing(NetSecGame):
    """Fails at its start with the seeds 43 and 44."""

    def _initialize(self) -> None:
        super()._initialize()
        if self.seed in (43, 44):
            raise RuntimeError(f"no world with seed {self.seed}")


async def test_game_whose_world_raises_at_start_is_logged_and_the_others_go_on(task: Path) -> None:
    async with hosting(GameHost(plan_for(task, 4, world=Refusing))) as games:
        assert games.ports.keys() == {0, 3}
        assert await is_playing(await games.join(0))
        assert await is_playing(await games.join(3))

    assert "game 1 could not start" in log_of(1)
    assert "no world with seed 43" in log_of(1)
    assert "could not" not in log_of(0)


async def test_game_that_is_stopped_leaves_the_others(task: Path) -> None:
    host = GameHost(plan_for(task, 2))
    async with hosting(host) as games:
        clients = [await games.join(number) for number in range(2)]
        clients[0].send(reset())
        await clients[0].reply()
        await host.worlds[0].shutdown_signal_handler()
        with pytest.raises(ClosedError):
            await clients[0].reply()
        with pytest.raises(ConnectionRefusedError):
            await games.connect(0)

        assert await is_playing(clients[1])

        await host.worlds[1].shutdown_signal_handler()
        async with asyncio.timeout(DEADLINE_S):
            await games.running  # nobody is left, and nothing has failed


async def test_run_with_all_games_failed_at_start_says_so(task: Path) -> None:
    told: list[dict[int, int]] = []
    with pytest.raises(GamesError, match="all games have failed"):
        await GameHost(plan_for(task, 2, world=Refusing, seed=43)).run(told.append)

    assert told == [{}]


async def test_run_with_all_games_failed_in_the_end_says_so(task: Path) -> None:
    host = GameHost(plan_for(task, 2, world=Mortal))
    with pytest.raises(GamesError, match="all games have failed"):
        await host.run(lambda _: asyncio.create_task(kill_all(host)))


async def kill_all(host: GameHost) -> None:
    """One dies after the other."""
    for world in host.worlds.values():
        assert isinstance(world, Mortal)
        client = await Client.connect(world.port)
        await client.ask(join())
        world.dies.set()
        await client.wait_until_ended()
        client.drop()


async def test_run_with_a_port_that_is_taken_names_it_and_leaves_nothing_running(
    task: Path,
) -> None:
    address = own_address()
    first = 20_150
    told: list[dict[int, int]] = []
    with socket.create_server((address, first + 2)):
        host = GameHost(plan_for(task, 3, host=address, port=first))
        with pytest.raises(GamesError, match=rf"game 2: .*{first + 2}.* in use"):
            await host.run(told.append)

    assert told == []

    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address, first)
    assert log_of(0).endswith(" stopped\n")


def own_address() -> str:
    """A local address that no other process listens on."""
    pid = os.getpid()
    return f"127.{100 + (pid >> 16) % 100}.{pid >> 8 & 255}.{pid & 255}"


# --- the same in several processes ----------------------------------------------------------------


async def test_worker_whose_games_all_fail_leaves_those_of_the_others(
    task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # where workers find the world
    plan = plan_for(task, 4, seed=41, world=Refusing, loop="asyncio")  # so games 2 and 3 fail
    async with hosting(WorkerPool(plan, 2)) as games:
        assert games.ports.keys() == {0, 1}
        assert await is_playing(await games.join(0))
        assert await is_playing(await games.join(1))

    assert "no world with seed 43" in log_of(2)
    assert "no world with seed 44" in log_of(3)


async def test_random_seed_is_drawn_once_for_all_workers(task: Path, tmp_path: Path) -> None:
    path = write_task(tmp_path, make_task(random_seed="random"))
    async with hosting(WorkerPool(plan_for(path, 3), 3)):
        pass

    seeds = [int(log_of(number).partition("seed ")[2].split()[0]) for number in range(3)]
    assert [seed - seeds[0] for seed in seeds] == [0, 1, 2]
