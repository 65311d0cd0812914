from __future__ import annotations

import logging

import pytest

from netsecgame import errors
from netsecgame.remote.refusals import Refusal, report_of
from netsecgame.remote.reports import Reason, Report


@pytest.mark.parametrize(
    ("error", "reason", "phase", "exit_code"),
    [
        (errors.EnvironmentDiedError(-9, "killed"), Reason.ENV_DIED, "", -9),
        (errors.RemoteTimeoutError("step", "slow"), Reason.ENV_TIMEOUT, "step", None),
        (errors.InvalidActionError("no"), Reason.BAD_ACTION, "", None),
        (errors.ProtocolViolationError("no"), Reason.BAD_TENSOR, "", None),
        (errors.RemoteConfigError("no"), Reason.BAD_ARGS, "", None),
        (errors.NotAllowedError("no"), Reason.NOT_ALLOWED, "", None),
        (errors.EntrypointError("no"), Reason.ENTRYPOINT, "", None),
        (errors.ServerFullError("no"), Reason.FULL, "", None),
        (errors.UnsupportedByServerError("no"), Reason.UNIMPLEMENTED, "", None),
    ],
)
def test_report_of_each_exception_has_its_reason(
    error: Exception, reason: Reason, phase: str, exit_code: int | None
) -> None:
    expected = Report(reason, type(error).__name__, str(error), phase, None, exit_code)
    assert report_of(error) == expected


def test_report_of_a_refusal_has_the_reason_it_gives() -> None:
    report = report_of(Refusal(Reason.BAD_STATE, "too early"))
    assert report == Report(Reason.BAD_STATE, "ProtocolViolationError", "too early")


def test_report_of_a_raising_environment_keeps_the_traceback_back_unless_told() -> None:
    error = errors.EnvironmentRaisedError("KeyError", "'x'", "line 7", "step")
    assert report_of(error) == Report(Reason.ENV_RAISED, "KeyError", "'x'", "step", None)
    assert report_of(error, traceback_to_client=True).traceback == "line 7"


def test_report_of_an_unforeseen_exception_is_logged_and_tells_no_more_than_its_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        report = report_of(LookupError("/home/operator/secret"))
    assert report.type_name == "LookupError"
    assert "secret" not in report.message
    assert "secret" in caplog.text
