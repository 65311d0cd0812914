from __future__ import annotations

import pytest

from netsecgame.core.legal_actions import legal_numbers
from netsecgame.envs.evaluation.no_repeat import NoRepeatRandom
from netsecgame.envs.game import open_game
from netsecgame.envs.rounds import Rounds, Seat
from netsecgame.game_components import AgentRole

GAME = open_game("two_networks_small")
INDEX = GAME.action_index(AgentRole.Attacker)


def _play(agent: NoRepeatRandom, seed: int) -> list[tuple[int, list[int]]]:
    """The actions of an episode, and what was legal before each."""
    rounds = Rounds(GAME, [Seat("attacker_0", AgentRole.Attacker)], 0)
    state = rounds.reset(seed)["attacker_0"]
    agent.begin(state, rounds.goal("attacker_0"), seed)
    played = []
    while rounds.learners:
        number = agent.act(state)
        assert number is not None
        played.append((number, legal_numbers(INDEX, state.knowledge)))
        state = rounds.step({"attacker_0": number})["attacker_0"].state
    return played


@pytest.mark.parametrize("seed", range(20))
def test_act_while_another_legal_action_is_left_repeats_none(seed: int) -> None:
    before: set[int] = set()
    for number, legal in _play(NoRepeatRandom(GAME), seed):
        assert number in legal
        assert number not in before or before.issuperset(legal)
        before.add(number)


def test_act_nothing_new_is_left_repeats() -> None:
    agent = NoRepeatRandom(GAME)
    rounds = Rounds(GAME, [Seat("attacker_0", AgentRole.Attacker)], 0)
    state = rounds.reset(1)["attacker_0"]
    agent.begin(state, rounds.goal("attacker_0"), 1)
    legal = legal_numbers(INDEX, state.knowledge)

    first = [agent.act(state) for _ in legal]
    more = [agent.act(state) for _ in range(200)]

    assert sorted(number for number in first if number is not None) == legal
    assert set(more) == set(legal)


def test_act_same_seed_plays_the_same_whatever_came_before() -> None:
    agent = NoRepeatRandom(GAME)
    once = _play(agent, 5)
    _play(agent, 6)

    assert _play(agent, 5) == once
    assert _play(NoRepeatRandom(GAME), 5) == once
    assert _play(agent, 6) != once


def test_act_other_seat_plays_otherwise() -> None:
    assert _play(NoRepeatRandom(GAME, seat=1), 5) != _play(NoRepeatRandom(GAME), 5)


def test_act_seeds_begin_with_every_legal_action() -> None:
    rounds = Rounds(GAME, [Seat("attacker_0", AgentRole.Attacker)], 0)
    state = rounds.reset(0)["attacker_0"]
    legal = legal_numbers(INDEX, state.knowledge)

    firsts = {_play(NoRepeatRandom(GAME), seed)[0][0] for seed in range(30 * len(legal))}

    assert firsts == set(legal)
