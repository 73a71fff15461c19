"""Owns the host of a component: the handlers, metadata and health of one user object at one node.

Must not know where the calls come from, nor in which thread they are run.
"""

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from executor._native import message as native
from executor.aside import Questions
from executor.component import answer, describe, direct, flask_request, grpcio, handlers, methods, raw
from executor.component.direct import Handler
from executor.component.extras import extras_of
from executor.component.flask_request import around
from executor.component.methods import UserMethod
from executor.component.steps import STEPS, Step
from executor.component.work import Options, Work
from executor.errors import ComponentError
from executor.telemetry.users import HEALTH, Recorder
from executor.types import Encoding, Method, Mode

logger = logging.getLogger(__name__)

HEALTHY = "healthy"
ASSUMED_HEALTHY = "not implemented - assuming healthy"
_TRUE = ("y", "yes", "t", "true", "on", "1")
NO_IMAGE = "NOT_IMPLEMENTED:NOT_IMPLEMENTED"
"""What requestPath says where the node is known by its environment but its image is not."""


Fed = Mapping[Method, Sequence[str]]
"""By each call of a node, those whose answer it is given; none where it is what the caller sent."""


class Host:
    """One user object at the node `name`.

    `handlers` has a handler for each call, with the way to run it; what the object has no method for is answered as
    Seldon's wrapper does. `methods` are the calls that the node will get: an object that lacks one is refused here,
    not at the first request. `fed` says who is at fault where a message cannot be read. `image` goes into requestPath;
    without one, requestPath is written only where the environment's PREDICTIVE_UNIT_ID says that this process is that
    node. `recorder` counts what the object says in its metrics. With `as_grpcio`, failures over gRPC look as grpcio has
    them.
    """

    def __init__(
        self,
        component: Any,
        name: str,
        *,
        image: str | None = None,
        methods: Collection[Method] | None = None,
        fed: Fed | None = None,
        environ: Mapping[str, str] = os.environ,
        recorder: Recorder | None = None,
        as_grpcio: bool = False,
    ) -> None:
        self.component = component
        self.name = name
        self._environ = environ
        self._recorder = recorder
        self._image = image or ""
        self._fed = fed or {}
        self._path = self._own_path()
        self._options = _options(environ)
        self._worded = handlers.wording(component, name)
        self._reads_request = flask_request.is_read()
        self._as_grpcio = as_grpcio
        self._loaded = False
        self._told = Questions()
        self.handlers: dict[Method, tuple[Mode, Handler]] = {}
        self._has: list[Step] = []
        for step in STEPS:
            self._add(step)
        self._require(methods or ())

    @property
    def adds_path(self) -> bool:
        """Whether answers get an entry in requestPath."""
        return bool(self._path)

    async def load(self) -> None:
        """Call the object's `load()`, once, if it has one. The node is not ready before this returns."""
        method = methods.find(self.component, "load")
        if method is None or self._loaded:
            return
        methods.check_call(method, (), (), self.name)
        self._loaded = True
        try:
            await describe.ask(method, self.name)
        except ComponentError as error:
            if not isinstance(error.__cause__, AttributeError):
                raise
            logger.warning("node %s: served all the same: an AttributeError of load() passes, as in Seldon", self.name)

    async def metadata(self) -> dict[str, Any]:
        """What the object says of itself, as Seldon's metadata endpoint answers it."""
        return await describe.metadata(self.component, self.name, self._image, self._environ, self._ask)

    async def health(self, encoding: int = Encoding.SELDON_JSON) -> native.Message:
        """The object's answer to a health check; raises if it is not well."""
        whole = methods.find(self.component, "health_status_raw")
        if whole is not None:
            result = await self._ask(whole)
            if result is not None:
                return raw.closed(result, encoding, self.name, whole.name)
        method = methods.find(self.component, "health_status")
        result = None if method is None else await self._ask(method)
        if result is None:
            result = ASSUMED_HEALTHY if methods.inherits_base(self.component) else HEALTHY
        added = await extras_of(self.component, self.name).collect_async()
        if self._recorder is not None:
            self._recorder.record(HEALTH, added.metrics)
        return answer.health(result, added, self._path, encoding, self.name)

    async def _ask(self, method: UserMethod) -> Any:
        """What it answers. A thread that hangs is not joined by one more for each who asks."""
        if method.mode is not Mode.BLOCKING:
            return await describe.ask(method, self.name)
        return await self._told.once(method.name, partial(describe.ask, method, self.name))

    def _own_path(self) -> dict[str, str]:
        if self._image:
            return {self.name: self._image}
        if self._environ.get("PREDICTIVE_UNIT_ID") != self.name:
            return {}
        self._image = self._environ.get("PREDICTIVE_UNIT_IMAGE", "")
        return {self.name: self._image or NO_IMAGE}

    def _add(self, step: Step) -> None:
        main = methods.find(self.component, step.name)
        whole = methods.whole(self.component, step.name)
        extras = extras_of(self.component, self.name, step.naming)
        fed = self._fed.get(step.method, ())
        work = Work(self.name, step, main, whole, extras, self._path, self._options, self._worded, self._recorder, fed)
        mains = list(whole.values()) if main is None else [*whole.values(), main]
        if mains:
            self._has.append(step)
        mode, handler = _handler(work, mains)
        handler = around(mode, handler, step.method) if self._reads_request else handler
        self.handlers[step.method] = mode, grpcio.around(mode, handler) if self._as_grpcio else handler

    def _require(self, wanted: Collection[Method]) -> None:
        missing = [step.name for step in STEPS if step.method in wanted and step.vital and step not in self._has]
        if missing:
            has = [step.name for step in self._has]
            raise ComponentError(
                f"node {self.name!r}: class {type(self.component).__name__} has no {' and no '.join(missing)};"
                f" it has {', '.join(has) or 'none of the methods of a component'}",
                reason="BAD_COMPONENT",
                node=self.name,
            )


def _options(environ: Mapping[str, str]) -> Options:
    return Options(
        tells_metrics=environ.get("INCLUDE_METRICS_IN_CLIENT_RESPONSE", "true").lower() in _TRUE,
        passes_bytes=environ.get("PAYLOAD_PASSTHROUGH", "false").lower() in _TRUE,
    )


def _handler(work: Work, mains: list[UserMethod]) -> tuple[Mode, Handler]:
    mode = methods.joint_mode(mains, work.extras.asked, work.node)
    method = direct.method_of(work)
    if method is not None:
        return mode, direct.async_handler(work, method) if mode is Mode.ASYNC else direct.handler(work, method)
    return mode, work.run_async if mode is Mode.ASYNC else work.run
