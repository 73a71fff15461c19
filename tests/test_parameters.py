"""How a component's parameters are read from text."""

import json

import pytest

from executor import errors, parameters


def test_parameters() -> None:
    assert parameters.parse('{"a": 1, "b": 0.5, "c": "x", "d": true}') == {"a": 1, "b": 0.5, "c": "x", "d": True}
    listed = [
        {"name": "i", "value": "3", "type": "INT"},
        {"name": "f", "value": "0.5", "type": "FLOAT"},
        {"name": "d", "value": 1, "type": "DOUBLE"},
        {"name": "s", "value": 7, "type": "STRING"},
        {"name": "b", "value": "True", "type": "BOOL"},
        {"name": "n", "value": False, "type": "BOOL"},
    ]
    assert parameters.parse(json.dumps(listed)) == {"i": 3, "f": 0.5, "d": 1.0, "s": "7", "b": True, "n": False}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", """; names and values are written '{"rate": 0.5}'"""),
        ("1", "must be an object"),
        ('{"a": [1]}', "'a' must be a number"),
        ('[{"name": "a"}]', 'must have "name", "value" and "type"'),
        ('[{"name": "a", "value": "x", "type": "INT"}]', "'a' is 'x', which is not an INT"),
        ('[{"name": "a", "value": "x", "type": "FLOAT"}]', "'a' is 'x', which is not a FLOAT"),
        ('[{"name": "a", "value": "x", "type": "BOOL"}]', "'a' is 'x', which is not BOOL"),
        ('[{"name": "a", "value": "x", "type": "INTEGER"}]', "type 'INTEGER'; allowed are INT"),
    ],
)
def test_wrong_parameters(text: str, said: str) -> None:
    with pytest.raises(errors.RequestError) as caught:
        parameters.parse(text)
    assert said in str(caught.value)
