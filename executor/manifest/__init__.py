"""Owns the way from a manifest file to a checked spec: which documents are in it, which one is meant, what is wrong.

Must not know what any kind of manifest means: each kind is one file, named in `_KINDS`.

A source is a `Path` to a file, or the text itself. Everything wrong is raised as one ManifestError.
"""

import json
import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

from executor.errors import ManifestError, Problem
from executor.graph import spec
from executor.manifest import document as documents
from executor.manifest import gojson, seldon
from executor.manifest.document import Document
from executor.manifest.local import unused
from executor.manifest.profile import Profile, Terms
from executor.manifest.shape import Report, hint

__all__ = ["Entry", "Profile", "Selected", "load", "load_all", "load_predictor", "survey", "unused"]


class _Kind(Protocol):
    """What the module of a kind of manifest offers."""

    KIND: str

    def claims(self, api_version: str, kind: str) -> bool:
        """Whether a document with this head is of this kind."""

    def predictors(self, document: Document) -> tuple[str, ...]:
        """The names of its predictors; must not fail, whatever the document holds."""

    def build(self, report: Report, terms: Terms) -> spec.Deployment:
        """The report's document as a spec; what is wrong goes to the report."""


log = logging.getLogger("millrace.manifest")

_KINDS: tuple[_Kind, ...] = (seldon,)


@dataclass(frozen=True, slots=True)
class Entry:
    """A document of a file, as one tells it apart from the others."""

    number: int
    """1-based, empty documents left out."""
    line: int
    kind: str
    api_version: str
    name: str
    predictors: tuple[str, ...]
    known: bool
    """Whether it is a manifest of ours; others are skipped."""

    def __str__(self) -> str:
        return f'{self.kind or "a document without kind"} "{self.name}" (document {self.number}, line {self.line})'


class Selected(NamedTuple):
    """The one graph of a file that is meant."""

    deployment: spec.Deployment
    predictor: spec.Predictor


def survey(source: Path | str) -> tuple[Entry, ...]:
    """What is in the file, ours or not. Raises ManifestError if it cannot be read at all."""
    _, found = _read(source)
    return tuple(_entry(each) for each in found)


def load_all(
    source: Path | str,
    profile: Profile = Profile.CLUSTER,
    reached: Collection[str] | None = None,
    prepackaged: bool = False,
) -> tuple[spec.Deployment, ...]:
    """Every deployment of the file, checked.

    `reached` names the nodes that have a component or an endpoint (local profile); None leaves that rule out. By it,
    `prepackaged` says that servers with a modelUri need neither.
    """
    label, found = _read(source)
    return tuple(_build(_ours(found, label), Terms(profile, reached, prepackaged), label))


def load(
    source: Path | str,
    profile: Profile = Profile.LOCAL,
    *,
    predictor: str | None = None,
    document: str | int | None = None,
    reached: Collection[str] | None = None,
    prepackaged: bool = False,
    idle: bool = False,
    changed: bool = False,
    name: str = "",
) -> Selected:
    """One predictor of one document, checked; `document` is a name or a number, `name` what errors call a text, and
    `idle` lets routers and combiners pass that have no children. With `changed`, what `reached` has too much is no
    problem.

    Where more than one is meant by that, the error lists the choices.
    """
    label, found = _read(source, name)
    chosen = _choose(_ours(found, label), predictor, document, label)
    entry = _entry(chosen)
    problems: list[Problem] = []
    if predictor is None and len(entry.predictors) > 1:
        choices = f"choose {_quoted(entry.predictors)} (--predictor)"
        problems.append(chosen.problem((), f"{entry} has more than one predictor; {choices}"))
    elif predictor is not None and predictor not in entry.predictors:
        close = hint(predictor, entry.predictors)
        message = f'{entry} has no predictor "{predictor}"{close}; predictors: {_quoted(entry.predictors, ", ")}'
        problems.append(chosen.problem((), message))
    terms = Terms(profile, None if problems else reached, prepackaged, predictor, idle, changed)
    (deployment,) = _build([chosen], terms, label, problems)
    return Selected(deployment, next(each for each in deployment.predictors if predictor in (None, each.name)))


def load_predictor(
    text: str,
    profile: Profile = Profile.LOCAL,
    *,
    protocol: str = "seldon",
    reached: Collection[str] | None = None,
    prepackaged: bool = False,
    source: str = "",
    lenient: bool = False,
) -> spec.Predictor:
    """A predictor that stands alone, as an operator hands it to its executor: the JSON or YAML of Seldon's
    PredictorSpec, without a deployment around it. `lenient` reads JSON as Seldon's executor does: what it takes and
    goes by otherwise is logged, and not refused; and nodes pass that are never called.
    """
    told = _as_go_reads(text, source) if lenient else None
    found = documents.read(text, source) if told is None else [documents.of(told.value)]
    if len(found) != 1:
        raise ManifestError([Problem("", f"one predictor is expected, not {len(found)} documents")], source)
    report = Report(found[0])
    built = seldon.build_predictor(report, Terms(profile, reached, prepackaged, idle=lenient), protocol)
    if report.problems:
        raise ManifestError(report.sorted(), source)
    if told is not None:
        _tell(told, source or "predictor")
    return built if told is None else replace(built, name=told.name)


def _as_go_reads(text: str, source: str) -> gojson.Read:
    try:
        return gojson.predictor(json.loads(text))
    except RecursionError:
        raise ManifestError([Problem("", "nested too deep")], source) from None


def _tell(told: gojson.Read, source: str) -> None:
    if told.unknown:
        log.warning("%s: unknown fields are passed over: %s", source, ", ".join(told.unknown))
    for remark in told.remarks:
        log.warning("%s: %s", source, remark)


def read(source: Path) -> str:
    """The text of a manifest's file."""
    label = str(source)
    try:
        with source.open("rb") as file:
            data = file.read(4 * documents.SIZE_MAX + 1)  # enough to know that it is too much
    except OSError as error:
        raise ManifestError([Problem("", f"cannot be read: {error.strerror or error}")], label) from error
    return documents.decode(data, label)


def _read(source: Path | str, name: str = "") -> tuple[str, list[Document]]:
    if isinstance(source, str):
        return name, documents.read(source, name)
    return str(source), documents.read(read(source), str(source))


def _kind_of(document: Document) -> _Kind | None:
    head = _head(document)
    return next((kind for kind in _KINDS if kind.claims(*head)), None)


def _head(document: Document) -> tuple[str, str]:
    value = document.value if isinstance(document.value, dict) else {}
    return str(value.get("apiVersion") or ""), str(value.get("kind") or "")


def _entry(document: Document) -> Entry:
    api_version, kind = _head(document)
    metadata = document.value.get("metadata") if isinstance(document.value, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    ours = _kind_of(document)
    return Entry(
        number=document.number,
        line=document.mark(()).line,
        kind=kind,
        api_version=api_version,
        name=str(name or ""),
        predictors=ours.predictors(document) if ours else (),
        known=ours is not None,
    )


def _ours(found: list[Document], label: str) -> list[Document]:
    """The documents that are manifests of ours, at least one."""
    ours = [each for each in found if _kind_of(each) is not None]
    if ours:
        return ours
    kinds = [kind.KIND for kind in _KINDS]
    message = f"no {' or '.join(kinds)} in it"
    if not found:
        raise ManifestError([Problem("", f"{message}; it is empty")], label)
    raise ManifestError([each.problem((), f"{message}: this is {_other(each, kinds)}") for each in found], label)


def _other(document: Document, kinds: list[str]) -> str:
    if not isinstance(document.value, dict):
        return "no mapping"
    api_version, kind = _head(document)
    if not (kind or api_version):
        return "a mapping with neither kind nor apiVersion"
    what = f"a {kind}" if kind else "a mapping without kind"
    version = f"of {api_version}" if api_version else "without apiVersion"
    return f"{what} {version}{hint(kind, kinds) if kind not in kinds else ''}"


def _choose(ours: list[Document], predictor: str | None, document: str | int | None, label: str) -> Document:
    """The one document that is meant."""
    fitting = ours
    if document is not None:
        fitting = [each for each in ours if str(document) in (str(each.number), _entry(each).name)]
    elif len(ours) > 1 and predictor is not None:
        fitting = [each for each in ours if predictor in _entry(each).predictors]
    if len(fitting) == 1:
        return fitting[0]
    told = f' that is "{document}"' if document is not None else f' with "{predictor}"' if predictor else ""
    how_many = "no manifest" if not fitting else f"{len(fitting)} manifests"
    listed = "; ".join(f"{_entry(each)} with {_quoted(_entry(each).predictors, ', ')}" for each in fitting or ours)
    choices = f"choose one by name or number (--document): {listed}"
    raise ManifestError([Problem("", f"{how_many}{told} in it; {choices}")], label)


def _quoted(names: tuple[str, ...], between: str = " or ") -> str:
    return between.join(f'"{name}"' for name in names) or "no predictor"


def _build(
    chosen: list[Document], terms: Terms, label: str, problems: list[Problem] | None = None
) -> list[spec.Deployment]:
    """The documents as specs. Raises ManifestError with all their problems, after those already in `problems`."""
    found = list(problems or ())
    built = []
    for each in chosen:
        kind = _kind_of(each)
        assert kind is not None
        report = Report(each)
        built.append(kind.build(report, terms))
        found += report.sorted()
    if found:
        raise ManifestError(found, label)
    return built
