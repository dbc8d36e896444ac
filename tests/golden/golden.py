"""Shared by make.py, torch_table.py and real_data.py: evaluate a request with torch, write a case file.

A case is a request body of `POST /loss/{name}` and the answer that PyTorch gives to it in float64.
`evaluate` reads the request as the wire contract describes it and calls the torch function of that
name. What the contract adds to torch (sample weights, missing labels, lists of ignored classes, a
class axis in another place, smoothed binary labels) is computed here from torch's unreduced losses.
"""

import json
import math
import os
import warnings
import zlib

import numpy as np
import torch
import torch.nn.functional as F
from torchvision.ops import sigmoid_focal_loss

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
HERE = os.path.dirname(os.path.abspath(__file__))
WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


# ---------------------------------------------------------------- JSON in and out

def decode(value):
    """JSON to Python numbers: the three words become floats, null becomes None."""
    if isinstance(value, list):
        return [decode(v) for v in value]
    return WORDS.get(value, value) if isinstance(value, str) else value


def encode(value):
    """Python numbers, arrays and tensors to JSON. A negative zero is written as 0.0."""
    if isinstance(value, torch.Tensor):
        value = value.detach().tolist()
    elif isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [encode(v) for v in value]
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return value + 0.0
    return value


def write(file_name, made_by, cases):
    """One case a line, so that a change to a case is a change to a line."""
    names = [(c["loss"], c["case"]) for c in cases]
    assert len(set(names)) == len(names), "two cases of the same name"
    lines = ",\n".join(json.dumps(c, allow_nan=False) for c in cases)
    text = '{"made_by": %s, "cases": [\n%s\n]}\n' % (json.dumps(made_by), lines)
    json.loads(text)
    with open(os.path.join(HERE, file_name), "w", encoding="utf-8", newline="\n") as f:
        f.write(text)
    print(f"{file_name}: {len(cases)} cases, {len(text)} bytes")


def versions(*modules):
    names = {"sklearn": "scikit-learn"}
    return ", ".join(names.get(m.__name__, m.__name__) + " " + m.__version__.split("+")[0] for m in modules)


# ---------------------------------------------------------------- input values

def normal(name, *shape, scale=1.0, step=1 / 64):
    """Normal deviates on a grid of 1/64: short to print and exact in float32. `name` is the seed."""
    x = np.random.default_rng(zlib.crc32(name.encode())).normal(size=shape) * scale
    return encode(np.round(x / step) * step)


def uniform(name, *shape, low=0.0, high=1.0, step=1 / 64):
    x = np.random.default_rng(zlib.crc32(name.encode())).uniform(low, high, size=shape)
    return encode(np.round(x / step) * step)


def integers(name, *shape, low=0, high=2):
    return np.random.default_rng(zlib.crc32(name.encode())).integers(low, high, size=shape).tolist()


def signs(name, *shape):
    return (2 * np.array(integers(name, *shape)) - 1).tolist()


def log_probabilities(name, *shape, step=1 / 64):
    """Log-probabilities over the last axis, rounded: they sum to one within about a percent."""
    x = np.random.default_rng(zlib.crc32(name.encode())).normal(size=shape)
    x = x - np.log(np.exp(x).sum(-1, keepdims=True))
    return encode(np.round(x / step) * step)


def distribution(name, *shape, parts=64):
    """Probabilities over the last axis in multiples of 1/64 that sum to exactly one."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    counts = rng.multinomial(parts, rng.dirichlet(np.ones(shape[-1])), size=shape[:-1])
    return encode(counts / parts)


# ---------------------------------------------------------------- the torch functions

DISTANCES = {
    "euclidean": None,  # torch's default: pairwise_distance, 2-norm, eps 1e-6
    "cosine": lambda a, b: 1 - F.cosine_similarity(a, b, dim=-1),
    "manhattan": lambda a, b: (a - b).abs().sum(-1),
    "chebyshev": lambda a, b: (a - b).abs().max(-1).values,
}


def pair(function):
    return lambda x, params, reduction: function(x["predictions"], x["targets"], reduction=reduction, **params)


def gaussian_nll(x, params, reduction):
    var = x["var"]
    if var.dim() == 0:  # torch takes a Python number for every element; a tensor has a gradient
        var = var.expand(x["predictions"].shape)
    return F.gaussian_nll_loss(x["predictions"], x["targets"], var, reduction=reduction, **params)


def triplet(x, params, reduction):
    return F.triplet_margin_loss(x["anchor"], x["positive"], x["negative"], reduction=reduction, **params)


def triplet_with_distance(x, params, reduction):
    params = dict(params)
    distance = DISTANCES[params.pop("distance", "euclidean")]
    return F.triplet_margin_with_distance_loss(
        x["anchor"], x["positive"], x["negative"], distance_function=distance, reduction=reduction, **params)


def two_inputs(function):
    return lambda x, params, reduction: function(
        x["input1"], x["input2"], x["targets"], reduction=reduction, **params)


def focal(x, params, reduction):
    params = dict(params)
    if "alpha" in params and params["alpha"] is None:
        params["alpha"] = -1
    return sigmoid_focal_loss(x["predictions"], x["targets"], reduction=reduction, **params)


def ctc(x, params, reduction):
    return F.ctc_loss(x["predictions"], x["targets"], x["input_lengths"], x["target_lengths"],
                      reduction=reduction, **params)


# name: (function of inputs, parameters and reduction; its source; the inputs that get a gradient)
P, PAIR, TRIPLET = ["predictions"], ["input1", "input2"], ["anchor", "positive", "negative"]
NN = "torch.nn.functional."
LOSSES = {
    "mse": (pair(F.mse_loss), NN + "mse_loss", P),
    "l1": (pair(F.l1_loss), NN + "l1_loss", P),
    "smooth_l1": (pair(F.smooth_l1_loss), NN + "smooth_l1_loss", P),
    "huber": (pair(F.huber_loss), NN + "huber_loss", P),
    "poisson_nll": (pair(F.poisson_nll_loss), NN + "poisson_nll_loss", P),
    "gaussian_nll": (gaussian_nll, NN + "gaussian_nll_loss", ["predictions", "var"]),
    "binary_cross_entropy": (pair(F.binary_cross_entropy), NN + "binary_cross_entropy", P),
    "binary_cross_entropy_with_logits":
        (pair(F.binary_cross_entropy_with_logits), NN + "binary_cross_entropy_with_logits", P),
    "sigmoid_focal": (focal, "torchvision.ops.sigmoid_focal_loss", P),
    "soft_margin": (pair(F.soft_margin_loss), NN + "soft_margin_loss", P),
    "hinge_embedding": (pair(F.hinge_embedding_loss), NN + "hinge_embedding_loss", P),
    "multilabel_soft_margin": (pair(F.multilabel_soft_margin_loss), NN + "multilabel_soft_margin_loss", P),
    "multilabel_margin": (pair(F.multilabel_margin_loss), NN + "multilabel_margin_loss", P),
    "cross_entropy": (pair(F.cross_entropy), NN + "cross_entropy", P),
    "nll": (pair(F.nll_loss), NN + "nll_loss", P),
    "multi_margin": (pair(F.multi_margin_loss), NN + "multi_margin_loss", P),
    "kl_div": (pair(F.kl_div), NN + "kl_div", P),
    "triplet_margin": (triplet, NN + "triplet_margin_loss", TRIPLET),
    "triplet_margin_with_distance": (triplet_with_distance, NN + "triplet_margin_with_distance_loss", TRIPLET),
    "cosine_embedding": (two_inputs(F.cosine_embedding_loss), NN + "cosine_embedding_loss", PAIR),
    "margin_ranking": (two_inputs(F.margin_ranking_loss), NN + "margin_ranking_loss", PAIR),
    "ctc": (ctc, NN + "ctc_loss", P),
}
NOT_INPUTS = {"params", "reduction", "sample_weight", "validate"}
CLASS_TARGETS = {"cross_entropy", "nll", "multi_margin", "multilabel_margin", "ctc"}
TENSOR_PARAMS = {"weight", "pos_weight"}


# ---------------------------------------------------------------- evaluation

def evaluate(name, request, dtype=torch.float64, shapes=None):
    """The answer to `request`. `shapes` says what JSON cannot: that [] is, say, of shape (0, 3)."""
    call, _, differentiable = LOSSES[name]
    params = {k: decode(v) for k, v in request.get("params", {}).items()}
    for k in TENSOR_PARAMS & params.keys():
        params[k] = torch.tensor(params[k], dtype=dtype)
    reduction = request.get("reduction", "mean")
    inputs = {k: decode(v) for k, v in request.items() if k not in NOT_INPUTS}

    # Probability targets have the shape of the predictions, class targets one axis less.
    def rank(v):
        return 1 + rank(v[0]) if isinstance(v, list) and v else int(isinstance(v, list))
    probabilities = name == "cross_entropy" and not shapes and rank(inputs["targets"]) == rank(inputs["predictions"])
    by_class = name in ("cross_entropy", "nll") and not probabilities
    ignored = params.get("ignore_index", -100)
    if isinstance(ignored, list):  # several ignored classes: one that torch ignores stands for them
        params.pop("ignore_index")

    # A missing label: for class targets torch's own ignored class, otherwise left out below.
    present = None
    if "targets" in inputs:
        flat = np.array(inputs["targets"], dtype=object)
        missing = np.vectorize(lambda v: v is None, otypes=[bool])(flat) if flat.size else np.zeros(flat.shape,
            bool)
        if missing.any():
            present = torch.from_numpy(~np.array(missing))
            stand_in = (-100 if isinstance(ignored, list) else ignored) if by_class else 1
            inputs["targets"] = np.where(missing, stand_in, flat).tolist()
        if by_class and isinstance(ignored, list):
            flat = np.array(inputs["targets"])
            inputs["targets"] = np.where(np.isin(flat, ignored), -100, flat).tolist()

    # multi_margin of torch ignores nothing and takes two axes: the rest is done around it, for a mean.
    if name == "multi_margin" and "ignore_index" in request.get("params", {}):
        params.pop("ignore_index", None)
        left_out = np.isin(inputs["targets"], ignored)
        present = torch.from_numpy(~left_out)
        inputs["targets"] = np.where(left_out, 0, inputs["targets"]).tolist()

    x = {}
    for k, v in inputs.items():
        integer = k.endswith("_lengths") or (k == "targets" and name in CLASS_TARGETS and not probabilities)
        x[k] = torch.tensor(v, dtype=torch.int64 if integer else dtype)
        if shapes and k in shapes:
            x[k] = x[k].reshape(shapes[k])
        if k in differentiable:
            x[k].requires_grad_(True)
    leaves = {k: x[k] for k in differentiable}

    if "class_axis" in params:
        axis = params.pop("class_axis")
        x["predictions"] = x["predictions"].movedim(axis, 1)
        if probabilities:
            x["targets"] = x["targets"].movedim(axis, 1)
    if name == "multi_margin" and x["predictions"].dim() > 2:
        x["predictions"] = x["predictions"].movedim(1, -1).flatten(0, -2)
        x["targets"] = x["targets"].flatten()
    if "clamp" in params:
        clamp = params.pop("clamp")
        x["predictions"] = x["predictions"].clamp(clamp, 1 - clamp)
    if "label_smoothing" in params and name.startswith("binary_cross_entropy"):
        s = params.pop("label_smoothing")
        x["targets"] = x["targets"] * (1 - s) + s / 2

    if "sample_weight" not in request and (present is None or by_class):
        value = call(x, params, reduction)
    else:
        losses = call(x, params, "none")
        counted = torch.ones(losses.shape, dtype=torch.bool) if present is None else present
        weight = torch.ones(losses.shape, dtype=dtype)
        if "sample_weight" in request:
            w = torch.tensor(decode(request["sample_weight"]), dtype=dtype)
            weight = w.reshape(w.shape + (1,) * (losses.dim() - w.dim())).expand(losses.shape)
        share = weight
        if by_class:
            kept = x["targets"] != params.get("ignore_index", -100)
            share = torch.where(kept, share, 0)
            if "weight" in params:
                share = share * params["weight"][torch.where(kept, x["targets"], 0)]
        value = weight * losses
        if reduction != "none":
            value = value[counted].sum()
        if reduction == "mean":
            value = value / share[counted].sum()
    if reduction == "none" and present is not None:
        value.masked_select(present).sum().backward()
    else:
        value.sum().backward()

    loss = encode(value)
    if reduction == "none" and present is not None:
        loss = np.where(present.numpy(), np.array(loss, dtype=object), None).tolist()
    gradients = {k: encode(v.grad if v.grad is not None else torch.zeros_like(v)) for k, v in leaves.items()}
    return {"loss": loss, "gradients": gradients}


def close(a, b, relative=2e-5, absolute=2e-6):
    """Whether two encoded answers agree as far as float32 goes."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k], relative, absolute) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(close(p, q, relative, absolute) for p, q in zip(a, b))
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= absolute + relative * abs(a)
    return a == b


def extras(request):
    """What of a request torch's own function does not do, in words for `source`."""
    words = []
    if "sample_weight" in request:
        words.append("sample weights")
    if "class_axis" in request.get("params", {}):
        words.append("class axis moved")
    if "clamp" in request.get("params", {}):
        words.append("probabilities clamped first")
    if isinstance(request.get("params", {}).get("ignore_index"), list):
        words.append("several ignored classes")
    if "null" in json.dumps(request.get("targets", [])):
        words.append("missing labels left out")
    return words


def torch_case(loss, case, request, float64_only=False, shapes=None):
    source = LOSSES[loss][1]
    words = extras(request)
    if loss.startswith("binary_cross_entropy") and "label_smoothing" in request.get("params", {}):
        words.append("targets t(1-s)+s/2")
    if words:
        source += "; " + ", ".join(words)
    answer = evaluate(loss, request, shapes=shapes)
    in_float32 = evaluate(loss, request, torch.float32, shapes)
    tolerance = 2e-5 if loss == "ctc" else 2e-6  # ctc adds up the frames in float32
    assert float64_only or close(answer, in_float32, absolute=tolerance), (loss, case, answer, in_float32)
    row = {"loss": loss, "case": case, "source": source}
    if float64_only:
        row["float64_only"] = True
    row.update(request=request, answer=answer)
    return row
