"""Up to five agents join, act, ask for resets and leave, in any order: nobody waits in vain.

A model of a page tells of every message whether its reply is due; the server, over real sockets,
must send exactly the replies that are due, each once and to the right agent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.integration.sandbox import Sandbox
from tests.integration.server import IDLE, NONSENSE, QUIT, WIN, join, make_task, reset

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.integration.server import Client, Server

ATTACKER, DEFENDER, BENIGN = ROLES = ("Attacker", "Defender", "Benign")
MOST_AGENTS = 5

#: Steps until the episode of an agent times out; benign agents have no limit.
MAX_STEPS = {ATTACKER: 3, DEFENDER: 4}

REQUIRED: tuple[int | dict[str, int], ...] = (1, 2, 3, {ATTACKER: 1, DEFENDER: 1}, {ATTACKER: 2})

CREATED, OK, RESET_DONE, BAD, FORBIDDEN = (
    f"GameStatus.{name}" for name in ("CREATED", "OK", "RESET_DONE", "BAD_REQUEST", "FORBIDDEN")
)


@dataclass
class Seat:
    """One agent in the model.

    Attributes:
        role: Its role.
        waits_for: What the reply to its last message waits for: ``start``, ``reset``, ``end`` of
            the attackers; "" if it was answered.
        wish: Seed and flag of its reset request, until that is granted or dropped.
        steps: Actions of this episode.
        has_ended: Whether its own episode has ended.
        due: Statuses of replies that have to be there now.
    """

    role: str
    waits_for: str = ""
    wish: tuple[int | None, bool] | None = None
    steps: int = 0
    has_ended: bool = False
    due: list[str] = field(default_factory=list)

    @property
    def attacks(self) -> bool:
        """Whether the others' episode goes on because of this agent."""
        return self.role == ATTACKER and not self.has_ended and self.wish is None

    def answer(self, status: str) -> None:
        self.waits_for = ""
        self.due.append(status)


class Model:
    """Who is told what, and when."""

    def __init__(self, required: int | Mapping[str, int]) -> None:
        self.required = required
        self.seats: dict[int, Seat] = {}
        self.has_started = False

    def join(self, agent: int, role: str) -> None:
        self.seats[agent] = Seat(role, waits_for="start")
        self._release()

    def leave(self, agent: int) -> None:
        del self.seats[agent]
        if not self.seats:
            self.has_started = False
        self._reset_if_unanimous()
        self._release()

    def act(self, agent: int, *, wins: bool) -> None:
        seat = self.seats[agent]
        if seat.has_ended:
            seat.answer(FORBIDDEN)
            return
        seat.steps += 1
        is_out_of_steps = seat.steps == MAX_STEPS.get(seat.role)
        if is_out_of_steps or (wins and seat.role == ATTACKER):
            seat.has_ended = True
            seat.waits_for = "end"
            self._release()
        else:
            seat.answer(OK)

    def ask_for_reset(self, agent: int, seed: int | None, *, randomize: bool) -> None:
        seat = self.seats[agent]
        seat.wish, seat.waits_for = (seed, randomize), "reset"
        seeded = {s.wish for s in self.seats.values() if s.wish and s.wish[0] is not None}
        if len(seeded) > 1:
            for asker in self.seats.values():
                if asker.wish:
                    asker.wish = None
                    asker.answer(BAD)
            return
        self._reset_if_unanimous()
        self._release()

    def _reset_if_unanimous(self) -> None:
        if not self.seats or any(seat.wish is None for seat in self.seats.values()):
            return
        for seat in self.seats.values():
            seat.wish, seat.steps, seat.has_ended = None, 0, False
        self.has_started = False

    def _release(self) -> None:
        self.has_started = self.has_started or self.has_quorum()
        for seat in self.seats.values():
            if seat.waits_for == "start" and self.has_started:
                seat.answer(CREATED)
            elif seat.waits_for == "reset" and seat.wish is None and self.has_started:
                seat.answer(RESET_DONE)
            elif seat.waits_for == "end" and not any(s.attacks for s in self.seats.values()):
                seat.answer(OK)

    def has_quorum(self) -> bool:
        roles = [seat.role for seat in self.seats.values()]
        if ATTACKER not in roles:
            return False
        if isinstance(self.required, int):
            return len(roles) >= self.required
        return all(roles.count(role) >= count for role, count in self.required.items())


class LobbyMachine(RuleBasedStateMachine):
    """The model and the server, side by side."""

    def __init__(self, sandbox: Sandbox, servers: list[Server]) -> None:
        super().__init__()
        self.sandbox = sandbox
        self.servers = servers
        self.clients: dict[int, Client] = {}
        self.server: Server
        self.model: Model
        self.number = 0

    @initialize(which=st.integers(0, len(REQUIRED) - 1))
    def choose_server(self, which: int) -> None:
        self.server, self.model = self.servers[which], Model(REQUIRED[which])

    # --- what agents do ---

    @precondition(lambda self: len(self.clients) < MOST_AGENTS)
    @rule(role=st.sampled_from(ROLES))
    def join(self, role: str) -> None:
        self.number += 1
        client = self.sandbox.run(self.server.connect())
        self.clients[self.number] = client
        client.send(join(role))
        self.model.join(self.number, role)

    @precondition(lambda self: self.talkers())
    @rule(data=st.data(), wins=st.booleans())
    def act(self, data: st.DataObject, wins: bool) -> None:
        agent = data.draw(st.sampled_from(self.talkers()))
        self.clients[agent].send(WIN if wins else IDLE)
        self.model.act(agent, wins=wins)

    @precondition(lambda self: self.talkers())
    @rule(data=st.data(), seed=st.sampled_from([None, None, 1, 2]), randomize=st.booleans())
    def ask_for_reset(self, data: st.DataObject, seed: int | None, randomize: bool) -> None:
        agent = data.draw(st.sampled_from(self.talkers()))
        self.clients[agent].send(reset(seed=seed, randomize_topology=randomize))
        self.model.ask_for_reset(agent, seed, randomize=randomize)

    @precondition(lambda self: self.talkers())
    @rule(data=st.data())
    def join_again(self, data: st.DataObject) -> None:
        agent = data.draw(st.sampled_from(self.talkers()))
        self.clients[agent].send(join("Attacker"))
        self.model.seats[agent].answer(BAD)

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), way=st.sampled_from(["drop", "end_input", "stall", "quit", "flood"]))
    def leave(self, data: st.DataObject, way: str) -> None:
        agent = data.draw(st.sampled_from(sorted(self.clients)))
        client = self.clients.pop(agent)
        if way == "quit":  # not heard before the reply it waits for: the drop behind it is
            client.send(QUIT)
        elif way == "stall":
            client.send(b'{"action_type": ')
        elif way == "flood":
            client.send(NONSENSE * 100_000)
        if way == "end_input":
            client.end_input()
        else:
            client.drop()
        self.model.leave(agent)

    def talkers(self) -> list[int]:
        """Agents that were answered."""
        seats = self.model.seats
        return [agent for agent in sorted(self.clients) if not seats[agent].waits_for]

    # --- what must be true in between ---

    @invariant()
    def every_reply_that_is_due_comes_and_no_other(self) -> None:
        if not self.clients:
            return
        self.sandbox.run(self.server.settle())
        for agent, client in self.clients.items():
            seat = self.model.seats[agent]
            for status in seat.due:
                assert client.has_reply, f"{agent} ({seat}) waits in vain for {status}"
                reply = self.sandbox.run(client.reply())
                assert reply["to_agent"] == client.address
                self.check(seat, status, reply)
            seat.due.clear()
            assert client.received == b"", f"{agent} ({seat}) was told too much"
            assert not client.is_ended
        assert len(self.server.world.agents) == len(self.clients)

    def check(self, seat: Seat, status: str, reply: dict[str, Any]) -> None:
        expected = {status}
        if seat.role != ATTACKER and status == OK and reply["observation"]["end"]:
            seat.has_ended = True  # it learns that the attackers are done, sooner than by itself
        assert reply["status"] in expected, seat
        if status in (OK, FORBIDDEN):
            assert reply["observation"]["end"] is seat.has_ended, seat
        if status in (CREATED, RESET_DONE):
            assert reply["observation"]["end"] is False

    # --- the end ---

    def teardown(self) -> None:
        try:
            if self.clients:
                self.the_game_can_be_continued()
        finally:
            for client in self.clients.values():
                client.drop()
            if hasattr(self, "server"):
                self.sandbox.run(self.server.settle())
                assert self.server.world.agents == {}

    def the_game_can_be_continued(self) -> None:
        """All ask for a reset; with enough players, all are told that it is done and play."""
        while self.talkers():
            for agent in self.talkers():
                if self.model.seats[agent].wish is None and not self.model.seats[agent].waits_for:
                    self.clients[agent].send(reset())
                    self.model.ask_for_reset(agent, None, randomize=False)
            self.every_reply_that_is_due_comes_and_no_other()
            if all(seat.steps == 0 and not seat.has_ended for seat in self.model.seats.values()):
                break
        for role in (ATTACKER, DEFENDER, ATTACKER):  # enough for everything in REQUIRED
            if not self.model.has_started:
                self.join(role)
                self.every_reply_that_is_due_comes_and_no_other()
        for agent in self.clients:
            assert self.model.seats[agent].waits_for == ""
            self.clients[agent].send(IDLE)
            self.model.act(agent, wins=False)
            self.every_reply_that_is_due_comes_and_no_other()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("lobby")) as sandbox:
        yield sandbox


def test_lobby_whatever_agents_do_answers_each_message_once_and_as_soon_as_it_can(
    sandbox: Sandbox,
) -> None:
    servers = [
        sandbox.serve(
            make_task(
                attacker={"max_steps": MAX_STEPS[ATTACKER]},
                defender={"max_steps": MAX_STEPS[DEFENDER]},
                required_players=required,
            )
        )
        for required in REQUIRED
    ]

    class Machine(LobbyMachine):
        def __init__(self) -> None:
            super().__init__(sandbox, servers)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=120, stateful_step_count=40, deadline=None, derandomize=True
        ),
    )
