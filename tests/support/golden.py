"""Owns the files that show what SeldonDeployments become. Must not decide what is right: people read them.

Usage: PYTHONPATH=.:tests python -m support.golden --update

A file is YAML documents: what it shows and the operator's configuration, the manifest, and the objects that were made
of it. `--update` writes the objects anew; read the difference. The predictor that executors get as base64 stands there
as it reads.
"""

import argparse
import base64
import io
import json
from pathlib import Path
from typing import Any

import yaml

from executor.manifest import document
from operator_lite import config, resource
from operator_lite.desired import desired, scopes

FOLDER = Path(__file__).resolve().parent.parent / "operator_lite" / "golden"
ENVIRONMENT = {"MILLRACE_IMAGE": "millrace:test"}


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def files() -> list[Path]:
    """All of them."""
    return sorted(FOLDER.glob("*.yaml"))


def parts(path: Path) -> tuple[str, str]:
    """A file's text: what is given, and what is made of it."""
    head, manifest, *rest = path.read_text().split("\n---\n", 2)
    return f"{head}\n---\n{manifest}", "".join(rest)


def manifest(path: Path) -> dict[str, Any]:
    """The file's manifest."""
    found: dict[str, Any] = document.read(parts(path)[0])[1].value
    return found


def objects(path: Path) -> list[dict[str, Any]]:
    """What the file's manifest becomes."""
    head, manifest = document.read(parts(path)[0])
    settings = config.read({**ENVIRONMENT, **head.value.get("environment", {})}, head.value.get("configMap"))
    return desired(scopes(resource.admit(manifest, settings), settings))


def text(path: Path) -> str:
    """The same as the file has it."""
    stream = io.StringIO()
    shown = [_readable(each) for each in objects(path)]
    yaml.dump_all(shown, stream, Dumper=_Plain, sort_keys=False, width=120, default_flow_style=None)
    return stream.getvalue()


def _readable(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("name") == "ENGINE_PREDICTOR":
            return {**value, "value": json.loads(base64.b64decode(value["value"]))}
        return {key: _readable(each) for key, each in value.items()}
    return [_readable(each) for each in value] if isinstance(value, list) else value


def main() -> None:
    """Writes them anew."""
    parser = argparse.ArgumentParser(description="write the golden files of the operator anew")
    parser.add_argument("--update", action="store_true", required=True)
    parser.parse_args()
    for path in files():
        path.write_text(f"{parts(path)[0].rstrip()}\n---\n{text(path)}")


if __name__ == "__main__":
    main()
