"""One stream: the requests of a client, and the one environment it may have.

This is the server's half of a conversation, without gRPC: one answer to each request, in order.
What a stream without a world is answered is decided here; everything else is up to the session,
which runs where the environment does.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from netsecgame.errors import (
    EnvironmentDiedError,
    RemoteError,
    RemoteTimeoutError,
    ServerDrainingError,
)
from netsecgame.remote.forkserver import CLOSE_S
from netsecgame.remote.gate import check_world_name
from netsecgame.remote.messages import Kind, empty_answer, kind_of, parse_response
from netsecgame.remote.refusals import Refusal, report_of
from netsecgame.remote.reports import Reason, error_response, read_error

if TYPE_CHECKING:
    from netsecgame.remote.gate import Admission, Client, Gate
    from netsecgame.remote.host import Host
    from netsecgame.remote.host_factory import HostFactory
    from netsecgame.remote.options import ServerOptions
    from netsecgame.remote.statistics import Statistics

#: What is answered where there is no world.
_WITHOUT_WORLD: Final = {
    Kind.JOIN_WORLD: Reason.NOT_FOUND,
    Kind.RESET_WORLD: Reason.NOT_FOUND,
    Kind.DESTROY_WORLD: Reason.NOT_FOUND,
    Kind.RESET: Reason.BAD_STATE,
    Kind.STEP: Reason.BAD_STATE,
    Kind.EXTENSION: Reason.UNIMPLEMENTED,
}


#: What a response begins with if it is an error, and no other does.
_ERROR_BYTE: Final = b"\x82"


class Stream:
    """The state of one stream.

    Attributes:
        client: Who is at the other end.
        admission: What it plays; None while it has no world.
        steps: How many it has taken.
        created_at: When its environment was made, in seconds since 1970; 0 until it is.
    """

    def __init__(
        self,
        client: Client,
        gate: Gate,
        factory: HostFactory,
        options: ServerOptions,
        statistics: Statistics,
    ) -> None:
        self.client = client
        self.admission: Admission | None = None
        self.steps = 0
        self.created_at = 0.0
        self._gate = gate
        self._factory = factory
        self._options = options
        self._statistics = statistics
        #: None while there is no world, and while the environment is gone.
        self._host: Host | None = None
        #: Kept to join again in an environment that is made anew; None while not joined.
        self._join_request: bytes | None = None
        self._is_closing = False
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def state(self) -> str:
        """``making``, ``made``, ``joined``, ``gone`` (until the next reset) or ``closing``."""
        if self._is_closing:
            return "closing"
        if not self.created_at:
            return "making"
        if self._host is None:
            return "gone"
        return "made" if self._join_request is None else "joined"

    async def answer(self, request: bytes, *, may_create: bool = True) -> bytes:
        """The answer to a request, which may be an error.

        Args:
            request: Any bytes.
            may_create: Whether the server still makes environments.

        Raises:
            ServerDrainingError: If it does not, and one is asked for.
        """
        try:
            kind = kind_of(request)
            if kind is Kind.STEP and self._host is not None:
                answer = await self._step(self._host, request)
            elif kind is Kind.CREATE_WORLD:
                answer = await self._create(request, may_create=may_create)
            else:
                answer = await self._dispatch(kind, request)
        except ServerDrainingError:
            raise
        except Exception as error:  # noqa: BLE001 - one stream must not take others down
            answer = error_response(report_of(error))
        if _is_error(answer):
            self._statistics.errors[_reason_of(answer)] += 1
        return answer

    async def close(self) -> None:
        """End the environment and give its numbers back; takes a bounded time."""
        if not self._is_closing:
            self._is_closing = True
            await self._end_world()

    async def _step(self, host: Host, request: bytes) -> bytes:
        started = time.perf_counter()
        try:
            return await self._ask(host, request, self._options.step_timeout_s)
        finally:
            self.steps += 1
            self._statistics.count_step(time.perf_counter() - started)

    async def _create(self, request: bytes, *, may_create: bool) -> bytes:
        if self.admission is not None:
            raise Refusal(
                Reason.BAD_STATE, f"this stream has its world: {self.admission.world_name}"
            )
        if not may_create:
            raise ServerDrainingError("the server is shutting down")
        try:
            self.admission = await self._gate.admit(request, self.client)
        except RemoteError as error:
            self._statistics.refusals[report_of(error).reason] += 1
            raise
        self._statistics.environments += self.admission.size
        self.steps, self.created_at = 0, 0.0
        try:
            answer = await self._make_host(self.admission)
        except Exception as error:
            self._statistics.refusals[report_of(error).reason] += 1
            await self._end_world()
            raise
        if _is_error(answer):
            self._statistics.refusals[_reason_of(answer)] += 1
            await self._end_world()
        else:
            self._statistics.environments_ever += self.admission.size
            self.created_at = time.time()
        return answer

    async def _dispatch(self, kind: Kind | None, request: bytes) -> bytes:
        if kind is None or kind is Kind.ERROR:
            raise Refusal(
                Reason.BAD_TENSOR,
                f"{len(request)} bytes beginning with {request[:8].hex() or 'nothing'}: expected "
                "one request of a known kind",
            )
        admission = self.admission
        if admission is None:
            if kind is Kind.LEAVE_WORLD:
                return empty_answer(kind)
            raise Refusal(_WITHOUT_WORLD[kind], "there is no world; create_world makes one")
        if kind in (Kind.JOIN_WORLD, Kind.RESET_WORLD, Kind.DESTROY_WORLD):
            check_world_name(request, admission.world_name)
        if kind is Kind.RESET_WORLD:
            return await self._reset_world(request, admission)
        if kind is Kind.DESTROY_WORLD:
            return await self._destroy(request)
        if self._host is None:
            return await self._answer_without_host(kind, request, admission)
        return await self._forward(self._host, kind, request)

    async def _forward(self, host: Host, kind: Kind, request: bytes) -> bytes:
        answer = await self._ask(host, request, self._options.step_timeout_s)
        if not _is_error(answer):
            if kind is Kind.JOIN_WORLD:
                self._join_request = request
            elif kind is Kind.LEAVE_WORLD:
                self._join_request = None
        return answer

    async def _answer_without_host(self, kind: Kind, request: bytes, admission: Admission) -> bytes:
        """Answer while the environment is gone: joining and resetting make it anew."""
        if kind is Kind.LEAVE_WORLD:
            self._join_request = None
            return empty_answer(kind)
        is_joined = self._join_request is not None
        if kind is not (Kind.RESET if is_joined else Kind.JOIN_WORLD):
            raise Refusal(Reason.BAD_STATE, "the environment is gone; a reset makes it anew")
        answer = await self._make_host(admission)
        if self._host is None:
            return answer
        return await self._forward(self._host, kind, request)

    async def _reset_world(self, request: bytes, admission: Admission) -> bytes:
        """Make the environment anew, where nothing is left of the old one."""
        self.admission = await self._gate.admit_again(request, self.client, admission)
        self._retire_host()
        answer = await self._make_host(self.admission)
        return answer if _is_error(answer) else empty_answer(Kind.RESET_WORLD)

    async def _destroy(self, request: bytes) -> bytes:
        if self._join_request is not None:
            raise Refusal(Reason.BAD_STATE, "the world is joined; leave_world comes first")
        answer = empty_answer(Kind.DESTROY_WORLD)
        if self._host is not None:
            try:
                answer = await self._ask(self._host, request, CLOSE_S)
            finally:
                await self._end_world()
        else:
            await self._end_world()
        return answer

    # --- hosts ---

    async def _make_host(self, admission: Admission) -> bytes:
        """Make the environment, and join it if it was joined before.

        Returns:
            The last answer of its session. If it is an error, there is no host.
        """
        # A new one may need what an old one holds, such as a port that goes with its number.
        await self._settle()
        host = self._host = await self._factory.make()
        try:
            answer = await self._ask(host, admission.request, self._options.create_timeout_s)
            if self._join_request is not None and not _is_error(answer):
                answer = await self._ask(host, self._join_request, self._options.step_timeout_s)
        except asyncio.CancelledError:
            self._retire_host(is_stuck=True)
            raise
        if _is_error(answer):
            self._retire_host()
            await self._settle()
        return answer

    async def _ask(self, host: Host, request: bytes, timeout_s: float) -> bytes:
        """Let a host answer; it is given up if it does not."""
        try:
            return await host.handle(request, timeout_s)
        except (EnvironmentDiedError, RemoteTimeoutError):
            self._retire_host(is_stuck=True)
            raise

    async def _end_world(self) -> None:
        self._retire_host()
        await self._settle()
        self._join_request = None
        if self.admission is not None:
            self._gate.release(self.admission, self.client)
            self._statistics.environments -= self.admission.size
            self.admission = None

    def _retire_host(self, *, is_stuck: bool = False) -> None:
        """Begin to end the host; `_settle` waits for that."""
        if self._host is not None:
            task = asyncio.create_task(self._host.close(is_stuck=is_stuck))
            self._host = None
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def _settle(self) -> None:
        while self._retiring:
            await asyncio.wait(self._retiring)


def _is_error(answer: bytes) -> bool:
    return answer[:1] == _ERROR_BYTE


def _reason_of(answer: bytes) -> str:
    reason = read_error(parse_response(answer).error).reason
    return reason.value if reason is not None else "UNKNOWN"
