"""Makes rows.json: losses with one value for each row of the batch, or for the whole batch, that torch lacks.

    pip install -r requirements.txt
    python make_rows.py

writes the file beside this script. Running it again gives the same bytes. The format is that of make.py.

The formulas and the libraries that have the loss are in make_rows_more.py. Every formula is in torch, in
float64, and torch differentiates it. Each case's losses and gradients, before weights and reduction, are
compared with the libraries' (with mpmath's, where no library has the loss); "source" names them. Weights,
reductions, the class axis, ignored classes and missing labels are done here, as the wire contract has them.

Of a tie among the largest the first one has the gradient; torch's other conventions at kinks hold. There
the libraries differ, and a case with kink=True compares the losses alone.
"""

import json
from importlib.metadata import version

import numpy as np
import torch

from golden import decode, distribution, encode, integers, normal, uniform, write
from make_rows_more import BATCH, ROWS, agree, rnnt_sample, rnnt_torchaudio

CASES = []


def tensor(value, dtype=torch.float64):
    return torch.tensor(decode(value), dtype=dtype)


def spread(request, shape):
    """The sample weights, one for each element of `shape`."""
    w = tensor(request.get("sample_weight", 1.0))
    return w.reshape(w.shape + (1,) * (len(shape) - w.dim())).expand(shape)


# ---------------------------------------------------------------- one value for each row

def compare(name, z, t, more, params, with_gradients):
    """The formula against its libraries, on the rows that count."""
    loss = ROWS[name]
    z = z.detach().requires_grad_(True)
    losses = loss.formula(z, t, *more, **params)
    slopes = torch.autograd.grad(losses.sum(), z)[0]
    for check in loss.checks:
        values, gradients = check(z, t, *more, **params)
        assert agree(values, losses, loss.tolerance), (name, params, values, losses)
        if with_gradients and gradients is not None:
            assert agree(gradients, slopes, loss.tolerance), (name, params, gradients, slopes)


def rows(name, request, compared):
    """The answer of a loss in ROWS. `compared` names what of it a library must agree with."""
    params = {k: decode(v) for k, v in request.get("params", {}).items()}
    axis, ignored = params.pop("class_axis", 1), np.atleast_1d(params.pop("ignore_index", -100))
    predictions = tensor(request["predictions"]).requires_grad_(True)
    z = predictions.movedim(axis, -1)
    shape, c = z.shape[:-1], z.shape[-1]
    z = z.reshape(-1, c)

    kept, missing, t = np.ones(len(z), bool), np.zeros(len(z), bool), np.zeros(len(z), int)
    if "targets" in request:
        t = np.array(request["targets"], dtype=object)
        vectors = t.ndim == predictions.dim()
        if vectors:
            t = np.moveaxis(t, axis, -1).reshape(-1, c)
            missing = np.equal(t, None).any(1)
            kept = ~missing
        else:
            t = t.ravel()
            missing = np.equal(t, None)
            kept = ~missing & ~np.isin(np.where(missing, 0, t).astype(int), ignored)
        t = t[kept].astype(float if vectors else int)
    t, kept = torch.tensor(t), torch.tensor(kept)
    more = [tensor(request[k])[kept] for k in ROWS[name].more]
    if compared:
        compare(name, z[kept], t, more, params, "gradients" in compared)

    losses = torch.zeros(len(z), dtype=torch.float64)
    losses = losses.index_put((kept,), ROWS[name].formula(z[kept], t, *more, **params))
    value, answer = reduce(losses, spread(request, shape).reshape(-1), kept, request)
    value.sum().backward()
    if answer is None:
        answer = np.where(missing, None, encode(value)).reshape(shape).tolist()
    return {"loss": answer, "gradients": {"predictions": encode(predictions.grad)}}


def reduce(losses, weight, kept, request):
    """The reduced loss, and its number unless the losses are to be returned as they are."""
    value = weight * losses
    reduction = request.get("reduction", "mean")
    if reduction == "none":
        return value, None
    value = value.sum() / (weight[kept].sum() if reduction == "mean" else 1)
    return value, encode(value)


# ---------------------------------------------------------------- one value for the batch

def batch(name, request, compared):
    t = np.array(request["targets"], dtype=object)
    present = ~np.equal(t, None)
    predictions = tensor(request["predictions"]).requires_grad_(True)
    kept = torch.tensor(present)
    p, t, w = predictions[kept], tensor(t[present].astype(float).tolist()), spread(request, predictions.shape)[kept]
    params = request.get("params", {})
    value = BATCH[name].formula(p, t, w, **params)
    value.backward()
    if not params:  # torchmetrics has no eps
        assert agree(BATCH[name].checks[0](p.detach(), t, w), value, 1e-9)
    return {"loss": encode(value), "gradients": {"predictions": encode(predictions.grad)}}


# ---------------------------------------------------------------- the transducer

def rnnt(name, request, compared):
    params = request.get("params", {})
    clamp = params.get("clamp", -1)
    x = tensor(request["predictions"])
    blank = params.get("blank", -1) % x.shape[-1]
    missing = np.array([None in row for row in request["targets"]])
    kept = torch.tensor(~missing)
    losses, slopes = torch.zeros(len(x), dtype=torch.float64), torch.zeros_like(x)
    for i in np.flatnonzero(~missing):
        labels = request["targets"][i][:request["target_lengths"][i]]
        part = slice(request["input_lengths"][i]), slice(len(labels) + 1)
        losses[i], slope = rnnt_sample(x[i][part], labels, blank)
        slopes[i][part] = slope.clamp(-clamp, clamp) if clamp > 0 else slope
    others = [[request[k][i] for i in np.flatnonzero(~missing)]
              for k in ("targets", "input_lengths", "target_lengths")]
    got = rnnt_torchaudio(x[kept], *others, blank, clamp)
    assert agree(got[0], losses[kept], 1e-5) and agree(got[1], slopes[kept], 1e-5)
    w = spread(request, losses.shape)
    value, answer = reduce(losses, w, kept, request)
    share = w[kept].sum() if request.get("reduction", "mean") == "mean" else 1
    slopes = slopes * (w / share).reshape(-1, 1, 1, 1)
    return {"loss": encode(value) if answer is None else answer, "gradients": {"predictions": encode(slopes)}}


# ---------------------------------------------------------------- cases

def source(name, request):
    words = "closed form in torch, gradient by autograd; value and gradient agree with "
    if name == "wmape" and request.get("params"):
        return "closed form in torch, gradient by autograd"
    if name in BATCH:
        return f"closed form in torch, gradient by autograd; value agrees with {BATCH[name].names}"
    if name == "rnnt":
        return ("forward recursion in torch, gradient by autograd; value and gradient agree with the sum over all "
                "alignments and, in float32, with torchaudio's rnnt_loss operator")
    names = ROWS[name].names
    if names.endswith("(value)"):
        return f"closed form in torch, gradient by autograd; value agrees with {names[:-8]}"
    return words + names


def as_float32(value):
    if isinstance(value, list):
        return [as_float32(v) for v in value]
    return float(np.float32(value)) if isinstance(value, float) else value


def add(name, case, kink=False, **request):
    evaluate = batch if name in BATCH else rnnt if name == "rnnt" else rows
    answer = evaluate(name, request, ["losses"] if kink else ["losses", "gradients"])
    # The server reads float32: its inputs must be exact, but for the decimals of an example.
    rounded = {k: as_float32(v) if k != "params" else v for k, v in request.items()}
    if case == "example":
        small = evaluate(name, rounded, [])
        assert agree(small["loss"], answer["loss"], 2e-6)
        assert agree(small["gradients"]["predictions"], answer["gradients"]["predictions"], 5e-6), name
    else:
        assert rounded == request, (name, case)
    text = source(name, request) + (" except at the kink" if kink and "and gradient" in source(name, request) else "")
    CASES.append({"loss": name, "case": case, "source": text, "request": request, "answer": answer})


WEIGHTS = [1.0, 0.0, 0.5, 2.0]


def common(name, data):
    """The reductions, on batches of different sizes, and sample weights. `data(seed, n, c)` makes a batch."""
    add(name, "mean", **data(f"{name} mean", 5, 3), reduction="mean")
    add(name, "sum", **data(f"{name} sum", 2, 6), reduction="sum")
    add(name, "none", **data(f"{name} none", 3, 4), reduction="none")
    add(name, "sample-weight", **data(f"{name} weight", 4, 5), sample_weight=WEIGHTS)


def with_missing(name, request, row, case="missing", **more):
    """A batch with the label of a row missing; of a row of numbers, the second number."""
    targets = json.loads(json.dumps(request["targets"]))
    if isinstance(targets[row], list):
        targets[row][1] = None
    else:
        targets[row] = None
    add(name, case, **{**request, "targets": targets}, **more)


def to_last(name, request, case="class_axis--1", **more):
    """Predictions [2, 3, c] of a batch of six rows, the classes last; targets [2, 3] or [2, 3, c]."""
    shaped = {k: [v[:3], v[3:]] for k, v in request.items()}
    add(name, case, **shaped, params={"class_axis": -1}, **more)


def logits(name, n, c, scale=1.5):
    return normal(f"{name} p", n, c, scale=scale)


def by_index(scale=1.5, fewer=0):
    return lambda name, n, c: {"predictions": logits(name, n, c - fewer, scale),
                               "targets": integers(f"{name} t", n, high=c)}


def positive(name, n, c):
    """Probabilities above zero in multiples of 1/64 that sum to one."""
    parts = np.array(distribution(name, n, c, parts=64 - c)) * (64 - c)
    return encode((np.round(parts) + 1) / 64)


def two(make, other=None):
    return lambda name, n, c: {"predictions": make(f"{name} p", n, c), "targets": (other or make)(f"{name} t", n, c)}


def moved(name, changes, data, n=4, c=3):
    """A case for each parameter moved."""
    for param, value in changes:
        add(name, f"{param}-{value}", **data(f"{name} {param} {value}", n, c), params={param: value})


def for_classes(name, data, changes=(), c=4):
    """What every loss over class indices has."""
    common(name, data)
    moved(name, changes, data)
    with_missing(name, data(f"{name} missing", 4, 3), 2)
    x = data(f"{name} ignored", 5, c)
    add(name, "ignore_index-1", **{**x, "targets": [1, 0, 2, 1, 0]}, params={"ignore_index": 1})
    add(name, "ignore_index-list", **{**x, "targets": [1, 0, 2, c - 1, 0]}, params={"ignore_index": [0, c - 1]},
        sample_weight=[1.0, 3.0, 0.5, 1.0, 2.0])
    to_last(name, data(f"{name} axis", 6, c))


def more_axes(name, scale=1.5):
    """The class axis in the middle, with an ignored and a weighted row: predictions [2, 3, 4], targets [2, 4]."""
    x = {"predictions": normal(f"{name} axes p", 2, 3, 4, scale=scale), "targets": [[0, 2, 1, 2], [1, -100, 0, 2]]}
    add(name, "more-axes", **x, sample_weight=[0.5, 2.0])
    add(name, "more-axes-none", **x, reduction="none")


def regression():
    add("rmse", "example", predictions=[2.5, 0.0, 2.1, 7.8], targets=[3.0, -0.5, 2.0, 7.0])
    add("wmape", "example", predictions=[102.0, 48.0, 11.5, 76.0], targets=[110.0, 50.0, 9.0, 80.0])
    for name in BATCH:
        x = {"predictions": normal(f"{name} p", 3, 4), "targets": normal(f"{name} t", 3, 4)}
        for reduction in ["mean", "sum", "none"]:
            add(name, reduction, **x, reduction=reduction)
        add(name, "sample-weight", **x, sample_weight=[1.0, 0.0, 2.5])
        add(name, "sample-weight-elements", **x, sample_weight=uniform(f"{name} w", 3, 4, high=2.0))
        add(name, "missing", predictions=x["predictions"][0], targets=[0.5, None, -1.25, 2.0])
        add(name, "missing-none", predictions=x["predictions"][1], targets=[None, 1.5, 0.5, None], reduction="none",
            sample_weight=[1.0, 0.5, 2.0, 1.0])
    add("rmse", "exact-fit", predictions=[1.0, 2.5, -3.0], targets=[1.0, 2.5, -3.0], reduction="mean")
    add("rmse", "one-element", predictions=[1.5], targets=[-0.25])
    add("wmape", "one-exact", predictions=[1.0, 2.5, -3.0], targets=[0.5, 2.5, -2.0], reduction="mean")
    add("wmape", "eps-4", predictions=[0.5, -1.0], targets=[1.0, -0.75], params={"eps": 4.0})
    add("wmape", "zero-targets", predictions=[0.5, -0.25, 0.0], targets=[0.0, 0.0, 0.0], params={"eps": 0.25})

    name, data = "cosine_distance", two(lambda name, n, c: normal(name, n, c, scale=2.0))
    add(name, "example", predictions=[[0.8, 0.2, 0.5], [0.1, 0.9, -0.3]], targets=[[1.0, 0.0, 0.5], [0.4, 0.7, 0.2]])
    common(name, data)
    long, short = [[3.0, -4.0, 1.5], [-2.0, 5.0, 3.0]], [[0.5, 1.25, -1.0], [1.0, 0.5, 0.25]]
    add(name, "eps-2-short-targets", predictions=long, targets=short, params={"eps": 2.0})
    add(name, "eps-2-short-predictions", kink=True, predictions=short, targets=long, params={"eps": 2.0})
    with_missing(name, data("cosine missing", 4, 3), 1)
    add(name, "zero-vectors", predictions=[[0.0, 0.0, 0.0], [1.0, -2.0, 0.5], [1.5, 0.25, 1.0]],
        targets=[[1.0, 0.5, -2.0], [0.0, 0.0, 0.0], [2.0, 1.0, -1.0]], reduction="sum")
    add(name, "parallel-and-opposite", predictions=[[1.0, -2.0, 2.0], [3.0, 0.0, -4.0], [1.0, 0.0, 0.0]],
        targets=[[2.0, -4.0, 4.0], [-1.5, 0.0, 2.0], [0.0, 1.0, 0.0]], reduction="none")


CLASSES = {  # name: the parameters moved
    "softmax_focal": [("alpha", 0.25), ("gamma", 0.5), ("gamma", 0.0), ("gamma", 3.0)],
    "generalized_cross_entropy": [("q", 0.3), ("q", 1.0)],
    "symmetric_cross_entropy": [("alpha", 1.5), ("beta", 0.25), ("log_zero", -6.0)],
    "poly1_cross_entropy": [("epsilon", -0.5), ("epsilon", 0.0)],
    "multiclass_hinge": [],
    "sparsemax": [],
}
THREE = {"predictions": [[2.0, 1.2, 0.1], [0.5, 2.5, 0.3], [0.2, 0.4, 1.1]], "targets": [0, 1, 1]}


def over_classes():
    for name, changes in CLASSES.items():
        add(name, "example", **THREE)
        for_classes(name, by_index(), changes)
        more_axes(name)
    focal = by_index()("focal", 4, 3)
    with_missing("softmax_focal", focal, 1, "missing-none", reduction="none")
    add("softmax_focal", "sample-weight-elements", predictions=normal("focal elements", 2, 3, 4),
        targets=integers("focal elements t", 2, 4, high=3), sample_weight=uniform("focal w", 2, 4, high=2.0))
    wide = {"predictions": [[-30.0, 20.0, 1.0], [25.0, -20.0, 0.0]], "targets": [0, 0]}
    for name in ["softmax_focal", "symmetric_cross_entropy", "poly1_cross_entropy"]:
        add(name, "confident", **wide, reduction="none")
    # Autograd takes 1 - p^q apart, which leaves nothing of a gradient where p is tiny.
    add("generalized_cross_entropy", "confident", predictions=[[-6.0, 4.0, 1.0], [9.0, -4.0, 0.0]],
        targets=[0, 0], reduction="none")
    add("multiclass_hinge", "ties", kink=True, predictions=[[1.5, 0.0, 1.5], [2.0, 2.0, 2.0], [0.5, 0.5, -1.0]],
        targets=[1, 1, 2], reduction="none")
    add("multiclass_hinge", "at-the-margin", kink=True, predictions=[[1.5, 0.5, 0.0], [0.0, 3.0, 1.0]], targets=[0, 1],
        reduction="none")
    add("sparsemax", "certain", predictions=[[2.5, 0.5, 1.0, -4.0], [0.25, 0.25, 0.25, 0.25], [-9.0, 8.0, 3.0, 0.0]],
        targets=[0, 2, 0], reduction="none")

    name, data = "soft_target_cross_entropy", two(logits, distribution)
    add(name, "example", predictions=THREE["predictions"][:2], targets=[[0.9, 0.05, 0.05], [0.1, 0.7, 0.2]])
    common(name, data)
    with_missing(name, data(f"{name} missing", 4, 3), 0)
    to_last(name, data(f"{name} axis", 6, 4))
    add(name, "more-axes", predictions=normal(f"{name} axes p", 2, 3, 2), targets=np.swapaxes(
        distribution(f"{name} axes t", 2, 2, 3), 1, 2).tolist(), reduction="none")
    add(name, "one-hot-large-logits", predictions=[[100.0, -50.0, 3.0], [-80.0, 90.0, 20.0]],
        targets=[[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]], reduction="none")

    name, data = "z_loss", lambda seed, n, c: {"predictions": logits(seed, n, c, 3.0)}
    add(name, "example", predictions=[[12.0, 9.5, 10.1], [3.5, 7.5, 6.3]])
    common(name, data)
    moved(name, [("scale", 0.5)], data)
    to_last(name, data(f"{name} axis", 6, 4))
    add(name, "more-axes", predictions=normal("z axes", 2, 3, 2), reduction="none")
    add(name, "large-logits", predictions=[[200.0, 199.5, -300.0], [-150.0, -151.0, -150.0]], reduction="sum")

    name, data = "categorical_hinge", two(logits, lambda seed, n, c: np.eye(c)[integers(seed, n, high=c)].tolist())
    add(name, "example", predictions=[[1.2, 0.3, -0.5], [0.4, 0.9, 0.7]], targets=[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    common(name, data)
    soft = two(logits, distribution)
    add(name, "soft-targets", **soft(f"{name} soft", 4, 3))
    with_missing(name, data(f"{name} missing", 4, 3), 3)
    to_last(name, soft(f"{name} axis", 6, 4))
    add(name, "own-class-largest", predictions=[[2.5, -0.75, -2.0], [0.5, -3.0, -0.25]],
        targets=[[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], reduction="none")
    add(name, "ties", kink=True, predictions=[[1.5, -0.5, 1.5], [2.0, 1.0, 0.0]],
        targets=[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], reduction="none")

    name, data = "ordinal", by_index(fewer=1)
    add(name, "example", predictions=[[2.1, 0.4, -1.3], [0.6, -0.8, -2.2], [3.0, 1.9, 0.7]], targets=[2, 0, 3])
    common(name, data)
    with_missing(name, data(f"{name} missing", 4, 4), 1)
    add(name, "ends", predictions=[[1.5, -0.25], [1.5, -0.25], [1.5, -0.25]], targets=[0, 1, 2], reduction="none")
    add(name, "confident", predictions=[[40.0, -60.0], [-40.0, -90.0]], targets=[1, 2], reduction="none")
    add(name, "ignore_index-1", predictions=logits("ordinal ignored", 4, 2), targets=[1, 0, 2, 1],
        params={"ignore_index": 1})
    to_last(name, data("ordinal axis", 6, 4))


def over_probabilities():
    soft = two(distribution)

    def index(seed, n, c):
        return {"predictions": distribution(f"{seed} p", n, c), "targets": integers(f"{seed} t", n, high=c)}

    example = [[0.1, 0.6, 0.3], [0.7, 0.2, 0.1], [0.25, 0.35, 0.4]]
    for name in ["ranked_probability_score", "brier_multiclass", "emd2"]:
        if name == "emd2":
            add(name, "example", predictions=example, targets=[[0.05, 0.5, 0.45], [0.8, 0.15, 0.05], [0.2, 0.2, 0.6]])
            common(name, soft)
            with_missing(name, soft(f"{name} missing", 4, 3), 1)
            to_last(name, soft(f"{name} axis", 6, 4))
            add(name, "class-targets", **index(f"{name} classes", 4, 3))
            ignored = {**index(f"{name} ignored", 4, 3), "targets": [1, 0, 2, 1]}
            add(name, "ignore_index-1", **ignored, params={"ignore_index": 1})
        else:
            add(name, "example", predictions=example, targets=[1, 0, 1])
            for_classes(name, index)
            add(name, "probability-targets", **soft(f"{name} soft", 4, 5))
            with_missing(name, soft(f"{name} soft missing", 3, 4), 1, "missing-probabilities")
            to_last(name, soft(f"{name} soft axis", 6, 3), "probability-targets-class_axis--1")
        add(name, "certain", predictions=[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]],
            targets=[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], reduction="none")


DIVERGENCES = ["js_div", "generalized_jsd", "tv_distance", "hellinger", "psi", "wasserstein_1d"]


def divergences():
    data = two(positive)
    example = {"predictions": [[0.12, 0.28, 0.35, 0.25], [0.5, 0.3, 0.15, 0.05]],
               "targets": [[0.1, 0.3, 0.4, 0.2], [0.4, 0.35, 0.2, 0.05]]}
    for name in DIVERGENCES:
        x = example
        if name in ["tv_distance", "wasserstein_1d"]:  # no equal numbers, where the decimals would decide
            x = {"predictions": example["predictions"], "targets": [[0.1, 0.31, 0.4, 0.19], [0.4, 0.35, 0.19, 0.06]]}
        add(name, "example", **x)
        common(name, data)
        with_missing(name, data(f"{name} missing", 4, 3), 2)
        to_last(name, data(f"{name} axis", 6, 4))
        if name == "generalized_jsd":
            with_missing(name, data("jsd none", 3, 4), 1, "missing-none", reduction="none")
            moved(name, [("beta", v) for v in [0.25, 0.0, 1.0]], data)
        kink = name == "tv_distance"
        zero = [[0.25, 0.25, 0.5], [0.5, 0.125, 0.375]]
        if name != "psi":  # which is infinite there
            add(name, "zero-targets", predictions=zero, targets=[[0.0, 0.75, 0.25], [1.0, 0.0, 0.0]], reduction="none")
        add(name, "equal", kink=kink, predictions=zero, targets=zero, reduction="none")
    add("tv_distance", "one-equal", kink=True, predictions=[[0.25, 0.25, 0.5]], targets=[[0.25, 0.625, 0.125]])
    add("wasserstein_1d", "equal-sums", predictions=[[0.25, 0.25, 0.25, 0.25]], targets=[[0.125, 0.375, 0.375, 0.125]])

    name, data = "generalized_kl", two(lambda seed, n, c: uniform(seed, n, c, low=-3.0, high=0.0), positive)
    add(name, "example", predictions=[[-0.7, -1.2, -1.6], [-0.4, -1.9, -1.7]],
        targets=[[0.5, 0.3, 0.2], [0.7, 0.1, 0.2]])
    common(name, data)
    with_missing(name, data(f"{name} missing", 4, 3), 1)
    to_last(name, data(f"{name} axis", 6, 4))
    add(name, "zero-targets", predictions=[[-0.5, -2.0, -1.5], [-0.25, -3.0, -1.0]],
        targets=[[0.0, 0.75, 0.25], [1.0, 0.0, 0.0]], reduction="none")

    name, data = "reverse_kl", two(logits, positive)
    add(name, "example", predictions=[[2.0, 1.0, 0.1], [0.5, 2.5, 0.3]], targets=[[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
    common(name, data)
    with_missing(name, data(f"{name} missing", 4, 3), 3)
    to_last(name, data(f"{name} axis", 6, 4))
    add(name, "large-logits", predictions=[[100.0, 98.5, 99.0], [-70.0, -71.5, -70.25]],
        targets=[[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]], reduction="none")


def cosines(seed, n, c):
    return {"predictions": uniform(f"{seed} p", n, c, low=-0.75, high=0.875),
            "targets": integers(f"{seed} t", n, high=c)}


def others():
    name, data = "zlpr", two(logits, lambda seed, n, c: np.array(integers(seed, n, c), float).tolist())
    add(name, "example", predictions=[[2.1, -1.3, 0.4], [-0.6, 1.7, -2.2]], targets=[[1, 0, 1], [0, 1, 0]])
    common(name, data)
    with_missing(name, data("zlpr missing", 4, 3), 1)
    add(name, "all-and-none", predictions=[[1.5, -0.5, 0.25], [1.5, -0.5, 0.25]], targets=[[1, 1, 1], [0, 0, 0]],
        reduction="none")
    add(name, "confident", predictions=[[60.0, -70.0, 50.0], [-80.0, 64.0, 3.0]], targets=[[1, 0, 1], [1, 0, 0]],
        reduction="none")

    for name, margin in [("arcface", 0.25), ("cosface", 0.125)]:
        add(name, "example", predictions=[[0.72, 0.31, 0.15], [0.34, 0.65, -0.12], [0.41, 0.12, 0.58]],
            targets=[0, 1, 2])
        common(name, cosines)
        moved(name, [("margin", margin), ("scale", 8.0)], cosines)
        with_missing(name, cosines(f"{name} missing", 4, 3), 0)
        x = cosines(f"{name} ignored", 4, 3)
        add(name, "ignore_index-1", **{**x, "targets": [1, 0, 2, 0]}, params={"ignore_index": 1, "scale": 8.0})
        add(name, "ignore_index-list", **{**x, "targets": [1, 0, 2, 2]}, params={"ignore_index": [1, 0], "scale": 8.0})
        add(name, "ignored-none", **{**x, "targets": [1, -100, 2, 0]}, params={"scale": 8.0}, reduction="none")
        add(name, "class_axis--1", predictions=uniform(f"{name} axis", 2, 2, 3, low=-0.75, high=0.75),
            targets=[[0, 2], [1, 1]], params={"class_axis": -1, "scale": 8.0})
    far = [[-0.90625, 0.25, -0.5], [0.125, -0.984375, -0.75], [-0.625, -0.375, -0.859375]]
    add("arcface", "past-pi-minus-margin", predictions=far, targets=[0, 1, 2], params={"scale": 8.0}, reduction="none")
    add("arcface", "past-pi-minus-margin-1.25", predictions=far, targets=[0, 1, 0],
        params={"scale": 4.0, "margin": 1.25})

    name = "discrete_hazard_nll"

    def data(seed, n, c):
        return {**by_index()(seed, n, c), "event": integers(f"{seed} e", n)}

    add(name, "example", predictions=[[-1.8, -1.2, -0.7, -0.4], [-2.1, -1.5, -0.2, 0.3], [-0.5, -0.9, -1.1, -1.4]],
        targets=[2, 3, 0], event=[1, 0, 1])
    common(name, data)
    with_missing(name, data("hazard missing", 4, 3), 1)
    add(name, "first-and-last", predictions=[[0.5, -1.25, 2.0]] * 4, targets=[0, 0, 2, 2], event=[1, 0, 1, 0],
        reduction="none")
    add(name, "confident", predictions=[[-60.0, 40.0, 9.0], [50.0, -45.0, 9.0]], targets=[1, 1], event=[1, 0],
        reduction="none")


def transducer():
    name = "rnnt"
    add(name, "example", predictions=[
        [[[0.6, -0.2, 0.1], [0.1, 0.3, 1.2]], [[0.4, 0.1, 0.9], [-0.3, 0.2, 1.5]]],
        [[[-0.5, 1.1, 0.3], [0.2, -0.4, 0.8]], [[0.1, 0.7, 0.6], [-0.2, 0.1, 1.3]]]],
        targets=[[0], [1]], input_lengths=[2, 2], target_lengths=[1, 1])
    x = {"predictions": normal("rnnt mean", 2, 3, 3, 3), "targets": [[0, 1], [1, 0]], "input_lengths": [3, 2],
         "target_lengths": [2, 1]}
    for reduction in ["mean", "sum", "none"]:
        add(name, reduction, **x, reduction=reduction)
    four = {"predictions": normal("rnnt weight", 4, 2, 2, 3), "targets": [[0], [1], [1], [0]],
            "input_lengths": [2, 1, 2, 2], "target_lengths": [1, 1, 0, 1]}
    add(name, "sample-weight", **four, sample_weight=WEIGHTS)
    add(name, "missing", **{**four, "targets": [[0], [None], [1], [0]]})
    longer = {"predictions": normal("rnnt longer", 1, 4, 3, 4), "targets": [[2, 1]], "input_lengths": [4],
              "target_lengths": [2]}
    add(name, "one-sample", **longer)
    add(name, "blank-0", **longer, params={"blank": 0})
    add(name, "blank-3", **{**longer, "targets": [[0, 0]]}, params={"blank": 3})
    add(name, "clamp-0.25", **x, params={"clamp": 0.25})
    add(name, "clamp-0.125-sample-weight", **four, params={"clamp": 0.125}, sample_weight=WEIGHTS)


if __name__ == "__main__":
    regression()
    over_classes()
    over_probabilities()
    divergences()
    others()
    transducer()
    packages = ["torch", "coral-pytorch", "entmax", "jax", "keras", "liger_kernel", "mpmath", "optax", "pycox",
                "pytorch-metric-learning", "scikit-learn", "scipy", "scoringrules", "timm", "torchaudio",
                "torchmetrics"]
    write("rows.json", ", ".join(f"{p} {version(p).split('+')[0]}" for p in packages), CASES)
