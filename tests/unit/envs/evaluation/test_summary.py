from __future__ import annotations

import json
from typing import Any

import pytest

from netsecgame.envs.evaluation import Summary
from netsecgame.envs.evaluation.episodes import EpisodeRecord
from netsecgame.envs.evaluation.intervals import estimate_mean, estimate_share

SETTINGS: dict[str, Any] = {
    "task": "two_networks",
    "agent": "random",
    "defender": "none",
    "global_defender": True,
    "episodes": 4,
    "seeds": 2,
}


def _record(*, won: bool = False, steps: int = 10, detected: bool = False) -> EpisodeRecord:
    reason = "Success" if won else "Fail" if detected else "TimeoutReached"
    reward = (100.0 if won else -10.0) - steps
    return EpisodeRecord(0, 0, won, reward, steps, detected, 2 * detected, reason)


RECORDS = [
    [_record(won=True, steps=4), _record(), _record(), _record(detected=True, steps=2)],
    [_record(), _record(won=True, steps=6), _record(won=True, steps=8), _record()],
]


def _summary() -> Summary:
    return Summary.of(SETTINGS, RECORDS)


def test_summary_over_episodes_has_shares_and_means() -> None:
    figures = _summary().episodes

    assert figures["win_rate"] == estimate_share(3, 8)
    assert figures["detection_rate"] == estimate_share(1, 8)
    assert figures["steps"] == estimate_mean([4, 10, 10, 2, 10, 6, 8, 10])
    assert figures["return"] == estimate_mean([96, -20, -20, -12, -20, 94, 92, -20])
    assert figures["false_positives"] == estimate_mean([0, 0, 0, 2, 0, 0, 0, 0])


def test_summary_over_seeds_goes_by_their_means() -> None:
    summary = _summary()

    assert summary.seeds["steps"] == estimate_mean([6.5, 8.5])
    assert [figures["win_rate"].value for figures in summary.by_seed] == [0.25, 0.5]
    # Student's interval of two seeds is far wider than a share can be.
    assert summary.seeds["win_rate"] == (0.375, 0, 1)


def test_summary_one_seed_says_nothing_about_seeds() -> None:
    summary = Summary.of({**SETTINGS, "seeds": 1}, RECORDS[:1])

    assert summary.seeds["win_rate"] == (0.25, None, None)
    assert [row[3] for row in summary.rows()] == ["-"] * 5


def test_summary_counts_ends() -> None:
    assert _summary().end_reasons == {"Fail": 1, "Success": 3, "TimeoutReached": 4}


def test_as_dict_is_json_with_everything() -> None:
    summary = _summary()
    plain = json.loads(json.dumps(summary.as_dict()))

    assert plain["configuration"] == SETTINGS
    assert plain["episodes"]["steps"]["value"] == 7.5
    assert plain["seeds"]["win_rate"] == {"value": 0.375, "low": 0, "high": 1}
    assert plain["by_seed"][1]["win_rate"]["value"] == 0.5
    assert plain["end_reasons"] == summary.end_reasons


def test_as_markdown_shows_settings_figures_seeds_and_ends() -> None:
    lines = _summary().as_markdown().splitlines()

    assert lines[0] == "# random against nobody on two_networks"
    assert "| agent | random |" in lines
    assert "| win rate | 37.5 % | 13.7 to 69.4 % | 0.0 to 100.0 % |" in lines
    assert "| 1 | 50.0 % | 36.50 | 8.50 | 0.0 % | 0.00 |" in lines
    assert "| Success | 3 |" in lines


@pytest.mark.parametrize(
    ("defender", "title"),
    [
        ("none", "random against nobody on two_networks"),
        ("stochastic", "random against stochastic on two_networks"),
    ],
)
def test_title_names_who_played(defender: str, title: str) -> None:
    assert Summary.of({**SETTINGS, "defender": defender}, RECORDS).title == title
