from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from textwrap import dedent
from threading import Lock, Semaphore, Thread
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from netsecgame.errors import (
    EntrypointError,
    NotAllowedError,
    ProtocolViolationError,
    RemoteConfigError,
    UnsupportedByServerError,
)
from netsecgame.remote import entrypoint_files
from netsecgame.remote.entrypoint import EnvironmentMaker
from netsecgame.remote.entrypoint_files import forget
from tests.unit.remote.git_repository import GitRepository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: An environment that keeps what its factory was given.
ENV = """
import gymnasium, numpy as np

class Env(gymnasium.Env):
    observation_space = gymnasium.spaces.Discrete(9)
    action_space = gymnasium.spaces.Discrete(2)
    closed = []

    def __init__(self, given=None):
        self.given = given

    def reset(self, *, seed=None, options=None):
        return 0, {}

    def step(self, action):
        return 0, 0.0, False, False, {}

    def close(self):
        self.closed.append(self)
"""

ANY = "def create_environment(**kwargs):\n    return Env(kwargs)\n"


class Vector(NamedTuple):
    num_envs: int
    autoreset: str = "next_step"


class World(NamedTuple):
    args: dict[str, Any]
    vector: Vector | None = None


class Arrivals(ModuleType):
    """A lock that tells who comes to it."""

    def __init__(self) -> None:
        super().__init__("arrivals_of_test")
        self.lock = Lock()
        self.come = Semaphore(0)

    def __enter__(self) -> None:
        self.come.release()
        self.lock.acquire()

    def __exit__(self, *error: object) -> None:
        self.lock.release()

    def wait(self) -> None:
        assert self.come.acquire(timeout=60)


@pytest.fixture(autouse=True)
def _process_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder, the path of imports and what is imported from the test are as before."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.chdir(Path.cwd())
    yield
    forget(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    return work


def write(file: Path, *parts: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(map(dedent, parts)))


def maker_of(
    folder: Path, *, enable_rendering: bool = False, owns_process: bool = False
) -> EnvironmentMaker:
    return EnvironmentMaker(folder, folder.parent / "cache", enable_rendering, owns_process)


def make(
    folder: Path,
    *parts: str,
    entrypoint: str = "entry.py",
    env_id: int = 5,
    vector: Vector | None = None,
    enable_rendering: bool = False,
    **kwargs: Any,
) -> Any:
    """What an entrypoint with this text makes."""
    if parts:
        write(folder / entrypoint, ENV, *parts)
    args = {"entrypoint": entrypoint, "entrypoint_kwargs": kwargs, "env_id": env_id}
    return maker_of(folder, enable_rendering=enable_rendering)(World(args, vector))


class TestArguments:
    def test_factory_with_both_names_gets_both_and_the_kwargs(self, folder: Path) -> None:
        env = make(
            folder,
            """
            def create_environment(enable_rendering, env_id, **kwargs):
                return Env((enable_rendering, env_id, kwargs))
            """,
            size=3,
            enable_rendering=True,
        )

        assert env.given == (True, 5, {"size": 3})

    def test_factory_with_env_id_only_gets_no_enable_rendering(self, folder: Path) -> None:
        env = make(
            folder,
            "def create_environment(env_id, **kwargs):\n    return Env((env_id, kwargs))",
            enable_rendering=True,
            size=3,
        )

        assert env.given == (5, {"size": 3})

    def test_factory_with_any_names_gets_env_id(self, folder: Path) -> None:
        assert make(folder, ANY, size=3).given == {"env_id": 5, "size": 3}

    def test_factory_without_arguments_gets_none(self, folder: Path) -> None:
        assert make(folder, "def create_environment():\n    return Env()").given is None

    def test_factory_that_does_not_know_a_kwarg_raises_its_type_error(self, folder: Path) -> None:
        with pytest.raises(TypeError, match="size"):
            make(folder, "def create_environment():\n    return Env()", size=3)

    def test_factory_env_id_of_the_client_counts_for_nothing(self, folder: Path) -> None:
        write(folder / "entry.py", ENV, ANY)
        args = {"entrypoint": "entry.py", "entrypoint_kwargs": {"env_id": 77}, "env_id": 5}

        assert maker_of(folder)(World(args)).given == {"env_id": 5}

    def test_factory_that_takes_no_env_id_gets_not_that_of_the_client_either(
        self, folder: Path
    ) -> None:
        write(folder / "entry.py", ENV, "def create_environment(size):\n    return Env(size)")
        kwargs = {"env_id": 77, "size": 3}
        args = {"entrypoint": "entry.py", "entrypoint_kwargs": kwargs, "env_id": 5}

        assert maker_of(folder)(World(args)).given == 3

    @pytest.mark.parametrize(
        ("option", "kwargs", "expected"),
        [
            (True, {}, True),
            (False, {}, False),
            (True, {"enable_rendering": False}, False),
            (False, {"enable_rendering": 1}, True),
        ],
    )
    def test_factory_enable_rendering_of_the_kwargs_beats_the_option(
        self, folder: Path, option: bool, kwargs: dict[str, Any], expected: bool
    ) -> None:
        write(
            folder / "entry.py",
            ENV,
            "def create_environment(*, enable_rendering):\n    return Env(enable_rendering)",
        )
        args = {"entrypoint": "entry.py", "entrypoint_kwargs": kwargs, "env_id": 0}

        assert maker_of(folder, enable_rendering=option)(World(args)).given is expected

    def test_factory_that_is_a_class_gets_what_its_constructor_names(self, folder: Path) -> None:
        write(folder / "own_module.py", ENV)

        env = make(folder, entrypoint="own_module:Env", given="x")

        assert env.given == "x"

    def test_factory_of_gymnasium_makes_a_registered_environment(self, folder: Path) -> None:
        env = make(folder, entrypoint="gymnasium.envs.classic_control.cartpole:CartPoleEnv")

        assert env.action_space == gymnasium.spaces.Discrete(2)


class TestPlaces:
    def test_import_of_a_module_beside_the_file_and_in_src_works(self, folder: Path) -> None:
        write(folder / "beside_it.py", "WORD = 'beside'")
        write(folder / "src" / "in_src.py", "WORD = 'src'")

        env = make(
            folder,
            "import beside_it, in_src",
            "def create_environment():\n    return Env((beside_it.WORD, in_src.WORD))",
        )

        assert env.given == ("beside", "src")

    def test_import_of_a_name_in_src_and_beside_is_that_of_src(self, folder: Path) -> None:
        write(folder / "in_both.py", "WORD = 'beside'")
        write(folder / "src" / "in_both.py", "WORD = 'src'")

        env = make(folder, "import in_both", "def create_environment(): return Env(in_both.WORD)")

        assert env.given == "src"

    def test_import_relative_to_a_file_in_a_folder_works(self, folder: Path) -> None:
        write(folder / "deep" / "helper.py", "WORD = 'deep'")

        env = make(
            folder,
            "from .helper import WORD",
            "def create_environment():\n    return Env(WORD)",
            entrypoint="deep/entry.py",
        )

        assert env.given == "deep"

    def test_entrypoint_named_like_a_known_module_is_no_other(self, folder: Path) -> None:
        assert make(folder, ANY, entrypoint="json.py").given == {"env_id": 5}
        assert sys.modules["json"].__name__ == "json"

    def test_entrypoint_of_the_same_name_in_another_folder_is_another(self, folder: Path) -> None:
        first = make(folder, "def create_environment(): return Env(1)", entrypoint="a/entry.py")
        second = make(folder, "def create_environment(): return Env(2)", entrypoint="b/entry.py")

        assert (first.given, second.given) == (1, 2)

    def test_entrypoint_asked_for_by_two_threads_is_imported_once(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        arrivals = Arrivals()
        monkeypatch.setattr(entrypoint_files, "_importing", arrivals)
        monkeypatch.setitem(sys.modules, "arrivals_of_test", arrivals)
        # The first import goes on when the second thread has come to it.
        wait = "import arrivals_of_test\nfor _ in range(2):\n    arrivals_of_test.wait()\n"
        write(folder / "entry.py", ENV, wait, ANY)
        maker, made = maker_of(folder), []

        def work() -> None:
            made.append(maker(World({"entrypoint": "entry.py", "env_id": 0})))

        threads = [Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert type(made[0]) is type(made[1])

    def test_process_of_its_own_works_in_the_folder(self, folder: Path) -> None:
        write(folder / "entry.py", ENV, ANY)

        maker_of(folder, owns_process=True)(World({"entrypoint": "entry.py", "env_id": 0}))

        assert Path.cwd() == folder.resolve()

    def test_shared_process_stays_in_its_folder(self, folder: Path) -> None:
        before = Path.cwd()

        make(folder, ANY)

        assert Path.cwd() == before

    def test_path_of_imports_has_the_folder_once(self, folder: Path) -> None:
        make(folder, ANY)
        make(folder, ANY)

        assert sys.path.count(str(folder)) == 1

    def test_maker_survives_pickling(self, folder: Path) -> None:
        write(folder / "entry.py", ENV, ANY)
        maker = pickle.loads(pickle.dumps(maker_of(folder)))

        assert maker(World({"entrypoint": "entry.py", "env_id": 3})).given == {"env_id": 3}


class TestRefusals:
    @pytest.mark.parametrize("entrypoint", ["../x.py", "link.py", "deep/../../x.py"])
    def test_file_outside_the_folder_is_not_allowed(self, folder: Path, entrypoint: str) -> None:
        write(folder.parent / "x.py", ENV, ANY)
        (folder / "deep").mkdir()
        (folder / "link.py").symlink_to("../x.py")

        with pytest.raises(NotAllowedError, match="outside") as raised:
            make(folder, entrypoint=entrypoint)

        assert str(folder) not in str(raised.value)

    def test_file_as_absolute_path_outside_is_not_allowed(self, folder: Path) -> None:
        write(folder.parent / "x.py", ENV, ANY)

        with pytest.raises(NotAllowedError):
            make(folder, entrypoint=str(folder.parent / "x.py"))

    def test_file_linked_inside_the_folder_is_fine(self, folder: Path) -> None:
        write(folder / "real.py", ENV, ANY)
        (folder / "link.py").symlink_to("real.py")

        assert make(folder, entrypoint="link.py").given == {"env_id": 5}

    @pytest.mark.parametrize(
        ("entrypoint", "expected"),
        [
            ("no.py", "there is no file 'no.py'"),
            ("folder.py", "there is no file 'folder.py'"),
            ("no_such_module:make", "ModuleNotFoundError: No module named 'no_such_module'"),
            ("os:no_such", "os:no_such: there is no function 'no_such'"),
            ("os.path:bassname", "(did you mean 'basename'?)"),
            ("os:sep", "there is no function 'sep'"),
            ("os", "expected a .py file or package.module:function"),
            ("os:", "expected a .py file or package.module:function"),
            ("os:path.join", "expected a .py file or package.module:function"),
            (".os:path", "expected a .py file or package.module:function"),
        ],
    )
    def test_entrypoint_that_is_not_there_raises(
        self, folder: Path, entrypoint: str, expected: str
    ) -> None:
        (folder / "folder.py").mkdir()

        with pytest.raises(EntrypointError) as raised:
            make(folder, entrypoint=entrypoint)

        assert expected in str(raised.value)

    def test_file_without_the_function_raises_with_the_nearest(self, folder: Path) -> None:
        with pytest.raises(EntrypointError, match="did you mean 'create_enviroment'"):
            make(folder, "def create_enviroment(): ...")

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
            ("1 / 0", "ZeroDivisionError: division by zero"),
            ("def", "SyntaxError: invalid syntax (entry.py, line 21)"),
            ("raise SystemExit(3)", "SystemExit: 3"),
        ],
    )
    def test_import_that_fails_raises_and_says_how(
        self, folder: Path, line: str, expected: str
    ) -> None:
        with pytest.raises(EntrypointError) as raised:
            make(folder, line)

        assert str(raised.value) == f"entry.py: its import failed: {expected}"

    def test_import_of_a_name_that_is_not_there_tells_no_path(self, folder: Path) -> None:
        write(folder / "helper_of_paths.py", "")

        with pytest.raises(EntrypointError, match="cannot import name 'x'") as raised:
            make(folder, "from helper_of_paths import x")

        assert str(folder) not in str(raised.value)

    def test_import_that_failed_can_be_tried_again(self, folder: Path) -> None:
        with pytest.raises(EntrypointError):
            make(folder, "1 / 0")

        assert make(folder, ANY).given == {"env_id": 5}

    @pytest.mark.parametrize(
        ("made", "expected"),
        [
            ("None", "got a NoneType"),
            ("Env", "got a type"),
            (
                "gymnasium.make_vec('CartPole-v1', 2, vectorization_mode='sync')",
                "got a SyncVectorEnv; create_vector_environment is for vectors",
            ),
        ],
    )
    def test_factory_that_returns_something_else_raises(
        self, folder: Path, made: str, expected: str
    ) -> None:
        with pytest.raises(EntrypointError) as raised:
            make(folder, f"def create_environment(): return {made}")

        assert expected in str(raised.value)

    def test_factory_that_raises_is_heard(self, folder: Path) -> None:
        with pytest.raises(ZeroDivisionError):
            make(folder, "def create_environment(): 1 / 0")


PARALLEL = """
from pettingzoo import ParallelEnv

class Game(ParallelEnv):
    metadata = {}

def create_environment(**kwargs):
    return Game()
"""


class TestParallel:
    def test_parallel_environment_is_fine(self, folder: Path) -> None:
        assert type(make(folder, PARALLEL)).__name__ == "Game"

    def test_parallel_environments_make_no_vector(self, folder: Path) -> None:
        with pytest.raises(UnsupportedByServerError, match=r"Game.*RemoteParallelEnv"):
            make(folder, PARALLEL, vector=Vector(2))


class TestVectorOfSingles:
    @pytest.mark.parametrize(
        ("autoreset", "mode"),
        [
            ("next_step", AutoresetMode.NEXT_STEP),
            ("same_step", AutoresetMode.SAME_STEP),
            ("disabled", AutoresetMode.DISABLED),
        ],
    )
    def test_vector_has_ids_in_a_row_and_the_mode(
        self, folder: Path, autoreset: str, mode: AutoresetMode
    ) -> None:
        vector = make(folder, ANY, vector=Vector(3, autoreset), size=2)

        assert isinstance(vector, SyncVectorEnv)
        assert vector.metadata["autoreset_mode"] is mode
        assert [env.given for env in vector.envs] == [  # type: ignore[attr-defined]
            {"env_id": i, "size": 2} for i in (5, 6, 7)
        ]

    def test_vector_in_an_unknown_mode_raises(self, folder: Path) -> None:
        with pytest.raises(RemoteConfigError, match="expected one of next_step, same_step"):
            make(folder, ANY, vector=Vector(3, "later"))

    def test_vector_whose_last_environment_fails_closes_the_others(self, folder: Path) -> None:
        with pytest.raises(ZeroDivisionError):
            make(
                folder,
                "def create_environment(env_id):\n    1 / (6 - env_id)\n    return Env(env_id)",
                vector=Vector(3),
            )

        (module,) = (
            each
            for name, each in sys.modules.items()
            if name.startswith("netsecgame_entrypoint") and name.endswith(".entry")
        )
        assert [env.given for env in module.Env.closed] == [5]


OWN_VECTOR = """
from gymnasium.vector import SyncVectorEnv

class Many(SyncVectorEnv):
    pass

def make_many(given, num_envs=2, **options):
    many = Many([Env] * num_envs, **options)
    many.given = given
    return many
"""


class TestVectorFactory:
    def test_vector_factory_gets_number_id_kwargs_and_mode(self, folder: Path) -> None:
        vector = make(
            folder,
            ANY,
            OWN_VECTOR,
            """
            def create_vector_environment(num_envs, env_id, autoreset_mode, **kwargs):
                given = (num_envs, env_id, kwargs)
                return make_many(given, num_envs, autoreset_mode=autoreset_mode)
            """,
            vector=Vector(4, "same_step"),
            size=3,
        )

        assert type(vector).__name__ == "Many"
        assert vector.given == (4, 5, {"size": 3})
        assert vector.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP

    def test_vector_factory_that_passes_all_on_gets_no_mode(self, folder: Path) -> None:
        vector = make(
            folder,
            ANY,
            OWN_VECTOR,
            "def create_vector_environment(**kwargs):\n    return make_many(kwargs)",
            vector=Vector(2),
        )

        assert vector.given == {"num_envs": 2, "env_id": 5}

    def test_vector_factory_is_not_called_for_one(self, folder: Path) -> None:
        env = make(folder, ANY, "def create_vector_environment(**kwargs): 1 / 0")

        assert not isinstance(env, VectorEnv)

    def test_vector_factory_beside_a_named_function_is_used(self, folder: Path) -> None:
        write(
            folder / "own_factories.py",
            ENV,
            OWN_VECTOR,
            "def one(): return Env()",
            "def create_vector_environment(num_envs):\n    return make_many('beside', num_envs)",
        )

        vector = make(folder, entrypoint="own_factories:one", vector=Vector(2))

        assert vector.given == "beside"

    @pytest.mark.parametrize(
        ("made", "error", "expected"),
        [
            ("make_many(0, 3)", EntrypointError, "expected 2 environments .* got 3"),
            ("Env()", EntrypointError, "expected a gymnasium.vector.VectorEnv .* got a Env"),
        ],
    )
    def test_vector_factory_that_returns_something_else_raises(
        self, folder: Path, made: str, error: type[Exception], expected: str
    ) -> None:
        text = f"def create_vector_environment(**kwargs): return {made}"

        with pytest.raises(error, match=expected):
            make(folder, ANY, OWN_VECTOR, text, vector=Vector(2))

    def test_vector_factory_without_the_mode_asked_for_raises(self, folder: Path) -> None:
        text = "def create_vector_environment(**kwargs): return make_many(0)"

        with pytest.raises(RemoteConfigError, match=r"expected 'same_step'.*has 'next_step'"):
            make(folder, ANY, OWN_VECTOR, text, vector=Vector(2, "same_step"))


REPORT = ENV + (
    "import helper_in_repo\ndef create_environment():\n    return Env(helper_in_repo.WORD)\n"
)


class TestRepository:
    @pytest.fixture
    def origin(self, tmp_path: Path) -> GitRepository:
        origin = GitRepository(tmp_path / "origin")
        origin.commit({"entry.py": REPORT, "helper_in_repo.py": "WORD = 1"})
        origin.git("branch", "first")
        origin.commit({"helper_in_repo.py": "WORD = 2"})
        return origin

    @pytest.fixture
    def ask(self, origin: GitRepository) -> Callable[[str | None], World]:
        def world(reference: str | None) -> World:
            repo = str(origin.folder)
            return World(
                {"entrypoint": "entry.py", "repo": repo, "reference": reference, "env_id": 0}
            )

        return world

    def test_entrypoint_in_a_repository_is_that_of_the_reference(
        self, folder: Path, ask: Callable[[str | None], World]
    ) -> None:
        write(folder / "entry.py", "raise AssertionError")

        assert maker_of(folder)(ask(None)).given == 2

    def test_process_of_its_own_can_change_to_another_commit(
        self, folder: Path, ask: Callable[[str | None], World]
    ) -> None:
        maker = maker_of(folder, owns_process=True)

        given = [maker(ask(reference)).given for reference in ("main", "first", "main")]

        assert given == [2, 1, 2]
        assert sum("cache" in each for each in sys.path) == 1
        assert str(Path.cwd()) in sys.path

    def test_shared_process_serves_the_first_commit_only(
        self, folder: Path, ask: Callable[[str | None], World]
    ) -> None:
        maker = maker_of(folder)

        assert maker(ask("main")).given == 2
        with pytest.raises(ProtocolViolationError, match="one commit"):
            maker(ask("first"))
        assert maker(ask("main")).given == 2

    def test_process_of_its_own_works_in_the_checkout(
        self, folder: Path, ask: Callable[[str | None], World]
    ) -> None:
        maker_of(folder, owns_process=True)(ask(None))

        assert (Path(os.getcwd()) / "helper_in_repo.py").is_file()  # noqa: PTH109
        assert Path.cwd().is_relative_to(folder.parent / "cache")

    def test_link_out_of_the_checkout_is_not_allowed(
        self, folder: Path, origin: GitRepository, ask: Callable[[str | None], World]
    ) -> None:
        write(folder.parent / "x.py", ENV, ANY)
        (origin.folder / "entry.py").unlink()
        (origin.folder / "entry.py").symlink_to(folder.parent / "x.py")
        origin.commit({})

        with pytest.raises(NotAllowedError, match="outside"):
            maker_of(folder)(ask(None))


class TestGame:
    ENTRYPOINT = "netsecgame.envs.entrypoint:create_environment"

    def game(self, folder: Path, vector: Vector | None = None, **kwargs: Any) -> Any:
        kwargs = {"task": "two_networks_small", "role": "Attacker", "kind": "single", **kwargs}
        return make(folder, entrypoint=self.ENTRYPOINT, vector=vector, **kwargs)

    def test_game_of_one_learner_is_made(self, folder: Path) -> None:
        assert type(self.game(folder)).__name__ == "NetSecGameEnv"

    def test_game_of_several_learners_is_made(self, folder: Path) -> None:
        game = self.game(folder, task="two_networks_defended", kind="parallel")

        assert type(game).__name__ == "NetSecGameParallelEnv"

    def test_games_as_a_vector_are_the_batch_in_the_mode(self, folder: Path) -> None:
        games = self.game(folder, Vector(3, "disabled"))

        assert type(games).__name__ == "NetSecGameVectorEnv"
        assert games.metadata["autoreset_mode"] is AutoresetMode.DISABLED
