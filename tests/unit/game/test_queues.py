from __future__ import annotations

import asyncio
from typing import Any

import pytest

from netsecgame.game.queues import ActionQueue, AnswerQueue, Peer

pytestmark = pytest.mark.both_loops

ONE, OTHER = ("10.0.0.1", 1), ("10.0.0.2", 2)


class Consumer:
    """Takes a message on the spot unless it is a text of capital letters.

    Attributes:
        queue: Where its messages come from.
        taken: What it took on the spot, by whom.
        fetched: What came through the queue.
        follow_up: Messages that are put while one is carried out.
    """

    def __init__(self) -> None:
        self.queue = ActionQueue()
        self.taken: list[tuple[Peer, Any]] = []
        self.fetched: list[tuple[Peer, Any]] = []
        self.follow_up: list[tuple[Peer, Any]] = []
        self._is_busy = False

    def take(self, peer: Peer, message: Any) -> bool:
        assert not self._is_busy
        self._is_busy = True
        is_taken = not str(message).isupper()
        if is_taken:
            self.taken.append((peer, message))
            if self.follow_up:
                self.queue.put_nowait(self.follow_up.pop(0))
        self._is_busy = False
        return is_taken

    async def run(self) -> None:
        while True:
            self.fetched.append(await self.queue.get_or_take(self.take))


@pytest.fixture
async def consumer() -> Any:
    consumer = Consumer()
    task = asyncio.create_task(consumer.run())
    await asyncio.sleep(0)
    yield consumer
    task.cancel()
    await asyncio.wait([task])


async def rounds(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_action_queue_with_a_waiting_consumer_hands_over_on_the_spot(
    consumer: Consumer,
) -> None:
    consumer.queue.put_nowait((ONE, "a"))
    await consumer.queue.put((OTHER, "b"))

    assert consumer.taken == [(ONE, "a"), (OTHER, "b")]
    assert consumer.queue.empty()
    await rounds()
    assert consumer.fetched == []


async def test_action_queue_what_is_not_taken_and_what_follows_goes_through_the_queue_in_order(
    consumer: Consumer,
) -> None:
    for message in ("A", "b", "C"):
        consumer.queue.put_nowait((ONE, message))

    assert consumer.taken == []
    await rounds()
    assert consumer.fetched == [(ONE, "A"), (ONE, "b"), (ONE, "C")]

    consumer.queue.put_nowait((ONE, "d"))
    assert consumer.taken == [(ONE, "d")]


async def test_action_queue_message_put_while_one_is_carried_out_waits_for_its_turn(
    consumer: Consumer,
) -> None:
    consumer.follow_up = [(ONE, "second"), (ONE, "third")]

    consumer.queue.put_nowait((ONE, "first"))
    consumer.queue.put_nowait((OTHER, "first"))

    assert consumer.taken == [(ONE, "first")]
    await rounds()
    assert consumer.fetched == [(ONE, "second"), (OTHER, "first")]


async def test_action_queue_without_a_waiting_consumer_is_a_queue_like_any_other() -> None:
    queue = ActionQueue()
    queue.put_nowait((ONE, "a"))
    assert queue.qsize() == 1
    assert await queue.get() == (ONE, "a")

    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put_nowait((ONE, "b"))
    assert await waiting == (ONE, "b")


async def test_action_queue_consumer_that_has_gone_is_offered_nothing() -> None:
    consumer = Consumer()
    task = asyncio.create_task(consumer.run())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    consumer.queue.put_nowait((ONE, "a"))

    assert consumer.taken == []
    assert consumer.queue.get_nowait() == (ONE, "a")


async def test_action_queue_after_a_message_that_failed_goes_on() -> None:
    queue = ActionQueue()

    def fail(peer: Peer, message: Any) -> bool:
        raise LookupError(message)

    waiting = asyncio.create_task(queue.get_or_take(fail))
    await asyncio.sleep(0)
    for message in ("a", "b"):
        with pytest.raises(LookupError, match=message):
            queue.put_nowait((ONE, message))
    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait([waiting])


async def test_answer_queue_hands_on_what_is_put_in_both_ways() -> None:
    delivered: list[Any] = []
    queue = AnswerQueue(delivered.append)

    queue.put_nowait(b"one")
    await queue.put(b"two")

    assert delivered == [b"one", b"two"]
    assert queue.empty()
