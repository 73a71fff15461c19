"""Owns one kind of call on one component, from message to answer: the general way, which every case fits.

Must not decide anything per request that is known when the component is hosted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from executor._native import message as native
from executor.component import answer, faults, meta, methods
from executor.component import raw as raw_forms
from executor.component.codecs import CODECS
from executor.component.extras import Added, Extras
from executor.component.methods import UserMethod
from executor.component.steps import REWARD, Call, Step
from executor.errors import Error
from executor.telemetry.users import METHODS, Recorder
from executor.types import Method


class Options(NamedTuple):
    """What the environment says on how calls are made."""

    tells_metrics: bool = True
    """Whether the component's metrics go into its answers."""
    passes_bytes: bool = False
    """Whether raw methods get and give JSON bodies as bytes."""


@dataclass(slots=True)
class Work:
    """All that the call needs. `run` and `run_async` are handlers; `run` serves quick and blocking methods alike."""

    node: str
    step: Step
    main: UserMethod | None
    """None where the class has no such method and the step's stand-in does."""
    whole: Mapping[int, UserMethod]
    """The method that is given whole messages, by their encoding; it goes before the plain one."""
    extras: Extras
    path: Mapping[str, str]
    """The component's own entry of requestPath."""
    options: Options = field(default_factory=Options)
    worded: Callable[[Exception, str], Error | None] | None = None
    """The component's own way to word exceptions."""
    recorder: Recorder | None = None
    """Counts what the component says in its metrics."""
    fed: Sequence[str] = ()
    """Nodes of whose answers the message is one; none where the caller sent it."""
    places: int = field(init=False, default=0)
    """How many arguments the method is given by position: a class may leave out the names."""
    named: bool = field(init=False, default=False)
    """Whether it is given the step's argument by name."""
    retried: bool = field(init=False, default=False)
    """Whether a TypeError has it called again without meta, as Seldon's wrapper does: what it takes may not show in its
    signature, as behind a decorator."""

    def __post_init__(self) -> None:
        for each in self.whole.values():
            methods.check_call(each, ("message",), (), self.node)
        if self.main is not None:
            wanted = len(self.step.places)
            self.places = wanted if self.main.places is None else min(wanted, self.main.places)
            self.named = bool(self.step.named) and self.main.accepts(self.step.named)
            names = (self.step.named,) if self.named else ()
            self.retried = names == ("meta",) and not self.main.needs("meta") and not self.main.is_async
            methods.check_call(self.main, self.step.places[: max(1, self.places)], names, self.node)

    def run(self, message: native.Message, context: Any) -> native.Message:
        """Call the component."""
        whole = self.whole.get(message.encoding)
        if whole is not None:
            try:
                return self._closed(whole.call(self._raw_argument(message)), message, whole)
            except BaseException as exc:
                self._go_on(exc, whole, context)
        call = self.opened(message)
        try:
            result = self._start(call)
        except BaseException as exc:
            result = self.rescued(exc, call, context)
        return self.answered(call, result, self.extras.collect(), message.encoding)

    async def run_async(self, message: native.Message, context: Any) -> native.Message:
        """Call the component, where it is `async def`."""
        whole = self.whole.get(message.encoding)
        if whole is not None:
            try:
                return self._closed(await whole.call(self._raw_argument(message)), message, whole)
            except BaseException as exc:
                self._go_on(exc, whole, context)
        call = self.opened(message)
        try:
            result = self._start(call) if self.main is None else await self._start(call)
        except BaseException as exc:
            result = self.rescued(exc, call, context)
        return self.answered(call, result, await self.extras.collect_async(), message.encoding)

    def opened(self, message: native.Message) -> Call:
        """The arguments that `message` holds."""
        try:
            return self.step.open(CODECS[message.encoding], message, self.node)
        except Error as exc:
            raise self.unreadable(exc) from exc

    def answered(self, call: Call, result: Any, added: Added, encoding: int) -> native.Message:
        """The answer that says `result`."""
        record = None
        if self.recorder is not None:
            record = partial(self.recorder.record, METHODS[self.step.method])
            if self.step.method is Method.SEND_FEEDBACK:
                self.recorder.reward(call.places[REWARD])
        tells = self.options.tells_metrics
        return answer.build(self.step, call, result, added, self.path, encoding, self.node, tells, record)

    def unreadable(self, exc: Error) -> Error:
        """The error for a message that cannot be given to the method, because of `exc`."""
        return faults.unreadable(exc, self.node, self.step.name, self.fed)

    def rescued(self, exc: BaseException, call: Call, context: Any = None) -> Any:
        """The result in place of `exc`, which the method raised: a stand-in if it only says that it is not there."""
        faults.let_pass(exc)
        if self.retried and self.main is not None and isinstance(exc, TypeError):
            try:
                return self.main.call(*call.places[: self.places])
            except BaseException as second:
                faults.let_pass(second)
                exc = second
        if not faults.is_seldons(exc):
            raise self._fault(exc, self.step.name, context) from exc
        return self._stand_in(call)

    def _start(self, call: Call) -> Any:
        if self.main is None:
            return self._stand_in(call)
        if self.named:
            return self.main.call(*call.places[: self.places], **{self.step.named: call.named})
        return self.main.call(*call.places[: self.places])

    def _stand_in(self, call: Call) -> Any:
        if self.step.stand_in is None:
            raise faults.missing(self.node, self.step.name)
        return self.step.stand_in(call)

    def _raw_argument(self, message: native.Message) -> Any:
        try:
            return raw_forms.opened(message, self.step.method, self.node, self.options.passes_bytes)
        except Error as exc:
            raise self.unreadable(exc) from exc

    def _closed(self, result: Any, message: native.Message, whole: UserMethod) -> native.Message:
        if self.recorder is not None:
            self._record_whole(result, message, self.recorder)
        return raw_forms.closed(result, message.encoding, self.node, whole.name, self.options.passes_bytes)

    def _record_whole(self, result: Any, message: native.Message, recorder: Recorder) -> None:
        try:
            recorder.record(
                METHODS[self.step.method], meta.checked_metrics(raw_forms.metrics_of(result), self.node, "")
            )
        except Error as exc:  # the answer goes out as it is, all the same
            faults.logger.warning("%s", exc)
        if self.step.method is Method.SEND_FEEDBACK:
            recorder.reward(CODECS[message.encoding].open_feedback(message).reward)

    def _go_on(self, exc: BaseException, whole: UserMethod, context: Any) -> None:
        """A raw method that says it is not implemented leaves the call to the plain one; anything else is an error."""
        faults.let_pass(exc)
        if not faults.says_not_implemented(exc):
            raise self._fault(exc, whole.name, context) from exc

    def _fault(self, exc: BaseException, method: str, context: Any) -> Error:
        own = self.worded(exc, method) if self.worded is not None and isinstance(exc, Exception) else None
        return own or faults.raised(exc, self.node, method, getattr(context, "puid", ""))
