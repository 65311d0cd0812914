from __future__ import annotations

import asyncio

from netsecgame.remote.watchdog import Watchdog

_NEVER_S = 3_600.0


async def _barked(watchdog_s: float, *, restart_s: float | None = None) -> None:
    """Wait until a watchdog has called; fails by the time limit of the test."""
    barked = asyncio.Event()
    watchdog = Watchdog(barked.set)
    if restart_s is not None:
        watchdog.start(restart_s)
    watchdog.start(watchdog_s)
    async with asyncio.timeout(30):
        await barked.wait()


async def test_watchdog_deadline_passes_calls() -> None:
    await _barked(0.01)


async def test_watchdog_sooner_deadline_counts() -> None:
    await _barked(0.01, restart_s=_NEVER_S)


async def test_watchdog_later_deadline_counts_and_calls_once() -> None:
    loop = asyncio.get_running_loop()
    calls: list[float] = []
    done = asyncio.Event()

    def note() -> None:
        calls.append(loop.time())
        loop.call_later(0.02, done.set)

    started = loop.time()
    watchdog = Watchdog(note)
    watchdog.start(0.01)
    watchdog.start(0.05)
    await done.wait()

    assert len(calls) == 1
    assert calls[0] - started >= 0.05


async def test_watchdog_stopped_or_closed_never_calls() -> None:
    loop = asyncio.get_running_loop()
    calls: list[str] = []
    stopped = Watchdog(lambda: calls.append("stopped"))
    closed = Watchdog(lambda: calls.append("closed"))
    for watchdog in (stopped, closed):
        watchdog.start(0.01)
    stopped.stop()
    closed.close()
    later = asyncio.Event()
    loop.call_later(0.03, later.set)
    await later.wait()

    assert calls == []


async def test_watchdog_restarted_after_a_stop_calls() -> None:
    barked = asyncio.Event()
    watchdog = Watchdog(barked.set)
    watchdog.start(_NEVER_S)
    watchdog.stop()
    watchdog.start(0.01)
    async with asyncio.timeout(30):
        await barked.wait()
