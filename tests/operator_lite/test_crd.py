"""Tests `crd`: that the file is up to date, and structural, and takes what is written for Seldon."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from support import golden
from support.resources import ONE, sdep

from executor.manifest import document
from operator_lite import crd
from operator_lite.crd import FILE, definition, main

ANY, EITHER = "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"
TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list}
SCHEMA = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def schemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema and all within it."""
    yield schema
    inner = list(schema.get("properties", {}).values())
    inner += [schema[key] for key in ("items", "additionalProperties") if key in schema]
    for each in inner:
        yield from schemas(each)


def misfits(value: Any, schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Where a value would be refused, or lose something."""
    if schema.get(EITHER):
        if not isinstance(value, int | str):
            yield path
        return
    if not isinstance(value, TYPES[schema["type"]]):
        yield path
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from misfits(each, schema["items"], f"{path}[{index}]")
    elif isinstance(value, dict) and not schema.get(ANY) and path != ".metadata":
        yield from (f"{path}.{name}" for name in schema.get("required", ()) if name not in value)
        for name, each in value.items():
            known = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            if known is None:
                yield f"{path}.{name}"
            else:
                yield from misfits(each, known, f"{path}.{name}")


def test_the_file_is_up_to_date() -> None:
    assert FILE.read_text() == crd.text(), "run `python -m operator_lite.crd`"
    assert yaml.safe_load(FILE.read_text()) == definition()


def test_check_tells_and_writes_nothing(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(crd, "FILE", tmp_path / "crd.yaml")
    assert main(["--check"]) == 1
    assert "run `python -m operator_lite.crd`" in capsys.readouterr().err
    assert not crd.FILE.exists()
    assert main([]) == main(["--check"]) == 0


def test_versions() -> None:
    found = definition()["spec"]["versions"]
    assert [(each["name"], each["served"], each["storage"]) for each in found] == [
        ("v1", True, True),
        ("v1alpha2", True, False),
        ("v1alpha3", True, False),
    ]
    assert all(each["subresources"].keys() == {"status", "scale"} for each in found)
    assert [each["name"] for each in found[0]["additionalPrinterColumns"]] == ["State", "Replicas", "Ready", "Age"]


def test_the_schema_is_structural() -> None:
    for each in schemas(SCHEMA):
        assert "type" in each or each.get(EITHER)
        assert not each.keys() & {"$ref", "anyOf", "oneOf", "allOf", "nullable", "enum", "default"}
        assert not ("properties" in each and "additionalProperties" in each)
        assert each.get("type") != "array" or "items" in each


def test_every_field_is_described() -> None:
    for model in (each for each in schemas(SCHEMA["properties"]["spec"]) if "properties" in each):
        assert all(each.get("description") for each in model["properties"].values()), list(model["properties"])


@pytest.mark.parametrize("path", golden.files(), ids=lambda path: path.stem)
def test_manifests_are_taken_whole(path: Any) -> None:
    _, manifest = document.read(golden.parts(path)[0])
    assert list(misfits(manifest.value, SCHEMA)) == []


def test_what_files_may_have_and_clusters_drop() -> None:
    found = sdep(ONE + "  protocol: seldon\n  unheard: of\n")
    assert list(misfits(found, SCHEMA)) == [".spec.predictors[0].protocol", ".spec.predictors[0].unheard"]


def test_children_are_of_any_form() -> None:
    found = sdep()
    found["spec"]["predictors"][0]["graph"]["children"] = [{"any": {"thing": [1]}}]
    assert list(misfits(found, SCHEMA)) == []
