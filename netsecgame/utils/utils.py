"""Functions for agents: valid actions, states as text, observations, hashes, trajectories."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from netsecgame.game_components import IP, ActionType, GameState, Observation
from netsecgame.utils.valid_actions import generate_valid_actions

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

__all__ = [
    "clean_agent_name",
    "generate_valid_actions",
    "get_file_hash",
    "get_logging_level",
    "get_str_hash",
    "observation_as_dict",
    "observation_from_dict",
    "observation_from_str",
    "observation_to_str",
    "parse_log_content",
    "read_trajectories_from_jsonl",
    "state_as_ordered_string",
    "store_trajectories_to_jsonl",
]


# --- states ---------------------------------------------------------------------------------------


def state_as_ordered_string(state: GameState) -> str:
    """The state as one text, the same for equal states; saved Q-tables are keyed by it."""
    return (
        f"nets:{_ordered_list(state.known_networks)},"
        f"hosts:{_ordered_list(state.known_hosts)},"
        f"controlled:{_ordered_list(state.controlled_hosts)},"
        f"services:{_ordered_map(state.known_services)},"
        f"data:{_ordered_map(state.known_data)}, "
        f"blocks:{_ordered_map(state.known_blocks)}"
    )


def _ordered(items: Iterable[Any]) -> list[Any]:
    try:
        return sorted(items)
    except TypeError:  # plain names among addresses
        return sorted(items, key=str)


def _ordered_list(items: Iterable[Any]) -> str:
    return f"[{','.join(map(str, _ordered(items)))}]"


def _ordered_map(by_host: Mapping[Any, Iterable[Any]]) -> str:
    pairs = (f"{host}:{_ordered_list(by_host[host])}" for host in _ordered(by_host))
    return f"{{{''.join(pairs)}}}"


# --- observations ---------------------------------------------------------------------------------


def observation_as_dict(observation: Observation) -> dict[str, Any]:
    """The observation in wire form: state, reward, end, info."""
    return {
        "state": observation.state.as_dict,
        "reward": observation.reward,
        "end": observation.end,
        "info": observation.info,
    }


def observation_from_dict(data: Mapping[str, Any]) -> Observation:
    """Read the wire form of an observation; `info` may be absent.

    Raises:
        ValueError: If a part is missing or the state is no object.
    """
    missing = [name for name in ("state", "reward", "end") if name not in data]
    if missing:
        raise ValueError(f"an observation needs {', '.join(missing)}, got {sorted(data)}")
    state = data["state"]
    if not isinstance(state, dict):
        raise ValueError(  # noqa: TRY004  # a wrong message, not a wrong call
            f"the state of an observation must be an object, got {state!r}"
        )
    return Observation(
        GameState.from_dict(state), data["reward"], data["end"], data.get("info") or {}
    )


def observation_to_str(observation: Observation) -> str:
    """The wire form as compact JSON."""
    return msgspec.json.encode(observation_as_dict(observation)).decode()


def observation_from_str(text: str | bytes) -> Observation:
    """Read an observation from JSON; ValueError as in `observation_from_dict`."""
    try:
        data = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(data, dict):
        raise ValueError(  # noqa: TRY004  # a wrong message, not a wrong call
            f"an observation must be an object, got {data!r}"
        )
    return observation_from_dict(data)


# --- hashes, logs, log levels ---------------------------------------------------------------------


def get_str_hash(string: str, hash_func: str = "sha256") -> str:
    """Hex digest of the text in UTF-8."""
    return hashlib.new(hash_func, string.encode()).hexdigest()


def get_file_hash(
    path: str | os.PathLike[str], hash_func: str = "sha256", chunk_size: int = 4096
) -> str:
    """Hex digest of a file, read `chunk_size` bytes at a time."""
    digest = hashlib.new(hash_func)
    with Path(path).open("rb") as file:
        while chunk := file.read(chunk_size):
            digest.update(chunk)
    return digest.hexdigest()


def parse_log_content(text: str) -> list[dict[str, IP | ActionType]] | None:
    """What a host's log says: who (`source_host`) did what (`action_type`), oldest first.

    Args:
        text: The content of the log's `Data`.

    Returns:
        One dict for each entry, or None when the text is no log.
    """
    try:
        return [
            {
                "source_host": IP(entry["source_host"]),
                "action_type": ActionType.from_string(entry["action_type"]),
            }
            for entry in msgspec.json.decode(text)
        ]
    except (msgspec.DecodeError, ValueError, TypeError, KeyError):
        return None


def get_logging_level(name: str) -> int:
    """The level of that name in any case, as `logging` counts them; ERROR for an unknown one."""
    return logging.getLevelNamesMapping().get(name.upper(), logging.ERROR)


# --- trajectories ---------------------------------------------------------------------------------


def store_trajectories_to_jsonl(
    obj: Any,
    dir: str | os.PathLike[str],  # noqa: A002  # agents pass it by this name
    filename: str,
) -> None:
    """Append `obj` as one line of JSON to ``dir/filename.jsonl``; the folder is made if need be."""
    folder = Path(dir)
    folder.mkdir(parents=True, exist_ok=True)
    line = msgspec.json.encode(obj) + b"\n"
    # Unbuffered: one write, so that several writers do not tear each other's lines.
    with (folder / f"{filename}.jsonl").open("ab", buffering=0) as file:
        file.write(line)


def read_trajectories_from_jsonl(path: str | os.PathLike[str]) -> list[Any]:
    """One object for each line of the file; blank lines are skipped.

    Raises:
        ValueError: If a line is not JSON; the text names file and line.
    """
    trajectories = []
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.isspace():
                continue
            try:
                trajectories.append(msgspec.json.decode(line))
            except msgspec.DecodeError as error:
                raise ValueError(f"{path}:{number}: not JSON: {error}") from None
    return trajectories


def clean_agent_name(name: str) -> str:
    """An agent's name as it may stand in a file name: ASCII letters, digits, ``_`` and ``-``.

    Returns:
        At most 200 characters, never none: a name without any of these becomes ``agent_<8 hex>``,
        the digits following from the name.
    """
    cleaned = "".join(c for c in name if c.isascii() and (c.isalnum() or c in "_-"))[:200]
    return cleaned or f"agent_{get_str_hash(name)[:8]}"
