from __future__ import annotations

import pytest

from netsecgame.errors import ConfigurationError
from netsecgame.protocol import Limits


def test_limits_by_default_are_those_of_the_protocol() -> None:
    limits = Limits()

    assert limits.max_message_bytes == 64 * 1024
    assert limits.max_backlog_bytes >= limits.max_message_bytes
    assert limits.max_reply_bytes == 64 * 1024 * 1024


@pytest.mark.parametrize(
    "field", ["max_message_bytes", "max_depth", "max_backlog_bytes", "max_reply_bytes"]
)
@pytest.mark.parametrize("value", [0, -1, True, 1.5, "10", None])
def test_limits_no_positive_integer_raises_naming_the_limit(field: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=field) as caught:
        Limits(**{field: value})  # type: ignore[arg-type]

    assert caught.value.path == field
    assert repr(value) in str(caught.value)


def test_limits_backlog_smaller_than_a_message_raises() -> None:
    with pytest.raises(ConfigurationError, match=r"max_backlog_bytes.*101.*100"):
        Limits(max_message_bytes=101, max_backlog_bytes=100)

    assert Limits(max_message_bytes=100, max_backlog_bytes=100).max_backlog_bytes == 100
