from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.core.task import Word
from netsecgame.errors import ConfigurationError
from netsecgame.game.generation import write_game
from netsecgame.game.loading import check_game, load_game
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from pathlib import Path

SMALL: dict[str, Any] = {"networks": 3, "clients": 4, "servers": 3, "seed": 42}


@pytest.mark.parametrize("seed", [1, -5])
@pytest.mark.parametrize(
    ("networks", "clients", "servers"),
    [(2, 1, 1), (2, 1, 5), (3, 4, 3), (9, 5, 30), (20, 10, 10), (12, 150, 50), (260, 200, 200)],
)
def test_write_game_of_any_size_is_valid_and_can_be_won_from_every_start(
    networks: int, clients: int, servers: int, seed: int, tmp_path: Path
) -> None:
    path = tmp_path / "game.yaml"
    write_game(path, networks=networks, clients=clients, servers=servers, seed=seed)

    # The linter tries every start place that `random` may be.
    assert check_game(path) == ([], [])
    spec = load_game(path)
    attacker = spec.task.roles[AgentRole.Attacker]
    assert attacker.start.controlled_hosts[1:] == (Word.RANDOM,)
    assert not attacker.goal.is_empty
    assert set(spec.task.roles) == set(AgentRole)
    assert spec.task.seed == seed


def test_write_game_steps_grow_with_the_size(tmp_path: Path) -> None:
    limits = []
    for networks, clients, servers in [(2, 1, 1), (3, 4, 3), (3, 40, 3), (30, 40, 3)]:
        path = tmp_path / f"{networks}_{clients}.yaml"
        write_game(path, networks=networks, clients=clients, servers=servers, seed=1)
        limits.append(load_game(path).task.roles[AgentRole.Attacker].max_steps or 0)

    assert limits == sorted(set(limits))


def test_write_game_puts_the_scenario_beside_the_task(tmp_path: Path) -> None:
    path = tmp_path / "my game.yml"

    game = write_game(path, **SMALL)

    assert sorted(tmp_path.iterdir()) == [tmp_path / "my game.scenario.yml", path]
    assert (game.task, game.scenario) == (path, tmp_path / "my game.scenario.yml")
    assert load_game(path).scenario.hosts == game.content.scenario.hosts
    told = "# netsecgame scenarios generate --networks 3 --clients 4 --servers 3 --seed 42"
    for file in (path, game.scenario):
        assert f"{told} -o 'my game.yml'\n" in file.read_text(encoding="utf-8")


def test_write_game_same_arguments_same_bytes_in_every_process(tmp_path: Path) -> None:
    here = write_game(tmp_path / "game.yaml", networks=9, clients=30, servers=12, seed=3)
    code = (
        "import sys; from pathlib import Path; from netsecgame.game.generation import write_game;"
        "write_game(Path(sys.argv[1]), networks=9, clients=30, servers=12, seed=3)"
    )
    for hash_seed in ("1", "2"):
        folder = tmp_path / hash_seed
        folder.mkdir()
        subprocess.run(
            [sys.executable, "-c", code, str(folder / "game.yaml")],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
        )
        for file in (here.task, here.scenario):
            assert (folder / file.name).read_bytes() == file.read_bytes()


def test_write_game_pins_its_bytes(tmp_path: Path) -> None:
    """They are the same in every version of Python, and change only with the generator."""
    game = write_game(tmp_path / "game.yaml", **SMALL)

    digests = [sha256(file.read_bytes()).hexdigest() for file in (game.scenario, game.task)]
    assert [digest[:16] for digest in digests] == ["2597f3cb7abf1638", "ddfd38b61b3f4aa2"]


@pytest.mark.parametrize("there", ["game.yaml", "game.scenario.yaml"])
def test_write_game_does_not_overwrite_unless_told_to(there: str, tmp_path: Path) -> None:
    (tmp_path / there).write_text("precious", encoding="utf-8")

    with pytest.raises(ConfigurationError, match="--force") as refusal:
        write_game(tmp_path / "game.yaml", **SMALL)

    assert refusal.value.source == str(tmp_path / there)
    assert [file.read_text(encoding="utf-8") for file in tmp_path.iterdir()] == ["precious"]

    write_game(tmp_path / "game.yaml", overwrites=True, **SMALL)

    assert check_game(tmp_path / "game.yaml") == ([], [])


@pytest.mark.parametrize("name", ["game", "game.json", "game.txt", ".yaml"])
def test_write_game_to_what_is_no_yaml_file_says_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"such as big\.yaml"):
        write_game(tmp_path / name, **SMALL)

    assert list(tmp_path.iterdir()) == []


def test_write_game_of_an_impossible_size_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="10,001"):
        write_game(tmp_path / "game.yaml", networks=2, clients=10_000, servers=1, seed=1)

    assert list(tmp_path.iterdir()) == []
