"""Owns the folders behind a pod's volumes: made, filled, and kept up to date as config maps and annotations change.

Must not mount them. A changed volume is seen whole or not at all: `..data` is a link that one rename turns.
"""

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.kube.api import Api, Object
from support.kubelet.values import NotThere, Values

Files = dict[str, tuple[bytes, int]]
KEPT = ("configMap", "secret", "downwardAPI", "projected")


class Volumes:
    """All of one pod."""

    def __init__(self, folder: Path, api: Api, values: Values, pod: Object) -> None:
        self._folder = folder
        self._api = api
        self._values = values
        self._pod = pod
        self._tokens: dict[tuple[str, str], bytes] = {}
        self._paths: dict[str, Path] = {}

    def make(self) -> None:
        """Makes and fills them all; raises NotThere when something lacks."""
        for volume in self._pod["spec"].get("volumes", []):
            if volume["name"] not in self._paths:
                self._paths[volume["name"]] = self._made(volume)
        group = self._pod["spec"].get("securityContext", {}).get("fsGroup")
        if group is not None:
            for path in self._folder.rglob("*"):
                os.chown(path, -1, group, follow_symlinks=False)

    def path(self, name: str) -> Path:
        """The folder of one."""
        return self._paths[name]

    def refresh(self) -> None:
        """Brings in what has changed. What has gone stays as it was."""
        for volume in self._pod["spec"].get("volumes", []):
            if volume["name"] in self._paths and any(kind in volume for kind in KEPT):
                try:
                    write(self._paths[volume["name"]], self._files(volume))
                except NotThere:
                    continue

    def _made(self, volume: Mapping[str, Any]) -> Path:
        if "hostPath" in volume:
            return Path(str(volume["hostPath"]["path"]))
        if "persistentVolumeClaim" in volume:
            return self._claimed(volume["persistentVolumeClaim"]["claimName"])
        path = self._folder / str(volume["name"])
        if any(kind in volume for kind in KEPT):
            files = self._files(volume)
            path.mkdir(parents=True, exist_ok=True)
            write(path, files)
        elif "emptyDir" in volume:
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o777)
        else:
            raise NotThere(f"volume {volume['name']} is of a kind that this kubelet does not know")
        return path

    def _claimed(self, name: str) -> Path:
        claim = self._api.find(f"/api/v1/namespaces/{self._values.namespace}/persistentvolumeclaims/{name}")
        if not claim or claim.get("status", {}).get("phase") != "Bound":
            raise NotThere(f"claim {name} is not bound")
        found = self._api.get(f"/api/v1/persistentvolumes/{claim['spec']['volumeName']}")["spec"]
        path = Path(str(found["hostPath"]["path"]))
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o777)
        return path

    def _files(self, volume: Mapping[str, Any]) -> Files:
        if "projected" in volume:
            found: Files = {}
            mode = volume["projected"].get("defaultMode", 0o644)
            for source in volume["projected"].get("sources", []):
                kind = next(iter(source))
                found |= self._source(kind, source[kind], mode)
            return found
        kind = next(kind for kind in KEPT if kind in volume)
        given = volume[kind]
        return self._source(
            kind, {**given, "name": given.get("secretName", given.get("name"))}, given.get("defaultMode", 0o644)
        )

    def _source(self, kind: str, given: Mapping[str, Any], mode: int) -> Files:
        if kind == "downwardAPI":
            return {each["path"]: (self._downward(each), each.get("mode", mode)) for each in given.get("items", [])}
        if kind == "serviceAccountToken":
            seconds = given.get("expirationSeconds", 3600)
            return {given["path"]: (self._token(given.get("audience", ""), seconds), mode)}
        read = self._values.config if kind == "configMap" else self._values.secret
        optional = given.get("optional", False)
        values = read(given["name"], optional)
        if "items" not in given:
            return {key: (value, mode) for key, value in values.items()}
        lacking = [each["key"] for each in given["items"] if each["key"] not in values]
        if lacking and not optional:
            raise NotThere(f"{kind} {given['name']} has no {', '.join(lacking)}")
        return {
            each["path"]: (values[each["key"]], each.get("mode", mode))
            for each in given["items"]
            if each["key"] in values
        }

    def _downward(self, item: Mapping[str, Any]) -> bytes:
        if "fieldRef" in item:
            return self._values.field(item["fieldRef"]["fieldPath"]).encode()
        return self._values.resource(item["resourceFieldRef"]).encode()

    def _token(self, audience: str, seconds: int) -> bytes:
        account = self._pod["spec"].get("serviceAccountName", "default")
        if (account, audience) not in self._tokens:
            meta = self._pod["metadata"]
            bound = {"kind": "Pod", "apiVersion": "v1", "name": meta["name"], "uid": meta["uid"]}
            asked = {"expirationSeconds": seconds, "audiences": [audience] if audience else [], "boundObjectRef": bound}
            path = f"/api/v1/namespaces/{meta['namespace']}/serviceaccounts/{account}/token"
            self._tokens[account, audience] = self._api.create(path, {"spec": asked})["status"]["token"].encode()
        return self._tokens[account, audience]


def write(folder: Path, files: Files) -> None:
    """Fills a folder, when it holds anything else."""
    data = folder / "..data"
    if data.exists() and _held(data) == files:
        return
    fresh = folder / f"..{time.time_ns()}"
    for name, (content, mode) in files.items():
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
    fresh.mkdir(exist_ok=True)
    old = data.resolve() if data.exists() else None
    turned = folder / "..data_tmp"
    turned.symlink_to(fresh.name)
    turned.rename(data)
    tops = {Path(name).parts[0] for name in files}
    for top in tops:
        if not (folder / top).is_symlink():
            (folder / top).symlink_to(Path("..data", top))
    for path in folder.iterdir():
        if not path.name.startswith("..") and path.name not in tops:
            path.unlink()
    if old is not None:
        shutil.rmtree(old)


def _held(data: Path) -> Files:
    found = (path for path in data.resolve().rglob("*") if path.is_file())
    return {str(path.relative_to(data.resolve())): (path.read_bytes(), path.stat().st_mode & 0o7777) for path in found}
