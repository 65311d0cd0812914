"""Git repositories of entrypoints: one folder a commit, made once and never changed.

A cache has a folder for each URL, named by its SHA-256: in it are ``repository.git`` with what
was fetched, and a folder with the files of each ``<commit>`` that was asked for. Many processes may
use one cache. Submodules are left out.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

from netsecgame.errors import EntrypointError, NotAllowedError

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = logging.getLogger(__name__)

#: How long git may take for one command.
GIT_TIMEOUT_S: Final = 300.0

#: A transport that is a program of its own: ``ext::sh -c …``.
_PROGRAM = re.compile(r"[A-Za-z0-9+.-]+::")

#: What git forbids in the names of branches and tags, which has meanings in expressions.
_NOT_IN_NAMES = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{")

_COMMIT = re.compile(r"[0-9a-fA-F]{4,64}")
#: Who logs in, in a URL.
_LOGIN = re.compile(r"//[^/@\s]+@")

_WHOLE_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

_HEAD: Final = "refs/netsecgame/HEAD"

#: Begin of the names of folders that are not complete yet.
_UNFINISHED: Final = ".making-"

#: Variables of a git process that runs this one, as in a hook; they name another repository.
_OF_OTHERS: Final = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
)


class GitError(Exception):
    """What git said when it failed; it may tell URLs and paths, so clients do not see it."""


def check_url(url: str) -> None:
    """Refuse URLs that would start a program or look like an option.

    Raises:
        NotAllowedError: If it is one.
    """
    if url.startswith("-") or _PROGRAM.match(url) or "\x00" in url:
        raise NotAllowedError(f"repo: expected a URL or path of a git repository, got {url!r}")


def check_reference(reference: str) -> None:
    """Refuse what cannot be the name of a branch or tag, or a commit.

    Raises:
        NotAllowedError: If it is none.
    """
    if not reference or reference.startswith("-") or _NOT_IN_NAMES.search(reference):
        raise NotAllowedError(f"reference: expected a branch, tag or commit, got {reference!r}")


def absolute_url(url: str) -> str:
    """The URL; the path of a local repository as an absolute one."""
    return url if "://" in url or not Path(url).exists() else str(Path(url).resolve())


def checkout(url: str, reference: str | None, cache: Path) -> Path:
    """The folder with the files of a commit, after a fetch.

    Args:
        url: Of the repository, or its path.
        reference: A branch, a tag or a commit, in this order where a name is several; None is the
            HEAD of the repository.
        cache: Where checkouts are; it is made if it is not there.

    Returns:
        An absolute path. The folder stays as it is when branches move on.

    Raises:
        NotAllowedError: If URL or reference are refused.
        EntrypointError: If the repository cannot be fetched, or has no such reference. Its cause
            is a `GitError`.
    """
    check_url(url)
    if reference is not None:
        check_reference(reference)
    asked_ns = time.time_ns()
    place = cache.resolve() / sha256(url.encode()).hexdigest()
    if (
        reference is not None
        and _WHOLE_COMMIT.fullmatch(reference)
        and (place / reference).is_dir()
    ):
        return place / reference
    place.mkdir(parents=True, exist_ok=True)
    with _locked(place / "lock"):
        repository = place / "repository.git"
        _fetch(url, repository, asked_ns)
        commit = _resolve(repository, reference)
        folder = place / commit
        if not folder.is_dir():
            _write_files(repository, commit, folder)
    return folder


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Alone among all processes; the system ends it for one that dies."""
    with file.open("ab") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


def _fetch(url: str, repository: Path, asked_ns: int) -> None:
    """Get all branches and tags, unless a fetch has begun since `asked_ns`."""
    stamp = repository / "netsecgame-fetched"  # its time is when the last good fetch began
    if stamp.exists() and stamp.stat().st_mtime_ns >= asked_ns:
        return
    now_ns = time.time_ns()
    try:
        if not (repository / "HEAD").exists():
            _git("init", "--quiet", "--bare", "--template=", str(repository))
        _git(
            f"--git-dir={repository}",
            "fetch",
            "--quiet",
            "--force",
            "--prune",
            "--tags",
            "--no-write-fetch-head",
            "--end-of-options",
            url,
            "+refs/heads/*:refs/remotes/origin/*",
            f"+HEAD:{_HEAD}",
        )
    except GitError as error:
        _log.warning("a repository cannot be fetched: %s", error)
        raise EntrypointError("the repository cannot be fetched") from error
    stamp.touch()
    os.utime(stamp, ns=(now_ns, now_ns))


def _resolve(repository: Path, reference: str | None) -> str:
    """The whole name of a commit."""
    if reference is None or reference == "HEAD":
        names = [_HEAD]
    else:
        names = [f"refs/remotes/origin/{reference}", f"refs/tags/{reference}"]
        if _COMMIT.fullmatch(reference):
            names.append(reference)
    for name in names:
        try:
            return _git(
                f"--git-dir={repository}",
                "rev-parse",
                "--quiet",
                "--verify",
                "--end-of-options",
                f"{name}^{{commit}}",
            ).strip()
        except GitError as error:
            missing = error
    raise EntrypointError(f"the repository has no branch, tag or commit {reference!r}") from missing


def _write_files(repository: Path, commit: str, folder: Path) -> None:
    for leftover in folder.parent.glob(f"{_UNFINISHED}*"):  # of a process that died
        rmtree(leftover)
    making = Path(mkdtemp(prefix=_UNFINISHED, dir=folder.parent))
    files = making / "files"
    files.mkdir()
    try:
        _git(
            f"--git-dir={repository}",
            f"--work-tree={files}",
            "read-tree",
            "--reset",
            "-u",
            commit,
            index=making / "index",
        )
    except GitError as error:
        _log.warning("commit %s cannot be checked out: %s", commit, error)
        raise EntrypointError(f"commit {commit} cannot be checked out") from error
    files.rename(folder)
    rmtree(making)


def _git(*arguments: str, index: Path | None = None) -> str:
    """What git prints.

    Raises:
        GitError: If it fails or takes too long.
    """
    environ = {name: value for name, value in os.environ.items() if name not in _OF_OTHERS}
    # Nobody is there to answer a question: neither a terminal nor a window.
    environ |= {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS_REQUIRE": "never"}
    environ.setdefault("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh")
    if index is not None:
        environ["GIT_INDEX_FILE"] = str(index)
    command = ["git", "-c", "gc.auto=0", "-c", "maintenance.auto=false", *arguments]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # no terminal; and its helpers end with it
        )
    except OSError as error:
        raise GitError(f"git cannot be started: {error}") from error
    try:
        printed, complaint = process.communicate(timeout=GIT_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise GitError(f"git took longer than {GIT_TIMEOUT_S:.0f} s") from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode:
        text = _LOGIN.sub("//", complaint.strip())
        raise GitError(text or f"git ended with status {process.returncode}")
    return printed
