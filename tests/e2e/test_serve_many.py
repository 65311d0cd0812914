"""The real `netsecgame serve --games`, as a process, with and without workers."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING

import psutil
import pytest
import yaml

from netsecgame import (
    Action,
    AgentRole,
    BaseAgent,
    GameState,
    Observation,
    ParallelBaseAgent,
    generate_valid_actions,
    read_trajectories_from_jsonl,
)
from netsecgame.core.world import World
from netsecgame.game.loading import load_game
from tests.e2e.test_docs import only
from tests.e2e.test_serve import COMMAND, DEADLINE_S, ROOT
from tests.integration.random_play import CHANCY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "127.0.0.1"
GAMES = 16
BASE_SEED = 100

_GAME = re.compile(r"listening on 127\.0\.0\.1:(\d+) \(game (\d+), Ctrl-C stops\)\n")


class Agent(ParallelBaseAgent):
    """Plays all games at random."""

    def choose(self, observations: list[Observation | None], rng: Random) -> list[Action | None]:
        """An action for every game that goes on."""
        return [
            None
            if observation is None or is_done
            else rng.choice(sorted(generate_valid_actions(observation.state), key=Action.to_json))
            for observation, is_done in zip(observations, self.done_mask, strict=True)
        ]


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """A task in which an agent starts somewhere at random and has 5 steps."""
    attacker = {**CHANCY["coordinator"]["agents"]["Attacker"], "max_steps": 5}
    env = {"scenario": "two_networks", "save_trajectories": True, "random_seed": BASE_SEED}
    path = tmp_path / "task.yaml"
    path.write_text(yaml.safe_dump({"coordinator": {"agents": {"Attacker": attacker}}, "env": env}))
    return path


@contextmanager
def serving(
    task: Path, *arguments: str, games: int = GAMES
) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A server on free ports, and those ports."""
    command = [*COMMAND, str(task), "--games", str(games), "--game_port", "0", *arguments]
    with subprocess.Popen(
        command,
        cwd=task.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            found = [_GAME.fullmatch(process.stdout.readline()) for _ in range(games)]
            numbers = [match and int(match[2]) for match in found]
            assert numbers == list(range(games))
            yield process, [int(match[1]) for match in found if match]
        finally:
            process.kill()


def several(observations: object) -> list[Observation | None]:
    """What a `ParallelBaseAgent` gives when it plays several games."""
    assert isinstance(observations, list)
    return observations


def start_of(task: Path, seed: int) -> GameState:
    """What the first agent in a game of that seed knows at its start."""
    return World(load_game(task), seed).register("agent", AgentRole.Attacker).state


@pytest.mark.parametrize("workers", ["1", "3"])
def test_serve_games_are_played_by_one_parallel_agent(task: Path, workers: str) -> None:
    with serving(task, "--workers", workers) as (server, ports):
        with Agent(HOST, ports, "Attacker") as agent:
            observations = several(agent.register())
            states = [observation.state for observation in observations if observation]
            expected = [start_of(task, BASE_SEED + number) for number in range(GAMES)]
            rng = Random(1)
            steps = 0
            while not agent.all_done:
                observations = several(agent.make_step(agent.choose(observations, rng)))
                steps += 1
            ended = several(agent.request_game_reset(request_trajectory=True))
        # A peer that does not hang up: its worker takes a moment longer, and is waited for.
        with socket.create_connection((HOST, ports[-1])):
            server.send_signal(signal.SIGINT)
            server.wait(DEADLINE_S)
        logs = [
            (task.parent / "logs" / f"game_{number:02}" / "NSG_coordinator.log").read_text()
            for number in range(GAMES)
        ]
        output, errors = server.communicate(timeout=DEADLINE_S)

    assert (server.returncode, output, errors) == (0, "", "")
    assert states == expected
    assert len({str(state) for state in states}) > 1
    assert steps == 5
    for number, (observation, log) in enumerate(zip(ended, logs, strict=True)):
        (stored,) = (task.parent / "logs" / f"game_{number:02}" / "trajectories").iterdir()
        assert observation
        assert read_trajectories_from_jsonl(str(stored)) == [observation.info["last_trajectory"]]
        assert re.findall(r"seed (\d+)|:(\d+)\n", log) == [
            (str(BASE_SEED + number), ""),
            ("", str(ports[number])),
        ]
        assert log.count(" joined as ") == 1
        assert log.endswith(" stopped\n")
    assert not (task.parent / "logs" / "trajectories").exists()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_serve_games_on_ports_that_follow_is_told_in_one_line(task: Path, workers: str) -> None:
    address, first = own_address(), 20_100
    arguments = ["-gh", address, "-gp", str(first), "--workers", workers, "--until_stdin_closes"]
    with subprocess.Popen(
        [*COMMAND, str(task), "--games", "4", *arguments],
        cwd=task.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        for port in range(first, first + 4):
            socket.create_connection((address, port)).close()
        rest, _ = server.communicate(timeout=DEADLINE_S)  # closes standard input

    assert line == f"listening on {address}:{first}-{first + 3} (4 games, Ctrl-C stops)\n"
    assert rest == ""
    assert server.returncode == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_serve_games_port_taken_fails_in_one_line(task: Path, workers: str) -> None:
    address, first = own_address(), 20_200
    with socket.create_server((address, first + 2)):
        done = subprocess.run(
            [
                *[*COMMAND, str(task), "--games", "4", "--workers", workers],
                *["-gh", address, "-gp", str(first)],
            ],
            cwd=task.parent,
            capture_output=True,  # ends when no worker is left that could write there
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("game 2: ")
    assert str(first + 2) in done.stderr
    assert done.stderr.count("\n") == 1


def own_address() -> str:
    """A local address that no other process listens on."""
    pid = os.getpid()
    return f"127.{100 + (pid >> 16) % 100}.{pid >> 8 & 255}.{pid & 255}"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_serve_games_of_a_bad_task_fail_in_one_line(task: Path, workers: str) -> None:
    task.write_text(task.read_text().replace("max_steps: 5", "max_steps: few"))
    done = subprocess.run(
        [*COMMAND, str(task), "--games", "4", "--workers", workers, "-gp", "0"],
        cwd=task.parent,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "max_steps" in done.stderr
    assert done.stderr.count("\n") == 1


def test_serve_games_white_box_with_workers_tells_all_actions(task: Path) -> None:
    with (
        serving(task, "--white-box", "--workers", "2", games=2) as (_, ports),
        ParallelBaseAgent(HOST, ports, "Attacker") as agent,
    ):
        told = [observation.info["all_actions"] for observation in several(agent.register())]  # type: ignore[union-attr]

    assert told[0] == told[1]
    assert len(told[0]) > 1_000


def test_serve_workers_one_that_is_killed_is_named_and_the_others_go_on(task: Path) -> None:
    with (
        serving(task, "--workers", "2", games=4) as (server, ports),
        BaseAgent(HOST, ports[0], "Attacker") as plays,
        BaseAgent(HOST, ports[3], "Attacker") as falls,
    ):
        observation = plays.register()
        assert observation
        assert falls.register()
        worker_on(server, ports[3]).kill()
        assert server.stderr is not None
        report = server.stderr.readline()
        with pytest.raises(ConnectionError):
            falls.request_game_reset()

        action = min(generate_valid_actions(observation.state), key=str)
        assert plays.make_step(action)
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=DEADLINE_S)

    assert f"worker 1 (games 2-3, ports {ports[2]}" in report
    assert "was ended by SIGKILL; the other workers go on" in report
    assert (server.returncode, errors) == (0, "")


def test_serve_workers_that_are_all_killed_end_the_server(task: Path) -> None:
    with serving(task, "--workers", "2", games=2) as (server, ports):
        for worker in [worker_on(server, port) for port in ports]:
            worker.kill()
        _, errors = server.communicate(timeout=DEADLINE_S)

    assert server.returncode == 1
    assert errors.endswith("all games have failed\n")
    assert errors.count("SIGKILL") == 2


def test_serve_workers_one_that_hangs_is_killed_when_the_server_stops(task: Path) -> None:
    with serving(task, "--workers", "2", games=2) as (server, ports):
        worker_on(server, ports[1]).suspend()
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=DEADLINE_S)

    assert server.returncode == 1
    assert f"worker 1 (game 1, port {ports[1]}) did not stop in time and is killed\n" in errors
    assert errors.endswith("\nnot every worker stopped in time\n")


def test_serve_workers_do_not_outlive_a_parent_that_is_killed(task: Path) -> None:
    with (
        serving(task, "--workers", "2", games=2) as (server, ports),
        BaseAgent(HOST, ports[0], "Attacker") as agent,
    ):
        observation = agent.register()
        assert observation
        agent.make_step(min(generate_valid_actions(observation.state), key=str))
        server.kill()
        # Workers write to the same stderr: it ends with the last of them.
        _, errors = server.communicate(timeout=DEADLINE_S)

    assert errors == ""
    # They have stopped in order.
    assert list((task.parent / "logs" / "game_00" / "trajectories").iterdir())


def worker_on(server: subprocess.Popen[str], port: int) -> psutil.Process:
    """The worker of a server that listens on a port."""
    (worker,) = (
        child
        for child in psutil.Process(server.pid).children()
        if any(connection.laddr.port == port for connection in child.net_connections("tcp"))
    )
    return worker


def test_docs_serving_is_played_as_it_says(tmp_path: Path) -> None:
    (command,) = only("serving.md", "sh")
    (program,) = only("serving.md", "python")
    _, _, name, *arguments = shlex.split(command.replace("--game_port 9000", ""))
    games = int(arguments.pop(arguments.index("--games") + 1))
    arguments.remove("--games")
    task = tmp_path / "task.yaml"
    shutil.copyfile(ROOT / "task_configs" / f"{name}.yaml", task)
    with serving(task, *arguments, games=games) as (_, ports):
        played = subprocess.run(
            [sys.executable, "-W", "error", "-c", program.replace("range(9000, 9016)", str(ports))],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    assert played.stderr == ""
    assert len(json.loads(played.stdout)) == games == 16


@pytest.mark.parametrize(("loop", "is_there"), [("asyncio", False), ("uvloop", True)])
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.skipif(sys.platform != "linux", reason="looks at which libraries a process has loaded")
def test_serve_loop_is_the_one_asked_for(
    task: Path, loop: str, workers: str, is_there: bool
) -> None:
    pytest.importorskip("uvloop")
    with serving(task, "--loop", loop, "--workers", workers, games=2) as (server, ports):
        process = psutil.Process(server.pid) if workers == "1" else worker_on(server, ports[1])
        loaded = [mapped.path for mapped in process.memory_maps()]

    assert any("uvloop" in path for path in loaded) is is_there
