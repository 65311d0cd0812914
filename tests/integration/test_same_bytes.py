"""The same conversation gives the same bytes, in any process."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING

from netsecgame.game_components import AgentRole, GameState
from tests.integration.processes import serving_process
from tests.integration.random_play import CHANCY, choose_action
from tests.integration.server import NONSENSE, join, reset, write_task

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.processes import ServerProcess
    from tests.integration.server import Client, Message

ROLES = [AgentRole.Attacker, AgentRole.Defender, AgentRole.Benign]


async def read_raw(client: Client) -> bytes:
    """The next reply as it came, but for the client's port."""
    raw = await client.raw_reply()
    port = str(client.address[1]).encode()
    assert raw.startswith(b'{"to_agent":["127.0.0.1",' + port)
    return raw.replace(port, b"PORT", 1)


class Conversation:
    """What was sent, by number of the client, and what was answered."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, Message | bytes]] = []
        self.answers: list[bytes] = []

    async def say(self, clients: list[Client], who: int, question: Message | bytes) -> bytes:
        self.sent.append((who, question))
        clients[who].send(question)
        answer = await read_raw(clients[who])
        self.answers.append(answer)
        return answer


async def record(server: ServerProcess) -> Conversation:
    """Three agents play a few episodes at random."""
    conversation, choices = Conversation(), Random("same bytes")
    clients = [await server.connect() for _ in ROLES]
    states = []
    for who, role in enumerate(ROLES):
        states.append(state_in(await conversation.say(clients, who, join(role, f"GEOFF{who}"))))
    for episode in range(4):
        for turn in range(60):
            who = turn % len(ROLES)
            action = choose_action(states[who], ROLES[who], choices)
            states[who] = state_in(await conversation.say(clients, who, action.as_dict))
        await conversation.say(clients, 0, NONSENSE)
        wish = reset(seed=episode, randomize_topology=True, request_trajectory=True)
        for who, client in enumerate(clients):
            conversation.sent.append((who, wish))
            client.send(wish)
        for who, client in enumerate(clients):
            conversation.answers.append(await read_raw(client))
            states[who] = state_in(conversation.answers[-1])
    return conversation


def state_in(answer: bytes) -> GameState:
    return GameState.from_dict(json.loads(answer.replace(b"PORT", b"1"))["observation"]["state"])


async def repeat(server: ServerProcess, recorded: Conversation) -> Conversation:
    """Send the same once more."""
    conversation = Conversation()
    clients = [await server.connect() for _ in ROLES]
    resetting = 0
    for who, question in recorded.sent:
        if not isinstance(question, bytes) and question["action_type"] == "ActionType.ResetGame":
            clients[who].send(question)
            resetting += 1
            if resetting % len(ROLES) == 0:
                conversation.answers.extend([await read_raw(client) for client in clients])
        else:
            await conversation.say(clients, who, question)
    return conversation


async def test_two_processes_with_other_hash_seeds_answer_with_the_same_bytes(
    tmp_path: Path,
) -> None:
    # No step limits and goals: every action of the recording has its answer at once.
    agents = {
        role: {name: part for name, part in section.items() if name == "start_position"}
        for role, section in CHANCY["coordinator"]["agents"].items()
    }
    env = {**CHANCY["env"], "use_global_defender": False}
    task = write_task(tmp_path, {"coordinator": {"agents": agents}, "env": env})
    async with serving_process(tmp_path, task, hash_seed="1") as server:
        recorded = await record(server)
    async with serving_process(tmp_path, task, hash_seed="2") as server:
        repeated = await repeat(server, recorded)
    async with serving_process(tmp_path, task, "-s", "7", hash_seed="1") as server:
        otherwise = await repeat(server, recorded)

    assert len(recorded.answers) == 3 + 4 * (60 + 1 + 3)
    for number, answer in enumerate(recorded.answers):
        assert repeated.answers[number] == answer, f"answer {number}"
    assert otherwise.answers != recorded.answers
