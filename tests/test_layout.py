"""Owns the rules of the house that a tool can see: names, sizes, who may import whom, and what is generated.

Also holds the numbers of `types` and `status` against the native ones. Must not test behaviour. A rule that a
change really has to bend is changed here, with its reason.
"""

import ast
import importlib
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator
from enum import IntEnum
from functools import cache
from importlib import metadata

import pytest

import executor
from executor import status, types

ROOT = pathlib.Path(__file__).resolve().parent.parent
NATIVE = ROOT / "_native"
PACKAGE = ROOT / "executor"
LINES = {".py": 400, ".pyx": 600, ".pxd": 300}
FUNCTION_LINES = 60
SHAPES = {"TypedDict", "Protocol"}

# The families of native modules, by name. The engine reaches codecs through one table of functions (`codec`), codecs
# see messages and never a connection, and HTTP/2 sees bytes and never a graph. Memory is for all.
FAMILIES = {
    "codecs": r"cursor|descriptor|json.*|.+_of_.+|seldon.*|sink|tensor|text|utf8|wire|writer",
    "engine": (
        r"answers|calling|channel|endpoint|errand|exchange|exits|feedback|flow|front|grpcwire|http1|jobs|journal|links"
        r"|mean|patience|peer|program|propagation|request|routing|server|span|tap|threads|timing|tls|tracer|trail"
        r"|transport|weights|wheel"
    ),
    "http2": r"framing|headers|http2|intake|nghttp2|output|sending|stream",
    "memory": r"budget|buffer|copies|message|pool",
    "shared": r"chance|codec|codec_face|meters|stats|types",
    "tools": r"probe_.*",
}
MUST_NOT_KNOW = {
    "codecs": {"engine", "http2", "tools"},
    "engine": {"codecs", "tools"},
    "http2": {"codecs", "engine", "tools"},
    "memory": {"codecs", "engine", "http2", "tools"},
    "shared": {"engine", "http2", "tools"},
    "tools": set(),
}


def sources(*folders: str, pattern: str = "*.py") -> Iterator[pathlib.Path]:
    """The project's own files; what is generated does not count."""
    for folder in folders:
        yield from (path for path in sorted((ROOT / folder).rglob(pattern)) if path.parent != PACKAGE / "_pb")


def name_of(path: pathlib.Path) -> str:
    """A path as messages show it."""
    return str(path.relative_to(ROOT))


def native_modules() -> list[str]:
    """The names of all compiled modules."""
    return sorted(path.stem for path in NATIVE.glob("*.pyx"))


def cimports() -> dict[str, set[str]]:
    """Which native modules each one brings in, by its .pxd or its .pyx."""
    known = {path.stem for path in NATIVE.glob("*.p[xy][dx]")} - {"__init__"}
    table: dict[str, set[str]] = {name: set() for name in known}
    for path in NATIVE.glob("*.p[xy][dx]"):
        text = path.read_text()
        found = set(re.findall(r"^\s*(?:from|cimport)\s+executor\._native\.(\w+)", text, re.M))
        for names in re.findall(r"^\s*from\s+executor\._native\s+cimport\s+([\w, ]+)", text, re.M):
            found |= {name.split(" as ")[0].strip() for name in names.split(",")}
        assert found <= known, f"{name_of(path)} cimports {sorted(found - known)}, which are not there"
        if path.stem in table:
            table[path.stem] |= found - {path.stem}
    return table


def reach(table: dict[str, set[str]], start: str) -> set[str]:
    """All that `start` brings in, directly or not."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for name in table[waiting.pop()] - seen:
            seen.add(name)
            waiting.append(name)
    return seen


@cache
def subjects(folder: str) -> set[str]:
    """The modules that the tests in a folder say they are for: by a file's name, or in backticks at its top."""
    found = set()
    for path in (ROOT / "tests" / folder).glob("test_*.py"):
        opening = ast.get_docstring(ast.parse(path.read_text())) or ""
        found |= {path.stem.removeprefix("test_"), *re.findall(r"`([\w.]+)`", opening)}
    return found


def is_tested(area: str, name: str) -> bool:
    """Whether tests of its area name a module, or tests that join several areas name it with its area."""
    full = f"{area}.{name}".removeprefix("..")
    return name in subjects(area) or full in subjects("interop") | subjects("e2e") | subjects("property")


def test_each_module_has_tests_of_its_own() -> None:
    wanted = [path.relative_to(PACKAGE) for path in sources("executor") if not path.name.startswith("__")]
    wanted += [path.relative_to(ROOT) for path in sources("operator_lite") if not path.name.startswith("__")]
    wanted += [pathlib.Path("native", name) for name in native_modules() if not name.startswith("probe_")]
    lacking = [str(path) for path in wanted if not is_tested(str(path.parent), path.stem)]
    assert not lacking, (
        f"no tests/AREA/test_NAME.py, nor `NAME` in a docstring there, nor `AREA.NAME` in one of interop: {lacking}"
    )


def test_test_folders_are_no_packages() -> None:
    found = [name_of(path) for path in (ROOT / "tests").rglob("__init__.py")]
    assert not found, f"with these, the source tree would hide the installed package: {found}"


@pytest.mark.parametrize("suffix", LINES)
def test_no_file_is_too_long(suffix: str) -> None:
    folders = ("_native",) if suffix != ".py" else ("executor", "operator_lite", "proto", "examples", "bench", "tests")
    lengths = {path: len(path.read_text().splitlines()) for path in sources(*folders, pattern=f"*{suffix}")}
    long = {name_of(path): lines for path, lines in lengths.items() if lines > LINES[suffix]}
    assert lengths
    assert not long, f"over {LINES[suffix]} lines: {long}"


def test_no_function_is_too_long() -> None:
    long = {}
    for path in sources("executor", "operator_lite", "proto", "examples", "bench", "tests"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    long[f"{name_of(path)}: {node.name}"] = lines
    assert not long, f"over {FUNCTION_LINES} lines: {long}"


def test_each_module_says_what_it_owns_and_what_it_must_not_do() -> None:
    rule = re.compile(r"\bowns?\b.*\b(must not|never)\b", re.I | re.S)
    opening = {path: path.read_text()[:1500] for path in sources("_native", pattern="*.pyx")}
    opening |= {
        path: ast.get_docstring(ast.parse(path.read_text())) or "" for path in sources("executor", "operator_lite")
    }
    silent = [name_of(path) for path, text in opening.items() if not rule.search(text)]
    assert not silent


def test_import_contracts_hold() -> None:
    command = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache'])"
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_compiled_modules_are_imported_as_modules() -> None:
    # The import contracts cannot see into compiled modules: a name taken from one would slip through them.
    form = re.compile(r"^\s*(from executor\._native\.\w+ import|import executor\._native\.)", re.M)
    found = [
        name_of(path) for path in sources("executor", "examples", "bench", "tests") if form.search(path.read_text())
    ]
    assert not found, f"write `from executor._native import module` in {found}"


def test_a_missing_compiled_module_says_what_to_run() -> None:
    with pytest.raises(ImportError, match=r"executor\._native\.nothing is not there.*make test"):
        importlib.import_module("executor._native").nothing  # noqa: B018 the lookup is what is tested


def test_the_executor_loads_neither_protobuf_nor_grpcio() -> None:
    code = (
        "import sys; from executor import app, cli; "
        "print(sorted(sys.modules.keys() & {'google.protobuf', 'grpc', 'executor._pb.seldon_pb2'}))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stdout + done.stderr


@pytest.mark.parametrize("name", native_modules())
def test_each_compiled_module_is_built_and_has_a_stub(name: str) -> None:
    module = importlib.import_module(f"executor._native.{name}")
    stub = ast.parse((PACKAGE / "_native" / f"{name}.pyi").read_text())
    promised = {node.name for node in stub.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    # What describes a shape is for readers and type checkers alone.
    promised -= {
        node.name for node in stub.body if isinstance(node, ast.ClassDef) and SHAPES & set(map(ast.unparse, node.bases))
    }
    lacking = sorted(found for found in promised if not found.startswith("_") and not hasattr(module, found))
    assert not lacking, f"the stub of {name} promises {lacking}"


def test_each_stub_has_a_compiled_module() -> None:
    stubs = {path.stem for path in (PACKAGE / "_native").glob("*.pyi")}
    assert stubs == set(native_modules())


def test_cimports_go_one_way() -> None:
    # A module that is inline code alone (a .pxd without .pyx) is nothing to import: no circle goes through it.
    compiled = set(native_modules())
    table = {name: found & compiled for name, found in cimports().items() if name in compiled}
    circles = sorted(name for name in table if name in reach(table, name))
    assert table
    assert not circles, f"these cimport each other in a circle: {circles}"


def family(name: str) -> str:
    """The one family of a native module."""
    found = [group for group, names in FAMILIES.items() if re.fullmatch(names, name)]
    assert len(found) == 1, f"{name} belongs to {found}; place it in FAMILIES"
    return found[0]


@pytest.mark.parametrize("name", sorted(cimports()))
def test_a_native_module_knows_only_its_side(name: str) -> None:
    strangers = {other for other in cimports()[name] if family(other) in MUST_NOT_KNOW[family(name)]}
    assert not strangers, f"{name} is of {family(name)} and must not know {sorted(strangers)}"


def test_only_http2_and_its_half_know_nghttp2() -> None:
    users = {
        path.stem for path in NATIVE.glob("*.p[xy][dx]") if re.search(r"nghttp2\.h|nghttp2_\w+\(", path.read_text())
    }
    # `sending` is the other half of `http2`, which was too long for one file.
    assert users <= {"nghttp2", "http2", "sending"}


@pytest.mark.parametrize(
    ("prefix", "numbers"),
    [
        ("METHOD_", types.Method),
        ("ENCODING_", types.Encoding),
        ("FORM_", types.Form),
        ("WALK_", types.Walk),
        ("STATUS_", status.Status),
    ],
)
def test_native_numbers_are_those_of_python(prefix: str, numbers: type[IntEnum]) -> None:
    text = (NATIVE / "types.pxd").read_text()
    native = {name: int(value) for name, value in re.findall(rf"^    {prefix}(\w+) = (-?\d+)", text, re.M)}
    native.pop("COUNT", None)
    python = {member.name: member.value for member in numbers}
    assert native
    assert native.items() <= python.items()


def test_native_routes_are_those_of_python() -> None:
    text = (NATIVE / "types.pxd").read_text()
    native = dict(re.findall(r"^    (ROUTE_\w+) = (-?\d+)", text, re.M))
    assert native == {"ROUTE_ALL": str(types.ROUTE_ALL), "ROUTE_NONE": str(types.ROUTE_NONE)}


def test_the_version_stands_in_one_place() -> None:
    assert metadata.version("millrace") == executor.__version__
    assert f'"{executor.__version__}"' not in (ROOT / "pyproject.toml").read_text()
