"""Owns the way from `path.py:Class`, `package.module:Class` or a server's name to an object of that class.

Must not call any method of the object but its constructor.
"""

import inspect
import itertools
import sys
from collections.abc import Mapping
from importlib import import_module, util
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from executor.component import aliases, servers
from executor.errors import ComponentError, Error

_numbers = itertools.count(1)
_neighbours: set[str] = set()
"""Modules that components imported from their own folders."""
_fresh: WeakKeyDictionary[type, str] = WeakKeyDictionary()
"""The module that was last loaded for a class."""
_made: dict[int, str] = {}
"""The same for objects, by `id`, until they are forgotten."""
_OURS = __name__.partition(".")[0]
_lock = RLock()


def component(target: str, parameters: Mapping[str, Any], base: Path | None = None, *, imported: bool = False) -> Any:
    """An object of the class that `target` names, made with `parameters` as keyword arguments.

    With `imported`, its module is imported under its own name, as Seldon's wrapper does, and not anew each time.
    """
    cls = imported_class(target) if imported else load_class(target, base)
    made = construct(cls, parameters, target)
    name = _fresh.pop(cls, None)
    if name is not None:
        _made[id(made)] = name
    return made


def forget(made: Any) -> None:
    """Drop the module that was loaded for `made`, which nobody uses any more."""
    sys.modules.pop(_made.pop(id(made), ""), None)


def target_of(interface: str) -> str:
    """The target that Seldon's name of a class stands for: `Name` is the class Name of the module Name, `pkg.mod.Class`
    that class of pkg.mod. A target stays as it is.
    """
    if ":" in interface or _is_path(interface) or interface in servers.CLASSES:
        return interface
    module, _, name = interface.rpartition(".")
    return f"{module or name}:{name}"


def imported_class(target: str) -> type:
    """The class that `target` names, of a module that is imported as any other."""
    if target in servers.CLASSES:
        return servers.class_of(target)
    where, name = _parted(target)
    if _is_path(where):
        return load_class(target)
    aliases.install()
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        module = import_module(where)
    except ImportError as exc:
        near = sorted(each.stem for each in Path.cwd().glob("*.py")) if exc.name == where else []
        here = f"; in {Path.cwd()} there are {', '.join(near)}" if near else ""
        raise _bad(f"component module {where}: {exc}{here}") from exc
    except (Exception, SystemExit) as exc:
        raise _bad(f"component module {where}: {type(exc).__name__}: {exc}") from exc
    return _class_in(module, name, where)


def _parted(target: str) -> tuple[str, str]:
    where, _, name = target.rpartition(":")
    if not where or not name.isidentifier():
        raise _bad(
            f"component {target!r}: say it as path.py:Class or package.module:Class, or as one of the prepackaged"
            f" servers {', '.join(servers.CLASSES)}"
        )
    return where, name


def load_class(target: str, base: Path | None = None) -> type:
    """The class that `target` names; a relative path starts from `base`, the working directory by default.

    The module is loaded anew each time, under a name of its own, so that an old version and a new one can live side
    by side. So are the modules beside a file that it imports by their plain names.
    """
    if target in servers.CLASSES:
        return servers.class_of(target)
    where, name = _parted(target)
    aliases.install()
    with _lock:
        module = _load_file(where, base) if _is_path(where) else _load_module(where, name)
    found = _class_in(module, name, where)
    _fresh[found] = module.__name__
    return found


def construct(cls: type, parameters: Mapping[str, Any], target: str = "") -> Any:
    """An object of `cls` made with `parameters`, each of which its constructor must know."""
    label = target or cls.__qualname__
    _check_parameters(cls, parameters, label)
    try:
        return cls(**parameters)
    except Error:
        raise
    except (Exception, SystemExit) as exc:
        raise _bad(f"component {label}: its constructor raised {type(exc).__name__}: {exc}") from exc


def _is_path(where: str) -> bool:
    return where.endswith(".py") or "/" in where


def _load_file(where: str, base: Path | None) -> ModuleType:
    path = ((base or Path.cwd()) / Path(where).expanduser()).resolve()
    if not path.is_file():
        near = sorted(each.name for each in path.parent.glob("*.py")) if path.parent.is_dir() else []
        there = f"; there are {', '.join(near)}" if near else ""
        raise _bad(f"component file {where}: there is no file {path}{there}")
    _enter(path.parent)
    known = set(sys.modules)
    try:
        return _executed(f"_millrace_{path.stem}_{next(_numbers)}", path, where)
    finally:
        _note_neighbours(path.parent, known)


def _enter(folder: Path) -> None:
    """Let a component's file import its neighbours: its folder goes first on the path. Neighbours of components
    loaded before are forgotten, since another folder may have files of the same names, or this one new ones.
    """
    if str(folder) in sys.path:
        sys.path.remove(str(folder))
    sys.path.insert(0, str(folder))
    for name in _neighbours:
        sys.modules.pop(name, None)
    _neighbours.clear()


def _note_neighbours(folder: Path, known: set[str]) -> None:
    """Remember which modules beside a component's file it imported: those that are not in `known`."""
    own = {each.stem for each in folder.iterdir() if each.suffix == ".py" or each.is_dir()} - {_OURS}
    for name in set(sys.modules) - known:
        file = getattr(sys.modules[name], "__file__", None)
        if name.partition(".")[0] in own and file and folder in Path(file).parents:
            _neighbours.add(name)


def _load_module(where: str, name: str) -> ModuleType:
    try:
        spec = util.find_spec(where)
    except (ImportError, ValueError) as exc:
        raise _bad(f"component module {where}: {exc}") from exc
    if spec is None or not spec.has_location or spec.origin is None:
        file = Path(*where.split(".")).with_suffix(".py")
        here = f"; there is {file} here: write {file}:{name}" if file.is_file() else ""
        raise _bad(f"component module {where}: no such module on the import path{here}")
    parent, _, leaf = where.rpartition(".")
    fresh = f"_millrace_{leaf}_{next(_numbers)}"
    return _executed(f"{parent}.{fresh}" if parent else fresh, Path(spec.origin), where)


def _executed(name: str, path: Path, where: str) -> ModuleType:
    """The module of the file `path`, run under the name `name`."""
    spec = util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise _bad(f"component file {where}: {path} is no Python source")
    module = util.module_from_spec(spec)
    # Registered before it runs: dataclasses and pickle look a class's module up by name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as exc:
        del sys.modules[name]
        if not isinstance(exc, Exception | SystemExit):
            raise
        raise _bad(f"component file {where}: {_place(exc, path)}{type(exc).__name__}: {exc}") from exc
    return module


def _place(exc: BaseException, path: Path) -> str:
    """The last line of `path` on the way to the exception, for the message."""
    line, trace = getattr(exc, "lineno", None) if isinstance(exc, SyntaxError) else None, exc.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"line {line}: " if line else ""


def _class_in(module: ModuleType, name: str, where: str) -> type:
    found = vars(module).get(name)
    if isinstance(found, type):
        return found
    classes = [value for value in vars(module).values() if isinstance(value, type)]
    own = [each.__name__ for each in classes if each.__module__ == module.__name__]
    what = f"{name} is a {type(found).__name__}, not a class" if name in vars(module) else f"no class {name}"
    raise _bad(f"component {where}: {what}; the classes there are: {', '.join(sorted(own)) or 'none'}")


def _check_parameters(cls: type, parameters: Mapping[str, Any], label: str) -> None:
    try:
        signature = inspect.signature(cls)
    except (TypeError, ValueError):  # compiled classes may not tell; the constructor's own error has to do
        return
    wanted = list(signature.parameters.values())
    by_name = [each for each in wanted if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    if not any(each.kind is each.VAR_KEYWORD for each in wanted):
        unknown = sorted(set(parameters) - {each.name for each in by_name})
        if unknown:
            allowed = ", ".join(each.name for each in by_name) or "none"
            raise _bad(f"component {label}: unknown parameter {', '.join(unknown)}; allowed are: {allowed}")
    lacking = [each.name for each in by_name if each.default is each.empty and each.name not in parameters]
    if lacking:
        raise _bad(f"component {label}: parameter {', '.join(lacking)} is needed and has no default")


def _bad(message: str) -> ComponentError:
    return ComponentError(message, reason="BAD_COMPONENT")
