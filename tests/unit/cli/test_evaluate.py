from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest
from rich.console import Console

from netsecgame.cli import evaluate as command
from netsecgame.cli import main
from netsecgame.cli.evaluate import ProgressLine
from netsecgame.cli.stopping import STOP_SIGNALS, Stopped, stop_signals_raised
from netsecgame.envs import open_game
from netsecgame.envs.evaluation import Progress
from netsecgame.envs.policies import PolicyHeader, TablePolicy, save_policy
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from collections.abc import Callable

Run: TypeAlias = "Callable[..., tuple[int, str, str]]"

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Carries out a command in a folder of its own; gives the exit status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(list(arguments))
        output = capsys.readouterr()
        return status, output.out, output.err

    return run


def _evaluate(
    run: Run, *options: str, agent: str = "random", out: str = "out"
) -> tuple[int, str, str]:
    fixed = ("--task", "two_networks_small", "--agent", agent, "--out", out, "--jobs", "1")
    return run("evaluate", *fixed, *options)


# --- evaluate -------------------------------------------------------------------------------------


def test_evaluate_prints_and_writes_the_figures(run: Run, tmp_path: Path) -> None:
    status, output, errors = _evaluate(run, "--episodes", "30", "--seeds", "2", agent="scripted")

    assert (status, errors) == (0, "")
    lines = [" ".join(line.split()) for line in output.splitlines()]
    assert lines[0] == "0 of 60 episodes"
    assert "60 of 60 episodes won 100.0%" in lines
    assert "scripted against nobody on two_networks_small" in lines
    assert "win rate 100.0 % 94.0 to 100.0 % 100.0 to 100.0 %" in lines
    assert "2 x 30 episodes: Success 60" in lines
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["episodes"]["win_rate"]["value"] == 1
    assert (tmp_path / "out" / "summary.md").read_text().startswith("# scripted against nobody")


def test_evaluate_finished_prints_the_same_without_playing(run: Run) -> None:
    _, first, _ = _evaluate(run, "--episodes", "20", "--seeds", "2")
    status, again, _ = _evaluate(run, "--episodes", "20", "--seeds", "2")

    assert status == 0
    assert "of 40 episodes" not in again
    assert first.endswith(again)
    assert "win rate" in again


def test_evaluate_options_reach_the_plan(run: Run, tmp_path: Path) -> None:
    options = (
        "--defender stochastic --benign 2 --episodes 3 --seeds 2 --max-steps 9 --global-defender"
    )
    fixed = ("--task", "two_networks_defended", "--agent", "random", "--out", "out", "--jobs", "1")
    status, _, errors = run("evaluate", *fixed, *options.split())

    assert (status, errors) == (0, "")
    settings = json.loads((tmp_path / "out" / "manifest.json").read_text())["configuration"]
    assert settings["task"] == "two_networks_defended"
    assert settings["defender"] == "stochastic"
    assert settings["global_defender"] is True
    expected = {"benign": 2, "episodes": 3, "seeds": 2, "max_steps": 9}
    assert {name: settings[name] for name in expected} == expected


def test_evaluate_no_global_defender_switches_that_of_the_task_off(run: Run) -> None:
    def play(option: str, out: str) -> str:
        fixed = ("--task", "two_networks_global_defender", "--agent", "random", "--jobs", "1")
        return run("evaluate", *fixed, "--episodes", "20", "--out", out, *option.split())[1]

    assert "Fail" in play("", "as_it_is")
    assert "Fail" not in play("--no-global-defender", "off")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--agent scriptd", "agent: there is no 'scriptd' (did you mean 'scripted'?)"),
        ("--defender stochstic", "defender: there is no 'stochstic' (did you mean 'stochastic'?)"),
        ("--agent mine.npz", "agent: there is no policy file 'mine.npz'"),
        ("--task two_network_small", "did you mean 'two_networks_small'?"),
        ("--defender random", "role Defender is not part of this task"),
        ("--episodes 0", "Invalid value for '--episodes'"),
        ("--seeds none", "Invalid value for '--seeds'"),
        ("--jobs 0", "Invalid value for '--jobs'"),
        ("--benign -1", "Invalid value for '--benign'"),
        ("--attacker random", "No such option: --attacker"),
    ],
)
def test_evaluate_wrong_option_is_named(options: str, told: str, run: Run, tmp_path: Path) -> None:
    status, output, errors = _evaluate(run, *options.split())

    assert (status, output) == (2, "")
    assert told in errors
    assert errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["--task", "--agent", "--out"])
def test_evaluate_missing_option_is_named(missing: str, run: Run) -> None:
    given = {"--task": "two_networks", "--agent": "random", "--out": "out"}
    del given[missing]

    status, _, errors = run("evaluate", *(word for pair in given.items() for word in pair))

    assert status == 2
    assert f"Missing option '{missing}'" in errors


def test_evaluate_folder_of_another_configuration_is_refused(run: Run) -> None:
    _evaluate(run, "--episodes", "5")

    status, output, errors = _evaluate(run, "--episodes", "6")

    assert (status, output) == (2, "")
    assert errors == (
        "out: the folder has the results of another configuration: "
        "episodes is 5 there, 6 was asked for\n"
    )


def test_evaluate_file_in_place_of_a_folder_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").touch()

    status, _, errors = _evaluate(run)

    assert status == 1
    assert "out" in errors
    assert "Traceback" not in errors


def test_evaluate_without_numpy_names_the_extra() -> None:
    program = """
import sys
sys.modules["numpy"] = None  # makes its import fail
from netsecgame.cli import main
options = ["--task", "two_networks", "--agent", "random", "--out", "never"]
sys.exit(main(["evaluate", *options]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert done.returncode == 1
    assert done.stderr == "numpy is not installed; get it with: pip install netsecgame[env]\n"


# --- bench-table ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--agents random,scriptd", "agents: there is no 'scriptd' (did you mean 'scripted'?)"),
        ("--agents random,random", "expected attackers with different names, got random, random"),
        ("--agents ,", "expected attackers with different names, got nobody"),
        ("--agents mine.npz", "policies are given by --policy NAME=DIR"),
        ("--policy folder", "policy: expected NAME=DIR, got 'folder'"),
        ("--policy Q=folder", "policy: there is no policy of a shipped task in 'folder'"),
        ("--seeds 0", "Invalid value for '--seeds'"),
    ],
)
def test_bench_table_wrong_option_is_named(
    options: str, told: str, run: Run, tmp_path: Path
) -> None:
    status, output, errors = run("bench-table", *options.split())

    assert (status, output) == (2, "")
    assert told in errors
    assert list(tmp_path.iterdir()) == []


def test_bench_table_writes_the_page_and_goes_on_from_its_cache(run: Run, tmp_path: Path) -> None:
    options = "--episodes 2 --seeds 1 --agents random --cache kept --out pages/results.md --jobs 1"
    status, output, errors = run("bench-table", *options.split())

    assert (status, errors) == (0, "")
    assert output.endswith("pages/results.md is written.\n")
    page = (tmp_path / "pages" / "results.md").read_text()
    tasks = sorted(path.stem for path in (ROOT / "task_configs").glob("*.yaml"))
    shipped, _, public = page.partition("## Beside the public game")
    for task in tasks:
        assert shipped.count(f"| {task} | no |") == 3
    assert public.count("| no |") == 2
    assert "`netsecgame bench-table --episodes 2 --seeds 1 --agents random`" in page
    assert "| of | 1 x 2 episodes for each figure |" in page
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").rglob("*")}
    assert run("bench-table", *options.split())[0] == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").rglob("*")} == kept
    assert (tmp_path / "pages" / "results.md").read_text() == page


# --- progress and signals -------------------------------------------------------------------------


def test_progress_line_without_terminal_prints_some_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ProgressLine(Console()) as line:
        for played in range(0, 1_001, 5):
            line.show_wins(Progress(1_000, played, played // 5))

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "0 of 1,000 episodes"
    assert lines[1] == "100 of 1,000 episodes  won 20.0%"
    assert lines[-1] == "1,000 of 1,000 episodes  won 20.0%"
    assert len(lines) == 11
    assert str(line) == "1,000 of 1,000 episodes"


def test_progress_line_on_a_terminal_draws_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(force_terminal=True, width=80)
    with ProgressLine(console) as line:
        line.show_wins(Progress(1_000, 250, 50))
        line.progress.refresh()

    output = capsys.readouterr().out
    assert "250/1,000 episodes" in output
    assert "won 20.0%" in output


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_stop_signals_raised_first_one_raises_and_the_rest_are_ignored(
    number: signal.Signals,
) -> None:
    before = [signal.getsignal(each) for each in STOP_SIGNALS]

    def stop_again_and_again() -> None:
        try:
            signal.raise_signal(number)
        finally:
            for each in STOP_SIGNALS:
                signal.raise_signal(each)

    with pytest.raises(Stopped) as caught, stop_signals_raised():
        stop_again_and_again()

    assert caught.value.exit_status == 128 + number
    assert str(caught.value) == f"stopped by {number.name}"
    assert [signal.getsignal(each) for each in STOP_SIGNALS] == before


def test_evaluate_stopped_in_mid_run_goes_on_later(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = ProgressLine.show_wins

    def stop_in_the_middle(line: ProgressLine, progress: Progress) -> None:
        show(line, progress)
        if progress.played == 50:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(command.ProgressLine, "show_wins", stop_in_the_middle)
    status, output, errors = _evaluate(run, "--episodes", "50", "--seeds", "2")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)

    assert (status, errors) == (128 + signal.SIGTERM, "")
    assert output.endswith("\nstopped by SIGTERM; the same command goes on from there\n")
    status, output, _ = _evaluate(run, "--episodes", "50", "--seeds", "2")
    assert status == 0
    assert output.startswith("50 of 100 episodes")
    _evaluate(run, "--episodes", "50", "--seeds", "2", out="whole")
    for file in ("summary.json", "episodes/seed_0.jsonl", "episodes/seed_1.jsonl"):
        assert (tmp_path / "out" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_bench_table_shows_what_policies_do_and_how_long_they_learned(
    run: Run, tmp_path: Path
) -> None:
    header = PolicyHeader.of(
        open_game("two_networks_small"),
        AgentRole.Attacker,
        "blank",
        "two_networks_small",
        training={"timesteps": 1_234},
    )
    (tmp_path / "learned" / "two_networks_small").mkdir(parents=True)
    save_policy(TablePolicy(header, {}), tmp_path / "learned/two_networks_small/policy.npz")
    options = "--episodes 2 --seeds 1 --agents random --policy Q=learned --out page.md --jobs 1"
    status, _, errors = run("bench-table", *options.split())

    assert (status, errors) == (0, "")
    page = (tmp_path / "page.md").read_text()
    assert "| Q learned from | 1,234 steps of a task |" in page
    assert "| task | global defender | random | Q |" in page
    row = next(line for line in page.splitlines() if line.startswith("| two_networks_small | yes"))
    assert row.endswith("0.0 % (0.0 to 65.8) |")
    assert "| one_network | no | 0.0 % (0.0 to 65.8) | - |" in page
