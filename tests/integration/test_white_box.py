"""The white box tells every action there can be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from netsecgame.errors import TaskError
from netsecgame.game.generation import write_game
from netsecgame.game.worlds.WhiteBoxNetSecGame import WhiteBoxNetSecGame
from netsecgame.game_components import Action, ActionType
from netsecgame.protocol.messages import decode_request
from tests.integration.server import (
    CLIENT,
    OUTSIDE,
    SERVER,
    WIN,
    block,
    join,
    make_task,
    reset,
    serving,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.server import Serve

ADDRESSES = [SERVER, CLIENT, OUTSIDE, "192.168.1.1", "192.168.2.1"]


async def test_join_lists_every_action_once_sorted_and_in_wire_form(serve: Serve) -> None:
    server = await serve(world=WhiteBoxNetSecGame)
    client = await server.connect()

    told = (await client.ask(join()))["message"]["all_actions"]

    assert isinstance(told, str)
    listed = json.loads(told)
    texts = [json.dumps(item, separators=(",", ":")) for item in listed]
    assert texts == sorted(set(texts))
    kinds: dict[ActionType, int] = {}
    for item, text in zip(listed, texts, strict=True):
        action = Action.from_dict(item)
        assert action == decode_request(text)
        kinds[action.type] = kinds.get(action.type, 0) + 1
    machines, networks, services, data = len(ADDRESSES), 5, 8, 4
    assert kinds == {
        ActionType.ScanNetwork: machines * networks,
        ActionType.FindServices: machines**2,
        ActionType.FindData: machines**2,
        ActionType.ExploitService: machines * services,
        ActionType.ExfiltrateData: machines**2 * data,
        ActionType.BlockIP: machines**3,
    }
    assert WIN in listed
    assert block(SERVER, CLIENT) in listed


async def test_blocks_are_left_out_where_the_world_says_so(tmp_path: Path) -> None:
    async with serving(
        tmp_path, make_task(), WhiteBoxNetSecGame, include_block_action=False
    ) as server:
        client = await server.connect()

        listed = json.loads((await client.ask(join()))["message"]["all_actions"])

    assert WIN in listed
    assert not any("BlockIP" in item["action_type"] for item in listed)


async def test_every_listed_action_is_answered_ok(serve: Serve) -> None:
    server = await serve(make_task(attacker={"goal": {"description": "None."}}), WhiteBoxNetSecGame)
    client = await server.connect()
    listed = json.loads((await client.ask(join()))["message"]["all_actions"])

    client.send(*listed)

    for action in listed:
        assert (await client.reply())["status"] == "GameStatus.OK", action


async def test_list_is_told_at_the_join_alone(serve: Serve) -> None:
    server = await serve(world=WhiteBoxNetSecGame)
    client = await server.join()

    assert "all_actions" not in (await client.ask(reset()))["message"]


async def test_ordinary_world_lists_nothing(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()

    assert "all_actions" not in (await client.ask(join()))["message"]


async def test_white_box_refuses_dynamic_addresses(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="use_dynamic_addresses") as refusal:
        async with serving(tmp_path, make_task(use_dynamic_addresses=True), WhiteBoxNetSecGame):
            pytest.fail("it must not start")

    assert refusal.value.path == "env.use_dynamic_addresses"


async def test_white_box_refuses_a_network_with_too_many_actions(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    write_game(path, networks=4, clients=60, servers=30, seed=1)

    with pytest.raises(TaskError) as refusal:
        async with serving(tmp_path, path, WhiteBoxNetSecGame):
            pytest.fail("it must not start")

    assert refusal.value.path == "env.scenario"
    assert refusal.value.line == text_line(path, "scenario:")
    assert "1,761,965 actions, and the white box lists up to 1,000,000" in str(refusal.value)

    # Without blocks there are half as many.
    async with serving(tmp_path, path, WhiteBoxNetSecGame, include_block_action=False) as server:
        assert server.world.is_listening.is_set()


def text_line(path: Path, beginning: str) -> int:
    """The number of the first line that begins so, whatever its indentation."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(i for i, line in enumerate(lines, 1) if line.strip().startswith(beginning))
