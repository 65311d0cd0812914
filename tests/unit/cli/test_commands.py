from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

import netsecgame
from netsecgame.cli import app, main
from netsecgame.game.worlds.command_line import _make_parser
from netsecgame.game.worlds.NetSecGame import NetSecGame
from netsecgame.scenarios import SHIPPED_SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Callable

Run: TypeAlias = "Callable[..., tuple[int, str, str]]"

ROOT = Path(__file__).resolve().parents[3]
TASKS = ROOT / "task_configs"
SCENARIOS = ROOT / "netsecgame" / "scenarios" / "data"

UNREACHABLE = """\
coordinator:
  agents:
    {role}:
      goal:
        controlled_hosts: [192.168.2.1]
      start_position:
        controlled_hosts: [192.168.2.2]
{rest}
env:
  scenario: two_networks_tiny
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Carries out a command; gives the exit status, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(list(arguments))
        output = capsys.readouterr()
        return status, output.out, output.err

    return run


# --- help and errors ------------------------------------------------------------------------------


def test_main_version_is_that_of_the_package(run: Run) -> None:
    assert run("--version") == (0, f"netsecgame {netsecgame.__version__}\n", "")


def test_main_nothing_shows_help(run: Run) -> None:
    status, output, _ = run()

    assert status == 0
    assert all(command in output for command in ("serve", "play", "validate", "scenarios"))


@pytest.mark.parametrize(
    "command",
    ["serve", "play", "validate", "evaluate", "bench-table", "scenarios", "scenarios show"],
)
def test_main_help_has_an_example(command: str, run: Run) -> None:
    status, output, _ = run(*command.split(), "--help")

    assert status == 0
    assert f"Example: netsecgame {command}" in output


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("nonsense", "nonsense"),
        ("play", "TASK"),
        ("play two_networks --agent clever", "clever"),
        ("play two_networks --episodes 0", "--episodes"),
        ("serve", "TASK"),
        ("serve a --task_config b", "TASK"),
        ("serve two_networks -gp 70000", "-gp"),
        ("serve two_networks -l loud", "loud"),
        ("serve nowhere", "nowhere"),
        ("serve two_networks --games 0", "--games"),
        ("serve two_networks --games 17 -gp 65520", "beyond 65535"),
        ("serve two_networks --games 2 --workers 3", "--workers"),
        ("serve two_networks --workers 0", "--workers"),
        ("serve two_networks --loop fast", "fast"),
        ("play nowhere.yaml", "nowhere.yaml"),
        ("play two_netwrks", "did you mean 'two_networks'?"),
        ("play task_configs", "folder"),
        ("play two_networks --defender random", "no Defender"),
        ("play two_networks_team --defender none", "waits for 1 Defender"),
        ("scenarios show two_netwrks", "did you mean 'two_networks'?"),
        ("scenarios show nowhere.yaml", "nowhere.yaml"),
        ("validate", "FILE"),
    ],
)
def test_main_what_a_person_did_wrong_is_told_in_one_line(
    arguments: str, named: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)

    status, output, errors = run(*arguments.split())

    assert status == 2
    assert output == ""
    assert errors.count("\n") == 1
    assert named in errors


def test_main_without_server_extra_says_how_to_get_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "netsecgame.cli.app")
    monkeypatch.setitem(sys.modules, "typer", None)

    status, output, errors = run("--help")

    assert (status, output) == (1, "")
    assert errors == "typer is not installed; get it with: pip install netsecgame[server]\n"


def test_main_help_does_not_import_the_server() -> None:
    code = (
        "import sys; from netsecgame.cli import main; main(['--help']);"
        "print(sorted({'asyncio', 'yaml', 'netaddr', 'jsonschema'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_serve_options_have_the_defaults_of_the_module_command() -> None:
    module = vars(_make_parser(NetSecGame).parse_args(["--task_config", "x"]))
    command = {
        name: parameter.default
        for name, parameter in inspect.signature(app.serve).parameters.items()
        if name in module and name != "task_config"
    }

    assert command == {name: module[name] for name in command}
    assert command.keys() == module.keys() - {"task_config"}


# --- validate -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "kind"), [(TASKS, "task"), (SCENARIOS, "scenario")], ids=lambda x: str(x)[-9:]
)
def test_validate_shipped_files_are_fine(folder: Path, kind: str, run: Run) -> None:
    files = sorted(map(str, folder.glob("*.yaml")))

    status, output, _ = run("validate", *files)

    assert status == 0
    told = [line.partition(" (warning)") for line in output.splitlines()]
    assert [line for line, is_warning, _ in told if not is_warning] == [
        f"✓ {file}: {kind}" for file in files
    ]


def test_validate_wrong_task_says_line_and_path(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    text = (TASKS / "two_networks_tiny.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("max_steps: 50", "max_steps: many"), encoding="utf-8")
    line = text[: text.index("max_steps")].count("\n") + 1

    status, output, _ = run("validate", str(path), str(TASKS / "two_networks.yaml"))

    assert status == 2
    first, second = output.splitlines()
    assert first.startswith(f"{path}:{line}: coordinator.agents.Attacker.max_steps: ")
    assert second == f"✓ {TASKS / 'two_networks.yaml'}: task"


def test_validate_wrong_scenario_says_line_and_path(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(
        "networks: {a: 10.0.0.0/24}\nhosts:\n  b: {interfaces: [10.9.0.1]}\n", encoding="utf-8"
    )

    status, output, _ = run("validate", str(path))

    assert status == 2
    assert output.startswith(f"{path}:3: hosts.b.interfaces[0]: 10.9.0.1 is inside none")


def test_validate_goal_out_of_reach_is_an_error_for_attackers(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(UNREACHABLE.format(role="Attacker", rest=""), encoding="utf-8")

    status, output, _ = run("validate", str(path))

    assert status == 2
    assert f"{path}:5: coordinator.agents.Attacker.goal.controlled_hosts: " in output


def test_validate_goal_out_of_reach_is_a_warning_for_others(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    here = "{controlled_hosts: [192.168.2.2]}"
    attacker = f"    Attacker: {{start_position: {here}, goal: {here}}}"
    path.write_text(UNREACHABLE.format(role="Defender", rest=attacker), encoding="utf-8")

    status, output, _ = run("validate", str(path))

    assert status == 0
    warning, verdict = output.splitlines()
    assert warning.startswith(f"{path}:5: coordinator.agents.Defender.goal.controlled_hosts: ")
    assert warning.endswith(" (warning)")
    assert verdict == f"✓ {path}: task"


def test_validate_attacker_without_a_goal_is_warned_of(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(
        "coordinator:\n  agents:\n    Attacker: {max_steps: 5}\nenv: {scenario: one_network}\n",
        encoding="utf-8",
    )

    status, output, _ = run("validate", str(path))

    assert status == 0
    warning, _ = output.splitlines()
    assert warning == (
        f"{path}:3: coordinator.agents.Attacker: "
        "the attacker has no goal, so it can never win (warning)"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "there is no such file"),
        ("", "expected a task (coordinator, env) or a scenario (networks, hosts), found neither"),
        ("3", "found neither"),
        ("a: 1\nb: 2\n", "got a, b"),
        ("a: [", "is not YAML"),
    ],
)
def test_validate_neither_task_nor_scenario_says_so(
    text: str | None, reason: str, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "file.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")

    status, output, _ = run("validate", str(path))

    assert status == 2
    assert output.startswith(str(path))
    assert reason in output


def test_validate_in_terminal_is_coloured(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)

    _, output, _ = run("validate", str(tmp_path / "none.yaml"), str(TASKS / "one_network.yaml"))

    assert "\x1b[31m" in output
    assert "\x1b[32m✓" in output


# --- scenarios ------------------------------------------------------------------------------------


def test_scenarios_lists_all_in_numbers(run: Run) -> None:
    status, output, _ = run("scenarios")

    assert status == 0
    rows = {line.split()[0]: line.split()[1:] for line in output.splitlines() if line.strip()}
    assert rows.keys() >= set(SHIPPED_SCENARIOS)
    assert rows["two_networks_tiny"] == ["3", "3", "1", "8", "3", "1"]
    assert rows["three_net_scenario"] == ["5", "11", "1", "25", "6", "5"]


@pytest.mark.parametrize("name", SHIPPED_SCENARIOS)
def test_scenarios_show_fits_in_100_columns(name: str, run: Run) -> None:
    status, output, _ = run("scenarios", "show", name)

    assert status == 0
    assert max(map(len, output.splitlines())) <= 100
    assert "…" not in output.partition("Who reaches whom")[0]


def test_scenarios_show_file_draws_what_is_in_it(run: Run) -> None:
    status, output, _ = run("scenarios", "show", str(SCENARIOS / "two_networks_small.yaml"))

    assert status == 0
    lines = [" ".join(line.strip("│ ").split()) for line in output.splitlines()]
    assert "192.168.1.3 db_server ssh, postgresql, (bash) User1/DatabaseData" in lines
    assert "★ 192.168.2.2 client_1 ms-wbt-server, (powershell)" in lines
    matrix = lines[lines.index("Who reaches whom, with the firewall on") + 1 :]
    assert matrix == [
        "to → A B C D E",
        "A 192.168.1.1, .5-6 router1, other_server_1, other_server_2 ● ● · · ●",
        "B 192.168.1.2-4 smb_server, db_server, web_server ● ● · · ●",
        "C 192.168.2.1 router1 · · ● ● ●",
        "D 192.168.2.2 client_1 · ● ● ● ●",
        "E 213.47.23.195 outside_node · · · · ●",
        "● reaches · does not",
    ]
