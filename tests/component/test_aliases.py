"""User code that imports `seldon_core` or `flask` gets the stand-ins, where the real ones are not installed."""

import importlib
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from executor._pb import seldon_pb2, seldon_pb2_grpc
from executor.component import aliases, flask_standin, load, raw
from executor.component.seldon_core import user_model


def run(text: str, *path: Path) -> str:
    """What a fresh Python prints for `text`, with `path` before all else."""
    told = [sys.executable, "-W", "error", "-c", f"import sys; sys.path[:0] = {[str(each) for each in path]}\n{text}"]
    done = subprocess.run(told, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_each_stand_in_is_found_by_its_name() -> None:
    aliases.install()
    aliases.install()
    assert sum(isinstance(each, aliases.Finder) for each in sys.meta_path) == 1
    wanted = {
        "seldon_core.user_model": user_model,
        "seldon_core.proto.prediction_pb2": seldon_pb2,
        "seldon_core.proto.prediction_pb2_grpc": seldon_pb2_grpc,
    }
    for name, module in wanted.items():
        assert importlib.import_module(name) is module
    assert raw.messages() is seldon_pb2
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("seldon_core.seldon_client")


def test_the_imports_of_classes_work_and_are_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "seldon_core"]:
        del sys.modules[name]
    (tmp_path / "model.py").write_text(
        "import seldon_core\n"
        "from seldon_core import Storage\n"
        "from seldon_core.user_model import SeldonComponent, SeldonResponse, SeldonNotImplementedError\n"
        "from seldon_core.flask_utils import SeldonMicroserviceException\n"
        "from seldon_core.metrics import create_counter, create_gauge, create_timer\n"
        "from seldon_core.proto import prediction_pb2\n"
        "from seldon_core.utils import get_data_from_proto, array_to_grpc_datadef\n"
        "class Model(SeldonComponent):\n"
        "    message = prediction_pb2.SeldonMessage\n"
    )
    with caplog.at_level(logging.INFO, aliases.__name__):
        cls = load.load_class("model.py:Model", base=tmp_path)
        load.load_class("model.py:Model", base=tmp_path)
    assert cls.message is seldon_pb2.SeldonMessage  # type: ignore[attr-defined]
    assert issubclass(cls, user_model.SeldonComponent)
    assert [each.getMessage() for each in caplog.records] == [
        "seldon_core is not installed: components get millrace's stand-in for it"
    ]


def test_a_package_that_is_there_is_left_alone(tmp_path: Path) -> None:
    package = tmp_path / "seldon_core"
    package.mkdir()
    (package / "__init__.py").write_text("real = True\n")
    (package / "metrics.py").write_text("create_counter = 'its own'\n")
    asked = (
        "from executor.component import aliases; aliases.install()\n"
        "import seldon_core, seldon_core.metrics\n"
        "try:\n    import seldon_core.utils\nexcept ImportError:\n    lacking = True\n"
        "print(seldon_core.real, seldon_core.metrics.create_counter, lacking)"
    )
    assert run(asked, tmp_path, Path.cwd()) == "True its own True"


def test_protobuf_is_not_loaded_before_a_class_asks_for_messages() -> None:
    asked = (
        "from executor.component import aliases; aliases.install()\n"
        "import seldon_core.user_model, seldon_core.metrics, seldon_core.flask_utils, seldon_core.utils\n"
        "print('google.protobuf' in sys.modules)\n"
        "import seldon_core.proto.prediction_pb2\n"
        "print('google.protobuf' in sys.modules)"
    )
    assert run(asked, Path.cwd()).split() == ["False", "True"]


def test_flask_is_stood_in_for_unless_it_is_there(tmp_path: Path) -> None:
    asked = "from executor.component import aliases; aliases.install()\nimport flask\nprint(flask.Blueprint.__module__)"
    (tmp_path / "flask.py").write_text("class Blueprint: pass\n")
    assert run(asked, tmp_path, Path.cwd()) == "flask"
    if importlib.util.find_spec("flask") is None or sys.modules.get("flask") is flask_standin:
        assert run(asked, Path.cwd()) == flask_standin.__name__


def test_a_raw_method_alone_asks_for_no_stand_in() -> None:
    told = run(
        "import logging; logging.basicConfig(level=logging.INFO, stream=sys.stdout)\n"
        "from executor.component import aliases, raw\n"
        "aliases.install()\n"
        "raw.messages().SeldonMessage()\n"
        "print(aliases.is_installed('seldon_core'), aliases.is_installed('json'))\n"
        "import seldon_core\n"
        "print(aliases.is_installed('seldon_core'))\n"
    )
    stand_in = "INFO:executor.component.aliases:seldon_core is not installed: components get millrace's stand-in for it"
    assert told.splitlines() == ["False True", stand_in, "False"]
