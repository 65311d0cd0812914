"""The coordinator: messages in on one queue, one answer each out, one consumer that owns the game.

Only the consumer of the shared action queue touches the game. An answer that has to wait (for
players, for a reset, for the end of the episode) is parked in `_parked` and released by whatever it
waited for; no task sleeps on it. Worlds are subclasses: they say what a join, a step and a reset do
to the network.
"""

from __future__ import annotations

import asyncio
import logging
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import msgspec

from netsecgame.core.episode import Episode
from netsecgame.core.goal import Goal
from netsecgame.core.knowledge import encode_in_pieces, encode_state
from netsecgame.core.rng import RandomStreams
from netsecgame.core.world import DEFAULT_SEED
from netsecgame.errors import (
    AlreadyRegisteredError,
    BadRequestError,
    ConfigurationError,
    RoleNotAvailableError,
)
from netsecgame.game import event_loop
from netsecgame.game.agent_server import (
    DEFAULT_MAX_CONNECTIONS,
    DEFAULT_MESSAGE_TIMEOUT_S,
    HANG_UP_MESSAGE,
    AgentServer,
    Closing,
)
from netsecgame.game.configuration_manager import ConfigurationManager
from netsecgame.game.coroutines import finish_coroutine
from netsecgame.game.lobby import Lobby, ResetDecision, ResetRequest
from netsecgame.game.queues import ActionQueue, Answer, AnswerQueue, Peer
from netsecgame.game.stopping import stop_on_signals
from netsecgame.game.trajectories import TrajectoryStore
from netsecgame.game_components import (
    Action,
    ActionType,
    AgentInfo,
    AgentRole,
    AgentStatus,
    GameState,
    GameStatus,
)
from netsecgame.protocol.long_reply import LongReply
from netsecgame.protocol.messages import (
    bad_request,
    decode_request,
    encode_reply,
    encode_step_reply,
)
from netsecgame.utils.utils import clean_agent_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
    from pathlib import Path
    from random import Random

    from netsecgame.core.episode import Player
    from netsecgame.core.task import GameSpec, RoleCounts
    from netsecgame.protocol.limits import Limits

#: How long the last answers and the trajectories may take when the server stops, together.
STOP_TIMEOUT_S = 2.0

_ALL_ACTIONS = [str(kind) for kind in ActionType]


#: What is not carried out by the world's step.
_NO_GAME_ACTIONS = frozenset({ActionType.JoinGame, ActionType.QuitGame, ActionType.ResetGame})

#: What a world may say of some of its methods.
_IMMEDIATE = {
    "step_is_immediate": {"step"},
    "reset_is_immediate": {"reset", "reset_agent", "register_agent"},
}

_FAILED = "could not carry out a message of %s"
_CANCELLED = "the world cancelled its own step"


class _Wait(Enum):
    """What an agent's answer is parked for."""

    START = auto()
    RESET = auto()
    FINAL_REWARD = auto()


class _StepDone(NamedTuple):
    """Put on the action queue when a step that ran beside the consumer has its result."""

    task: asyncio.Task[GameState]
    action: Action


class _Begun(NamedTuple):
    """Put on the action queue when a message is carried out that has to wait after all."""

    serving: Coroutine[Any, Any, None]
    awaited: object


class _Settled(NamedTuple):
    """Put on the action queue when final rewards are known that are still to be announced."""

    agents: list[Any]


class _Place(NamedTuple):
    """Where an agent begins an episode, and what for."""

    agent: Peer
    role: AgentRole
    state: GameState
    goal: Goal


#: `register_agent` or `reset_agent` of a world.
_AskForPlace: TypeAlias = (
    "Callable[[Peer, AgentRole, dict[str, Any], dict[str, Any]], Awaitable[tuple[GameState, Any]]]"
)


class GameCoordinator:
    """A game server without a world; see the methods that raise NotImplementedError.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one, and `port` tells which once the server listens.
        agents: Name and role of every agent that has joined.
        config_manager: The task.
        shutdown_flag: Set when the server is to stop.
        is_listening: Set while agents are accepted.
        step_is_immediate: Whether `step` never waits for anything. If not, it runs beside the
            consumer, so that a long one holds up nobody else. A subclass that overrides `step` says
            so anew.
        reset_is_immediate: Whether `reset`, `reset_agent` and `register_agent` never do. A subclass
            that overrides one of them says so anew.
    """

    step_is_immediate = False
    reset_is_immediate = False

    def __init__(  # noqa: PLR0913 - the last eight are options of the server, by name only
        self,
        game_host: str,
        game_port: int,
        service_host: str | None = None,
        service_port: int | None = None,
        task_config_file: str | Path | None = None,
        *,
        seed: int | None = None,
        max_connections: int = DEFAULT_MAX_CONNECTIONS,
        limits: Limits | None = None,
        message_timeout_s: float = DEFAULT_MESSAGE_TIMEOUT_S,
        trajectory_dir: Path | None = None,
        required_players: int | RoleCounts | None = None,
        config: ConfigurationManager | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        """Set up a server that has not started.

        Args:
            game_host: Address to listen on.
            game_port: Port to listen on; 0 takes a free one.
            service_host: Host of a service to get the task from; None for none.
            service_port: Its port.
            task_config_file: The task file; needed if there is no service.
            seed: Seed of all chance; wins over the task's.
            max_connections: Further agents are refused.
            limits: Bounds on messages.
            message_timeout_s: How long a message may take to come in, in seconds.
            trajectory_dir: Where trajectories go; None is logs/trajectories under the working
                directory.
            required_players: How many agents must have joined before the game starts; wins over the
                task's.
            config: Where the task comes from, in place of service and file. Games of one process
                share it, so that the task is loaded once.
            logger: What the game logs to; None is the logger of this package.
        """
        self.host = game_host
        self.port = game_port
        self.logger = logger or logging.getLogger(__name__)
        self.agents: dict[Peer, tuple[str, AgentRole]] = {}
        self.config_manager = config or ConfigurationManager(
            task_config_file, service_host, service_port
        )
        self.shutdown_flag = asyncio.Event()
        self.is_listening = asyncio.Event()
        self.seed = DEFAULT_SEED if seed is None else seed
        self._given_seed = seed
        self._given_required_players = required_players
        self._agent_action_queue = ActionQueue()
        self._agent_response_queues: dict[Peer, asyncio.Queue[bytes]] = {}
        self._agent_server = AgentServer(
            self._agent_action_queue,
            self._agent_response_queues,
            max_connections,
            limits=limits,
            message_timeout_s=message_timeout_s,
            logger=logger,
        )
        self._store = TrajectoryStore(trajectory_dir, logger)
        self._detection_rng: Random | None = None  # there is one if somebody watches
        self._lobby: Lobby[Peer] = Lobby()
        self._episode: Episode
        self._config_hash = ""
        self._parked: dict[Peer, _Wait] = {}
        self._last_trajectories: dict[Peer, Iterator[bytes]] = {}
        self._stored: set[Peer] = set()
        self._steps: dict[Peer, asyncio.Task[GameState]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A world that overrides a method may wait in it, unless it says otherwise."""
        super().__init_subclass__(**kwargs)
        for flag, methods in _IMMEDIATE.items():
            says = [(methods & c.__dict__.keys(), flag in c.__dict__) for c in cls.__mro__]
            if next(is_said for has_any, is_said in says if has_any or is_said) is False:
                setattr(cls, flag, False)

    # --- what a world says ---

    def _initialize(self) -> None:
        """Prepare the world; called once, when the task is known."""

    async def register_agent(
        self,
        agent_id: Peer,
        agent_role: AgentRole,
        agent_initial_view: dict[str, Any],
        agent_win_condition_view: dict[str, Any],
    ) -> tuple[GameState, Any]:
        """Let an agent into the world.

        Args:
            agent_id: Host and port of the agent.
            agent_role: Its role.
            agent_initial_view: Its start position: six parts, words such as `random` as text.
            agent_win_condition_view: Its goal, likewise.

        Returns:
            What it knows at the start, and its goal: a `Goal`, a GameState, or a mapping of six
            parts.
        """
        raise NotImplementedError

    async def remove_agent(self, agent_id: Peer, agent_state: GameState) -> bool:
        """Let an agent out of the world; whether it was in it."""
        raise NotImplementedError

    async def step(self, agent_id: Peer, agent_state: GameState, action: Action) -> GameState:
        """Carry out a game action; returns what the agent knows afterwards."""
        raise NotImplementedError

    async def reset_agent(
        self,
        agent_id: Peer,
        agent_role: AgentRole,
        agent_initial_view: dict[str, Any],
        agent_win_condition_view: dict[str, Any],
    ) -> tuple[GameState, Any]:
        """Give an agent its place in a new episode; as `register_agent`."""
        raise NotImplementedError

    async def reset(self, seed: int | None = None, topology_change: bool | None = None) -> bool:
        """Restore the world for a new episode; whether it could be done.

        Args:
            seed: Re-seeds every random choice of the world; None goes on with them as they are.
            topology_change: Whether all agents asked for new addresses.
        """
        raise NotImplementedError

    def _describe_goal(self, role: AgentRole) -> str:
        """A role's goal in prose."""
        return str(self.config_manager.parser.get_goal_description(role))

    def _join_extras(self) -> dict[str, Any]:
        """What the world adds to the message of a join."""
        return {}

    # --- life cycle ---

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM; blocks."""
        event_loop.run(self.start_tasks())

    async def start_tasks(self) -> None:
        """Load the task, serve agents until `shutdown_flag` is set, then end in order.

        Raises:
            ConfigurationError: If the task is wrong.
            OSError: If the address cannot be listened on.
        """
        await self.config_manager.load()
        stop_on_signals(self.shutdown_flag.set)
        server = await self.open_game()
        self.config_manager.warn_of_goals_out_of_reach()
        await self.serve_until_stopped(server)

    async def open_game(self) -> asyncio.Server:
        """Prepare the game of a task that is loaded, and listen for agents.

        `start_tasks` does all that one game in a process needs. Who hosts several calls this, and
        then `serve_until_stopped`.

        Raises:
            ConfigurationError: If the world refuses the task.
            OSError: If the address cannot be listened on.
        """
        self._prepare(self.config_manager.spec)
        return await self.start_tcp_server()

    async def serve_until_stopped(self, server: asyncio.Server) -> None:
        """Serve agents until `shutdown_flag` is set, then end in order.

        Args:
            server: What `open_game` gave; is closed at the end.

        Raises:
            Exception: What ended the consumer.
        """
        consumer = asyncio.create_task(self.run_game())
        stop = asyncio.create_task(self.shutdown_flag.wait())
        try:
            await asyncio.wait({consumer, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._shut_down(server, [consumer, stop])
        if consumer.done() and not consumer.cancelled():
            consumer.result()
        if not self.shutdown_flag.is_set():
            raise RuntimeError("the consumer ended by itself")

    async def start_tcp_server(self) -> asyncio.Server:
        """Listen for agents."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            self._agent_server.connect, self.host, self.port, backlog=1_024
        )
        self.port = server.sockets[0].getsockname()[1]
        self.is_listening.set()
        self.logger.info("listening on %s:%s", self.host, self.port)
        return server

    async def shutdown_signal_handler(self) -> None:
        """Ask the server to stop."""
        self.logger.info("stopping")
        self.shutdown_flag.set()

    async def run_game(self) -> None:
        """Consume the action queue; the only place where the game changes."""
        queue = self._agent_action_queue
        while True:
            await self._serve(*await queue.get_or_take(self._serve_at_once))
            for _ in range(queue.qsize()):
                await self._serve(*queue.get_nowait())
            if not queue.empty():
                # Each answer brings the next message of a peer that pipelines: look after the
                # other peers in between.
                await asyncio.sleep(0)

    async def _serve(self, agent: Peer, message: Any) -> None:
        if isinstance(message, _Begun):
            await finish_coroutine(message.serving, message.awaited)
            return
        try:
            await self._handle(agent, message)
        except Exception:
            self.logger.exception(_FAILED, agent)
            self._answer(agent, bad_request(agent, "the server could not carry it out"))
        if agent in self._parked:
            self._agent_server.hold(agent)

    def _serve_at_once(self, agent: Peer, message: Any) -> bool:
        """Carry out a game action or a reset that waits for nothing; False if it is none.

        Called in place of the consumer, while it waits for messages.
        """
        if not self.step_is_immediate or agent not in self.agents:
            return False
        try:
            action = message if isinstance(message, Action) else decode_request(message)
        except (BadRequestError, TypeError):
            return False
        if action.action_type in _NO_GAME_ACTIONS:
            if action.action_type is not ActionType.ResetGame or not self.reset_is_immediate:
                return False
            self._begin(agent, self._serve(agent, action))
            return True
        settled = []
        try:
            settled = self._play(agent, action)
        except Exception:
            self.logger.exception(_FAILED, agent)
            self._answer(agent, bad_request(agent, "the server could not carry it out"))
        if settled:
            # To announce that may have to wait for the disk. The queue is empty, so the consumer
            # does it before anything else.
            self._agent_action_queue.put_nowait((agent, _Settled(settled)))
        elif agent in self._parked:
            self._agent_server.hold(agent)
        return True

    def _begin(self, agent: Peer, serving: Coroutine[Any, Any, None]) -> None:
        """Carry out a message up to where it has to wait; the consumer does the rest."""
        try:
            awaited = serving.send(None)
        except StopIteration:
            return
        # The queue is empty, so nothing comes in between.
        self._agent_action_queue.put_nowait((agent, _Begun(serving, awaited)))

    async def create_agent_queue(self, agent_addr: Peer) -> None:
        """Make sure that an agent has an answer queue; a connection brings its own."""
        self._agent_response_queues.setdefault(agent_addr, asyncio.Queue())

    def _prepare(self, spec: GameSpec) -> None:
        self.seed = self.config_manager.choose_seed(self._given_seed)
        self.logger.info("seed %s", self.seed)
        self._seed_detection()
        required = self._given_required_players
        self._lobby = Lobby(spec.task.required_players if required is None else required)
        self._episode = Episode(
            spec.task.rewards,
            detection=spec.task.detection,
            detection_window=spec.task.detection_window,
        )
        self._config_hash = self.config_manager.get_config_hash()
        self._initialize()

    def _seed_detection(self) -> None:
        if self.config_manager.spec.task.detection is not None:
            self._detection_rng = RandomStreams(self.seed).detection

    async def _shut_down(self, server: asyncio.Server, tasks: list[asyncio.Task[Any]]) -> None:
        self.is_listening.clear()
        server.close()
        deadline = asyncio.get_running_loop().time() + STOP_TIMEOUT_S
        for task in [*tasks, *self._steps.values()]:
            if not task.done():
                task.cancel()
        await asyncio.wait([*tasks, *self._steps.values()], timeout=STOP_TIMEOUT_S / 4)
        await self._agent_server.end_all("the server is shutting down", STOP_TIMEOUT_S / 4)
        try:
            async with asyncio.timeout_at(deadline):
                for agent in list(self.agents):
                    await self._store_trajectory(agent)
                await self._store.close()
        except TimeoutError:
            self.logger.error("the disk is too slow: some trajectories are lost")  # noqa: TRY400
        self.logger.info("stopped")

    # --- one message ---

    async def _handle(self, agent: Peer, message: Any) -> None:
        if isinstance(message, _StepDone):
            await self._announce(self._finish_slow_step(agent, message))
            return
        if isinstance(message, _Settled):
            await self._announce(message.agents)
            return
        if message == HANG_UP_MESSAGE:
            if agent in self._parked or agent in self._steps:
                await self._quit(agent)
            return
        try:
            action = message if isinstance(message, Action) else decode_request(message)
        except BadRequestError as error:
            self.logger.debug("bad request of %s: %s", agent, error)
            self._answer(agent, bad_request(agent, str(error)))
            return
        kind = action.type
        if kind is ActionType.JoinGame:
            await self._join(agent, action.parameters["agent_info"])
        elif kind is ActionType.QuitGame:
            await self._quit(agent)
        elif agent not in self.agents:
            self._answer(agent, bad_request(agent, "join the game first"))
        elif kind is ActionType.ResetGame:
            await self._ask_for_reset(agent, action)
        else:
            await self._announce(self._play(agent, action))

    async def _join(self, agent: Peer, info: AgentInfo) -> None:
        if agent in self.agents:
            self._answer(agent, bad_request(agent, "this agent has joined already"))
            return
        roles = self.config_manager.spec.task.roles
        role = AgentRole.from_string(info.role)
        if role not in roles:
            refusal = RoleNotAvailableError(role, map(str, roles))
            self._answer(agent, bad_request(agent, str(refusal)))
            return
        try:
            self._seat(await self._ask_for_place(self.register_agent, agent, role))
        except (AlreadyRegisteredError, ConfigurationError) as error:
            self._answer(agent, bad_request(agent, str(error)))
            return
        name = clean_agent_name(info.name)
        self.agents[agent] = (name, role)
        self.logger.info("%s joined as %s %s", agent, role, name)
        if self._lobby.has_started:  # then nobody else waits for the start
            self._lobby.join(agent, role)
            self._answer(agent, self._welcome(agent))
        else:
            self._lobby.join(agent, role)
            self._park(agent, _Wait.START)
            self._release_starters()

    async def _quit(self, agent: Peer) -> None:
        step = self._steps.pop(agent, None)
        if step is not None:
            step.cancel()
        self._parked.pop(agent, None)
        if agent in self.agents:
            player = self._episode.player(agent)
            await self._store_trajectory(agent)
            name, role = self.agents.pop(agent)
            self.logger.info("%s left: %s %s", agent, role, name)
            self._stored.discard(agent)
            self._last_trajectories.pop(agent, None)
            has_begun = self._lobby.has_started
            self._lobby.leave(agent)
            await self._announce(self._episode.leave(agent, has_begun=has_begun))
            await self._remove_from_world(agent, player.state)
            if not self._lobby.members:
                # The next agent finds the network as new, not as the last one left it.
                fresh = ResetDecision(None, randomize_topology=False)
                self._begin_episode(fresh, await self._restore_world(fresh) or [])
            elif self._lobby.is_unanimous():
                await self._reset_game()
        farewell = encode_reply(
            agent, GameStatus.OK, state_json=None, message={"message": "Goodbye"}
        )
        self._answer(agent, Closing(farewell))

    async def _ask_for_reset(self, agent: Peer, action: Action) -> None:
        wish = action.parameters
        request = ResetRequest(wish["seed"], wish["randomize_topology"], wish["request_trajectory"])
        self._lobby.request_reset(agent, request)
        self._park(agent, _Wait.RESET)
        conflict = self._lobby.find_conflict()
        if conflict is not None:
            self._refuse_resets(conflict)
            return
        await self._announce(self._episode.request_reset(agent))
        if self._lobby.is_unanimous():
            await self._reset_game()

    def _refuse_resets(self, reason: str) -> None:
        """Drop all requests; those who asked play on."""
        for asker in self._lobby.drop_requests():
            self._episode.withdraw_reset(asker)
            self._answer(asker, bad_request(asker, f"no reset: {reason}"))

    def _play(self, agent: Peer, action: Action) -> list[Any]:
        """Carry out a game action; returns the agents whose final reward is known because of it."""
        player = self._episode.player(agent)
        if not player.is_playing:
            self._answer(agent, self._observe(agent, GameStatus.FORBIDDEN))
            return []
        step = self.step(agent, player.state, action)
        if not self.step_is_immediate:
            self._start_slow_step(agent, step, action)
            return []
        try:
            awaited = step.send(None)
        except StopIteration as done:
            state = done.value
        except asyncio.CancelledError:
            raise RuntimeError(_CANCELLED) from None
        else:  # it waits after all
            self._start_slow_step(agent, finish_coroutine(step, awaited), action)
            return []
        return self._finish_step(agent, player, action, state)

    def _start_slow_step(
        self, agent: Peer, step: Coroutine[Any, Any, GameState], action: Action
    ) -> None:
        """Run a step beside the consumer; its result comes back through the queue."""

        def hand_in(done: asyncio.Task[GameState]) -> None:
            if not done.cancelled():
                done.exception()  # asked for here in case the agent leaves and nobody else does
            self._agent_action_queue.put_nowait((agent, _StepDone(done, action)))

        task = self._steps[agent] = asyncio.create_task(step)
        task.add_done_callback(hand_in)

    def _finish_slow_step(self, agent: Peer, done: _StepDone) -> list[Any]:
        if self._steps.get(agent) is not done.task:
            return []
        del self._steps[agent]
        if done.task.cancelled():
            raise RuntimeError(_CANCELLED)
        player = self._episode.player(agent)
        return self._finish_step(agent, player, done.action, done.task.result())

    def _finish_step(
        self, agent: Peer, player: Player, action: Action, state: GameState
    ) -> list[Any]:
        if not isinstance(state, GameState):
            raise TypeError(f"expected a GameState from step, got {type(state).__name__}")
        status = player.status
        settled = self._episode.advance(agent, player, action, state, self._detection_rng)
        if player.status is status:
            state_json = encode_in_pieces(state)
            self._answer(agent, encode_step_reply(agent, state_json, player.reward))
        else:
            self._park(agent, _Wait.FINAL_REWARD)
        return settled

    # --- waiting and answering ---

    def _answer(self, agent: Peer, reply: Answer) -> None:
        self._parked.pop(agent, None)
        queue = self._agent_response_queues.get(agent)
        if isinstance(queue, AnswerQueue):
            queue.put_nowait(reply)
        elif queue is not None:
            queue.put_nowait(reply if isinstance(reply, bytes) else b"".join(reply))

    def _park(self, agent: Peer, reason: _Wait) -> None:
        self._parked[agent] = reason

    def _release_starters(self) -> None:
        """Answer those who wait for the game to start, if it has."""
        if not self._lobby.has_started:
            return
        for agent, reason in list(self._parked.items()):
            if reason is _Wait.START:
                self._answer(agent, self._welcome(agent))
            elif reason is _Wait.RESET and agent not in self._lobby.requests:
                self._answer(agent, self._confirm_reset(agent))

    async def _announce(self, settled: list[Any]) -> None:
        """Answer those whose final reward is known now."""
        for agent in settled:
            if self._parked.get(agent) is _Wait.FINAL_REWARD:
                self._answer(agent, self._observe(agent, GameStatus.OK))
            await self._store_trajectory(agent)

    def _observe(self, agent: Peer, status: GameStatus) -> bytes:
        player = self._episode.player(agent)
        info = None
        if not player.is_playing:
            info = {
                "end_reason": str(player.status),
                "info": "The episode has ended; ask for a reset",
            }
        return encode_reply(
            agent,
            status,
            state_json=encode_state(player.state),
            reward=player.reward,
            end=not player.is_playing,
            info=info,
        )

    def _welcome(self, agent: Peer) -> bytes:
        name, role = self.agents[agent]
        extras = {"actions": _ALL_ACTIONS, **self._join_extras()}
        return self._tell_start(
            agent, GameStatus.CREATED, f"Welcome, {name}, you are {role}", extras
        )

    def _confirm_reset(self, agent: Peer) -> bytes | LongReply:
        trajectory = self._last_trajectories.pop(agent, None)
        reply = self._tell_start(agent, GameStatus.RESET_DONE, "The game has been reset")
        return reply if trajectory is None else LongReply(reply, "last_trajectory", trajectory)

    def _tell_start(
        self, agent: Peer, status: GameStatus, text: str, extras: Mapping[str, Any] | None = None
    ) -> bytes:
        _, role = self.agents[agent]
        player = self._episode.player(agent)
        message = {
            "message": text,
            "max_steps": player.max_steps,
            "goal_description": self._describe_goal(role),
            "configuration_hash": self._config_hash,
            "goal": msgspec.Raw(player.goal.json),
            **(extras or {}),
        }
        return encode_reply(agent, status, state_json=encode_state(player.state), message=message)

    # --- episodes ---

    async def _ask_for_place(self, ask: _AskForPlace, agent: Peer, role: AgentRole) -> _Place:
        parser = self.config_manager.parser
        state, goal = await ask(
            agent, role, parser.get_start_position(role), parser.get_win_conditions(role)
        )
        return _Place(agent, role, state, Goal.from_any(goal))

    def _seat(self, place: _Place) -> None:
        max_steps = self.config_manager.parser.get_max_steps(place.role)
        self._episode.join(place.agent, place.role, place.state, place.goal, max_steps)

    async def _remove_from_world(self, agent: Peer, state: GameState) -> None:
        try:
            await self.remove_agent(agent, state)
        except Exception:
            self.logger.exception("the world could not remove %s", agent)

    async def _reset_game(self) -> None:
        """All agents have asked: restore the world, store what was, and begin anew."""
        decision = self._lobby.decide()
        places = await self._restore_world(decision)
        if places is None:
            self._refuse_resets("the world could not be restored")
            return
        for agent, request in self._lobby.requests.items():
            if request.wants_trajectory:
                self._last_trajectories[agent] = self._trajectory(agent)
            await self._store_trajectory(agent)
        self._lobby.start_anew()
        finished = self._episode.players  # thrown away when all are answered, which takes a while
        self._begin_episode(decision, places)
        self._release_starters()
        del finished

    async def _restore_world(self, decision: ResetDecision) -> list[_Place] | None:
        """Restore the world and get everyone's place in it; None if the world cannot do that."""
        try:
            if await self.reset(decision.seed, decision.randomize_topology) is False:
                return None
            places = []
            for agent, (_, role) in self.agents.items():
                places.append(await self._ask_for_place(self.reset_agent, agent, role))
        except Exception:
            self.logger.exception("the world could not be restored")
            return None
        return places

    def _begin_episode(self, decision: ResetDecision, places: list[_Place]) -> None:
        self._stored.clear()
        self._episode.restart()
        if decision.seed is not None:
            self.seed = decision.seed
            self._seed_detection()
        for place in places:
            self._seat(place)

    def _trajectory(self, agent: Peer) -> Iterator[bytes]:
        """The trajectory of an agent whose episode is over, as JSON; made when it is used."""
        name, role = self.agents[agent]
        player = self._episode.player(agent)
        end_reason = None if player.is_playing else player.status
        return player.trajectory.json_pieces(name, role, end_reason)

    async def _store_trajectory(self, agent: Peer) -> None:
        """Store an agent's trajectory if the task says so: once an episode, and not if empty."""
        if agent in self._stored or not self.config_manager.parser.get_store_trajectories():
            return
        kept_bytes = self._episode.player(agent).trajectory.kept_bytes
        if kept_bytes == 0:
            return
        self._stored.add(agent)
        name, role = self.agents[agent]
        await self._store.save(name, role, self._trajectory(agent), kept_bytes)

    # --- what worlds and tests ask ---

    def goal_check(self, agent_addr: Peer) -> bool:
        """Whether an agent has reached its goal."""
        player = self._episode.player(agent_addr)
        return player.goal.is_reached(player.state, self._episode.attacker_states())

    def is_detected(self, agent_addr: Peer) -> bool:
        """Whether the global defender has detected an agent in this episode."""
        player = self._episode.player(agent_addr)
        return player.role is AgentRole.Attacker and player.status is AgentStatus.Fail

    def is_timeout(self, agent_addr: Peer) -> bool:
        """Whether an agent has used up its steps."""
        player = self._episode.player(agent_addr)
        return player.is_out_of_steps

    def is_agent_benign(self, agent_addr: Peer) -> bool:
        """Whether an agent is no attacker, so that refusing its connections is a false positive."""
        return self.agents[agent_addr][1] is not AgentRole.Attacker

    def add_false_positive(self, agent: Peer) -> None:
        """Count a false positive of an agent."""
        self._episode.add_false_positive(agent)
