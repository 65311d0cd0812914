"""The game as an entrypoint of `netsecgame.remote`: what its servers call to make environments."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from gymnasium.vector import AutoresetMode, SyncVectorEnv

from netsecgame.envs.single_env import NetSecGameEnv
from netsecgame.envs.vector_env import NetSecGameVectorEnv, Opponent
from netsecgame.errors import ConfigurationError, suggest_nearest

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv

    from netsecgame.envs.multi_agent import NetSecGameParallelEnv

KINDS = ("single", "parallel")

_ATTACKER = "Attacker"

#: What the batched world does not know, and what it takes for granted.
_OF_SINGLES = {"observation": "flat", "attacker": None, "render_mode": None}


def create_environment(
    env_id: int,  # noqa: ARG001 - all games of a task are alike
    task: str,
    role: str = _ATTACKER,
    kind: str = "single",
    enable_rendering: bool = False,
    **options: Any,
) -> NetSecGameEnv | NetSecGameParallelEnv:
    """A game for one learner, or for several.

    Args:
        env_id: The environment's number on its server.
        task: A task file, or the name of a shipped task.
        role: Of the one learner. Several have the roles that `options` count.
        kind: ``single`` makes a `NetSecGameEnv`, ``parallel`` a `NetSecGameParallelEnv`.
        enable_rendering: Whether it draws pictures, if `options` have no `render_mode`.
        **options: Of the environment.

    Raises:
        ConfigurationError: If an option makes no sense, or the task is wrong.
        RoleNotAvailableError: If the task has no such role.
    """
    if enable_rendering:
        options.setdefault("render_mode", "rgb_array")
    if kind == "single":
        return NetSecGameEnv(task, role, **options)
    _check_kind(kind)
    if role != _ATTACKER:
        raise ConfigurationError(
            f"with several learners it is said by attackers=, defenders= and benign=, got {role!r}",
            path="role",
        )
    # Who plays alone needs no PettingZoo.
    from netsecgame.envs.multi_agent import NetSecGameParallelEnv  # noqa: PLC0415

    return NetSecGameParallelEnv(task, **options)


def create_vector_environment(
    num_envs: int,
    env_id: int,  # noqa: ARG001 - all games of a task are alike
    task: str,
    role: str = _ATTACKER,
    kind: str = "single",
    enable_rendering: bool = False,
    autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
    **options: Any,
) -> VectorEnv[Any, Any, Any]:
    """Many games of one learner each: a batch, or one after another what no batch knows.

    Args:
        num_envs: How many.
        env_id: The first one's number on its server.
        task: A task file, or the name of a shipped task.
        role: Of the learners.
        kind: Only ``single``.
        enable_rendering: Whether they draw pictures, which a batch does not.
        autoreset_mode: What happens when an episode ends.
        **options: Of `NetSecGameVectorEnv`, or of `NetSecGameEnv` where a batch does not know them.

    Raises:
        ConfigurationError: If an option makes no sense, or the task is wrong.
        RoleNotAvailableError: If the task has no such role.
    """
    _check_kind(kind)
    if kind != "single":
        raise ConfigurationError("a vector has one learner in each game", path="kind")
    if enable_rendering:
        options.setdefault("render_mode", "rgb_array")
    if _is_for_batch(role, options):
        return NetSecGameVectorEnv(num_envs, task, role, autoreset_mode=autoreset_mode, **options)
    make = partial(NetSecGameEnv, task, role, **options)
    return SyncVectorEnv([make] * num_envs, autoreset_mode=autoreset_mode)


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        hint = suggest_nearest(str(kind), KINDS)
        raise ConfigurationError(
            f"expected one of {', '.join(KINDS)}, got {kind!r}{hint}", path="kind"
        )


def _is_for_batch(role: str, options: dict[str, Any]) -> bool:
    """Whether the batch knows all that is asked for; drops what only says what it does anyway."""
    if role != _ATTACKER or any(
        name in options and options[name] != usual for name, usual in _OF_SINGLES.items()
    ):
        return False
    defender = options.get("defender")
    if defender is not None and defender not in [each.value for each in Opponent]:
        return False
    options.pop("attacker", None)
    return True
