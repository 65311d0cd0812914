"""Files of certificates and private keys; only its owner should read a key."""

from __future__ import annotations

import os
import stat
import warnings
from pathlib import Path
from tempfile import mkstemp

from netsecgame.errors import RemoteConfigError


class OpenKeyWarning(UserWarning):
    """Others can read a private key."""


def warn_about_open_key(path: str | os.PathLike[str]) -> None:
    """Warn if others than its owner can read a key.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    mode = stat.S_IMODE(Path(path).stat().st_mode)
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        text = f"others can read the private key {path} (mode {mode:04o}); chmod 600 helps"
        warnings.warn(text, OpenKeyWarning, stacklevel=2)


def write_file(path: Path, content: bytes, *, is_secret: bool = False, force: bool = False) -> None:
    """Write a file at once: nobody sees half of it, and a secret is never readable for others.

    Args:
        path: Where to; its folder is made if it is not there.
        content: All of it.
        is_secret: Whether only the owner may read it.
        force: Whether to replace one that is there.

    Raises:
        RemoteConfigError: If it is there and `force` is not set.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = mkstemp(prefix=f".{path.name}-", dir=path.parent)
    making = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600 if is_secret else 0o644)
            file.write(content)
        if not force:
            path.touch(exist_ok=False)  # two that write at once cannot both come to be
        making.replace(path)
    except FileExistsError:
        raise RemoteConfigError(f"{path} is there already, and is not written over") from None
    finally:
        making.unlink(missing_ok=True)
