"""Owns how a container of a pod is started here: its image's command, environment, mounts and rights, joined with its
own.

Must not start it. What it refers to and is not there is raised as NotThere; what is not allowed, as NotAllowed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.kube.api import Object
from support.kubelet.network import Place
from support.kubelet.sandbox import Mount, Recipe, Rights
from support.kubelet.setup import Image, Setup
from support.kubelet.values import Values, expanded
from support.kubelet.volumes import Volumes

Given = Mapping[str, Any]


class NotAllowed(Exception):
    """What the pod itself forbids."""


class NoImage(Exception):
    """An image that is not in the table."""


def recipe(
    setup: Setup, found: Object, given: Given, *, folder: Path, number: int, place: Place, values: Values,
    volumes: Volumes, services: Mapping[str, str],
) -> Recipe:  # fmt: skip
    """For the start with this number of a container."""
    image = _image(setup, given["image"])
    environment = values.environment(given, image.environment, services)
    spec = found["spec"]
    return Recipe(
        folder=folder / f"{given['name']}-{number}",
        log=folder / f"{given['name']}.log",
        place=place,
        host_name=str(spec.get("hostname", found["metadata"]["name"]))[:63],
        command=_command(given, image, environment),
        working_folder=given.get("workingDir", image.folder),
        environment=environment,
        mounts=(*_named(folder), *_mounts(given, volumes, environment)),
        rights=rights(spec.get("securityContext", {}), given.get("securityContext", {}), image),
        opened=setup.opened,
    )


def _image(setup: Setup, name: str) -> Image:
    if name not in setup.images:
        raise NoImage(f"{name} is none of the images that this kubelet runs: {', '.join(sorted(setup.images))}")
    return setup.images[name]


def _command(given: Given, image: Image, environment: Mapping[str, str]) -> tuple[str, ...]:
    first = [expanded(word, environment) for word in given.get("command", [])]
    rest = [expanded(word, environment) for word in given.get("args", [])]
    if first:
        return (*first, *rest)
    return (*image.entrypoint, *(rest or image.command))


def _named(folder: Path) -> list[Mount]:
    """Who is asked for names, and the names that need nobody."""
    return [Mount(folder / "resolv.conf", "/etc/resolv.conf"), Mount(folder / "hosts", "/etc/hosts")]


def _mounts(given: Given, volumes: Volumes, environment: Mapping[str, str]) -> list[Mount]:
    found = []
    for mount in given.get("volumeMounts", []):
        source = volumes.path(mount["name"])
        below = mount.get("subPath") or expanded(mount.get("subPathExpr", ""), environment)
        if below:
            whole, source = source, source / below
            if not source.exists():
                source.mkdir(parents=True)
                source.chmod(whole.stat().st_mode & 0o7777)  # who may write to the volume, may write here
            source = source.resolve()
        found.append(Mount(source, mount["mountPath"], mount.get("readOnly", False)))
    return sorted(found, key=lambda each: each.target.count("/"))


def rights(pod: Given, container: Given, image: Image) -> Rights:
    """What the two security contexts say; the container's wins."""
    joined = {**pod, **container}
    user = int(joined.get("runAsUser", image.user))
    if joined.get("runAsNonRoot") and user == 0:
        raise NotAllowed("container has runAsNonRoot and image will run as root")
    groups = [*pod.get("supplementalGroups", []), *([pod["fsGroup"]] if "fsGroup" in pod else [])]
    return Rights(
        user=user,
        group=int(joined.get("runAsGroup", 0)),
        groups=tuple(groups),
        read_only_root=bool(container.get("readOnlyRootFilesystem", False)),
        no_capabilities="ALL" in container.get("capabilities", {}).get("drop", []),
        no_new_privileges=container.get("allowPrivilegeEscalation") is False,
    )
