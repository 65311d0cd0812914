from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from netsecgame.envs.evaluation import Plan, TaskVariant
from netsecgame.envs.evaluation.episodes import Chunk, EpisodePlayer, EpisodeRecord
from netsecgame.envs.game import open_game
from netsecgame.envs.policies import PolicyHeader, TablePolicy, save_policy
from netsecgame.errors import PolicyError, RoleNotAvailableError
from netsecgame.game_components import AgentRole

TASKS = Path(__file__).resolve().parents[4] / "task_configs"


def _player(
    task: str, agent: str = "random", defender: str = "none", **options: Any
) -> EpisodePlayer:
    benign = options.pop("benign", 0)
    plan = Plan(TaskVariant.find(TASKS / f"{task}.yaml", **options), agent, defender, benign)
    return EpisodePlayer(plan.load())


def _reward(record: EpisodeRecord) -> float:
    return -record.steps + (100 if record.won else -10)


@pytest.mark.parametrize(
    ("agent", "defender"),
    [
        ("random", "none"),
        ("no-repeat-random", "none"),
        ("scripted", "none"),
        ("random", "random"),
        ("scripted", "stochastic"),
        ("scripted", "scripted"),
    ],
)
def test_play_any_order_and_player_gives_the_same_episodes(agent: str, defender: str) -> None:
    def player() -> EpisodePlayer:
        benign = 0 if defender == "none" else 1
        return _player(
            "two_networks_defended", agent, defender, benign=benign, global_defender=True
        )

    in_order = player().play_chunk(Chunk(2, range(8)))
    backwards = player()
    alone = [player().play(2, episode) for episode in range(8)]

    assert [backwards.play(2, episode) for episode in reversed(range(8))] == in_order[::-1]
    assert alone == in_order


def test_play_saved_policy_gives_the_same_episodes_in_any_order(tmp_path: Path) -> None:
    """The table is empty: all that this policy plays is drawn."""
    path = tmp_path / "blank.npz"
    task = TASKS / "two_networks_small.yaml"
    header = PolicyHeader.of(open_game(task), AgentRole.Attacker, "blank", "two_networks_small")
    save_policy(TablePolicy(header, {}), path)

    in_order = _player("two_networks_small", str(path)).play_chunk(Chunk(2, range(8)))
    backwards = _player("two_networks_small", str(path))

    assert len({record.total_reward for record in in_order} | {r.steps for r in in_order}) > 1
    assert [backwards.play(2, episode) for episode in reversed(range(8))] == in_order[::-1]
    with pytest.raises(PolicyError, match="was made for 'two_networks_small'"):
        _player("two_networks", str(path))


def test_play_other_seeds_give_other_episodes() -> None:
    player = _player("two_networks")
    seeds = [player.play_chunk(Chunk(seed, range(5))) for seed in range(3)]

    assert len({record.seed for records in seeds for record in records}) == 15
    assert len({tuple(r.total_reward for r in records) for records in seeds}) > 1


def test_play_dynamic_addresses_are_new_in_every_episode_and_the_same_in_any_order() -> None:
    def play(*episodes: int) -> dict[int, tuple[EpisodeRecord, object]]:
        player = _player("two_networks_small_dynamic", "scripted")
        return {
            episode: (player.play(0, episode), player._rounds.world.dynamics.labels.addresses)
            for episode in episodes
        }

    in_order = play(0, 1, 2)

    assert play(2, 0, 1) == in_order
    assert len({addresses for _, addresses in in_order.values()}) == 3
    assert all(record.won for record, _ in in_order.values())


def test_play_record_tells_how_it_went() -> None:
    records = _player("two_networks_small").play_chunk(Chunk(0, range(200)))

    assert [record.episode for record in records] == list(range(200))
    assert {record.end_reason for record in records} == {"Success", "TimeoutReached"}
    for record in records:
        assert record.won == (record.end_reason == "Success")
        assert record.steps <= 50
        assert record.won or record.steps == 50
        assert record.total_reward == _reward(record)
        assert not record.detected
        assert record.false_positives == 0


def test_play_global_defender_is_counted_as_detection() -> None:
    records = _player("two_networks_small", global_defender=True).play_chunk(Chunk(0, range(60)))
    detected = [record for record in records if record.detected]

    assert len(detected) > 30
    assert {record.end_reason for record in detected} == {"Fail"}
    assert all(record.steps < 50 and not record.won for record in detected)
    assert all(record.total_reward == _reward(record) for record in records)


def test_play_scripted_attacker_alone_always_wins() -> None:
    assert all(
        r.won for r in _player("two_networks_small", "scripted").play_chunk(Chunk(0, range(5)))
    )


def test_play_max_steps_ends_an_episode() -> None:
    records = _player("two_networks", max_steps=4).play_chunk(Chunk(0, range(5)))

    assert {(record.steps, record.end_reason) for record in records} == {(4, "TimeoutReached")}


def test_play_blocks_that_refuse_others_are_false_positives() -> None:
    player = _player("two_networks_defended", "random", "random", benign=2)
    records = player.play_chunk(Chunk(0, range(10)))
    world = player._rounds.world

    assert sum(record.false_positives for record in records) > 10
    assert world.player("defender_0").role is AgentRole.Defender
    assert records[-1].false_positives == world.player("defender_0").false_positives
    assert {world.player(f"benign_{i}").role for i in range(2)} == {AgentRole.Benign}


def test_play_benign_agents_draw_numbers_of_their_own() -> None:
    start = {"controlled_hosts": ["192.168.2.2"], "known_hosts": ["192.168.1.2", "192.168.1.3"]}
    values = {
        "coordinator": {
            "agents": {
                "Attacker": {
                    "max_steps": 30,
                    "goal": {"controlled_hosts": ["192.168.1.2"]},
                    "start_position": {"controlled_hosts": ["192.168.2.2"]},
                },
                "Benign": {"start_position": start},
            }
        },
        "env": {"scenario": "two_networks_small"},
    }
    plan = Plan(TaskVariant("office", values), "random", benign=2)
    player = EpisodePlayer(plan.load())
    player.play(0, 0)
    first, second = (player._rounds.world.player(f"benign_{i}").trajectory for i in range(2))

    assert len(first.actions) == len(second.actions) > 5
    assert first.actions != second.actions


def test_play_attacker_that_can_do_nothing_runs_out_of_steps() -> None:
    values = {
        "coordinator": {
            "agents": {
                "Attacker": {
                    "max_steps": 6,
                    "goal": {"controlled_hosts": ["192.168.1.2"]},
                    "start_position": {},
                }
            }
        },
        "env": {"scenario": "two_networks_small"},
    }
    for agent in ("random", "no-repeat-random", "scripted"):
        plan = Plan(TaskVariant("nowhere", values), agent)
        record = EpisodePlayer(plan.load()).play(0, 0)
        assert (record.steps, record.end_reason) == (6, "TimeoutReached")


def test_player_defender_for_a_task_without_one_is_refused() -> None:
    with pytest.raises(RoleNotAvailableError, match="Defender is not part of this task"):
        _player("two_networks_small", "random", "random")
