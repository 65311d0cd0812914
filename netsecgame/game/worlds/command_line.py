"""`python -m netsecgame.game.worlds.<World>`: serve a task from the shell."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

from netsecgame.errors import ConfigurationError
from netsecgame.game.agent_server import DEFAULT_MAX_CONNECTIONS, DEFAULT_MESSAGE_TIMEOUT_S
from netsecgame.protocol.limits import Limits

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netsecgame.game.coordinator import GameCoordinator
    from netsecgame.game.worlds.NetSecGame import NetSecGame

LOG_FILE = Path("logs") / "NSG_coordinator.log"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 9_000

#: The log is begun anew when it is that long; this many old ones are kept.
_MAX_LOG_BYTES = 16 * 1024 * 1024
_KEPT_LOGS = 3

#: Descriptors asked for at most; each connection takes one.
_MANY_DESCRIPTORS = 65_536

EXIT_OK, EXIT_FAILED, EXIT_BAD_CONFIGURATION = 0, 1, 2


def main(world: type[NetSecGame], arguments: Sequence[str] | None = None) -> int:
    """Serve a task until SIGINT or SIGTERM; returns the exit status.

    Args:
        world: The world to serve.
        arguments: Command line without the program's name; None takes that of the process.
    """
    options = _make_parser(world).parse_args(arguments)
    return serve(
        lambda: world(
            options.game_host,
            options.game_port,
            options.task_config,
            options.seed,
            max_connections=options.max_connections,
            message_timeout_s=options.message_timeout,
            limits=limits_for(options.max_message_bytes),
        ),
        options.debug_level,
    )


def limits_for(max_message_bytes: int) -> Limits:
    """The limits of a server that takes messages of up to that length."""
    return Limits(max_message_bytes=max_message_bytes, max_backlog_bytes=2 * max_message_bytes)


def serve(
    make_world: Callable[[], GameCoordinator],
    log_level: str,
    on_ready: Callable[[GameCoordinator], None] | None = None,
) -> int:
    """Serve a world until SIGINT or SIGTERM, with its log in `LOG_FILE`; returns the exit status.

    What goes wrong at the start is told on stderr in one line.

    Args:
        make_world: Makes the world, once the log is set up.
        log_level: What goes to the log.
        on_ready: Called in the server's event loop when it listens.
    """
    try:
        set_up_log(log_level)
        _allow_many_connections()
        asyncio.run(_run(make_world(), on_ready))
    except ConfigurationError as error:
        return _fail(str(error), EXIT_BAD_CONFIGURATION)
    except OSError as error:
        return _fail(describe_os_error(error), EXIT_FAILED)
    except KeyboardInterrupt:
        return EXIT_OK
    return EXIT_OK


async def _run(world: GameCoordinator, on_ready: Callable[[GameCoordinator], None] | None) -> None:
    async def announce() -> None:
        await world.is_listening.wait()
        if on_ready is not None:
            on_ready(world)

    announcement = asyncio.create_task(announce())
    serving = asyncio.create_task(world.start_tasks())
    await asyncio.wait({serving, announcement}, return_when=asyncio.FIRST_COMPLETED)
    if announcement.done() and announcement.exception() is not None:
        world.shutdown_flag.set()
    await serving
    if not announcement.done():
        announcement.cancel()
    else:
        announcement.result()


def set_up_log(level: str) -> None:
    """Write log lines of that level and above to `LOG_FILE`, warnings to stderr too."""
    LOG_FILE.parent.mkdir(parents=True, exist_ok=True)
    to_file = RotatingFileHandler(LOG_FILE, maxBytes=_MAX_LOG_BYTES, backupCount=_KEPT_LOGS)
    to_stderr = logging.StreamHandler()
    to_stderr.setLevel(logging.WARNING)
    logging.basicConfig(
        level=level,
        handlers=[to_file, to_stderr],
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        force=True,
    )


def _allow_many_connections() -> None:
    """Let the process open as many sockets as the system lets it; often 1,024 is the soft limit."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MANY_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MANY_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def describe_os_error(error: OSError) -> str:
    """What went wrong, without the number of the error."""
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error}"


def _fail(text: str, status: int) -> int:
    logging.getLogger(__name__).debug("could not serve", exc_info=True)
    print(text, file=sys.stderr)  # noqa: T201 - this is the command line
    return status


def _make_parser(world: type[NetSecGame]) -> argparse.ArgumentParser:
    program = f"python -m netsecgame.game.worlds.{world.__name__}"
    parser = argparse.ArgumentParser(
        prog=program,
        description=(world.__doc__ or "").partition("\n")[0],
        epilog=f"example: {program} -c task_configs/two_networks_small.yaml -gp 9000",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    limits = Limits()
    add = parser.add_argument
    add("--task_config", "-c", required=True, help="task file (YAML)")
    add("--game_port", "-gp", type=_port, default=DEFAULT_PORT, help="port; 0 takes a free one")
    add("--game_host", "-gh", default=DEFAULT_HOST, help="address to listen on")
    add(
        "--debug_level",
        "-l",
        type=str.upper,
        choices=LOG_LEVELS,
        default="INFO",
        help=f"what goes to {LOG_FILE}",
    )
    add("--seed", "-s", type=int, help="seed of all chance; wins over the task's")
    add(
        "--max_connections",
        type=_positive,
        default=DEFAULT_MAX_CONNECTIONS,
        help="further agents are refused",
    )
    add(
        "--max_message_bytes",
        type=_positive,
        default=limits.max_message_bytes,
        help="longest message of an agent",
    )
    add(
        "--message_timeout",
        type=float,
        default=DEFAULT_MESSAGE_TIMEOUT_S,
        help="seconds a message may take to come in",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {text}")
    return number


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError(f"expected 0..65535, got {text}")
    return port
