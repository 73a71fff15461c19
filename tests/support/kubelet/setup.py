"""Owns what a test tells its kubelet: the node's name and addresses, and which command stands for which image.

Must not act on it. It goes to the kubelet's process as a file.
"""

import dataclasses
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Image:
    """What a container of an image runs when the pod names no other: as ENTRYPOINT, CMD, ENV and USER say."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user: int = 0
    folder: str = "/"


def python(*arguments: str, **environment: str) -> Image:
    """An image that runs this Python, with the project's packages in reach."""
    return Image((sys.executable, *arguments), environment={"PYTHONPATH": str(ROOT), **environment})


@dataclass(frozen=True)
class Setup:
    """All that a kubelet needs to know. `haste` divides the times of probes and of back-off."""

    name: str
    kubeconfig: str
    folder: str
    address: str
    pods: str  # the first three numbers of the addresses of pods
    images: Mapping[str, Image]
    haste: float = 1.0
    capacity: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    opened: tuple[str, ...] = (sys.prefix, sys.base_prefix, str(ROOT))  # any user of a container may read these

    def write(self, path: Path) -> None:
        """As a file."""
        path.write_text(json.dumps(dataclasses.asdict(self)))

    @staticmethod
    def read(path: Path) -> "Setup":
        """From a file."""
        content = json.loads(path.read_text())
        images = {name: Image(**_tuples(image)) for name, image in content.pop("images").items()}
        return Setup(**_tuples(content), images=images)


def _tuples(content: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in content.items()}
