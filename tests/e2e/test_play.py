"""The real `netsecgame play`, as a process with processes of its own."""

from __future__ import annotations

import errno
import os
import pty
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "netsecgame.cli", "play"]

#: What is due does not take that long; a test that waits longer has failed.
DEADLINE_S = 20.0

ENDLESS = 1_000_000


def _play(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


@contextmanager
def _playing(folder: Path, task: str) -> Iterator[subprocess.Popen[str]]:
    """An endless match in which the first episode is over."""
    path = str(ROOT / "task_configs" / task)
    command = [*COMMAND, path, "--benign", "1", "--agent", "random", "--episodes", str(ENDLESS)]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            while not process.stdout.readline().startswith(f"episode 1/{ENDLESS}"):
                assert process.poll() is None
            yield process
        finally:
            process.kill()


def _children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return list(psutil.Process(process.pid).children(recursive=True))


def _command_of(process: psutil.Process) -> str:
    return " ".join(process.cmdline())


def _table(lines: list[str]) -> dict[str, list[str]]:
    """The cells of the table's rows, by the agent's name of two words."""
    return {" ".join(line.split()[:2]): line.split()[2:] for line in lines if line.strip()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with the shipped tasks."""
    (tmp_path / "task_configs").symlink_to(ROOT / "task_configs")
    return tmp_path


def test_play_match_prints_progress_and_a_table(folder: Path) -> None:
    match = _play(folder, "two_networks_defended", "--episodes", "3", "--benign", "1")

    assert match.returncode == 0, match.stderr
    assert match.stderr == ""
    lines = match.stdout.splitlines()
    assert lines[0] == (
        "two_networks_defended: 1 scripted attacker, 1 random defender, 1 benign agent"
    )
    assert [line.split("  ")[0] for line in lines[1:4]] == [f"episode {i}/3" for i in (1, 2, 3)]
    table = _table(lines[4:])
    # Which of the agents comes first is up to the machine, and so is who wins.
    episodes, won, share = table["scripted attacker"][:3]
    assert (episodes, share) == ("3", f"({int(won) / 3:.0%})")
    assert table["random defender"][0] == "3"
    assert table["benign agent"][:2] == ["3", "-"]
    assert "\x1b" not in match.stdout
    assert "listening on" in (folder / "logs" / "NSG_coordinator.log").read_text(encoding="utf-8")


def test_play_alone_shows_what_was_won(folder: Path) -> None:
    match = _play(folder, "two_networks_small", "--episodes", "3")

    assert match.returncode == 0, match.stderr
    table = _table(match.stdout.splitlines())
    assert table["scripted attacker"][:4] == ["3", "3", "(100%)", "95.0"]


def test_play_same_seed_plays_the_same(folder: Path) -> None:
    def play() -> list[list[str]]:
        options = ("two_networks_random", "--agent", "random", "--episodes", "3", "--seed", "4")
        lines = _play(folder, *options).stdout.splitlines()
        return [line.split()[:-1] for line in lines if line.startswith("  random attacker ")]

    first = play()

    assert len(first) == 1
    assert play() == first


def test_play_required_players_starts_as_many(folder: Path) -> None:
    match = _play(folder, "two_networks_team", "--episodes", "1", "--seed", "1")

    assert match.returncode == 0, match.stderr
    assert "2 scripted attackers, 1 random defender" in match.stdout
    assert "scripted attacker 2" in match.stdout


def test_play_in_terminal_draws_a_line(folder: Path) -> None:
    ours, theirs = pty.openpty()
    command = [*COMMAND, "two_networks_tiny", "--episodes", "3"]
    with subprocess.Popen(command, cwd=folder, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        output = b""
        try:
            while data := os.read(ours, 65_536):
                output += data
        except OSError as error:  # how Linux ends a terminal whose other side is gone
            if error.errno != errno.EIO:
                raise
        finally:
            os.close(ours)
    assert process.returncode == 0
    assert b"\x1b[2K" in output  # the line is drawn anew
    assert b"episode 3/3" in output
    assert b"scripted attacker" in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_play_stopped_in_mid_game_leaves_no_process(number: signal.Signals, folder: Path) -> None:
    with _playing(folder, "two_networks_defended.yaml") as match:
        children = _children(match)
        match.send_signal(number)
        output, errors = match.communicate(timeout=DEADLINE_S)

    assert len(children) == 4
    assert match.returncode == 128 + number
    assert errors == ""
    assert f"stopped by {number.name}" in output
    assert "random attacker" in output
    assert not any(child.is_running() for child in children)


def test_play_killed_in_mid_game_leaves_no_process(folder: Path) -> None:
    with _playing(folder, "two_networks_defended.yaml") as match:
        children = _children(match)
        match.kill()
        _, alive = psutil.wait_procs(children, timeout=DEADLINE_S)

    assert len(children) == 4
    assert alive == []


@pytest.mark.parametrize(
    ("victim", "name"),
    [("netsecgame.cli serve", "server"), ("random_attacker.py", "random attacker")],
)
def test_play_process_killed_in_mid_game_is_named(victim: str, name: str, folder: Path) -> None:
    with _playing(folder, "two_networks_defended.yaml") as match:
        children = _children(match)
        [child] = [child for child in children if victim in _command_of(child)]
        child.kill()
        _, errors = match.communicate(timeout=DEADLINE_S)

    assert match.returncode == 1
    assert errors.startswith(f"the {name} was ended by SIGKILL after ")
    assert f" of {ENDLESS} episodes" in errors
    assert "Traceback" not in errors
    assert not any(child.is_running() for child in children)


def test_play_attacker_without_hosts_runs_out_of_steps(folder: Path) -> None:
    task = yaml.safe_load((ROOT / "task_configs" / "two_networks_tiny.yaml").read_text("utf-8"))
    task["coordinator"]["agents"]["Attacker"] |= {"max_steps": 5, "start_position": {}}
    path = folder / "nowhere.yaml"
    path.write_text(yaml.safe_dump(task), encoding="utf-8")

    match = _play(folder, str(path), "--episodes", "2")

    assert match.returncode == 0, match.stderr
    assert "mean return -15.0" in match.stdout


def test_play_nobody_reads_its_output_ends_quietly(folder: Path) -> None:
    with _playing(folder, "two_networks_tiny.yaml") as match:
        children = _children(match)
        assert match.stdout is not None
        match.stdout.close()
        match.send_signal(signal.SIGINT)  # it prints its table, to nobody
        assert match.wait(DEADLINE_S) == 1
        assert match.stderr is not None
        errors = match.stderr.read()

    assert errors == ""
    assert not any(child.is_running() for child in children)
