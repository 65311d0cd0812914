"""Entrypoints as files and modules: where one lies, whether it may lie there, and its import."""

from __future__ import annotations

import sys
from hashlib import sha256
from importlib import import_module, invalidate_caches
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from netsecgame.errors import EntrypointError, NotAllowedError, suggest_nearest

if TYPE_CHECKING:
    from collections.abc import Callable

#: What makes an environment in a file.
FACTORY: Final = "create_environment"

_SOURCES: Final = "src"

#: Imports happen one after another: two threads may ask for the same file.
_importing = RLock()


def check_entrypoint(entrypoint: str, base: Path) -> None:
    """Make sure that an entrypoint is there, without importing it.

    Args:
        entrypoint: A ``.py`` file or ``package.module:function``.
        base: The folder where it lies.

    Raises:
        NotAllowedError: If the file is outside the folder.
        EntrypointError: If there is none.
    """
    if _is_file(entrypoint):
        _find_file(entrypoint, base)
        return
    module, _ = _split(entrypoint)
    top = module.partition(".")[0]
    here = [str(base / _SOURCES), str(base)]
    if PathFinder.find_spec(top, here) is None and not _is_installed(top):
        raise EntrypointError(f"there is no module {top!r} for the entrypoint {entrypoint!r}")


def load_factory(entrypoint: str, base: Path) -> tuple[Callable[..., Any], ModuleType]:
    """Import an entrypoint, after `put_first`; its factory, and the module where it stands.

    Raises:
        NotAllowedError: If the file is outside the folder.
        EntrypointError: If file or function are not there, or the import fails.
    """
    if _is_file(entrypoint):
        file, name = _find_file(entrypoint, base), FACTORY
        with _importing:
            module = _import(entrypoint, lambda: _import_file(file))
    else:
        dotted, name = _split(entrypoint)
        module = _import(entrypoint, lambda: import_module(dotted))
    factory = getattr(module, name, None)
    if not callable(factory):
        known = [each for each, value in vars(module).items() if callable(value)]
        hint = suggest_nearest(name, known)
        raise EntrypointError(f"{entrypoint}: there is no function {name!r}{hint}")
    return factory, module


def put_first(base: Path) -> None:
    """Let modules of a folder, and of its ``src``, be found before all others."""
    folders = [str(base / _SOURCES), str(base)]
    if not (base / _SOURCES).is_dir():
        del folders[0]
    sys.path[:] = [*folders, *(each for each in sys.path if each not in folders)]
    invalidate_caches()


def forget(base: Path) -> None:
    """Undo `put_first`, and the imports of modules that lie there."""
    folders = {str(base / _SOURCES), str(base)}
    sys.path[:] = [each for each in sys.path if each not in folders]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        places = [file] if file else list(getattr(module, "__path__", []))
        if any(Path(place).is_relative_to(base) for place in places):
            del sys.modules[name]


def _is_file(entrypoint: str) -> bool:
    return entrypoint.endswith(".py")


def _is_installed(top: str) -> bool:
    try:
        return find_spec(top) is not None
    except ValueError:  # __main__, which is another module in another process
        return False


def _split(entrypoint: str) -> tuple[str, str]:
    module, _, function = entrypoint.partition(":")
    parts = [*module.split("."), function]
    if not all(part.isidentifier() for part in parts):
        raise EntrypointError(
            f"expected a .py file or package.module:function, got the entrypoint {entrypoint!r}"
        )
    return module, function


def _find_file(entrypoint: str, base: Path) -> Path:
    file = (base / entrypoint).resolve()
    if not file.is_relative_to(base.resolve()):
        raise NotAllowedError(f"the entrypoint {entrypoint!r} is outside the server's folder")
    if not file.is_file():
        raise EntrypointError(f"there is no file {entrypoint!r}")
    return file


def _import(entrypoint: str, do: Callable[[], ModuleType]) -> ModuleType:
    try:
        return do()
    except (Exception, SystemExit) as error:  # any code runs here, and ends scripts
        text = str(error)
        if isinstance(error, ImportError) and error.path:
            text = text.replace(f" ({error.path})", "")  # where it lies is the server's affair
        raise EntrypointError(
            f"{entrypoint}: its import failed: {type(error).__name__}: {text}"
        ) from error


def _import_file(file: Path) -> ModuleType:
    """The module of a file, under a name that no other module has.

    It stands in a package of its folder's files, so that relative imports work.
    """
    package = f"netsecgame_entrypoint_{sha256(str(file.parent).encode()).hexdigest()[:16]}"
    name = f"{package}.{file.stem}"
    if name in sys.modules:
        return sys.modules[name]
    if package not in sys.modules:
        folder = ModuleType(package)
        folder.__path__ = [str(file.parent)]
        sys.modules[package] = folder
    spec = spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
