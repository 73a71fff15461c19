"""Owns the Python face of the compiled modules: their stubs lie here, their sources in `/_native`.

Must not hold code of its own, but for the error that an unbuilt tree gives. Import the modules, not names from them:
`from executor._native import message`, then `message.Message`. Only so can the import contracts be checked.
"""

from importlib import util
from typing import TYPE_CHECKING


def _missing(name: str) -> object:
    """Say what to run when a compiled module is missing: `from executor._native import x` asks here before it looks."""
    if name.startswith("_") or util.find_spec(f"{__name__}.{name}") is not None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    raise ImportError(
        f"the compiled module {__name__}.{name} is not there. If this is a source tree, build it: `make test` and "
        "`make demo` do so in .venv, `pip install .` elsewhere"
    )


if not TYPE_CHECKING:  # type checkers go by the stubs
    __getattr__ = _missing
