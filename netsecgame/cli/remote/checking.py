"""`netsecgame remote check`: each layer between a client and an episode, until one fails."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple

from netsecgame.cli.remote.credentials import warnings_in_one_line
from netsecgame.cli.remote.playing import open_player
from netsecgame.errors import (
    ConnectError,
    ProtocolViolationError,
    RemoteError,
    ServerDrainingError,
    UnsupportedByServerError,
)
from netsecgame.remote.health import ask_health
from netsecgame.remote.tls import diagnose, read_client_credentials
from netsecgame.remote.wire_schema import SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netsecgame.cli.remote.credentials import Place
    from netsecgame.cli.remote.playing import Player

EXIT_OK, EXIT_FAILED = 0, 1

#: Errors that say that the other side is no server of environments, or none any more.
_OF_SERVICE: Final = (
    ConnectError,
    ProtocolViolationError,
    ServerDrainingError,
    UnsupportedByServerError,
)


class Finding(NamedTuple):
    """What was found in one layer.

    Attributes:
        layer: ``name``, ``tcp``, ``tls``, ``certificate``, ``client certificate``, ``service``,
            ``entrypoint`` or ``episode``.
        is_fine: Whether the next layer can be looked at.
        text: What was seen, and what was expected instead.
    """

    layer: str
    is_fine: bool
    text: str


def check_layers(place: Place, timeout_s: float) -> int:
    """Tell about each layer until one fails; returns the exit status.

    Args:
        place: Where.
        timeout_s: For the connection, for making an environment, and for a step.

    Raises:
        RemoteConfigError: If a certificate or key of the client is none.
    """
    is_fine = False
    with warnings_in_one_line():
        for finding in find(place, timeout_s):
            is_fine = finding.is_fine
            state = "ok    " if is_fine else "FAILED"
            print(f"{finding.layer:<20}{state}  {finding.text}", flush=True)  # noqa: T201
    return EXIT_OK if is_fine else EXIT_FAILED


def find(place: Place, timeout_s: float) -> Iterator[Finding]:
    """What is found layer by layer; only the last one may not be fine."""
    credentials = read_client_credentials(place.credentials)
    for layer in diagnose(place.url, place.port, credentials, timeout_s):
        found = layer.found if layer.error is None else str(layer.error)
        yield Finding(layer.name, layer.error is None, found)
        if layer.error is not None:
            return
    health = ask_health(place.url, place.port, credentials, timeout_s)
    if health is not None:
        yield Finding("service", health.is_serving, health.text)
        if not health.is_serving:
            return
    yield from _find_environment(place, timeout_s, has_service=health is not None)


def _find_environment(place: Place, timeout_s: float, *, has_service: bool) -> Iterator[Finding]:
    try:
        player = open_player(
            place,
            connect_timeout_s=timeout_s,
            create_timeout_s=timeout_s,
            step_timeout_s=timeout_s,
        )
    except RemoteError as error:
        is_of_service = isinstance(error, _OF_SERVICE) and not has_service
        yield Finding("service" if is_of_service else "entrypoint", False, _tell(error))
        return
    with closing(player):
        if not has_service:
            yield Finding("service", True, f"{SERVICE} answers, and knows no health")
        yield Finding("entrypoint", True, player.description)
        try:
            yield Finding("episode", True, _try_episode(player))
        except RemoteError as error:
            yield Finding("episode", False, _tell(error))


def _try_episode(player: Player) -> str:
    """How long a reset and a step take."""
    begin = time.perf_counter()
    player.begin(0)
    reset_s = time.perf_counter() - begin
    begin = time.perf_counter()
    player.step()
    step_s = time.perf_counter() - begin
    return f"a reset takes {1e3 * reset_s:.1f} ms, a step {1e3 * step_s:.1f} ms"


def _tell(error: RemoteError) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
