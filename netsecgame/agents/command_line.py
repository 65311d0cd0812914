"""The command line that agents share: where the server is, how many episodes, what to print."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
    description = (agent_class.__doc__ or "").partition("\n")[0]
    options = make_parser(description, agent_class.plays_as).parse_args(arguments)
    return play(agent_class, options)


def play(
    make_agent: Callable[[str, int, int | None], EpisodicAgent], options: argparse.Namespace
) -> int:
    """What `main` does, for an agent that is made in another way.

    Args:
        make_agent: Makes the agent of the server's host and port, and the seed.
        options: What a parser of `make_parser` has read.
    """
    has_played = False
    agent = make_agent(options.host, options.port, options.seed)
    is_attacker = agent.plays_as is AgentRole.Attacker
    episodes = 1 if options.episodes is None and is_attacker else options.episodes
    try:
        with agent:
            if agent.socket is None:  # the log has said why
                return EXIT_FAILED
            for report in agent.play(episodes, options.topology_seed):
                has_played = True
                line = report.to_json() if options.report else str(report)
                print(line, flush=True)  # noqa: T201 - this is the command line
    except ConnectionError as error:
        if has_played and not is_attacker:
            return EXIT_OK
        print(f"{type(agent).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return EXIT_OK


def make_parser(description: str, role: AgentRole | None = None) -> argparse.ArgumentParser:
    """The options of all agents.

    Args:
        description: What the agent does.
        role: What it plays; None if that is not known before the command line is read.
    """
    by_role = {
        AgentRole.Attacker: "1",
        None: "1 for an attacker; others play until the server closes the connection",
    }
    default = by_role.get(role, "until the server closes the connection")
    parser = argparse.ArgumentParser(description=description)
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="of the server (default: %(default)s)")
    add("--port", type=int, default=9_000, help="of the server (default: %(default)s)")
    add("--episodes", type=_positive, help=f"how many to play (default: {default})")
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
