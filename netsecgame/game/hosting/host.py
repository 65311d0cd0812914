"""The games of one process: opened one after another, served side by side, stopped together."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from netsecgame.errors import ConfigurationError
from netsecgame.game.configuration_manager import ConfigurationManager
from netsecgame.game.hosting.failures import GamesError, describe_failure, exit_status_of
from netsecgame.game.hosting.log_files import game_dir, game_log
from netsecgame.game.stopping import stop_on_signals, stop_with_stdin

if TYPE_CHECKING:
    from collections.abc import Callable

    from netsecgame.game.coordinator import GameCoordinator
    from netsecgame.game.hosting.plan import HostPlan

logger = logging.getLogger(__name__)


class _OpenGame(NamedTuple):
    number: int
    world: GameCoordinator
    server: asyncio.Server


class GameHost:
    """Hosts the games of a plan in the running event loop.

    They share the task, which is loaded once, and nothing else: a game that fails is logged and its
    port closed, and the others go on.

    Attributes:
        worlds: The games that have opened, by number.
    """

    def __init__(self, plan: HostPlan) -> None:
        self.worlds: dict[int, GameCoordinator] = {}
        self._plan = plan
        self._config = ConfigurationManager(plan.task)
        self._logs = ExitStack()
        self._failed: set[int] = set()
        self._is_stopping = False

    def stop(self) -> None:
        """Stop all games in order, which ends `run`."""
        self._is_stopping = True
        for world in self.worlds.values():
            world.shutdown_flag.set()

    async def run(self, on_ready: Callable[[dict[int, int]], object]) -> None:
        """Serve until SIGINT or SIGTERM, or until no game is left.

        Args:
            on_ready: Called with the port of every game that listens, by number, when those that
                can do.

        Raises:
            ConfigurationError: If the task is wrong.
            OSError: If the only game cannot listen.
            GamesError: If one of several games cannot listen or its world refuses the task, and
                then none is left running; or if all games have failed.
        """
        stop_on_signals(self.stop)
        if self._plan.stops_with_stdin:
            stop_with_stdin(self.stop)
        await self._config.load()
        with self._logs:
            games = await self._open_all()
            if self._plan.worker is None:  # else the parent does, once for all workers
                self._config.warn_of_goals_out_of_reach()
            try:
                on_ready({game.number: game.world.port for game in games})
            except BaseException:
                self.stop()
                raise
            finally:
                await self._serve_all(games)
        if len(self._failed) == len(self._plan.numbers):
            who = "all games have" if self._plan.is_numbered else "the game has"
            raise GamesError(f"{who} failed")

    async def _open_all(self) -> list[_OpenGame]:
        base_seed = self._config.choose_seed(self._plan.seed)
        games: list[_OpenGame] = []
        for number in self._plan.numbers:
            log = logger
            try:
                log = self._open_log(number)
                world = self._make_world(number, base_seed, log)
                games.append(_OpenGame(number, world, await world.open_game()))
                self.worlds[number] = world
            except (ConfigurationError, OSError) as error:
                self.stop()
                await self._serve_all(games)
                if not self._plan.is_numbered:
                    raise
                text = f"game {number}: {describe_failure(error)}"
                raise GamesError(text, exit_status_of(error)) from error
            except Exception:
                log.exception("%s could not start", self._title(number))
                self._failed.add(number)
        return games

    def _make_world(self, number: int, base_seed: int, log: logging.Logger) -> GameCoordinator:
        plan = self._plan
        own: dict[str, Any] = {}
        if plan.is_numbered:
            own = {"logger": log, "trajectory_dir": game_dir(number) / "trajectories"}
        return plan.world(
            plan.host,
            plan.port_of(number),
            plan.task,
            base_seed + number,
            config=self._config,
            **own,
            **plan.options,
        )

    def _open_log(self, number: int) -> logging.Logger:
        return self._logs.enter_context(game_log(number)) if self._plan.is_numbered else logger

    async def _serve_all(self, games: list[_OpenGame]) -> None:
        await asyncio.gather(*map(self._serve, games))

    async def _serve(self, game: _OpenGame) -> None:
        """Serve one game to its end, whatever that is."""
        number, world, server = game
        if self._is_stopping:
            world.shutdown_flag.set()
        try:
            await world.serve_until_stopped(server)
        except Exception:
            title = self._title(number)
            world.logger.exception("%s has failed; its port is closed", title)
            self._failed.add(number)

    def _title(self, number: int) -> str:
        if not self._plan.is_numbered:
            return "the game"
        world = self.worlds.get(number)
        port = world.port if world is not None else self._plan.port_of(number)
        return f"game {number} on port {port}" if port else f"game {number}"
