"""Owns the stand-ins for the modules of the `seldon_core` package that user classes import, where it is not installed.

Must not be imported for any other reason, nor loaded before user code asks for it. What is here is what classes use:
base class, answers, exceptions, metrics, messages and the helpers for them; servers, clients and tools are not.
"""

from typing import Any

__version__ = "1.18.2"
"""What is stood in for."""


def __getattr__(name: str) -> Any:
    if name == "Storage":
        from executor.component.seldon_core.storage import Storage

        return Storage
    raise AttributeError(f"module 'seldon_core' has no attribute {name!r}")
