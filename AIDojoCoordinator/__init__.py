"""The former name of `netsecgame`, which many agents still import.

Every module is an alias: ``AIDojoCoordinator.game_components`` *is* ``netsecgame.game_components``,
so that its classes are the same objects under both names.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import InspectLoader, Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import netsecgame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

__all__ = netsecgame.__all__  # the same list, so that it cannot lag behind

_MOVED = {
    "agent_server": "game.agent_server",
    "config_parser": "game.config_parser",
    "configuration_manager": "game.configuration_manager",
    "coordinator": "game.coordinator",
    "global_defender": "game.global_defender",
    "worlds": "game.worlds",
    "worlds.NSEGameCoordinator": "game.worlds.NetSecGame",
    "worlds.NetSecGame": "game.worlds.NetSecGame",
    "worlds.WhiteBoxNSGCoordinator": "game.worlds.WhiteBoxNetSecGame",
    "worlds.WhiteBoxNetSecGame": "game.worlds.WhiteBoxNetSecGame",
}


class _AliasLoader(Loader):
    """Puts the real module in the place of the alias."""

    def __init__(self, real_spec: ModuleSpec) -> None:
        self._real_spec = real_spec

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = import_module(self._real_spec.name)

    # For `python -m`.
    def get_code(self, fullname: str) -> CodeType | None:  # noqa: ARG002
        loader = self._real_spec.loader
        return loader.get_code(self._real_spec.name) if isinstance(loader, InspectLoader) else None


class _AliasFinder(MetaPathFinder):
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        if package != __name__:
            return None
        real_spec = find_spec(f"netsecgame.{_MOVED.get(name, name)}")
        if real_spec is None:
            return None
        return ModuleSpec(
            fullname,
            _AliasLoader(real_spec),
            origin=real_spec.origin,
            is_package=real_spec.submodule_search_locations is not None,
        )


# First, for the path finder would load a second copy of the modules below an aliased package.
sys.meta_path.insert(0, _AliasFinder())


def __getattr__(name: str) -> Any:
    try:
        return getattr(netsecgame, name)
    except AttributeError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
