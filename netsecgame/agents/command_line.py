"""The command line that agents share: where the server is, how many episodes, what to print."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netsecgame.agents.episodic_agent import EpisodicAgent

EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130


def main(agent_class: type[EpisodicAgent], arguments: Sequence[str] | None = None) -> int:
    """Let an agent play, with a line on stdout for each episode; returns the exit status.

    An attacker that cannot play all its episodes has failed. The others play along for as long as
    there is a game.

    Args:
        agent_class: Who plays.
        arguments: Command line without the program's name; None takes that of the process.
    """
    options = _make_parser(agent_class).parse_args(arguments)
    has_played = False
    try:
        with agent_class(options.host, options.port, options.seed) as agent:
            if agent.socket is None:  # the log has said why
                return EXIT_FAILED
            for report in agent.play(options.episodes, options.topology_seed):
                has_played = True
                line = report.to_json() if options.report else str(report)
                print(line, flush=True)  # noqa: T201 - this is the command line
    except ConnectionError as error:
        if has_played and agent_class.plays_as is not AgentRole.Attacker:
            return EXIT_OK
        print(f"{agent_class.__name__}: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return EXIT_OK


def _make_parser(agent_class: type[EpisodicAgent]) -> argparse.ArgumentParser:
    is_attacker = agent_class.plays_as is AgentRole.Attacker
    parser = argparse.ArgumentParser(description=(agent_class.__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="of the server (default: %(default)s)")
    add("--port", type=int, default=9_000, help="of the server (default: %(default)s)")
    add(
        "--episodes",
        type=_positive,
        default=1 if is_attacker else None,
        help="how many to play (default: "
        + ("%(default)s)" if is_attacker else "until the server closes the connection)"),
    )
    add("--seed", type=int, help="of the agent's own random choices (default: drawn)")
    add(
        "--topology_seed",
        type=int,
        metavar="SEED",
        help="ask for new addresses at each reset; all agents of a game have to give the same seed",
    )
    add("--report", action="store_true", help="print episodes as lines of JSON")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {text}")
    return number
