"""Makes real_data.json: losses of models fitted to real data, with the values of scikit-learn and torch.

    pip install -r requirements.txt
    python real_data.py

The data sets are those that come with scikit-learn: diabetes (regression), digits (ten classes) and
breast_cancer (two classes). Predictions of the test part are rounded to six significant digits before
a loss is computed, so the values are those of exactly the numbers in the request. "source" names the
function that gave the loss; where it is scikit-learn's, torch gave the gradient, and its loss has been
compared with scikit-learn's. The format is that of make.py. Running it again gives the same bytes.
"""

import numpy as np
import sklearn
import torch
from sklearn._loss.loss import PinballLoss
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss, mean_absolute_error, mean_pinball_loss, mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from golden import encode, torch_case, versions, write

CASES = []


def six_digits(values):
    return np.vectorize(lambda v: float(f"{v:.6g}"))(values)


def add(loss, case, expected=None, source=None, **request):
    """A case; `expected` is the value of scikit-learn's `source`, which torch's has to equal."""
    row = torch_case(loss, case, {k: encode(v) if isinstance(v, np.ndarray) else v for k, v in request.items()})
    if expected is not None:
        assert np.isclose(row["answer"]["loss"], expected, rtol=1e-12), (case, row["answer"]["loss"], expected)
        row["source"] = source
        row["answer"]["loss"] = float(expected)
    CASES.append(row)


def add_quantile(case, q, predictions, targets, sample_weight=None):
    loss = mean_pinball_loss(targets, predictions, alpha=q, sample_weight=sample_weight)
    gradient = PinballLoss(quantile=q).gradient(targets, predictions)
    w = np.ones(len(targets)) if sample_weight is None else sample_weight
    request = {"predictions": encode(predictions), "targets": encode(targets), "params": {"q": q}}
    if sample_weight is not None:
        request["sample_weight"] = encode(sample_weight)
    CASES.append({"loss": "quantile", "case": case, "source": "sklearn.metrics.mean_pinball_loss", "request": request,
                  "answer": {"loss": float(loss), "gradients": {"predictions": encode(w * gradient / w.sum())}}})


def regression():
    x, y = load_diabetes(return_X_y=True)
    train_x, test_x, train_y, t = train_test_split(x, y, test_size=60, random_state=0)
    p = six_digits(LinearRegression().fit(train_x, train_y).predict(test_x))
    w = six_digits(1 + test_x[:, 0] ** 2 * 100)  # any positive weights: these grow with age's distance from the mean
    for case, weight in [("diabetes", None), ("diabetes-sample-weight", w)]:
        more = {} if weight is None else {"sample_weight": weight}
        add("mse", case, mean_squared_error(t, p, sample_weight=weight), "sklearn.metrics.mean_squared_error",
            predictions=p, targets=t, **more)
        add("l1", case, mean_absolute_error(t, p, sample_weight=weight), "sklearn.metrics.mean_absolute_error",
            predictions=p, targets=t, **more)
        add("huber", case, predictions=p, targets=t, params={"delta": 40.0}, **more)
        boosted = GradientBoostingRegressor(loss="quantile", alpha=0.9, n_estimators=60, random_state=0)
        add_quantile(case, 0.9, six_digits(boosted.fit(train_x, train_y).predict(test_x)), t, weight)


def classes():
    x, y = load_digits(return_X_y=True)
    train_x, test_x, train_y, t = train_test_split(x, y, test_size=120, random_state=0, stratify=y)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(train_x, train_y)
    logits = six_digits(model.decision_function(test_x))
    e = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = e / e.sum(1, keepdims=True)
    assert np.allclose(probabilities, model.predict_proba(test_x), atol=1e-4)
    add("cross_entropy", "digits", log_loss(t, probabilities), "sklearn.metrics.log_loss", predictions=logits,
        targets=t)
    add("multi_margin", "digits", predictions=logits[:60], targets=t[:60])


def binary():
    x, y = load_breast_cancer(return_X_y=True)
    train_x, test_x, train_y, t = train_test_split(x, y, test_size=120, random_state=0, stratify=y)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(train_x, train_y)
    logits = six_digits(model.decision_function(test_x))
    probabilities = six_digits(model.predict_proba(test_x)[:, 1])
    add("binary_cross_entropy", "breast-cancer", log_loss(t, probabilities), "sklearn.metrics.log_loss",
        predictions=probabilities, targets=t)
    add("binary_cross_entropy_with_logits", "breast-cancer", log_loss(t, 1 / (1 + np.exp(-logits))),
        "sklearn.metrics.log_loss", predictions=logits, targets=t)


if __name__ == "__main__":
    regression()
    classes()
    binary()
    write("real_data.json", "tests/golden/real_data.py, " + versions(torch, sklearn, np), CASES)
