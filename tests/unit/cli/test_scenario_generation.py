from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netsecgame.cli import main

if TYPE_CHECKING:
    from pathlib import Path

SIZE = ("--networks", "3", "--clients", "4", "--servers", "3")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of these tests, empty at first."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> int:
    return main(["scenarios", "generate", *arguments])


def test_generate_writes_a_task_and_a_scenario_and_names_both(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*SIZE, "-o", "big.yaml") == 0

    assert capsys.readouterr().out == (
        "wrote big.yaml (task) and big.scenario.yaml (scenario: 8 hosts in 4 networks, "
        "outside included)\n"
    )
    assert sorted(file.name for file in folder.iterdir()) == ["big.scenario.yaml", "big.yaml"]
    assert main(["validate", "big.yaml", "big.scenario.yaml"]) == 0
    assert capsys.readouterr().out == "✓ big.yaml: task\n✓ big.scenario.yaml: scenario\n"
    assert main(["scenarios", "show", "big.scenario.yaml"]) == 0
    assert "mail_server_3" in capsys.readouterr().out


def test_generate_other_seed_writes_another_game(folder: Path) -> None:
    assert run(*SIZE, "-o", "one.yaml") == run(*SIZE, "--seed", "42", "-o", "same.yaml") == 0
    assert run(*SIZE, "--seed", "43", "-o", "other.yaml") == 0

    def hosts(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8").partition("hosts:")[2]

    assert hosts("one.scenario.yaml") == hosts("same.scenario.yaml")
    assert hosts("one.scenario.yaml") != hosts("other.scenario.yaml")


def test_generate_overwrites_only_with_force(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "big.yaml").write_text("precious", encoding="utf-8")

    assert run(*SIZE, "-o", "big.yaml") == 2
    assert capsys.readouterr().err == "big.yaml: is there already; --force overwrites it\n"
    assert (folder / "big.yaml").read_text(encoding="utf-8") == "precious"

    assert run(*SIZE, "-o", "big.yaml", "--force") == 0
    assert main(["validate", "big.yaml"]) == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("--networks 1 --clients 4 --servers 3 -o big.yaml", "2 to 1,000 networks"),
        ("--networks 3 --clients 0 --servers 3 -o big.yaml", "at least 1 client"),
        ("--networks 3 --clients 9000 --servers 2000 -o big.yaml", "at most 10,000"),
        ("--networks 30 --clients 4 --servers 3 -o big.yaml", "30 networks for 7 hosts"),
        ("--networks x --clients 4 --servers 3 -o big.yaml", "--networks"),
        ("--networks 3 --clients 4 --servers 3 --seed 9223372036854775808 -o big.yaml", "64 bits"),
        ("--networks 3 --clients 4 --servers 3 -o big", "such as big.yaml"),
        ("--networks 3 --clients 4 --servers 3", "--output"),
        ("--clients 4 --servers 3 -o big.yaml", "--networks"),
    ],
)
def test_generate_what_cannot_be_is_told_in_one_line(
    arguments: str, named: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments.split()) == 2

    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert named in told.err
    assert list(folder.iterdir()) == []


def test_generate_help_says_what_the_numbers_count(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0

    told = " ".join(capsys.readouterr().out.split())
    assert "Example: netsecgame scenarios generate --networks 3" in told
    assert "The numbers are totals: 3 networks, 4 clients and 3 servers are 7 machines" in told
