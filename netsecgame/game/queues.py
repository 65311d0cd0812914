"""The two kinds of queues between connections and coordinator, each with a short cut.

Both are queues like any other for whoever puts and gets. The short cuts save a round of the event
loop for each message and each answer, which is most of what a queue costs.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from netsecgame.protocol.long_reply import LongReply

#: Host and port of a connection.
Peer: TypeAlias = tuple[str, int]

#: A reply: whole, as pieces to be joined, or as pieces that are made while it is sent.
Answer: TypeAlias = "bytes | list[bytes] | LongReply"

#: Carries out the message of a peer if it can do so at once; tells whether it did.
Take: TypeAlias = "Callable[[Peer, Any], bool]"


class AnswerQueue(asyncio.Queue[bytes]):
    """The answers for one agent; each is handed on as it is put, without waiting for a task."""

    def __init__(self, deliver: Callable[[Answer], None]) -> None:
        super().__init__()
        self._deliver = deliver

    def put_nowait(self, item: Answer) -> None:
        """Hand on an answer."""
        self._deliver(item)

    async def put(self, item: Answer) -> None:
        """Hand on an answer."""
        self._deliver(item)


class ActionQueue(asyncio.Queue[tuple[Peer, Any]]):
    """The messages of all peers; one consumer.

    A message that finds the queue empty and the consumer waiting is offered to the consumer on the
    spot. What is put while it is carried out (the next message of a peer that pipelines) waits for
    its turn in the queue. So messages are carried out one at a time and in the order they came, and
    no peer has a second turn before the others had one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._take: Take | None = None  # while the consumer waits, and carries nothing out

    def put_nowait(self, item: tuple[Peer, Any]) -> None:
        """Offer a message to the consumer, or put it in the queue."""
        take = self._take
        if take is not None and self.empty():
            self._take = None
            try:
                if take(*item):
                    return
            finally:
                self._take = take
        super().put_nowait(item)

    async def get_or_take(self, take: Take) -> tuple[Peer, Any]:
        """The next message that has to go through the queue.

        Args:
            take: Is offered the messages that come meanwhile.
        """
        self._take = take
        try:
            return await self.get()
        finally:
            self._take = None
