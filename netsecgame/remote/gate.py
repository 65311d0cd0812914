"""The gate: who may have which environment, and under which numbers.

Nothing that a client says about an environment passes it unchecked: the arguments in a request to
make one are replaced by those that the server made of them, and whoever makes the environment
trusts these.
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from netsecgame.errors import NotAllowedError, RemoteConfigError, ServerFullError
from netsecgame.remote.args import merge
from netsecgame.remote.messages import DType, Kind, create_world, kind_of, parse_request
from netsecgame.remote.refusals import Refusal
from netsecgame.remote.reports import Reason
from netsecgame.remote.tensors import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netsecgame.remote.args import RemoteArgs, ServerArgs
    from netsecgame.remote.option_kinds import ClientRule
    from netsecgame.remote.options import ServerOptions

_LOG = logging.getLogger(__name__)

_WORLD_PREFIX = "nsg1:"

#: Settings of create_world and reset_world.
_ARGS, _VECTOR = "args", "nsg_vector"


class Client(NamedTuple):
    """Who is at the other end of a stream.

    Attributes:
        peer: As gRPC writes it, e.g. ``ipv4:127.0.0.1:50000``.
        identity: The name in its certificate; None without one.
    """

    peer: str
    identity: str | None

    @property
    def key(self) -> str:
        """What stands for the client when its environments are counted."""
        return self.identity or self.peer.rpartition(":")[0]


class Admission(NamedTuple):
    """A request to make an environment that may pass.

    Attributes:
        request: The create_world for the session, with the arguments that count.
        env_id: The environment's number; of a vector, its first one's.
        size: How many numbers it has.
        entrypoint: What makes it.
    """

    request: bytes
    env_id: int
    size: int
    entrypoint: str

    @property
    def world_name(self) -> str:
        """What the client calls it."""
        return f"{_WORLD_PREFIX}{self.env_id}"


class Gate:
    """Admits environments, and counts those that there are.

    Args:
        server_args: What the server hosts.
        options: Of the server.
    """

    def __init__(self, server_args: ServerArgs, options: ServerOptions) -> None:
        self._server_args = server_args
        self._options = options
        self._used: set[int] = set()
        self._worlds_by_client: dict[str, int] = {}

    async def admit(self, request: bytes, client: Client) -> Admission:
        """Let a create_world pass; its numbers stay taken until `release`.

        Raises:
            RemoteError: If it may not.
        """
        settings = parse_request(request).create_world.settings
        rule = self._rule_of(client)
        count = _read_count(settings)
        args = await self._authorized_args(settings, client)
        # From here to the numbers nothing waits, so the limits hold.
        self._check_limits(client, count or 1, rule)
        env_id = self._take(count or 1)
        self._worlds_by_client[client.key] = self._worlds_by_client.get(client.key, 0) + 1
        return _admission(settings, args, env_id, count or 1)

    async def admit_again(self, request: bytes, client: Client, before: Admission) -> Admission:
        """Let a reset_world pass, which makes an environment anew under its old numbers.

        Raises:
            RemoteError: If it may not.
        """
        settings = parse_request(request).reset_world.settings
        if _VECTOR not in settings:
            # A vector stays one, and as large, unless the client says otherwise.
            old = parse_request(before.request).create_world.settings
            if _VECTOR in old:
                settings[_VECTOR].CopyFrom(old[_VECTOR])
        count = _read_count(settings) or 1
        if count != before.size:
            raise RemoteConfigError(
                f"{_VECTOR}: expected num_envs {before.size} as before, got {count}"
            )
        args = await self._authorized_args(settings, client)
        return _admission(settings, args, before.env_id, count)

    def release(self, admission: Admission, client: Client) -> None:
        """Give numbers back."""
        self._used.difference_update(range(admission.env_id, admission.env_id + admission.size))
        left = self._worlds_by_client[client.key] - 1
        if left:
            self._worlds_by_client[client.key] = left
        else:
            del self._worlds_by_client[client.key]

    async def _authorized_args(self, settings: Any, client: Client) -> dict[str, Any]:
        client_json = _read_text(settings, _ARGS)
        args = merge(self._server_args, client_json, self._options, client.identity)
        authorize = self._options.authorize
        if authorize is not None:
            shown = cast("RemoteArgs", copy.deepcopy(args))
            try:
                # It may ask somebody, and so take a while.
                async with asyncio.timeout(self._options.create_timeout_s):
                    await asyncio.to_thread(authorize, client.identity, shown)
            except NotAllowedError:
                raise
            except TimeoutError:
                raise NotAllowedError("authorize: nobody said yes in time") from None
            except Exception as error:
                _LOG.info("%s was refused", client, exc_info=error)
                raise NotAllowedError(str(error) or type(error).__name__) from error
        return args

    def _rule_of(self, client: Client) -> ClientRule | None:
        rules: Mapping[str, ClientRule] = self._options.clients or {}
        return rules.get(client.identity or "*") or rules.get("*")

    def _check_limits(self, client: Client, count: int, rule: ClientRule | None) -> None:
        options = self._options
        in_vector = (rule and rule.max_envs_per_stream) or options.max_envs_per_stream
        if count > in_vector:
            raise ServerFullError(
                f"{count} environments in one vector: max_envs_per_stream is {in_vector}"
            )
        if len(self._used) + count > options.max_environments:
            raise ServerFullError(
                f"{len(self._used)} environments and {count} more: max_environments is "
                f"{options.max_environments}"
            )
        of_client = (rule and rule.max_environments) or options.max_environments_per_client
        has = self._worlds_by_client.get(client.key, 0)
        if has >= of_client:
            raise ServerFullError(
                f"{has} environments of one client: max_environments_per_client is {of_client}"
            )

    def _take(self, count: int) -> int:
        """Take the smallest free numbers that are `count` in a row; gives the first."""
        first = 0
        while True:
            taken = [number for number in range(first, first + count) if number in self._used]
            if not taken:
                self._used.update(range(first, first + count))
                return first
            first = taken[-1] + 1


def check_world_name(request: bytes, expected: str) -> None:
    """Refuse a request about another world than the stream's own.

    Raises:
        Refusal: If it is.
    """
    message = parse_request(request)
    kind = kind_of(request)
    assert kind in (Kind.JOIN_WORLD, Kind.RESET_WORLD, Kind.DESTROY_WORLD)
    name = getattr(message, kind.name.lower()).world_name
    if name != expected:
        raise Refusal(Reason.NOT_FOUND, f"there is no world {name!r} here; expected {expected!r}")


def _admission(settings: Any, args: dict[str, Any], env_id: int, count: int) -> Admission:
    text = json.dumps({**args, "env_id": env_id})
    kept = {name: settings[name] for name in settings}
    kept[_ARGS] = pack(text, DType.STRING)
    return Admission(create_world(kept), env_id, count, args["entrypoint"])


def _read_count(settings: Any) -> int | None:
    """How many environments a vector is to hold; None if no vector is asked for."""
    text = _read_text(settings, _VECTOR)
    if text is None:
        return None
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RemoteConfigError(f"{_VECTOR}: expected JSON ({error})") from error
    count = given.get("num_envs") if isinstance(given, dict) else None
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise RemoteConfigError(f"{_VECTOR}: expected num_envs from 1, got {count!r:.80}")
    return count


def _read_text(settings: Any, name: str) -> str | None:
    if name not in settings:
        return None
    text = unpack(settings[name], 1)
    if not isinstance(text, str):
        raise RemoteConfigError(f"{name}: expected a scalar STRING tensor")
    return text
