"""Owns holding a document against its pydantic models: every misfit at once, in our words, with path and line.

Must not know any kind of manifest.

A document that does not fit is mended (unknown fields out, wrong values replaced by harmless ones) and tried again, so
that the rules of its kind can still be checked on the rest. What was mended is remembered: a rule that depends on it
stays silent, since it would only repeat the first problem in other words.
"""

import copy
import difflib
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from executor.errors import ManifestError, Problem
from executor.manifest.document import Document, Path


class Model(BaseModel):
    """Base of the models of manifests: strict, frozen, no unknown fields.

    An optional field that is null or empty text counts as absent, as it does for Kubernetes.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _absent(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        fields = cls.model_fields
        return {k: v for k, v in value.items() if not (k in fields and (v is None or _is_unset(fields[k], v)))}


def _is_unset(field: FieldInfo, value: Any) -> bool:
    return value == "" and not field.is_required()


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

OneOrMore = Annotated[list[T], BeforeValidator(_listed)]
"""A list, for which a single mapping may stand."""

ROUNDS_MAX = 200
"""Tries to mend a document; each goes at least one level deeper."""


class Report:
    """The problems of one document, as they are found."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems = list(document.problems)
        self._mended: set[Path] = set()

    def add(self, path: Path, message: str, needs: Iterable[Path] = ()) -> None:
        """Add a problem with the value at `path`, unless that value, or one in `needs`, is already known bad."""
        if not any(self.is_mended(each) for each in (path, *needs)):
            self.problems.append(self.document.problem(path, message))

    def is_mended(self, path: Path) -> bool:
        """Whether the value at `path` is not what the file says."""
        return any(path[:end] in self._mended for end in range(len(path) + 1))

    def sorted(self) -> list[Problem]:
        """The problems from top to bottom of the file."""
        return sorted(self.problems, key=lambda problem: (problem.line or 0, problem.column or 0))

    def mend(self, path: Path) -> None:
        """Remember that the value at `path` is not what the file says."""
        self._mended.add(path)


def fit(model: type[M], report: Report) -> M:
    """The report's document as a `model`. What does not fit goes to the report; the result is whole in any case."""
    value = copy.deepcopy(report.document.value)
    for _ in range(ROUNDS_MAX):
        try:
            return model.model_validate(value)
        except ValidationError as error:
            for path, detail in _details(error, model):
                report.add(path, _message(detail, model, path))
                value = _mended(value, model, path, detail["type"])
                _remember(report, model, path, detail["type"])
    raise ManifestError(report.problems)


def faults(model: type[BaseModel], value: Any) -> Iterator[tuple[Path, str]]:
    """What of a value does not fit `model`: for parts that are carried along as they are, and not mended."""
    try:
        model.model_validate(value)
    except ValidationError as error:
        for path, detail in _details(error, model):
            yield path, _message(detail, model, path)


def _details(error: ValidationError, model: type[BaseModel]) -> Iterator[tuple[Path, ErrorDetails]]:
    """What is wrong, with paths of the document. What fits no branch of a union is one misfit: pydantic tells of each
    branch, and names it in the path.
    """
    found: dict[Path, ErrorDetails] = {}
    for detail in error.errors(include_url=False):
        path = tuple(detail["loc"])
        end = next((end for end in range(len(path)) if len(_branches(_raw(model, path[:end]))) > 1), None)
        if end is not None:
            detail = {**detail, "type": _NO_BRANCH}
            path = path[:end]
        if path not in found or len(detail["loc"]) < len(found[path]["loc"]):
            found[path] = detail
    yield from found.items()


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that `word` was most likely meant to be, if one is close."""
    by_folded = {choice.casefold(): choice for choice in choices}
    close = difflib.get_close_matches(word.casefold(), by_folded, n=1)
    return by_folded[close[0]] if close else None


def hint(word: str, choices: Iterable[str]) -> str:
    """` (did you mean "…"?)`, or nothing."""
    found = nearest(word, choices)
    return f' (did you mean "{found}"?)' if found is not None else ""


def listing(choices: Iterable[str]) -> str:
    """What is allowed, for the end of a message."""
    return f"; allowed: {', '.join(choices)}"


def _message(detail: ErrorDetails, model: type[BaseModel], path: Path) -> str:
    kind, value = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        fields = _fields(model, path[:-1])
        return f'unknown field "{path[-1]}"{hint(str(path[-1]), fields)}{listing(fields)}'
    if kind == "literal_error":
        choices = _choices(model, path)
        return f"{described(value)} is not allowed{hint(str(value), choices)}{listing(choices)}"
    if kind == _NO_BRANCH:
        words = " or ".join(_NAMES.get(typing.get_origin(each) or each, "a mapping") for each in _union(model, path))
        return f"must be {words}, not {described(value)}"
    if kind in _WORDS:
        return _WORDS[kind](value)
    return f"{detail['msg']}, not {described(value)}"


def described(value: Any) -> str:
    """`value` as a message names it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 60 else f'"{value[:60]}…"'
    return "a list" if isinstance(value, list) else "a mapping"


def _text_expected(value: Any) -> str:
    advice = "" if isinstance(value, list | dict) or value is None else "; put it in quotes"
    return f"must be text, not {described(value)}{advice}"


_WORDS: dict[str, Callable[[Any], str]] = {
    "missing": lambda value: "required, but missing",
    "string_type": _text_expected,
    "string_too_short": lambda value: "must not be empty",
    "int_type": lambda value: f"must be a whole number, not {described(value)}",
    "bool_type": lambda value: f"must be true or false, not {described(value)}",
    "list_type": lambda value: f"must be a list, not {described(value)}",
    "dict_type": lambda value: f"must be a mapping, not {described(value)}",
    "model_type": lambda value: f"must be a mapping, not {described(value)}",
    "recursion_loop": lambda value: "nested too deep",
}
_NO_BRANCH = "no_branch"
_NAMES: dict[Any, str] = {
    int: "a whole number", float: "a number", bool: "true or false", str: "text", list: "a list",
}  # fmt: skip


def _remember(report: Report, model: type[BaseModel], path: Path, kind: str) -> None:
    """Note what was mended. An unknown field that is close to a known one probably is that one."""
    if kind != "extra_forbidden":
        report.mend(path)
        return
    meant = nearest(str(path[-1]), _fields(model, path[:-1]))
    if meant is not None:
        report.mend((*path[:-1], meant))


def _mended(root: Any, model: type[BaseModel], path: Path, kind: str) -> Any:
    """`root` with the value at `path` taken out, or replaced where there has to be one."""
    if not path:
        return {}
    parent, last = root, path[-1]
    for step in path[:-1]:
        if not (isinstance(step, int) and isinstance(parent, dict)):  # a mapping for a list of one
            parent = parent[step]
    if isinstance(last, int) or (kind != "extra_forbidden" and _is_required(model, path)):
        parent[last] = _harmless(_annotation(model, path))
    else:
        parent.pop(last, None)
    return root


def _harmless(annotation: Any) -> Any:
    """A value that fits `annotation` as far as one does without knowing more."""
    if typing.get_origin(annotation) is Literal:
        return typing.get_args(annotation)[0]
    if typing.get_origin(annotation) is list:
        return []
    return {int: 0, bool: False, str: "-"}.get(annotation, {})


def _is_required(model: type[BaseModel], path: Path) -> bool:
    owner = _annotation(model, path[:-1])
    field = owner.model_fields.get(str(path[-1])) if _is_model(owner) else None
    return field is not None and field.is_required()


def _fields(model: type[BaseModel], path: Path) -> list[str]:
    owner = _annotation(model, path)
    return list(owner.model_fields) if _is_model(owner) else []


def _choices(model: type[BaseModel], path: Path) -> list[str]:
    return [str(choice) for choice in typing.get_args(_annotation(model, path))]


def _annotation(model: Any, path: Path) -> Any:
    """The type that `model` wants at `path`, the first one of a union."""
    return _bare(_raw(model, path))


def _union(model: Any, path: Path) -> list[Any]:
    return _branches(_raw(model, path))


def _branches(annotation: Any) -> list[Any]:
    """The types that an annotation names."""
    while typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) not in (types.UnionType, typing.Union):
        return [annotation]
    parts = [each for each in typing.get_args(annotation) if each is not type(None)]
    return [branch for each in parts for branch in _branches(each)]


def _raw(model: Any, path: Path) -> Any:
    """The same with all that is written around it."""
    for step in path:
        model = _bare(model)
        if _is_model(model):
            field = model.model_fields.get(str(step))
            model = field.annotation if field is not None else Any
        else:
            arguments = typing.get_args(model)
            model = arguments[-1] if arguments else Any
    return model


def _bare(annotation: Any) -> Any:
    """`annotation` without metadata and `| None`, the first type of a union."""
    return _branches(annotation)[0]


def _is_model(annotation: Any) -> typing.TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
