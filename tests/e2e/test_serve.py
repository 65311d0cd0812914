"""The real `netsecgame serve`, as a process."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netsecgame import BaseAgent

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
TASK = str(ROOT / "task_configs" / "two_networks_tiny.yaml")
COMMAND = [sys.executable, "-m", "netsecgame.cli", "serve"]

#: What is due does not take that long; a test that waits longer has failed.
DEADLINE_S = 20.0


@contextmanager
def _serving(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server on a free port, and that port."""
    with subprocess.Popen(
        [*COMMAND, *arguments, "--game_port", "0"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line.startswith("listening on 127.0.0.1:")
            assert line.endswith(" (Ctrl-C stops)\n")
            yield process, int(line.split()[2].rpartition(":")[2])
        finally:
            process.kill()


@pytest.mark.parametrize("arguments", [[TASK], ["--task_config", TASK], ["-c", TASK]])
def test_serve_task_serves_until_interrupted(arguments: list[str], tmp_path: Path) -> None:
    with _serving(tmp_path, *arguments, "-s", "3") as (server, port):
        with BaseAgent("127.0.0.1", port, "Attacker") as agent:
            assert agent.register()
        server.send_signal(signal.SIGINT)
        output, errors = server.communicate(timeout=DEADLINE_S)

    assert (server.returncode, output, errors) == (0, "", "")
    assert (tmp_path / "logs" / "NSG_coordinator.log").is_file()


def test_serve_white_box_tells_all_actions(tmp_path: Path) -> None:
    with (
        _serving(tmp_path, TASK, "--white-box") as (_, port),
        BaseAgent("127.0.0.1", port, "Attacker") as agent,
    ):
        observation = agent.register()

    assert observation
    assert len(json.loads(observation.info["all_actions"])) > 100


def test_serve_required_players_wins_over_the_task(tmp_path: Path) -> None:
    with (
        _serving(tmp_path, TASK, "--required_players", "2") as (_, port),
        BaseAgent("127.0.0.1", port, "Attacker") as attacker,
        BaseAgent("127.0.0.1", port, "Benign") as benign,
        ThreadPoolExecutor() as pool,
    ):
        waiting = pool.submit(attacker.register)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.2)
        assert benign.register()
        assert waiting.result(timeout=DEADLINE_S)


def test_serve_until_stdin_closes_stops_then(tmp_path: Path) -> None:
    with _serving(tmp_path, TASK, "--until_stdin_closes") as (server, _):
        assert server.poll() is None
        assert server.stdin is not None
        server.stdin.close()
        assert server.wait(DEADLINE_S) == 0


def test_serve_port_taken_fails_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*COMMAND, TASK, "--game_port", port],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert port in done.stderr
