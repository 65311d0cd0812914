from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.errors import NotAllowedError, RemoteConfigError
from netsecgame.remote.args import MAX_ARGS_LENGTH, ServerArgs, check_server_args, merge
from netsecgame.remote.options import ServerOptions
from tests.unit.remote.git_repository import GitRepository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENTRY = "def create_environment(**kwargs): ...\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with `entry.py`, `other.py`, and `x.py` beside it."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "entry.py").write_text(ENTRY)
    (work / "other.py").write_text(ENTRY)
    (tmp_path / "x.py").write_text(ENTRY)
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def merged(folder: Path) -> Callable[..., dict[str, Any]]:
    """Merges a client's arguments with those of a server of `entry.py`."""

    def do(
        client: Any = None,
        defaults: dict[str, Any] | None = None,
        identity: str | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        checked = ServerOptions.of(**options)
        own = {"entrypoint": "entry.py"} if defaults is None else defaults
        text = client if isinstance(client, str) or client is None else json.dumps(client)
        return merge(check_server_args(own, checked), text, checked, identity)

    return do


def check(defaults: Any, **options: Any) -> ServerArgs:
    return check_server_args(defaults, ServerOptions.of(**options))


class TestCheckServerArgs:
    def test_check_own_entrypoint_is_allowed(self, folder: Path) -> None:
        args = check({"entrypoint": "entry.py", "entrypoint_kwargs": {"size": 3}})

        assert args.allowed == ("entry.py",)
        assert args.defaults == {"entrypoint": "entry.py", "entrypoint_kwargs": {"size": 3}}
        assert args.folder == folder.resolve()
        assert args.repo_cache == folder.resolve() / ".repo_cache"

    def test_check_only_allowed_entrypoints_suffice(self, folder: Path) -> None:
        assert check({}, allowed_entrypoints=["other.py"]).allowed == ("other.py",)

    def test_check_function_of_an_installed_module_is_found(self, folder: Path) -> None:
        assert check({"entrypoint": "gymnasium:make"}).allowed == ("gymnasium:make",)

    def test_check_module_in_src_is_found_and_not_imported(self, folder: Path) -> None:
        package = folder / "src" / "mine"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("raise RuntimeError")

        assert check({"entrypoint": "mine.sub:make"}).allowed == ("mine.sub:make",)

    def test_check_path_inside_as_an_absolute_one_is_fine(self, folder: Path) -> None:
        assert check({"entrypoint": folder / "entry.py"}).allowed == (str(folder / "entry.py"),)

    def test_check_kwargs_that_change_later_have_no_effect(self, folder: Path) -> None:
        kwargs = {"sizes": [1]}

        args = check({"entrypoint": "entry.py", "entrypoint_kwargs": kwargs})
        kwargs["sizes"].append(2)

        assert args.defaults["entrypoint_kwargs"] == {"sizes": [1]}

    @pytest.mark.parametrize(
        ("defaults", "options", "expected"),
        [
            (None, {}, "expected an entrypoint, or allowed_entrypoints; got neither"),
            ({"entrypoint": None}, {}, "expected an entrypoint"),
            ({}, {"allowed_entrypoints": []}, "expected an entrypoint"),
            (["entry.py"], {}, "default_args: expected a dict"),
            ({"entrypoint": "entri.py"}, {}, "there is no file 'entri.py'"),
            ({"entrypoint": "../x.py"}, {}, "'../x.py' is outside"),
            ({"entrypoint": "entry"}, {}, "expected a .py file or package.module:function"),
            ({"entrypoint": "no_such_module:make"}, {}, "there is no module 'no_such_module'"),
            ({"entrypoint": "__main__:make"}, {}, "there is no module '__main__'"),
            ({"entrypoint": 3}, {}, "entrypoint: expected a text, got 3"),
            ({"entrypoint": "entry.py", "entrypiont": 1}, {}, "did you mean 'entrypoint'"),
            ({"entrypoint": "entry.py", "env_id": 1}, {}, "there is no 'env_id'"),
            ({"entrypoint": "entry.py"}, {"allowed_entrypoints": "no.py"}, "no file 'no.py'"),
            (
                {"entrypoint": "entry.py"},
                {"clients": {"ann": {"entrypoints": ["no.py"]}}},
                "no file 'no.py'",
            ),
            ({"entrypoint": "entry.py", "entrypoint_kwargs": []}, {}, "expected a dict, got []"),
            ({"entrypoint": "entry.py", "entrypoint_kwargs": {1: 2}}, {}, "texts as names, got 1"),
            (
                {"entrypoint": "entry.py", "entrypoint_kwargs": {"a": 1, "b": {2}}},
                {},
                "what JSON can carry for 'b'",
            ),
            ({"entrypoint": "entry.py", "repo": "no/such/repo"}, {}, "cannot be fetched: "),
            ({"entrypoint": "entry.py", "repo": "ext::sh -c id"}, {}, "repo: expected a URL"),
            ({"entrypoint": "entry.py", "repo": "--upload-pack=id"}, {}, "repo: expected a URL"),
            ({"entrypoint": "entry.py", "reference": "main"}, {}, "'main' needs a repo"),
            (
                {"entrypoint": "entry.py", "repo": "r", "reference": "-f"},
                {},
                "reference: expected a branch, tag or commit",
            ),
        ],
    )
    def test_check_what_cannot_be_served_raises(
        self, folder: Path, defaults: Any, options: dict[str, Any], expected: str
    ) -> None:
        with pytest.raises(RemoteConfigError) as raised:
            check(defaults, **options)

        assert expected in str(raised.value)

    def test_check_link_to_a_file_outside_raises(self, folder: Path) -> None:
        (folder / "link.py").symlink_to(folder.parent / "x.py")

        with pytest.raises(RemoteConfigError, match=r"'link\.py' is outside"):
            check({"entrypoint": "link.py"})

    def test_check_repo_as_relative_path_is_fetched_and_kept_absolute(self, folder: Path) -> None:
        GitRepository(folder.parent / "origin").commit({"in_repo.py": ENTRY})

        args = check({"entrypoint": "in_repo.py", "repo": "../origin"}, repo_cache="cache")

        assert args.defaults["repo"] == str((folder.parent / "origin").resolve())
        assert list((folder / "cache").glob("*/*/in_repo.py"))

    def test_check_entrypoint_that_the_repo_has_not_raises(self, folder: Path) -> None:
        GitRepository(folder.parent / "origin").commit({"in_repo.py": ENTRY})

        with pytest.raises(RemoteConfigError, match=r"no file 'entry\.py'"):
            check({"entrypoint": "entry.py", "repo": "../origin"})

    def test_check_unknown_reference_raises(self, folder: Path) -> None:
        GitRepository(folder.parent / "origin").commit({"in_repo.py": ENTRY})

        with pytest.raises(RemoteConfigError, match="no branch, tag or commit 'nope'"):
            check({"entrypoint": "in_repo.py", "repo": "../origin", "reference": "nope"})


class TestMerge:
    @pytest.mark.parametrize("client", [None, "{}"])
    def test_merge_client_says_nothing_gives_the_servers(
        self, merged: Callable[..., dict[str, Any]], client: str | None
    ) -> None:
        defaults = {"entrypoint": "entry.py", "entrypoint_kwargs": {"a": 1}}

        assert merged(client, defaults) == defaults

    def test_merge_kwargs_go_key_by_key_and_the_client_wins(
        self, merged: Callable[..., dict[str, Any]]
    ) -> None:
        defaults = {"entrypoint": "entry.py", "entrypoint_kwargs": {"a": 1, "b": {"x": 1}}}

        args = merged({"entrypoint_kwargs": {"b": {"y": 2}, "c": None}}, defaults)

        assert args["entrypoint_kwargs"] == {"a": 1, "b": {"y": 2}, "c": None}

    def test_merge_leaves_the_servers_arguments_as_they_are(self, folder: Path) -> None:
        options = ServerOptions()
        server_args = check_server_args({"entrypoint": "entry.py"}, options)

        merge(server_args, '{"entrypoint_kwargs": {"a": 1}}', options, None)

        assert merge(server_args, None, options, None)["entrypoint_kwargs"] == {}

    def test_merge_own_entrypoint_named_is_fine(
        self, merged: Callable[..., dict[str, Any]]
    ) -> None:
        assert merged({"entrypoint": "entry.py"})["entrypoint"] == "entry.py"

    def test_merge_allowed_entrypoint_replaces_the_own(
        self, merged: Callable[..., dict[str, Any]]
    ) -> None:
        args = merged({"entrypoint": "other.py"}, allowed_entrypoints=["other.py"])

        assert args["entrypoint"] == "other.py"

    @pytest.mark.parametrize(
        "entrypoint", ["other.py", "../x.py", "/etc/passwd", "./entry.py", "os:system", None, 3, []]
    )
    def test_merge_other_entrypoint_is_not_allowed(
        self, merged: Callable[..., dict[str, Any]], entrypoint: Any
    ) -> None:
        with pytest.raises(NotAllowedError, match=r"expected 'entry\.py'"):
            merged({"entrypoint": entrypoint})

    @pytest.mark.parametrize("repo", ["https://example.org/x.git", "", None])
    def test_merge_any_repo_is_not_allowed(
        self, merged: Callable[..., dict[str, Any]], repo: str | None
    ) -> None:
        with pytest.raises(NotAllowedError, match="'repo'"):
            merged({"repo": repo})

    @pytest.mark.parametrize("reference", ["main", None])
    def test_merge_reference_is_not_allowed_by_default(
        self, merged: Callable[..., dict[str, Any]], reference: str | None
    ) -> None:
        with pytest.raises(NotAllowedError, match="'reference'"):
            merged({"reference": reference})

    def test_merge_reference_where_clients_may_choose_is_taken(
        self, merged: Callable[..., dict[str, Any]], folder: Path
    ) -> None:
        origin = GitRepository(folder.parent / "origin")
        origin.commit({"entry.py": ENTRY})
        defaults = {"entrypoint": "entry.py", "repo": str(origin.folder), "reference": "main"}

        args = merged({"reference": "v1"}, defaults, allow_client_reference=True)
        head = merged({"reference": None}, defaults, allow_client_reference=True)
        own = merged({}, defaults, allow_client_reference=True)

        assert [each["reference"] for each in (args, head, own)] == ["v1", None, "main"]
        assert args["repo"] == str(origin.folder)
        with pytest.raises(NotAllowedError, match="expected a branch, tag or commit"):
            merged({"reference": "--upload-pack=id"}, defaults, allow_client_reference=True)
        with pytest.raises(RemoteConfigError, match="expected a text or null, got 3"):
            merged({"reference": 3}, defaults, allow_client_reference=True)

    def test_merge_reference_without_a_repository_is_wrong(
        self, merged: Callable[..., dict[str, Any]]
    ) -> None:
        with pytest.raises(RemoteConfigError, match="in no repository"):
            merged({"reference": "main"}, allow_client_reference=True)

    def test_merge_allowed_kwargs_narrow_what_clients_set(
        self, merged: Callable[..., dict[str, Any]]
    ) -> None:
        args = merged({"entrypoint_kwargs": {"size": 1}}, allowed_kwargs=["size"])

        assert args["entrypoint_kwargs"] == {"size": 1}
        with pytest.raises(NotAllowedError, match=r"may set 'size', not 'siz' \(did you mean"):
            merged({"entrypoint_kwargs": {"siz": 1}}, allowed_kwargs=["size"])
        with pytest.raises(NotAllowedError, match="may set nothing"):
            merged({"entrypoint_kwargs": {"siz": 1}}, allowed_kwargs=[])

    def test_merge_no_entrypoint_at_all_says_which_there_are(
        self, merged: Callable[..., dict[str, Any]]
    ) -> None:
        with pytest.raises(RemoteConfigError, match=r"choose one of 'other\.py'"):
            merged({}, {}, allowed_entrypoints=["other.py"])

    @pytest.mark.parametrize(
        ("client", "expected"),
        [
            ("{", "expected JSON"),
            ("[" * 100_000, "expected JSON"),
            ("[]", "expected a JSON object, got a list"),
            ("null", "expected a JSON object, got a NoneType"),
            ('{"entrypont": "x"}', "did you mean 'entrypoint'"),
            ('{"env_id": 3}', "there is no 'env_id'"),
            ('{"entrypoint_kwargs": null}', "expected an object, got None"),
            ('{"entrypoint_kwargs": [1]}', "expected an object"),
            (f'{{"entrypoint_kwargs": {{"a": "{"x" * MAX_ARGS_LENGTH}"}}}}', "expected at most"),
        ],
        ids=range(9),
    )
    def test_merge_what_cannot_be_understood_is_wrong(
        self, merged: Callable[..., dict[str, Any]], client: str, expected: str
    ) -> None:
        with pytest.raises(RemoteConfigError) as raised:
            merged(client)

        assert expected in str(raised.value)
        assert len(str(raised.value)) < 300


RULES: dict[str, Any] = {"ann": {"entrypoints": ["other.py"]}, "ben": {}}


class TestClients:
    def test_merge_known_identity_is_served(self, merged: Callable[..., dict[str, Any]]) -> None:
        assert merged({}, identity="ben", clients=RULES)["entrypoint"] == "entry.py"

    @pytest.mark.parametrize("identity", ["eve", None])
    def test_merge_unknown_identity_is_refused(
        self, merged: Callable[..., dict[str, Any]], identity: str | None
    ) -> None:
        with pytest.raises(NotAllowedError, match="knows its clients by name"):
            merged({}, identity=identity, clients=RULES)

    @pytest.mark.parametrize("identity", ["eve", "*", None])
    def test_merge_rule_for_everybody_serves_the_unknown(
        self, merged: Callable[..., dict[str, Any]], identity: str | None
    ) -> None:
        rules = {**RULES, "*": {}}

        assert merged({}, identity=identity, clients=rules)["entrypoint"] == "entry.py"

    def test_merge_rule_with_entrypoints_counts_instead_of_all_others(
        self, merged: Callable[..., dict[str, Any]]
    ) -> None:
        def of_ann(client: dict[str, Any]) -> dict[str, Any]:
            return merged(client, identity="ann", clients=RULES)

        assert of_ann({"entrypoint": "other.py"})["entrypoint"] == "other.py"
        for client in ({"entrypoint": "entry.py"}, {}):
            with pytest.raises(NotAllowedError, match=r"expected 'other\.py'"):
                of_ann(client)


def test_maker_of_the_arguments_knows_their_places(folder: Path) -> None:
    options = ServerOptions.of(enable_rendering=True, repo_cache="cache", mode="thread")

    maker = check_server_args({"entrypoint": "entry.py"}, options).maker(options)

    assert maker.folder == folder.resolve()
    assert maker.repo_cache == folder.resolve() / "cache"
    assert maker.enable_rendering
    assert not maker.owns_process
    assert check({"entrypoint": "entry.py"}).maker(ServerOptions()).owns_process
