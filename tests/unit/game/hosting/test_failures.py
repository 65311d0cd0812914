from __future__ import annotations

import errno

import pytest

from netsecgame.errors import TaskError
from netsecgame.game.hosting.failures import GamesError, describe_failure, exit_status_of


@pytest.mark.parametrize(
    ("error", "text", "status"),
    [
        (TaskError("is odd", source="t.yaml", line=3), "t.yaml:3: is odd", 2),
        (OSError(errno.EADDRINUSE, "port 9000 is taken"), "port 9000 is taken", 1),
        (PermissionError(errno.EACCES, "Permission denied", "logs"), "logs: Permission denied", 1),
        (OSError("out of order"), "out of order", 1),
        (GamesError("all games have failed"), "all games have failed", 1),
        (GamesError("game 3: t.yaml:3: is odd", 2), "game 3: t.yaml:3: is odd", 2),
    ],
)
def test_failure_has_a_line_and_a_status(error: Exception, text: str, status: int) -> None:
    assert (describe_failure(error), exit_status_of(error)) == (text, status)
