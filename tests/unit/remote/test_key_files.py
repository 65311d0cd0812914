from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import pytest

from netsecgame.errors import RemoteConfigError
from netsecgame.remote.key_files import OpenKeyWarning, warn_about_open_key, write_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_key_that_others_can_read_warns_with_its_name(tmp_path: Path, mode: int) -> None:
    key = tmp_path / "key.pem"
    key.touch()
    key.chmod(mode)

    with pytest.warns(OpenKeyWarning, match=rf"key\.pem \(mode {mode:04o}\)") as caught:
        warn_about_open_key(key)

    assert caught[0].filename == __file__


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_key_of_its_owner_warns_not(tmp_path: Path, mode: int) -> None:
    key = tmp_path / "key.pem"
    key.touch()
    key.chmod(mode)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_about_open_key(str(key))


def test_key_that_is_not_there_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        warn_about_open_key(tmp_path / "key.pem")


@pytest.mark.parametrize(("is_secret", "mode"), [(True, 0o600), (False, 0o644)])
def test_file_has_its_mode_whatever_the_mask_is(tmp_path: Path, is_secret: bool, mode: int) -> None:
    before = os.umask(0)
    try:
        write_file(tmp_path / "file", b"x", is_secret=is_secret)
    finally:
        os.umask(before)

    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_file_that_is_there_stays_unless_forced(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_file(file, b"old")

    with pytest.raises(RemoteConfigError, match="is there already"):
        write_file(file, b"new")
    assert file.read_bytes() == b"old"
    write_file(file, b"new", force=True)
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


def test_file_that_is_a_link_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"target")
    link.symlink_to(target)

    write_file(link, b"key", is_secret=True, force=True)

    assert target.read_bytes() == b"target"
    assert not link.is_symlink()
