"""What the clients ask for besides game actions, and what they make of the answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeAlias

from netsecgame.errors import BadReplyError, FramingError
from netsecgame.game_components import (
    Action,
    ActionType,
    AgentInfo,
    AgentRole,
    GameState,
    GameStatus,
    Observation,
)

if TYPE_CHECKING:
    from logging import Logger

    from netsecgame.protocol.reply_reader import ReadReply
    from netsecgame.protocol.session import ClientSession

#: Status, observation in wire form and message of one reply.
Answer: TypeAlias = tuple[GameStatus, dict[str, Any] | None, dict[str, Any] | None]

_REFUSALS = (GameStatus.BAD_REQUEST, GameStatus.FORBIDDEN)


def role_of(role: AgentRole | str) -> AgentRole | str:
    """The role of that name; a text that names none is kept, for the server to refuse."""
    try:
        return AgentRole.from_string(role)
    except ValueError:
        return role


def join_action(name: str, role: AgentRole | str) -> Action:
    """The request to join a game."""
    return Action(ActionType.JoinGame, {"agent_info": AgentInfo(name, role)})


def reset_action(request_trajectory: bool, randomize_topology: bool, seed: int | None) -> Action:
    """The request for a new episode; randomizing without a seed draws one."""
    if randomize_topology and seed is None:
        seed = draw_seed()
    return Action(
        ActionType.ResetGame,
        {
            "request_trajectory": request_trajectory,
            "randomize_topology": randomize_topology,
            "seed": seed,
        },
    )


def draw_seed() -> int:
    """A seed from the system's entropy, 0..2**31-1."""
    return int.from_bytes(os.urandom(4), "big") >> 1


def read_start(
    expected: GameStatus, answer: Answer | ReadReply, logger: Logger
) -> Observation | None:
    """What an agent is told at the start of an episode, with the message as its info.

    Args:
        expected: The status of the answer if the episode starts.
        answer: To a join or a reset.
        logger: Told the reason of a refusal.

    Returns:
        None when the server refuses.

    Raises:
        BadReplyError: If the answer makes no sense.
    """
    status, observation, message = answer
    if status in _REFUSALS:
        logger.error("refused with %s: %s", status, _reason(message))
        return None
    if status is not expected:
        raise BadReplyError(f"status: expected {expected}, got {status}")
    return _read_observation(observation)._replace(info=message or {})


def read_step(answer: Answer | ReadReply, logger: Logger) -> Observation | None:
    """What an agent is told after a step.

    Returns:
        None when the server refuses; but after the end of the episode, the last observation.

    Raises:
        BadReplyError: If the answer makes no sense.
    """
    status, observation, message = answer
    if status is GameStatus.BAD_REQUEST or (status in _REFUSALS and observation is None):
        logger.error("refused with %s: %s", status, _reason(message))
        return None
    return None if observation is None else _read_observation(observation)


def _reason(message: dict[str, Any] | None) -> object:
    return (message or {}).get("message", "no reason given")


def _read_observation(data: Observation | dict[str, Any] | None) -> Observation:
    if isinstance(data, Observation):
        return data
    if data is None:
        raise BadReplyError("observation: expected an object, got null")
    try:
        state = GameState.from_dict(data["state"])
        return Observation(state, data["reward"], data["end"], data.get("info") or {})
    except KeyError as error:
        raise BadReplyError(f"observation.{error.args[0]}: missing") from None
    except ValueError as error:
        raise BadReplyError(f"observation.state: {error}") from None


def not_connected(host: str, port: int, action: Action, reason: str) -> ConnectionError:
    """The error for a call without a connection."""
    return ConnectionError(f"no connection to {host}:{port} for {action.action_type}: {reason}")


def connection_lost(host: str, port: int, action: Action, reason: object) -> ConnectionError:
    """The error for a connection that broke during a call."""
    return ConnectionError(
        f"lost the connection to {host}:{port} while waiting for the reply to"
        f" {action.action_type}: {reason}"
    )


def closed_by_server(session: ClientSession) -> ConnectionError:
    """The error for a server that sends nothing more."""
    try:
        session.receive_eof()
    except FramingError as error:
        return ConnectionError(str(error))
    return ConnectionError("the server closed it")
