"""A server that answers each chunk with the next reply of a file: the least a server can do.

A blocking client sends one request a chunk, so nothing is framed, decoded or decided.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from itertools import cycle
from pathlib import Path
from typing import cast

from netsecgame.game.event_loop import LOOPS, run


class Echo(asyncio.Protocol):
    """Answers each chunk with the next reply, and begins anew behind the last one."""

    def __init__(self, replies: list[bytes]) -> None:
        self._replies = cycle(replies)
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - whatever was asked
        """Answer."""
        self._transport.write(next(self._replies))


async def serve(conversations: list[list[bytes]]) -> None:
    """Answer the first connection from the first conversation, and so on."""
    following = cycle(conversations)
    server = await asyncio.get_running_loop().create_server(
        lambda: Echo(next(following)), "127.0.0.1", 0
    )
    await server.serve_forever()


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path, help="JSON: a list of replies for each connection")
    parser.add_argument("--loop", choices=LOOPS, default="auto", help="event loop")
    options = parser.parse_args()
    conversations = json.loads(options.file.read_text())
    replies = [[reply.encode() for reply in conversation] for conversation in conversations]
    run(serve(replies), options.loop)


if __name__ == "__main__":
    main()
