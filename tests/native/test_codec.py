"""Owns tests of the codec table: who is in it."""

import subprocess
import sys

from executor.types import Encoding


def registered_after(statement: str) -> str:
    code = f"from executor._native import codec\n{statement}\nprint(codec.registered())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_codec_is_there_once_its_module_is_imported() -> None:
    assert registered_after("") == "[]"
    assert registered_after("from executor._native import seldon") == f"[{int(Encoding.SELDON_PROTO)}]"
