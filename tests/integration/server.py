"""Real servers on real sockets: a world in the test's event loop, and clients that send bytes."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import yaml

from netsecgame.game.worlds.NetSecGame import NetSecGame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from netsecgame.game.coordinator import GameCoordinator

Message: TypeAlias = "Mapping[str, Any]"
Reply: TypeAlias = "dict[str, Any]"

#: No reply that is due takes that long; a test that waits longer has failed.
DEADLINE_S = 10.0

HOST = "127.0.0.1"

# --- tasks ----------------------------------------------------------------------------------------

SERVER, CLIENT, OUTSIDE = "192.168.1.2", "192.168.2.2", "213.47.23.195"
SERVERS = {"ip": "192.168.1.0", "mask": 24}

#: Wins with one scan of the servers' network.
ATTACKER = {
    "goal": {"description": f"Find the server {SERVER}.", "known_hosts": [SERVER]},
    "start_position": {"controlled_hosts": [OUTSIDE, CLIENT]},
}
DEFENDER = {"start_position": {"controlled_hosts": ["all_local"]}}
BENIGN = {"start_position": {"controlled_hosts": [CLIENT]}}


def make_task(
    attacker: Mapping[str, Any] | None = None,
    defender: Mapping[str, Any] | None = None,
    benign: Mapping[str, Any] | None = None,
    **env: Any,
) -> dict[str, Any]:
    """What a task file holds.

    Args:
        attacker: What is different from `ATTACKER`; likewise for the other roles.
        defender: As `attacker`.
        benign: As `attacker`.
        env: What is different in `env`.
    """
    return {
        "coordinator": {
            "agents": {
                "Attacker": {**ATTACKER, **(attacker or {})},
                "Defender": {**DEFENDER, **(defender or {})},
                "Benign": {**BENIGN, **(benign or {})},
            }
        },
        "env": {"scenario": "two_networks_tiny", **env},
    }


_file_numbers = count()


def write_task(folder: Path, task: Mapping[str, Any]) -> Path:
    """Write a task file; returns its path."""
    path = folder / f"task_{next(_file_numbers)}.yaml"
    path.write_text(yaml.safe_dump(dict(task)), encoding="utf-8")
    return path


# --- messages -------------------------------------------------------------------------------------


def message(kind: str, **parameters: Any) -> Message:
    return {"action_type": f"ActionType.{kind}", "parameters": parameters}


def join(role: str = "Attacker", name: str = "agent") -> Message:
    return message("JoinGame", agent_info={"name": name, "role": role})


def reset(**parameters: Any) -> Message:
    return message("ResetGame", **parameters)


def act(kind: str, source: str, target: str, **parameters: Any) -> Message:
    return message(kind, source_host={"ip": source}, target_host={"ip": target}, **parameters)


def scan(source: str, network: Mapping[str, Any]) -> Message:
    return message("ScanNetwork", source_host={"ip": source}, target_network=network)


def block(target: str, blocked: str, source: str | None = None) -> Message:
    return act("BlockIP", source or target, target, blocked_host={"ip": blocked})


QUIT = message("QuitGame")
#: The attacker's winning action.
WIN = scan(CLIENT, SERVERS)
#: Changes nothing but the log of the attacker's own machine, and costs a step.
IDLE = act("FindData", CLIENT, CLIENT)
#: Answered at once with BAD_REQUEST, in any state.
NONSENSE = b"{}"

# --- the client -----------------------------------------------------------------------------------


class ClosedError(Exception):
    """The server closed the connection and said nothing more."""


class Client(asyncio.Protocol):
    """A peer that sends bytes and reads replies; as dumb as can be.

    Attributes:
        received: Bytes that came and were not taken as a reply yet.
        is_ended: Whether the server will send nothing more.
    """

    def __init__(self) -> None:
        self.received = bytearray()
        self.is_ended = False
        self.transport: asyncio.Transport
        self._changed = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()

    @classmethod
    async def connect(cls, port: int, **options: Any) -> Client:
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(cls, HOST, port, **options)
        return client

    @property
    def address(self) -> list[Any]:
        """Host and port as the server knows them."""
        return list(self.transport.get_extra_info("sockname"))

    @property
    def peer(self) -> tuple[str, int]:
        """The same as the server's key for this agent."""
        return cast("tuple[str, int]", tuple(self.address))

    @property
    def has_reply(self) -> bool:
        """Whether a whole reply has come in."""
        return b"EOF" in self.received

    def send(self, *messages: Message | bytes) -> None:
        """Send messages in one segment (if it is large enough) and go on."""
        self.transport.write(
            b"".join(m if isinstance(m, bytes) else json.dumps(m).encode() for m in messages)
        )

    async def send_all(self, *messages: Message | bytes) -> None:
        """Send messages and wait until the system has taken most of them."""
        self.send(*messages)
        async with asyncio.timeout(DEADLINE_S):
            await self._may_write.wait()

    async def reply(self) -> Reply:
        """The next reply.

        Raises:
            ClosedError: If there is none and will be none.
            TimeoutError: If none comes in time.
        """
        return _read(await self.raw_reply())

    async def raw_reply(self) -> bytes:
        """The bytes of the next reply without its marker; errors as for `reply`."""
        async with asyncio.timeout(DEADLINE_S):
            while (end := self.received.find(b"EOF")) < 0:
                if self.is_ended:
                    raise ClosedError(bytes(self.received))
                self._changed.clear()
                await self._changed.wait()
        raw = bytes(self.received[:end])
        del self.received[: end + 3]
        return raw

    async def all_replies(self) -> list[Reply]:
        """All replies until the server closes; nothing may stand behind the last one."""
        await self.wait_until_ended()
        *replies, rest = self.received.split(b"EOF")
        assert rest == b""
        return [_read(raw) for raw in replies]

    async def ask(self, question: Message | bytes) -> Reply:
        """Send one message and read its reply."""
        self.send(question)
        return await self.reply()

    async def wait_until_ended(self) -> None:
        """Wait until the server has said its last."""
        async with asyncio.timeout(DEADLINE_S):
            while not self.is_ended:
                self._changed.clear()
                await self._changed.wait()

    def drop(self) -> None:
        """Vanish without a word."""
        self.transport.abort()

    def end_input(self) -> None:
        """Close the sending side only."""
        self.transport.write_eof()

    # --- called by asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._changed.set()

    def eof_received(self) -> bool:
        self.is_ended = True
        self._changed.set()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_ended = True
        self._changed.set()
        self._may_write.set()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()


def _read(raw: bytes | bytearray) -> Reply:
    reply = json.loads(raw)
    assert isinstance(reply, dict)
    return reply


# --- the server -----------------------------------------------------------------------------------


class Server:
    """A running world and the clients of a test.

    Attributes:
        world: The world.
        task_file: The file it serves.
        errors: What was logged as an error; a test that expects some takes them out.
    """

    def __init__(
        self,
        world: GameCoordinator,
        task_file: Path,
        errors: list[str],
        life: asyncio.Task[None],
    ) -> None:
        self.world = world
        self.task_file = task_file
        self.errors = errors
        self._life = life
        self._probe: Client | None = None
        self._clients: list[Client] = []

    async def connect(self, **options: Any) -> Client:
        """A new client; it is closed with the server."""
        client = await Client.connect(self.world.port, **options)
        self._clients.append(client)
        return client

    async def join(self, role: str = "Attacker", name: str = "agent") -> Client:
        """A client that has joined and was told so."""
        client = await self.connect()
        assert (await client.ask(join(role, name)))["status"] == "GameStatus.CREATED"
        return client

    async def join_later(self, role: str = "Attacker", name: str = "agent") -> Client:
        """A client whose join has reached the game but waits for its reply."""
        client = await self.connect()
        client.send(join(role, name))
        await self.settle()
        assert not client.has_reply
        return client

    async def settle(self) -> None:
        """Wait until all that was sent before has been seen to, replies and drops included.

        A message that is ready before another one is read in the same round of the event loop at
        the latest, so a few round trips of somebody who does not play are enough.
        """
        if self._probe is None or self._probe.is_ended:
            self._probe = await self.connect()
        for _ in range(4):
            await self._probe.ask(NONSENSE)

    async def stop(self) -> None:
        """Stop the world; returns when it has stopped."""
        self.world.shutdown_flag.set()
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.shield(self._life)

    def close_clients(self) -> None:
        for client in self._clients:
            client.transport.abort()


class _ErrorList(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@asynccontextmanager
async def serving(
    folder: Path,
    task: Mapping[str, Any] | Path,
    world: Callable[..., GameCoordinator] = NetSecGame,
    **options: Any,
) -> AsyncIterator[Server]:
    """Serve a task on a free port; at the end the server must stop in time and without errors.

    Args:
        folder: Where the task file and trajectories go.
        task: The task, or its file.
        world: The world's class.
        options: For the world.
    """
    path = task if not isinstance(task, dict) else write_task(folder, task)
    options.setdefault("trajectory_dir", folder / "trajectories")
    running = world(HOST, 0, task_config=path, **options)
    errors = _ErrorList()
    logging.getLogger().addHandler(errors)
    life = asyncio.create_task(running.start_tasks())
    try:
        listening = asyncio.create_task(running.is_listening.wait())
        await asyncio.wait({life, listening}, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if not life.done():
            server = Server(running, cast("Path", path), errors.texts, life)
            try:
                yield server
            finally:
                server.close_clients()
                running.shutdown_flag.set()
        async with asyncio.timeout(DEADLINE_S):
            await life
    finally:
        life.cancel()
        logging.getLogger().removeHandler(errors)
    assert errors.texts == []


class Serve:
    """Starts servers for one test; the fixture `serve`."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder = folder
        self._stack = stack

    async def __call__(
        self,
        task: Mapping[str, Any] | Path | None = None,
        world: Callable[..., GameCoordinator] = NetSecGame,
        **options: Any,
    ) -> Server:
        return await self._stack.enter_async_context(
            serving(self.folder, make_task() if task is None else task, world, **options)
        )
