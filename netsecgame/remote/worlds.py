"""A hosted environment as tensors: which there are, what they hold, and what actions they make.

A peer that knows dm_env_rpc only sees the *plain* tensors of a single environment; a client of ours
sees the *extended* ones of any kind, which carry everything the environment says. Observations and
actions have numbers (uids), each their own:

    uid    | plain       | extended, single or vector   | extended, parallel
    -------|-------------|------------------------------|-----------------------------------
    1      | observation | observation                  |
    2      | reward      | reward                       |
    3      | rendering, if the environment draws; extended: and the client wants it with every step
    4      |             | flags: how an episode ended  |
    5      |             | info_json, tagged JSON       |
    1000 … |             | the leaves of Dict and Tuple | everything of every agent
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from netsecgame.errors import EnvironmentRaisedError, ProtocolViolationError
from netsecgame.remote import sources
from netsecgame.remote.actor import Actor
from netsecgame.remote.codec import Field, extended_codec, plain_codec
from netsecgame.remote.hosted import (
    HostedParallel,
    HostedSingle,
    HostedVector,
    check_kind,
)
from netsecgame.remote.messages import DType
from netsecgame.remote.settings import ResetSettings
from netsecgame.remote.sources import Source
from netsecgame.remote.step_answers import step_answer, tensor_writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netsecgame.remote.codec import SpaceCodec
    from netsecgame.remote.hosted import Hosted, Result
    from netsecgame.remote.settings import View
    from netsecgame.remote.step_answers import Writer

OBSERVATION_UID: Final = 1
REWARD_UID: Final = 2
RENDERING_UID: Final = 3
FLAGS_UID: Final = 4
INFO_UID: Final = 5
ACTION_UID: Final = 1
FIRST_LEAF_UID: Final = 1000

_COLOURS = np.array(0, np.uint8), np.array(255, np.uint8)


class Rules(NamedTuple):
    """What the server says about worlds."""

    plain_spaces: str = "adapt"  # or "strict": only spaces that plain peers see as they are
    check_actions: bool = True


class World(ABC):
    """An environment as tensors, the way one client sees it.

    Args:
        hosted: The environment.

    Attributes:
        reset: Begins an episode of the environment.
        step: Takes a step with what `read_actions` gave.
        actions: The fields of actions, by uid.
        observations: The fields of observations, by uid.
    """

    def __init__(self, hosted: Hosted) -> None:
        self.actions: dict[int, Field] = {}
        self.observations: dict[int, Field] = {}
        self.reset = hosted.reset
        self.step = hosted.step
        self._hosted = hosted
        # Of each tensor: its source, which of the source's values it holds, and its writer.
        self._places: dict[int, tuple[Source, int, Writer]] = {}
        # Clients ask for the same tensors with every step.
        self._requested: tuple[int, ...] = ()
        self._plan: list[tuple[Source, list[tuple[int, Writer]]]] = []

    @abstractmethod
    def read_actions(self, tensors: Mapping[int, Any]) -> Any:
        """What the environment's step takes, out of the tensors of a request.

        Raises:
            ProtocolViolationError: If a tensor is unknown, missing or of another dtype or shape.
            InvalidActionError: If an action is outside its space.
        """

    def request(self, uids: tuple[int, ...]) -> None:
        """Note which tensors `answer` shall give from now on.

        Raises:
            ProtocolViolationError: If there is no such tensor.
        """
        if uids == self._requested:
            return
        plan: dict[int, tuple[Source, list[tuple[int, Writer]]]] = {}
        for uid in dict.fromkeys(uids):
            if uid not in self._places:
                raise ProtocolViolationError(
                    f"observation uid {uid} is unknown; there are {_listed(self.observations)}"
                )
            source, which, writer = self._places[uid]
            _, picked = plan.setdefault(id(source), (source, []))
            picked.append((which, writer))
        self._plan = list(plan.values())
        self._requested = uids

    def answer(self, result: Result) -> bytes:
        """The response to a step: a result's state, and the requested tensors that it has."""
        entries = []
        for source, picked in self._plan:
            values = source.values(result)
            if values is not None:
                entries += [write(values[which]) for which, write in picked]
        return step_answer(result.state, entries)

    def _show(self, source: Source, uids: Sequence[int]) -> None:
        """Let clients ask for what a source holds."""
        for which, (uid, field) in enumerate(zip(uids, source.fields, strict=True)):
            self.observations[uid] = field
            self._places[uid] = source, which, tensor_writer(uid, field)

    def _show_frames(self) -> None:
        """Let clients ask for frames; their shape is known from a reset and a frame."""
        self._hosted.reset(ResetSettings())
        shape = self._hosted.frame().shape
        field = Field("rendering", DType.UINT8, shape, *_COLOURS)

        def values(_: Result) -> Sequence[Any]:
            frame = self._hosted.frame()
            if frame.shape != shape:
                raise EnvironmentRaisedError(
                    "ValueError",
                    f"render() gave a frame of the shape {frame.shape}, the first had {shape}",
                    phase="render",
                )
            return (frame,)

        self._show(Source((field,), values), (RENDERING_UID,))

    def _check_known(self, tensors: Mapping[int, Any]) -> None:
        """Refuse actions that nobody has."""
        for uid in tensors:
            if uid not in self.actions:
                raise ProtocolViolationError(
                    f"action uid {uid} is unknown; there are {_listed(self.actions)}"
                )


class _OneActor(World):
    """A world with one action: of a single environment, or of a vector.

    Args:
        hosted: The environment.
        observation: Its observations as tensors.
        action: Its actions as tensors.
        rules: Of the server.
    """

    def __init__(
        self, hosted: Hosted, observation: SpaceCodec, action: SpaceCodec, rules: Rules
    ) -> None:
        super().__init__(hosted)
        self._show(sources.observation(observation), _uids(observation.fields, OBSERVATION_UID))
        uids = _uids(action.fields, ACTION_UID)
        self.actions.update(zip(uids, action.fields, strict=True))
        self._actor = Actor(action, uids, check=rules.check_actions)

    def read_actions(self, tensors: Mapping[int, Any]) -> Any:
        """The action."""
        self._check_known(tensors)
        return self._actor.read(tensors)


class PlainWorld(_OneActor):
    """A single environment as a peer sees it that knows dm_env_rpc only."""

    def __init__(self, hosted: HostedSingle, rules: Rules) -> None:
        strict = rules.plain_spaces == "strict"
        super().__init__(
            hosted,
            plain_codec(hosted.observation_space, "observation", is_action=False, strict=strict),
            plain_codec(hosted.action_space, "action", is_action=True, strict=strict),
            rules,
        )
        self._show(sources.plain_reward(hosted.reward_range), (REWARD_UID,))
        if hosted.is_rendering:
            self._show_frames()


class SingleWorld(_OneActor):
    """A single environment as a client of ours sees it."""

    def __init__(self, hosted: HostedSingle, view: View, rules: Rules) -> None:
        super().__init__(
            hosted,
            extended_codec(hosted.observation_space, "observation"),
            extended_codec(hosted.action_space, "action"),
            rules,
        )
        self._show(sources.reward("reward"), (REWARD_UID,))
        self._show(sources.flags("flags"), (FLAGS_UID,))
        self._show(sources.info("info_json"), (INFO_UID,))
        if view.has_frames and hosted.is_rendering:
            self._show_frames()


class VectorWorld(_OneActor):
    """A vector as a client of ours sees it: num_envs stands in front of every shape."""

    def __init__(self, hosted: HostedVector, view: View, rules: Rules) -> None:
        count = hosted.num_envs
        super().__init__(
            hosted,
            extended_codec(hosted.single_observation_space, "observation", batch=count),
            extended_codec(hosted.single_action_space, "action", batch=count),
            rules,
        )
        self._show(sources.vector_rewards(count), (REWARD_UID,))
        self._show(sources.vector_flags(count), (FLAGS_UID,))
        self._show(sources.info("info_json"), (INFO_UID,))
        if view.has_frames and hosted.is_rendering:
            self._show_frames()


class ParallelWorld(World):
    """A parallel environment as a client of ours sees it: every agent has tensors of its own."""

    def __init__(self, hosted: HostedParallel, view: View, rules: Rules) -> None:
        super().__init__(hosted)
        self._agents = hosted
        shown = [
            sources.of_agent(agent, source)
            for agent, space in hosted.observation_spaces.items()
            for source in (
                sources.observation(extended_codec(space, f"{agent}/observation")),
                sources.reward(f"{agent}/reward"),
                sources.flags(f"{agent}/flags"),
                sources.info(f"{agent}/info_json"),
            )
        ]
        uids = _numbered(field for source in shown for field in source.fields)
        for source in shown:
            self._show(source, [uids[field.name] for field in source.fields])
        codecs = {
            agent: extended_codec(space, f"{agent}/action")
            for agent, space in hosted.action_spaces.items()
        }
        uids = _numbered(field for codec in codecs.values() for field in codec.fields)
        self._actors = {}
        for agent, codec in codecs.items():
            own = [uids[field.name] for field in codec.fields]
            self.actions.update(zip(own, codec.fields, strict=True))
            self._actors[agent] = Actor(codec, own, check=rules.check_actions)
        if view.has_frames and hosted.is_rendering:
            self._show_frames()

    def read_actions(self, tensors: Mapping[int, Any]) -> dict[str, Any]:
        """The actions by agent; every agent that is alive has to have one."""
        self._check_known(tensors)
        live_agents = self._agents.live_agents
        # What is sent for an agent that acts no more is the environment's to judge.
        return {
            agent: actor.read(tensors)
            for agent, actor in self._actors.items()
            if agent in live_agents or actor.is_in(tensors)
        }


def join(hosted: Hosted, view: View, rules: Rules) -> World:
    """The world that a client sees who joins.

    Raises:
        UnsupportedByServerError: If the environment is of another kind, or one of its spaces
            cannot be shown.
        EnvironmentRaisedError: If a frame was needed to know its shape, and there is none.
    """
    check_kind(hosted, view.kind or "single")
    if isinstance(hosted, HostedVector):
        return VectorWorld(hosted, view, rules)
    if isinstance(hosted, HostedParallel):
        return ParallelWorld(hosted, view, rules)
    assert isinstance(hosted, HostedSingle)
    return PlainWorld(hosted, rules) if view.kind is None else SingleWorld(hosted, view, rules)


def _uids(fields: tuple[Field, ...], whole: int) -> list[int]:
    """The uids of a space's fields: that of the whole, or one a leaf."""
    if len(fields) == 1 and "/" not in fields[0].name:
        return [whole]
    numbers = _numbered(fields)
    return [numbers[field.name] for field in fields]


def _numbered(fields: Iterable[Field]) -> dict[str, int]:
    """Uids from 1000 in the sorted order of names."""
    names = sorted(field.name for field in fields)
    return {name: FIRST_LEAF_UID + number for number, name in enumerate(names)}


def _listed(fields: Mapping[int, Field]) -> str:
    """The first few tensors, for a person to read."""
    texts = [f"{uid} ({field.name})" for uid, field in fields.items()]
    return ", ".join(texts[:8] + ["…"] * (len(texts) > 8)) or "none"
