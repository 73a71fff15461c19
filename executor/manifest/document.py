"""Owns reading YAML or JSON text into plain values that know their line, with everything bounded.

Must not know what any manifest means.

PyYAML's parser gives events with marks; values are built here, because its own composer recurses without bound,
expands aliases without counting and lets the last of two equal keys win. Scalars follow what Kubernetes makes of
them, which is JSON plus YAML 1.1 booleans: no dates, no base-60 numbers, and every mapping key is text.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from executor.errors import ManifestError, Problem

SIZE_MAX = 1 << 20
"""Characters in a file. Kubernetes refuses objects above 1.5 MiB of JSON; PyYAML takes seconds for this much."""
VALUES_MAX = 100_000
"""Values in a file with every alias expanded, which is what stops a few nested aliases from becoming gigabytes."""
DEPTH_MAX = 160
"""Levels of nesting; a graph uses two a node, so that graphs too deep are refused by their own, clearer rule."""

Key = str | int
Path = tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a value starts (its key, within a mapping), 1-based, and its text as written if it is a scalar."""

    line: int
    column: int
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: its value, and where each part of it stands."""

    value: Any
    marks: dict[Path, Mark]
    number: int
    """1-based, among the documents of the file that are not empty."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with it as YAML though it could be read: duplicate keys, tags, broken escapes."""

    def mark(self, path: Path) -> Mark:
        """Where `path` stands; the nearest thing around it if it is not there itself."""
        steps = self._steps(path)
        while steps not in self.marks and steps:
            steps = steps[:-1]
        return self.marks[steps]

    def text(self, path: Path) -> str | None:
        """The scalar at `path` as it is written in the file."""
        mark = self.marks.get(self._steps(path))
        return mark.text if mark is not None else None

    def named(self, path: Path) -> str:
        """`path` as people write it, for messages."""
        return dotted(self._steps(path))

    def problem(self, path: Path, message: str) -> Problem:
        """A problem with the value at `path`."""
        mark = self.mark(path)
        return Problem(self.named(path), message, mark.line, mark.column)

    def _steps(self, path: Path) -> Path:
        """`path` as the file has it: a mapping may stand where a list of one is meant, and has no index then."""
        steps: list[Key] = []
        value = self.value
        for step in path:
            if isinstance(step, int) and isinstance(value, dict):
                continue
            steps.append(step)
            value = _child(value, step)
        return tuple(steps)


def _child(value: Any, step: Key) -> Any:
    if isinstance(step, int):
        return value[step] if isinstance(value, list) and step < len(value) else None
    return value.get(step) if isinstance(value, dict) else None


def dotted(path: Path) -> str:
    """`path` as people write it: `spec.predictors[0].annotations["a/b"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.fullmatch(r"[\w-]+", step):
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text


def read(text: str, source: str = "") -> list[Document]:
    """The documents of `text`, empty ones left out. Raises ManifestError for text that cannot be taken apart."""
    if len(text) > SIZE_MAX:
        raise ManifestError([Problem("", f"the file has {len(text)} characters; at most {SIZE_MAX} are read")], source)
    try:
        return list(_Reader().documents(text))
    except yaml.YAMLError as error:
        raise ManifestError([_syntax_problem(error, text)], source) from error
    except _Stop as error:
        raise ManifestError([error.problem], source) from None
    except (ValueError, OverflowError) as error:  # PyYAML, on escapes and directives with impossible numbers
        raise ManifestError([Problem("", f"not valid YAML: {error}")], source) from error


def of(value: Any) -> Document:
    """The same of what was read already, as JSON: it has no lines, but an order. Raises ManifestError likewise."""
    marks: dict[Path, Mark] = {}
    problems: list[Problem] = []
    try:
        found = _marked(value, (), marks, problems)
    except _Stop as error:
        raise ManifestError([error.problem]) from None
    return Document(found, marks, 1, tuple(problems))


def _marked(value: Any, path: Path, marks: dict[Path, Mark], problems: list[Problem]) -> Any:
    place = (1, len(marks) + 1)
    if len(path) >= DEPTH_MAX:
        raise _Stop(f"nested more than {DEPTH_MAX} levels deep", place)
    if len(marks) >= VALUES_MAX:
        raise _Stop(f"more than {VALUES_MAX} values", place)
    marks[path] = Mark(*place)
    if isinstance(value, dict):
        return {key: _marked(each, (*path, key), marks, problems) for key, each in value.items()}
    if isinstance(value, list):
        return [_marked(each, (*path, index), marks, problems) for index, each in enumerate(value)]
    text = value if isinstance(value, str) else json.dumps(value)
    marks[path] = Mark(*place, text)
    try:
        _joined(text)
    except ValueError as error:
        problems.append(Problem(dotted(path), str(error), *place))
        return ""
    return value


def decode(data: bytes, source: str = "") -> str:
    """The text of a file: UTF-8, with or without byte order mark."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ManifestError([Problem("", f"not UTF-8 text (byte {error.start})", line)], source) from error


def _syntax_problem(error: yaml.YAMLError, text: str) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        message = ", ".join(filter(None, [error.context, error.problem])) or "not valid YAML"
        return Problem("", message, mark.line + 1 if mark else None, mark.column + 1 if mark else None)
    position = getattr(error, "position", 0)
    character = getattr(error, "character", None)
    what = f"character {chr(character)!r} is not allowed" if isinstance(character, int) else "not valid YAML"
    return Problem("", what, text.count("\n", 0, position) + 1)


_Place = tuple[int, int]
"""Line and column, 1-based."""


def _place(event: yaml.Event) -> _Place:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


class _Stop(Exception):
    """A bound was met, or an alias cannot be followed: reading ends."""

    def __init__(self, message: str, place: _Place) -> None:
        super().__init__(message)
        self.problem = Problem("", message, *place)


@dataclass(slots=True)
class _Value:
    """A value as read, before aliases are spread out over the paths that lead to it."""

    place: _Place
    value: Any = None
    """A scalar, or a list of _Value, or a dict of key to (place of the key, _Value)."""
    text: str | None = None
    size: int = 1
    """Values in it, itself included, with aliases expanded."""
    depth: int = 1


_TAGS = (None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")))


class _Reader:
    """Builds documents from parse events. One use."""

    def __init__(self) -> None:
        self._events: Iterator[yaml.Event] = iter(())
        self._anchors: dict[str, _Value | None] = {}
        self._problems: list[Problem] = []
        self._size = 0

    def documents(self, text: str) -> Iterator[Document]:
        if text.lstrip()[:1] in ("{", "["):
            # JSON may be indented with tabs, which YAML forbids. Inside JSON strings they are not allowed raw.
            text = text.replace("\t", " ")
        self._events = yaml.parse(text, Loader=yaml.SafeLoader)
        number = 0
        for event in self._events:
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            self._anchors, self._problems = {}, []
            root = self._value(next(self._events), ())
            if root.value is None and not self._problems:
                continue
            number += 1
            marks: dict[Path, Mark] = {}
            yield Document(_spread(root, root.place, (), marks), marks, number, tuple(self._problems))

    def _value(self, event: yaml.Event, path: Path) -> _Value:
        """The value that starts with `event`."""
        if isinstance(event, yaml.AliasEvent):
            return self._counted(self._aliased(event, path))
        if len(path) >= DEPTH_MAX:
            raise _Stop(f"nested more than {DEPTH_MAX} levels deep", _place(event))
        value = _Value(_place(event))
        tag, anchor = getattr(event, "tag", None), getattr(event, "anchor", None)
        if tag not in _TAGS:
            self._add(value.place, path, f"tag {tag} is not allowed; a manifest has plain values only")
        if anchor is not None:
            self._anchors[anchor] = None  # an alias to it inside itself finds this
        self._counted(value)
        if isinstance(event, yaml.ScalarEvent):
            self._fill_scalar(value, event, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._fill_list(value, path)
        else:
            self._fill_mapping(value, path)
        if anchor is not None:
            self._anchors[anchor] = value
        return value

    def _counted(self, value: _Value) -> _Value:
        self._size += value.size
        if self._size > VALUES_MAX:
            raise _Stop(f"more than {VALUES_MAX} values, aliases expanded", value.place)
        return value

    def _aliased(self, event: yaml.AliasEvent, path: Path) -> _Value:
        name = event.anchor
        if name not in self._anchors:
            raise _Stop(f"alias *{name} names no anchor before it", _place(event))
        value = self._anchors[name]
        if value is None:
            raise _Stop(f"alias *{name} stands inside what it names", _place(event))
        if len(path) + value.depth > DEPTH_MAX:
            raise _Stop(f"nested more than {DEPTH_MAX} levels deep", _place(event))
        return value

    def _fill_scalar(self, value: _Value, event: yaml.ScalarEvent, path: Path) -> None:
        plain = event.implicit[0] and event.tag is None
        try:
            value.text = _joined(event.value)
        except ValueError as error:
            self._add(_place(event), path, str(error))
            value.text = ""
        value.value = _scalar(value.text) if plain else value.text

    def _fill_list(self, value: _Value, path: Path) -> None:
        items: list[_Value] = []
        value.value = items
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            item = self._value(event, (*path, len(items)))
            items.append(item)
            _grow(value, item)

    def _fill_mapping(self, value: _Value, path: Path) -> None:
        members: dict[str, tuple[_Place, _Value]] = {}
        value.value = members
        merged: list[_Value] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key, place = self._key(event, path), _place(event)
            item = self._value(next(self._events), (*path, key))
            _grow(value, item)
            if key == "<<" and isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
                merged += item.value if isinstance(item.value, list) else [item]
            elif key in members:
                self._add(place, (*path, key), f'duplicate key "{key}"; the first is in line {members[key][0][0]}')
            else:
                members[key] = (place, item)
        self._merge(members, merged, path)

    def _key(self, event: yaml.Event, path: Path) -> str:
        key = self._value(event, (*path, "?"))
        if key.text is None:
            self._add(key.place, path, "a mapping's keys must be text")
        return key.text or ""

    def _merge(self, members: dict[str, tuple[_Place, _Value]], merged: list[_Value], path: Path) -> None:
        """Take over from merged mappings what is not in `members` itself; earlier ones win."""
        for source in merged:
            if not isinstance(source.value, dict):
                self._add(source.place, path, "<< takes a mapping, or a list of mappings")
                continue
            for key, member in source.value.items():
                members.setdefault(key, member)

    def _add(self, place: _Place, path: Path, message: str) -> None:
        self._problems.append(Problem(dotted(path), message, *place))


def _grow(value: _Value, item: _Value) -> None:
    value.size += item.size
    value.depth = max(value.depth, item.depth + 1)


def _spread(value: _Value, place: _Place, path: Path, marks: dict[Path, Mark]) -> Any:
    """The plain value, every alias in it written out, and the mark of each path."""
    marks[path] = Mark(*place, value.text)
    if isinstance(value.value, list):
        return [_spread(item, item.place, (*path, index), marks) for index, item in enumerate(value.value)]
    if isinstance(value.value, dict):
        return {key: _spread(item, at, (*path, key), marks) for key, (at, item) in value.value.items()}
    return value.value


def _joined(text: str) -> str:
    """`text` with surrogate pairs, as JSON escapes make them, put together. Raises ValueError for half a pair."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise ValueError("half a surrogate pair in a text") from None


_BOOLS = dict.fromkeys(("true", "yes", "on"), True) | dict.fromkeys(("false", "no", "off"), False)
_NUMBERS: tuple[tuple[re.Pattern[str], Callable[[str], int | float]], ...] = (
    (re.compile(r"[-+]?[0-9]{1,30}"), int),
    (re.compile(r"0x[0-9a-fA-F]{1,24}"), lambda text: int(text, 16)),
    (re.compile(r"0o[0-7]{1,30}"), lambda text: int(text, 8)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(inf|Inf|INF)"), lambda text: float(text.replace(".", ""))),
    (re.compile(r"\.(nan|NaN|NAN)"), lambda text: float("nan")),
)


def _scalar(text: str) -> Any:
    """What an unquoted scalar means."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    lower = text.lower()
    if lower in _BOOLS and text in (lower, lower.upper(), lower.capitalize()):
        return _BOOLS[lower]
    for pattern, convert in _NUMBERS:
        if pattern.fullmatch(text):
            return convert(text)
    return text
