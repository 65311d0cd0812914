from __future__ import annotations

import asyncio
import sys
from importlib.util import find_spec

import pytest

from netsecgame.errors import ConfigurationError
from netsecgame.game.event_loop import LOOPS, loop_factory, run

needs_uvloop = pytest.mark.skipif(not find_spec("uvloop"), reason="uvloop is not installed")


async def running_loop() -> str:
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


@pytest.mark.parametrize(
    ("loop", "package"),
    [
        ("asyncio", "asyncio"),
        pytest.param("uvloop", "uvloop", marks=needs_uvloop),
        pytest.param("auto", "uvloop", marks=needs_uvloop),
    ],
)
def test_run_returns_the_result_on_the_loop_of_that_name(loop: str, package: str) -> None:
    assert loop in LOOPS
    assert run(running_loop(), loop) == package


def test_run_auto_without_uvloop_takes_that_of_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)

    assert run(running_loop()) == "asyncio"


def test_run_on_uvloop_without_uvloop_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)

    with pytest.raises(ConfigurationError, match=r"loop: .*netsecgame\[fast\]"):
        run(running_loop(), "uvloop")


def test_loop_factory_of_another_name_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"expected one of auto, .*got 'fastest'"):
        loop_factory("fastest")


@needs_uvloop
@pytest.mark.both_loops
async def test_both_loops_are_what_tests_with_that_mark_run_on(
    request: pytest.FixtureRequest,
) -> None:
    name = request.node.callspec.id
    assert name in ("asyncio", "uvloop")
    assert await running_loop() == name
