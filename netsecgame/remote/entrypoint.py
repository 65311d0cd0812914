"""Makes environments: finds the folder, imports the entrypoint, calls its factory."""

from __future__ import annotations

import inspect
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

import gymnasium
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from netsecgame.errors import (
    EntrypointError,
    ProtocolViolationError,
    RemoteConfigError,
    UnsupportedByServerError,
)
from netsecgame.remote.entrypoint_files import forget, load_factory, put_first
from netsecgame.remote.repository import checkout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Protocol

    class VectorSettings(Protocol):
        """What a client says about its vector."""

        @property
        def num_envs(self) -> int:
            """How many environments."""
            ...

        @property
        def autoreset(self) -> str:
            """``next_step``, ``same_step`` or ``disabled``."""
            ...

    class WorldArgs(Protocol):
        """What a session wants to be made."""

        @property
        def args(self) -> Mapping[str, Any]:
            """Merged `RemoteArgs`, with `env_id`."""
            ...

        @property
        def vector(self) -> VectorSettings | None:
            """None for one environment."""
            ...


#: What makes a vector environment, beside the factory of single ones.
VECTOR_FACTORY: Final = "create_vector_environment"

#: The path of imports is the process's, whoever changes it.
_preparing = RLock()


@dataclass
class EnvironmentMaker:
    """Makes the environments of one process.

    The arguments are those that `netsecgame.remote.args.merge` gave, with `env_id`. A repository is
    fetched for each environment, so making one may take long.

    Attributes:
        folder: The working folder, absolute.
        repo_cache: Where checkouts are, absolute.
        enable_rendering: What factories get as `enable_rendering` if the arguments do not say.
        owns_process: Whether the process is there for one environment: it works in the folder of
            the entrypoint then, and may change from one commit to another. If not, only the first
            commit is served, because a process imports a module once.
    """

    folder: Path
    repo_cache: Path
    enable_rendering: bool
    owns_process: bool
    _base: Path | None = field(default=None, init=False)

    def __call__(self, world: WorldArgs) -> Any:
        """A `gymnasium.Env`, a `pettingzoo.ParallelEnv`, or a `VectorEnv` if one is asked for.

        Raises:
            EntrypointError: If file, function or commit are not there, an import fails, or the
                factory returns something else.
            NotAllowedError: If the file is outside the folder.
            RemoteConfigError: If the vector cannot be as it is asked for.
            UnsupportedByServerError: If there is no vector of such environments.
            ProtocolViolationError: If it is of a second commit, and the process is shared.
            Exception: What the factory raises.
        """
        args = world.args
        base = self._prepare(args)
        factory, module = load_factory(args["entrypoint"], base)
        if world.vector is None:
            return self._make_single(factory, args, args["env_id"])
        mode = _read_mode(world.vector.autoreset)
        make_vector = getattr(module, VECTOR_FACTORY, None)
        if callable(make_vector):
            return self._make_vector(make_vector, args, world.vector.num_envs, mode)
        return self._make_from_singles(factory, args, world.vector.num_envs, mode)

    def _prepare(self, args: Mapping[str, Any]) -> Path:
        """Let the modules of the entrypoint's folder be found; gives that folder."""
        repo = args.get("repo")
        base = checkout(repo, args.get("reference"), self.repo_cache) if repo else self.folder
        with _preparing:
            if self._base is not None and self._base != base:
                if not self.owns_process:
                    raise ProtocolViolationError(
                        "the server serves one commit in this mode, and has begun with another"
                    )
                forget(self._base)
            if self._base != base:
                put_first(base)
                self._base = base
        if self.owns_process:
            os.chdir(base)
        return base

    def _make_single(
        self, factory: Callable[..., Any], args: Mapping[str, Any], env_id: int
    ) -> Any:
        made = factory(**self._keywords(factory, args, {"env_id": env_id}))
        if isinstance(made, gymnasium.Env) or _is_parallel(made):
            return made
        _close(made)
        hint = f"; {VECTOR_FACTORY} is for vectors" if isinstance(made, VectorEnv) else ""
        raise EntrypointError(
            f"{args['entrypoint']}: expected a gymnasium.Env or pettingzoo.ParallelEnv, "
            f"got a {type(made).__name__}{hint}"
        )

    def _make_vector(
        self,
        factory: Callable[..., Any],
        args: Mapping[str, Any],
        num_envs: int,
        mode: AutoresetMode,
    ) -> Any:
        written = {"env_id": args["env_id"], "num_envs": num_envs, "autoreset_mode": mode}
        made = factory(**self._keywords(factory, args, written))
        if not isinstance(made, VectorEnv):
            _close(made)
            raise EntrypointError(
                f"{args['entrypoint']}: expected a gymnasium.vector.VectorEnv of {VECTOR_FACTORY}, "
                f"got a {type(made).__name__}"
            )
        # Gymnasium, too, takes one that says nothing for NEXT_STEP.
        has_mode = _read_mode(made.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
        if made.num_envs != num_envs:
            made.close()
            raise EntrypointError(
                f"{args['entrypoint']}: expected {num_envs} environments of {VECTOR_FACTORY}, "
                f"got {made.num_envs}"
            )
        if has_mode is not mode:
            made.close()
            raise RemoteConfigError(
                f"autoreset: expected {mode.name.lower()!r}, but the entrypoint's vector "
                f"environment has {has_mode.name.lower()!r}"
            )
        return made

    def _make_from_singles(
        self,
        factory: Callable[..., Any],
        args: Mapping[str, Any],
        num_envs: int,
        mode: AutoresetMode,
    ) -> Any:
        singles: list[Any] = []
        try:
            for i in range(num_envs):
                singles.append(self._make_single(factory, args, args["env_id"] + i))
                _check_is_single(singles[-1])
            return SyncVectorEnv([partial(_same, each) for each in singles], autoreset_mode=mode)
        except BaseException:
            for each in singles:
                _close(each)
            raise

    def _keywords(
        self, factory: Callable[..., Any], args: Mapping[str, Any], written: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What a factory gets: all of `entrypoint_kwargs`, and what the server adds.

        Args:
            factory: Who gets it.
            args: Of the environment.
            written: What counts more than `entrypoint_kwargs`.
        """
        keywords = dict(args.get("entrypoint_kwargs") or {})
        named, has_any = _parameters(factory)
        for name, value in written.items():
            keywords.pop(name, None)
            # A factory that passes everything on may pass it to one that knows no such thing.
            if name in named or (has_any and name != "autoreset_mode"):
                keywords[name] = value
        if "enable_rendering" in named:
            keywords["enable_rendering"] = bool(
                keywords.get("enable_rendering", self.enable_rendering)
            )
        return keywords


def _parameters(factory: Callable[..., Any]) -> tuple[set[str], bool]:
    """The names that can be given, and whether all can."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # some compiled functions do not tell
        return set(), True
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    named = {each.name for each in parameters if each.kind in by_name}
    return named, any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters)


def _read_mode(mode: str | AutoresetMode) -> AutoresetMode:
    folded = mode.value if isinstance(mode, AutoresetMode) else str(mode)
    for each in AutoresetMode:
        if folded.lower() in (each.value.lower(), each.name.lower()):
            return each
    known = ", ".join(each.name.lower() for each in AutoresetMode)
    raise RemoteConfigError(f"autoreset: expected one of {known}, got {mode!r}")


def _check_is_single(made: object) -> None:
    if not isinstance(made, gymnasium.Env):
        raise UnsupportedByServerError(
            f"there is no vector of a {type(made).__name__}: play it with RemoteParallelEnv"
        )


def _is_parallel(made: object) -> bool:
    pettingzoo = sys.modules.get("pettingzoo")  # whoever makes one has imported it
    return pettingzoo is not None and isinstance(made, pettingzoo.ParallelEnv)


def _same(environment: Any) -> Any:
    return environment


def _close(made: Any) -> None:
    with suppress(Exception):  # what went wrong before is what counts
        made.close()
