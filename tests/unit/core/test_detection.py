from __future__ import annotations

from random import Random

import pytest

from netsecgame.core import detection
from netsecgame.core.detection import ActionHistory, is_suspicious, longest_run
from netsecgame.core.task import DEFAULT_DETECTION, DEFAULT_DETECTION_WINDOW, DetectionRule
from netsecgame.game_components import IP, Action, ActionType
from tests.unit.core.office import PC, WEB, find_data

S, F, D = ActionType.ScanNetwork, ActionType.FindServices, ActionType.FindData
E, X, B = ActionType.ExploitService, ActionType.ExfiltrateData, ActionType.BlockIP


class Certain(Random):
    """Draws what makes everything that is checked detected, and counts the draws."""

    def __init__(self) -> None:
        self.draws = 0

    def random(self) -> float:
        self.draws += 1
        return 0.0


def play(kinds: list[ActionType], rng: Random, *, same: bool = False) -> list[bool]:
    """Whether each of these actions is detected; all different, unless they are all the same."""
    history = ActionHistory(DEFAULT_DETECTION_WINDOW)
    return [
        history.is_detected(
            Action(kind, {"source_host": PC, "target_host": IP(f"10.0.0.{0 if same else i}")}),
            DEFAULT_DETECTION,
            rng,
        )
        for i, kind in enumerate(kinds)
    ]


# --- thresholds -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "window", "repeats", "expected"),
    [
        # ScanNetwork: r >= 0.25 or c >= 2
        (S, [F, D, F, D, S], 9, False),
        (S, [S, D, F, D, S], 1, True),
        # FindServices: r >= 0.3 or c >= 3
        (F, [D, S, D, S, F], 9, False),
        (F, [F, S, D, S, F], 1, True),
        # ExfiltrateData: r >= 0.25 or c >= 2
        (X, [D, S, D, S, X], 9, False),
        (X, [D, S, D, X, X], 1, True),
        # ExploitService: r >= 0.25 or n >= 2
        (E, [D, S, D, S, E], 1, False),
        (E, [D, E, D, S, E], 1, True),
        (E, [D, S, D, S, E], 2, True),
        # FindData: r >= 0.5 or n >= 2
        (D, [S, S, F, D, D], 1, False),
        (D, [D, S, F, D, D], 1, True),
        (D, [S, F, F, S, D], 2, True),
        # BlockIP: r >= 1
        (B, [S, B, B, B, B], 9, False),
        (B, [B, B, B, B, B], 1, True),
    ],
)
def test_is_suspicious_follows_the_row_of_its_type(
    kind: ActionType, window: list[ActionType], repeats: int, expected: bool
) -> None:
    assert is_suspicious(DEFAULT_DETECTION[kind], kind, window, repeats) is expected


@pytest.mark.parametrize(
    ("rule", "window", "repeats", "expected"),
    [
        (DetectionRule(1, min_share=0.6), [S, S, D, D, S], 1, True),
        (DetectionRule(1, min_share=0.6), [S, F, D, D, S], 1, False),
        (DetectionRule(1, min_share=0.28), [S] * 7 + [D] * 18, 1, True),  # 7 / 25, exactly
        (DetectionRule(1, min_run=2), [S, S, D, D, S], 1, True),
        (DetectionRule(1, min_run=3), [S, S, D, S, S], 1, False),
        (DetectionRule(1, min_run=3), [D, D, D, S, S], 1, False),  # a run of another type
        (DetectionRule(1, min_repeats=3), [S], 3, True),
        (DetectionRule(1, min_repeats=3), [S, S, S, S, S], 2, False),
        (DetectionRule(1), [S, S, S, S, S], 9, False),
    ],
)
def test_is_suspicious_of_one_threshold_looks_at_that_alone(
    rule: DetectionRule, window: list[ActionType], repeats: int, expected: bool
) -> None:
    assert is_suspicious(rule, S, window, repeats) is expected


def test_longest_run_counts_one_type_only() -> None:
    assert longest_run([S, S, D, D, D, S], S) == 2
    assert longest_run([D, S, S, S], S) == 3
    assert longest_run([D, D], S) == 0
    assert longest_run([], S) == 0


# --- history --------------------------------------------------------------------------------------


def test_is_detected_checks_nothing_before_the_fifth_action() -> None:
    rng = Certain()

    assert play([S, S, S, S, S], rng) == [False, False, False, False, True]
    assert rng.draws == 1


def test_is_detected_looks_at_the_newest_five_only() -> None:
    assert play([S, S, F, D, F, D, S], Certain())[-1] is False
    assert play([F, D, S, F, D, F, S], Certain())[-1] is True


def test_is_detected_counts_repeats_over_the_whole_episode() -> None:
    history = ActionHistory(DEFAULT_DETECTION_WINDOW)
    others = [S, F, X, B] * 3

    def notice(action: Action) -> bool:
        return history.is_detected(action, DEFAULT_DETECTION, Certain())

    notice(find_data(PC, WEB))
    for number, kind in enumerate(others):
        notice(Action(kind, {"source_host": IP(f"10.0.0.{number}")}))

    assert notice(find_data(PC, PC)) is False
    assert notice(find_data(PC, WEB)) is True


def test_is_detected_counts_the_very_same_action_only() -> None:
    kinds = [D, S, F, X, D]

    assert play(kinds, Certain())[-1] is False
    assert play(kinds, Certain(), same=True)[-1] is True


def test_is_detected_draws_nothing_below_the_thresholds() -> None:
    rng = Certain()

    assert play([S, F, D, X, B, E], rng) == [False] * 6
    assert rng.draws == 0


@pytest.mark.parametrize(("kind", "rule"), DEFAULT_DETECTION.items())
def test_is_detected_is_as_likely_as_its_rule_says(kind: ActionType, rule: DetectionRule) -> None:
    class Draws(Random):
        def __init__(self, value: float) -> None:
            self.value = value

        def random(self) -> float:
            return self.value

    kinds = [kind] * 5
    assert play(kinds, Draws(rule.probability - 1e-9))[-1] is True
    assert play(kinds, Draws(rule.probability))[-1] is False


def test_is_detected_of_a_type_without_a_rule_is_never_true() -> None:
    history = ActionHistory(1)

    assert not history.is_detected(find_data(PC, WEB), {S: DetectionRule(1, min_run=1)}, Certain())


def test_is_detected_with_another_window_waits_until_that_is_full() -> None:
    history = ActionHistory(2)
    rules = {D: DetectionRule(1, min_repeats=1)}

    assert history.is_detected(find_data(PC, WEB), rules, Certain()) is False
    assert history.is_detected(find_data(PC, WEB), rules, Certain()) is True


def test_is_detected_beyond_the_memory_limit_still_counts_what_it_remembers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(detection, "MAX_COUNTED_ACTIONS", 1)
    history = ActionHistory(1)
    rules = {D: DetectionRule(1, min_repeats=2)}
    remembered, forgotten = find_data(PC, WEB), find_data(PC, PC)

    outcomes = [
        history.is_detected(action, rules, Certain())
        for action in (remembered, forgotten, forgotten, remembered)
    ]

    assert outcomes == [False, False, False, True]
