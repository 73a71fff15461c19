"""Owns the training of the iris model: scikit-learn's iris data, logistic regression, saved with joblib.

Must not be needed to serve: it writes the model folder and is done.
"""

from pathlib import Path

FOLDER = Path(__file__).parent / "model"
METADATA = """\
name: iris
versions: [v1]
platform: sklearn
inputs: [{messagetype: tensor, schema: {shape: [4]}}]
outputs: [{messagetype: tensor, schema: {shape: [3]}}]
"""


def train(folder: Path = FOLDER) -> None:
    """Train the model and put it where the server looks for it."""
    import joblib
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    rows, kinds = load_iris(return_X_y=True)
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(LogisticRegression(max_iter=1000).fit(rows, kinds), folder / "model.joblib")
    (folder / "metadata.yaml").write_text(METADATA)


if __name__ == "__main__":
    train()
