from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.envs.evaluation.episodes import EpisodeRecord
from netsecgame.envs.evaluation.plan import episode_seed
from netsecgame.envs.evaluation.results import ResultsFolder
from netsecgame.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SETTINGS: dict[str, Any] = {"task": "two_networks", "agent": "random", "episodes": 9}


def _records(episodes: Iterable[int], seed: int = 0) -> list[EpisodeRecord]:
    return [
        EpisodeRecord(
            episode=episode,
            seed=episode_seed(seed, episode),
            won=episode % 2 == 0,
            total_reward=-3.5 * episode,
            steps=episode,
            detected=False,
            false_positives=1,
            end_reason="TimeoutReached",
        )
        for episode in episodes
    ]


def _filled(path: Path) -> ResultsFolder:
    results = ResultsFolder(path, SETTINGS)
    with results.writing():
        results.append(0, _records(range(3)))
        results.append(0, _records(range(3, 5)))
        results.append(1, _records(range(2), seed=1))
    return results


def _lines(path: Path) -> Path:
    return path / "episodes" / "seed_0.jsonl"


def test_read_what_was_appended_comes_back(tmp_path: Path) -> None:
    _filled(tmp_path / "out")
    results = ResultsFolder(tmp_path / "out", SETTINGS)

    assert results.read(0) == _records(range(5))
    assert results.read(1) == _records(range(2), seed=1)
    assert results.read(2) == []


def test_append_line_is_plain_json(tmp_path: Path) -> None:
    results = _filled(tmp_path)
    line = json.loads(_lines(tmp_path).read_text().splitlines()[1])

    assert line == {
        "episode": 1,
        "seed": episode_seed(0, 1),
        "won": False,
        "return": -3.5,
        "steps": 1,
        "detected": False,
        "false_positives": 1,
        "end_reason": "TimeoutReached",
    }
    assert results.read(0)[1].total_reward == -3.5


def test_read_cut_anywhere_in_the_last_line_gives_the_whole_ones(tmp_path: Path) -> None:
    results = _filled(tmp_path)
    content = _lines(tmp_path).read_bytes()
    last = content.rfind(b"\n", 0, -1) + 1
    for end in range(last, len(content)):
        _lines(tmp_path).write_bytes(content[:end])

        assert results.read(0) == _records(range(4))
        with results.writing():
            results.drop_cut_line(0)
            results.append(0, _records([4]))
        assert _lines(tmp_path).read_bytes() == content


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b'"episode":2', b'"episode":3', r"seed_0\.jsonl:3: expected episode 2 of seed 0"),
        (b'"episode":1,"seed":', b'"episode":1,"seed":7', r"seed_0\.jsonl:2: expected episode 1"),
        (b'"won":true', b'"won":1', r"seed_0\.jsonl:1: this is no episode"),
        (b'"steps":1,', b"", r"seed_0\.jsonl:2: this is no episode"),
        (b"{", b"", r"seed_0\.jsonl:1: this is no episode"),
    ],
)
def test_read_damaged_line_is_named(old: bytes, new: bytes, told: str, tmp_path: Path) -> None:
    results = _filled(tmp_path)
    content = _lines(tmp_path).read_bytes()
    _lines(tmp_path).write_bytes(content.replace(old, new, 1))

    with pytest.raises(ConfigurationError, match=told):
        results.read(0)


def test_folder_of_another_configuration_is_refused_with_the_difference(tmp_path: Path) -> None:
    _filled(tmp_path)

    with pytest.raises(ConfigurationError) as caught:
        ResultsFolder(tmp_path, {**SETTINGS, "agent": "scripted", "episodes": 10})
    assert str(caught.value) == (
        f"{tmp_path}: the folder has the results of another configuration: agent is random there, "
        "scripted was asked for; episodes is 9 there, 10 was asked for"
    )


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("important")

    with pytest.raises(ConfigurationError, match=r"expected a folder with a manifest\.json"):
        ResultsFolder(tmp_path, SETTINGS)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"configuration": 3}', "{"])
def test_folder_with_a_broken_manifest_is_refused(manifest: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(manifest)

    with pytest.raises(ConfigurationError, match=r"manifest\.json: this is no manifest"):
        ResultsFolder(tmp_path, SETTINGS)


def test_folder_stopped_before_its_manifest_is_taken(tmp_path: Path) -> None:
    (tmp_path / "episodes").mkdir()
    (tmp_path / ".lock").touch()
    (tmp_path / "manifest.json.draft").write_text("{")

    results = _filled(tmp_path)

    assert len(results.read(0)) == 5
    assert not (tmp_path / "manifest.json.draft").exists()


def test_writing_two_at_once_is_refused(tmp_path: Path) -> None:
    first, second = ResultsFolder(tmp_path, SETTINGS), ResultsFolder(tmp_path, SETTINGS)
    with first.writing(), pytest.raises(ConfigurationError, match="another process is writing"):
        second.writing().__enter__()
    with second.writing():
        second.append(0, _records([0]))
    assert first.read(0) == _records([0])


def test_writing_after_another_configuration_came_first_is_refused(tmp_path: Path) -> None:
    first = ResultsFolder(tmp_path, SETTINGS)
    second = ResultsFolder(tmp_path, {**SETTINGS, "agent": "scripted"})
    with first.writing():
        pass
    with pytest.raises(ConfigurationError, match="agent is random there"):
        second.writing().__enter__()


def test_writing_nothing_yet_leaves_no_folder(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path / "new", SETTINGS)

    assert results.read(0) == []
    assert not (tmp_path / "new").exists()
