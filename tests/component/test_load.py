"""Components are found, loaded anew each time, and made with exactly the parameters that they know."""

import sys
from pathlib import Path

import pytest

from executor.component import load
from executor.errors import ComponentError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parts.py").write_text("SIZE = 3\n")
    (tmp_path / "model.py").write_text(
        "from parts import SIZE\n"
        "class Model:\n"
        "    def __init__(self, rate: float, depth: int = 2, *, label='x'):\n"
        "        self.rate, self.depth, self.label, self.size = rate, depth, label, SIZE\n"
        "class Other: pass\n"
        "number = 7\n"
    )
    return tmp_path


def test_a_class_of_a_file_with_its_neighbours(folder: Path) -> None:
    made = load.component(f"{folder}/model.py:Model", {"rate": 0.5, "label": "y"})
    assert (made.rate, made.depth, made.label, made.size) == (0.5, 2, "y", 3)


def test_a_relative_path_starts_from_the_base(folder: Path) -> None:
    assert load.load_class("model.py:Model", base=folder).__name__ == "Model"


def test_each_load_is_a_new_module(folder: Path) -> None:
    old = load.load_class("model.py:Model", base=folder)
    (folder / "parts.py").write_text("SIZE = 40\n")
    new = load.load_class("model.py:Model", base=folder)
    assert old.__module__ != new.__module__
    assert (old(1.0).size, new(1.0).size) == (3, 40)
    assert sys.modules[old.__module__].Model is old


def test_folders_with_files_of_the_same_name_keep_apart(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    second = tmp_path_factory.mktemp("second")
    (second / "parts.py").write_text("SIZE = 9\n")
    (second / "model.py").write_text((folder / "model.py").read_text())
    one, two = (load.load_class("model.py:Model", base=each) for each in (folder, second))
    assert (one(1.0).size, two(1.0).size) == (3, 9)


def test_the_executor_itself_is_never_forgotten(folder: Path) -> None:
    (folder / "executor").mkdir()
    (folder / "plain.py").write_text("from executor.component import quick\nclass Plain: mark = quick\n")
    import executor.component

    plain = load.load_class("plain.py:Plain", base=folder)
    load.load_class("plain.py:Plain", base=folder)
    assert sys.modules["executor.component"] is executor.component
    assert plain.mark is executor.component.quick  # type: ignore[attr-defined]


def test_a_class_of_an_installed_module_with_relative_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "base.py").write_text("BASE = 11\n")
    (package / "thing.py").write_text("from .base import BASE\nclass Thing:\n    base = BASE\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    first, second = (load.load_class("some_package.thing:Thing") for _ in range(2))
    assert first is not second
    assert first.base == second.base == 11  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("model.py", ["path.py:Class or package.module:Class"]),
        ("model.py:not a name", ["path.py:Class"]),
        ("gone.py:Model", ["gone.py", "there is no file", "model.py, parts.py"]),
        ("model.py:Modell", ["no class Modell", "Model, Other"]),
        ("model.py:number", ["number is a int, not a class", "Model, Other"]),
        ("no_such_package.module:Model", ["no_such_package"]),
        ("no_such_module:Model", ["no such module"]),
        ("unseen:Model", ["no such module on the import path; there is unseen.py here: write unseen.py:Model"]),
        ("sys:Model", ["no such module on the import path"]),
    ],
)
def test_what_cannot_be_found_is_named(
    folder: Path,
    target: str,
    words: list[str],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = tmp_path_factory.mktemp("here")
    (here / "unseen.py").write_text("class Model: pass")
    monkeypatch.chdir(here)
    with pytest.raises(ComponentError) as caught:
        load.load_class(target, base=folder)
    assert caught.value.reason == "BAD_COMPONENT"
    for word in words:
        assert word in caught.value.message


def test_an_error_in_the_file_says_where(folder: Path) -> None:
    (folder / "broken.py").write_text("x = 1\n\ny = x / 0\n")
    (folder / "garbled.py").write_text("x = 1\nclass:\n")
    with pytest.raises(ComponentError, match=r"broken\.py: line 3: ZeroDivisionError: division by zero"):
        load.load_class("broken.py:X", base=folder)
    with pytest.raises(ComponentError, match=r"garbled\.py: line 2: SyntaxError"):
        load.load_class("garbled.py:X", base=folder)
    assert not [name for name in sys.modules if name.startswith("_millrace_broken")]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"rate": 1.0, "dept": 3}, "unknown parameter dept; allowed are: rate, depth, label"),
        ({"depth": 3}, "parameter rate is needed and has no default"),
    ],
)
def test_parameters_must_fit_the_constructor(folder: Path, parameters: dict[str, object], words: str) -> None:
    with pytest.raises(ComponentError) as caught:
        load.component(f"{folder}/model.py:Model", parameters)
    assert words in caught.value.message


def test_a_constructor_that_takes_anything_gets_anything() -> None:
    class Loose:
        def __init__(self, **given: object) -> None:
            self.given = given

    class Bare:
        pass

    assert load.construct(Loose, {"a": 1}).given == {"a": 1}
    with pytest.raises(ComponentError, match="unknown parameter a; allowed are: none"):
        load.construct(Bare, {"a": 1})


def test_a_constructor_that_raises_is_named() -> None:
    class Sour:
        def __init__(self) -> None:
            raise OSError("no disk")

    with pytest.raises(ComponentError, match="Sour: its constructor raised OSError: no disk"):
        load.construct(Sour, {})


def test_a_module_is_dropped_when_its_object_is_forgotten(folder: Path) -> None:
    old = load.component(f"{folder}/model.py:Model", {"rate": 0.5})
    new = load.component(f"{folder}/model.py:Model", {"rate": 0.5})
    name = type(old).__module__
    load.forget(old)
    load.forget(old)
    assert name not in sys.modules
    assert type(new).__module__ in sys.modules
    assert old.rate == 0.5
    load.forget(object())  # nothing was loaded for it


@pytest.mark.parametrize(
    ("said", "target"),
    [
        ("MyModel", "MyModel:MyModel"),
        ("pkg.mod.Class", "pkg.mod:Class"),
        ("pkg.mod:Class", "pkg.mod:Class"),
        ("some/path.py:Class", "some/path.py:Class"),
    ],
)
def test_seldons_names_of_classes(said: str, target: str) -> None:
    assert load.target_of(said) == target


def test_an_imported_class_keeps_its_module(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (folder / "Imported.py").write_text("class Imported:\n    pass\n")
    (folder / "Broken.py").write_text("1 / 0\n")
    first = load.component(load.target_of("Imported"), {}, imported=True)
    assert type(first).__module__ == "Imported"
    assert type(load.component("Imported:Imported", {}, imported=True)) is type(first)
    assert load.imported_class(f"{folder}/model.py:Model").__name__ == "Model"
    gone = "No module named 'Gone'; in .* there are .*Imported"
    for target, words in (("Gone:Gone", gone), ("Broken:Broken", "ZeroDivisionError")):
        with pytest.raises(ComponentError, match=words):
            load.imported_class(target)
    del sys.modules["Imported"]
