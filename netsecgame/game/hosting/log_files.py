"""Where a server writes: one log a process, and a folder of its own for each of several games."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG_DIR = Path("logs")
LOG_NAME = "NSG_coordinator.log"

#: The log of the process, and of its game if there is only one.
LOG_FILE = LOG_DIR / LOG_NAME

#: The log is begun anew when it is that long; this many old ones are kept.
_MAX_LOG_BYTES = 16 * 1024 * 1024
_KEPT_LOGS = 3

_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def game_dir(number: int) -> Path:
    """Where one of several games has its log and its trajectories."""
    return LOG_DIR / f"game_{number:02}"


def worker_dir(number: int) -> Path:
    """Where a worker process has its log."""
    return LOG_DIR / f"worker_{number:02}"


def set_up_log(level: str, file: Path = LOG_FILE) -> None:
    """Write log lines of that level and above to a file, warnings to stderr too."""
    to_stderr = logging.StreamHandler()
    to_stderr.setLevel(logging.WARNING)
    logging.basicConfig(
        level=level, handlers=[_open_log(file), to_stderr], format=_FORMAT, force=True
    )


@contextmanager
def game_log(number: int) -> Iterator[logging.Logger]:
    """The logger of one of several games: it writes to the game's own log and that of the process.

    The file is closed with the block.
    """
    logger = logging.getLogger(f"netsecgame.{game_dir(number).name}")
    handler = _open_log(game_dir(number) / LOG_NAME)
    handler.setFormatter(logging.Formatter(_FORMAT))
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        logger.removeHandler(handler)
        handler.close()


def _open_log(file: Path) -> logging.Handler:
    file.parent.mkdir(parents=True, exist_ok=True)
    return RotatingFileHandler(file, maxBytes=_MAX_LOG_BYTES, backupCount=_KEPT_LOGS)
