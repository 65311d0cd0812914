"""One stream's conversation, without its socket: each request is answered, whatever happens.

    request       | no world        | world made      | joined
    --------------|-----------------|-----------------|------------------------------------------
    create_world  | makes it        | 9               | 9
    join_world    | 5               | specs           | 9
    reset         | 9               | 9               | the next step begins an episode
    step          | 9               | 9               | begins an episode, or takes one step
    leave_world   | nothing         | nothing         | leaves; the world is kept
    reset_world   | 5               | made anew       | made anew; the next step begins an episode
    destroy_world | 5               | closed          | 9
    extension     | 12              | properties      | properties

(5 NOT_FOUND, 9 FAILED_PRECONDITION, 12 UNIMPLEMENTED.) A step begins an episode after join, reset
and the end of an episode; its actions are not looked at. When the environment raises, its episode
is lost, and steps are refused until a reset. The episode after that begins with the environment's
own reset; if that raises as well, the environment is made anew.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from netsecgame import errors
from netsecgame.remote import messages
from netsecgame.remote.codec import field_spec
from netsecgame.remote.guard import EnvironmentCode
from netsecgame.remote.hosted import HostedVector, host
from netsecgame.remote.messages import Kind, State
from netsecgame.remote.properties import Properties
from netsecgame.remote.refusals import Refusal, report_of
from netsecgame.remote.reports import Reason, error_response
from netsecgame.remote.settings import (
    ResetSettings,
    View,
    read_reset,
    read_view,
    read_world_args,
)
from netsecgame.remote.worlds import Rules, World, join

if TYPE_CHECKING:
    from collections.abc import Callable

    from netsecgame.remote.hosted import Hosted, Result
    from netsecgame.remote.settings import WorldArgs

WORLD_PREFIX: Final = "nsg1:"

#: Bounds of the requests that are kept.
_MAX_KNOWN: Final = 1024
_MAX_KNOWN_BYTES: Final = 128

#: What whoever makes environments raises about the arguments, not about the environment.
_OF_THE_MAKER = (
    errors.EntrypointError,
    errors.NotAllowedError,
    errors.RemoteConfigError,
    errors.UnsupportedByServerError,
    errors.ProtocolViolationError,
)
_MAKING = EnvironmentCode("constructor", passed=_OF_THE_MAKER)
#: An observation that is none of its space is the environment's own mistake.
_SHOWING_RESET, _SHOWING_STEP = (
    EnvironmentCode(phase, passed=(errors.EnvironmentRaisedError,)) for phase in ("reset", "step")
)


class SessionOptions(NamedTuple):
    """What a server says about the worlds of its sessions."""

    plain_spaces: str = "adapt"  # or "strict"; see `Rules`
    check_actions: bool = True
    traceback_to_client: bool = False
    exposed_attributes: tuple[str, ...] = ()


class _KnownStep(NamedTuple):
    """A request for a step that has been read before."""

    world: World
    requested: tuple[int, ...]
    action: np.generic


class Session:
    """The server's half of one stream, and its world.

    Args:
        maker: Makes an environment: a `gymnasium.Env`, a `VectorEnv` or a `ParallelEnv`.
        options: Of the server.
    """

    def __init__(
        self, maker: Callable[[WorldArgs], Any], options: SessionOptions | None = None
    ) -> None:
        self._maker = maker
        self._options = options or SessionOptions()
        self._rules = Rules(self._options.plain_spaces, self._options.check_actions)
        self._answers: dict[str, Callable[[Any], bytes]] = {
            "create_world": self._create_world,
            "join_world": self._join_world,
            "reset": self._reset,
            "reset_world": self._reset_world,
            "leave_world": self._leave_world,
            "destroy_world": self._destroy_world,
            "extension": self._extension,
        }
        self._args: WorldArgs | None = None
        self._name = ""
        # None, too, when the environment has failed and is to be made anew.
        self._hosted: Hosted | None = None
        self._has_raised = False
        self._view: View | None = None
        self._world: World | None = None
        self._was_reset = b""
        # With what the next step begins an episode; None if it goes on with one.
        self._next_episode: ResetSettings | None = None
        # Where actions are numbers, the same few requests come again and again, and looking one up
        # takes a tenth of reading it. Empty whenever a step may not be taken.
        self._known_steps: dict[bytes, _KnownStep] = {}

    def handle(self, request: bytes) -> bytes:
        """The response to a request; takes as long as the environment does."""
        try:
            return self._answer(request)
        except Exception as error:  # noqa: BLE001 - one request must not end the stream
            is_open = self._options.traceback_to_client
            return error_response(report_of(error, traceback_to_client=is_open))

    def _answer(self, request: bytes) -> bytes:
        if len(request) <= _MAX_KNOWN_BYTES and self._next_episode is None:
            known = self._known_steps.get(request)
            if known is not None:
                known.world.request(known.requested)
                return self._take_step(known.world, known.action)
        message = messages.parse_request(request)
        payload = message.WhichOneof("payload")
        if payload == "step":
            return self._step(message.step, request)
        return self._answers[payload](message)

    def close(self) -> None:
        """Close the environment, if there is one; what it raises then is only logged."""
        self._drop()
        self._forget()

    # Worlds

    def _create_world(self, message: Any) -> bytes:
        request = message.create_world
        if self._args is not None:
            raise Refusal(
                Reason.BAD_STATE,
                f"the stream has a world, {self._name!r}; another one needs a stream of its own",
            )
        args = read_world_args(request.settings)
        self._hosted = self._make(args)
        self._args = args
        self._name = f"{WORLD_PREFIX}{args.args['env_id']}"
        return messages.world_created(self._name)

    def _join_world(self, message: Any) -> bytes:
        request = message.join_world
        self._check_name(request.world_name)
        if self._view is not None:
            raise Refusal(Reason.BAD_STATE, f"{self._name!r} is joined already")
        view = read_view(request.settings)
        try:
            _, specs = self._show(view)
        except errors.EnvironmentRaisedError:
            self._drop()
            raise
        self._view = view
        self._next_episode = ResetSettings()
        return messages.world_joined(specs)

    def _reset_world(self, message: Any) -> bytes:
        request = message.reset_world
        self._check_name(request.world_name)
        self._args = read_world_args(request.settings, self._args)
        self._next_episode = None
        self._drop()
        if self._view is None:
            self._hosted = self._make(self._args)
        else:
            self._show(self._view)
            self._next_episode = ResetSettings()
        return messages.empty_answer(Kind.RESET_WORLD)

    def _leave_world(self, _: Any) -> bytes:
        self._leave()
        return messages.empty_answer(Kind.LEAVE_WORLD)

    def _destroy_world(self, message: Any) -> bytes:
        request = message.destroy_world
        self._check_name(request.world_name)
        if self._view is not None:
            raise Refusal(Reason.BAD_STATE, f"{self._name!r} is joined; leave it first")
        hosted = self._hosted
        self._forget()
        if hosted is not None:
            hosted.close()
        return messages.empty_answer(Kind.DESTROY_WORLD)

    def _extension(self, message: Any) -> bytes:
        request = messages.property_request_of(message)
        if request is None:
            raise Refusal(
                Reason.UNIMPLEMENTED,
                f"extension {message.extension.type_url!r} is unknown; there are properties only",
            )
        if self._args is None:
            raise Refusal(Reason.UNIMPLEMENTED, "there are no properties before create_world")
        if self._hosted is None:
            raise Refusal(Reason.BAD_STATE, "the environment is to be made anew; reset first")
        env_id: int = self._args.args["env_id"]
        properties = Properties(self._hosted, env_id, self._options.exposed_attributes)
        return properties.answer(request)

    # Episodes

    def _reset(self, message: Any) -> bytes:
        request = message.reset
        if self._view is None:
            raise Refusal(Reason.BAD_STATE, "reset before join_world")
        if self._world is None:
            self._show(self._view)
        num_envs = self._hosted.num_envs if isinstance(self._hosted, HostedVector) else None
        self._next_episode = read_reset(request.settings, num_envs)
        return self._was_reset

    def _step(self, step: Any, request: bytes) -> bytes:
        world = self._world
        if self._view is None:
            raise Refusal(Reason.BAD_STATE, "step before join_world")
        if world is None or (self._has_raised and self._next_episode is None):
            raise Refusal(Reason.BAD_STATE, "the environment raised; a reset has to come first")
        # What can be wrong with the request is found before anything happens.
        requested = tuple(step.requested_observations)
        world.request(requested)
        settings = self._next_episode
        if settings is not None:
            return self._begin_episode(world, requested, settings)
        action = world.read_actions(step.actions)
        if (
            isinstance(action, np.generic)
            and len(request) <= _MAX_KNOWN_BYTES
            and len(self._known_steps) < _MAX_KNOWN
        ):
            self._known_steps[request] = _KnownStep(world, requested, action)
        return self._take_step(world, action)

    def _take_step(self, world: World, action: Any) -> bytes:
        """Go on with the episode."""
        try:
            result = world.step(action)
            with _SHOWING_STEP:
                answer = world.answer(result)
        except BaseException:
            self._lose_episode()
            raise
        if result.state is not State.RUNNING:
            self._next_episode = ResetSettings()
        return answer

    def _begin_episode(
        self, world: World, requested: tuple[int, ...], settings: ResetSettings
    ) -> bytes:
        """Reset the environment."""
        try:
            world, result = self._reset_environment(world, settings)
            world.request(requested)
            with _SHOWING_RESET:
                answer = world.answer(result)
        except BaseException:
            self._lose_episode()
            raise
        self._has_raised = False
        self._next_episode = None
        return answer

    def _reset_environment(self, world: World, settings: ResetSettings) -> tuple[World, Result]:
        """What the environment's reset gave, and its world, which may be another one then."""
        try:
            return world, world.reset(settings)
        except errors.EnvironmentRaisedError:
            if not self._has_raised:
                raise
        self._drop()
        world, _ = self._show(self._view or View())
        return world, world.reset(settings._replace(mask=None))

    def _lose_episode(self) -> None:
        """Refuse steps until a reset."""
        self._has_raised = True
        self._next_episode = None
        self._known_steps.clear()

    # The environment

    def _make(self, args: WorldArgs) -> Hosted:
        """Make an environment."""
        try:
            with _MAKING:
                return host(self._maker(args))
        except errors.ProtocolViolationError as error:
            # The arguments are fine, but not now.
            raise Refusal(Reason.BAD_STATE, str(error)) from None

    def _show(self, view: View) -> tuple[World, Any]:
        """Show the environment as a world, making it if there is none; gives its specs, too."""
        assert self._args is not None
        if self._hosted is None:
            self._hosted = self._make(self._args)
        world = join(self._hosted, view, self._rules)
        specs = messages.make_specs(
            {uid: field_spec(field) for uid, field in world.actions.items()},
            {uid: field_spec(field) for uid, field in world.observations.items()},
        )
        self._world = world
        self._was_reset = messages.was_reset(specs)
        return world, specs

    def _drop(self) -> None:
        """Close the environment if there is one; what it raises then is only logged."""
        hosted, self._hosted, self._world = self._hosted, None, None
        self._known_steps.clear()
        if hosted is not None:
            with contextlib.suppress(errors.EnvironmentRaisedError):
                hosted.close()

    # States

    def _forget(self) -> None:
        """Be as before create_world."""
        self._args = None
        self._hosted = None
        self._has_raised = False
        self._leave()

    def _leave(self) -> None:
        """Be as before join_world."""
        self._view = None
        self._world = None
        self._next_episode = None
        self._known_steps.clear()

    def _check_name(self, name: str) -> None:
        if self._args is None:
            raise Refusal(Reason.NOT_FOUND, f"world {name!r} is unknown: none was created")
        if name != self._name:
            raise Refusal(
                Reason.NOT_FOUND, f"world {name!r} is unknown; this stream has {self._name!r}"
            )
