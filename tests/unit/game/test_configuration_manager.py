from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.errors import ConfigurationError
from netsecgame.game.configuration_manager import ConfigurationManager
from netsecgame.game_components import AgentRole
from tests.unit.game.test_config_parser import VALUES

if TYPE_CHECKING:
    from collections.abc import Iterator

TASK_FILE = Path(__file__).resolve().parents[3] / "task_configs" / "scenario1.yaml"


@contextmanager
def service(answer: bytes) -> Iterator[int]:
    """Something that answers one HTTP request after another with these bytes; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            self.request.sendall(answer)

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def ok(body: bytes) -> bytes:
    return b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


async def test_load_from_a_service_has_its_task() -> None:
    with service(ok(json.dumps(VALUES).encode())) as port:
        manager = ConfigurationManager(TASK_FILE, "127.0.0.1", port)
        await manager.load()

    assert manager.get_scenario() == "two_networks_tiny"
    assert manager.get_all_max_steps()[AgentRole.Attacker] == 25
    assert manager.get_all_goal_descriptions()[AgentRole.Attacker] == "Steal."
    assert manager.get_all_win_conditions()[AgentRole.Defender]["known_hosts"] == []
    assert "random" in manager.get_all_starting_positions()[AgentRole.Attacker]["controlled_hosts"]


@pytest.mark.parametrize(
    "answer",
    [
        b"hello world",
        b"",
        b"HTTP/1.0 404 Not Found\r\n\r\n",
        ok(b"[" * 100_000),
        ok(b'{"a": "\xff"}'),
        ok(b"[1, 2]"),
        ok(b'{"coordinator": {}}'),
    ],
    ids=["no http", "nothing", "404", "deep", "no utf-8", "list", "no task"],
)
async def test_load_from_a_service_that_fails_falls_back_to_the_file(
    answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with service(answer) as port:
        manager = ConfigurationManager(TASK_FILE, "127.0.0.1", port)
        await manager.load()

        assert manager.get_scenario() == "scenario1"
        assert f"no task from http://127.0.0.1:{port}/" in caplog.text

        with pytest.raises(ConfigurationError, match="no task from http"):
            await ConfigurationManager(None, "127.0.0.1", port).load()


async def test_load_without_a_source_says_so() -> None:
    with pytest.raises(ValueError, match="Task configuration source not specified"):
        await ConfigurationManager().load()


def test_getters_before_load_say_so() -> None:
    with pytest.raises(RuntimeError, match="not been loaded"):
        ConfigurationManager(TASK_FILE).get_scenario()


def test_attribute_that_is_no_getter_does_not_exist() -> None:
    with pytest.raises(AttributeError, match="no attribute 'get_moon'"):
        ConfigurationManager(TASK_FILE).get_moon()


async def test_config_hash_differs_by_task_and_scenario() -> None:
    hashes = set()
    for path in sorted(TASK_FILE.parent.glob("*.yaml")):
        manager = ConfigurationManager(path)
        await manager.load()
        hashes.add(manager.get_config_hash())
        assert len(manager.get_config_hash()) == 64

    assert len(hashes) == len(list(TASK_FILE.parent.glob("*.yaml")))


async def test_topology_is_compiled_once_a_task() -> None:
    manager = ConfigurationManager(TASK_FILE)
    await manager.load()
    topology, config_hash = manager.topology, manager.get_config_hash()

    assert manager.topology is topology

    await manager.load()

    assert manager.topology is not topology
    assert manager.topology == topology
    assert manager.get_config_hash() == config_hash


@pytest.mark.parametrize(
    ("in_task", "given", "chosen"), [({"random_seed": 5}, None, 5), ({}, None, 42), ({}, 7, 7)]
)
async def test_choose_seed_is_the_given_one_else_that_of_the_task(
    in_task: dict[str, int], given: int | None, chosen: int, tmp_path: Path
) -> None:
    manager = await manager_of(tmp_path, in_task)

    assert manager.choose_seed(given) == chosen


async def test_choose_seed_of_a_random_task_is_drawn_every_time(tmp_path: Path) -> None:
    manager = await manager_of(tmp_path, {"random_seed": "random"})

    assert manager.choose_seed(7) == 7
    assert len({manager.choose_seed(None) for _ in range(5)}) > 1


async def manager_of(folder: Path, env: dict[str, Any]) -> ConfigurationManager:
    """One that has loaded a task with these values in `env`."""
    task = folder / "task.json"  # JSON is YAML
    task.write_text(json.dumps({**VALUES, "env": {"scenario": "two_networks_tiny", **env}}))
    manager = ConfigurationManager(task)
    await manager.load()
    return manager


async def test_error_of_a_task_from_a_file_has_its_line() -> None:
    manager = ConfigurationManager(TASK_FILE)
    await manager.load()

    error = manager.error(("env", "scenario"), "is odd")

    assert error.source == str(TASK_FILE)
    assert error.line is not None
    assert str(error).endswith(": env.scenario: is odd")
