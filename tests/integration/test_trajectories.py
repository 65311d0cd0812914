"""Trajectories on disk: when they are written, under which name, and always whole."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.server import (
    IDLE,
    QUIT,
    WIN,
    make_task,
    reset,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.server import Serve, Server

SAVED = make_task(save_trajectories=True, rewards={"step": -1, "success": 100, "fail": -10})


def stored(folder: Path) -> dict[str, list[Any]]:
    """What the files hold, by what is behind the day in their names; each line must be whole."""
    day = datetime.now().astimezone().date().isoformat()
    found = {}
    for path in sorted((folder / "trajectories").glob("*")):
        text = path.read_text(encoding="utf-8")
        assert text == "" or text.endswith("\n")
        assert path.name.startswith(f"{day}_")
        assert path.suffix == ".jsonl"
        assert path.stat().st_size < 10_000_000
        found[path.stem.removeprefix(f"{day}_")] = [json.loads(line) for line in text.splitlines()]
    return found


async def stored_after_stop(server: Server, folder: Path) -> dict[str, list[Any]]:
    await server.stop()
    return stored(folder)


async def stored_soon(server: Server, folder: Path, lines: int) -> dict[str, list[Any]]:
    """What is stored as soon as there are that many lines, while the server runs."""
    for _ in range(1_000):
        await server.settle()
        found = stored(folder)
        if sum(map(len, found.values())) >= lines:
            return found
    pytest.fail(f"expected {lines} lines, got {found}")


def rewards_in(lines: list[Any]) -> list[list[float]]:
    for line in lines:
        trajectory = line["trajectory"]
        assert len(trajectory["states"]) == len(trajectory["actions"]) + 1
        assert len(trajectory["rewards"]) == len(trajectory["actions"])
    return [line["trajectory"]["rewards"] for line in lines]


async def test_trajectory_is_stored_when_the_episode_ends(serve: Serve) -> None:
    server = await serve(SAVED)
    client = await server.join(name="Nimble")
    replies = [await client.ask(action) for action in (IDLE, WIN)]

    ((name, lines),) = (await stored_soon(server, serve.folder, 1)).items()

    assert name == "Nimble_Attacker"
    (line,) = lines
    assert line["end_reason"] == "AgentStatus.Success"
    assert (line["agent_name"], line["agent_role"]) == ("Nimble", "Attacker")
    assert line["trajectory"]["actions"] == [IDLE, WIN]
    assert line["trajectory"]["rewards"] == [-1, 99]
    states = line["trajectory"]["states"]
    assert states[1:] == [reply["observation"]["state"] for reply in replies]


async def test_each_episode_is_one_line_also_after_a_reset_and_a_stop(serve: Serve) -> None:
    server = await serve(SAVED)
    client = await server.join()
    for _ in range(3):
        for action in (IDLE, WIN, IDLE):  # the last one is forbidden
            await client.ask(action)
        await client.ask(reset(request_trajectory=True))
    await client.ask(IDLE)  # an episode that the stop ends

    found = await stored_after_stop(server, serve.folder)

    assert rewards_in(found["agent_Attacker"]) == [[-1, 99]] * 3 + [[-1]]
    assert found["agent_Attacker"][-1]["end_reason"] is None


async def test_agents_that_leave_are_stored_with_what_they_played(serve: Serve) -> None:
    server = await serve(SAVED)
    quits, drops = await server.join(name="quits"), await server.join(name="drops")
    for client in (quits, drops):
        await client.ask(IDLE)
    await quits.ask(QUIT)
    drops.drop()

    found = await stored_soon(server, serve.folder, 2)

    assert rewards_in(found["quits_Attacker"]) == [[-1]]
    assert rewards_in(found["drops_Attacker"]) == [[-1]]
    assert await stored_after_stop(server, serve.folder) == found


async def test_reset_in_mid_episode_stores_what_was_played(serve: Serve) -> None:
    server = await serve(SAVED)
    client = await server.join()
    await client.ask(IDLE)
    await client.ask(reset())

    found = await stored_after_stop(server, serve.folder)

    assert rewards_in(found["agent_Attacker"]) == [[-1]]


async def test_episode_without_an_action_is_not_stored(serve: Serve) -> None:
    server = await serve(SAVED)
    client, other = await server.join(), await server.join("Defender")
    for _ in range(2):
        client.send(reset(request_trajectory=True))
        await other.ask(reset())
        await client.reply()
    await other.ask(QUIT)

    assert await stored_after_stop(server, serve.folder) == {}


async def test_task_that_does_not_ask_for_it_stores_nothing(serve: Serve) -> None:
    server = await serve(make_task())
    client = await server.join()
    await client.ask(WIN)
    await client.ask(reset(request_trajectory=True))

    assert await stored_after_stop(server, serve.folder) == {}


async def test_final_rewards_of_all_roles_are_in_their_last_step(serve: Serve) -> None:
    server = await serve(SAVED)
    attacker = await server.join()
    others = [await server.join("Defender"), await server.join("Benign")]
    for client in others:
        await client.ask(IDLE)
    await attacker.ask(WIN)
    for client in others:
        await client.ask(IDLE)

    found = await stored_after_stop(server, serve.folder)

    assert rewards_in(found["agent_Attacker"]) == [[99]]
    assert rewards_in(found["agent_Defender"]) == [[-1, -11]]
    assert rewards_in(found["agent_Benign"]) == [[-1, -1]]
    assert found["agent_Defender"][0]["end_reason"] == "AgentStatus.Fail"


async def test_agents_of_one_name_and_role_share_a_file_of_whole_lines(serve: Serve) -> None:
    server = await serve(SAVED)
    clients = [await server.join(name="Twin") for _ in range(2)]
    for _ in range(20):
        clients[0].send(WIN, reset())
        clients[1].send(WIN, reset())
        for client in clients:
            statuses = [(await client.reply())["status"] for _ in range(2)]
            assert statuses == ["GameStatus.OK", "GameStatus.RESET_DONE"]

    found = await stored_after_stop(server, serve.folder)

    assert rewards_in(found["Twin_Attacker"]) == [[99]] * 40


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../etc/passwd", "etcpasswd"),
        ("a b/c\\d:e*f?\x00\n", "abcdef"),
        ("x" * 500, "x" * 200),
        ("Čeněk_7-ß", "enk_7-"),
        ("GEOFF", "GEOFF"),
    ],
)
async def test_agent_name_is_cleaned_before_it_names_a_file(
    serve: Serve, name: str, expected: str
) -> None:
    server = await serve(SAVED)
    client = await server.join(name=name)
    await client.ask(WIN)

    found = await stored_after_stop(server, serve.folder)

    assert list(found) == [f"{expected}_Attacker"]
    assert found[f"{expected}_Attacker"][0]["agent_name"] == expected
    assert sorted(p.name for p in serve.folder.iterdir()) == [
        server.task_file.name,
        "trajectories",
    ]


@pytest.mark.parametrize("name", ["", "   ", "../..", "ß\U0001f600"])
async def test_agent_name_without_a_usable_letter_is_replaced(serve: Serve, name: str) -> None:
    server = await serve(SAVED)
    client = await server.join(name=name)
    await client.ask(WIN)

    (found,) = await stored_after_stop(server, serve.folder)

    head, digits, role = found.split("_")
    assert (head, role) == ("agent", "Attacker")
    assert len(digits) == 8
    int(digits, 16)


async def test_folder_that_cannot_be_written_does_not_stop_the_game(serve: Serve) -> None:
    (serve.folder / "file").write_text("not a folder")
    server = await serve(SAVED, trajectory_dir=serve.folder / "file" / "trajectories")
    client = await server.join()
    for _ in range(3):
        assert (await client.ask(WIN))["observation"]["reward"] == 99
        assert (await client.ask(reset()))["status"] == "GameStatus.RESET_DONE"

    await server.stop()

    assert "could not store trajectories" in server.errors[0]
    server.errors.clear()
