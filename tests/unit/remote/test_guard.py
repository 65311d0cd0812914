from __future__ import annotations

import logging

import pytest

from netsecgame.errors import EnvironmentRaisedError
from netsecgame.remote.guard import EnvironmentCode


class SilentError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def test_environment_code_that_raises_nothing_passes() -> None:
    with EnvironmentCode("step"):
        pass


@pytest.mark.parametrize(
    ("error", "type_name", "message"),
    [
        (ValueError("of its own"), "ValueError", "of its own"),
        (SystemExit(3), "SystemExit", "3"),
        (GeneratorExit(), "GeneratorExit", ""),
        (SilentError(), "SilentError", "(an exception without a text)"),
    ],
)
def test_environment_code_that_raises_is_named_with_its_phase(
    error: BaseException, type_name: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(EnvironmentRaisedError) as raised,
        EnvironmentCode("render"),
    ):
        raise error
    assert raised.value.type_name == type_name
    assert raised.value.message == message
    assert raised.value.phase == "render"
    assert raised.value.__cause__ is error
    assert "test_guard.py" in (raised.value.traceback or "")
    assert "test_guard.py" in caplog.text


def test_environment_code_lets_an_interrupt_and_what_it_is_told_pass() -> None:
    with pytest.raises(KeyboardInterrupt), EnvironmentCode("step"):
        raise KeyboardInterrupt
    with pytest.raises(KeyError), EnvironmentCode("", passed=(LookupError,)):
        raise KeyError
