"""XGBOOST_SERVER with real boosters."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest
import xgboost as library
from support import models

from executor.component.servers import xgboost
from executor.errors import ComponentError


@pytest.fixture(autouse=True)
def no_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs none."""
    monkeypatch.setenv("MILLRACE_NO_PICKLE", "1")


def loaded(folder: Path) -> xgboost.XgboostServer:
    server = xgboost.XgboostServer(str(folder))
    server.load()
    return server


@pytest.mark.parametrize("form", ["json", "ubj"])
@pytest.mark.parametrize("booster", ["gbtree", "dart", "gblinear"])
def test_it_answers_as_the_booster_does(tmp_path: Path, form: str, booster: str) -> None:
    made = models.xgboost(tmp_path, form, booster=booster)
    rows = models.iris()[0]
    answer = loaded(tmp_path).predict(rows, ["a", "b", "c", "d"])
    assert answer.shape == (150, 3)
    numpy.testing.assert_allclose(answer, made.predict(library.DMatrix(rows)), rtol=1e-6)


def test_missing_values_go_their_way(tmp_path: Path) -> None:
    made = models.xgboost(tmp_path)
    rows = models.iris()[0][:5].copy()
    rows[:, 2] = numpy.nan
    numpy.testing.assert_allclose(loaded(tmp_path).predict(rows), made.predict(library.DMatrix(rows)), rtol=1e-6)


@pytest.mark.parametrize("booster", ["gbtree", "gblinear"])
def test_threads_do_not_meet(tmp_path: Path, booster: str) -> None:
    models.xgboost(tmp_path, booster=booster)
    server = loaded(tmp_path)
    rows = models.iris()[0]
    wanted = server.predict(rows)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(server.predict, [rows] * 40))
    assert all(numpy.array_equal(each, wanted) for each in answers)


def test_what_is_no_booster(tmp_path: Path) -> None:
    (tmp_path / "model.bst").write_bytes(b"binf and so on")
    with pytest.raises(ComponentError, match=r"model\.bst: XGBoost .* cannot load it: .*save it again") as refused:
        loaded(tmp_path)
    assert "[bt]" not in str(refused.value)


def test_metadata(tmp_path: Path) -> None:
    models.xgboost(tmp_path)
    (tmp_path / "metadata.yaml").write_text("name: trees\n")
    assert loaded(tmp_path).init_metadata() == {"name": "trees"}
