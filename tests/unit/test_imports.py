from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

import AIDojoCoordinator
import netsecgame

SERVER_LIBRARIES = ["yaml", "aiofiles", "jsonschema", "rich", "typer"]

#: Every name that agents import, by the module they import it from.
PUBLIC_NAMES = {
    "netsecgame": """
        Action ActionType AgentInfo AgentRole AgentStatus Data GameState GameStatus IP Network
        Observation ProtocolConfig Service BaseAgent ParallelBaseAgent TrajectoryRecorder
        get_file_hash state_as_ordered_string store_trajectories_to_jsonl
        read_trajectories_from_jsonl observation_as_dict observation_to_str observation_from_str
        observation_from_dict generate_valid_actions __version__""",
    "netsecgame.game_components": """
        Action ActionType AgentInfo AgentRole AgentStatus Data GameState GameStatus IP Network
        Observation ProtocolConfig Service BaseAgent generate_valid_actions
        state_as_ordered_string""",
    "netsecgame.agents.base_agent": "BaseAgent",
    "netsecgame.agents.parallel_base_agent": "ParallelBaseAgent",
    "netsecgame.utils.utils": """
        get_file_hash state_as_ordered_string store_trajectories_to_jsonl
        read_trajectories_from_jsonl observation_as_dict observation_to_str observation_from_str
        observation_from_dict generate_valid_actions get_str_hash parse_log_content
        get_logging_level""",
    "netsecgame.utils.trajectory_recorder": "TrajectoryRecorder",
}


def _run(program: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _modules_after(statement: str) -> set[str]:
    return set(_run(f"import sys\n{statement}\nprint(*sys.modules)").split())


def test_import_of_the_package_is_light() -> None:
    heavy = {"netaddr", "asyncio", "socket", "concurrent.futures", "logging", *SERVER_LIBRARIES}
    modules = _modules_after("import netsecgame")
    assert modules & heavy == set()
    assert {name for name in modules if name.startswith("netsecgame")} == {
        "netsecgame",
        "netsecgame.errors",
        "netsecgame.game_components",
    }


def test_import_of_the_blocking_client_needs_no_asyncio() -> None:
    modules = _modules_after("from netsecgame import BaseAgent, ParallelBaseAgent, IP")
    assert modules & {"netaddr", "asyncio", *SERVER_LIBRARIES} == set()


@pytest.mark.parametrize("module", PUBLIC_NAMES)
def test_public_names_can_be_imported_without_the_server_libraries(module: str) -> None:
    names = ", ".join(PUBLIC_NAMES[module].split())
    program = f"""
import sys
for library in {SERVER_LIBRARIES!r}:
    sys.modules[library] = None  # makes its import fail
from {module} import {names}
from {module.replace("netsecgame", "AIDojoCoordinator")} import {names}
"""
    _run(program)


SERVER_MODULES = [
    "game.coordinator",
    "game.agent_server",
    "game.config_parser",
    "game.configuration_manager",
    "game.global_defender",
    "game.worlds.NetSecGame",
    "game.worlds.WhiteBoxNetSecGame",
]


@pytest.mark.parametrize("module", SERVER_MODULES)
def test_server_module_without_the_server_libraries_says_what_to_install(module: str) -> None:
    old_name = module.removeprefix("game.")
    _run(f"""
import sys
from importlib import import_module
for library in {SERVER_LIBRARIES!r}:
    sys.modules[library] = None  # makes its import fail
for module in ("netsecgame.{module}", "AIDojoCoordinator.{old_name}"):
    try:
        import_module(module)
    except ImportError as error:
        assert "pip install netsecgame[server]" in str(error), error
    else:
        raise AssertionError(module)
""")


def test_alias_server_modules_are_the_modules_themselves() -> None:
    _run(f"""
from importlib import import_module
for module in {SERVER_MODULES!r}:
    alias = import_module("AIDojoCoordinator." + module.removeprefix("game."))
    assert alias is import_module("netsecgame." + module), module
import AIDojoCoordinator.worlds.NSEGameCoordinator as world
assert world.__name__ == "netsecgame.game.worlds.NetSecGame"
""")


def test_public_names_are_those_that_are_exported() -> None:
    assert {*netsecgame.__all__} == {*PUBLIC_NAMES["netsecgame"].split(), "AsyncAgent"}
    assert {*netsecgame.__all__} <= {*dir(netsecgame)}
    for name in netsecgame.__all__:
        assert getattr(netsecgame, name) is getattr(AIDojoCoordinator, name)


@pytest.mark.parametrize("package", [netsecgame, AIDojoCoordinator])
def test_package_unknown_name_raises(package: object) -> None:
    with pytest.raises(AttributeError, match="no attribute 'NoSuchAgent'"):
        package.NoSuchAgent  # type: ignore[attr-defined]  # noqa: B018


def test_version_is_that_of_the_distribution() -> None:
    assert netsecgame.__version__ == importlib.metadata.version("netsecgame")


@pytest.mark.parametrize("first", ["netsecgame", "AIDojoCoordinator"])
def test_alias_modules_are_the_modules_themselves(first: str) -> None:
    second = {"netsecgame": "AIDojoCoordinator"}.get(first, "netsecgame")
    names = [name for name in PUBLIC_NAMES if "." in name]
    names += ["netsecgame.agents", "netsecgame.utils", "netsecgame.errors"]
    suffixes = [name.removeprefix("netsecgame") for name in names]
    _run(f"""
from importlib import import_module
for suffix in {suffixes!r}:
    one, two = import_module({first!r} + suffix), import_module({second!r} + suffix)
    assert one is two, suffix
    assert one.__name__ == one.__spec__.name == "netsecgame" + suffix
import AIDojoCoordinator.utils.utils as utils
from AIDojoCoordinator.agents import base_agent
assert utils.__name__ == "netsecgame.utils.utils"
assert base_agent.__name__ == "netsecgame.agents.base_agent"
""")


def test_alias_of_no_module_is_not_found_under_its_own_name() -> None:
    _run("""
try:
    import AIDojoCoordinator.no_such_module
except ModuleNotFoundError as error:
    assert error.name == "AIDojoCoordinator.no_such_module", error.name
else:
    raise AssertionError
""")


def test_alias_module_runs_as_a_program() -> None:
    # `python -m` on an old name runs the module it stands for.
    program = "import runpy; print(runpy.run_module('AIDojoCoordinator.utils.utils')['__file__'])"
    assert _run(program).strip().endswith("netsecgame/utils/utils.py")
