"""Owns one pod's life on its node: network, volumes, init containers in order, containers, status, and its end.

Must not choose pods: the scheduler and the kubelet do. It runs on a thread of its own.
"""

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from support.kube.api import STRATEGIC, Api, Object, Refused
from support.kubelet import reports
from support.kubelet.container import Container, now
from support.kubelet.network import Network, Place
from support.kubelet.recipes import NoImage, NotAllowed, recipe
from support.kubelet.setup import Setup
from support.kubelet.values import NotThere, Values
from support.kubelet.volumes import Volumes

STEP_S = 0.1
REFRESH_S = 1.0


@dataclass(frozen=True)
class Site:
    """What all pods of a node share."""

    api: Api
    setup: Setup
    network: Network
    services: Callable[[], Mapping[str, str]]


class Pod:
    """One pod. `update` tells it of changes; `gone` that the API server has forgotten it."""

    def __init__(self, site: Site, found: Object) -> None:
        self._site = site
        self._wake = threading.Event()
        self._found = found
        meta = found["metadata"]
        self._path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        self._folder = Path(site.setup.folder, f"{meta['namespace']}_{meta['name']}_{meta['uid']}")
        self._values = Values(site.api, lambda: self._found, site.setup.name, site.setup.address)
        self._volumes = Volumes(self._folder / "volumes", site.api, self._values, found)
        self._init = self._containers("initContainers")
        self._main = self._containers("containers")
        self._place: Place | None = None
        self._begun = now()
        self._filled = False
        self._initialized = False
        self._reported: Object = {}
        self._refreshed = 0.0
        self._forgotten = False
        self._thread = threading.Thread(target=self._run, name=meta["name"], daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether nothing of it is left."""
        return not self._thread.is_alive()

    def update(self, found: Object) -> None:
        """Takes note of what it is now."""
        self._found = found
        self._wake.set()

    def gone(self) -> None:
        """Takes note that it was deleted without grace."""
        self._forgotten = True
        self._wake.set()

    def join(self, timeout_s: float) -> None:
        """Waits until nothing of it is left, or no longer."""
        self._thread.join(timeout_s)

    def _containers(self, kind: str) -> list[Container]:
        spec, haste = self._found["spec"], self._site.setup.haste
        grace_s = float(spec.get("terminationGracePeriodSeconds", 30))
        return [Container(each, grace_s, haste, self._wake.set) for each in spec.get(kind, [])]

    @property
    def _policy(self) -> str:
        return str(self._found["spec"].get("restartPolicy", "Always"))

    @property
    def _is_leaving(self) -> bool:
        return self._forgotten or "deletionTimestamp" in self._found["metadata"]

    @property
    def _phase(self) -> str:
        if any(each.exit_code and self._policy == "Never" for each in self._init):
            return "Failed"
        return reports.phase(self._policy, self._initialized, self._main)

    def _run(self) -> None:
        self._folder.mkdir(parents=True)
        while not self._is_leaving and self._phase not in ("Succeeded", "Failed"):
            try:
                self._step()
                self._report()
            except (OSError, Refused) as error:
                print(f"{self._path}: {error}", flush=True)
                time.sleep(STEP_S)
            self._wake.wait(STEP_S)
            self._wake.clear()
        self._end()

    def _step(self) -> None:
        if self._place is None:
            self._place = self._site.network.join()
            self._values.address = self._place.address
            self._write_names(self._place.address)
        if not self._fill() or not self._initialize():
            return
        for each in self._main:
            each.look(self._again)
            if each.may_start and (each.exit_code is None or self._again(each.exit_code)):
                self._start(each)
        self._initialized = self._initialized or all(
            each.is_running or each.exit_code is not None for each in self._main
        )

    def _again(self, code: int) -> bool:
        return self._policy == "Always" or (self._policy == "OnFailure" and code != 0)

    def _fill(self) -> bool:
        """Whether the volumes are there."""
        try:
            if not self._filled:
                self._volumes.make()
                self._filled = True
            elif time.monotonic() > self._refreshed + REFRESH_S:
                self._volumes.refresh()
                self._refreshed = time.monotonic()
        except NotThere as error:
            for each in [*self._init, *self._main]:
                each.wait("ContainerCreating", str(error))
        return self._filled

    def _initialize(self) -> bool:
        """Takes the init containers further. Whether they are done."""
        for each in self._init:
            stays = each.given.get("restartPolicy") == "Always"
            each.look(lambda code, stays=stays: stays or (code != 0 and self._policy != "Never"))  # type: ignore[misc]
            done = each.exit_code == 0 and not stays
            if not done and each.may_start and (stays or each.exit_code is None or self._policy != "Never"):
                self._start(each)
            if not (done or (stays and each.started)):
                for later in self._main:
                    if not self._initialized:
                        later.state = {"waiting": {"reason": "PodInitializing"}}
                return self._initialized
        return True

    def _start(self, container: Container) -> None:
        assert self._place is not None
        try:
            made = recipe(
                self._site.setup, self._found, container.given, folder=self._folder, number=container.restarts,
                place=self._place, values=self._values, volumes=self._volumes, services=self._site.services(),
            )  # fmt: skip
        except NoImage as error:
            container.wait("ErrImagePull", str(error))
        except (NotThere, NotAllowed) as error:
            container.wait("CreateContainerConfigError", str(error))
        else:
            container.start(made, self._place.address)

    def _write_names(self, address: str) -> None:
        meta, spec = self._found["metadata"], self._found["spec"]
        here = "cluster.local"
        namespace = meta["namespace"]
        search = f"{namespace}.svc.{here} svc.{here} {here}"
        (self._folder / "resolv.conf").write_text(
            f"nameserver {self._site.setup.address}\nsearch {search}\noptions ndots:5 timeout:2\n"
        )
        aliases = "".join(f"{each['ip']} {' '.join(each['hostnames'])}\n" for each in spec.get("hostAliases", []))
        name = spec.get("hostname", meta["name"])
        (self._folder / "hosts").write_text(f"127.0.0.1 localhost\n{address} {name}\n{aliases}")

    def _report(self) -> None:
        """Tells the API server, when there is news."""
        made = reports.status(self._found, self._main, self._init)
        ended = self._is_leaving or self._phase in ("Succeeded", "Failed")
        initialized = self._initialized or all(each.exit_code == 0 for each in self._init)
        made["conditions"] = reports.conditions(self._found, initialized, self._place is not None, ended, self._main)
        made |= {"phase": self._phase, "startTime": self._begun, "hostIP": self._site.setup.address,
                 "hostIPs": [{"ip": self._site.setup.address}]}  # fmt: skip
        if self._values.address:
            made |= {"podIP": self._values.address, "podIPs": [{"ip": self._values.address}]}
        news = {key: value for key, value in made.items() if key != "conditions"}
        news["conditions"] = {each["type"]: each["status"] for each in made["conditions"]}
        if news != self._reported and not self._forgotten:
            uid = {"metadata": {"uid": self._found["metadata"]["uid"]}}
            try:
                self._site.api.patch(f"{self._path}/status", {**uid, "status": made}, STRATEGIC)
            except Refused as refused:
                if refused.code not in (404, 409):
                    raise
            self._reported = news

    def _end(self) -> None:
        """Ends what runs, tells so, and waits to be deleted before it lets the API server forget the pod."""
        grace_s = 0.0 if self._forgotten else float(self._found["metadata"].get("deletionGracePeriodSeconds") or 30)
        self._stop(self._main, grace_s)
        self._stop(self._init, grace_s)
        if self._place is not None:
            self._place.leave()
        for path in self._folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
        self._say_farewell()

    def _stop(self, containers: list[Container], grace_s: float) -> None:
        stopping = [threading.Thread(target=each.stop, args=(grace_s,), daemon=True) for each in containers]
        for thread in stopping:
            thread.start()
        while any(thread.is_alive() for thread in stopping):
            if self._forgotten and grace_s > 0:  # patience has ended elsewhere
                self._stop(containers, 0.0)
            self._try_to_report()
            stopping[0].join(STEP_S)

    def _say_farewell(self) -> None:
        self._try_to_report()
        while not self._is_leaving:
            self._wake.wait(1.0)
            self._wake.clear()
        while not self._forgotten:
            try:
                uid = self._found["metadata"]["uid"]
                self._site.api.delete(self._path, gracePeriodSeconds=0, preconditions={"uid": uid})
                return
            except Refused as refused:
                if refused.code in (404, 409):
                    return
            except OSError:
                time.sleep(STEP_S)

    def _try_to_report(self) -> None:
        try:
            self._report()
        except (OSError, Refused) as error:
            print(f"{self._path}: {error}", flush=True)
