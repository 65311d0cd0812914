"""A folder with the episodes of one evaluation, which may be stopped at any moment and go on.

- `manifest.json`: the configuration. A folder is one evaluation's for ever.
- `episodes/seed_0.jsonl` and so on: the episodes of a seed in order, one JSON object a line.
- `summary.json`, `summary.md`: what came of it, when all are played.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from netsecgame.envs.evaluation.episodes import EpisodeRecord
from netsecgame.envs.evaluation.plan import episode_seed
from netsecgame.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MANIFEST = "manifest.json"
_EPISODES = "episodes"
_LOCK = ".lock"

_encode_record = msgspec.json.Encoder().encode
_decode_record = msgspec.json.Decoder(EpisodeRecord).decode


class ResultsFolder:
    """The folder of an evaluation.

    Attributes:
        path: Where it is.
        configuration: Of what is in it.
    """

    def __init__(self, path: str | Path, configuration: dict[str, Any]) -> None:
        """Take a folder that is not there yet, empty, or of the same configuration.

        Raises:
            ConfigurationError: If something else is in it.
        """
        self.path = Path(path)
        self.configuration = configuration
        self._check()

    def read(self, seed: int) -> list[EpisodeRecord]:
        """The episodes of a seed that have been played: the first ones, without a gap.

        A last line that was cut is left out.

        Raises:
            ConfigurationError: If a line is not what was written.
        """
        path = self._file(seed)
        records: list[EpisodeRecord] = []
        if not path.exists():
            return records
        for episode, line in enumerate(path.read_bytes().split(b"\n")[:-1]):
            try:
                record = _decode_record(line)
            except msgspec.DecodeError as error:
                reason = f"this is no episode: {error}"
                raise ConfigurationError(reason, source=str(path), line=episode + 1) from None
            if (record.episode, record.seed) != (episode, episode_seed(seed, episode)):
                reason = f"expected episode {episode} of seed {seed}, got episode {record.episode}"
                raise ConfigurationError(reason, source=str(path), line=episode + 1)
            records.append(record)
        return records

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder for writing; no other process does at the same time.

        Raises:
            ConfigurationError: If one does.
        """
        (self.path / _EPISODES).mkdir(parents=True, exist_ok=True)
        with (self.path / _LOCK).open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                reason = "another process is writing into this folder"
                raise ConfigurationError(reason, source=str(self.path)) from None
            self._check()  # another process may have been first
            self._write_manifest()
            yield

    def drop_cut_line(self, seed: int) -> None:
        """Take away what was written last, if it is not a whole line."""
        path = self._file(seed)
        if path.exists():
            with path.open("r+b") as file:
                file.truncate(file.read().rfind(b"\n") + 1)

    def append(self, seed: int, records: Sequence[EpisodeRecord]) -> None:
        """Add the episodes that follow; they are on the disk when this returns."""
        lines = b"".join(_encode_record(record) + b"\n" for record in records)
        with self._file(seed).open("ab") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

    def write_text(self, name: str, text: str) -> None:
        """Write a file of the folder, whole or not at all."""
        path = self.path / name
        draft = path.with_name(f"{name}.draft")
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def _file(self, seed: int) -> Path:
        return self.path / _EPISODES / f"seed_{seed}.jsonl"

    def _check(self) -> None:
        found = self._read_manifest()
        if found is not None and found != self.configuration:
            text = _describe_difference(found, self.configuration)
            reason = f"the folder has the results of another configuration: {text}"
            raise ConfigurationError(reason, source=str(self.path))

    def _read_manifest(self) -> dict[str, Any] | None:
        if not self.path.exists():
            return None
        try:
            content = json.loads((self.path / _MANIFEST).read_bytes())
            configuration: dict[str, Any] = dict(content["configuration"])
        except FileNotFoundError:
            # What a process leaves that was stopped right at its start is no reason to refuse.
            if {file.name for file in self.path.iterdir()} - {
                _LOCK,
                _EPISODES,
                f"{_MANIFEST}.draft",
            }:
                reason = f"expected a folder with a {_MANIFEST}, or an empty one"
                raise ConfigurationError(reason, source=str(self.path)) from None
            return None
        except (ValueError, KeyError, TypeError) as error:
            reason = f"this is no manifest of an evaluation: {error!r}"
            raise ConfigurationError(reason, source=str(self.path / _MANIFEST)) from None
        return configuration

    def _write_manifest(self) -> None:
        if (self.path / _MANIFEST).exists():
            return
        manifest = {
            "configuration": self.configuration,
            "made_with": {
                "python": ".".join(map(str, sys.version_info[:3])),
                "began": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        }
        self.write_text(_MANIFEST, json.dumps(manifest, indent=2) + "\n")


def _describe_difference(there: dict[str, Any], asked: dict[str, Any]) -> str:
    parts = [
        f"{name} is {there.get(name)} there, {asked.get(name)} was asked for"
        for name in {**there, **asked}
        if there.get(name) != asked.get(name)
    ]
    return "; ".join(parts)
