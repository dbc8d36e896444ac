"""Makes profiles.json: what Keras, scikit-learn and optax give where they differ from torch.

    pip install -r requirements.txt
    pip install keras==3.15.1
    python make_profiles.py [folder]

writes the file beside this script, or into `folder`. Running it again gives the same bytes. The format
is that of make.py, and so are the rules; a request names the library in "profile", and the numbers are those
of that library: Keras on its torch backend with torch's gradient, optax with jax's gradient, scikit-learn,
which has no gradients here, with torch's gradient of the formula below.

Each case is also computed from a formula in torch (`FORMULAS`), which says what the profile comes to in the
catalogue's parameters, and reduced by the profile's rule: Keras divides a weighted sum by the number of losses
and a mean over nothing is 0, scikit-learn divides by the sum of the weights, optax leaves the mean to its user.

Keras narrows the float64 results of some operations to float32 on every backend but TensorFlow's. The entry of its
table that says so is set here to what it is with TensorFlow.
"""

import os
import sys
import warnings

os.environ["KERAS_BACKEND"] = "torch"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_X64"] = "1"

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import sklearn
import torch
import torch.nn.functional as F
from keras.src.backend.common.dtypes import BIT64_TO_BIT32_DTYPE
from keras.src.losses.loss import reduce_weighted_values
from sklearn.metrics import log_loss, mean_absolute_percentage_error, mean_squared_error

from golden import distribution, encode, integers, normal, signs, uniform, versions, write

warnings.filterwarnings("ignore")
keras.config.set_floatx("float64")
BIT64_TO_BIT32_DTYPE["float64"] = "float64"
CASES = []
KERAS_EPSILON = 1e-7


# ---------------------------------------------------------------- what the profiles come to

def clipped(eps):
    """Cross-entropy of probabilities clipped to [eps, 1 - eps], so that the gradient is 0 outside."""
    def losses(p, t, label_smoothing=0.0):
        p, t = p.clamp(eps, 1 - eps), t * (1 - label_smoothing) + label_smoothing / 2
        return -t * torch.log(p) - (1 - t) * torch.log1p(-p)
    return losses


def mape(eps, scale):
    return lambda p, t: scale * (p - t).abs() / t.abs().clamp_min(eps)


def sigmoid_focal(p, t, alpha=None, gamma=2.0):
    chance = torch.sigmoid(p)
    right = chance * t + (1 - chance) * (1 - t)
    balance = 1.0 if alpha is None else alpha * t + (1 - alpha) * (1 - t)
    return balance * (1 - right) ** gamma * F.binary_cross_entropy_with_logits(p, t, reduction="none")


def of_right_class(function):
    """Losses of the log-probability of the right class; the classes are the last axis."""
    return lambda p, t, **params: function(torch.log_softmax(p, -1).gather(-1, t.long()[..., None])[..., 0], **params)


def cross_entropy(p, t, label_smoothing=0.0):
    return F.cross_entropy(p.movedim(-1, 1), t.movedim(-1, 1) if t.dim() == p.dim() else t.long(), reduction="none",
                           label_smoothing=label_smoothing)


def overlap(p, t, smooth_above, smooth_below, whole_batch):
    """Dice with one smoothing above the line and one below. The whole batch is one row."""
    p, t = (v.reshape(1 if whole_batch else len(v), -1) for v in (p, t))
    return 1 - (2 * (p * t).sum(1) + smooth_above) / (p.sum(1) + t.sum(1) + smooth_below)


def tversky(p, t):
    """1 - I / (I + FP / 2 + FN / 2 + eps) over the whole batch."""
    shared = (p * t).sum()
    return (1 - shared / (shared + (p * (1 - t)).sum() / 2 + ((1 - p) * t).sum() / 2 + KERAS_EPSILON)).reshape(1)


def log_cosh(p, t):
    d = (p - t).abs()
    return d + torch.log1p(torch.exp(-2 * d)) - np.log(2)


def huber(p, t, delta=1.0):
    return F.huber_loss(p, t, reduction="none", delta=delta)


FORMULAS = {
    ("binary_cross_entropy", "keras"): clipped(KERAS_EPSILON),
    ("binary_cross_entropy", "sklearn"): clipped(2.0 ** -52),
    ("mape", "keras"): mape(KERAS_EPSILON, 100.0),
    ("mape", "sklearn"): mape(2.0 ** -52, 1.0),
    "mse": lambda p, t: (p - t) ** 2,
    "sigmoid_focal": sigmoid_focal,
    "softmax_focal": of_right_class(lambda lp, alpha=0.25, gamma=2.0: -alpha * (-torch.expm1(lp)) ** gamma * lp),
    "generalized_cross_entropy": of_right_class(lambda lp, q=0.5: -torch.expm1(q * lp) / q),
    ("dice", "keras"): lambda p, t: overlap(p, t, 0.0, KERAS_EPSILON, True),
    ("dice", "optax"): lambda p, t: overlap(p, t, 2.0, 2.0, False),
    "tversky": tversky,
    "poisson_nll": lambda p, t: p - t * torch.log(p + KERAS_EPSILON),
    "cross_entropy": cross_entropy,
    "log_cosh": log_cosh,
    "huber": huber,
    "hinge": lambda p, t: F.relu(1 - p * t),
}


def by_formula(loss, request):
    profile, reduction = request["profile"], request.get("reduction", "mean")
    formula = FORMULAS.get((loss, profile)) or FORMULAS[loss]
    p = torch.tensor(request["predictions"], dtype=torch.float64, requires_grad=True)
    t = np.array(request["targets"], dtype=object)
    present = torch.tensor(np.not_equal(t, None).astype(bool))
    t = torch.tensor(np.where(present.numpy(), t, 1).astype(float))
    losses = formula(p, t, **request.get("params", {}))
    if present.shape != losses.shape:  # a row of targets for one loss; no case has nulls there
        assert present.all()
        present = torch.ones(losses.shape, dtype=torch.bool)
    weight = torch.tensor(request.get("sample_weight", 1.0), dtype=torch.float64)
    weight = weight.reshape(weight.shape + (1,) * (losses.dim() - weight.dim())).expand(losses.shape)
    value = torch.where(present, weight * losses, 0)
    if reduction != "none":
        value = value.sum()
    if reduction == "mean":
        count = present.sum() if profile == "keras" else weight[present].sum()
        value = value / count if count else value * 0
    value.sum().backward()
    return value.detach().numpy(), p.grad.numpy()


def add(loss, case, source, request, value, gradient, float64_only=False):
    formula, slope = by_formula(loss, request)
    for number, other in [(value, formula), (gradient, slope)]:
        assert number is None or np.allclose(number, other, rtol=1e-11, atol=1e-13), (loss, case, number, other)
    if gradient is None:
        source, gradient = source + "; gradient by torch's autograd of its formula", slope
    missing = np.equal(np.array(request["targets"], dtype=object), None).astype(bool)
    if request.get("reduction") == "none" and missing.any():
        value = np.where(missing, None, value)
    row = {"loss": loss, "case": case, "source": source}
    if float64_only:
        row["float64_only"] = True
    CASES.append({**row, "request": request,
                  "answer": {"loss": encode(np.asarray(value)), "gradients": {"predictions": encode(gradient)}}})


# ---------------------------------------------------------------- the libraries

def one_hot(t, p):
    return F.one_hot(t.long(), p.shape[-1]).double()


# Of a loss in Keras: the class, its arguments, and what is done to predictions and targets before.
KERAS = {
    "binary_cross_entropy": ("BinaryCrossentropy", {}, None),
    "mape": ("MeanAbsolutePercentageError", {}, None),
    "mse": ("MeanSquaredError", {}, None),
    "sigmoid_focal": ("BinaryFocalCrossentropy", {"from_logits": True}, None),
    "softmax_focal": ("CategoricalFocalCrossentropy", {"from_logits": True}, lambda p, t: (p, one_hot(t, p))),
    "generalized_cross_entropy": ("CategoricalGeneralizedCrossEntropy", {}, lambda p, t: (torch.softmax(p, -1), t)),
    "dice": ("Dice", {}, None),
    "tversky": ("Tversky", {}, None),
    "poisson_nll": ("Poisson", {}, None),
    "log_cosh": ("LogCosh", {}, None),
    "huber": ("Huber", {}, None),
    "hinge": ("Hinge", {}, None),
}


def by_keras(loss, case, float64_only=False, **request):
    """Keras takes the mean over the last axis first, so a flat batch is given to it as a column."""
    request = {"profile": "keras", **request}
    p = torch.tensor(request["predictions"], dtype=torch.float64, requires_grad=True)
    t = np.array(request["targets"], dtype=object)
    present = np.not_equal(t, None).astype(bool)
    t = torch.tensor(np.where(present, t, 1).astype(float))
    name, arguments, prepare = KERAS.get(loss, ("", {}, None))
    arguments = {**arguments, **request.get("params", {})}
    if loss == "cross_entropy":
        name = "CategoricalCrossentropy" if t.dim() == p.dim() or arguments else "SparseCategoricalCrossentropy"
        prepare = (lambda p, t: (p, one_hot(t, p))) if t.dim() < p.dim() and arguments else None
        arguments["from_logits"] = True
    if loss == "sigmoid_focal" and "alpha" in arguments:
        arguments["apply_class_balancing"] = True
    x, y = (p, t) if prepare is None else prepare(p, t)
    if prepare is None and x.dim() == 1:
        x, y = x[:, None], y[:, None]
    function = getattr(keras.losses, name)(reduction="none", dtype="float64", **arguments)
    values = function(y, x)
    reduction = {"mean": "sum_over_batch_size"}.get(request.get("reduction", "mean"), request.get("reduction"))
    weight = request.get("sample_weight")
    if weight is not None:
        weight = torch.tensor(weight, dtype=torch.float64)
        weight = weight.reshape(weight.shape + (1,) * (values.dim() - weight.dim()))
    if present.all():
        whole = getattr(keras.losses, name)(reduction=reduction, dtype="float64", **arguments)
        value = whole(y, x, sample_weight=weight)
    else:
        value = reduce_weighted_values(values, weight, torch.tensor(present), reduction, "float64")
    assert value.dtype == torch.float64
    value.sum().backward()
    shown = "".join(f", {k}={v}" for k, v in arguments.items())
    source = f"keras.losses.{name}({shown[2:]}), torch backend" + ("" if present.all() else ", missing labels masked")
    add(loss, case, source, request, value.detach().numpy(), p.grad.numpy(), float64_only)


OPTAX = {
    "sigmoid_focal": (optax.losses.sigmoid_focal_loss, "sigmoid_focal_loss"),
    "log_cosh": (optax.losses.log_cosh, "log_cosh"),
    "huber": (optax.losses.huber_loss, "huber_loss"),
    "hinge": (optax.losses.hinge_loss, "hinge_loss"),
    # It takes logits of a single class and sums over all axes but the first.
    "dice": (lambda p, t: optax.losses.binary_dice_loss(jax.scipy.special.logit(p)[..., None], t[..., None]),
             "binary_dice_loss"),
}


def by_optax(loss, case, **request):
    request = {"profile": "optax", "reduction": "mean", **request}
    p, t = (jnp.array(request[k]) for k in ["predictions", "targets"])
    if loss == "cross_entropy":
        word = "softmax_cross_entropy" + ("" if t.ndim == p.ndim else "_with_integer_labels")
        function = getattr(optax.losses, word)
    else:
        function, word = OPTAX[loss]
    how = {"mean": jnp.mean, "sum": jnp.sum, "none": jnp.sum}[request["reduction"]]

    def losses(p):
        return function(p, t if loss == "cross_entropy" else t.astype(float), **request.get("params", {}))
    value, gradient = jax.value_and_grad(lambda p: how(losses(p)))(p)
    value = losses(p) if request["reduction"] == "none" else value
    words = {"mean": ", mean by jax.numpy", "sum": ", sum by jax.numpy", "none": ""}[request["reduction"]]
    add(loss, case, f"optax.losses.{word}{words}, gradient by jax", request, np.asarray(value), np.asarray(gradient))


def by_sklearn(loss, case, float64_only=False, **request):
    request = {"profile": "sklearn", **request}
    p, t = np.array(request["predictions"]), np.array(request["targets"])
    w = request.get("sample_weight")
    if loss == "binary_cross_entropy":
        value = log_loss(t, p, labels=[0, 1], sample_weight=w, normalize=request.get("reduction") != "sum")
        source = "log_loss"
    else:
        function = {"mape": mean_absolute_percentage_error, "mse": mean_squared_error}[loss]
        value, source = function(t, p, sample_weight=w), function.__name__
    add(loss, case, f"sklearn.metrics.{source}", request, value, None, float64_only)


# ---------------------------------------------------------------- the cases

def probabilities(name, *shape):
    return uniform(name, *shape, low=1 / 16, high=15 / 16)


W4 = [0.5, 2.0, 0.0, 1.25]
BCE = "binary_cross_entropy"
by_keras(BCE, "keras-mean", predictions=probabilities("kb p", 3, 2), targets=integers("kb t", 3, 2))
by_keras(BCE, "keras-sum", predictions=probabilities("kbs p", 5), targets=uniform("kbs t", 5), reduction="sum")
by_keras(BCE, "keras-none", predictions=probabilities("kbn p", 4), targets=[1, 0, 0, 1], reduction="none")
by_keras(BCE, "keras-sample-weight", predictions=probabilities("kbw p", 4, 3), targets=integers("kbw t", 4, 3),
         sample_weight=W4)
by_keras(BCE, "keras-label-smoothing-0.1", predictions=probabilities("kbl p", 3, 2), targets=integers("kbl t", 3, 2),
         params={"label_smoothing": 0.1})
by_keras(BCE, "keras-clip-at-0", predictions=[0.0, 0.0, 2.0 ** -30, 0.25], targets=[1, 0, 1, 1])
by_keras(BCE, "keras-clip-at-1", float64_only=True, predictions=[1.0, 1.0, 1 - 2.0 ** -24, 0.75],
         targets=[1, 0, 0, 0])
by_sklearn(BCE, "sklearn-mean", predictions=probabilities("sb p", 5), targets=[1, 0, 0, 1, 1])
by_sklearn(BCE, "sklearn-sum", predictions=probabilities("sbs p", 4), targets=[0, 0, 1, 1], reduction="sum")
by_sklearn(BCE, "sklearn-sample-weight", predictions=probabilities("sbw p", 4), targets=[1, 0, 1, 0], sample_weight=W4)
by_sklearn(BCE, "sklearn-clip", float64_only=True, predictions=[0.0, 0.0, 2.0 ** -60, 1.0, 1.0, 0.5],
           targets=[1, 0, 1, 1, 0, 1])

for run, key in [(by_keras, "keras"), (by_sklearn, "sklearn")]:
    for loss in ["mape", "mse"]:
        run(loss, f"{key}-mean", predictions=normal(f"{key} {loss} p", 4, 2),
            targets=uniform(f"{loss} t", 4, 2, low=0.5))
        run(loss, f"{key}-sample-weight", predictions=normal(f"{key} {loss} wp", 4, 2), sample_weight=W4,
            targets=uniform(f"{loss} wt", 4, 2, low=-2, high=-0.5))
        run(loss, f"{key}-sample-weight-1d", predictions=[1.5, -2.0, 0.25], targets=[1.0, -1.25, 2.0],
            sample_weight=[2.0, 0.0, 0.5])
    run("mape", f"{key}-zero-target", predictions=[0.5, -0.25, 0.0], targets=[0.0, 0.0, 0.0])
by_keras("mape", "keras-zero-and-others", predictions=[2.0, 1.5], targets=[2.0 ** -30, -1.0])
by_keras("mse", "keras-sum", predictions=[1.5, -2.0, 0.25], targets=[1.0, -1.25, 2.0], sample_weight=[2.0, 0.0, 0.5],
         reduction="sum")
by_keras("mse", "keras-all-weights-0", predictions=[1.5, -2.0], targets=[1.0, -1.25], sample_weight=[0.0, 0.0])
by_keras("mse", "keras-missing", predictions=[1.5, -2.0, 0.25], targets=[1.0, None, 2.0])
by_keras("mse", "keras-missing-sample-weight", predictions=[1.5, -2.0, 0.25], targets=[1.0, None, 2.0],
         sample_weight=[2.0, 1.0, 0.5])
by_keras("mse", "keras-all-missing", predictions=[1.5, -2.0], targets=[None, None])

by_keras("sigmoid_focal", "keras-mean", predictions=normal("kf p", 4, 2), targets=integers("kf t", 4, 2))
by_keras("sigmoid_focal", "keras-soft-targets", predictions=normal("kfs p", 5), targets=uniform("kfs t", 5))
by_keras("sigmoid_focal", "keras-sample-weight", predictions=normal("kfw p", 4), targets=[1, 0, 1, 0], sample_weight=W4)
by_keras("sigmoid_focal", "keras-alpha-0.25", predictions=normal("kfa p", 4), targets=[1, 0, 0, 1],
         params={"alpha": 0.25})
by_optax("sigmoid_focal", "optax-mean", predictions=normal("of p", 4, 2), targets=integers("of t", 4, 2))
by_optax("sigmoid_focal", "optax-none", predictions=normal("ofn p", 5), targets=uniform("ofn t", 5), reduction="none")
by_optax("sigmoid_focal", "optax-alpha-0.25", predictions=normal("ofa p", 4), targets=[1, 0, 0, 1],
         params={"alpha": 0.25})
for parameter in [1.5, 3.0]:
    by_keras("sigmoid_focal", f"keras-gamma-{parameter:g}", predictions=normal("kfg p", 4), targets=[1, 0, 0, 1],
             params={"gamma": parameter})

# Four samples, or three by two, of three or five classes.
for loss, moved in [("softmax_focal", {"alpha": 0.5, "gamma": 1.5}), ("generalized_cross_entropy", {"q": 0.75})]:
    by_keras(loss, "keras-mean", predictions=normal(f"k {loss} p", 4, 3), targets=[2, 0, 1, 1])
    by_keras(loss, "keras-sample-weight", predictions=normal(f"k {loss} wp", 4, 3), targets=[0, 2, 1, 0],
             sample_weight=W4)
    by_keras(loss, "keras-classes-last", predictions=normal(f"k {loss} 3p", 3, 2, 5), targets=[[4, 0], [1, 3], [2, 2]])
    by_keras(loss, "keras-" + "-".join(f"{k}-{v:g}" for k, v in moved.items()), params=moved,
             predictions=normal(f"k {loss} mp", 2, 4), targets=[3, 1])
    by_keras(loss, "keras-none", predictions=normal(f"k {loss} np", 3, 4), targets=[0, 3, 1], reduction="none")

for run, key in [(by_keras, "keras"), (by_optax, "optax")]:
    logits = normal(f"{key} ce p", 3, 2, 5)
    run("cross_entropy", f"{key}-classes-last", predictions=logits, targets=[[4, 0], [1, 3], [2, 2]])
    run("cross_entropy", f"{key}-classes-last-square", predictions=normal(f"{key} ce sp", 2, 3, 3),
        targets=[[0, 2, 1], [1, 1, 0]])
    run("cross_entropy", f"{key}-probabilities", predictions=logits, targets=distribution(f"{key} ce t", 3, 2, 5))
    run("cross_entropy", f"{key}-none", predictions=logits, targets=[[0, 1], [2, 3], [4, 4]], reduction="none")
    run("cross_entropy", f"{key}-mean", predictions=normal(f"{key} ce 2p", 4, 3), targets=[0, 2, 1, 1])
    run("log_cosh", f"{key}-mean", predictions=normal(f"{key} lc p", 3, 2, scale=2),
        targets=normal(f"{key} lc t", 3, 2))
    run("huber", f"{key}-mean", predictions=normal(f"{key} hu p", 3, 2, scale=2), targets=normal(f"{key} hu t", 3, 2))
    run("huber", f"{key}-delta-0.5", predictions=normal(f"{key} hu dp", 5), targets=normal(f"{key} hu dt", 5),
        params={"delta": 0.5})
    run("hinge", f"{key}-mean", predictions=normal(f"{key} hi p", 3, 4), targets=signs(f"{key} hi t", 3, 4))
    run("dice", f"{key}-mean", predictions=probabilities(f"{key} di p", 3, 4), targets=integers(f"{key} di t", 3, 4))
    run("dice", f"{key}-3d", predictions=probabilities(f"{key} di 3p", 2, 3, 2),
        targets=integers(f"{key} di 3t", 2, 3, 2))
    run("dice", f"{key}-empty-targets", predictions=[[0.25, 0.5], [0.75, 0.5]], targets=[[0, 0], [0, 0]])
by_keras("cross_entropy", "keras-sample-weight", predictions=normal("kce wp", 4, 2, 3), sample_weight=W4,
         targets=[[0, 1], [2, 2], [1, 0], [0, 0]])
by_keras("cross_entropy", "keras-label-smoothing-0.1", predictions=normal("kce lp", 3, 4), targets=[1, 3, 0],
         params={"label_smoothing": 0.1})
by_optax("dice", "optax-none", predictions=probabilities("odn p", 3, 4), targets=integers("odn t", 3, 4),
         reduction="none")
by_keras("tversky", "keras-mean", predictions=probabilities("kt p", 3, 4), targets=integers("kt t", 3, 4))
by_keras("tversky", "keras-3d", predictions=probabilities("kt 3p", 2, 2, 3), targets=integers("kt 3t", 2, 2, 3))
by_keras("poisson_nll", "keras-mean", predictions=uniform("kp p", 3, 2, low=0.25, high=4),
         targets=integers("kp t", 3, 2, high=5))
by_keras("poisson_nll", "keras-sample-weight", predictions=uniform("kpw p", 4, low=0.25, high=4), targets=[0, 3, 1, 2],
         sample_weight=W4)
by_keras("poisson_nll", "keras-zero", predictions=[0.0, 0.0, 2.0 ** -20], targets=[0, 2, 1])

if __name__ == "__main__":
    folder = os.path.abspath(sys.argv[1]) if 1 < len(sys.argv) else ""
    made_by = "tests/golden/make_profiles.py, " + versions(torch, keras, sklearn, optax, jax, np)
    CASES.sort(key=lambda c: c["loss"])
    write(os.path.join(folder, "profiles.json"), made_by, CASES)
