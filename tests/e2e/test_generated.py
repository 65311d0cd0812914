"""A generated game from the command to the last episode, as processes."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-m", "netsecgame.cli"]

#: What is due does not take that long; a test that waits longer has failed.
DEADLINE_S = 60.0


def run(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    ).stdout


@pytest.mark.parametrize(
    ("networks", "clients", "servers"),
    [("3", "4", "3"), ("8", "20", "10")],
    ids=["small", "medium"],
)
def test_generated_game_is_won_by_the_scripted_attacker(
    networks: str, clients: str, servers: str, tmp_path: Path
) -> None:
    sizes = ["--networks", networks, "--clients", clients, "--servers", servers]
    run(tmp_path, "scenarios", "generate", *sizes, "-o", "game.yaml")

    told = run(tmp_path, "play", "game.yaml", "--defender", "none", "--episodes", "3")

    (row,) = (line for line in told.splitlines() if line.startswith("  scripted attacker"))
    assert row.split()[2:5] == ["3", "3", "(100%)"]


def test_generated_game_has_a_defender_and_benign_agents(tmp_path: Path) -> None:
    sizes = ["--networks", "3", "--clients", "4", "--servers", "3"]
    run(tmp_path, "scenarios", "generate", *sizes, "-o", "game.yaml")

    told = run(tmp_path, "play", "game.yaml", "--benign", "1", "--episodes", "1")

    assert "game: 1 scripted attacker, 1 random defender, 1 benign agent" in told
