"""Going on with a coroutine that somebody has begun to run outside of any task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

_T = TypeVar("_T")


class _Rest:
    """What is left of a coroutine."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], awaited: object) -> None:
        self._coroutine = coroutine
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, Any]:
        try:
            yield self._awaited
        except BaseException:
            self._coroutine.close()
            raise
        return (yield from self._coroutine.__await__())


async def finish_coroutine(coroutine: Coroutine[Any, Any, _T], awaited: object) -> _T:
    """What a coroutine returns.

    Args:
        coroutine: One that has run up to its first wait.
        awaited: What its `send` gave there.
    """
    result: _T = await _Rest(coroutine, awaited)
    return result
