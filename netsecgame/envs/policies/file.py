"""Files of policies: arrays of numpy, and a header that says what they are.

A file is data only. Nothing in it is ever executed, so that policies of strangers can be loaded.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, is_zipfile

import msgspec
import numpy as np

from netsecgame.envs.policies.header import PolicyHeader  # noqa: TC001 - msgspec reads it
from netsecgame.envs.policies.network import NetworkPolicy
from netsecgame.envs.policies.table import TablePolicy
from netsecgame.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from netsecgame.envs.policies.saved import SavedPolicy

FORMAT, FORMAT_VERSION = "netsecgame-policy", 1

#: Unpacked, a policy is at most so long.
MAX_POLICY_BYTES = 1 << 30

_HEADER = "header"
_KINDS: Mapping[str, type[SavedPolicy]] = {kind.kind: kind for kind in (TablePolicy, NetworkPolicy)}

#: What reading a file that is none of ours raises, from zipfile, numpy and here.
_DAMAGED = (
    BadZipFile,
    EOFError,
    MemoryError,
    msgspec.MsgspecError,
    NotImplementedError,
    TypeError,
    ValueError,
    zlib.error,
)


class _FileHeader(msgspec.Struct, frozen=True):
    """What the JSON in a file says."""

    format: str
    version: int
    kind: str
    made_for: PolicyHeader
    options: dict[str, str] = {}


def save_policy(policy: SavedPolicy, path: str | Path) -> None:
    """Write a policy to a file, whose name should end in ``.npz``.

    The file is there in full or, if writing fails, as it was. The same policy makes the same bytes.

    Raises:
        OSError: If it cannot be written.
    """
    path = Path(path)
    header = _FileHeader(FORMAT, FORMAT_VERSION, policy.kind, policy.header, dict(policy.options))
    arrays = {_HEADER: np.frombuffer(msgspec.json.encode(header), np.uint8), **policy.arrays}
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def load_policy(path: str | Path) -> SavedPolicy:
    """The policy in a file.

    Raises:
        PolicyError: If there is no such file, or it is damaged or something else.
    """
    try:
        arrays = _read_arrays(Path(path))
        header = msgspec.json.decode(arrays.pop(_HEADER).tobytes(), type=_FileHeader)
        if header.format != FORMAT:
            raise ValueError(f"format: expected {FORMAT!r}, got {header.format!r}")
        if header.version != FORMAT_VERSION:
            raise ValueError(f"version: expected {FORMAT_VERSION}, got {header.version}")
        kind = _KINDS.get(header.kind)
        if kind is None:
            raise ValueError(f"kind: expected one of {', '.join(_KINDS)}, got {header.kind!r}")
        return kind.restore(header.made_for, header.options, arrays)
    except OSError as error:
        raise PolicyError(error.strerror or str(error), source=str(path)) from error
    except KeyError as error:
        raise PolicyError(f"no saved policy: {error} is missing", source=str(path)) from error
    except _DAMAGED as error:
        raise PolicyError(f"no saved policy: {error}", source=str(path)) from error


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    with path.open("rb") as stream:
        if not is_zipfile(stream):  # numpy would take other files for something else
            raise ValueError("expected an archive of arrays")
        stream.seek(0)
        file = np.load(stream, allow_pickle=False)
        size = sum(member.file_size for member in file.zip.infolist())
        if size > MAX_POLICY_BYTES:
            raise ValueError(f"expected at most {MAX_POLICY_BYTES} bytes, got {size}")
        return {name: np.asarray(file[name]) for name in file.files}
