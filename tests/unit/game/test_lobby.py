from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netsecgame.errors import AlreadyRegisteredError, NotRegisteredError
from netsecgame.game.lobby import Lobby, ResetDecision, ResetRequest
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from collections.abc import Mapping

ATTACKER, DEFENDER, BENIGN = AgentRole.Attacker, AgentRole.Defender, AgentRole.Benign


def lobby_of(*roles: AgentRole, required: int | Mapping[AgentRole, int] = 1) -> Lobby[str]:
    """A lobby with agents called a, b, c and so on."""
    lobby: Lobby[str] = Lobby(required)
    for name, role in zip("abcdef", roles, strict=False):
        lobby.join(name, role)
    return lobby


@pytest.mark.parametrize(
    ("required", "roles", "is_enough"),
    [
        (1, [], False),
        (1, [ATTACKER], True),
        (1, [DEFENDER, BENIGN], False),
        (2, [ATTACKER], False),
        (2, [BENIGN, ATTACKER], True),
        ({DEFENDER: 1}, [DEFENDER], False),
        ({DEFENDER: 1}, [DEFENDER, ATTACKER], True),
        ({ATTACKER: 2, BENIGN: 1}, [ATTACKER, ATTACKER, DEFENDER], False),
        ({ATTACKER: 2, BENIGN: 1}, [ATTACKER, BENIGN, ATTACKER], True),
        ({}, [ATTACKER], True),
    ],
)
def test_lobby_starts_with_the_required_players_and_an_attacker(
    required: int | Mapping[AgentRole, int], roles: list[AgentRole], is_enough: bool
) -> None:
    lobby = lobby_of(*roles, required=required)

    assert lobby.has_quorum() is is_enough
    assert lobby.has_started is is_enough


def test_lobby_that_has_started_stays_so_until_it_is_empty() -> None:
    lobby = lobby_of(ATTACKER, DEFENDER, required=2)
    lobby.leave("a")
    assert lobby.has_started
    lobby.leave("b")
    assert not lobby.has_started


def test_join_twice_is_an_error() -> None:
    with pytest.raises(AlreadyRegisteredError, match="a has joined already"):
        lobby_of(ATTACKER).join("a", DEFENDER)


def test_leave_of_a_stranger_is_harmless() -> None:
    lobby = lobby_of(ATTACKER)
    lobby.leave("nobody")

    assert list(lobby.members) == ["a"]


def test_request_reset_of_a_stranger_is_an_error() -> None:
    with pytest.raises(NotRegisteredError, match="nobody has not joined"):
        lobby_of(ATTACKER).request_reset("nobody", ResetRequest())


def test_lobby_is_unanimous_when_all_who_are_in_have_asked() -> None:
    lobby = lobby_of(ATTACKER, DEFENDER)
    assert not lobby.is_unanimous()
    lobby.request_reset("a", ResetRequest())
    assert not lobby.is_unanimous()
    lobby.leave("b")
    assert lobby.is_unanimous()
    lobby.join("b", DEFENDER)
    assert not lobby.is_unanimous()
    lobby.leave("a")
    lobby.leave("b")
    assert not lobby.is_unanimous()


@pytest.mark.parametrize(
    ("requests", "conflict"),
    [
        ([ResetRequest(1), ResetRequest(1)], None),
        ([ResetRequest(1), ResetRequest(None, randomize_topology=True)], None),
        ([ResetRequest(0), ResetRequest(1)], "agents asked for different seeds: 0, 1"),
        (
            [ResetRequest(1), ResetRequest(1, randomize_topology=True)],
            "agents gave one seed but disagree on randomize_topology",
        ),
    ],
)
def test_find_conflict_compares_those_who_gave_a_seed(
    requests: list[ResetRequest], conflict: str | None
) -> None:
    lobby = lobby_of(ATTACKER, DEFENDER)
    for agent, request in zip("ab", requests, strict=True):
        lobby.request_reset(agent, request)

    assert lobby.find_conflict() == conflict


@pytest.mark.parametrize(
    ("requests", "decision"),
    [
        ([ResetRequest(), ResetRequest()], ResetDecision(None, randomize_topology=False)),
        ([ResetRequest(), ResetRequest(0)], ResetDecision(0, randomize_topology=False)),
        (
            [ResetRequest(None, randomize_topology=True), ResetRequest(5, randomize_topology=True)],
            ResetDecision(5, randomize_topology=True),
        ),
        (
            [ResetRequest(), ResetRequest(5, randomize_topology=True)],
            ResetDecision(5, randomize_topology=False),
        ),
        (
            [ResetRequest(None, randomize_topology=True)] * 2,
            ResetDecision(None, randomize_topology=False),
        ),
    ],
)
def test_decide_takes_the_seed_and_new_addresses_if_all_want_them(
    requests: list[ResetRequest], decision: ResetDecision
) -> None:
    lobby = lobby_of(ATTACKER, DEFENDER)
    for agent, request in zip("ab", requests, strict=True):
        lobby.request_reset(agent, request)

    assert lobby.decide() == decision
    assert lobby.is_unanimous()


def test_start_anew_waits_for_players_that_have_left() -> None:
    lobby = lobby_of(ATTACKER, DEFENDER, required=2)
    lobby.leave("b")
    lobby.request_reset("a", ResetRequest())
    lobby.start_anew()
    assert (lobby.requests, lobby.has_started) == ({}, False)

    lobby.join("c", BENIGN)
    assert lobby.has_started


def test_drop_requests_tells_who_had_asked_in_their_order() -> None:
    lobby = lobby_of(ATTACKER, DEFENDER, BENIGN)
    for agent in "ca":
        lobby.request_reset(agent, ResetRequest())

    assert lobby.drop_requests() == ["c", "a"]
    assert lobby.requests == {}
    assert lobby.has_started


def test_find_conflict_forgets_who_has_left_or_asks_anew() -> None:
    lobby = lobby_of(ATTACKER, DEFENDER, BENIGN)
    for agent, seed in (("a", 1), ("b", 2), ("c", 2)):
        lobby.request_reset(agent, ResetRequest(seed))
    assert lobby.find_conflict() is not None
    lobby.leave("a")
    assert lobby.find_conflict() is None
    lobby.request_reset("b", ResetRequest(3))
    assert lobby.find_conflict() == "agents asked for different seeds: 2, 3"
    lobby.request_reset("c", ResetRequest(3))
    assert lobby.find_conflict() is None


def test_find_conflict_forgets_requests_that_were_dropped_or_granted() -> None:
    lobby = lobby_of(ATTACKER, DEFENDER)
    lobby.request_reset("a", ResetRequest(1))
    lobby.drop_requests()
    lobby.request_reset("a", ResetRequest(2, randomize_topology=True))
    assert lobby.find_conflict() is None
    lobby.start_anew()
    lobby.request_reset("a", ResetRequest(3))
    assert lobby.find_conflict() is None
