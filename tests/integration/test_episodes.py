"""Playing an episode to its end: rewards, who learns of the end and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.server import (
    CLIENT,
    IDLE,
    QUIT,
    SERVER,
    SERVERS,
    WIN,
    act,
    block,
    make_task,
    reset,
    scan,
)

if TYPE_CHECKING:
    from tests.integration.server import Client, Message, Reply, Serve, Server

REWARDS = {"success": 100, "step": -1, "fail": -10, "false_positive": -5}

#: Makes the global defender notice any scan once its window is full.
SURE_DETECTION = {"window": 2, "scan_network": {"probability": 1.0, "min_share": 0, "min_run": 1}}


async def outcome(client: Client, action: Message) -> tuple[Any, ...]:
    """Status, reward and reason of the end (None if it goes on) of one action."""
    return outcome_of(await client.ask(action))


def outcome_of(reply: Reply) -> tuple[Any, ...]:
    observation = reply["observation"]
    assert observation["end"] == bool(observation["info"])
    return reply["status"], observation["reward"], observation["info"].get("end_reason")


def ok(reward: float, end_reason: str | None = None) -> tuple[Any, ...]:
    reason = None if end_reason is None else f"AgentStatus.{end_reason}"
    return "GameStatus.OK", reward, reason


async def test_action_reply_carries_state_and_step_reward(serve: Serve) -> None:
    server = await serve(make_task(rewards=REWARDS))
    client = await server.join()

    reply = await client.ask(IDLE)

    assert list(reply) == ["to_agent", "status", "observation"]
    assert reply["to_agent"] == client.address
    assert outcome_of(reply) == ok(-1)
    log = reply["observation"]["state"]["known_data"][CLIENT]
    assert [datum["id"] for datum in log] == ["logfile"]


async def test_attacker_reaching_its_goal_gets_success_on_top_of_the_step(serve: Serve) -> None:
    server = await serve(make_task(rewards=REWARDS))
    client = await server.join()

    reply = await client.ask(WIN)

    assert outcome_of(reply) == ok(99, "Success")
    assert {"ip": SERVER} in reply["observation"]["state"]["known_hosts"]


@pytest.mark.parametrize("action", [IDLE, WIN], ids=["idle", "win"])
async def test_action_after_the_end_is_forbidden_with_the_last_observation(
    serve: Serve, action: Message
) -> None:
    server = await serve(make_task(rewards=REWARDS))
    client = await server.join()
    last = (await client.ask(WIN))["observation"]

    for _ in range(3):
        late = await client.ask(action)
        assert late["status"] == "GameStatus.FORBIDDEN"
        assert late["observation"] == last
        assert list(late["observation"]["info"]) == ["end_reason", "info"]


async def test_attacker_out_of_steps_fails(serve: Serve) -> None:
    server = await serve(make_task(attacker={"max_steps": 3}, rewards=REWARDS))
    client = await server.join()

    played = [await outcome(client, IDLE) for _ in range(4)]

    assert played[:3] == [ok(-1), ok(-1), ok(-11, "TimeoutReached")]
    assert played[3] == ("GameStatus.FORBIDDEN", -11, "AgentStatus.TimeoutReached")


async def test_attacker_winning_with_its_last_step_has_won(serve: Serve) -> None:
    server = await serve(make_task(attacker={"max_steps": 2}, rewards=REWARDS))
    client = await server.join()
    await client.ask(IDLE)

    assert await outcome(client, WIN) == ok(99, "Success")


@pytest.mark.parametrize(
    "wrong",
    [
        act("FindData", "192.168.9.9", CLIENT),
        act("FindData", CLIENT, "10.1.1.1"),
        scan(CLIENT, {"ip": "10.0.0.0", "mask": 8}),
    ],
    ids=["not controlled", "no such host", "empty network"],
)
async def test_action_that_fails_costs_a_step_and_changes_nothing(
    serve: Serve, wrong: Message
) -> None:
    server = await serve(make_task(attacker={"max_steps": 2}, rewards=REWARDS))
    client = await server.join()
    before = (await client.ask(IDLE))["observation"]["state"]

    reply = await client.ask(wrong)

    assert outcome_of(reply) == ok(-11, "TimeoutReached")
    assert reply["observation"]["state"] == before


async def test_bad_request_costs_no_step(serve: Serve) -> None:
    server = await serve(make_task(attacker={"max_steps": 2}, rewards=REWARDS))
    client = await server.join()
    for _ in range(5):
        refused = await client.ask(act("FindData", CLIENT, "192.168.1.256"))
        assert refused["status"] == "GameStatus.BAD_REQUEST"
        assert "parameters.target_host.ip" in refused["message"]["message"]
        assert refused["observation"] is None

    assert await outcome(client, IDLE) == ok(-1)
    assert await outcome(client, WIN) == ok(99, "Success")


# --- the end for the others -----------------------------------------------------------------------


async def test_first_attacker_to_end_waits_until_the_last_one_has(serve: Serve) -> None:
    server = await serve(make_task(rewards=REWARDS))
    first, second = await server.join(), await server.join()
    first.send(WIN)
    await server.settle()
    assert not first.has_reply

    assert await outcome(second, WIN) == ok(99, "Success")
    assert outcome_of(await first.reply()) == ok(99, "Success")


async def test_attacker_out_of_steps_fails_although_another_one_wins(serve: Serve) -> None:
    server = await serve(make_task(attacker={"max_steps": 1}, rewards=REWARDS))
    first, second = await server.join(), await server.join()
    first.send(IDLE)
    await server.settle()

    assert await outcome(second, WIN) == ok(99, "Success")
    assert outcome_of(await first.reply()) == ok(-11, "TimeoutReached")


async def end_by_ending(attacker: Client) -> None:
    await attacker.ask(WIN)


async def end_by_quitting(attacker: Client) -> None:
    await attacker.ask(QUIT)


async def end_by_dropping(attacker: Client) -> None:
    attacker.drop()


async def end_by_closing_its_side(attacker: Client) -> None:
    attacker.end_input()


async def end_by_asking_for_a_reset(attacker: Client) -> None:
    attacker.send(reset())


async def end_by_breaking_the_protocol(attacker: Client) -> None:
    await attacker.ask(b"[" * 100)


ENDS = [
    end_by_ending,
    end_by_quitting,
    end_by_dropping,
    end_by_closing_its_side,
    end_by_asking_for_a_reset,
    end_by_breaking_the_protocol,
]


@pytest.mark.parametrize("end", ENDS)
async def test_held_back_reply_comes_when_the_last_attacker_is_done(serve: Serve, end: Any) -> None:
    server = await serve(make_task(attacker={"max_steps": 3}, rewards=REWARDS))
    first, last = await server.join(), await server.join()
    for _ in range(2):
        await first.ask(IDLE)
    first.send(IDLE)
    await server.settle()
    assert not first.has_reply

    await end(last)

    assert outcome_of(await first.reply()) == ok(-11, "TimeoutReached")


@pytest.mark.parametrize("end", ENDS)
async def test_held_back_reply_of_a_defender_comes_when_the_last_attacker_is_done(
    serve: Serve, end: Any
) -> None:
    server = await serve(make_task(defender={"max_steps": 1}, rewards=REWARDS))
    attacker, defender = await server.join(), await server.join("Defender")
    defender.send(IDLE)
    await server.settle()
    assert not defender.has_reply

    await end(attacker)

    expected = ok(-11, "Fail") if end is end_by_ending else ok(99, "Success")
    assert outcome_of(await defender.reply()) == expected


@pytest.mark.parametrize("end", ENDS)
async def test_defender_learns_of_the_end_in_the_reply_to_its_next_action(
    serve: Serve, end: Any
) -> None:
    server = await serve(make_task(rewards=REWARDS))
    attacker, defender = await server.join(), await server.join("Defender")
    assert await outcome(defender, IDLE) == ok(-1)

    await end(attacker)
    await server.settle()
    assert not defender.has_reply
    reply = await defender.ask(block(CLIENT, SERVER))

    expected = ok(-11, "Fail") if end is end_by_ending else ok(99, "Success")
    assert outcome_of(reply) == expected
    # The action was still carried out.
    assert reply["observation"]["state"]["known_blocks"][CLIENT] == [{"ip": SERVER}]
    assert (await outcome(defender, IDLE))[0] == "GameStatus.FORBIDDEN"


async def test_benign_agent_learns_of_the_end_and_gets_the_step_reward_alone(serve: Serve) -> None:
    server = await serve(make_task(rewards=REWARDS))
    attacker, benign = await server.join(), await server.join("Benign")
    assert await outcome(benign, IDLE) == ok(-1)
    await attacker.ask(WIN)

    assert await outcome(benign, IDLE) == ok(-1, "TimeoutReached")
    assert (await outcome(benign, IDLE))[0] == "GameStatus.FORBIDDEN"


async def test_defender_without_a_goal_plays_on_until_the_attackers_are_done(serve: Serve) -> None:
    server = await serve(make_task(rewards=REWARDS))
    await server.join()
    defender = await server.join("Defender")

    for _ in range(30):
        assert await outcome(defender, IDLE) == ok(-1)


async def test_defender_reaching_its_goal_waits_for_the_attackers(serve: Serve) -> None:
    goal = {"description": "Block it.", "known_blocks": {SERVER: "all_attackers"}}
    server = await serve(make_task(defender={"goal": goal}, rewards=REWARDS))
    attacker, defender = await server.join(), await server.join("Defender")
    assert await outcome(defender, block(SERVER, CLIENT)) == ok(-1)
    defender.send(block(SERVER, "213.47.23.195"))  # the attacker's other machine
    await server.settle()
    assert not defender.has_reply

    attacker.drop()

    assert outcome_of(await defender.reply()) == ok(99, "Success")


async def test_defender_pays_for_false_positives_at_the_end(serve: Serve) -> None:
    server = await serve(make_task(rewards=REWARDS))
    attacker = await server.join()
    defender, benign = await server.join("Defender"), await server.join("Benign")
    assert await outcome(defender, block(SERVER, CLIENT)) == ok(-1)
    for refused in (act("FindServices", CLIENT, SERVER), scan(CLIENT, SERVERS)):
        await benign.ask(refused)
    await attacker.ask(WIN)  # fails by the same block, which is no false positive
    await attacker.ask(QUIT)

    assert await outcome(defender, IDLE) == ok(-1 + 100 - 2 * 5, "Success")


async def test_block_between_the_attacker_and_its_target_holds_and_is_seen(serve: Serve) -> None:
    server = await serve(make_task(rewards=REWARDS))
    attacker, defender = await server.join(), await server.join("Defender")
    await defender.ask(block(SERVER, CLIENT))

    reply = await attacker.ask(WIN)

    assert outcome_of(reply) == ok(-1)
    seen = await attacker.ask(IDLE)
    assert seen["observation"]["state"]["known_blocks"] == {CLIENT: [{"ip": SERVER}]}


async def test_late_attacker_plays_on_after_the_episode_was_over(serve: Serve) -> None:
    server = await serve(make_task(rewards=REWARDS))
    attacker, defender = await server.join(), await server.join("Defender")
    await attacker.ask(WIN)
    late = await server.join()

    assert await outcome(late, IDLE) == ok(-1)
    assert await outcome(defender, IDLE) == ok(-11, "Fail")  # it was over for that one
    assert await outcome(late, WIN) == ok(99, "Success")


async def test_late_defender_in_an_episode_that_is_over_learns_it_at_once(serve: Serve) -> None:
    server = await serve(make_task(rewards=REWARDS))
    attacker = await server.join()
    await attacker.ask(WIN)
    late = await server.join("Defender")

    assert await outcome(late, IDLE) == ok(-11, "Fail")


# --- the global defender --------------------------------------------------------------------------


async def test_global_defender_ends_the_attacker_it_detects(serve: Serve) -> None:
    task = make_task(rewards=REWARDS, use_global_defender=True, global_defender=SURE_DETECTION)
    server = await serve(task)
    attacker, defender = await server.join(), await server.join("Defender")
    harmless = scan(CLIENT, {"ip": "192.168.2.0", "mask": 24})

    assert await outcome(attacker, harmless) == ok(-1)  # the window is not full yet
    assert await outcome(attacker, harmless) == ok(-11, "Fail")
    assert (await outcome(attacker, harmless))[0] == "GameStatus.FORBIDDEN"
    assert await outcome(defender, IDLE) == ok(99, "Success")


async def test_global_defender_looks_at_attackers_only(serve: Serve) -> None:
    task = make_task(rewards=REWARDS, use_global_defender=True, global_defender=SURE_DETECTION)
    server = await serve(task)
    await server.join()
    harmless = scan(CLIENT, {"ip": "192.168.2.0", "mask": 24})
    for role in ("Defender", "Benign"):
        client = await server.join(role)
        for _ in range(6):
            assert await outcome(client, harmless) == ok(-1)


async def test_global_defender_does_not_undo_a_win(serve: Serve) -> None:
    task = make_task(rewards=REWARDS, use_global_defender=True, global_defender=SURE_DETECTION)
    server = await serve(task)
    attacker = await server.join()
    await attacker.ask(IDLE)

    assert await outcome(attacker, WIN) == ok(99, "Success")


async def test_global_defender_forgets_at_a_reset(serve: Serve) -> None:
    task = make_task(rewards=REWARDS, use_global_defender=True, global_defender=SURE_DETECTION)
    server = await serve(task)
    attacker = await server.join()
    harmless = scan(CLIENT, {"ip": "192.168.2.0", "mask": 24})
    for _ in range(3):
        assert await outcome(attacker, harmless) == ok(-1)
        await attacker.ask(reset())


# --- chance ---------------------------------------------------------------------------------------


async def test_action_that_never_succeeds_costs_its_step_and_is_not_logged(serve: Serve) -> None:
    actions = {"scan_network": {"prob_success": 0.0}}
    server = await serve(make_task(rewards=REWARDS, actions=actions))
    attacker, defender = await server.join(), await server.join("Defender")

    assert await outcome(attacker, WIN) == ok(-1)
    read = await defender.ask(act("FindData", SERVER, SERVER))
    (log,) = (
        datum
        for datum in read["observation"]["state"]["known_data"][SERVER]
        if datum["id"] == "logfile"
    )
    assert "ScanNetwork" not in log["content"]


async def play_by_chance(server: Server) -> list[bool]:
    """Which of a number of scans found the server."""
    client = await server.join()
    found = []
    for _ in range(12):
        reply = await client.ask(WIN)
        found.append(reply["observation"]["end"])
        await client.ask(reset())
    client.drop()
    return found


async def test_server_option_seed_wins_over_the_task(serve: Serve) -> None:
    chance = {"scan_network": {"prob_success": 0.5}}
    of_task = {
        seed: await play_by_chance(await serve(make_task(random_seed=seed, actions=chance)))
        for seed in (1, 2)
    }
    by_option = await play_by_chance(await serve(make_task(random_seed=1, actions=chance), seed=2))

    assert of_task[1] != of_task[2]
    assert by_option == of_task[2]
