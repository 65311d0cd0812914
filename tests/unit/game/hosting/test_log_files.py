from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from netsecgame.game.hosting.log_files import game_dir, game_log, set_up_log, worker_dir

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def root_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A working directory for logs; the root logger is as it was afterwards."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    root.handlers.clear()  # set_up_log closes those it finds
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "logs"
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_game_log_writes_to_the_game_and_to_the_process(root_log: Path) -> None:
    set_up_log("INFO")
    with game_log(3) as third, game_log(104) as other:
        third.info("of the third")
        third.debug("too much")
        other.info("of the other")
    logging.getLogger("asyncio").info("of nobody")

    of_process = (root_log / "NSG_coordinator.log").read_text().splitlines()
    (of_third,) = (root_log / "game_03" / "NSG_coordinator.log").read_text().splitlines()
    (of_other,) = (root_log / "game_104" / "NSG_coordinator.log").read_text().splitlines()
    assert of_third.endswith("INFO netsecgame.game_03 of the third")
    assert of_other.endswith("INFO netsecgame.game_104 of the other")
    assert of_process[:2] == [of_third, of_other]
    assert of_process[2].endswith("INFO asyncio of nobody")


def test_game_log_after_its_block_writes_to_the_process_only(root_log: Path) -> None:
    set_up_log("INFO", worker_dir(1) / "log")
    with game_log(0) as log:
        pass
    log.info("late")

    assert (game_dir(0) / "NSG_coordinator.log").read_text() == ""
    assert "late" in (root_log / "worker_01" / "log").read_text()


def test_set_up_log_tells_warnings_on_stderr(
    root_log: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    set_up_log("DEBUG")
    with game_log(2) as log:
        log.info("fine")
        log.warning("odd")

    assert [line.split(" ", 2)[2] for line in capfd.readouterr().err.splitlines()] == [
        "WARNING netsecgame.game_02 odd"
    ]
