"""What went wrong with a server: in one line, and as the exit status of its process."""

from __future__ import annotations

from netsecgame.errors import ConfigurationError

EXIT_OK, EXIT_FAILED, EXIT_BAD_CONFIGURATION = 0, 1, 2


class GamesError(Exception):
    """A game could not start, or none is left; the text says which and why.

    Attributes:
        status: The exit status it means.
    """

    def __init__(self, text: str, status: int = EXIT_FAILED) -> None:
        self.status = status
        super().__init__(text)


#: What ends a server with a line for people.
FAILURES = (ConfigurationError, OSError, GamesError)


def describe_failure(error: Exception) -> str:
    """What went wrong, without the number of the error."""
    if not isinstance(error, OSError):
        return str(error)
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error}"


def exit_status_of(error: Exception) -> int:
    """The exit status that one of `FAILURES` means."""
    if isinstance(error, GamesError):
        return error.status
    return EXIT_BAD_CONFIGURATION if isinstance(error, ConfigurationError) else EXIT_FAILED
