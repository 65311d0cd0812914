"""Whatever a peer sends: every message gets its answer, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netsecgame.protocol import Limits
from tests.integration.sandbox import Sandbox
from tests.integration.server import (
    CLIENT,
    HOST,
    IDLE,
    NONSENSE,
    OUTSIDE,
    QUIT,
    SERVER,
    SERVERS,
    WIN,
    Client,
    ClosedError,
    act,
    block,
    join,
    make_task,
    message,
    reset,
    scan,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.integration.server import Message, Serve, Server

pytestmark = pytest.mark.both_loops

STATUSES = {
    "GameStatus.OK",
    "GameStatus.CREATED",
    "GameStatus.RESET_DONE",
    "GameStatus.BAD_REQUEST",
    "GameStatus.FORBIDDEN",
}
BAD, OK = "GameStatus.BAD_REQUEST", "GameStatus.OK"


def check_refusal(reply: Mapping[str, Any], to_agent: list[Any]) -> None:
    assert reply["to_agent"] == to_agent
    assert reply["status"] == BAD
    assert reply["observation"] is None
    told = reply["message"]["message"]
    assert told.startswith("Bad request received: ")
    assert told.isprintable()
    assert len(told) < 1_000


# --- one wrong message ----------------------------------------------------------------------------

WRONG: list[tuple[Message | bytes, str]] = [
    (b"{}", "action_type"),
    (b"[]", "expected an object"),
    (b"null ", "expected an object"),
    (b'"JoinGame"', "expected an object"),
    (b"17 ", "expected an object"),
    (b'{"action_type": "ActionType.JoinGame" "parameters": {}}', "not valid JSON"),
    (b'{"action_type": "\xff\xfe"}', "UTF-8"),
    (b'{"action_type": NaN}', "not valid JSON"),
    (b'{"action_type": 1}', "action_type"),
    ({"action_type": "ActionType.Join"}, "did you mean 'JoinGame'?"),
    ({"action_type": "scannetwork"}, "did you mean 'ScanNetwork'?"),
    ({**IDLE, "extra": 1}, "extra"),
    ({**IDLE, "parameters": []}, "parameters"),
    (message("ScanNetwork"), "parameters."),
    (message("ScanNetwork", target_network=SERVERS), "parameters.source_host"),
    (scan(CLIENT, {"ip": "192.168.1.0"}), "parameters.target_network.mask"),
    (scan(CLIENT, {"ip": "192.168.1.0", "mask": 33}), "parameters.target_network.mask"),
    (scan(CLIENT, {"ip": "192.168.1.0", "mask": "24"}), "parameters.target_network.mask"),
    (scan(CLIENT, {"ip": "192.168.1.0", "mask": True}), "parameters.target_network.mask"),
    (scan("192.168.1", SERVERS), "parameters.source_host.ip"),
    (scan("0xC0A80101", SERVERS), "parameters.source_host.ip"),
    (scan("::1", SERVERS), "parameters.source_host.ip"),
    (act("FindData", CLIENT, CLIENT, target_network=SERVERS), "target_network"),
    (act("ExploitService", CLIENT, SERVER), "parameters.target_service"),
    (act("ExploitService", CLIENT, SERVER, target_service={}), "parameters.target_service.name"),
    (
        act("ExploitService", CLIENT, SERVER, target_service={"name": "ssh", "is_local": "no"}),
        "parameters.target_service.is_local",
    ),
    (act("ExfiltrateData", CLIENT, OUTSIDE, data={"owner": "User1"}), "parameters.data.id"),
    (
        act("ExfiltrateData", CLIENT, OUTSIDE, data={"owner": "U", "id": "x", "size": -1}),
        "parameters.data.size",
    ),
    (act("BlockIP", CLIENT, CLIENT), "parameters.blocked_host"),
    (act("BlockIP", CLIENT, CLIENT, blocked_host={"ip": None}), "parameters.blocked_host.ip"),
    (message("JoinGame", agent_info={"name": "x"}), "parameters.agent_info.role"),
    (message("JoinGame", agent_info={"name": 7, "role": "Attacker"}), "parameters.agent_info.name"),
    (message("QuitGame", now=True), "now"),
    (reset(seed=[]), "parameters.seed"),
]


async def test_wrong_message_is_refused_by_field_and_costs_nothing(serve: Serve) -> None:
    server = await serve(make_task(attacker={"max_steps": 2}))
    client = await server.join()
    for wrong, named in WRONG:
        refused = await client.ask(wrong)
        check_refusal(refused, client.address)
        assert named in refused["message"]["message"], wrong

    assert not (await client.ask(IDLE))["observation"]["end"]
    assert (await client.ask(WIN))["observation"]["end"]


@pytest.mark.parametrize(
    "extra", [{"blocked_ip": {"ip": SERVER}}, {"blocked_host": {"ip": SERVER}}]
)
async def test_block_takes_either_name_of_its_parameter(
    serve: Serve, extra: dict[str, Any]
) -> None:
    server = await serve()
    await server.join()
    defender = await server.join("Defender")

    blocked = await defender.ask(act("BlockIP", CLIENT, CLIENT, **extra))

    assert blocked["observation"]["state"]["known_blocks"][CLIENT] == [{"ip": SERVER}]


async def test_action_type_without_its_prefix_is_taken(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()

    assert (await client.ask({**join(), "action_type": "JoinGame"}))["message"]["max_steps"] is None
    assert (await client.ask({**WIN, "action_type": "ScanNetwork"}))["observation"]["end"]


# --- limits ---------------------------------------------------------------------------------------

LONG_STRING = b'{"action_type": "' + b"x" * 65_536
MANY_KEYS = b'{"a": 1, ' * 8_000


@pytest.mark.parametrize(
    ("flood", "told"),
    [
        (LONG_STRING, "message is longer than 65536 bytes"),
        (LONG_STRING + b'"}' + json.dumps(IDLE).encode(), "message is longer than 65536 bytes"),
        (b"[" * 33, "message is nested more than 32 levels deep"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "message is nested more than 32 levels deep"),
        (LONG_STRING + b"x" * 10_000_000, "message is longer than 65536 bytes"),
        (b"[" * 10_000_000, "message is nested more than 32 levels deep"),
    ],
    ids=["long", "long but whole", "deep", "deep but whole", "10 MB", "10 MB deep"],
)
async def test_message_beyond_a_limit_is_answered_then_closed(
    serve: Serve, flood: bytes, told: str
) -> None:
    server = await serve()
    client, other = await server.join(), await server.join()

    await client.send_all(flood)

    refused = await client.reply()
    check_refusal(refused, client.address)
    assert refused["message"]["message"] == f"Bad request received: {told}"
    with pytest.raises(ClosedError):
        await client.reply()
    assert list(server.world.agents) == [other.peer]


async def test_number_without_an_end_is_answered_once_and_skipped(serve: Serve) -> None:
    server = await serve()
    client = await server.join()

    await client.send_all(b"1" * 10_000_000, IDLE)

    check_refusal(await client.reply(), client.address)
    assert (await client.reply())["status"] == OK


async def test_message_as_long_and_deep_as_allowed_is_read(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    name = "x" * (65_536 - len(json.dumps(join(name=""))))

    assert (await client.ask(join(name=name)))["status"] == "GameStatus.CREATED"
    check_refusal(await client.ask(b"[" * 32 + b"]" * 32), client.address)
    assert (await client.ask(IDLE))["status"] == OK


async def test_limit_of_the_message_size_is_an_option(serve: Serve) -> None:
    server = await serve(limits=Limits(max_message_bytes=100, max_backlog_bytes=200))
    client = await server.connect()

    refused = await client.ask(join(name="x" * 100))

    assert "longer than 100 bytes" in refused["message"]["message"]


async def test_message_that_does_not_end_in_time_is_told_and_closed(serve: Serve) -> None:
    server = await serve(message_timeout_s=0.05)
    idle, stalls = await server.join(), await server.join()
    stalls.send(b'{"action_type": ')

    refused = await stalls.reply()

    check_refusal(refused, stalls.address)
    assert "not complete after 0.05 s" in refused["message"]["message"]
    with pytest.raises(ClosedError):
        await stalls.reply()
    assert list(server.world.agents) == [idle.peer]
    assert (await idle.ask(WIN))["observation"]["end"]


async def test_message_time_limit_does_not_run_while_a_reply_waits_for_others(
    serve: Serve,
) -> None:
    server = await serve(make_task(required_players=2), message_timeout_s=0.05)
    client = await server.join_later()
    stalls = await server.connect()
    head, tail = b'{"action_type": ', b'"x"}'
    client.send(head)
    stalls.send(head)
    assert "in time" not in (await stalls.reply())["message"]["message"]  # the limit has passed

    client.send(tail)
    await server.join()

    assert (await client.reply())["status"] == "GameStatus.CREATED"
    check_refusal(await client.reply(), client.address)


async def test_peer_that_floods_while_its_reply_waits_is_told_and_makes_room(serve: Serve) -> None:
    server = await serve(make_task(required_players=2))
    client = await server.join_later()

    await client.send_all(json.dumps(IDLE).encode() * 5_000)

    refused = await client.reply()
    check_refusal(refused, client.address)
    assert "too much was sent" in refused["message"]["message"]
    with pytest.raises(ClosedError):
        await client.reply()
    assert server.world.agents == {}


async def test_peer_that_floods_while_its_final_reward_waits_is_told_and_makes_room(
    serve: Serve,
) -> None:
    server = await serve()
    plays, wins = await server.join(), await server.join()
    wins.send(json.dumps(WIN).encode())  # its last reply waits for the other attacker
    await server.settle()

    await wins.send_all(json.dumps(IDLE).encode() * 5_000)

    refused = await wins.reply()
    check_refusal(refused, wins.address)
    assert "too much was sent" in refused["message"]["message"]
    with pytest.raises(ClosedError):
        await wins.reply()
    assert list(server.world.agents) == [plays.peer]


async def test_peer_that_drops_behind_a_flood_while_its_reply_waits_is_forgotten(
    serve: Serve,
) -> None:
    server = await serve()
    waits, floods = await server.join(), await server.join()
    floods.send(reset(seed=1), json.dumps(IDLE).encode() * 5_000)
    await server.settle()
    floods.drop()
    await server.settle()

    assert list(server.world.agents) == [waits.peer]
    assert (await waits.ask(reset(seed=2)))["status"] == "GameStatus.RESET_DONE"


async def test_pipelined_game_longer_than_the_backlog_is_answered_whole(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()

    in_vain = scan(CLIENT, {"ip": "10.0.0.0", "mask": 8})
    await client.send_all(json.dumps(join()).encode() + json.dumps(in_vain).encode() * 5_000)

    assert (await client.reply())["status"] == "GameStatus.CREATED"
    for _ in range(5_000):
        assert (await client.reply())["status"] == OK


# --- chunks ---------------------------------------------------------------------------------------

GAME: list[Message | bytes] = [
    join(name='Käthe "{[}]\\'),
    IDLE,
    NONSENSE,
    b"garbage ",
    scan(CLIENT, {"ip": "192.168.2.0", "mask": 24}),
    WIN,
    IDLE,
    reset(request_trajectory=True),
    b" \r\n\t",
    QUIT,
]
GAME_STATUSES = [
    "GameStatus.CREATED",
    OK,
    BAD,
    BAD,
    OK,
    OK,
    "GameStatus.FORBIDDEN",
    "GameStatus.RESET_DONE",
    OK,
]


def as_bytes(messages: list[Message | bytes]) -> bytes:
    # Not escaped: letters of more than one byte are cut in half too.
    return b"".join(
        m if isinstance(m, bytes) else json.dumps(m, ensure_ascii=False).encode() for m in messages
    )


@pytest.mark.parametrize("size", [1, 2, 7, 100, 1_000_000])
async def test_conversation_in_chunks_of_any_size_gives_the_same_replies(
    serve: Serve, size: int
) -> None:
    server = await serve()
    client = await server.connect()
    data = as_bytes(GAME)

    for start in range(0, len(data), size):
        client.send(data[start : start + size])
        await asyncio.sleep(0)  # each chunk a segment of its own

    assert [(await client.reply())["status"] for _ in GAME_STATUSES] == GAME_STATUSES
    with pytest.raises(ClosedError):
        await client.reply()


async def test_thousand_pipelined_messages_are_answered_in_order(serve: Serve) -> None:
    server = await serve()
    client = await server.join()

    client.send(*(message(f"Number{number}") for number in range(1_000)))

    for number in range(1_000):
        refused = await client.reply()
        assert f"'Number{number}'" in refused["message"]["message"]


# --- anything at all ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def lone_server(sandbox: Sandbox) -> Server:
    """One server for many examples."""
    return sandbox.serve(make_task(attacker={"max_steps": 20}))


async def converse(server: Server, chunks: list[bytes]) -> list[dict[str, Any]]:
    """All replies to what is sent before the peer closes its side.

    Meanwhile somebody else joins, plays and leaves.
    """
    client = await Client.connect(server.world.port)
    for chunk in chunks:
        client.send(chunk)
        await asyncio.sleep(0)
    client.end_input()
    replies = await client.all_replies()
    client.drop()
    witness = await server.join()
    assert (await witness.ask(WIN))["observation"]["end"]
    await witness.ask(QUIT)
    await server.settle()
    assert server.world.agents == {}
    return replies


def bounded(examples: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


def cut(data: bytes, at: list[int]) -> list[bytes]:
    ends = sorted({0, len(data), *(position for position in at if position < len(data))})
    return [data[a:b] for a, b in pairwise(ends)]


@bounded(100)
@given(data=st.binary(max_size=300), at=st.lists(st.integers(0, 300), max_size=4))
def test_any_bytes_are_survived(
    sandbox: Sandbox, lone_server: Server, data: bytes, at: list[int]
) -> None:
    for reply in sandbox.run(converse(lone_server, cut(data, at))):
        assert reply["status"] in STATUSES


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
shapes = st.fixed_dictionaries(
    {},
    optional={
        "action_type": st.sampled_from([str(m["action_type"]) for m in (WIN, IDLE, QUIT, join())])
        | json_values,
        "parameters": st.fixed_dictionaries(
            {},
            optional={
                name: json_values
                | st.fixed_dictionaries({"ip": st.just(CLIENT) | json_values})
                | st.fixed_dictionaries({"ip": st.just("10.0.0.0"), "mask": json_values})
                | st.fixed_dictionaries({"name": json_values, "role": json_values})
                for name in ("source_host", "target_host", "target_network", "agent_info", "seed")
            },
        )
        | json_values,
    },
)


@bounded(100)
@given(values=st.lists(json_values.filter(lambda v: isinstance(v, list | dict)) | shapes))
def test_any_json_gets_one_reply_for_each_value(
    sandbox: Sandbox, lone_server: Server, values: list[Any]
) -> None:
    data = b"".join(json.dumps(value).encode() for value in values)

    replies = sandbox.run(converse(lone_server, [data]))

    quits = [
        i
        for i, v in enumerate(values)
        if isinstance(v, dict)
        and v.get("action_type") == "ActionType.QuitGame"
        and v.get("parameters", {}) == {}
    ]
    assert len(replies) == (quits[0] + 1 if quits else len(values))
    for reply in replies:
        assert reply["status"] in STATUSES


valid_messages = st.sampled_from(
    [
        join(),
        join("Benign"),
        join("Defender", "x"),
        QUIT,
        reset(),
        reset(seed=4, request_trajectory=True),
        WIN,
        IDLE,
        act("FindServices", CLIENT, SERVER),
        act("ExploitService", CLIENT, SERVER, target_service={"name": "microsoft-ds"}),
        act("ExfiltrateData", CLIENT, OUTSIDE, data={"owner": "User1", "id": "DataFromServer1"}),
        block(CLIENT, OUTSIDE),
    ]
)


@bounded(100)
@given(messages=st.lists(valid_messages, max_size=30), at=st.lists(st.integers(0, 3_000)))
def test_valid_messages_in_any_state_get_their_replies(
    sandbox: Sandbox, lone_server: Server, messages: list[Message], at: list[int]
) -> None:
    data = as_bytes(list(messages))

    replies = sandbox.run(converse(lone_server, cut(data, at)))

    assert [r["status"] for r in replies] == expected_statuses(messages)


def expected_statuses(messages: list[Message]) -> list[str]:
    """What a lone agent is told that has hung up behind its last message."""
    role = ""
    steps = 0
    has_won = False
    told: list[str] = []
    for question in messages:
        kind = question["action_type"].removeprefix("ActionType.")
        if kind == "QuitGame":
            return [*told, OK]
        if kind == "JoinGame":
            if not role:
                role = question["parameters"]["agent_info"]["role"]
                if role != "Attacker":
                    return [*told, OK]  # it would wait for an attacker: it leaves
                told.append("GameStatus.CREATED")
            else:
                told.append(BAD)
        elif not role:
            told.append(BAD)
        elif kind == "ResetGame":
            steps, has_won = 0, False
            told.append("GameStatus.RESET_DONE")
        elif has_won or steps >= 20:
            told.append("GameStatus.FORBIDDEN")
        else:
            steps += 1
            has_won = question == WIN
            told.append(OK)
    return told


# --- peers that do not do their part --------------------------------------------------------------


async def test_reader_of_asyncio_streams_gets_the_same(serve: Serve) -> None:
    """The simplest client there is, as people write it."""
    server = await serve()
    reader, writer = await asyncio.open_connection(HOST, server.world.port)

    writer.write(as_bytes([join(), WIN]))
    replies = [await reader.readuntil(b"EOF") for _ in range(2)]

    assert [json.loads(reply[:-3])["status"] for reply in replies] == ["GameStatus.CREATED", OK]
    writer.close()
    await writer.wait_closed()
