"""Makes robust.json, likelihood.json and margin.json: elementwise losses that torch.nn.functional lacks.

    pip install -r requirements.txt
    python make_elementwise.py [folder]

writes the three files beside this script, or into `folder`. Running it again gives the same bytes.
The format is that of make.py, and so are the rules; "source" says where the numbers of a case are from.

Every loss is written down once as a formula for mpmath. Its gradient is mpmath's derivative of that
formula with 120 digits (and more inside), except at a kink and on a branch that is not to be
differentiated, where the loss states its convention as a `slope`. The conventions are torch's:
sign(0) = 0, and a maximum with a constant has the slope 0 where the two are equal.

Where a library has the loss, the numbers are the library's, and every one of them is compared with the
formula. A case with exact=True takes the formula's instead: the library overflows there, loses digits to
cancellation, or lacks the parameter.
"""

import os
import sys
from dataclasses import dataclass, field
from typing import Callable

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_X64"] = "1"

import jax
import mpmath
import numpy as np
import optax
import scipy
import scipy.special
import sklearn
import sklearn._loss.loss as sklearn_losses
import sklearn.linear_model._sgd_fast as sgd
import torch
import torch.nn.functional as F
from mpmath import exp, expm1, log, log1p, loggamma, mpf, sqrt
from sklearn.metrics import (mean_absolute_percentage_error, mean_poisson_deviance, mean_gamma_deviance,
                             mean_squared_log_error, mean_tweedie_deviance)

from golden import decode, encode, integers, normal, signs, uniform, versions, write

DIGITS = 120
CASES = {}  # loss name: its cases, in the order they are added


@dataclass
class Loss:
    """`value` takes the inputs in order and the parameters by keyword, with the catalogue's defaults.

    `slope` takes the same and returns the gradients that are stated rather than differentiated, or None.
    `library` takes the inputs as arrays and the parameters, and returns losses and gradients: a list of
    arrays in the order of `differentiable`, or None where the library has only the value.
    """

    value: Callable
    slope: Callable = lambda *inputs, **params: None
    library: Callable = None
    source: str | Callable = ""  # of the library, or a function of the parameters
    more: list = field(default_factory=list)  # the inputs after predictions and targets

    @property
    def inputs(self):
        return ["predictions", "targets", *self.more]

    @property
    def differentiable(self):
        return ["predictions", *self.more]


# ---------------------------------------------------------------- evaluation

def by_formula(loss, x, params):
    """Losses and gradients of flat arrays, as lists of mpmath numbers."""
    places = [loss.inputs.index(k) for k in loss.differentiable]
    losses, gradients = [], [[] for _ in places]
    for element in zip(*(x[k] for k in loss.inputs)):
        element = [mpf(float(v)) for v in element]
        losses.append(loss.value(*element, **params))
        slope = loss.slope(*element, **params)
        if slope is None:
            slope = [partial(loss.value, element, i, params) for i in places]
        elif not isinstance(slope, list):
            slope = [slope]
        for column, s in zip(gradients, slope):
            column.append(s)
    return losses, gradients


def partial(value, element, i, params):
    return mpmath.diff(lambda v: value(*element[:i], v, *element[i + 1:], **params), element[i])


def agree(numbers, formula):
    """Whether a library's numbers are those of the formula, to a small multiple of the largest."""
    formula = np.array([float(v) for v in formula])
    return np.allclose(numbers, formula, rtol=1e-12, atol=1e-14 * max(np.abs(formula), default=0))


def by_best(loss, x, params, exact):
    """Losses and gradients of flat arrays, and where they are from."""
    losses, gradients = by_formula(loss, x, params)
    if exact or not loss.library:
        return losses, gradients, f"mpmath, {DIGITS} digits: the formula and its derivative"
    got, slopes = loss.library(x, params)
    assert agree(got, losses), (params, got, losses)
    source = loss.source(params) if callable(loss.source) else loss.source
    if slopes is None:
        return got, gradients, f"{source}; gradient by mpmath, {DIGITS} digits"
    assert all(agree(s, g) for s, g in zip(slopes, gradients)), (params, slopes, gradients)
    return got, slopes, source


def weights(request, shape):
    """The sample weights of a request, one for each element, flat."""
    given = np.array(request.get("sample_weight", 1), dtype=float)
    spread = np.broadcast_to(given.reshape(given.shape + (1,) * (len(shape) - given.ndim)), shape)
    return np.array([mpf(float(w)) for w in spread.ravel()], dtype=object)


def evaluate(name, request, exact):
    """The answer to a request, and where it is from."""
    loss = LOSSES[name]
    params = {k: decode(v) for k, v in request.get("params", {}).items()}
    reduction = request.get("reduction", "mean")
    x = {k: np.array(request[k], dtype=object) for k in loss.inputs}
    shape = x["targets"].shape
    assert all(v.shape == shape for v in x.values())
    present = np.array([t is not None for t in x["targets"].ravel()])
    assert present.all() or reduction != "none", "null losses are not written"
    x = {k: v.ravel()[present].astype(float) for k, v in x.items()}
    losses, gradients, source = by_best(loss, x, params, exact)

    w = weights(request, shape)
    share = w[present].sum() if reduction == "mean" else mpf(1)

    def shaped(values):
        row = np.zeros(present.size)
        row[present] = [float(v) for v in values]
        return encode(row.reshape(shape))

    losses, gradients = (w[present] * [mpf(v) for v in losses],
                         [w[present] * [mpf(v) for v in g] / share for g in gradients])
    value = shaped(losses) if reduction == "none" else float(losses.sum() / share)
    return {"loss": value, "gradients": dict(zip(loss.differentiable, map(shaped, gradients)))}, source


def flat(value):
    return [v for part in value for v in flat(part)] if isinstance(value, list) else [value]


def add(name, case, exact=False, float64_only=False, **request):
    with mpmath.workdps(DIGITS):
        answer, source = evaluate(name, request, exact)
    for k in LOSSES[name].inputs:  # exact in float32, but for the decimals of the examples
        values = [v for v in flat(request[k]) if v is not None]
        assert case == "example" or float64_only or all(np.float32(v) == v for v in values), (name, case, k)
    for numbers in [answer["loss"], *answer["gradients"].values()]:  # and so are the answers' sizes
        largest = max(abs(v) for v in flat(numbers))
        assert np.isfinite(largest), (name, case)
        assert float64_only or largest == 0 or 1e-37 < largest < 3e38, (name, case, largest)
    row = {"loss": name, "case": case, "source": source}
    if float64_only:
        row["float64_only"] = True
    CASES.setdefault(name, []).append({**row, "request": request, "answer": answer})


# ---------------------------------------------------------------- the libraries' functions

def by_autograd(function, more=()):
    """A torch function of the inputs by name, differentiated by torch."""
    def library(x, params):
        x = {k: torch.tensor(v) for k, v in x.items()}
        leaves = [x[k].requires_grad_(True) for k in ["predictions", *more]]
        losses = function(x, **params)
        losses.sum().backward()
        return losses.detach().numpy(), [leaf.grad.numpy() for leaf in leaves]
    return library


def by_sgd(make, at_kink=None):
    """A loss of scikit-learn's stochastic gradient descent. `at_kink` says where its gradient is taken as 0."""
    def library(x, params):
        function = make(**params)
        pairs = list(zip(x["predictions"], x["targets"]))
        slopes = [0.0 if at_kink and at_kink(p * t) else function.py_dloss(p, t) for p, t in pairs]
        return np.array([function.py_loss(p, t) for p, t in pairs]), [np.array(slopes)]
    return library


def each(metric):
    """The values of one of scikit-learn's metrics for each element by itself."""
    return lambda x, **params: np.array(
        [metric([t], [p], **params) for p, t in zip(x["predictions"], x["targets"])])


def half(loss, x):
    """Twice one of scikit-learn's half deviances, with the constant it leaves out, and twice its gradient."""
    losses, gradients = loss.loss_gradient(x["targets"], x["predictions"])
    return 2 * (losses + loss.constant_to_optimal_zero(x["targets"])), [2 * gradients]


# ---------------------------------------------------------------- regression

def expectile(p, t, tau=0.5):
    return (tau if p <= t else 1 - mpf(tau)) * (p - t) ** 2


def epsilon_insensitive(p, t, epsilon=0.1):
    return max(mpf(0), abs(p - t) - mpf(epsilon))


def on_the_tube(p, t, epsilon=0.1):
    return mpf(0) if abs(p - t) <= mpf(epsilon) else None


def msle(p, t):
    return (log1p(p) - log1p(t)) ** 2


def msle_library(x, params):
    # One row whose columns are the elements, so that the metric's mean is over one value.
    return mean_squared_log_error(x["targets"][None], x["predictions"][None], multioutput="raw_values"), None


def mape(p, t, eps=2.0 ** -52, scale=1.0):
    return scale * abs(p - t) / max(abs(t), mpf(eps))


def mape_library(x, params):
    values = mean_absolute_percentage_error(x["targets"][None], x["predictions"][None], multioutput="raw_values")
    return values * params.get("scale", 1.0), None


def smape(p, t, eps=1.17e-6):
    return 2 * abs(p - t) / max(abs(p) + abs(t), mpf(eps))


def smape_slope(p, t, eps=1.17e-6):
    if p == t:
        return mpf(0)
    if abs(p) + abs(t) <= mpf(eps):
        return 2 * mpmath.sign(p - t) / mpf(eps)
    return None


def zero_at_zero(p, t, /, **params):
    return mpf(0) if p == t else None


def pseudo_huber(p, t, delta=1.0):
    return mpf(delta) ** 2 * (sqrt(1 + ((p - t) / delta) ** 2) - 1)


def fair(p, t, c=1.0):
    r = abs(p - t) / mpf(c)
    return mpf(c) ** 2 * (r - log1p(r))


def cauchy(p, t, c=1.0):
    return mpf(c) ** 2 / 2 * log1p(((p - t) / c) ** 2)


def welsch(p, t, c=1.0):
    return -mpf(c) ** 2 / 2 * expm1(-((p - t) / c) ** 2)


def geman_mcclure(p, t, c=1.0):
    square = ((p - t) / c) ** 2
    return 2 * square / (square + 4)


def tukey_biweight(p, t, c=4.685):
    square = min(mpf(1), ((p - t) / c) ** 2)
    return mpf(c) ** 2 / 6 * (1 - (1 - square) ** 3)


def tukey_slope(p, t, c=4.685):
    return mpf(0) if abs(p - t) >= mpf(c) else None


def charbonnier(p, t, eps=1e-3):
    return sqrt((p - t) ** 2 + mpf(eps) ** 2)


def adaptive_robust(p, t, alpha=1.0, c=1.0):
    square = ((p - t) / c) ** 2
    if alpha == 2:
        return square / 2
    if alpha == 0:
        return log1p(square / 2)
    if np.isinf(alpha):
        return -expm1(-square / 2)
    b = abs(mpf(alpha) - 2)
    return b / alpha * expm1(mpf(alpha) / 2 * log1p(square / b))


def lp(a, t, p=2):
    return abs(a - t) ** p


def wing(p, t, width=5.0, curvature=0.5):
    w, k, d = mpf(width), mpf(curvature), abs(p - t)
    return w * log1p(d / k) if d < w else d - (w - w * log1p(w / k))


def wing_slope(p, t, width=5.0, curvature=0.5):
    return mpmath.sign(p - t) if abs(p - t) == mpf(width) or p == t else None


ROBUST = {
    "half_mse": Loss(
        lambda p, t: (p - t) ** 2 / 2,
        library=lambda x, params: (lambda pair: (pair[0], [pair[1]]))(
            sklearn_losses.HalfSquaredError().loss_gradient(x["targets"], x["predictions"])),
        source="sklearn._loss.loss.HalfSquaredError"),
    "expectile": Loss(expectile, zero_at_zero),
    "epsilon_insensitive": Loss(
        epsilon_insensitive, on_the_tube, by_sgd(lambda epsilon=0.1: sgd.EpsilonInsensitive(epsilon)),
        "sklearn.linear_model._sgd_fast.EpsilonInsensitive"),
    "squared_epsilon_insensitive": Loss(
        lambda p, t, **params: epsilon_insensitive(p, t, **params) ** 2, on_the_tube,
        by_sgd(lambda epsilon=0.1: sgd.SquaredEpsilonInsensitive(epsilon)),
        "sklearn.linear_model._sgd_fast.SquaredEpsilonInsensitive"),
    "msle": Loss(msle, zero_at_zero, msle_library, "sklearn.metrics.mean_squared_log_error"),
    "mape": Loss(mape, zero_at_zero, mape_library, "sklearn.metrics.mean_absolute_percentage_error"),
    "smape": Loss(smape, smape_slope),
    "pseudo_huber": Loss(
        pseudo_huber, source="scipy.special.pseudo_huber",
        library=lambda x, params: (
            scipy.special.pseudo_huber(params.get("delta", 1.0), x["predictions"] - x["targets"]), None)),
    "fair": Loss(fair, zero_at_zero),
    "cauchy": Loss(cauchy),
    "welsch": Loss(welsch),
    "geman_mcclure": Loss(geman_mcclure),
    "tukey_biweight": Loss(tukey_biweight, tukey_slope),
    "charbonnier": Loss(charbonnier),
    "adaptive_robust": Loss(adaptive_robust),
    "lp": Loss(lp, zero_at_zero),
    "wing": Loss(wing, wing_slope),
}
LOSSES = {**ROBUST}

# Residuals on both sides of, and at, every kink; then sizes at which a formula taken literally fails.
STEPS = [-3.0, -2.0, -1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0, 2.0, 5.0, 8.0]
SMALL = [2.0 ** -7, -1.25 * 2.0 ** -8, 1.75 * 2.0 ** -9]
TINY = [2.0 ** -12, -1.5 * 2.0 ** -12, 1.25 * 2.0 ** -13]
TINIEST = [2.0 ** -40, -1.5 * 2.0 ** -40, 1.25 * 2.0 ** -41]
LARGE = [1024.0, -1536.0, 4096.0]
HUGE = [2.0 ** 100, -1.5 * 2.0 ** 100, 1.25 * 2.0 ** 99]


def residuals(loss, case, values, **request):
    add(loss, case, predictions=values, targets=[0.0] * len(values), reduction="none", **request)


def usual(loss, draw=normal, draw_targets=None, **more):
    """The cases that every loss has: shapes, reductions, sample weights, a missing label."""
    draw_targets = draw_targets or draw

    def both(case, *shape):
        extra = {k: d(loss + case + k, *shape) for k, d in more.items()}
        return {"predictions": draw(loss + case + "p", *shape), "targets": draw_targets(loss + case + "t", *shape),
                **extra}

    add(loss, "mean", **both("mean", 5))
    add(loss, "sum-2d", **both("sum", 3, 2), reduction="sum")
    add(loss, "none-3d", **both("none", 2, 1, 3), reduction="none")
    add(loss, "sample-weight-mean", **both("sample", 3, 2), sample_weight=[1.0, 0.0, 2.5])
    add(loss, "sample-weight-per-element-sum", **both("element", 2, 2), sample_weight=[[0.5, 1.0], [0.0, 4.0]],
        reduction="sum")
    missing = both("missing", 4)
    missing["targets"][1] = None
    add(loss, "missing-mean", **missing)


def wide(name, *shape):
    return normal(name, *shape, scale=2)


PAIR = {"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}

add("half_mse", "example", **PAIR)
usual("half_mse", wide)
residuals("half_mse", "none", STEPS)
residuals("half_mse", "tiny", TINIEST)
residuals("half_mse", "large", LARGE)
residuals("half_mse", "huge", HUGE, float64_only=True)
add("half_mse", "scalar", predictions=1.75, targets=0.5)

add("expectile", "example", predictions=[2.5, 0.0, 2.0, 8.0], targets=[3.0, -0.5, 2.0, 5.0])
usual("expectile", wide)
for tau in [0.125, 0.9]:
    residuals("expectile", f"tau-{tau}-none", STEPS, params={"tau": tau})
    add("expectile", f"tau-{tau}-mean", predictions=wide("xp p", 6), targets=wide("xp t", 6), params={"tau": tau})
residuals("expectile", "tau-0.75-tiny", TINIEST, params={"tau": 0.75})
residuals("expectile", "tau-0.75-huge", HUGE, params={"tau": 0.75}, float64_only=True)

for loss in ["epsilon_insensitive", "squared_epsilon_insensitive"]:
    add(loss, "example", predictions=[2.5, 0.0, 2.05, 8.0], targets=[3.0, -0.5, 2.0, 5.0])
    usual(loss)
    for epsilon in [0.25, 1, 0]:
        residuals(loss, f"epsilon-{epsilon}-none", STEPS, params={"epsilon": epsilon})
    residuals(loss, "epsilon-just-outside", [0.25 + 2.0 ** -20, -0.25 - 2.0 ** -20, 0.25 - 2.0 ** -20],
              params={"epsilon": 0.25})
    add(loss, "epsilon-0.5-mean", predictions=wide("ei p", 6), targets=wide("ei t", 6), params={"epsilon": 0.5})
    residuals(loss, "large", LARGE, params={"epsilon": 2.0})


def positive(name, *shape):
    return uniform(name, *shape, low=0.125, high=6)


add("msle", "example", predictions=[2.5, 5.0, 4.0, 8.0], targets=[3.0, 5.0, 2.5, 7.0])
usual("msle", positive)
add("msle", "none", predictions=[0.0, 0.5, 3.0, 10.0, 2.0], targets=[0.0, 1.0, 3.0, 0.0, 2.5],
    reduction="none")
add("msle", "between-minus-one-and-zero", predictions=[-0.5, -0.9375, -0.25], targets=[-0.5, 0.25, -0.75],
    reduction="none")
add("msle", "near-zero", exact=True, predictions=[2.0 ** -20, 2.0 ** -21, -(2.0 ** -20)],
    targets=[2.0 ** -21, 2.0 ** -19, 2.0 ** -20], reduction="none")
add("msle", "nearly-equal", exact=True, predictions=[1 + 2.0 ** -20, 3 - 2.0 ** -20, 1 + 2.0 ** -19],
    targets=[1.0, 3.0, 1.0], reduction="none")
add("msle", "large", predictions=[1e6, 1048576.0, 4.0], targets=[2.0, 1.0, 1e6], reduction="none")
add("msle", "huge", predictions=[2.0 ** 100, 2.0 ** 120], targets=[2.0 ** 110, 0.0], reduction="none")


def nonzero(name, *shape):
    return encode(np.array(uniform(name, *shape, low=0.25, high=3)) * np.array(signs(name + "s", *shape)))


add("mape", "example", predictions=[2.5, 0.0, 2.0, 8.0], targets=[3.0, -0.5, 2.0, 5.0])
usual("mape", normal, nonzero)
add("mape", "none", predictions=[1.5, 2.0, -1.0, -3.0, 0.0], targets=[2.0, 2.0, 1.0, -1.5, -0.25],
    reduction="none")
add("mape", "target-zero", predictions=[0.5, -0.25, 0.0], targets=[0.0, 0.0, 0.0], reduction="none")
add("mape", "scale-100-none", predictions=[1.5, 2.0, -1.0], targets=[2.0, 2.0, 1.0], params={"scale": 100},
    reduction="none")
add("mape", "scale-100-mean", predictions=normal("mp p", 6), targets=nonzero("mp t", 6), params={"scale": 100})
add("mape", "eps-0.5", exact=True, predictions=[1.0, -1.0, 0.25, 0.75, 0.5], targets=[0.25, -0.25, 0.5, 0.0, 2.0],
    params={"eps": 0.5}, reduction="none")
add("mape", "eps-1-scale-2-mean", exact=True, predictions=normal("mq p", 6), targets=normal("mq t", 6),
    params={"eps": 1, "scale": 2.0})
add("mape", "target-tiny", predictions=[1.0, 2.0 ** -41], targets=[2.0 ** -40, 2.0 ** -40], reduction="none")
add("mape", "huge", predictions=[2.0 ** 100, -(2.0 ** 100)], targets=[2.0 ** 99, 2.0 ** 100], reduction="none")

add("smape", "example", predictions=[2.5, 0.0, 2.0, 8.0], targets=[3.0, -0.5, 2.0, 5.0])
usual("smape", normal, nonzero)
add("smape", "none", predictions=[1.5, 2.0, -1.0, -3.0, 3.0], targets=[2.0, 2.0, 1.0, -1.5, -0.25],
    reduction="none")
add("smape", "prediction-zero", predictions=[0.0, 0.0], targets=[2.0, -0.5], reduction="none")
add("smape", "target-zero", predictions=[0.5, -0.25, 4.0], targets=[0.0, 0.0, 0.0], reduction="none")
add("smape", "both-zero", predictions=[0.0, 1.0], targets=[0.0, 3.0], reduction="none")
add("smape", "eps-0.5", predictions=[0.125, 0.25, 0.5, -0.125, 0.0], targets=[0.25, 0.0, 0.5, 0.375, 0.0],
    params={"eps": 0.5}, reduction="none")
add("smape", "eps-1-mean", predictions=normal("sp p", 6), targets=nonzero("sp t", 6), params={"eps": 1})
add("smape", "nearly-equal", predictions=[1 + 2.0 ** -20, 3 - 2.0 ** -20], targets=[1.0, 3.0], reduction="none")
add("smape", "huge", predictions=[2.0 ** 100, -(2.0 ** 90)], targets=[2.0 ** 99, 2.0 ** 90], reduction="none")


def robust(loss, params, huge=True, **more):
    """The cases of the losses of p - t alone: `params` names the values of each parameter that are tried."""
    usual(loss, wide)
    residuals(loss, "none", STEPS, exact=True)
    for name, values in params.items():
        for value in values:
            word = str(value).replace("-", "minus-").lower()
            residuals(loss, f"{name}-{word}-none", STEPS, exact=True, params={**more, name: value})
            add(loss, f"{name}-{word}-mean", predictions=wide(loss + name + "p", 6),
                targets=normal(loss + name + "t", 6), params={**more, name: value})
    residuals(loss, "small", SMALL, exact=True)
    residuals(loss, "tiny", TINY, exact=True)
    residuals(loss, "tiniest", TINIEST, exact=True)
    residuals(loss, "large", LARGE, exact=True)
    if huge:
        residuals(loss, "huge", HUGE, exact=True)


for loss in ["pseudo_huber", "fair", "cauchy", "welsch", "geman_mcclure"]:
    add(loss, "example", **PAIR)
robust("pseudo_huber", {"delta": [0.5, 3.0]})
residuals("pseudo_huber", "delta-1000", [0.5, -1.25, 0.75], exact=True, params={"delta": 1000.0})
robust("fair", {"c": [0.5, 3.0]})
residuals("fair", "c-1000", [0.5, -1.25, 0.75], params={"c": 1000.0})
robust("cauchy", {"c": [0.5, 3.0]})
residuals("cauchy", "c-1.4142135623730951", STEPS, params={"c": 2.0 ** 0.5})
robust("welsch", {"c": [0.5, 3.0]}, huge=False)
residuals("welsch", "huge-and-near", [*HUGE, 0.5])
robust("geman_mcclure", {"c": [0.5, 3.0]}, huge=False)
residuals("geman_mcclure", "huge-and-near", [*HUGE, 0.5])

add("tukey_biweight", "example", **PAIR)
robust("tukey_biweight", {"c": [0.5, 3.0]}, huge=False)
residuals("tukey_biweight", "c-2-just-inside", [2 - 2.0 ** -10, -2 + 2.0 ** -11, 2.0, 2 + 2.0 ** -10],
          params={"c": 2.0})
residuals("tukey_biweight", "huge-and-near", [*HUGE, 0.5])

add("charbonnier", "example", **PAIR)
robust("charbonnier", {"eps": [0.5, 2.0]})
residuals("charbonnier", "around-eps", [0.0009765625, -0.00048828125, 0.001953125, 0.0])

add("adaptive_robust", "example", **PAIR)
robust("adaptive_robust", {"alpha": [2, 0, -2, 0.8, "-Infinity"], "c": [0.5, 3.0]})
add("adaptive_robust", "alpha-minus-2-c-0.5-mean", predictions=wide("ar p", 6), targets=normal("ar t", 6),
    params={"alpha": -2, "c": 0.5})
for alpha, word in [(0.8, "0.8"), (0, "0"), (-2, "minus-2"), (2.0 ** -10, "near-0"),
                    (-(2.0 ** -10), "near-0-below"), (2 - 2.0 ** -10, "near-2"), (-1000, "minus-1000"),
                    ("-Infinity", "minus-infinity")]:
    if word.startswith("near") or word == "minus-1000":
        residuals("adaptive_robust", f"alpha-{word}", STEPS, params={"alpha": alpha})
    residuals("adaptive_robust", f"alpha-{word}-tiny", TINY, params={"alpha": alpha})
    residuals("adaptive_robust", f"alpha-{word}-huge", [*HUGE, 0.5] if decode(alpha) < 0 else HUGE,
              params={"alpha": alpha}, float64_only=word == "near-2")
residuals("adaptive_robust", "alpha-2-huge", HUGE, params={"alpha": 2}, float64_only=True)

add("lp", "example", **PAIR)
usual("lp", wide)
for p in [1, 1.5, 2, 3]:
    residuals("lp", f"p-{p}-none", STEPS, params={"p": p})
residuals("lp", "p-0.5-none", [v for v in STEPS if v], params={"p": 0.5})
residuals("lp", "p-0.5-at-zero", [0.0, 4.0], params={"p": 0.5})
for p in [1, 1.5, 3]:
    add("lp", f"p-{p}-mean", predictions=wide("lp p", 6), targets=normal("lp t", 6), params={"p": p})
residuals("lp", "p-1.5-tiny", TINIEST, params={"p": 1.5})
residuals("lp", "p-1-huge", HUGE, params={"p": 1})
residuals("lp", "p-3-large", LARGE, params={"p": 3})

add("wing", "example", **PAIR)
robust("wing", {"width": [2.0, 8.0], "curvature": [0.25, 4.0]})
residuals("wing", "at-the-width", [5.0, -5.0, 5 - 2.0 ** -20, 5 + 2.0 ** -19, 0.0])

# ---------------------------------------------------------------- binary classification

def softplus(x):
    return log1p(exp(x))


def sigmoid(x):
    return 1 / (1 + exp(-x))


def asymmetric(x, t, gamma_neg=4.0, gamma_pos=1.0, clip=0.05):
    if t == 1:
        return sigmoid(-x) ** gamma_pos * softplus(-x)
    margin = sigmoid(x) - mpf(clip)  # 1 - margin = sigmoid(-x) + clip
    return -margin ** gamma_neg * log(sigmoid(-x) + mpf(clip)) if 0 < margin else mpf(0)


def asymmetric_slope(x, t, gamma_neg=4.0, gamma_pos=1.0, clip=0.05):
    return mpf(0) if t == 0 and sigmoid(x) <= mpf(clip) else None


def hinge(p, t):
    return max(mpf(0), 1 - p * t)


def hinge_slope(p, t):
    return mpf(0) if 1 <= p * t else None


def smooth_hinge(p, t):
    z = p * t
    return mpf(1) / 2 - z if z <= 0 else (1 - min(z, mpf(1))) ** 2 / 2


def smooth_hinge_slope(p, t):
    return -t if p * t == 0 else hinge_slope(p, t)


def modified_huber(p, t):
    z = p * t
    return -4 * z if z < -1 else (1 - min(z, mpf(1))) ** 2


def modified_huber_slope(p, t):
    return -4 * t if p * t == -1 else hinge_slope(p, t)


def exponential_library(x, params):
    losses, gradients = sklearn_losses.ExponentialLoss().loss_gradient((x["targets"] + 1) / 2, x["predictions"])
    return losses, [gradients]


def poly1(x, t, epsilon=1.0):
    return t * softplus(-x) + (1 - t) * softplus(x) + epsilon * (t * sigmoid(-x) + (1 - t) * sigmoid(x))


def poly1_library(x, params):
    """Of two classes with the logits x and 0."""
    t = np.stack([x["targets"], 1 - x["targets"]], axis=1)

    def losses(p):
        logits = jax.numpy.stack([p, jax.numpy.zeros_like(p)], axis=1)
        return optax.losses.poly_loss_cross_entropy(logits, t, epsilon=params.get("epsilon", 1.0))
    p = jax.numpy.asarray(x["predictions"])
    return np.array(losses(p)), [np.array(jax.grad(lambda v: losses(v).sum())(p))]


def cross_entropy_lambda(f, t, exposure=1.0):
    hazard = mpf(exposure) * softplus(f)  # p = 1 - exp(-hazard)
    return (1 - t) * hazard - t * log(-expm1(-hazard))


MARGIN = {
    "asymmetric": Loss(asymmetric, asymmetric_slope),
    "hinge": Loss(
        hinge, hinge_slope, by_sgd(lambda: sgd.Hinge(1.0), at_kink=lambda z: z == 1),
        "sklearn.linear_model._sgd_fast.Hinge, gradient 0 at the kink"),
    "squared_hinge": Loss(
        lambda p, t: hinge(p, t) ** 2, hinge_slope, by_sgd(lambda: sgd.SquaredHinge(1.0)),
        "sklearn.linear_model._sgd_fast.SquaredHinge"),
    "smooth_hinge": Loss(smooth_hinge, smooth_hinge_slope),
    "modified_huber": Loss(
        modified_huber, modified_huber_slope, by_sgd(sgd.ModifiedHuber),
        "sklearn.linear_model._sgd_fast.ModifiedHuber"),
    "perceptron": Loss(
        lambda p, t: max(mpf(0), -p * t), lambda p, t: mpf(0) if 0 <= p * t else None,
        by_sgd(lambda: sgd.Hinge(0.0), at_kink=lambda z: z == 0),
        "sklearn.linear_model._sgd_fast.Hinge(0), gradient 0 at the kink"),
    "exponential": Loss(
        lambda p, t: exp(-p * t), library=exponential_library, source="sklearn._loss.loss.ExponentialLoss"),
    "poly1_binary_cross_entropy": Loss(
        poly1, library=poly1_library, source="optax.losses.poly_loss_cross_entropy of two classes"),
    "brier": Loss(
        lambda p, t: (p - t) ** 2, source="torch.nn.functional.mse_loss",
        library=by_autograd(lambda x: F.mse_loss(x["predictions"], x["targets"], reduction="none"))),
    "cross_entropy_lambda": Loss(cross_entropy_lambda),
}
LOSSES.update(MARGIN)

LOGITS = [-8.0, -3.0, -2.0, -1.0, -0.25, 0.0, 0.5, 1.25, 2.0, 4.0]


def both_classes(loss, case, values, negative=0, **request):
    """Every value with the one target and with the other."""
    add(loss, case, predictions=values * 2, targets=[1] * len(values) + [negative] * len(values),
        reduction="none", **request)


def of_class(loss, case, target, values, **request):
    add(loss, case, predictions=values, targets=[target] * len(values), reduction="none", **request)


add("asymmetric", "example", predictions=[2.0, -1.5, 0.3], targets=[1, 0, 1])
usual("asymmetric", wide, integers)
both_classes("asymmetric", "none", LOGITS)
for params in [{"gamma_neg": 0}, {"gamma_neg": 1}, {"gamma_neg": 2.5}, {"gamma_neg": 0.5}, {"gamma_pos": 0},
               {"gamma_pos": 2}, {"gamma_pos": 0.5}, {"clip": 0}, {"clip": 0.25}]:
    [(k, v)] = params.items()
    both_classes("asymmetric", f"{k.replace('_', '-')}-{v}", LOGITS, params=params)
add("asymmetric", "all-parameters-mean", predictions=wide("as p", 3, 2), targets=integers("as t", 3, 2),
    params={"gamma_neg": 3, "gamma_pos": 2, "clip": 0.125})
both_classes("asymmetric", "off", LOGITS, params={"gamma_neg": 0, "gamma_pos": 0, "clip": 0})
both_classes("asymmetric", "clip-0.5-at-the-kink", [0.0, 0.0625, -0.0625], params={"clip": 0.5})
both_classes("asymmetric", "gamma-neg-0-clip-0.5-at-the-kink", [0.0, 2.0 ** -10, -(2.0 ** -10)],
             params={"gamma_neg": 0, "clip": 0.5})
both_classes("asymmetric", "extreme", [1000.0, -1000.0, 0.0])
of_class("asymmetric", "very-wrong-positives", 1, [-20.0, -100.0, -1000.0])
of_class("asymmetric", "very-right-positives", 1, [20.0, 21.0, 20.5])
of_class("asymmetric", "very-wrong-negatives", 0, [20.0, 21.0, 20.5])
of_class("asymmetric", "very-wrong-negatives-clip-0", 0, [20.0, 100.0, 1000.0], params={"clip": 0})
of_class("asymmetric", "very-right-negatives-clip-0", 0, [-5.0, -5.5, -6.0], params={"clip": 0})

SCORES = [-4.0, -2.0, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 1.5, 4.0]
for loss in ["hinge", "squared_hinge", "smooth_hinge", "modified_huber", "perceptron", "exponential"]:
    add(loss, "example", predictions=[0.8, -1.2, 0.3], targets=[1, -1, -1])
    usual(loss, wide, signs)
    both_classes(loss, "none", SCORES, negative=-1)
    add(loss, "scalar", predictions=0.75, targets=-1)
    if loss != "exponential":
        both_classes(loss, "large", LARGE, negative=-1)
        both_classes(loss, "huge", HUGE, negative=-1, float64_only=loss == "squared_hinge")
for loss in ["hinge", "squared_hinge", "smooth_hinge", "modified_huber"]:
    of_class(loss, "just-inside-the-margin", 1, [1 - 2.0 ** -20, 1 - 2.0 ** -21, 1 - 2.0 ** -19])
    of_class(loss, "just-outside-the-margin", -1, [-1 - 2.0 ** -20, -1.0, -1 - 2.0 ** -19])
both_classes("smooth_hinge", "around-zero", [2.0 ** -20, -(2.0 ** -20), 0.0], negative=-1)
both_classes("modified_huber", "around-minus-one", [-1 - 2.0 ** -20, -1 + 2.0 ** -20, -1.0], negative=-1)
both_classes("perceptron", "around-zero", TINIEST + [0.0], negative=-1)
of_class("exponential", "very-right", 1, [80.0, 80.5, 81.0])
of_class("exponential", "very-wrong", -1, [80.0, 80.5, 81.0])
of_class("exponential", "underflow", -1, [-1000.0, 0.5, -100.0], exact=True)
of_class("exponential", "overflow-in-float32", -1, [700.0, 700.5], float64_only=True)

add("poly1_binary_cross_entropy", "example", predictions=[2.0, -1.5, 0.3], targets=[1, 0, 1])
usual("poly1_binary_cross_entropy", wide, integers)
both_classes("poly1_binary_cross_entropy", "none", LOGITS)
for epsilon in [-1, 0, 2.5]:
    both_classes("poly1_binary_cross_entropy", f"epsilon-{epsilon}".replace("--", "-minus-"), LOGITS,
                 params={"epsilon": epsilon})
    add("poly1_binary_cross_entropy", f"epsilon-{epsilon}-mean".replace("--", "-minus-"),
        predictions=wide("pl p", 3, 2), targets=integers("pl t", 3, 2), params={"epsilon": epsilon})
both_classes("poly1_binary_cross_entropy", "extreme", [1000.0, -1000.0])
of_class("poly1_binary_cross_entropy", "very-right", 1, [20.0, 20.5, 21.0], exact=True)
of_class("poly1_binary_cross_entropy", "very-right-epsilon-minus-0.5", 0, [-20.0, -20.5, -21.0], exact=True,
         params={"epsilon": -0.5})
add("poly1_binary_cross_entropy", "soft-targets", predictions=[0.5, -1.0, 2.0, 0.0],
    targets=[0.25, 0.5, 0.875, 0.0], validate=False, reduction="none")


def probabilities(name, *shape):
    return uniform(name, *shape)


add("brier", "example", predictions=[0.9, 0.2, 0.6], targets=[1, 0, 1])
usual("brier", probabilities, integers)
both_classes("brier", "none", [0.0, 0.125, 0.5, 0.75, 1.0])
of_class("brier", "nearly-right", 1, [1 - 2.0 ** -20, 1 - 2.0 ** -21, 1.0])
of_class("brier", "nearly-zero", 0, [2.0 ** -40, 2.0 ** -41])
add("brier", "scalar", predictions=0.75, targets=1)
add("brier", "soft-targets", predictions=[0.5, 0.25, 0.75], targets=[0.25, 0.25, 0.875], validate=False,
    reduction="none")

add("cross_entropy_lambda", "example", predictions=[2.0, -1.5, 0.3], targets=[1, 0, 1])
usual("cross_entropy_lambda", wide, integers)
both_classes("cross_entropy_lambda", "none", LOGITS)
for exposure in [0.5, 2, 10]:
    both_classes("cross_entropy_lambda", f"exposure-{exposure}", LOGITS, params={"exposure": exposure})
    add("cross_entropy_lambda", f"exposure-{exposure}-mean", predictions=wide("el p", 3, 2),
        targets=integers("el t", 3, 2), params={"exposure": exposure})
both_classes("cross_entropy_lambda", "extreme-exposure-2", [1000.0, -1000.0, 30.0, -30.0], params={"exposure": 2})
of_class("cross_entropy_lambda", "very-right-positives-exposure-0.5", 1, [20.0, 20.5, 21.0],
         params={"exposure": 0.5})
of_class("cross_entropy_lambda", "very-right-positives-exposure-2", 1, [10.0, 10.5, 11.0], params={"exposure": 2})
of_class("cross_entropy_lambda", "very-right-negatives", 0, [-20.0, -20.5, -21.0])
of_class("cross_entropy_lambda", "very-wrong-positives-exposure-0.5", 1, [-20.0, -100.0, -1000.0],
         params={"exposure": 0.5})
add("cross_entropy_lambda", "soft-targets-exposure-2", predictions=[0.5, -1.0, 2.0, 0.0],
    targets=[0.25, 0.5, 0.875, 0.0], params={"exposure": 2}, validate=False, reduction="none")

# ---------------------------------------------------------------- likelihoods and deviances

def beta_nll(p, t, var, full=False, eps=1e-6, beta=0.5):
    v = max(var, mpf(eps))
    constant = log(2 * mpmath.pi) / 2 if full else 0
    return v ** beta * ((log(v) + (p - t) ** 2 / v) / 2 + constant)


def beta_nll_slope(p, t, var, full=False, eps=1e-6, beta=0.5):
    """v^beta is not differentiated, and neither is the bound eps on var, as in gaussian_nll."""
    v = max(var, mpf(eps))
    return [v ** beta * (p - t) / v, v ** beta * (1 / v - (p - t) ** 2 / v ** 2) / 2]


def beta_nll_torch(x, full=False, eps=1e-6, beta=0.5):
    losses = F.gaussian_nll_loss(x["predictions"], x["targets"], x["var"], full=full, eps=eps, reduction="none")
    return losses * x["var"].detach().clamp(min=eps) ** beta


def by_log_prob(make, *more):
    """The negative log-probability of the targets under a distribution of torch."""
    return by_autograd(lambda x, **params: -make(x).log_prob(x["targets"]), more)


def student_t_nll(p, t, scale, df):
    z = (t - p) / scale
    return (loggamma(df / 2) - loggamma((df + 1) / 2) + log(mpmath.pi * df) / 2 + log(scale)
            + (df + 1) / 2 * log1p(z ** 2 / df))


def negative_binomial_nll(p, t, dispersion):
    successes = t * log(p / (dispersion + p)) if t else mpf(0)
    return (loggamma(dispersion) + loggamma(t + 1) - loggamma(t + dispersion)
            - dispersion * log(dispersion / (dispersion + p)) - successes)


def gamma_nll(p, t, log_link=False):
    return p + t * exp(-p) if log_link else log(p) + t / p


def gamma_nll_library(x, params):
    if params.get("log_link"):
        losses, gradients = sklearn_losses.HalfGammaLoss().loss_gradient(x["targets"], x["predictions"])
        return losses, [gradients]
    return by_log_prob(lambda x: torch.distributions.Exponential(1 / x["predictions"]))(x, {})


def tweedie_deviance(p, t, power=1.5):
    k = mpf(power)
    if p == t:
        return mpf(0)
    if power == 0:
        return (p - t) ** 2
    if power == 1:
        return 2 * ((t * log(t / p) if t else 0) - t + p)
    if power == 2:
        return 2 * (log(p / t) + t / p - 1)
    # A negative target is possible for power <= 0 only; its power is then taken as 0.
    constant = max(t, mpf(0)) ** (2 - k) / ((1 - k) * (2 - k))
    return 2 * (constant - t * p ** (1 - k) / (1 - k) + p ** (2 - k) / (2 - k))


def tweedie_slope(p, t, power=1.5):
    return mpf(0) if p == t else None


def identity_link(metric, power=None):
    """scikit-learn's metric has the value, its loss for gradient boosting the gradient."""
    def library(x, params):
        k = params.get("power", 1.5) if power is None else power
        values = each(metric)(x, **({"power": k} if power is None else {}))
        loss = sklearn_losses.HalfTweedieLossIdentity(power=k)
        return values, [2 * loss.gradient(x["targets"], x["predictions"])]
    return library


def either_link(metric, power, half_loss):
    """A deviance: of the mean, or with log_link of the mean's logarithm."""
    identity = identity_link(metric, power)
    return {
        "value": lambda p, t, log_link=False: tweedie_deviance(exp(p) if log_link else p, t, power),
        "slope": lambda p, t, log_link=False: None if log_link else tweedie_slope(p, t),
        "library": lambda x, params: half(half_loss(), x) if params.get("log_link") else identity(x, params),
        "source": lambda params: f"sklearn._loss.loss.{half_loss.__name__}, doubled" if params.get("log_link") else
        f"sklearn.metrics.{metric.__name__}; gradient: sklearn._loss.loss.HalfTweedieLossIdentity, doubled",
    }


def tweedie_nll(f, t, power=1.5):
    k = mpf(power)
    first = t * f if power == 1 else t * exp((1 - k) * f) / (1 - k)
    return (f if power == 2 else exp((2 - k) * f) / (2 - k)) - first


def tweedie_nll_library(x, params):
    loss = sklearn_losses.HalfTweedieLoss(power=params.get("power", 1.5))
    losses, gradients = loss.loss_gradient(x["targets"], x["predictions"])
    return losses, [gradients]


LIKELIHOOD = {
    "beta_nll": Loss(
        beta_nll, beta_nll_slope, by_autograd(beta_nll_torch, ["var"]),
        "torch.nn.functional.gaussian_nll_loss, times the constant max(var, eps)^beta", ["var"]),
    "laplace_nll": Loss(
        lambda p, t, scale: log(2 * scale) + abs(p - t) / scale,
        lambda p, t, scale: [mpf(0), 1 / scale] if p == t else None,
        by_log_prob(lambda x: torch.distributions.Laplace(x["predictions"], x["scale"]), "scale"),
        "torch.distributions.Laplace", ["scale"]),
    "student_t_nll": Loss(
        student_t_nll, source="torch.distributions.StudentT", more=["scale", "df"],
        library=by_log_prob(
            lambda x: torch.distributions.StudentT(x["df"], x["predictions"], x["scale"]), "scale", "df")),
    "negative_binomial_nll": Loss(
        negative_binomial_nll, source="torch.distributions.NegativeBinomial", more=["dispersion"],
        library=by_log_prob(lambda x: torch.distributions.NegativeBinomial(
            x["dispersion"], logits=x["predictions"].log() - x["dispersion"].log()), "dispersion")),
    "gamma_nll": Loss(
        gamma_nll, library=gamma_nll_library, source=lambda params:
        "sklearn._loss.loss.HalfGammaLoss" if params.get("log_link") else "torch.distributions.Exponential"),
    "gamma_deviance": Loss(**either_link(mean_gamma_deviance, 2, sklearn_losses.HalfGammaLoss)),
    "poisson_deviance": Loss(**either_link(mean_poisson_deviance, 1, sklearn_losses.HalfPoissonLoss)),
    "tweedie_deviance": Loss(
        tweedie_deviance, tweedie_slope, identity_link(mean_tweedie_deviance),
        "sklearn.metrics.mean_tweedie_deviance; gradient: sklearn._loss.loss.HalfTweedieLossIdentity, doubled"),
    "tweedie_nll": Loss(
        tweedie_nll, library=tweedie_nll_library, source="sklearn._loss.loss.HalfTweedieLoss"),
}
LOSSES.update(LIKELIHOOD)


def counts(name, *shape):
    return integers(name, *shape, high=8)


def spread_of(loss, case, *shape, draw=normal, draw_targets=normal, **more):
    """Drawn inputs with further ones: for those of `more` their drawing functions."""
    return {"predictions": draw(loss + case + "p", *shape), "targets": draw_targets(loss + case + "t", *shape),
            **{k: d(loss + case + k, *shape) for k, d in more.items()}}


VARS = [0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0]
NEAR = {"predictions": [1.0, 2.0, 0.5, -1.0, 0.0, 3.0, -2.5, 0.25],
        "targets": [1.0, 0.0, 0.75, -3.0, 0.5, 3.5, 4.0, 0.0]}

add("beta_nll", "example", predictions=[1.0, 2.0, 3.0], targets=[1.5, 2.0, 2.0], var=[0.5, 1.0, 2.0])
usual("beta_nll", var=positive)
add("beta_nll", "none", **NEAR, var=VARS, reduction="none")
for beta in [0, 0.25, 1]:
    add("beta_nll", f"beta-{beta}-none", **NEAR, var=VARS, params={"beta": beta}, reduction="none")
add("beta_nll", "full-none", **NEAR, var=VARS, params={"full": True}, reduction="none")
add("beta_nll", "full-beta-0.75-mean", **spread_of("beta_nll", "full", 3, 2, var=positive),
    params={"full": True, "beta": 0.75})
add("beta_nll", "eps-clamps", predictions=[1.0, 0.5, 0.25, 1.5, 1.0, 2.0], targets=[0.0] * 6,
    var=[0.0, 0.03125, 0.125, 0.25, 0.375, 2.0], params={"eps": 0.25}, reduction="none")
add("beta_nll", "var-zero", predictions=[1.0, 1.0], targets=[0.0, 1.0], var=[0.0, 0.0], reduction="none")
add("beta_nll", "var-large", predictions=[1.0, 1000.0], targets=[0.0, 0.5], var=[2.0 ** 20, 2.0 ** 24],
    reduction="none")
add("beta_nll", "far", predictions=[1024.0, -2048.0], targets=[0.0, 0.5], var=[1.0, 0.25], reduction="none")

add("laplace_nll", "example", predictions=[1.0, 2.0, 3.0], targets=[1.5, 2.0, 2.0], scale=[0.5, 1.0, 2.0])
usual("laplace_nll", scale=positive)
add("laplace_nll", "none", **NEAR, scale=VARS, reduction="none")
add("laplace_nll", "exact-fit", predictions=[1.0, -2.0, 0.0], targets=[1.0, -2.0, 0.0], scale=[0.5, 2.0, 1.0],
    reduction="none")
add("laplace_nll", "scale-tiny", predictions=[1.0, 0.5], targets=[0.0, 0.25], scale=[2.0 ** -20, 2.0 ** -19],
    reduction="none")
add("laplace_nll", "scale-huge", predictions=[1.0, 2.0 ** 20], targets=[0.0, 0.25], scale=[2.0 ** 100, 2.0 ** 99],
    reduction="none")
add("laplace_nll", "far", predictions=[2.0 ** 60, -(2.0 ** 60)], targets=[0.0, 0.0], scale=[1.0, 0.5],
    reduction="none")
add("laplace_nll", "near", predictions=[2.0 ** -40, -(2.0 ** -40)], targets=[0.0, 0.0], scale=[1.0, 0.25],
    reduction="none")
add("laplace_nll", "scalar", predictions=1.75, targets=0.5, scale=2.0)

add("student_t_nll", "example", predictions=[1.0, 2.0, 3.0], targets=[1.5, 2.0, 2.0], scale=[0.5, 1.0, 2.0],
    df=[3, 5, 10])
usual("student_t_nll", scale=positive, df=positive)
FREEDOM = [0.25, 0.5, 1.0, 2.0, 3.0, 4.5, 8.0, 30.0]
add("student_t_nll", "none", **NEAR, scale=VARS, df=FREEDOM, reduction="none")
add("student_t_nll", "cauchy", **NEAR, scale=VARS, df=[1.0] * 8, reduction="none")
add("student_t_nll", "exact-fit", predictions=[1.0, -2.0], targets=[1.0, -2.0], scale=[0.5, 2.0], df=[2.0, 4.0],
    reduction="none")
add("student_t_nll", "near", predictions=[2.0 ** -12, -1.5 * 2.0 ** -12], targets=[0.0, 0.0], scale=[1.0, 2.0],
    df=[2.0, 4.0], reduction="none")
add("student_t_nll", "far", predictions=[1e6, -1e6, 4096.0], targets=[0.0, 0.0, 0.0], scale=[1.0, 2.0, 0.5],
    df=[1.0, 4.0, 3.0], reduction="none")
add("student_t_nll", "very-far", exact=True, predictions=[2.0 ** 80, -(2.0 ** 80)], targets=[0.0, 0.0],
    scale=[1.0, 2.0], df=[1.0, 4.0], reduction="none")
add("student_t_nll", "scale-small", predictions=[1.0, 0.25], targets=[0.5, 0.5], scale=[2.0 ** -10, 2.0 ** -11],
    df=[3.0, 5.0], reduction="none")
add("student_t_nll", "df-small", predictions=[1.0, 0.25], targets=[0.5, 0.5], scale=[1.0, 2.0],
    df=[0.0078125, 0.03125], reduction="none")
add("student_t_nll", "df-large", exact=True, predictions=[1.0, 0.5, 2.0, 1.0], targets=[0.5, 2.0, 0.25, 0.5],
    scale=[1.0, 2.0, 0.5, 1.0], df=[100.0, 300.0, 1000.0, 2.0], reduction="none")
add("student_t_nll", "df-huge", exact=True, predictions=[1.0, 0.5, 1.0], targets=[0.5, 2.0, 0.5],
    scale=[1.0, 2.0, 1.0], df=[2.0 ** 20, 2.0 ** 30, 2.0], reduction="none")

MEANS = [0.5, 1.0, 2.5, 4.0, 0.125, 3.0, 10.0, 6.0]
KS = [0, 1, 2, 7, 0, 3, 25, 6]
add("negative_binomial_nll", "example", predictions=[1.5, 2.0, 0.5], targets=[2, 0, 1], dispersion=[1.0, 2.0, 0.5])
usual("negative_binomial_nll", positive, counts, dispersion=positive)
add("negative_binomial_nll", "none", predictions=MEANS, targets=KS, dispersion=VARS, reduction="none")
add("negative_binomial_nll", "geometric", predictions=MEANS, targets=KS, dispersion=[1.0] * 8, reduction="none")
add("negative_binomial_nll", "no-counts", predictions=[0.5, 4.0, 0.0625], targets=[0, 0, 0],
    dispersion=[0.5, 2.0, 8.0], reduction="none")
add("negative_binomial_nll", "mean-small", exact=True, predictions=[2.0 ** -20, 2.0 ** -21, 2.0 ** -20],
    targets=[0, 1, 2], dispersion=[1.0, 2.0, 0.5], reduction="none")
add("negative_binomial_nll", "mean-small-no-counts", exact=True, predictions=[2.0 ** -20, 2.0 ** -21, 1.0],
    targets=[0, 0, 0], dispersion=[1.0, 2.0, 1.0], reduction="none")
add("negative_binomial_nll", "mean-large", predictions=[1000.0, 4096.0], targets=[3, 5000], dispersion=[0.5, 1.0],
    reduction="none")
add("negative_binomial_nll", "counts-large", exact=True, predictions=[1010.0, 500.0, 2000.0],
    targets=[1000, 400, 2500], dispersion=[2.0, 10.0, 0.5], reduction="none")
add("negative_binomial_nll", "dispersion-small", predictions=[1.0, 2.0, 0.5], targets=[0, 3, 1],
    dispersion=[0.0078125, 0.015625, 0.03125], reduction="none")
add("negative_binomial_nll", "dispersion-large", exact=True, predictions=[2.5, 4.0, 1.5, 2.0],
    targets=[3, 2, 0, 1], dispersion=[64.0, 256.0, 1024.0, 1.0], reduction="none")
add("negative_binomial_nll", "dispersion-huge", exact=True, predictions=[2.5, 4.0, 2.0], targets=[3, 2, 1],
    dispersion=[2.0 ** 20, 2.0 ** 30, 1.0], reduction="none")

LOG_MEANS = [-2.0, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 2.0]
AMOUNTS = [0.5, 1.0, 2.0, 4.0, 0.25, 3.0, 10.0, 6.0]
LOG_LINK = {"log_link": True}


def positive_means(loss, targets, draw_targets, example):
    """The cases of a loss of a positive mean, or with log_link of its logarithm."""
    add(loss, "example", **example)
    usual(loss, positive, draw_targets)
    add(loss, "none", predictions=MEANS, targets=targets, reduction="none")
    add(loss, "log-link-none", predictions=LOG_MEANS, targets=targets, params=LOG_LINK, reduction="none")
    add(loss, "log-link-mean", **spread_of(loss, "link", 6, draw_targets=draw_targets), params=LOG_LINK)
    add(loss, "log-link-sum-2d", **spread_of(loss, "sum", 3, 2, draw_targets=draw_targets), params=LOG_LINK,
        reduction="sum")
    add(loss, "log-link-sample-weight-mean", **spread_of(loss, "weight", 3, 2, draw_targets=draw_targets),
        params=LOG_LINK, sample_weight=[1.0, 0.0, 2.5])
    add(loss, "exact-fit", predictions=[1.0, 2.0, 0.25], targets=[1, 2, 0.25], reduction="none")
    add(loss, "mean-small", exact=True, predictions=[2.0 ** -20, 2.0 ** -21], targets=[1, 2], reduction="none")
    add(loss, "mean-large", predictions=[2.0 ** 20, 2.0 ** 21], targets=[1, 2], reduction="none")
    add(loss, "log-link-means-large", predictions=[30.0, 80.0], targets=[1, 2], params=LOG_LINK, reduction="none")
    add(loss, "log-link-means-small", predictions=[-30.0, -80.0], targets=[1, 2], params=LOG_LINK,
        reduction="none")


def nearly_equal(loss):
    """Where the terms of a deviance cancel."""
    for word, u in [("close", 2.0 ** -6), ("very-close", 2.0 ** -12), ("closest", 2.0 ** -20)]:
        add(loss, word, exact=True, predictions=[2 + 2 * u, 3 - 3 * u, 1 + u], targets=[2, 3, 1], reduction="none")
        add(loss, "log-link-" + word, exact=True, predictions=[u, -u, 1.5 * u], targets=[1, 1, 1], params=LOG_LINK,
            reduction="none")
    add(loss, "log-link-exact-fit", predictions=[0.0, 0.0], targets=[1, 1], params=LOG_LINK, reduction="none")


positive_means("gamma_nll", AMOUNTS, positive, {"predictions": [1.5, 2.0, 0.5], "targets": [2.0, 1.0, 0.5]})
add("gamma_nll", "log-link-mean-beyond-float32", predictions=[100.0, 1000.0], targets=[1.0, 2.0], params=LOG_LINK,
    reduction="none")
add("gamma_nll", "log-link-overflow-in-float32", float64_only=True, predictions=[-100.0, -700.0],
    targets=[1.0, 2.0], params=LOG_LINK, reduction="none")

positive_means("gamma_deviance", AMOUNTS, positive, {"predictions": [1.5, 2.0, 0.5], "targets": [2.0, 1.0, 0.5]})
nearly_equal("gamma_deviance")
add("gamma_deviance", "log-link-mean-beyond-float32", predictions=[100.0, 1000.0], targets=[1.0, 2.0],
    params=LOG_LINK, reduction="none")
add("gamma_deviance", "ratio-beyond-float32", exact=True, predictions=[2.0 ** 80, 2.0 ** 100],
    targets=[2.0 ** -80, 2.0 ** -100], reduction="none")

positive_means("poisson_deviance", KS, counts, {"predictions": [1.5, 2.0, 0.5], "targets": [2, 0, 1]})
nearly_equal("poisson_deviance")
add("poisson_deviance", "no-counts", predictions=[0.5, 2.0, 2.0 ** -20], targets=[0, 0, 0], reduction="none")
add("poisson_deviance", "log-link-no-counts", predictions=[-1.0, 2.0, -1000.0], targets=[0, 0, 0], params=LOG_LINK,
    reduction="none")
add("poisson_deviance", "log-link-mean-zero-in-float64", predictions=[-1000.0, -800.0], targets=[1, 2],
    params=LOG_LINK, reduction="none")

add("tweedie_deviance", "example", predictions=[1.5, 2.0, 0.5], targets=[2, 0, 1])
usual("tweedie_deviance", positive, counts)
add("tweedie_deviance", "none", predictions=MEANS, targets=KS, reduction="none")
for power in [0, 1, 1.25, 2, 3, -1]:
    word = str(power).replace("-", "minus-")
    targets = AMOUNTS if 2 <= power else [-1.5, *KS[1:]] if power <= 0 else KS
    add("tweedie_deviance", f"power-{word}-none", predictions=MEANS, targets=targets, params={"power": power},
        reduction="none")
    add("tweedie_deviance", f"power-{word}-mean", predictions=positive("td p", 6), targets=positive("td t", 6),
        params={"power": power})
add("tweedie_deviance", "exact-fit", predictions=[1.0, 4.0, 0.25], targets=[1, 4, 0.25], reduction="none")
add("tweedie_deviance", "no-amounts", predictions=[0.25, 4.0, 2.0 ** -20], targets=[0, 0, 0], reduction="none")
add("tweedie_deviance", "mean-small", exact=True, predictions=[2.0 ** -20, 2.0 ** -21], targets=[1, 2],
    reduction="none")
add("tweedie_deviance", "mean-large", predictions=[2.0 ** 20, 2.0 ** 21], targets=[1, 2], reduction="none")
add("tweedie_deviance", "close", exact=True, predictions=[2 + 2.0 ** -5, 3 - 2.0 ** -6, 1 + 2.0 ** -6],
    targets=[2, 3, 1], reduction="none")
for word, power in [("1", 1), ("2", 2), ("1.5", 1.5), ("3", 3)]:
    add("tweedie_deviance", f"power-{word}-closest", exact=True, float64_only=1.5 == power or 3 == power,
        predictions=[2 + 2.0 ** -19, 3 - 2.0 ** -20, 1 + 2.0 ** -20], targets=[2, 3, 1], params={"power": power},
        reduction="none")
add("tweedie_deviance", "power-1.0625", exact=True, predictions=MEANS, targets=KS, params={"power": 1.0625},
    reduction="none")
add("tweedie_deviance", "power-1.9375", exact=True, predictions=MEANS, targets=AMOUNTS, params={"power": 1.9375},
    reduction="none")
for word, power in [("just-above-1", 1 + 2.0 ** -20), ("just-below-2", 2 - 2.0 ** -20),
                    ("just-above-2", 2 + 2.0 ** -20)]:
    add("tweedie_deviance", f"power-{word}", exact=True, float64_only=True, predictions=MEANS, targets=AMOUNTS,
        params={"power": power}, reduction="none")

add("tweedie_nll", "example", predictions=[0.5, 1.2, -0.3], targets=[2, 0, 1])
usual("tweedie_nll", normal, counts)
add("tweedie_nll", "none", predictions=LOG_MEANS, targets=KS, reduction="none")
for power in [1.25, 1.75]:
    add("tweedie_nll", f"power-{power}-none", predictions=LOG_MEANS, targets=KS, params={"power": power},
        reduction="none")
    add("tweedie_nll", f"power-{power}-mean", predictions=normal("tn p", 6), targets=counts("tn t", 6),
        params={"power": power})
for power in [0, 1, 2, 3, -1]:
    word = str(power).replace("-", "minus-")
    targets = AMOUNTS if 2 <= power else [-1.5, *KS[1:]] if power <= 0 else KS
    add("tweedie_nll", f"power-{word}-none", exact=power == 0, predictions=LOG_MEANS, targets=targets,
        params={"power": power}, reduction="none")
add("tweedie_nll", "no-amounts", predictions=[-2.0, 0.0, 3.0], targets=[0, 0, 0], reduction="none")
add("tweedie_nll", "means-large", predictions=[30.0, 80.0], targets=[1, 2], reduction="none")
add("tweedie_nll", "means-small", predictions=[-30.0, -80.0], targets=[1, 2], reduction="none")
add("tweedie_nll", "means-zero-no-amounts", predictions=[-1000.0, 0.5], targets=[0, 0], reduction="none")
add("tweedie_nll", "overflow-in-float32", float64_only=True, predictions=[300.0, 600.0], targets=[1, 2],
    reduction="none")

# ---------------------------------------------------------------- the files

FILES = {"robust.json": ROBUST, "margin.json": MARGIN, "likelihood.json": LIKELIHOOD}

if __name__ == "__main__":
    folder = os.path.abspath(sys.argv[1]) if 1 < len(sys.argv) else ""
    made_by = "tests/golden/make_elementwise.py, " + versions(
        torch, sklearn, scipy, optax, jax, mpmath, np)
    for file_name, losses in FILES.items():
        write(os.path.join(folder, file_name), made_by, [case for name in losses for case in CASES[name]])
