from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from netsecgame.core.episode import Episode, Player
from netsecgame.core.goal import Goal
from netsecgame.core.task import DetectionRule, Rewards
from netsecgame.errors import AlreadyRegisteredError, EpisodeOverError, NotRegisteredError
from netsecgame.game_components import ActionType, AgentStatus, GameState
from tests.unit.core.office import ATTACKER, BENIGN, DEFENDER, PC, SERVERS, WEB, scan, view

if TYPE_CHECKING:
    from netsecgame.core.episode import AgentId
    from netsecgame.game_components import AgentRole

PLAYING, WITH_TIMEOUT = AgentStatus.Playing, AgentStatus.PlayingWithTimeout
SUCCESS, FAIL, TIMEOUT = AgentStatus.Success, AgentStatus.Fail, AgentStatus.TimeoutReached

SCAN = scan(PC, SERVERS)
NOT_WON, WON = view(PC), view(PC, WEB)
#: Reached by `WON` only.
WIN = Goal(GameState(controlled_hosts={WEB}))
NO_GOAL = Goal(GameState())

#: Detects every scan.
WATCHFUL = {ActionType.ScanNetwork: DetectionRule(1.0, min_run=1)}


def new_episode(*, watched: bool = False) -> Episode:
    return Episode(
        Rewards(success=100, step=-1, fail=-10, false_positive=-5),
        detection=WATCHFUL if watched else None,
        detection_window=1,
    )


@pytest.fixture
def episode() -> Episode:
    return new_episode()


def join(
    episode: Episode,
    name: str,
    role: AgentRole = ATTACKER,
    max_steps: int | None = None,
    goal: Goal | None = None,
) -> Player:
    """Attackers have to reach `WON`, others nothing, unless they are given a goal."""
    if goal is None:
        goal = WIN if role is ATTACKER else NO_GOAL
    return episode.join(name, role, NOT_WON, goal, max_steps)


def act(episode: Episode, name: str, state: GameState = NOT_WON) -> list[AgentId]:
    return episode.step(name, SCAN, state, Random(1))


# --- joining and stepping -------------------------------------------------------------------------


def test_join_begins_with_the_start_state_and_no_steps(episode: Episode) -> None:
    player = join(episode, "A", max_steps=5)

    assert (player.state, player.steps, player.reward) == (NOT_WON, 0, 0)
    assert player.is_playing
    assert not player.is_settled
    assert player.trajectory.states == [NOT_WON]
    assert episode.player("A") is player


def test_join_gives_the_status_that_tells_whether_there_is_a_limit(episode: Episode) -> None:
    assert join(episode, "A", max_steps=5).status is WITH_TIMEOUT
    assert join(episode, "B").status is PLAYING


def test_join_twice_is_an_error(episode: Episode) -> None:
    join(episode, "A")

    with pytest.raises(AlreadyRegisteredError, match="agent A"):
        join(episode, "A")


def test_step_of_an_unknown_agent_is_an_error(episode: Episode) -> None:
    with pytest.raises(NotRegisteredError, match="agent X has not joined"):
        act(episode, "X")


def test_step_counts_rewards_and_records(episode: Episode) -> None:
    player = join(episode, "A")

    assert act(episode, "A", view(PC, known_hosts={PC, WEB})) == []
    assert act(episode, "A") == []

    assert (player.steps, player.reward, player.status) == (2, -1, PLAYING)
    assert player.state == NOT_WON
    assert player.trajectory.actions == [SCAN, SCAN]
    assert player.trajectory.rewards == [-1, -1]
    assert len(player.trajectory.states) == 3


def test_step_after_the_end_is_an_error_and_changes_nothing(episode: Episode) -> None:
    player = join(episode, "A")
    act(episode, "A", WON)

    with pytest.raises(EpisodeOverError, match=r"agent A has ended: AgentStatus\.Success"):
        act(episode, "A")
    assert (player.steps, player.state, player.reward) == (1, WON, 99)


# --- how an attacker's episode ends ---------------------------------------------------------------


def test_step_that_reaches_the_goal_is_a_success(episode: Episode) -> None:
    player = join(episode, "A")

    assert act(episode, "A", WON) == ["A"]

    assert (player.status, player.reward, player.is_settled) == (SUCCESS, 99, True)
    assert player.trajectory.rewards == [-1 + 100]


def test_step_that_is_the_last_allowed_is_a_timeout(episode: Episode) -> None:
    player = join(episode, "A", max_steps=2)

    assert act(episode, "A") == []
    assert act(episode, "A") == ["A"]

    assert (player.status, player.reward) == (TIMEOUT, -11)


def test_step_that_is_detected_is_a_failure() -> None:
    episode = new_episode(watched=True)
    player = join(episode, "A")

    assert act(episode, "A") == ["A"]

    assert (player.status, player.reward) == (FAIL, -11)


def test_step_that_reaches_the_goal_counts_before_detection_and_timeout() -> None:
    episode = new_episode(watched=True)
    player = join(episode, "A", max_steps=1)

    act(episode, "A", WON)

    assert player.status is SUCCESS


def test_step_that_is_detected_counts_before_timeout() -> None:
    episode = new_episode(watched=True)
    player = join(episode, "A", max_steps=1)

    act(episode, "A")

    assert player.status is FAIL


@pytest.mark.parametrize("role", [DEFENDER, BENIGN])
def test_step_of_others_is_never_detected(role: AgentRole) -> None:
    episode = new_episode(watched=True)
    join(episode, "A")
    player = join(episode, "other", role)

    act(episode, "other")

    assert player.status is PLAYING


def test_step_without_a_goal_is_never_a_success(episode: Episode) -> None:
    player = join(episode, "A", goal=NO_GOAL)

    act(episode, "A", WON)

    assert player.status is PLAYING


# --- waiting for the other attackers --------------------------------------------------------------


@pytest.mark.parametrize(("state", "reward"), [(WON, 99), (NOT_WON, -11)])
def test_step_that_ends_one_of_two_attackers_is_settled_with_the_other(
    episode: Episode, state: GameState, reward: float
) -> None:
    first = join(episode, "A1", max_steps=1)
    join(episode, "A2", max_steps=1)

    assert act(episode, "A1", state) == []
    assert not first.is_settled
    assert first.reward == -1
    assert act(episode, "A2") == ["A1", "A2"]

    assert (first.is_settled, first.reward) == (True, reward)
    assert episode.player("A2").reward == -11


def test_defender_that_is_done_waits_for_the_attackers(episode: Episode) -> None:
    join(episode, "A")
    defender = join(episode, "D", DEFENDER, goal=WIN)

    assert act(episode, "D", WON) == []
    assert (defender.status, defender.is_settled, defender.reward) == (SUCCESS, False, -1)
    assert act(episode, "A", WON) == ["A", "D"]
    assert (defender.status, defender.reward) == (FAIL, -11)


def test_defender_that_reached_its_goal_is_no_attack_that_succeeded(episode: Episode) -> None:
    join(episode, "A", max_steps=1)
    defender = join(episode, "D", DEFENDER, goal=WIN)
    act(episode, "D", WON)

    act(episode, "A")

    assert (defender.status, defender.reward) == (SUCCESS, 99)


def test_defender_that_ran_out_of_steps_wins_if_no_attacker_does(episode: Episode) -> None:
    join(episode, "A", max_steps=1)
    defender = join(episode, "D", DEFENDER, max_steps=1)

    assert act(episode, "D") == []
    assert defender.status is TIMEOUT
    assert act(episode, "A") == ["A", "D"]
    assert (defender.status, defender.reward) == (SUCCESS, 99)


def test_benign_agent_that_ran_out_of_steps_gets_nothing_more(episode: Episode) -> None:
    join(episode, "A", max_steps=1)
    benign = join(episode, "B", BENIGN, max_steps=1)

    act(episode, "B")
    act(episode, "A")

    assert (benign.status, benign.reward, benign.is_settled) == (TIMEOUT, -1, True)


# --- dismissed at the end -------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "status", "reward"), [(WON, FAIL, -11), (NOT_WON, SUCCESS, 99)])
def test_defender_learns_the_end_in_the_reply_to_its_next_action(
    episode: Episode, state: GameState, status: AgentStatus, reward: float
) -> None:
    join(episode, "A", max_steps=1)
    defender = join(episode, "D", DEFENDER)

    assert act(episode, "A", state) == ["A"]
    assert defender.is_playing
    assert act(episode, "D") == ["D"]

    assert (defender.status, defender.reward, defender.is_settled) == (status, reward, True)
    assert defender.trajectory.rewards == [reward]
    with pytest.raises(EpisodeOverError):
        act(episode, "D")


def test_benign_agent_learns_the_end_in_the_reply_to_its_next_action(episode: Episode) -> None:
    join(episode, "A")
    benign = join(episode, "B", BENIGN)
    act(episode, "A", WON)

    assert act(episode, "B") == ["B"]

    assert (benign.status, benign.reward, benign.is_settled) == (TIMEOUT, -1, True)


def test_defender_pays_for_its_false_positives_at_the_end(episode: Episode) -> None:
    join(episode, "A", max_steps=1)
    defender = join(episode, "D", DEFENDER)
    episode.add_false_positive("D")
    episode.add_false_positive("D")
    act(episode, "A")

    act(episode, "D")

    assert defender.false_positives == 2
    assert defender.reward == -1 + 100 - 2 * 5


def test_add_false_positive_of_an_agent_that_left_is_nothing(episode: Episode) -> None:
    episode.add_false_positive("gone")

    assert episode.players == {}


def test_joining_after_the_end_is_dismissed_with_the_others(episode: Episode) -> None:
    join(episode, "A")
    act(episode, "A", WON)
    late = join(episode, "D", DEFENDER)

    assert act(episode, "D") == ["D"]
    assert late.status is FAIL


# --- leaving --------------------------------------------------------------------------------------


def test_leaving_last_attacker_ends_the_episode_for_all(episode: Episode) -> None:
    waiting = join(episode, "A1", max_steps=1)
    join(episode, "A2")
    defender = join(episode, "D", DEFENDER)
    act(episode, "A1")

    assert episode.leave("A2") == ["A1"]

    assert waiting.is_settled
    assert act(episode, "D") == ["D"]
    assert defender.status is SUCCESS
    with pytest.raises(NotRegisteredError):
        episode.player("A2")


def test_leaving_attacker_among_others_ends_nothing(episode: Episode) -> None:
    join(episode, "A1")
    join(episode, "A2")
    join(episode, "D", DEFENDER)

    assert episode.leave("A1") == []
    assert act(episode, "D") == []
    assert not episode.is_over


def test_leaving_stranger_is_nothing(episode: Episode) -> None:
    join(episode, "A")

    assert episode.leave("nobody") == []
    assert not episode.is_over


def test_leaving_attacker_before_the_game_has_begun_ends_nothing(episode: Episode) -> None:
    join(episode, "D", DEFENDER)
    join(episode, "A1")

    assert episode.leave("A1", has_begun=False) == []

    join(episode, "A2")
    assert act(episode, "D") == []
    assert episode.player("D").is_playing


def test_leaving_defender_before_any_attacker_came_ends_nothing(episode: Episode) -> None:
    join(episode, "D1", DEFENDER)
    join(episode, "D2", DEFENDER)
    episode.leave("D1")
    join(episode, "A")

    assert act(episode, "D2") == []
    assert episode.player("D2").is_playing


# --- another attacker joins an episode that was over ----------------------------------------------


def test_joining_attacker_reopens_the_episode_for_itself_and_later_agents(
    episode: Episode,
) -> None:
    join(episode, "A1")
    old = join(episode, "D1", DEFENDER)
    act(episode, "A1", WON)

    join(episode, "A2", max_steps=1)
    new = join(episode, "D2", DEFENDER)

    assert act(episode, "D2") == []
    # For those who were there, it was over: the first attack decided.
    assert act(episode, "D1") == ["D1"]
    assert (old.status, old.reward) == (FAIL, -11)
    # For those who came later, the second one does.
    assert act(episode, "A2") == ["A2"]
    assert act(episode, "D2") == ["D2"]
    assert (new.status, new.reward) == (SUCCESS, 99)


# --- asking for a reset ---------------------------------------------------------------------------


def test_request_reset_of_the_last_playing_attacker_settles_the_others(episode: Episode) -> None:
    waiting = join(episode, "A1")
    asking = join(episode, "A2")
    defender = join(episode, "D", DEFENDER)
    act(episode, "A1", WON)

    assert episode.request_reset("A2") == ["A1"]

    assert (waiting.status, waiting.reward) == (SUCCESS, 99)
    assert (asking.status, asking.is_settled) == (AgentStatus.ResetRequested, False)
    assert act(episode, "D") == ["D"]
    assert defender.status is FAIL


def test_request_reset_of_one_of_two_attackers_settles_nobody(episode: Episode) -> None:
    join(episode, "A1")
    join(episode, "A2")
    join(episode, "D", DEFENDER)

    assert episode.request_reset("A1") == []
    assert act(episode, "A2") == []
    assert act(episode, "D") == []


def test_request_reset_of_a_defender_settles_nobody(episode: Episode) -> None:
    join(episode, "D", DEFENDER)

    assert episode.request_reset("D") == []
    assert not episode.is_over


def test_request_reset_stops_the_agent(episode: Episode) -> None:
    join(episode, "A1")
    join(episode, "A2")
    episode.request_reset("A1")

    with pytest.raises(EpisodeOverError, match="ResetRequested"):
        act(episode, "A1")


def test_request_reset_of_an_agent_that_has_ended_keeps_its_status(episode: Episode) -> None:
    player = join(episode, "A", max_steps=1)
    act(episode, "A")

    assert episode.request_reset("A") == []
    episode.withdraw_reset("A")

    assert player.status is TIMEOUT


def test_withdraw_reset_lets_the_agent_go_on_as_before(episode: Episode) -> None:
    player = join(episode, "A", max_steps=2)
    act(episode, "A")
    episode.request_reset("A")
    episode.request_reset("A")

    episode.withdraw_reset("A")

    assert player.status is WITH_TIMEOUT
    assert act(episode, "A") == ["A"]
    assert player.status is TIMEOUT


@pytest.mark.parametrize("order", [("A", "D"), ("D", "A")])
@pytest.mark.parametrize("requests", [("A", "D"), ("D", "A")])
def test_withdraw_reset_of_all_in_any_order_goes_on_for_all(
    episode: Episode, requests: tuple[str, ...], order: tuple[str, ...]
) -> None:
    join(episode, "A")
    defender = join(episode, "D", DEFENDER)
    for name in requests:
        episode.request_reset(name)

    for name in order:
        episode.withdraw_reset(name)

    assert act(episode, "D") == []
    assert act(episode, "A") == []
    assert act(episode, "A", WON) == ["A"]
    assert act(episode, "D") == ["D"]
    assert defender.status is FAIL


def test_withdraw_reset_does_not_take_back_what_was_told(episode: Episode) -> None:
    join(episode, "A")
    defender = join(episode, "D", DEFENDER)
    episode.request_reset("A")
    act(episode, "D")

    episode.withdraw_reset("A")

    assert (defender.status, defender.is_settled) == (SUCCESS, True)
    assert act(episode, "A") == []


def test_withdraw_reset_does_not_bring_back_an_episode_that_had_ended_before(
    episode: Episode,
) -> None:
    join(episode, "A1")
    defender = join(episode, "D", DEFENDER)
    act(episode, "A1", WON)
    join(episode, "A2")
    episode.request_reset("A2")

    episode.withdraw_reset("A2")

    assert act(episode, "D") == ["D"]
    assert defender.status is FAIL


def test_withdraw_reset_remembers_the_attack_that_succeeded(episode: Episode) -> None:
    join(episode, "A1")
    join(episode, "A2", max_steps=1)
    defender = join(episode, "D", DEFENDER)
    act(episode, "A1", WON)
    episode.request_reset("A2")
    episode.withdraw_reset("A2")

    act(episode, "A2")
    act(episode, "D")

    assert defender.status is FAIL


def test_withdraw_reset_of_a_defender_after_the_end_dismisses_it(episode: Episode) -> None:
    join(episode, "A")
    defender = join(episode, "D", DEFENDER)
    episode.request_reset("D")
    act(episode, "A", WON)

    episode.withdraw_reset("D")

    assert act(episode, "D") == ["D"]
    assert defender.status is FAIL


# --- restart --------------------------------------------------------------------------------------


def test_restart_forgets_everybody_and_everything(episode: Episode) -> None:
    join(episode, "A")
    join(episode, "D", DEFENDER)
    act(episode, "A", WON)

    episode.restart()

    assert episode.players == {}
    join(episode, "A", max_steps=1)
    defender = join(episode, "D", DEFENDER)
    assert act(episode, "D") == []
    act(episode, "A")
    act(episode, "D")
    assert defender.status is SUCCESS


def test_attacker_states_are_those_of_attackers_in_order(episode: Episode) -> None:
    join(episode, "A1")
    join(episode, "D", DEFENDER)
    join(episode, "A2")
    act(episode, "A2", WON)

    assert list(episode.attacker_states()) == [NOT_WON, WON]


def test_defender_with_a_goal_about_attackers_is_told_of_them(episode: Episode) -> None:
    join(episode, "A")
    goal = Goal(GameState(), frozenset({WEB}))
    defender = join(episode, "D", DEFENDER, goal=goal)

    act(episode, "D", view(WEB))
    assert defender.status is PLAYING
    act(episode, "D", view(WEB, known_blocks={WEB: {PC}}))
    assert defender.status is SUCCESS
