"""`python -m netsecgame.game.worlds.<World>`: serve a task from the shell."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from netsecgame.game.agent_server import DEFAULT_MAX_CONNECTIONS, DEFAULT_MESSAGE_TIMEOUT_S
from netsecgame.game.event_loop import LOOPS, run
from netsecgame.game.hosting.descriptors import allow_many_connections
from netsecgame.game.hosting.failures import EXIT_OK, FAILURES, describe_failure, exit_status_of
from netsecgame.game.hosting.garbage import collect_seldom
from netsecgame.game.hosting.host import GameHost
from netsecgame.game.hosting.log_files import LOG_FILE, set_up_log
from netsecgame.game.hosting.plan import HostPlan
from netsecgame.game.hosting.workers import WorkerPool
from netsecgame.protocol.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netsecgame.game.worlds.NetSecGame import NetSecGame

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 9_000


def main(world: type[NetSecGame], arguments: Sequence[str] | None = None) -> int:
    """Serve a task until SIGINT or SIGTERM; returns the exit status.

    Args:
        world: The world to serve.
        arguments: Command line without the program's name; None takes that of the process.
    """
    options = _make_parser(world).parse_args(arguments)
    return serve(
        HostPlan(
            world=world,
            task=Path(options.task_config),
            host=options.game_host,
            port=options.game_port,
            seed=options.seed,
            log_level=options.debug_level,
            loop=options.loop,
            options={
                "max_connections": options.max_connections,
                "message_timeout_s": options.message_timeout,
                "limits": limits_for(options.max_message_bytes),
            },
        )
    )


def limits_for(max_message_bytes: int) -> Limits:
    """The limits of a server that takes messages of up to that length."""
    return Limits(max_message_bytes=max_message_bytes, max_backlog_bytes=2 * max_message_bytes)


def serve(
    plan: HostPlan,
    on_ready: Callable[[dict[int, int]], object] = lambda _: None,
    workers: int = 1,
) -> int:
    """Serve until SIGINT or SIGTERM, with a log in `LOG_FILE`; returns the exit status.

    What goes wrong is told on stderr in one line.

    Args:
        plan: What to serve.
        on_ready: Called with the port of every game, by number, when they listen.
        workers: How many processes host the games; 1 is this one.
    """

    def settle(ports: dict[int, int]) -> None:
        on_ready(ports)
        collect_seldom()

    try:
        set_up_log(plan.log_level)
        allow_many_connections()
        hosting = GameHost(plan) if workers == 1 else WorkerPool(plan, workers)
        run(hosting.run(settle), plan.loop)
    except FAILURES as error:
        logging.getLogger(__name__).debug("could not serve", exc_info=True)
        print(describe_failure(error), file=sys.stderr)  # noqa: T201 - this is the command line
        return exit_status_of(error)
    except KeyboardInterrupt:
        return EXIT_OK
    return EXIT_OK


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
    add("--loop", choices=LOOPS, default="auto", help="event loop; auto: uvloop if installed")
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
