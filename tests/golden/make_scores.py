"""Makes scores.json: proper scores of predictive distributions, ensembles, intervals and quantiles.

    pip install -r requirements.txt
    pip install scoringrules==0.10.0 properscoring==0.1
    python make_scores.py [folder]

writes the file beside this script, or into `folder`. Running it again gives the same bytes. The format
is that of make.py, and so are the rules; "source" says where the numbers of a case are from.

Every score is written down once in torch and differentiated by torch in float64. Every number of every
case is compared with a second formulation that shares nothing with the first (`second`): for the
elementwise scores mpmath's derivative of the formula, for the others closed forms of loss and gradient
in numpy. Where a library has the score, it is called too (`library`), unless `without_library` says
that it overflows there. The conventions at ties are torch's: sign(0) = 0, the gradient of a norm at zero
is 0 and so is the slope of |0|^order; the pinball loss has the slope -q at a tie, as scikit-learn has it.
"""

import math
import os
import sys
import warnings
from dataclasses import dataclass
from typing import Callable

import mpmath
import numpy as np
import properscoring
import scoringrules
import sklearn
import sklearn._loss.loss as sklearn_losses
import torch
import torch.nn.functional as F
from mpmath import mpf

from golden import decode, encode, normal, uniform, versions, write

warnings.filterwarnings("ignore")
mpmath.mp.dps = 60
CASES = []


@dataclass
class Loss:
    """`value`, `second` and `library` take the inputs by name and the parameters.

    `value` returns the unreduced losses as a tensor. `second` returns them as an array and the gradients of
    their sum by input. `library` returns the losses, and gradients by input or None.
    """

    inputs: list
    differentiable: list
    value: Callable
    second: Callable
    library: Callable = None
    source: str = ""


# ---------------------------------------------------------------- evaluation

def evaluate(loss, request, library):
    params, reduction = request.get("params", {}), request.get("reduction", "mean")
    x = {k: np.array(decode(request[k]), dtype=object) for k in loss.inputs}
    missing = np.equal(x["targets"], None).astype(bool)
    x["targets"] = np.where(missing, 1.0, x["targets"])
    x = {k: v.astype(float) for k, v in x.items()}
    leaves = {k: torch.tensor(v, requires_grad=k in loss.differentiable) for k, v in x.items()}
    losses = loss.value(**leaves, **params)

    # The comparison, before weights and reduction.
    slopes = torch.autograd.grad(losses.sum(), [leaves[k] for k in loss.differentiable], retain_graph=True)
    slopes = dict(zip(loss.differentiable, slopes))
    compare(losses, slopes, *loss.second(**x, **params))
    if library:
        compare(losses, slopes, *loss.library(**x, **params))

    present = torch.tensor(~missing.reshape(*losses.shape, -1).any(-1))
    weight = torch.tensor(request.get("sample_weight", 1.0), dtype=torch.float64)
    weight = weight.reshape(weight.shape + (1,) * (losses.dim() - weight.dim())).expand(losses.shape)
    value = torch.where(present, weight * losses, 0)
    if reduction != "none":
        value = value.sum()
    if reduction == "mean":
        value = value / weight[present].sum()
    value.sum().backward()
    answer = np.where(present.numpy(), value.detach().numpy(), None).tolist() if reduction == "none" \
        else value.item()
    return {"loss": encode(answer), "gradients": {k: encode(leaves[k].grad) for k in loss.differentiable}}


def compare(losses, slopes, other_losses, other_slopes):
    assert np.allclose(losses.detach().numpy(), other_losses, rtol=1e-12, atol=1e-14), (losses, other_losses)
    for k, v in (other_slopes or {}).items():
        assert v.shape == slopes[k].shape, k
        assert np.allclose(slopes[k].numpy(), v, rtol=1e-12, atol=1e-13), (k, slopes[k], v)


def flat(value):
    return [v for part in value for v in flat(part)] if isinstance(value, list) else [value]


def add(name, case, without_library=False, **request):
    loss = LOSSES[name]
    library = bool(loss.library) and not without_library
    for k in loss.inputs:  # exact in float32, but for the decimals of the examples
        assert case == "example" or all(v is None or np.float32(v) == v for v in flat(request[k])), (name, case)
    answer = evaluate(loss, request, loss.library if library else None)
    assert "Infinity" not in str(answer) and "NaN" not in str(answer), (name, case)
    source = f"closed form in torch, gradient by autograd; agrees with {SECOND[name]}" + library * f" and {loss.source}"
    CASES.append({"loss": name, "case": case, "source": source, "request": request, "answer": answer})


# ---------------------------------------------------------------- location and scale

def crps_gaussian(predictions, scale, targets):
    z = (targets - predictions) / scale
    density = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return scale * (z * torch.erf(z / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi))


def crps_laplace(predictions, scale, targets):
    d = (targets - predictions).abs()
    return d + scale * torch.exp(-d / scale) - 0.75 * scale


def crps_logistic(predictions, scale, targets):
    z = (targets - predictions) / scale
    return scale * (z - 2 * F.logsigmoid(z) - 1)


def dawid_sebastiani(predictions, scale, targets):
    return ((targets - predictions) / scale) ** 2 + 2 * torch.log(scale)


def by_mpmath(formula):
    """Losses and gradients of a formula of location, scale and target, element by element."""
    def second(predictions, scale, targets):
        rows = []
        for m, s, y in zip(predictions.ravel(), scale.ravel(), targets.ravel()):
            m, s, y = mpf(float(m)), mpf(float(s)), mpf(float(y))
            rows.append([float(v) for v in (formula(m, s, y), mpmath.diff(lambda v: formula(v, s, y), m),
                                            mpmath.diff(lambda v: formula(m, v, y), s))])
        losses, by_location, by_scale = np.array(rows).T.reshape(3, *targets.shape)
        return losses, {"predictions": by_location, "scale": by_scale}
    return second


def by_gaussian_formula(m, s, y):
    z = (y - m) / s
    return s * (z * (2 * mpmath.ncdf(z) - 1) + 2 * mpmath.npdf(z) - 1 / mpmath.sqrt(mpmath.pi))


def by_laplace_formula(m, s, y):
    return abs(y - m) + s * mpmath.exp(-abs(y - m) / s) - s * 3 / 4


def by_logistic_formula(m, s, y):
    z = (y - m) / s
    return s * (z + 2 * mpmath.log1p(mpmath.exp(-z)) - 1)


def gaussian_library(predictions, scale, targets):
    losses, (by_location, by_scale) = properscoring.crps_gaussian(targets, predictions, scale, grad=True)
    assert np.allclose(losses, scoringrules.crps_normal(targets, predictions, scale, backend="numpy"), rtol=1e-9)
    return losses, {"predictions": by_location, "scale": by_scale}


def by_scoringrules(function):
    return lambda predictions, scale, targets: (function(targets, predictions, scale, backend="numpy"), None)


# ---------------------------------------------------------------- ensembles

def pairs(members, estimator):
    """What the sum over ordered pairs of members is divided by."""
    return members * members if estimator == "nrg" else members * (members - 1)


def crps_ensemble(predictions, targets, estimator="nrg"):
    spread = (predictions[:, :, None] - predictions[:, None]).abs().sum((1, 2))
    return (predictions - targets[:, None]).abs().mean(1) - spread / (2 * pairs(predictions.shape[1], estimator))


def crps_ensemble_second(predictions, targets, estimator="nrg"):
    """The sorted form. The sign of a difference counts the members below less those above."""
    m = predictions.shape[1]
    total = pairs(m, estimator)
    spread = (np.sort(predictions, axis=1) * (2 * np.arange(1, m + 1) - m - 1)).sum(1) / total
    error = predictions - targets[:, None]
    signs = np.array([[sum(v < x for v in row) - sum(v > x for v in row) for x in row] for row in predictions])
    return np.abs(error).sum(1) / m - spread, {"predictions": np.sign(error) / m - signs / total}


def energy_score(predictions, targets, estimator="nrg"):
    norm = torch.linalg.vector_norm
    spread = norm(predictions[:, :, None] - predictions[:, None], dim=-1).sum((1, 2))
    return norm(predictions - targets[:, None], dim=-1).mean(1) - spread / (2 * pairs(predictions.shape[1], estimator))


def unit(v):
    return v / np.sqrt((v * v).sum()) if v.any() else v


def energy_score_second(predictions, targets, estimator="nrg"):
    m, total = predictions.shape[1], pairs(predictions.shape[1], estimator)
    losses, slopes = np.zeros(len(targets)), np.zeros(predictions.shape)
    for row, (members, y) in enumerate(zip(predictions, targets)):
        for i, x in enumerate(members):
            losses[row] += math.dist(x, y) / m
            slopes[row, i] += unit(x - y) / m
            for j in range(i):  # a pair once, so half of the sum over ordered pairs
                losses[row] -= math.dist(x, members[j]) / total
                slopes[row, i] -= unit(x - members[j]) / total
                slopes[row, j] += unit(x - members[j]) / total
    return losses, {"predictions": slopes}


def variogram_score(predictions, targets, order=0.5):
    def variogram(v):
        d = (v[..., :, None] - v[..., None, :]).abs()
        return torch.where(d == 0, 0, torch.where(d == 0, 1, d) ** order)
    return ((variogram(predictions).mean(1) - variogram(targets)) ** 2).sum((1, 2))


def variogram_score_second(predictions, targets, order=0.5):
    n, m, d = predictions.shape
    losses, slopes = np.zeros(n), np.zeros(predictions.shape)
    for row in range(n):
        for i in range(d):
            for j in range(i):  # both orders of a pair are the same
                apart = predictions[row, :, i] - predictions[row, :, j]
                excess = (np.abs(apart) ** order).mean() - abs(targets[row, i] - targets[row, j]) ** order
                losses[row] += 2 * excess ** 2
                slope = [order * abs(v) ** (order - 1) * np.sign(v) if v else 0.0 for v in apart]
                slopes[row, :, i] += 4 * excess * np.array(slope) / m
                slopes[row, :, j] -= 4 * excess * np.array(slope) / m
    return losses, {"predictions": slopes}


def ensemble_library(function):
    def library(predictions, targets, order=None, estimator="nrg"):
        params = {} if order is None else {"p": order}
        return function(targets, predictions, estimator=estimator, backend="numpy", **params), None
    return library


# ---------------------------------------------------------------- intervals and quantiles

def pinball(x, y, q):
    """In numpy: the loss and its slope in x, -q at a tie."""
    return np.where(x <= y, q * (y - x), (1 - q) * (x - y)), np.where(x <= y, -q, 1 - q)


def interval_score(lower, upper, targets, alpha=0.1):
    return upper - lower + 2 / alpha * (F.relu(lower - targets) + F.relu(targets - upper))


def interval_score_second(lower, upper, targets, alpha=0.1):
    """Two pinball losses. At the ends of the interval the penalty has not started yet."""
    losses = (pinball(lower, targets, alpha / 2)[0] + pinball(upper, targets, 1 - alpha / 2)[0]) * 2 / alpha
    return losses, {"lower": (targets < lower) * 2 / alpha - 1, "upper": 1 - (targets > upper) * 2 / alpha}


def weighted_interval_score(lower, upper, median, targets, alphas):
    a = torch.tensor(alphas, dtype=torch.float64)
    scores = interval_score(lower, upper, targets[:, None], a)
    return ((targets - median).abs() / 2 + (a / 2 * scores).sum(1)) / (len(alphas) + 0.5)


def weighted_interval_score_second(lower, upper, median, targets, alphas):
    """Twice the mean pinball loss of the 2k + 1 quantiles; the slopes are those of the interval scores."""
    a, y = np.array(alphas), targets[:, None]
    share = len(alphas) + 0.5
    total = pinball(lower, y, a / 2)[0].sum(1) + pinball(upper, y, 1 - a / 2)[0].sum(1)
    return (total + pinball(median, targets, 0.5)[0]) / share, {
        "lower": (np.where(y < lower, 1, 0) - a / 2) / share,
        "upper": (a / 2 - np.where(y > upper, 1, 0)) / share,
        "median": np.sign(median - targets) / 2 / share}


def weighted_interval_library(lower, upper, median, targets, alphas):
    """Its numba path. The numpy path, which takes the median itself for its error, is wrong."""
    a = np.array(alphas)
    return scoringrules.weighted_interval_score(targets, median, lower, upper, a, 0.5, a / 2, backend="numba"), None


def crps_quantile(predictions, targets, q):
    level, d = torch.tensor(q, dtype=torch.float64), targets[:, None] - predictions
    return 2 * torch.where(d >= 0, level * d, (level - 1) * d).mean(1)


def crps_quantile_second(predictions, targets, q):
    losses, slopes = pinball(predictions, targets[:, None], np.array(q))
    return 2 * losses.sum(1) / len(q), {"predictions": 2 * slopes / len(q)}


def crps_quantile_library(predictions, targets, q):
    losses, slopes = zip(*(sklearn_losses.PinballLoss(quantile=level).loss_gradient(targets, np.array(column))
                           for level, column in zip(q, predictions.T)))
    losses, slopes = 2 * np.mean(losses, axis=0), 2 * np.array(slopes).T / len(q)
    assert np.allclose(losses, scoringrules.crps_quantile(targets, predictions, np.array(q), backend="numpy"))
    return losses, {"predictions": slopes}


# ---------------------------------------------------------------- the scores

def of_scale(value, formula, library=None, source=""):
    inputs = ["predictions", "scale", "targets"]
    return Loss(inputs, inputs[:2], value, by_mpmath(formula), library, source)


def of_ensemble(value, second, function, source):
    return Loss(["predictions", "targets"], ["predictions"], value, second, ensemble_library(function), source)


LOSSES = {
    "crps_gaussian": of_scale(
        crps_gaussian, by_gaussian_formula, gaussian_library,
        "properscoring.crps_gaussian (and its gradient) and scoringrules.crps_normal"),
    "crps_laplace": of_scale(crps_laplace, by_laplace_formula, by_scoringrules(scoringrules.crps_laplace),
                             "scoringrules.crps_laplace"),
    "crps_logistic": of_scale(crps_logistic, by_logistic_formula, by_scoringrules(scoringrules.crps_logistic),
                              "scoringrules.crps_logistic"),
    "dawid_sebastiani": of_scale(dawid_sebastiani, lambda m, s, y: ((y - m) / s) ** 2 + 2 * mpmath.log(s)),
    "crps_ensemble": of_ensemble(
        crps_ensemble, crps_ensemble_second, scoringrules.crps_ensemble, "scoringrules.crps_ensemble"),
    "energy_score": of_ensemble(
        energy_score, energy_score_second, scoringrules.es_ensemble, "scoringrules.es_ensemble"),
    "variogram_score": of_ensemble(variogram_score, variogram_score_second, scoringrules.vs_ensemble,
                                   "scoringrules.vs_ensemble"),
    "interval_score": Loss(["lower", "upper", "targets"], ["lower", "upper"], interval_score,
                           interval_score_second,
                           lambda lower, upper, targets, alpha=0.1: (
                               scoringrules.interval_score(targets, lower, upper, alpha, backend="numpy"), None),
                           "scoringrules.interval_score"),
    "weighted_interval_score": Loss(
        ["lower", "upper", "median", "targets"], ["lower", "upper", "median"], weighted_interval_score,
        weighted_interval_score_second, weighted_interval_library,
        "scoringrules.weighted_interval_score on its numba path"),
    "crps_quantile": Loss(
        ["predictions", "targets"], ["predictions"], crps_quantile, crps_quantile_second, crps_quantile_library,
        "sklearn._loss.loss.PinballLoss (and its gradient) and scoringrules.crps_quantile"),
}
SECOND = {
    **dict.fromkeys(["crps_gaussian", "crps_laplace", "crps_logistic", "dawid_sebastiani"],
                    "mpmath's value and derivative"),
    "crps_ensemble": "the sorted form", "energy_score": "the sum over unordered pairs",
    "variogram_score": "the sum over unordered pairs", "interval_score": "two pinball losses",
    "weighted_interval_score": "the mean pinball loss of the 2k + 1 quantiles",
    "crps_quantile": "the closed form of loss and slope",
}

# ---------------------------------------------------------------- the cases

EXAMPLES = {
    "crps_gaussian": ([21.5, 18.0, 24.2], [1.2, 2.0, 0.8], [20.9, 19.4, 24.3]),
    "crps_laplace": ([3.2, 5.0, 1.4], [0.5, 1.0, 0.4], [2.9, 6.5, 1.5]),
    "crps_logistic": ([120.0, 95.0, 101.0], [8.0, 5.0, 6.5], [131.0, 93.0, 98.5]),
    "dawid_sebastiani": ([1.1, 0.4, 2.3], [0.5, 0.3, 0.9], [1.6, 0.1, 2.2]),
}


for key, (locations, widths, observed) in EXAMPLES.items():
    add(key, "example", predictions=locations, scale=widths, targets=observed)
    for label, size, how in [("mean", (5,), {}), ("sum-2d", (2, 3), {"reduction": "sum"}),
                             ("none-3d", (2, 1, 4), {"reduction": "none"}),
                             ("sample-weight", (4, 2), {"sample_weight": [0.5, 2.0, 0.0, 1.25]}),
                             ("sample-weight-none", (3,), {"sample_weight": [0.0, 1.5, 3.0], "reduction": "none"})]:
        add(key, label, predictions=normal(f"{key} {label} p", *size, scale=2),
            scale=uniform(f"{key} {label} s", *size, low=0.25, high=3.0),
            targets=normal(f"{key} {label} t", *size, scale=2), **how)
    add(key, "missing", predictions=[[0.5, -1.25], [2.0, 0.75]], scale=[[1.0, 0.5], [2.5, 1.5]],
        targets=[[1.25, None], [-0.5, 0.25]])
    add(key, "missing-none", predictions=[0.5, -1.25, 2.0], scale=[1.0, 0.5, 2.5], targets=[None, 0.25, -0.5],
        reduction="none")
    add(key, "scalar", predictions=0.75, scale=1.5, targets=-0.25)
    add(key, "exact", predictions=[0.5, -3.0], scale=[1.0, 0.25], targets=[0.5, -3.0], reduction="none")
    add(key, "small-scale", without_library=key == "crps_logistic", predictions=[3.0, -3.0, 0.0],
        scale=[1 / 256, 1 / 256, 1 / 256], targets=[0.0, 0.0, 0.0], reduction="none")
    add(key, "large-scale", predictions=[1.5, -0.5], scale=[256.0, 1024.0], targets=[0.25, 2.0], reduction="none")

FAIR = {"params": {"estimator": "fair"}}
add("crps_ensemble", "example", predictions=[[20.1, 21.4, 22.0, 20.8], [15.2, 17.9, 16.4, 18.3]],
    targets=[21.1, 19.0])
for label, n, m, how in [("mean", 5, 3, {}), ("sum", 3, 6, {"reduction": "sum"}),
                         ("none", 4, 5, {"reduction": "none"}),
                         ("estimator-nrg", 3, 4, {"params": {"estimator": "nrg"}}),
                         ("estimator-fair", 3, 4, FAIR), ("estimator-fair-two-members", 4, 2, FAIR),
                         ("single-member", 3, 1, {}), ("single-row", 1, 9, {}),
                         ("sample-weight", 4, 3, {"sample_weight": [1.5, 0.0, 0.25, 2.0]}),
                         ("sample-weight-fair-sum", 3, 5,
                          {"sample_weight": [0.0, 3.0, 0.5], "reduction": "sum", **FAIR})]:
    add("crps_ensemble", label, predictions=normal(f"ce {label} p", n, m), targets=normal(f"ce {label} t", n), **how)
add("crps_ensemble", "missing", predictions=normal("ce miss p", 4, 3), targets=[0.5, None, -1.25, 0.25])
add("crps_ensemble", "missing-none", predictions=normal("ce missn p", 3, 4), targets=[None, 0.5, 1.0],
    reduction="none")
TIED = [[0.5, 0.5, 1.25, -2.0], [1.0, 2.0, 2.0, 2.0], [0.25, 0.25, 0.25, 0.25], [3.0, 1.0, 1.0, 3.0]]
add("crps_ensemble", "ties", predictions=TIED, targets=[0.5, 0.0, 0.25, 2.0], reduction="none")
add("crps_ensemble", "ties-fair", predictions=TIED, targets=[0.5, 0.0, 0.25, 2.0], **FAIR)
add("crps_ensemble", "far-from-zero", predictions=[[1000.25, 1000.5, 1001.0], [-4096.0, -4095.5, -4095.25]],
    targets=[1000.75, -4095.5], reduction="none")

EXAMPLE_2D = [[[10.2, 3.1], [11.0, 2.6], [9.4, 3.8]], [[7.5, 1.2], [8.1, 0.7], [6.9, 1.5]]]
for key, parameter in [("energy_score", FAIR), ("variogram_score", {"params": {"order": 1.0}})]:
    add(key, "example", predictions=EXAMPLE_2D, targets=[[10.6, 3.0], [7.0, 0.9]])
    word = "estimator-fair" if key == "energy_score" else "order-1"
    for label, n, m, d, how in [("mean", 3, 4, 2, {}), ("sum", 2, 3, 4, {"reduction": "sum"}),
                                ("none", 4, 2, 3, {"reduction": "none"}), (word, 3, 4, 3, parameter),
                                ("single-member", 3, 1, 3, {}),
                                ("sample-weight", 4, 3, 2, {"sample_weight": [0.5, 1.0, 0.0, 2.5]})]:
        add(key, label, predictions=normal(f"{key} {label} p", n, m, d), targets=normal(f"{key} {label} t", n, d),
            **how)
    add(key, "missing", predictions=normal(f"{key} miss p", 3, 2, 3),
        targets=[[0.5, 1.0, -0.25], [0.75, None, 1.5], [-1.0, 0.5, 0.0]])
    add(key, "missing-none", predictions=normal(f"{key} missn p", 3, 3, 2),
        targets=[[None, None], [0.75, -0.5], [None, 0.5]], reduction="none")
    # Equal members, a member that is the observation, and equal components.
    add(key, "ties", targets=[[1.0, 2.0], [0.5, 0.5], [0.0, 0.0]], reduction="none",
        predictions=[[[1.0, 2.0], [0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5], [2.0, 1.0], [2.0, 2.5]],
                     [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]])
add("energy_score", "estimator-nrg", predictions=normal("es nrg p", 2, 4, 3), targets=normal("es nrg t", 2, 3),
    params={"estimator": "nrg"})
add("energy_score", "one-dimension", predictions=normal("es 1d p", 3, 4, 1), targets=normal("es 1d t", 3, 1))
add("energy_score", "ties-fair", predictions=[[[1.0, 2.0], [1.0, 2.0], [0.5, 0.25]], [[0.0, 0.0]] * 3],
    targets=[[1.0, 2.0], [3.0, 4.0]], **FAIR)
for power in [0.25, 2.0]:
    add("variogram_score", f"order-{power:g}", predictions=normal(f"vs {power} p", 2, 3, 4),
        targets=normal(f"vs {power} t", 2, 4), params={"order": power})
add("variogram_score", "order-1-ties", predictions=[[[1.0, 1.0, 2.0], [0.5, 1.5, 1.5]]], targets=[[0.25, 1.0, 1.0]],
    params={"order": 1.0})
add("variogram_score", "one-dimension", predictions=normal("vs 1d p", 2, 3, 1), targets=normal("vs 1d t", 2, 1))


def ends(name, *shape):
    """Intervals, and targets inside and on both sides of them."""
    low = normal(name + " l", *shape)
    high = (np.array(low) + uniform(name + " w", *shape, low=0.25, high=2.0)).tolist()
    return {"lower": low, "upper": high, "targets": normal(name + " t", *shape, scale=2)}


add("interval_score", "example", lower=[18.2, 20.5, 15.0], upper=[24.6, 23.1, 19.5], targets=[21.0, 24.0, 14.2])
for label, size, how in [("mean", (6,), {}), ("sum-2d", (3, 2), {"reduction": "sum"}),
                         ("none-3d", (2, 2, 3), {"reduction": "none"}), ("alpha-0.5", (5,), {"params": {"alpha": 0.5}}),
                         ("alpha-0.05-none", (4,), {"params": {"alpha": 0.05}, "reduction": "none"}),
                         ("sample-weight", (4, 2), {"sample_weight": [0.0, 1.5, 0.25, 2.0]})]:
    add("interval_score", label, **ends(f"is {label}", *size), **how)
add("interval_score", "missing", **{**ends("is miss", 4), "targets": [0.5, None, -2.5, 3.0]})
add("interval_score", "missing-none", **{**ends("is missn", 3), "targets": [None, 0.5, 4.0]}, reduction="none")
add("interval_score", "scalar", lower=-0.5, upper=1.25, targets=2.0)
add("interval_score", "at-the-ends", lower=[1.0, 0.5, 2.0], upper=[2.0, 1.5, 2.0], targets=[1.0, 1.5, 2.0],
    reduction="none")


def fan(name, n, k):
    """k nested intervals around a median, the widest first."""
    middle = np.array(normal(name + " m", n))
    steps = np.array(uniform(name + " w", 2, n, k, low=0.125, high=0.75))
    widths = np.cumsum(steps, axis=2)[..., ::-1]
    return {"lower": encode(middle[:, None] - widths[0]), "upper": encode(middle[:, None] + widths[1]),
            "median": encode(middle), "targets": normal(name + " t", n, scale=2)}


add("weighted_interval_score", "example", lower=[[210.0, 238.0], [95.0, 118.0]], upper=[[312.0, 276.0], [170.0, 148.0]],
    median=[255.0, 131.0], targets=[290.0, 90.0], params={"alphas": [0.1, 0.5]})
for label, n, k, how in [("mean", 4, 3, {}), ("sum", 3, 4, {"reduction": "sum"}), ("none", 5, 2, {"reduction": "none"}),
                         ("one-interval", 4, 1, {}), ("sample-weight", 4, 2, {"sample_weight": [2.0, 0.0, 0.5, 1.0]})]:
    add("weighted_interval_score", label, **fan(f"wis {label}", n, k), params={"alphas": [0.05, 0.2, 0.5, 0.8][:k]},
        **how)
add("weighted_interval_score", "alphas-ascending-widths", params={"alphas": [0.9, 0.5, 0.02]},
    lower=[[0.5, 0.25, -2.0], [1.5, 1.0, -0.5]], upper=[[0.75, 1.0, 3.0], [1.75, 2.5, 4.0]], median=[0.625, 1.625],
    targets=[3.5, -0.75])
TWO = {"params": {"alphas": [0.1, 0.5]}}
add("weighted_interval_score", "missing", **{**fan("wis miss", 3, 2), "targets": [0.25, None, 3.0]}, **TWO)
add("weighted_interval_score", "missing-none", **{**fan("wis missn", 3, 2), "targets": [None, -2.5, 0.5]}, **TWO,
    reduction="none")
add("weighted_interval_score", "ties", lower=[[-1.0, 0.0], [-1.0, 0.5], [-1.0, 0.0]],
    upper=[[2.0, 1.0], [2.0, 1.0], [1.5, 1.0]], median=[0.5, 0.5, 0.75], targets=[0.5, 0.5, 1.5],
    params={"alphas": [0.25, 0.5]}, reduction="none")

add("crps_quantile", "example", predictions=[[12.0, 15.0, 19.0], [8.0, 9.5, 12.5]], targets=[17.0, 7.0],
    params={"q": [0.1, 0.5, 0.9]})
for label, n, levels, how in [("mean", 3, [0.05, 0.25, 0.5, 0.75, 0.95], {}),
                              ("sum", 4, [0.25, 0.75], {"reduction": "sum"}),
                              ("none", 5, [0.1, 0.5, 0.9], {"reduction": "none"}), ("one-level", 4, [0.8], {}),
                              ("median", 3, [0.5], {}), ("levels-not-sorted", 3, [0.9, 0.1, 0.3, 0.6], {}),
                              ("sample-weight", 4, [0.2, 0.5, 0.8], {"sample_weight": [1.0, 0.0, 2.5, 0.75]})]:
    add("crps_quantile", label, predictions=normal(f"cq {label} p", n, len(levels)), targets=normal(f"cq {label} t", n),
        params={"q": levels}, **how)
add("crps_quantile", "missing", predictions=normal("cq miss p", 3, 2), targets=[0.5, None, -0.25],
    params={"q": [0.25, 0.75]})
add("crps_quantile", "missing-none", predictions=normal("cq missn p", 3, 2), targets=[0.5, -0.25, None],
    params={"q": [0.1, 0.7]}, reduction="none")
add("crps_quantile", "ties", predictions=[[0.5, 0.5, 1.0], [2.0, 2.0, 2.0], [-1.0, 0.0, 1.0]], targets=[0.5, 2.0, 1.0],
    params={"q": [0.1, 0.5, 0.8]}, reduction="none")

if __name__ == "__main__":
    folder = os.path.abspath(sys.argv[1]) if 1 < len(sys.argv) else ""
    made_by = "tests/golden/make_scores.py, " + versions(torch, sklearn, mpmath, np) \
        + ", scoringrules 0.10.0, properscoring 0.1"
    write(os.path.join(folder, "scores.json"), made_by, CASES)
