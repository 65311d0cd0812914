"""`netsecgame play`: a server and its agents as processes, from the first to the last.

Nothing outlives this process. In the usual case it stops what it started. If it is killed, the
server notices that its standard input has ended and stops, and the agents that their connections
have.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
from typing import TYPE_CHECKING

from netsecgame.agents.episodic_agent import EpisodeReport
from netsecgame.cli.child import Child
from netsecgame.cli.console import CommandConsole
from netsecgame.cli.line_up import describe
from netsecgame.cli.scoreboard import Scoreboard
from netsecgame.game.hosting.log_files import LOG_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netsecgame.cli.line_up import Seat
    from netsecgame.core.task import Task

EXIT_OK, EXIT_FAILED = 0, 1

#: How long the server may take to listen.
START_TIMEOUT_S = 30.0

#: When an agent fails, the server may have failed first; so long is waited to find that out.
_BLAME_TIMEOUT_S = 0.5

_LISTENING = re.compile(r"listening on (?P<host>\S+):(?P<port>\d+)")
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class MatchError(Exception):
    """A process of the match ended too early."""


def play_match(
    path: Path, task: Task, seats: Sequence[Seat], episodes: int, seed: int | None
) -> int:
    """Play a match and show how it goes; returns the exit status.

    Args:
        path: The task file.
        task: What is in it.
        seats: Who plays.
        episodes: How many.
        seed: Of the server; the agents get it and those after it. None leaves it to the task.
    """
    console = CommandConsole(highlight=False)
    console.print(f"{path.stem}: {describe(seats)}")
    board = Scoreboard(console, seats, episodes)
    match = _Match(path, task, seats, episodes, seed, board)
    try:
        with board:
            stopped_by = asyncio.run(match.run())
    except MatchError as error:
        print(error, file=sys.stderr)  # noqa: T201 - this is the command line
        return EXIT_FAILED
    board.print_table()
    if stopped_by is not None:
        console.print(f"stopped by {signal.Signals(stopped_by).name}")
        return 128 + stopped_by
    console.print(f"The server's log is {LOG_FILE}.")
    return EXIT_OK


class _Match:
    def __init__(
        self,
        path: Path,
        task: Task,
        seats: Sequence[Seat],
        episodes: int,
        seed: int | None,
        board: Scoreboard,
    ) -> None:
        self._path = path
        self._task = task
        self._seats = seats
        self._episodes = episodes
        self._seed = seed
        self._board = board
        self._children: list[Child] = []

    async def run(self) -> int | None:
        """Play; returns the signal that stopped it, if one did.

        Raises:
            MatchError: If a process ended too early.
        """
        loop = asyncio.get_running_loop()
        play = asyncio.create_task(self._play())
        stopped_by: list[int] = []

        def stop(number: int) -> None:
            stopped_by.append(number)
            play.cancel()

        for number in _STOP_SIGNALS:
            loop.add_signal_handler(number, stop, number)
        try:
            await play
        except asyncio.CancelledError:
            if not stopped_by:
                raise
        finally:
            await asyncio.gather(*(child.stop() for child in self._children))
        return stopped_by[0] if stopped_by else None

    async def _play(self) -> None:
        server = await self._start("server", self._server_command())
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                address = await self._find_address(server)
        except TimeoutError:
            raise MatchError(f"the server did not listen within {START_TIMEOUT_S:g} s") from None
        agents = [
            (seat, await self._start(seat.name, self._agent_command(seat, index, *address)))
            for index, seat in enumerate(self._seats)
        ]
        try:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._watch(server))
                await asyncio.wait(
                    [group.create_task(self._follow(seat, agent, server)) for seat, agent in agents]
                )
                watching.cancel()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _watch(self, server: Child) -> None:
        """MatchError when the server ends, which is always too early."""
        await server.wait()
        played = self._board.episodes_played
        raise MatchError(server.explain_end(f"after {played} of {self._episodes} episodes"))

    async def _find_address(self, server: Child) -> tuple[str, str]:
        async for line in server.lines():
            if found := _LISTENING.search(line):
                return found["host"], found["port"]
        await server.wait()
        raise MatchError(server.explain_end())

    async def _follow(self, seat: Seat, agent: Child, server: Child) -> None:
        """Count an agent's episodes until it ends; MatchError if it ends too early."""
        async for line in agent.lines():
            self._board.add(seat, EpisodeReport.from_json(line))
        status = await agent.wait()
        played = self._board.episodes_of(seat)
        if status != 0 or played < self._episodes:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_BLAME_TIMEOUT_S):
                    await server.wait()
                    return  # the server failed first, and whoever watches it says so
            raise MatchError(agent.explain_end(f"after {played} of {self._episodes} episodes"))

    async def _start(self, name: str, command: Sequence[str]) -> Child:
        child = await Child.start(name, command)
        self._children.append(child)
        return child

    def _server_command(self) -> list[str]:
        command = [sys.executable, "-m", "netsecgame.cli", "serve", str(self._path)]
        command += ["--game_port", "0", "--until_stdin_closes"]
        command += ["--required_players", str(len(self._seats))]  # nobody misses an episode
        return command if self._seed is None else [*command, "--seed", str(self._seed)]

    def _agent_command(self, seat: Seat, index: int, host: str, port: str) -> list[str]:
        command = [sys.executable, str(seat.program), "--host", host, "--port", port]
        command += ["--episodes", str(self._episodes), "--report"]
        if self._task.use_dynamic_addresses:
            command += ["--topology_seed", str(self._seed or 0)]
        return command if self._seed is None else [*command, "--seed", str(self._seed + index)]
