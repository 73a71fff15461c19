"""Owns how user code gets `seldon_core` and `flask` where they are not installed: stand-ins for what classes import.

Must not stand in the way of the real packages: the finder is the last that Python asks, so it is asked only when all
others know no such module.
"""

import importlib.util
import logging
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

logger = logging.getLogger(__name__)

_HERE = "executor.component"
_PB = "executor._pb"
STANDS_FOR = {
    "seldon_core": f"{_HERE}.seldon_core",
    "seldon_core.user_model": f"{_HERE}.seldon_core.user_model",
    "seldon_core.metrics": f"{_HERE}.seldon_core.metrics",
    "seldon_core.flask_utils": f"{_HERE}.seldon_core.flask_utils",
    "seldon_core.utils": f"{_HERE}.seldon_core.utils",
    "seldon_core.microservice": f"{_HERE}.seldon_core.microservice",
    "seldon_core.storage": f"{_HERE}.seldon_core.storage",
    "seldon_core.proto": "",
    "seldon_core.proto.prediction_pb2": f"{_PB}.seldon_pb2",
    "seldon_core.proto.prediction_pb2_grpc": f"{_PB}.seldon_pb2_grpc",
    "flask": f"{_HERE}.flask_standin",
}
"""What each module is given as; empty is a package that only holds others."""
_PACKAGES = ("seldon_core", "seldon_core.proto")


class Finder(MetaPathFinder):
    """Finds the modules of `STANDS_FOR`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The stand-in for the module `fullname`, if there is one and its package is a stand-in too."""
        if fullname not in STANDS_FOR or not _is_ours(fullname.rpartition(".")[0]):
            return None
        return ModuleSpec(fullname, _Loader(), is_package=fullname in _PACKAGES)


def _is_ours(package: str) -> bool:
    """Whether `package` is a stand-in: a module that an installed `seldon_core` lacks is not ours to give."""
    spec = getattr(sys.modules.get(package), "__spec__", None)
    return not package or isinstance(getattr(spec, "loader", None), _Loader)


class _Loader(Loader):
    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        if "." not in name:
            logger.info("%s is not installed: components get millrace's stand-in for it", name)
        target = STANDS_FOR[name]
        if not target:
            return
        real = importlib.import_module(target)
        if name in _PACKAGES:
            for each in ("__doc__", "__version__", "__getattr__"):
                setattr(module, each, getattr(real, each))
        else:
            # The very module, not a copy: a class is then one class, under whichever name it is met.
            sys.modules[name] = real


def is_installed(name: str) -> bool:
    """Whether the top package `name` is there, and is not a stand-in. Imports nothing."""
    module = sys.modules.get(name)
    spec = importlib.util.find_spec(name) if module is None else module.__spec__
    return spec is not None and not isinstance(spec.loader, _Loader)


_finder = Finder()


def install() -> None:
    """From now on imports find the stand-ins where the real packages are not there. May be called often."""
    if _finder not in sys.meta_path:
        sys.meta_path.append(_finder)
