from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
LISTENING = re.compile(r"listening on \S+:(\d+)")

pytestmark = pytest.mark.timeout(900)


def commands() -> list[list[str]]:
    page = (ROOT / "docs" / "training.md").read_text()
    shell = page.split("```sh\n")[1].split("```")[0]
    return [shlex.split(line) for line in shell.splitlines()]


def run(folder: Path, command: list[str]) -> str:
    """What a command of the page prints."""
    program, *arguments = command
    where = {"python": [sys.executable], "netsecgame": [str(PROGRAMS / "netsecgame")]}
    arguments = [str(ROOT / a) if a.startswith("agents/") else a for a in arguments]
    done = subprocess.run(
        [*where[program], *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_training_page_commands_lead_to_a_policy_that_wins_over_tcp(tmp_path: Path) -> None:
    install, train, evaluate, serve, play = commands()
    # `make test-train` has run it.
    assert install == ["pip", "install", ".[train]"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "train" in project["optional-dependencies"]

    told = run(tmp_path, train)
    share = re.search(r"won (\d+\.\d)% of 200 episodes", told)
    assert share is not None
    assert float(share[1]) >= 95
    run(tmp_path, evaluate)
    assert (tmp_path / "results" / "summary.md").is_file()

    port_at = serve.index("--game_port") + 1
    serve[port_at] = "0"
    with subprocess.Popen(
        [str(PROGRAMS / "netsecgame"), *serve[1:]], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            log = tmp_path / "logs" / "NSG_coordinator.log"
            while not (found := log.is_file() and LISTENING.search(log.read_text())):
                assert server.poll() is None
            play[play.index("--port") + 1] = found[1]
            played = run(tmp_path, play)
        finally:
            server.terminate()
    assert len(re.findall("episode .*Success", played)) == 5
