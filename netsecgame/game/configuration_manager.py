"""Where a server gets its task from: a service, or a file."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

import msgspec

from netsecgame.core.dynamics import compile_game
from netsecgame.errors import ConfigurationError, TaskError
from netsecgame.game.config_parser import ConfigParser
from netsecgame.game.loading import find_goals_out_of_reach, hash_game
from netsecgame.game_components import AgentRole
from netsecgame.tasks import load_task_document

if TYPE_CHECKING:
    from pathlib import Path

    from netsecgame.core.task import GameSpec
    from netsecgame.core.topology import Topology

logger = logging.getLogger(__name__)

#: A service that does not answer within this time is given up on.
SERVICE_TIMEOUT_S = 10.0

#: A task is a few kilobytes; a service that sends more is not one.
MAX_TASK_BYTES = 16 * 1024 * 1024

#: Size of the seed that is drawn when the task says `random_seed: random`.
_RANDOM_SEED_BITS = 32


class ConfigurationManager:
    """Loads a task and answers questions about it.

    The getters of `ConfigParser` are available on it, once it has loaded. What is made from the
    task for many games is made once.
    """

    def __init__(
        self,
        task_config_file: str | Path | None = None,
        service_host: str | None = None,
        service_port: int | None = None,
    ) -> None:
        """Note where to look.

        Args:
            task_config_file: A task file.
            service_host: Host of a service that answers HTTP GET with the task as JSON; is asked
                first.
            service_port: Its port.
        """
        self._task_config_file = task_config_file
        self._service_host = service_host
        self._service_port = service_port
        self._parser: ConfigParser | None = None
        self._came_from_file = False
        self._topology: Topology | None = None
        self._hash: str | None = None

    async def load(self) -> None:
        """Get the task from the service, or from the file if there is no service or it fails.

        Raises:
            ValueError: If there is neither a service nor a file.
            ConfigurationError: If the task is wrong, or no source has one.
        """
        self._topology = self._hash = None
        if self._service_host and self._service_port:
            url = f"http://{self._service_host}:{self._service_port}/"
            try:
                values = await asyncio.to_thread(_fetch_task, url)
                self._parser = ConfigParser(config_dict=values)
            except (OSError, HTTPException, ConfigurationError) as error:
                reason = getattr(error, "reason", error)
                if self._task_config_file is None:
                    raise ConfigurationError(f"no task from {url}: {reason}") from error
                logger.warning(
                    "no task from %s (%s); reading %s", url, reason, self._task_config_file
                )
            else:
                return
        if self._task_config_file is None:
            raise ValueError("Task configuration source not specified")
        self._parser = ConfigParser(self._task_config_file)
        self._came_from_file = True

    @property
    def parser(self) -> ConfigParser:
        """The task's getters.

        Raises:
            RuntimeError: Before `load`.
        """
        if self._parser is None:
            raise RuntimeError("the configuration has not been loaded yet")
        return self._parser

    @property
    def spec(self) -> GameSpec:
        """The task and its scenario."""
        return self.parser.spec

    @property
    def topology(self) -> Topology:
        """The scenario compiled; all games of this task can share it."""
        if self._topology is None:
            self._topology = compile_game(self.spec)
        return self._topology

    def choose_seed(self, given: int | None) -> int:
        """The seed given, else the task's, else one that is drawn, as the task then says."""
        seed = given if given is not None else self.spec.task.seed
        return secrets.randbits(_RANDOM_SEED_BITS) if seed is None else seed

    def warn_of_goals_out_of_reach(self) -> None:
        """Log the goals that no play from the start reaches; returns at once."""
        # A daemon: a large network takes long to search, and nobody waits for that when stopping.
        threading.Thread(target=self._log_goals_out_of_reach, daemon=True).start()

    def error(self, path: tuple[str, ...], reason: str) -> TaskError:
        """An error at one place of the task, with its file and line if it came from a file."""
        if self._came_from_file and self._task_config_file is not None:
            return load_task_document(self._task_config_file).error(path, reason)
        return TaskError(reason, path=".".join(path))

    def get_all_starting_positions(self) -> dict[AgentRole, dict[str, Any]]:
        """The start position of every role."""
        return {role: self.parser.get_start_position(role) for role in AgentRole}

    def get_all_win_conditions(self) -> dict[AgentRole, dict[str, Any]]:
        """The goal of every role."""
        return {role: self.parser.get_win_conditions(role) for role in AgentRole}

    def get_all_goal_descriptions(self) -> dict[AgentRole, str]:
        """The goal of every role in prose."""
        return {role: self.parser.get_goal_description(role) for role in AgentRole}

    def get_all_max_steps(self) -> dict[AgentRole, int | None]:
        """The step limit of every role; None is no limit."""
        return {role: self.parser.get_max_steps(role) for role in AgentRole}

    def get_config_hash(self) -> str:
        """SHA-256 of the task and its scenario; the same in every process."""
        if self._hash is None:
            self._hash = hash_game(self.spec)
        return self._hash

    def _log_goals_out_of_reach(self) -> None:
        for _, error in find_goals_out_of_reach(self.spec):
            logger.warning("%s", error)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(ConfigParser, name):
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
        return getattr(self.parser, name)


def _fetch_task(url: str) -> dict[str, Any]:
    """The JSON object behind a URL.

    Raises:
        OSError: If it cannot be fetched.
        ConfigurationError: If it is no JSON object.
    """
    # 30 ms that most servers do not need.
    from urllib.error import HTTPError  # noqa: PLC0415
    from urllib.request import urlopen  # noqa: PLC0415

    try:
        with urlopen(url, timeout=SERVICE_TIMEOUT_S) as response:
            if response.status != HTTPStatus.OK:
                raise ConfigurationError(f"expected status 200, got {response.status}", source=url)
            content = response.read(MAX_TASK_BYTES + 1)
    except HTTPError as error:
        error.close()  # it has kept the connection
        raise
    if len(content) > MAX_TASK_BYTES:
        raise ConfigurationError(f"longer than {MAX_TASK_BYTES} bytes", source=url)
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ConfigurationError(f"no JSON object: {error}", source=url) from error
