from __future__ import annotations

from pathlib import Path

import pytest

from netsecgame.core.task import GAME_ACTIONS
from netsecgame.scenarios import list_scenarios
from tests.golden.playthrough import write_playthrough

PLAYTHROUGHS = Path(__file__).with_name("playthroughs")

#: Seeds whose games show much: exploits, stolen data, false positives, won and lost attacks.
SEEDS = {
    "two_networks_tiny": 26,
    "two_networks_small": 38,
    "two_networks": 17,
    "one_network": 181,
    "three_net_scenario": 126,
    "scenario1_tiny": 11,
    "scenario1_small": 7,
    "scenario1": 34,
}


@pytest.mark.parametrize(("scenario", "seed"), SEEDS.items(), ids=SEEDS)
def test_playthrough_of_a_scenario_reads_as_recorded(
    scenario: str, seed: int, update_golden: bool
) -> None:
    path = PLAYTHROUGHS / f"{scenario}.txt"
    text = write_playthrough(scenario, seed)
    if update_golden:
        path.write_text(text, encoding="utf-8")

    assert text == path.read_text(encoding="utf-8")


def test_playthroughs_are_recorded_for_every_shipped_scenario_and_nothing_else() -> None:
    assert sorted(SEEDS) == sorted(list_scenarios())
    assert sorted(path.stem for path in PLAYTHROUGHS.iterdir()) == sorted(SEEDS)


def test_playthroughs_together_show_every_kind_of_end_and_action() -> None:
    texts = [path.read_text(encoding="utf-8") for path in PLAYTHROUGHS.iterdir()]
    everything = "\n".join(texts)

    for action in GAME_ACTIONS:
        assert f". Defender: {action.value}" in everything
    for words in (
        "+ controlled_hosts",
        "- known_data",
        "Success, settled",
        "Fail, settled",
        "TimeoutReached, settled",
        "1 false positives",
    ):
        assert words in everything
    assert all("== episode 2" in text for text in texts)
