from __future__ import annotations

import asyncio
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Reference material that lies beside the project where there is any.
SHARED_DIR = Path(__file__).resolve().parents[2] / "shared"

_NO_SHARED_DIR = f"there is no {SHARED_DIR}"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the golden playthroughs instead of comparing with them",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "both_loops: run on asyncio's event loop and on uvloop's")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loops that a test runs on: one, or all that are installed."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
        "asyncio": asyncio.new_event_loop
    }
    if item.get_closest_marker("both_loops") and find_spec("uvloop"):
        import uvloop  # noqa: PLC0415 - it need not be there

        factories["uvloop"] = uvloop.new_event_loop
    return factories


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give `golden_path` to a test that asks for it: once for each recorded reference game."""
    if "golden_path" not in metafunc.fixturenames:
        return
    found = sorted((SHARED_DIR / "golden").glob("*.json"))
    absent = pytest.param(None, id="absent", marks=pytest.mark.skip(reason=_NO_SHARED_DIR))
    metafunc.parametrize(
        "golden_path", [pytest.param(path, id=path.stem) for path in found] or [absent]
    )


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of the reference material; skips where there is none."""
    if not SHARED_DIR.is_dir():
        pytest.skip(_NO_SHARED_DIR)
    return SHARED_DIR


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten."""
    return bool(request.config.getoption("--update-golden"))
