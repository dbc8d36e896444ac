"""Makes the golden files: requests with the answers of PyTorch, torchvision, scikit-learn and mpmath.

    pip install -r requirements.txt
    python make.py

writes regression.json, distribution.json, binary.json, classes.json, divergence.json, embedding.json
and sequence.json beside this script. Running it again gives the same bytes. The versions are those of
requirements.txt; every file names the ones it was made with.

A case is {"loss", "case", "source", "request", "answer"}: the body that a client posts to
/loss/{loss}, and the loss and gradients it must get back, in float64. The first case of each loss,
"example", is the worked example of its documentation. Inputs are exact in float32 (but for the
decimals of the examples), so the same answer holds for float32, to float32's precision; a case where
it does not has "float64_only": true. The rules are those of the wire contract: a gradient is that of
the reduced loss, with reduction "none" that of the sum of the losses; "NaN", "Infinity" and
"-Infinity" are strings; null is a missing label. A negative zero is written as 0.0.
"""

import mpmath
import numpy as np
import sklearn
import torch
import torchvision
from sklearn._loss.loss import PinballLoss
from sklearn.metrics import mean_pinball_loss

from golden import (decode, distribution, encode, integers, log_probabilities, normal, signs,
                    torch_case, uniform, versions, write)

CASES = {}  # loss name: its cases, in the order they are added


def add(loss, case, float64_only=False, shapes=None, **request):
    """A case answered by torch (torchvision for sigmoid_focal)."""
    CASES.setdefault(loss, []).append(torch_case(loss, case, request, float64_only, shapes))


# ---------------------------------------------------------------- losses that torch does not have

def weighted(losses, gradients, request):
    """Reduce unreduced losses and their gradients, as float64 arrays, by the request."""
    w = np.ones(losses.shape)
    if "sample_weight" in request:
        s = np.array(request["sample_weight"], dtype=float)
        w = np.broadcast_to(s.reshape(s.shape + (1,) * (losses.ndim - s.ndim)), losses.shape)
    reduction = request.get("reduction", "mean")
    if reduction == "none":
        return {"loss": encode(w * losses), "gradients": {"predictions": encode(w * gradients)}}
    n = w.sum() if reduction == "mean" else 1.0
    with np.errstate(invalid="ignore"):
        return {"loss": encode((w * losses).sum() / n), "gradients": {"predictions": encode(w * gradients / n)}}


def add_log_cosh(case, float64_only=False, **request):
    """log(cosh(d)) and tanh(d) at 50 digits, each then rounded to float64."""
    x, t = (np.array(decode(request[k]), dtype=float) for k in ("predictions", "targets"))
    with mpmath.workdps(50):
        def both(a, b):
            if not (np.isfinite(a) and np.isfinite(b)):
                d = float(a) - float(b)
                return abs(d), (d if np.isnan(d) else np.sign(d))
            d = mpmath.mpf(float(a)) - mpmath.mpf(float(b))
            return float(abs(d) + mpmath.log1p(mpmath.exp(-2 * abs(d))) - mpmath.log(2)), float(mpmath.tanh(d))
        pairs = [both(a, b) for a, b in zip(x.ravel(), t.ravel())]
    losses = np.array([p[0] for p in pairs]).reshape(x.shape)
    gradients = np.array([p[1] for p in pairs]).reshape(x.shape)
    row = {"loss": "log_cosh", "case": case, "source": "mpmath, 50 digits: log(cosh(d)) and tanh(d)"}
    if float64_only:
        row["float64_only"] = True
    CASES.setdefault("log_cosh",
        []).append({**row, "request": request, "answer": weighted(losses, gradients, request)})


def add_quantile(case, **request):
    """scikit-learn's pinball loss and its gradient. At a tie the loss is 0 and the gradient -q."""
    x, t = (np.array(decode(request[k]), dtype=float) for k in ("predictions", "targets"))
    q = request.get("params", {}).get("q", 0.5)
    if isinstance(q, list):  # one column of predictions a quantile
        columns = [pinball(level, x[:, i], t) for i, level in enumerate(q)]
        losses, gradients = (np.stack([c[k] for c in columns], axis=1) for k in (0, 1))
    else:
        losses, gradients = pinball(q, x, t)
    answer = weighted(losses, gradients, request)
    if request.get("reduction", "mean") == "mean" and losses.size and np.isfinite(x).all():
        w = request.get("sample_weight")
        if not isinstance(q, list) and x.ndim == 1:
            want = mean_pinball_loss(t, x, alpha=q, sample_weight=w)
            assert np.isclose(answer["loss"], want, rtol=1e-13, atol=0), (answer["loss"], want)
    CASES.setdefault("quantile", []).append({
        "loss": "quantile", "case": case, "source": "sklearn._loss.loss.PinballLoss", "request": request,
        "answer": answer})


def pinball(q, x, t):
    if not x.size:
        return x, x
    losses, gradients = PinballLoss(quantile=q).loss_gradient(t.ravel(), x.ravel())
    return losses.reshape(x.shape), gradients.reshape(x.shape)


# ---------------------------------------------------------------- the worked examples

add("mse", "example", predictions=[2.5, 0.0, 2.0, 8.0], targets=[3.0, -0.5, 2.0, 5.0])
add("l1", "example", predictions=[2.5, 0.0, 2.0, 8.0], targets=[3.0, -0.5, 2.0, 5.0])
add("smooth_l1", "example", predictions=[2.5, 0.0, 2.0, 8.0], targets=[3.0, -0.5, 2.0, 5.0])
add("huber", "example", predictions=[2.5, 0.0, 2.0, 8.0], targets=[3.0, -0.5, 2.0, 5.0])
add_log_cosh("example", predictions=[2.5, 0.0, 2.0, 8.0], targets=[3.0, -0.5, 2.0, 5.0])
add_quantile("example", predictions=[2.5, 0.0, 2.0, 8.0], targets=[3.0, -0.5, 4.0, 5.0])
add("poisson_nll", "example", predictions=[0.5, 1.2, -0.3], targets=[2, 3, 0])
add("gaussian_nll", "example", predictions=[1.0, 2.0, 3.0], targets=[1.5, 2.0, 2.0], var=[0.5, 1.0, 2.0])
add("binary_cross_entropy", "example", predictions=[0.9, 0.2, 0.6], targets=[1, 0, 1])
add("binary_cross_entropy_with_logits", "example", predictions=[2.0, -1.5, 0.3], targets=[1, 0, 1])
add("sigmoid_focal", "example", predictions=[2.0, -1.5, 0.3], targets=[1, 0, 1])
add("soft_margin", "example", predictions=[0.8, -1.2, 0.3], targets=[1, -1, -1])
add("hinge_embedding", "example", predictions=[0.2, 0.7, 1.5], targets=[1, -1, -1])
add("multilabel_soft_margin", "example", predictions=[[1.2, -0.5, 0.3], [-1.0, 0.8, 2.0]],
    targets=[[1, 0, 1], [0, 1, 1]])
add("multilabel_margin", "example", predictions=[[0.1, 0.2, 0.4, 0.8], [0.9, 0.3, -0.2, 0.5]],
    targets=[[3, 0, -1, -1], [0, -1, -1, -1]])
add("cross_entropy", "example", predictions=[[2.0, 1.0, 0.1], [0.5, 2.5, 0.3]], targets=[0, 1])
add("nll", "example", predictions=[[-0.4, -1.4, -2.3], [-1.6, -0.4, -2.0]], targets=[0, 1])
add("multi_margin", "example", predictions=[[0.1, 0.2, 0.4, 0.8], [0.7, 0.9, 0.1, 0.3]], targets=[3, 0])
add("kl_div", "example", predictions=[[-0.7, -1.2, -1.6], [-0.4, -1.9, -1.7]],
    targets=[[0.5, 0.3, 0.2], [0.7, 0.1, 0.2]])
add("triplet_margin", "example", anchor=[[0.1, 0.9], [0.8, 0.2]], positive=[[0.3, 0.8], [0.5, 0.4]],
    negative=[[0.9, 0.4], [0.6, 0.9]])
add("triplet_margin_with_distance", "example", anchor=[[0.1, 0.9], [0.8, 0.2]],
    positive=[[0.3, 0.8], [0.5, 0.4]], negative=[[0.9, 0.4], [0.6, 0.9]])
add("cosine_embedding", "example", input1=[[1.0, 0.5], [0.2, 0.9]], input2=[[0.8, 0.6], [0.7, 0.3]],
    targets=[1, -1])
add("margin_ranking", "example", input1=[0.8, 0.3, 0.5], input2=[0.5, 0.6, 0.4], targets=[1, 1, -1])
add("ctc", "example",
    predictions=[[[-0.5, -1.6, -1.6], [-1.2, -0.7, -1.6]],
                 [[-1.9, -0.4, -1.7], [-0.3, -2.3, -1.8]],
                 [[-1.4, -1.8, -0.5], [-1.0, -0.9, -1.5]]],
    targets=[[1, 2], [1, 0]], input_lengths=[3, 3], target_lengths=[2, 1])

# ---------------------------------------------------------------- regression

STEPS = [-2.0, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 3.0]  # residuals on both sides of, and at, every kink
ZEROS = [0.0] * 8

for loss in ["mse", "l1", "smooth_l1", "huber"]:
    def vary(case, loss=loss, **request):
        add(loss, case, **request)

    vary("none", predictions=STEPS, targets=ZEROS, reduction="none")
    vary("sum-2d", predictions=normal(loss + "a", 3, 4), targets=normal(loss + "b", 3, 4), reduction="sum")
    vary("mean-3d", predictions=normal(loss + "c", 2, 2, 3, scale=2), targets=normal(loss + "d", 2, 2, 3, scale=2))
    vary("none-4d", predictions=normal(loss + "e", 2, 1, 2, 2), targets=normal(loss + "f", 2, 1, 2, 2),
        reduction="none")
    vary("scalar", predictions=1.75, targets=0.5)
    vary("scalar-none", predictions=-1.75, targets=0.5, reduction="none")
    vary("empty-mean", predictions=[], targets=[])
    vary("empty-sum", predictions=[], targets=[], reduction="sum")
    vary("empty-none", predictions=[], targets=[], reduction="none")
    vary("not-finite-none", predictions=["NaN", 1.0, "Infinity", "-Infinity", "Infinity", "Infinity", 2.0],
         targets=[0.0, "NaN", 0.0, 0.0, "Infinity", "-Infinity", "Infinity"], reduction="none")
    vary("nan-mean", predictions=[1.0, "NaN", 3.0], targets=[0.5, 1.0, 1.0])
    vary("sample-weight-mean", predictions=normal(loss + "g", 4, 2), targets=normal(loss + "h", 4, 2),
         sample_weight=[1.0, 0.0, 2.5, 0.25])
    vary("sample-weight-per-element-none", predictions=normal(loss + "i", 2, 3), targets=normal(loss + "j", 2, 3),
         sample_weight=[[1.0, 0.5, 0.0], [2.0, 3.0, 0.25]], reduction="none")
    vary("missing-mean", predictions=normal(loss + "k", 5), targets=[0.5, None, -0.25, None, 1.5])
    vary("missing-none", predictions=normal(loss + "l", 2, 2), targets=[[0.5, None], [None, 1.5]], reduction="none")

add("mse", "missing-and-sample-weight-mean", predictions=[1.0, 2.0, 3.0, 4.0], targets=[0.5, None, 2.0, 2.5],
    sample_weight=[1.0, 8.0, 0.5, 2.0])
add("mse", "missing-sum", predictions=[1.0, 2.0, 3.0, 4.0], targets=[0.5, None, 2.0, 2.5], reduction="sum")
add("mse", "all-missing-mean", predictions=[1.0, 2.0], targets=[None, None])
add("mse", "sample-weight-sum", predictions=[1.0, 2.0, 3.0], targets=[0.5, 2.5, 1.0],
    sample_weight=[1.0, 2.0, 0.5], reduction="sum")
add("mse", "sample-weight-all-zero-mean", predictions=[1.0, 2.0], targets=[0.5, 2.5], sample_weight=[0.0, 0.0])
add("mse", "large", float64_only=True, predictions=[1e200, 1.0], targets=[0.0, 0.0], reduction="none")
add("mse", "cancellation", predictions=[1048576.25, -1048576.5], targets=[1048576.0, -1048576.0])

for beta in [0, 0.5, 2.0]:
    add("smooth_l1", f"beta-{beta}", predictions=STEPS, targets=ZEROS, params={"beta": beta}, reduction="none")
    add("smooth_l1", f"beta-{beta}-mean", predictions=normal("beta", 6, scale=2), targets=normal("beta t", 6),
        params={"beta": beta})
for delta in [0.5, 1, 3.0]:
    add("huber", f"delta-{delta}", predictions=STEPS, targets=ZEROS, params={"delta": delta}, reduction="none")
    add("huber", f"delta-{delta}-mean", predictions=normal("delta", 6, scale=2), targets=normal("delta t", 6),
        params={"delta": delta})
add("huber", "delta-100-sum", predictions=[250.0, -99.5, 100.0], targets=[0.0, 0.5, 0.0], params={"delta": 100.0},
    reduction="sum")

add_log_cosh("none", predictions=STEPS, targets=ZEROS, reduction="none")
add_log_cosh("sum-2d", predictions=normal("lc a", 3, 4), targets=normal("lc b", 3, 4), reduction="sum")
add_log_cosh("mean-3d", predictions=normal("lc c", 2, 2, 3, scale=3), targets=normal("lc d", 2, 2, 3))
add_log_cosh("scalar", predictions=1.75, targets=0.5)
add_log_cosh("empty-mean", predictions=[], targets=[])
add_log_cosh("empty-sum", predictions=[], targets=[], reduction="sum")
add_log_cosh("empty-none", predictions=[], targets=[], reduction="none")
add_log_cosh("tiny", predictions=[2.0 ** -k for k in (1, 2, 4, 6, 8, 10, 14, 20, 30, 60)], targets=[0.0] * 10,
             reduction="none")
add_log_cosh("around-one-hundredth", predictions=[0.0078125, 0.009765625, 0.01171875, 0.0234375, -0.09375],
             targets=[0.0] * 5, reduction="none")
add_log_cosh("huge", predictions=[88.5, -90.0, 711.0, 1000.0, -(2.0 ** 100)], targets=[0.0] * 5, reduction="none")
add_log_cosh("beyond-float32", float64_only=True, predictions=[1e300, -1e300, 1e-200], targets=[0.0] * 3,
             reduction="none")
add_log_cosh("not-finite", predictions=["NaN", 1.0, "Infinity", "-Infinity", "Infinity"],
             targets=[0.0, "NaN", 0.0, 0.0, "Infinity"], reduction="none")
add_log_cosh("sample-weight-mean", predictions=normal("lc g", 4, 2), targets=normal("lc h", 4, 2),
             sample_weight=[1.0, 0.0, 2.5, 0.25])

for q in [0.1, 0.5, 0.9]:
    add_quantile(f"q-{q}", predictions=STEPS, targets=ZEROS, params={"q": q}, reduction="none")
    add_quantile(f"q-{q}-mean", predictions=normal("q", 6, scale=2), targets=normal("q t", 6), params={"q": q})
add_quantile("ties-mean", predictions=[1.0, -0.5, 2.0], targets=[1.0, -0.5, 2.0], params={"q": 0.25})
add_quantile("sum-2d", predictions=normal("q a", 3, 4), targets=normal("q b", 3, 4), params={"q": 0.75},
    reduction="sum")
add_quantile("several-mean", predictions=normal("q c", 4, 3), targets=normal("q d", 4),
    params={"q": [0.1, 0.5, 0.9]})
add_quantile("several-sum", predictions=normal("q e", 3, 2), targets=normal("q f", 3), params={"q": [0.25, 0.75]},
             reduction="sum")
add_quantile("several-none", predictions=[[0.5, 1.0], [1.5, 2.0], [2.0, 2.5]], targets=[1.0, 1.5, 4.0],
             params={"q": [0.25, 0.75]}, reduction="none")
add_quantile("one-in-a-list", predictions=[[0.5], [2.5]], targets=[1.0, 1.5], params={"q": [0.875]},
    reduction="none")
add_quantile("scalar", predictions=1.75, targets=0.5, params={"q": 0.9})
add_quantile("infinite", predictions=["Infinity", "-Infinity", 1.0], targets=[0.0, 0.0, 0.5], params={"q": 0.75},
             reduction="none")
add_quantile("empty-mean", predictions=[], targets=[], params={"q": 0.9})
add_quantile("empty-none", predictions=[], targets=[], reduction="none")
add_quantile("sample-weight-mean", predictions=normal("q g", 5), targets=normal("q h", 5), params={"q": 0.9},
             sample_weight=[1.0, 0.0, 2.5, 0.25, 1.5])
add_quantile("sample-weight-several-mean", predictions=normal("q i", 3, 2), targets=normal("q j", 3),
             params={"q": [0.25, 0.75]}, sample_weight=[1.0, 0.5, 3.0])

# ---------------------------------------------------------------- distribution

COUNTS = [0, 1, 2, 5, 0, 1, 3, 12]
for case, params in [("log-input", {}), ("log-input-full", {"full": True}),
                     ("rate", {"log_input": False}), ("rate-full", {"log_input": False, "full": True}),
                     ("rate-eps", {"log_input": False, "eps": 0.0625}),
                     ("rate-full-eps", {"log_input": False, "full": True, "eps": 0.5})]:
    p = uniform("pn" + case, 8, low=0.25, high=6) if "rate" in case else normal("pn" + case, 8)
    add("poisson_nll", case + "-none", predictions=p, targets=COUNTS, params=params, reduction="none")
    add("poisson_nll", case + "-mean", predictions=p, targets=COUNTS, params=params)
add("poisson_nll", "sum-2d", predictions=normal("pn a", 3, 2), targets=integers("pn b", 3, 2, high=6),
    reduction="sum")
add("poisson_nll", "mean-3d", predictions=normal("pn c", 2, 2, 2), targets=integers("pn d", 2, 2, 2, high=6))
add("poisson_nll", "scalar", predictions=0.75, targets=2)
add("poisson_nll", "empty-mean", predictions=[], targets=[])
add("poisson_nll", "empty-none", predictions=[], targets=[], reduction="none", params={"full": True})
add("poisson_nll", "rate-zero", predictions=[0.0, 0.0, 0.0], targets=[0, 1, 3], params={"log_input": False},
    reduction="none")
add("poisson_nll", "rate-negative", predictions=[-0.5, -2.0, 1.0], targets=[1, 0, 2], params={"log_input": False},
    reduction="none")
add("poisson_nll", "large-log-rates", predictions=[-1000.0, 80.0, 1000.0, -1000.0], targets=[0, 3, 3, 7],
    reduction="none")
add("poisson_nll", "overflow-in-float32", float64_only=True, predictions=[100.0, 700.0], targets=[1, 2],
    reduction="none")
add("poisson_nll", "full-at-the-edges", predictions=[0.5, 0.5, 0.5, 0.5, 0.5, 0.5],
    targets=[0.0, 0.5, 1.0, 1.0009765625, 1.5, 1024.0], params={"full": True}, validate=False, reduction="none")
add("poisson_nll", "negative-targets", predictions=[0.5, -0.25], targets=[-1.0, -2.5], validate=False,
    params={"full": True}, reduction="none")
add("poisson_nll", "not-finite", predictions=["NaN", "-Infinity"], targets=[1, 1],
    reduction="none")
add("poisson_nll", "sample-weight-mean", predictions=normal("pn g", 3, 2), targets=integers("pn h", 3, 2, high=5),
    sample_weight=[0.5, 2.0, 1.0])
add("poisson_nll", "missing-mean", predictions=[0.5, 1.0, -0.5], targets=[2, None, 1], params={"full": True})

def gaussian(case, shape, var_shape, var=None, **request):
    add("gaussian_nll", case, predictions=normal("gn p" + case, *shape), targets=normal("gn t" + case, *shape),
        var=uniform("gn v" + case, *var_shape, low=0.25, high=3) if var is None else var, **request)

gaussian("none", (6,), (6,), reduction="none")
gaussian("sum", (6,), (6,), reduction="sum")
gaussian("full-mean", (6,), (6,), params={"full": True})
gaussian("full-none-2d", (2, 3), (2, 3), params={"full": True}, reduction="none")
gaussian("mean-3d", (2, 2, 2), (2, 2, 2))
gaussian("var-scalar", (4,), (), var=0.5)
gaussian("var-scalar-2d", (2, 3), (), var=1.75, reduction="none")
gaussian("var-trailing-one", (3, 2), (3, 1))
gaussian("var-trailing-one-none", (3, 2), (3, 1), reduction="none")
gaussian("var-trailing-dimension-dropped", (3, 2), (3,))
gaussian("var-trailing-dimension-dropped-3d", (2, 2, 3), (2, 2), params={"full": True}, reduction="sum")
gaussian("var-one-for-all", (3,), (1,))
gaussian("scalar", (), (), var=0.75)
gaussian("eps-clamps", (6,), (6,), var=[0.0, 0.03125, 0.125, 0.25, 0.375, 2.0], params={"eps": 0.25},
    reduction="none")
add("gaussian_nll", "var-zero", predictions=[1.0, 1.0, 0.5], targets=[0.0, 1.0, 0.25], var=[0.0, 0.0, 1.0],
    reduction="none")
add("gaussian_nll", "var-zero-mean", predictions=[1.0, 0.5], targets=[0.0, 0.25], var=[0.0, 1.0])
add("gaussian_nll", "exact-fit", predictions=[1.0, 2.0], targets=[1.0, 2.0], var=[0.5, 4.0])
add("gaussian_nll", "not-finite", predictions=["NaN", "Infinity", 1.0, 1.0], targets=[0.0, 0.0, 0.5, 0.5],
    var=[1.0, 1.0, "Infinity", "NaN"], reduction="none")
add("gaussian_nll", "empty-mean", predictions=[], targets=[], var=[])
add("gaussian_nll", "empty-none", predictions=[], targets=[], var=[], reduction="none")
gaussian("sample-weight-mean", (3, 2), (3, 2), sample_weight=[0.5, 2.0, 1.0])
add("gaussian_nll", "missing-mean", predictions=[1.0, 2.0, 3.0], targets=[0.5, None, 3.5], var=[0.5, 1.0, 2.0])

# ---------------------------------------------------------------- binary

def bce(case, shape, soft=False, **request):
    t = uniform("bce t" + case, *shape, step=1 / 8) if soft else integers("bce t" + case, *shape)
    add("binary_cross_entropy", case, predictions=uniform("bce p" + case, *shape, low=0.05, high=0.95), targets=t,
        **request)

    add("binary_cross_entropy_with_logits", case, predictions=normal("bce x" + case, *shape, scale=2), targets=t,
        **request)

bce("none", (6,), reduction="none")
bce("sum-2d", (3, 2), reduction="sum")
bce("mean-3d", (2, 2, 2))
bce("soft-targets-none", (6,), soft=True, reduction="none")
bce("soft-targets-mean", (3, 3), soft=True)
bce("weight-same-shape-mean", (2, 3), params={"weight": [[1.0, 0.5, 2.0], [0.0, 0.25, 3.0]]})
bce("weight-per-column-mean", (2, 3), params={"weight": [1.0, 0.5, 2.0]})
bce("weight-per-row-none", (2, 3), params={"weight": [[0.5], [2.0]]}, reduction="none")
bce("weight-per-column-sum-3d", (2, 2, 2), params={"weight": [1.0, 0.5]}, reduction="sum")
bce("weight-soft-sum", (4,), soft=True, params={"weight": [1.0, 0.5, 2.0, 4.0]}, reduction="sum")
bce("empty-mean", (0,))
bce("empty-none", (0,), reduction="none")
bce("sample-weight-mean", (3, 2), sample_weight=[0.5, 2.0, 1.0])
bce("sample-weight-none", (4,), sample_weight=[0.5, 2.0, 0.0, 1.0], reduction="none")
bce("sample-weight-and-weight-mean", (2, 3), params={"weight": [1.0, 0.5, 2.0]}, sample_weight=[0.5, 2.0])
bce("label-smoothing-mean", (5,), params={"label_smoothing": 0.25})
bce("label-smoothing-none", (2, 2), soft=True, params={"label_smoothing": 0.5}, reduction="none")
add("binary_cross_entropy", "scalar", predictions=0.75, targets=1)
add("binary_cross_entropy_with_logits", "scalar", predictions=0.75, targets=0)
add("binary_cross_entropy", "missing-mean", predictions=[0.75, 0.5, 0.125], targets=[1, None, 0])
add("binary_cross_entropy", "missing-none", predictions=[0.75, 0.5, 0.125], targets=[None, 1, 0], reduction="none")
add("binary_cross_entropy_with_logits", "missing-mean", predictions=[[2.0, -1.5], [0.25, 0.5]],
    targets=[[1, None], [0, 1]])
add("binary_cross_entropy_with_logits", "missing-sample-weight-and-pos-weight-mean",
    predictions=[[2.0, -1.5], [0.25, 0.5]],
    targets=[[1, None], [0, 1]], params={"pos_weight": [2.0, 0.5]}, sample_weight=[3.0, 0.5])

add("binary_cross_entropy", "certain", predictions=[0.0, 0.0, 1.0, 1.0], targets=[1, 0, 1, 0], reduction="none")
add("binary_cross_entropy", "certain-mean", predictions=[0.0, 0.0, 1.0, 1.0], targets=[1, 0, 1, 0])
add("binary_cross_entropy", "certain-soft", predictions=[0.0, 1.0, 0.0, 1.0], targets=[0.25, 0.25, 0.5, 0.75],
    reduction="none")
add("binary_cross_entropy", "nearly-certain", predictions=[2.0 ** -20, 2.0 ** -60, 2.0 ** -140, 1 - 2.0 ** -20],
    targets=[1, 1, 1, 0], reduction="none")
add("binary_cross_entropy", "nearly-certain-beyond-float32", float64_only=True,
    predictions=[2.0 ** -150, 1 - 2.0 ** -50, 5e-324], targets=[1, 0, 1], reduction="none")
add("binary_cross_entropy", "exact-fit-soft", predictions=[0.25, 0.5, 0.75], targets=[0.25, 0.5, 0.75])

add("binary_cross_entropy", "clamp-0.25", predictions=[0.0, 0.125, 0.5, 0.875, 1.0], targets=[1, 0, 1, 1, 0],
    params={"clamp": 0.25}, reduction="none")

def logits(case, **request):
    add("binary_cross_entropy_with_logits", case, **request)

logits("extreme", predictions=[1000.0, 1000.0, -1000.0, -1000.0, 0.0, 0.0], targets=[1, 0, 1, 0, 1, 0],
    reduction="none")
logits("extreme-soft-mean", predictions=[1000.0, -1000.0, 30.0, -30.0], targets=[0.25, 0.75, 0.5, 0.5])
logits("pos-weight-per-column-mean", predictions=normal("lg a", 3, 2), targets=integers("lg b", 3, 2),
       params={"pos_weight": [2.0, 0.5]})
logits("pos-weight-one-none", predictions=normal("lg c", 4), targets=uniform("lg d", 4, step=1 / 8),
       params={"pos_weight": [3.0]}, reduction="none")
logits("pos-weight-per-channel-4d", predictions=normal("lg e", 2, 2, 2, 1), targets=integers("lg f", 2, 2, 2, 1),
       params={"pos_weight": [[[2.0]], [[0.5]]]}, reduction="none")
logits("weight-and-pos-weight-mean", predictions=normal("lg g", 2, 3), targets=integers("lg h", 2, 3),
       params={"weight": [[0.5], [2.0]], "pos_weight": [2.0, 0.5, 0.0]})
logits("pos-weight-extreme", predictions=[1000.0, 1000.0, -1000.0, -1000.0], targets=[1, 0, 1, 0],
       params={"pos_weight": [2.5, 2.5, 2.5, 2.5]}, reduction="none")
logits("pos-weight-sample-weight-label-smoothing-mean", predictions=normal("lg i", 3, 2),
    targets=integers("lg j", 3, 2),
       params={"pos_weight": [2.0, 0.5], "label_smoothing": 0.125}, sample_weight=[1.0, 0.5, 2.0])
logits("targets-outside", predictions=[0.5, -1.0, 2.0], targets=[2.0, -0.5, 1.5], validate=False, reduction="none")
logits("nan", predictions=["NaN", 0.5], targets=[1, 0], reduction="none")

def focal_pair(case, **request):
    add("sigmoid_focal", case, **request)

FX = [-3.0, -1.0, -0.25, 0.0, 0.5, 1.25, 2.0, 4.0]
FT = [0, 1, 0, 1, 1, 0, 1, 0]
for case, params in [("default", {}), ("alpha-0.75", {"alpha": 0.75}), ("alpha-minus-1", {"alpha": -1}),
                     ("alpha-null", {"alpha": None}), ("alpha-0", {"alpha": 0.0}), ("alpha-1", {"alpha": 1.0}),
                     ("gamma-0", {"gamma": 0}), ("gamma-1", {"gamma": 1.0}), ("gamma-0.5", {"gamma": 0.5}),
                     ("gamma-5", {"gamma": 5.0}), ("off", {"alpha": -1, "gamma": 0})]:
    focal_pair(case + "-none", predictions=FX, targets=FT, params=params, reduction="none")
focal_pair("soft-targets-none", predictions=FX, targets=[0.0, 0.125, 0.25, 0.375, 0.5, 0.75, 0.875, 1.0],
    reduction="none")
focal_pair("soft-targets-gamma-3-mean", predictions=normal("sf a", 2, 3), targets=uniform("sf b", 2, 3, step=1 / 8),
           params={"alpha": -1, "gamma": 3.0})
focal_pair("sum-2d", predictions=normal("sf c", 3, 2, scale=2), targets=integers("sf d", 3, 2), reduction="sum")
focal_pair("mean-3d", predictions=normal("sf e", 2, 2, 2, scale=2), targets=integers("sf f", 2, 2, 2),
           params={"alpha": 0.5, "gamma": 1.5})
focal_pair("scalar", predictions=-0.75, targets=1)
focal_pair("extreme", predictions=[1000.0, 1000.0, -1000.0, -1000.0], targets=[1, 0, 1, 0], reduction="none")
focal_pair("extreme-gamma-0", predictions=[1000.0, 1000.0, -1000.0, -1000.0], targets=[1, 0, 1, 0],
    params={"gamma": 0},
           reduction="none")
focal_pair("extreme-gamma-1", predictions=[1000.0, 1000.0, -1000.0, -1000.0], targets=[1, 0, 1, 0],
    params={"gamma": 1},
           reduction="none")
focal_pair("empty-mean", predictions=[], targets=[])
focal_pair("empty-none", predictions=[], targets=[], reduction="none")
focal_pair("nan", predictions=["NaN", 0.5], targets=[1, 0], reduction="none")
focal_pair("sample-weight-mean", predictions=normal("sf g", 3, 2), targets=integers("sf h", 3, 2),
           sample_weight=[0.5, 2.0, 1.0])
focal_pair("missing-mean", predictions=[0.5, -1.0, 2.0], targets=[1, 0, None])

def margin(case, **request):
    add("soft_margin", case, **request)

margin("none", predictions=[-4.0, -1.0, 0.0, 0.0, 1.0, 4.0], targets=[1, -1, 1, -1, 1, -1], reduction="none")
margin("sum-2d", predictions=normal("sm a", 3, 2), targets=signs("sm b", 3, 2), reduction="sum")
margin("mean-3d", predictions=normal("sm c", 2, 2, 2), targets=signs("sm d", 2, 2, 2))
margin("none-4d", predictions=normal("sm e", 1, 2, 2, 2), targets=signs("sm f", 1, 2, 2, 2), reduction="none")
margin("scalar", predictions=0.75, targets=-1)
margin("large-and-right", predictions=[1000.0, -1000.0, 80.0], targets=[1, -1, 1], reduction="none")
margin("large-and-wrong", predictions=[-30.0, 50.0, 80.0], targets=[1, -1, -1], reduction="none")
margin("targets-outside", predictions=[0.5, -1.0, 2.0], targets=[0.0, 2.0, -0.5], validate=False, reduction="none")
margin("nan", predictions=["NaN", 0.5], targets=[1, -1], reduction="none")
margin("empty-mean", predictions=[], targets=[])
margin("empty-none", predictions=[], targets=[], reduction="none")
margin("sample-weight-mean", predictions=normal("sm g", 3, 2), targets=signs("sm h", 3, 2),
    sample_weight=[0.5, 2.0, 1.0])
margin("missing-mean", predictions=[0.5, -1.0, 2.0], targets=[1, None, -1])

def hinge(case, **request):
    add("hinge_embedding", case, **request)

hinge("none", predictions=[-0.5, 0.0, 0.5, 1.0, 1.5, -0.5, 0.0, 0.5, 1.0, 1.5],
      targets=[1, 1, 1, 1, 1, -1, -1, -1, -1, -1], reduction="none")
hinge("margin-0.5-none", predictions=[0.25, 0.5, 0.75, 0.5], targets=[-1, -1, -1, 1], params={"margin": 0.5},
    reduction="none")
hinge("margin-0-none", predictions=[-0.25, 0.0, 0.75], targets=[-1, -1, -1], params={"margin": 0.0},
    reduction="none")
hinge("margin-negative-none", predictions=[-1.5, -1.0, 0.75, 2.0], targets=[-1, -1, -1, 1], params={"margin": -1.0},
      reduction="none")
hinge("margin-2-mean", predictions=normal("he a", 6), targets=signs("he b", 6), params={"margin": 2.0})
hinge("sum-2d", predictions=normal("he c", 3, 2), targets=signs("he d", 3, 2), reduction="sum")
hinge("mean-3d", predictions=normal("he e", 2, 2, 2), targets=signs("he f", 2, 2, 2))
hinge("scalar", predictions=0.25, targets=-1)
hinge("other-targets", predictions=[0.25, 0.25, 1.5, -2.0], targets=[0.0, 2.0, 0.5, -3.0], validate=False,
    reduction="none")
hinge("not-finite", predictions=["NaN", "NaN", "Infinity", "Infinity", "-Infinity"], targets=[1, -1, 1, -1, -1],
    reduction="none")
hinge("empty-mean", predictions=[], targets=[])
hinge("empty-none", predictions=[], targets=[], reduction="none")
hinge("sample-weight-mean", predictions=normal("he g", 3, 2), targets=signs("he h", 3, 2),
    sample_weight=[0.5, 2.0, 1.0])
hinge("missing-mean", predictions=[0.5, 0.25, 2.0], targets=[1, None, -1])

def multilabel(case, shape, **request):
    add("multilabel_soft_margin", case, predictions=normal("ml p" + case, *shape, scale=2),
        targets=integers("ml t" + case, *shape), **request)

multilabel("none", (3, 4), reduction="none")
multilabel("sum", (3, 4), reduction="sum")
multilabel("one-class", (4, 1))
multilabel("unbatched", (4,))
multilabel("unbatched-none", (4,), reduction="none")
multilabel("3d-none", (2, 2, 3), reduction="none")
multilabel("weight-mean", (3, 3), params={"weight": [0.5, 2.0, 0.0]})
multilabel("weight-none", (3, 3), params={"weight": [0.5, 2.0, 1.0]}, reduction="none")
multilabel("weight-unbatched", (3,), params={"weight": [0.5, 2.0, 1.0]})
multilabel("sample-weight-mean", (3, 2), sample_weight=[0.5, 2.0, 1.0])
multilabel("sample-weight-and-weight-none", (3, 2), params={"weight": [0.5, 2.0]}, sample_weight=[0.5, 2.0, 1.0],
           reduction="none")
add("multilabel_soft_margin", "extreme", predictions=[[1000.0, -1000.0], [1000.0, -1000.0], [0.0, 1000.0]],
    targets=[[1, 0], [0, 1], [1, 1]], reduction="none")
add("multilabel_soft_margin", "soft-targets", predictions=[[0.5, -1.0], [2.0, 0.25]],
    targets=[[0.25, 0.5], [1.0, 0.75]],
    validate=False)
add("multilabel_soft_margin", "nan", predictions=[["NaN", 0.5], [1.0, 0.5]], targets=[[1, 0], [0, 1]],
    reduction="none")

def multilabel_margin(case, **request):
    add("multilabel_margin", case, **request)

LISTS = [[3, 0, -1, 1], [-1, 2, 2, 2], [0, 1, 2, 3], [2, 2, -1, 0]]  # entries after -1, none, all, one twice
multilabel_margin("lists-none", predictions=normal("mm a", 4, 4), targets=LISTS, reduction="none")
multilabel_margin("lists-mean", predictions=normal("mm b", 4, 4), targets=LISTS)
multilabel_margin("lists-sum", predictions=normal("mm c", 4, 4), targets=LISTS, reduction="sum")
multilabel_margin("unbatched", predictions=[0.125, 0.25, 0.5, 0.75], targets=[3, 0, -1, 1])
multilabel_margin("unbatched-none", predictions=[0.125, 0.25, 0.5, 0.75], targets=[1, -1, 0, 0], reduction="none")
multilabel_margin("at-the-margin", predictions=[[1.5, 0.5, 0.25], [2.0, 1.0, 1.5]],
    targets=[[0, -1, -1], [0, -1, -1]],
                  reduction="none")
multilabel_margin("equal-scores", predictions=[[0.5, 0.5, 0.5]], targets=[[1, -1, -1]])
multilabel_margin("one-class", predictions=[[0.5], [1.0]], targets=[[0], [-1]], reduction="none")
multilabel_margin("extreme", predictions=[[1000.0, -1000.0, 0.0]], targets=[[1, -1, -1]])
multilabel_margin("infinite", predictions=[["Infinity", 0.0, 1.0], ["-Infinity", 0.0, 1.0]],
                  targets=[[1, -1, -1], [1, -1, -1]], reduction="none")
multilabel_margin("sample-weight-mean", predictions=normal("mm d", 3, 3),
    targets=[[0, 2, -1], [1, -1, -1], [2, -1, 0]],
                  sample_weight=[0.5, 2.0, 1.0])
multilabel_margin("sample-weight-none", predictions=normal("mm e", 2, 3), targets=[[0, 2, -1], [1, -1, -1]],
                  sample_weight=[0.5, 2.0], reduction="none")

# ---------------------------------------------------------------- classes

W3 = [0.5, 2.0, 1.0]
for loss in ["cross_entropy", "nll"]:
    def scores(name, *shape, axis=-1):
        if loss == "cross_entropy":
            return normal(loss + name, *shape, scale=2)
        x = log_probabilities(loss + name, *np.delete(shape, axis), shape[axis])
        return np.moveaxis(np.array(x), -1, axis).tolist()

    def classes(case, loss=loss, **request):
        add(loss, case, **request)

    P43, T4 = scores("4x3", 4, 3), [2, 0, 1, 0]
    classes("none", predictions=P43, targets=T4, reduction="none")
    classes("sum", predictions=P43, targets=T4, reduction="sum")
    classes("weight-mean", predictions=P43, targets=T4, params={"weight": W3})
    classes("weight-none", predictions=P43, targets=T4, params={"weight": W3}, reduction="none")
    classes("weight-sum", predictions=P43, targets=T4, params={"weight": W3}, reduction="sum")
    classes("weight-zero-for-a-class-mean", predictions=P43, targets=T4, params={"weight": [0.0, 2.0, 1.0]})
    classes("weight-zero-for-all-present-mean", predictions=P43, targets=[0, 0, 0, 0],
        params={"weight": [0.0, 2.0, 1.0]})
    classes("weight-zero-for-all-present-sum", predictions=P43, targets=[0, 0, 0, 0],
        params={"weight": [0.0, 2.0, 1.0]},
            reduction="sum")
    classes("ignored-mean", predictions=P43, targets=[2, -100, 1, -100])
    classes("ignored-none", predictions=P43, targets=[2, -100, 1, -100], reduction="none")
    classes("ignore-index-0-weight-mean", predictions=P43, targets=T4, params={"ignore_index": 0, "weight": W3})
    classes("ignore-index-minus-1-mean", predictions=P43, targets=[2, -1, 1, 0], params={"ignore_index": -1})
    classes("ignore-index-beyond-the-classes-mean", predictions=P43, targets=[2, 255, 1, 0],
        params={"ignore_index": 255})
    classes("ignore-several-mean", predictions=P43, targets=[2, 0, -1, 1], params={"ignore_index": [0, -1]})
    classes("ignore-several-weight-none", predictions=P43, targets=[2, 0, 255, 1],
            params={"ignore_index": [255, 2], "weight": W3}, reduction="none")
    classes("all-ignored-mean", predictions=P43[:2], targets=[-100, -100])
    classes("all-ignored-sum", predictions=P43[:2], targets=[-100, -100], reduction="sum")
    classes("all-ignored-none", predictions=P43[:2], targets=[-100, -100], reduction="none")
    classes("unbatched", predictions=[-0.5, -1.25, -2.5], targets=1)
    classes("unbatched-none", predictions=[-0.5, -1.25, -2.5], targets=1, reduction="none")
    classes("unbatched-weight", predictions=[-0.5, -1.25, -2.5], targets=1, params={"weight": W3})
    classes("3d-mean", predictions=scores("3d", 2, 3, 2, axis=1), targets=[[0, 2], [1, -100]])
    classes("3d-weight-none", predictions=scores("3d", 2, 3, 2, axis=1), targets=[[0, 2], [1, -100]],
            params={"weight": W3}, reduction="none")
    classes("4d-mean", predictions=scores("4d", 1, 3, 2, 2, axis=1), targets=[[[0, 2], [1, 1]]],
        params={"weight": W3})
    classes("4d-sum", predictions=scores("4d", 1, 3, 2, 2, axis=1), targets=[[[0, 2], [1, 1]]], reduction="sum")
    classes("4d-none", predictions=scores("4d", 1, 3, 2, 2, axis=1), targets=[[[0, 2], [1, 1]]], reduction="none")
    classes("class-axis-last-mean", predictions=scores("axis", 2, 2, 3), targets=[[0, 2], [1, -100]],
            params={"class_axis": -1, "weight": W3})
    classes("class-axis-last-none", predictions=scores("axis", 2, 2, 3), targets=[[0, 2], [1, -100]],
            params={"class_axis": -1}, reduction="none")
    classes("empty-mean", predictions=[], targets=[], shapes={"predictions": (0, 3)})
    classes("empty-sum", predictions=[], targets=[], shapes={"predictions": (0, 3)}, reduction="sum")
    classes("empty-none", predictions=[], targets=[], shapes={"predictions": (0, 3)}, reduction="none")
    classes("sample-weight-mean", predictions=P43, targets=T4, sample_weight=[1.0, 0.5, 0.0, 3.0])
    classes("sample-weight-none", predictions=P43, targets=T4, sample_weight=[1.0, 0.5, 0.0, 3.0], reduction="none")
    classes("sample-weight-and-weight-mean", predictions=P43, targets=[2, 0, -100, 1], params={"weight": W3},
            sample_weight=[1.0, 0.5, 4.0, 3.0])
    classes("sample-weight-per-element-mean", predictions=scores("3d", 2, 3, 2, axis=1),
        targets=[[0, 2], [1, -100]],
            sample_weight=[[1.0, 0.5], [2.0, 8.0]])
    classes("sample-weight-per-row-3d-mean", predictions=scores("3d", 2, 3, 2, axis=1), targets=[[0, 2], [1, -100]],
            sample_weight=[0.5, 2.0], params={"weight": W3})
    classes("missing-mean", predictions=P43, targets=[2, None, 1, None], params={"weight": W3})
    classes("missing-none", predictions=P43, targets=[2, None, -100, 0], reduction="none")
    classes("missing-and-sample-weight-mean", predictions=P43, targets=[2, None, -100, 0],
        sample_weight=[0.5, 4.0, 8.0, 2.0])
    classes("one-class", predictions=[[0.0], [0.0]], targets=[0, 0])

def ce(case, **request):
    add("cross_entropy", case, **request)

C43 = normal("ce 4x3", 4, 3, scale=2)
ce("extreme", predictions=[[1000.0, -1000.0, 0.0], [1000.0, -1000.0, 0.0], [1000.0, 1000.0, -1000.0]],
    targets=[0, 1, 1],
   reduction="none")
ce("shifted", predictions=[[1001.0, 1000.0, 999.5], [-1001.0, -1000.0, -999.5]], targets=[0, 1])
ce("not-finite",
    predictions=[["-Infinity", 0.5, 1.0], ["-Infinity", 0.5, 1.0], ["NaN", 0.5, 1.0],
                 ["-Infinity", "-Infinity", "-Infinity"]], targets=[1, 0, 1, 0], reduction="none")
for reduction in ["none", "mean", "sum"]:
    ce(f"label-smoothing-{reduction}", predictions=C43, targets=[2, 0, 1, 0], params={"label_smoothing": 0.125},
       reduction=reduction)
    ce(f"label-smoothing-weight-ignored-{reduction}", predictions=C43, targets=[2, 0, -100, 0],
       params={"label_smoothing": 0.25, "weight": W3}, reduction=reduction)
ce("label-smoothing-1", predictions=C43, targets=[2, 0, 1, 0], params={"label_smoothing": 1.0})
ce("label-smoothing-3d", predictions=normal("ce ls3d", 2, 3, 2), targets=[[0, 2], [1, -100]],
   params={"label_smoothing": 0.125, "weight": W3})
ce("label-smoothing-unbatched", predictions=[0.5, -1.25, 2.5], targets=1,
    params={"label_smoothing": 0.125, "weight": W3})
ce("label-smoothing-all-ignored", predictions=C43[:2], targets=[-100, -100], params={"label_smoothing": 0.125})
ce("label-smoothing-sample-weight-and-weight-mean", predictions=C43, targets=[2, 0, -100, 1],
   params={"label_smoothing": 0.125, "weight": W3}, sample_weight=[1.0, 0.5, 4.0, 3.0])
SOFT = distribution("ce soft", 4, 3)
for reduction in ["none", "mean", "sum"]:
    ce(f"probabilities-{reduction}", predictions=C43, targets=SOFT, reduction=reduction)
    ce(f"probabilities-weight-smoothing-{reduction}", predictions=C43, targets=SOFT,
       params={"weight": W3, "label_smoothing": 0.125}, reduction=reduction)
ce("probabilities-weight-mean", predictions=C43, targets=SOFT, params={"weight": W3})
ce("probabilities-smoothing-mean", predictions=C43, targets=SOFT, params={"label_smoothing": 0.25})
ce("probabilities-one-hot-mean", predictions=C43[:2], targets=[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
ce("probabilities-unbatched", predictions=[0.5, -1.25, 2.5], targets=[0.25, 0.5, 0.25])
ce("probabilities-3d-none", predictions=normal("ce p3d", 2, 3, 2),
   targets=np.moveaxis(np.array(distribution("ce p3dt", 2, 2, 3)), -1, 1).tolist(), reduction="none")
ce("probabilities-3d-mean", predictions=normal("ce p3d", 2, 3, 2), params={"weight": W3},
   targets=np.moveaxis(np.array(distribution("ce p3dt", 2, 2, 3)), -1, 1).tolist())
ce("probabilities-class-axis-last-mean", predictions=normal("ce pax", 2, 2, 3),
    targets=distribution("ce paxt", 2, 2, 3),
   params={"class_axis": -1, "weight": W3})
ce("probabilities-sample-weight-mean", predictions=C43, targets=SOFT, params={"weight": W3},
   sample_weight=[1.0, 0.5, 0.0, 3.0])
ce("probabilities-extreme", predictions=[[1000.0, -1000.0, 0.0], [1000.0, -1000.0, 0.0]],
   targets=[[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]], reduction="none")
ce("probabilities-not-summing-to-one", predictions=C43[:2], targets=[[0.5, 0.75, 1.0], [0.0, 0.0, 0.25]],
    validate=False)

add("nll", "infinite", predictions=[["-Infinity", -0.5, -1.0], ["-Infinity", -0.5, -1.0], [-0.25, "NaN", -1.0]],
    targets=[0, 1, 1], reduction="none")
add("nll", "infinite-weight-zero", predictions=[["-Infinity", -0.5], [-1.0, -0.5]], targets=[0, 1],
    params={"weight": [0.0, 1.0]}, reduction="none")

def multi(case, **request):
    add("multi_margin", case, **request)

M43, M4 = normal("mg 4x3", 4, 3), [2, 0, 1, 0]
multi("ignored-mean", predictions=M43, targets=[2, 0, 1, 7], params={"ignore_index": [7, 0]})
multi("class-axis-last", predictions=normal("mg axis", 2, 2, 3), targets=[[0, 2], [1, 1]], params={"class_axis": -1})
multi("more-axes", predictions=normal("mg axes", 2, 3, 2), targets=[[0, 2], [1, 1]], params={"p": 2})
for reduction in ["none", "mean", "sum"]:
    multi(f"{reduction}-p-1", predictions=M43, targets=M4, reduction=reduction)
    multi(f"{reduction}-p-2-margin-0.5-weight", predictions=M43, targets=M4, reduction=reduction,
          params={"p": 2, "margin": 0.5, "weight": W3})
multi("p-2", predictions=M43, targets=M4, params={"p": 2})
multi("weight-mean", predictions=M43, targets=M4, params={"weight": W3})
multi("weight-zero-mean", predictions=M43, targets=M4, params={"weight": [0.0, 2.0, 1.0]})
multi("margin-2", predictions=M43, targets=M4, params={"margin": 2.0})
multi("margin-0", predictions=[[0.5, 0.5, 0.25], [1.0, 2.0, 0.0]], targets=[0, 0], params={"margin": 0.0},
    reduction="none")
multi("margin-negative", predictions=[[0.5, 2.0, 0.25]], targets=[0], params={"margin": -1.0}, reduction="none")
multi("at-the-margin-p-1", predictions=[[1.5, 0.5, 0.75], [2.0, 1.0, 1.0]], targets=[0, 0], reduction="none")
multi("at-the-margin-p-2", predictions=[[1.5, 0.5, 0.75], [2.0, 1.0, 1.0]], targets=[0, 0], params={"p": 2},
    reduction="none")
multi("unbatched", predictions=[0.125, 0.25, 0.5, 0.75], targets=2)
multi("unbatched-none", predictions=[0.125, 0.25, 0.5, 0.75], targets=2, params={"p": 2}, reduction="none")
multi("one-class", predictions=[[0.5], [1.0]], targets=[0, 0])
multi("extreme", predictions=[[1000.0, -1000.0, 0.0], [1000.0, -1000.0, 0.0]], targets=[0, 1], reduction="none")
multi("not-finite", predictions=[["Infinity", 0.0], ["Infinity", 0.0], ["NaN", 0.0], [0.0, "NaN"]],
    targets=[0, 1, 1, 1],
      reduction="none")
multi("sample-weight-mean", predictions=M43, targets=M4, sample_weight=[1.0, 0.5, 0.0, 3.0])
multi("sample-weight-and-weight-mean", predictions=M43, targets=M4, params={"weight": W3},
    sample_weight=[1.0, 0.5, 0.0, 3.0])

# ---------------------------------------------------------------- divergence

def kl(case, **request):
    add("kl_div", case, **request)

KP, KT, KL = log_probabilities("kl p", 3, 4), distribution("kl t", 3, 4), log_probabilities("kl l", 3, 4)
for reduction in ["none", "mean", "sum", "batchmean"]:
    kl(reduction, predictions=KP, targets=KT, reduction=reduction)
    kl(f"{reduction}-log-target", predictions=KP, targets=KL, reduction=reduction, params={"log_target": True})
kl("1d-batchmean", predictions=[-1.5, -0.5, -1.25], targets=[0.25, 0.5, 0.25], reduction="batchmean")
kl("3d-batchmean", predictions=log_probabilities("kl 3p", 2, 2, 2), targets=distribution("kl 3t", 2, 2, 2),
   reduction="batchmean")
kl("3d-mean", predictions=log_probabilities("kl 3p", 2, 2, 2), targets=distribution("kl 3t", 2, 2, 2))
kl("scalar", predictions=-0.5, targets=0.75)
kl("zero-and-one-targets", predictions=[[-0.5, -1.0, -2.0], [-0.25, -1.5, -3.0]],
    targets=[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]],
   reduction="none")
kl("exact-fit", predictions=[[-0.5, -1.0]], targets=[[-0.5, -1.0]], params={"log_target": True})
kl("infinite", predictions=["-Infinity", -1.0, "NaN"], targets=[0.5, 0.5, 0.5], reduction="none")
kl("log-target-extreme", predictions=[-1000.0, -1.0, -2.0], targets=[-1.0, -1000.0, -2.0],
    params={"log_target": True},
   reduction="none")
kl("not-normalised", predictions=[[0.5, -3.0]], targets=[[1.5, 2.0]], validate=False)
kl("empty-mean", predictions=[], targets=[])
kl("empty-sum", predictions=[], targets=[], reduction="sum")
kl("empty-none", predictions=[], targets=[], reduction="none")
kl("sample-weight-mean", predictions=KP, targets=KT, sample_weight=[0.5, 2.0, 1.0])
kl("sample-weight-none", predictions=KP, targets=KT, sample_weight=[0.5, 2.0, 1.0], reduction="none")
kl("missing-mean", predictions=[[-0.5, -1.0], [-1.5, -0.25]], targets=[[0.5, 0.5], [None, 0.75]])

# ---------------------------------------------------------------- embedding

def vectors(case, loss, shape=(3, 3), scale=1.0, **request):
    add(loss, case, anchor=normal("a" + case, *shape, scale=scale),
        positive=normal("p" + case, *shape, scale=scale),
        negative=normal("n" + case, *shape, scale=scale), **request)

for reduction in ["none", "mean", "sum"]:
    vectors(reduction, "triplet_margin", reduction=reduction)
    vectors(f"{reduction}-swap", "triplet_margin", reduction=reduction, params={"swap": True})
vectors("margin-0.25", "triplet_margin", params={"margin": 0.25}, reduction="none")
vectors("margin-5", "triplet_margin", params={"margin": 5.0})
vectors("eps-0.125", "triplet_margin", params={"eps": 0.125, "margin": 3.0})
for p in [1, 3, 0.5, "Infinity"]:
    vectors(f"p-{p}", "triplet_margin", params={"p": p, "margin": 4.0}, reduction="sum")
vectors("p-1-swap", "triplet_margin", params={"p": 1, "margin": 4.0, "swap": True})
vectors("unbatched", "triplet_margin", shape=(4,), params={"margin": 3.0})
vectors("unbatched-none", "triplet_margin", shape=(4,), params={"margin": 3.0}, reduction="none")
vectors("one-feature", "triplet_margin", shape=(4, 1))
add("triplet_margin", "equal-vectors", anchor=[[0.0, 0.0], [1.0, 2.0]], positive=[[0.0, 0.0], [1.0, 2.0]],
    negative=[[0.0, 0.0], [1.0, 2.0]])
add("triplet_margin", "equal-vectors-eps-0", anchor=[[0.0, 0.0], [1.0, 2.0]], positive=[[0.0, 0.0], [1.0, 2.0]],
    negative=[[0.0, 0.0], [1.0, 3.0]], params={"eps": 0.0}, reduction="none")
add("triplet_margin", "equal-vectors-eps-0-p-1", anchor=[[1.0, 2.0]], positive=[[1.0, 2.0]], negative=[[1.0, 3.0]],
    params={"eps": 0.0, "p": 1, "margin": 2.0}, reduction="none")
add("triplet_margin", "swap-tie", anchor=[[0.5, 1.0]], positive=[[0.5, 1.0]], negative=[[1.5, 0.25]],
    params={"swap": True, "margin": 2.0})
add("triplet_margin", "swap-taken-and-not", anchor=[[0.0, 0.0], [0.0, 0.0]], positive=[[1.0, 0.0], [1.0, 0.0]],
    negative=[[1.5, 0.0], [-0.5, 0.0]], params={"swap": True}, reduction="none")
add("triplet_margin", "at-the-margin", anchor=[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]],
    positive=[[3.0, 4.0], [3.0, 4.0], [3.0, 4.0]], negative=[[6.0, 0.0], [6.25, 0.0], [5.75, 0.0]],
    params={"eps": 0.0}, reduction="none")
add("triplet_margin", "p-infinity-tie", anchor=[[0.0, 0.0, 0.0]], positive=[[1.0, -1.0, 0.5]],
    negative=[[0.25, 0.5, 0.5]],
    params={"p": "Infinity", "eps": 0.0})
add("triplet_margin", "nan", anchor=[["NaN", 0.0], [0.5, 0.0]], positive=[[1.0, 0.5], [1.0, 0.5]],
    negative=[[0.5, 1.0], [0.5, 1.0]], reduction="none")
vectors("sample-weight-mean", "triplet_margin", params={"margin": 3.0}, sample_weight=[0.5, 2.0, 1.0])
vectors("sample-weight-none", "triplet_margin", params={"margin": 3.0}, sample_weight=[0.5, 2.0, 1.0],
    reduction="none")

for distance in ["euclidean", "cosine", "manhattan", "chebyshev"]:
    for reduction in ["none", "mean"]:
        vectors(f"{distance}-{reduction}", "triplet_margin_with_distance", params={"distance": distance},
                reduction=reduction)
    vectors(f"{distance}-swap-margin-2-sum", "triplet_margin_with_distance",
            params={"distance": distance, "swap": True, "margin": 2.0}, reduction="sum")
vectors("unbatched", "triplet_margin_with_distance", shape=(4,), params={"margin": 3.0})
vectors("cosine-unbatched-none", "triplet_margin_with_distance", shape=(4,),
    params={"distance": "cosine", "margin": 1.5},
        reduction="none")
add("triplet_margin_with_distance", "manhattan-equal-components", anchor=[[1.0, 2.0]], positive=[[1.0, 3.0]],
    negative=[[1.5, 2.0]], params={"distance": "manhattan"})
add("triplet_margin_with_distance", "manhattan-at-the-margin", anchor=[[0.0, 0.0]], positive=[[1.0, 0.5]],
    negative=[[2.0, 0.5]], params={"distance": "manhattan"})
add("triplet_margin_with_distance", "manhattan-swap-tie", anchor=[[0.0, 0.0]], positive=[[1.0, 0.0]],
    negative=[[0.5, 1.0]], params={"distance": "manhattan", "swap": True})
add("triplet_margin_with_distance", "chebyshev-tie", anchor=[[0.0, 0.0]], positive=[[1.0, -1.0]],
    negative=[[0.5, 0.25]],
    params={"distance": "chebyshev"})
add("triplet_margin_with_distance", "cosine-zero-vector", anchor=[[1.0, 0.5]], positive=[[0.0, 0.0]],
    negative=[[0.5, -1.0]], params={"distance": "cosine"})
vectors("cosine-sample-weight-mean", "triplet_margin_with_distance", params={"distance": "cosine"},
        sample_weight=[0.5, 2.0, 1.0])

def cosine(case, shape=(4, 3), targets=(1, -1, -1, 1), **request):
    add("cosine_embedding", case, input1=normal("c1" + case, *shape), input2=normal("c2" + case, *shape),
        targets=list(targets) if len(shape) > 1 else targets, **request)

for reduction in ["none", "mean", "sum"]:
    cosine(reduction, reduction=reduction)
    cosine(f"{reduction}-margin-minus-0.5", params={"margin": -0.5}, reduction=reduction)
cosine("margin-0.5", params={"margin": 0.5}, reduction="none")
cosine("unbatched-similar", shape=(3,), targets=1)
cosine("unbatched-dissimilar-none", shape=(3,), targets=-1, params={"margin": -1.0}, reduction="none")
add("cosine_embedding", "parallel-opposite-orthogonal", input1=[[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]] * 2,
    input2=[[2.0, 4.0], [-1.0, -2.0], [2.0, -1.0]] * 2, targets=[1, 1, 1, -1, -1, -1], reduction="none")
add("cosine_embedding", "at-the-margin", input1=[[3.0, 4.0]], input2=[[-4.0, 3.0]], targets=[-1], reduction="none")
add("cosine_embedding", "zero-vectors", input1=[[0.0, 0.0], [1.0, 0.5], [0.0, 0.0], [0.0, 0.0]],
    input2=[[1.0, 0.5], [0.0, 0.0], [0.0, 0.0], [1.0, 0.5]], targets=[1, 1, 1, -1],
    params={"margin": -0.25}, reduction="none")
add("cosine_embedding", "scaled", input1=[[1024.0, 512.0], [0.0009765625, 0.00048828125]],
    input2=[[0.5, 1.0], [2048.0, -512.0]], targets=[1, 1])
add("cosine_embedding", "other-targets", input1=[[1.0, 0.5], [1.0, 0.5]], input2=[[0.5, 1.0], [0.5, 1.0]],
    targets=[0, 2],
    validate=False, reduction="none")
add("cosine_embedding", "nan", input1=[["NaN", 0.5], [1.0, 0.5]], input2=[[0.5, 1.0], [0.5, 1.0]], targets=[1, 1],
    reduction="none")
cosine("sample-weight-mean", sample_weight=[0.5, 2.0, 0.0, 1.0])
add("cosine_embedding", "missing-mean", input1=[[1.0, 0.5], [0.25, 1.0]], input2=[[0.5, 1.0], [0.5, 1.0]],
    targets=[1, None])

def ranking(case, shape=(5,), **request):
    add("margin_ranking", case, input1=normal("r1" + case, *shape), input2=normal("r2" + case, *shape),
        targets=signs("rt" + case, *shape), **request)

for reduction in ["none", "mean", "sum"]:
    ranking(reduction, reduction=reduction)
    ranking(f"{reduction}-margin-1", params={"margin": 1.0}, reduction=reduction)
ranking("margin-negative", params={"margin": -0.5})
ranking("2d-mean", shape=(2, 3))
ranking("3d-none", shape=(2, 2, 2), params={"margin": 0.5}, reduction="none")
add("margin_ranking", "ties", input1=[1.0, 1.0, 2.0], input2=[1.0, 1.0, 2.0], targets=[1, -1, 1], reduction="none")
add("margin_ranking", "at-the-margin", input1=[1.5, 0.5, 1.25], input2=[1.0, 1.0, 1.0], targets=[1, -1, 1],
    params={"margin": 0.5}, reduction="none")
add("margin_ranking", "scalar", input1=0.5, input2=1.25, targets=1)
add("margin_ranking", "other-targets", input1=[0.5, 1.5], input2=[1.0, 1.0], targets=[2.0, -0.5], validate=False,
    reduction="none")
add("margin_ranking", "not-finite", input1=["NaN", "Infinity", "-Infinity", "Infinity"],
    input2=[1.0, 1.0, 1.0, "Infinity"],
    targets=[1, 1, 1, 1], reduction="none")
add("margin_ranking", "empty-mean", input1=[], input2=[], targets=[])
add("margin_ranking", "empty-none", input1=[], input2=[], targets=[], reduction="none")
ranking("sample-weight-mean", sample_weight=[0.5, 2.0, 0.0, 1.0, 1.5])
add("margin_ranking", "missing-mean", input1=[0.5, 1.5, 0.25], input2=[1.0, 1.0, 1.0], targets=[1, None, 1])

# ---------------------------------------------------------------- sequence

def ctc(case, t, n, c, targets, input_lengths, target_lengths, **request):
    shape = (t, c) if n is None else (t, n, c)
    add("ctc", case, predictions=log_probabilities(f"ctc{t} {n} {c}", *shape), targets=targets,
        input_lengths=input_lengths, target_lengths=target_lengths, **request)

PADDED = dict(targets=[[1, 2], [2, 0]], input_lengths=[4, 4], target_lengths=[2, 1])
for reduction in ["none", "mean", "sum"]:
    ctc(f"padded-{reduction}", 4, 2, 3, **PADDED, reduction=reduction)
ctc("flat-mean", 4, 2, 3, [1, 2, 2], [4, 4], [2, 1])
ctc("flat-none", 4, 2, 3, [1, 2, 2], [4, 4], [2, 1], reduction="none")
ctc("repeated-labels", 5, 2, 3, [[1, 1], [2, 2]], [5, 3], [2, 2], reduction="none")
ctc("lengths-differ-mean", 5, 2, 3, [[1, 2, 1], [2, 0, 0]], [5, 3], [3, 1])
ctc("lengths-differ-sum", 5, 2, 3, [[1, 2, 1], [2, 0, 0]], [5, 3], [3, 1], reduction="sum")
ctc("blank-last", 4, 2, 3, [[0, 1], [1, 2]], [4, 4], [2, 1], params={"blank": 2})
ctc("blank-in-the-middle-none", 4, 2, 3, [[0, 2], [2, 0]], [4, 3], [2, 1], params={"blank": 1}, reduction="none")
ctc("unbatched", 4, None, 3, [1, 2], 4, 2)
ctc("unbatched-none", 4, None, 3, [2, 1], 3, 2, reduction="none")
ctc("unbatched-blank-last-sum", 4, None, 3, [0, 1], 4, 2, params={"blank": 2}, reduction="sum")
ctc("empty-targets-mean", 4, 2, 3, [[1, 2], [0, 0]], [4, 4], [2, 0])
ctc("empty-targets-none", 4, 2, 3, [[1, 2], [0, 0]], [4, 3], [2, 0], reduction="none")
INFEASIBLE = dict(targets=[[1, 2], [1, 1]], input_lengths=[4, 2], target_lengths=[2, 2])
for reduction in ["none", "mean", "sum"]:
    ctc(f"infeasible-{reduction}", 4, 2, 3, **INFEASIBLE, reduction=reduction)
    ctc(f"infeasible-zero-infinity-{reduction}", 4, 2, 3, **INFEASIBLE, reduction=reduction,
        params={"zero_infinity": True})
ctc("exactly-long-enough", 3, 2, 3, [[1, 2, 1], [1, 1, 0]], [3, 3], [3, 2], reduction="none")
ctc("one-frame", 1, 2, 3, [[1], [2]], [1, 1], [1, 1], reduction="none")
ctc("two-classes", 5, 1, 2, [[1, 1]], [5], [2])
add("ctc", "impossible-labels", predictions=[[[0.0, "-Infinity"]], [[0.0, "-Infinity"]]],
    targets=[[1]], input_lengths=[2], target_lengths=[1], params={"zero_infinity": True}, reduction="none")
add("ctc", "not-normalised", predictions=[[[0.5, 1.0, -0.25]], [[1.5, -0.5, 0.75]], [[0.0, 2.0, 1.0]]],
    targets=[[1, 2]], input_lengths=[3], target_lengths=[2], reduction="none")
add("ctc", "long", predictions=log_probabilities("ctc long", 9, 1, 3), targets=[[1, 2, 2, 1]], input_lengths=[9],
    target_lengths=[4])

FAMILIES = {
    "regression": ["mse", "l1", "smooth_l1", "huber", "log_cosh", "quantile"],
    "distribution": ["poisson_nll", "gaussian_nll"],
    "binary": ["binary_cross_entropy", "binary_cross_entropy_with_logits", "sigmoid_focal", "soft_margin",
               "hinge_embedding", "multilabel_soft_margin", "multilabel_margin"],
    "classes": ["cross_entropy", "nll", "multi_margin"],
    "divergence": ["kl_div"],
    "embedding": ["triplet_margin", "triplet_margin_with_distance", "cosine_embedding", "margin_ranking"],
    "sequence": ["ctc"],
}

if __name__ == "__main__":
    made_by = "tests/golden/make.py, " + versions(torch, torchvision, sklearn, mpmath, np)
    for family, names in FAMILIES.items():
        write(family + ".json", made_by, [case for name in names for case in CASES[name]])
