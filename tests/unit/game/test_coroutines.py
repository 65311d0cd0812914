from __future__ import annotations

import asyncio
from inspect import CORO_CLOSED, getcoroutinestate

import pytest

from netsecgame.game.coroutines import finish_coroutine

pytestmark = pytest.mark.both_loops


class Work:
    """Waits for `is_ready` and then for `may_end`.

    Attributes:
        seen: What happened to it.
    """

    def __init__(self) -> None:
        self.is_ready = asyncio.Event()
        self.may_end = asyncio.Event()
        self.seen: list[str] = []

    async def run(self) -> str:
        try:
            await self.is_ready.wait()
            self.seen.append("ready")
            await self.may_end.wait()
        finally:
            self.seen.append("over")
        return "done"


async def test_finish_coroutine_waits_for_what_it_waits_for_and_returns_its_result() -> None:
    work = Work()
    coroutine = work.run()
    rest = asyncio.create_task(finish_coroutine(coroutine, coroutine.send(None)))
    await asyncio.sleep(0)
    assert work.seen == []

    work.is_ready.set()
    work.may_end.set()

    assert await rest == "done"
    assert work.seen == ["ready", "over"]


async def test_finish_coroutine_that_only_lets_others_run_returns_its_result() -> None:
    async def let_others_run() -> str:
        await asyncio.sleep(0)
        return "done"

    coroutine = let_others_run()

    assert await finish_coroutine(coroutine, coroutine.send(None)) == "done"


async def test_finish_coroutine_that_raises_later_raises_that() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError("late")

    coroutine = fail()
    with pytest.raises(LookupError, match="late"):
        await finish_coroutine(coroutine, coroutine.send(None))


@pytest.mark.parametrize("is_ready", [False, True], ids=["first wait", "second wait"])
async def test_finish_coroutine_cancelled_ends_the_coroutine(is_ready: bool) -> None:
    work = Work()
    coroutine = work.run()
    awaited = coroutine.send(None)
    rest = asyncio.create_task(finish_coroutine(coroutine, awaited))
    await asyncio.sleep(0)
    if is_ready:
        work.is_ready.set()
        for _ in range(3):  # the loop's next rounds
            await asyncio.sleep(0)
        assert work.seen == ["ready"]

    rest.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rest

    assert work.seen[-1] == "over"
    assert getcoroutinestate(coroutine) == CORO_CLOSED
