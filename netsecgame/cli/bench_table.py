"""`netsecgame bench-table`: plays all shipped tasks and writes a page of what came of it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING

from netsecgame import __version__
from netsecgame.cli.console import CommandConsole
from netsecgame.cli.evaluate import EXIT_FAILED, EXIT_OK, ProgressLine
from netsecgame.cli.stopping import Stopped, stop_signals_raised
from netsecgame.envs.evaluation.agents import ATTACKERS, check_name, is_policy
from netsecgame.envs.evaluation.bench import Column, find_shipped_tasks, run_bench
from netsecgame.envs.evaluation.bench_page import make_page
from netsecgame.envs.evaluation.workers import WorkerLostError
from netsecgame.envs.policies import load_policy
from netsecgame.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netsecgame.cli.evaluate import Place

_CHECKOUT = Path(__file__).resolve().parents[2]


def parse_columns(agents: str, policies: Sequence[str]) -> list[Column]:
    """The attackers that somebody asked for.

    Args:
        agents: Names, with commas in between.
        policies: ``NAME=DIR`` each.

    Raises:
        ConfigurationError: If there is no such name or folder, or nothing in it.
    """
    columns = []
    for name in filter(None, map(str.strip, agents.split(","))):
        if is_policy(name):
            reason = f"expected names, got {name!r}; policies are given by --policy NAME=DIR"
            raise ConfigurationError(reason, path="agents")
        check_name(name, ATTACKERS, "agents")
        columns.append(Column(name, name))
    for given in policies:
        title, equals, folder = given.partition("=")
        if not (title and equals and folder):
            raise ConfigurationError(f"expected NAME=DIR, got {given!r}", path="policy")
        column = Column(title, Path(folder))
        if not any(column.agent_for(task.stem) for task in find_shipped_tasks()):
            reason = f"there is no policy of a shipped task in {folder!r}, such as {_EXAMPLE}"
            raise ConfigurationError(reason, path="policy")
        columns.append(column)
    titles = [column.title for column in columns]
    if not titles or len(set(titles)) < len(titles):
        told = ", ".join(titles) or "nobody"
        raise ConfigurationError(f"expected attackers with different names, got {told}")
    return columns


_EXAMPLE = "two_networks_small/policy.npz"


def make_table(
    page: Path,
    columns: Sequence[Column],
    episodes: int,
    seeds: int,
    cache: Path,
    place: Place,
) -> int:
    """Play what is missing and write the page; returns the exit status.

    Args:
        page: The file to write.
        columns: The attackers.
        episodes: How many for each seed.
        seeds: How many.
        cache: Where evaluations are kept.
        place: Where they are played.
    """
    console = CommandConsole(highlight=False, soft_wrap=True)
    line = ProgressLine(console)
    try:
        with stop_signals_raised(), line, place.open() as workers:
            bench = run_bench(
                columns,
                cache,
                workers,
                tasks=find_shipped_tasks(),
                episodes=episodes,
                seeds=seeds,
                on_progress=line.show,
            )
    except Stopped as stopped:
        console.print(f"{stopped}; the same command goes on from there")
        return stopped.exit_status
    except WorkerLostError as error:
        print(f"{error}; the same command goes on from there", file=sys.stderr)  # noqa: T201
        return EXIT_FAILED
    command = ["netsecgame", "bench-table", "--episodes", str(episodes), "--seeds", str(seeds)]
    names = [column.agent for column in columns if isinstance(column.agent, str)]
    command += ["--agents", ",".join(names)]
    learned = [column for column in columns if isinstance(column.agent, Path)]
    for column in learned:
        command += ["--policy", f"{column.title}={column.agent}"]
    about = [
        ("by", f"`{shlex.join(command)}`"),
        ("on", datetime.now(UTC).date().isoformat()),
        ("from", f"netsecgame {__version__}{_describe_commit()}, Python {python_version()}"),
        ("of", f"{seeds} x {episodes} episodes for each figure"),
        *((f"{column.title} learned from", _describe_training(column)) for column in learned),
    ]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(make_page(bench, about), encoding="utf-8")
    console.print(f"{page} is written.")
    return EXIT_OK


def _describe_training(column: Column) -> str:
    """How long the policies of a column were trained."""
    tasks = [task.stem for task in find_shipped_tasks()]
    agents = {column.agent_for(t, global_defender=each) for t in tasks for each in (False, True)}
    headers = [load_policy(agent).header for agent in agents if agent]
    steps = [header.training.get("timesteps") for header in headers]
    known = [count for count in steps if isinstance(count, int)]
    if len(known) < len(steps):
        return "its files do not say"
    least, most = min(known), max(known)
    return f"{least:,} to {most:,} steps of a task" if least < most else f"{most:,} steps of a task"


def _describe_commit() -> str:
    """The commit of the checkout that this runs from, if it does."""
    if not (_CHECKOUT / ".git").exists():
        return ""
    command = ["git", "-C", str(_CHECKOUT), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    text = described.stdout.strip()
    return f" (commit {text})" if described.returncode == 0 and text else ""
