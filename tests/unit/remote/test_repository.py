from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from netsecgame.errors import EntrypointError, NotAllowedError
from netsecgame.remote import repository
from netsecgame.remote.repository import (
    GitError,
    absolute_url,
    check_reference,
    check_url,
    checkout,
)
from tests.unit.remote.git_repository import GitRepository


@pytest.fixture
def origin(tmp_path: Path) -> GitRepository:
    return GitRepository(tmp_path / "origin")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def read(folder: Path) -> str:
    return (folder / "entry.py").read_text()


def test_checkout_lies_under_the_urls_hash_and_the_commit(
    origin: GitRepository, cache: Path
) -> None:
    commit = origin.commit({"entry.py": "1", "deep/er/file.txt": "x"})
    url = str(origin.folder)

    folder = checkout(url, None, cache)

    assert folder == cache / sha256(url.encode()).hexdigest() / commit
    assert read(folder) == "1"
    assert (folder / "deep" / "er" / "file.txt").read_text() == "x"


@pytest.mark.parametrize("reference", ["main", "v1", "annotated", "feature/one"])
def test_checkout_by_branch_or_tag_has_its_files(
    origin: GitRepository, cache: Path, reference: str
) -> None:
    origin.commit({"entry.py": "old"})
    wanted = origin.commit({"entry.py": "wanted"})
    origin.git("tag", "v1")
    origin.git("tag", "--annotate", "annotated", "--message=x")
    origin.git("branch", "feature/one")
    if reference != "main":
        origin.commit({"entry.py": "new"})

    folder = checkout(str(origin.folder), reference, cache)

    assert folder.name == wanted
    assert read(folder) == "wanted"


@pytest.mark.parametrize("length", [40, 10])
def test_checkout_by_commit_has_its_files(origin: GitRepository, cache: Path, length: int) -> None:
    wanted = origin.commit({"entry.py": "wanted"})
    origin.commit({"entry.py": "new"})

    assert read(checkout(str(origin.folder), wanted[:length], cache)) == "wanted"


@pytest.mark.parametrize("reference", [None, "HEAD"])
def test_checkout_without_a_reference_is_what_head_says(
    origin: GitRepository, cache: Path, reference: str | None
) -> None:
    origin.commit({"entry.py": "main"})
    origin.git("checkout", "--quiet", "-b", "other")
    origin.commit({"entry.py": "other"})

    assert read(checkout(str(origin.folder), reference, cache)) == "other"


def test_checkout_branch_wins_over_tag_and_tag_over_commit(
    origin: GitRepository, cache: Path
) -> None:
    commit = origin.commit({"entry.py": "commit"})
    origin.commit({"entry.py": "tag"})
    origin.git("tag", "both")
    origin.git("tag", commit[:8])
    origin.commit({"entry.py": "branch"})
    origin.git("branch", "both")

    assert read(checkout(str(origin.folder), "both", cache)) == "branch"
    assert read(checkout(str(origin.folder), commit[:8], cache)) == "tag"


def test_checkout_after_a_push_is_the_new_commit_and_the_old_stays(
    origin: GitRepository, cache: Path
) -> None:
    origin.commit({"entry.py": "1", "gone.py": ""})
    first = checkout(str(origin.folder), "main", cache)
    origin.git("rm", "--quiet", "gone.py")
    origin.commit({"entry.py": "2"})
    origin.git("tag", "new")

    second = checkout(str(origin.folder), "main", cache)

    assert (read(first), read(second)) == ("1", "2")
    assert (first / "gone.py").exists()
    assert not (second / "gone.py").exists()
    assert checkout(str(origin.folder), "new", cache) == second


def test_checkout_moved_tag_and_removed_branch_are_followed(
    origin: GitRepository, cache: Path
) -> None:
    origin.commit({"entry.py": "1"})
    origin.git("tag", "v")
    origin.git("branch", "short-lived")
    checkout(str(origin.folder), "short-lived", cache)
    origin.commit({"entry.py": "2"})
    origin.git("tag", "--force", "v")
    origin.git("branch", "-D", "short-lived")

    assert read(checkout(str(origin.folder), "v", cache)) == "2"
    with pytest.raises(EntrypointError, match="no branch, tag or commit 'short-lived'"):
        checkout(str(origin.folder), "short-lived", cache)


def test_checkout_folder_replaced_in_branches_by_a_branch_of_its_name_works(
    origin: GitRepository, cache: Path
) -> None:
    origin.commit({"entry.py": "1"})
    origin.git("branch", "a/b")
    checkout(str(origin.folder), "a/b", cache)
    origin.git("branch", "-D", "a/b")
    origin.git("branch", "a")

    assert read(checkout(str(origin.folder), "a", cache)) == "1"


def test_checkout_again_leaves_what_was_written_there(origin: GitRepository, cache: Path) -> None:
    origin.commit({"entry.py": "1"})
    folder = checkout(str(origin.folder), None, cache)
    (folder / "results.txt").write_text("mine")

    assert checkout(str(origin.folder), None, cache) == folder
    assert (folder / "results.txt").read_text() == "mine"


def test_checkout_whole_commit_that_is_there_needs_no_repository(
    origin: GitRepository, cache: Path
) -> None:
    commit = origin.commit({"entry.py": "1"})
    folder = checkout(str(origin.folder), commit, cache)
    origin.folder.rename(origin.folder.with_name("moved"))

    assert checkout(str(origin.folder), commit, cache) == folder


def test_checkout_leftovers_of_a_process_that_died_are_cleared_away(
    origin: GitRepository, cache: Path
) -> None:
    origin.commit({"entry.py": "1"})
    place = checkout(str(origin.folder), None, cache).parent
    (place / ".making-x" / "files").mkdir(parents=True)
    origin.commit({"entry.py": "2"})

    checkout(str(origin.folder), None, cache)

    assert not list(place.glob(".making-*"))


def test_checkout_inside_a_git_hook_is_not_of_its_repository(
    origin: GitRepository, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = origin.commit({"entry.py": "1"})
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))

    assert checkout(str(origin.folder), None, cache).name == commit
    assert not (tmp_path / "elsewhere").exists()


def test_checkout_asked_for_by_many_processes_at_once_is_made_once(
    origin: GitRepository, cache: Path
) -> None:
    first = origin.commit({"entry.py": "1"})
    second = origin.commit({"entry.py": "2"})
    code = (
        "import sys, pathlib; from netsecgame.remote.repository import checkout\n"
        "print(checkout(sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(origin.folder), reference, str(cache)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for reference in (first[:12], "main", first, second)
    ]

    folders = [Path(process.communicate()[0].strip()) for process in processes]

    assert [folder.name for folder in folders] == [first, second, first, second]
    assert [read(folder) for folder in folders] == ["1", "2", "1", "2"]


def test_fetch_that_began_after_the_question_is_not_repeated(
    origin: GitRepository, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin.commit({"entry.py": "1"})
    checkout(str(origin.folder), None, cache)
    origin.commit({"entry.py": "2"})

    # Who waited for another's fetch has asked before it.
    monkeypatch.setattr(repository, "time", SimpleNamespace(time_ns=lambda: 0))

    assert read(checkout(str(origin.folder), None, cache)) == "1"


def test_checkout_of_nothing_raises_and_tells_clients_no_path(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(EntrypointError) as raised:
        checkout(str(tmp_path / "nothing"), None, cache)

    assert str(raised.value) == "the repository cannot be fetched"
    assert isinstance(raised.value.__cause__, GitError)
    assert str(tmp_path / "nothing") in str(raised.value.__cause__)


def test_checkout_after_a_failure_works(origin: GitRepository, cache: Path) -> None:
    with pytest.raises(EntrypointError):  # a repository without a commit
        checkout(str(origin.folder), None, cache)
    origin.commit({"entry.py": "1"})

    assert read(checkout(str(origin.folder), None, cache)) == "1"


@pytest.mark.parametrize("url", ["ext::sh -c id", "fd::17", "-u", "--upload-pack=id", "a\x00b"])
def test_url_that_starts_programs_is_refused(url: str, cache: Path) -> None:
    with pytest.raises(NotAllowedError, match="repo: expected a URL"):
        checkout(url, None, cache)
    assert not cache.exists()


@pytest.mark.parametrize(
    "url",
    ["https://example.org/a.git", "git@example.org:a.git", "/a/b", "file:///a", "ssh://[::1]/a"],
)
def test_url_of_a_repository_is_fine(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    "reference",
    ["", "-f", "--all", "main~1", "main^", ":/fix", "a..b", "a@{1}", "a b", "a\nb", "v*", "a\\b"],
)
def test_reference_that_is_an_expression_is_refused(reference: str) -> None:
    with pytest.raises(NotAllowedError, match="reference: expected a branch, tag or commit"):
        check_reference(reference)


@pytest.mark.parametrize("reference", ["main", "feature/one", "v1.0-rc.1", "fünf", "0" * 40])
def test_reference_that_can_be_a_name_is_fine(reference: str) -> None:
    check_reference(reference)


@pytest.mark.parametrize("reference", ["FETCH_HEAD", "origin/main", "refs/heads/main", "nope"])
def test_checkout_of_a_name_that_is_neither_branch_nor_tag_raises(
    origin: GitRepository, cache: Path, reference: str
) -> None:
    origin.commit({"entry.py": "1"})

    with pytest.raises(EntrypointError, match="no branch, tag or commit"):
        checkout(str(origin.folder), reference, cache)


def test_git_that_never_ends_is_ended_with_its_helpers(
    origin: GitRepository, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin.commit({"entry.py": "1"})
    helper = tmp_path / "ssh"
    helper.write_text("#!/bin/sh\nexec sleep 1000\n")
    helper.chmod(0o700)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(helper))
    monkeypatch.setattr(repository, "GIT_TIMEOUT_S", 0.2)

    with pytest.raises(EntrypointError) as raised:
        checkout("ssh://example.invalid/a", None, cache)

    assert "git took longer than" in str(raised.value.__cause__)


def test_git_asks_nobody_for_a_password(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text(
        "#!/bin/sh\n"
        f'echo "$GIT_TERMINAL_PROMPT,$GIT_ASKPASS,$SSH_ASKPASS_REQUIRE" > {tmp_path / "told"}\n'
        f"ps -o sid= -p $$ > {tmp_path / 'session'}\n"
        "exit 1\n"
    )
    ssh.chmod(0o700)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    monkeypatch.setenv("GIT_ASKPASS", "a-window-that-asks")

    with pytest.raises(EntrypointError):
        checkout("ssh://example.invalid/a", None, cache)

    assert (tmp_path / "told").read_text() == "0,,never\n"
    assert int((tmp_path / "session").read_text()) != os.getsid(0)  # so there is no terminal


def test_git_missing_raises(
    origin: GitRepository, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(EntrypointError) as raised:
        checkout(str(origin.folder), None, cache)

    assert "git cannot be started" in str(raised.value.__cause__)


def test_git_complaint_does_not_tell_who_logs_in(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    git.write_text('#!/bin/sh\necho "no access to https://ann:secret@lab/a.git" >&2; exit 1\n')
    git.chmod(0o700)
    monkeypatch.setenv("PATH", str(git.parent))

    with pytest.raises(EntrypointError) as raised:
        checkout("https://ann:secret@lab/a.git", None, cache)

    assert str(raised.value.__cause__) == "no access to https://lab/a.git"


def test_url_with_a_long_token_is_left_as_it_is() -> None:
    url = f"https://{'x' * 5000}@lab/a.git"

    assert absolute_url(url) == url


def test_url_that_is_a_path_becomes_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "origin").mkdir()
    monkeypatch.chdir(tmp_path)

    assert absolute_url("origin") == str(tmp_path / "origin")
    assert absolute_url("git@lab:origin") == "git@lab:origin"
