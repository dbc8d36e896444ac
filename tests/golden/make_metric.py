"""Makes metric.json: losses on embeddings, their pairs, triplets, labels and proxies.

    pip install -r requirements.txt
    pip install pytorch-metric-learning==2.9.0 info-nce-pytorch==0.1.4 open_clip_torch==3.3.0 lightly==1.6.0
    python make_metric.py [folder]

writes the file beside this script, or into `folder`. Running it again gives the same bytes.
The format is that of make.py, and so are the rules; "source" says where the numbers of a case are from.

Every loss is written down in torch, in metric_losses.py; float64 and autograd make the numbers. A second
function, from a library wherever one has the loss, evaluates the same request, and every loss and gradient of
the case must agree to 1e-11 of the largest. Libraries that only have a batch's mean are compared with the
plain means as well, to 1e-9 (`WHOLE`). Inputs rounded to float32 must move no number by more than 5e-6 of the largest.

A sample whose label is null is taken out of the batch before anything else: it is neither anchor nor positive
nor negative. A sample weight multiplies the loss of its row, or of its anchor; where a batch has one loss,
the sample counts as that many equal samples, and the libraries get it so many times.
"""

import os
import sys

import jax
import lightly
import numpy as np
import open_clip
import optax
import pytorch_metric_learning as pml
import torch
from pytorch_metric_learning import losses as pml_losses
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.reducers import DoNothingReducer

import golden
from golden import encode, integers, normal, uniform, versions, write
from metric_losses import LOSSES, TRIPLET, WHOLE, soft_triplet

INFO_NCE = "0.1.4"  # the package has no __version__
CASES = {}  # loss name: its cases, in the order they are added


# ---------------------------------------------------------------- evaluation

def evaluate(loss, request, function):
    """The answer to `request` by `function`, or None if it has none."""
    params, reduction = request.get("params", {}), request.get("reduction", "mean")
    leaves = {k: torch.tensor(request[k], dtype=torch.float64, requires_grad=True) for k in loss.inputs}
    n = len(leaves[loss.inputs[0]])
    targets = np.array(request.get("targets", [0] * n), dtype=object)
    present = torch.from_numpy(np.not_equal(targets, None).astype(bool))
    labels = torch.tensor([t for t in targets.ravel() if t is not None])
    weight = torch.tensor(request.get("sample_weight", [1] * n), dtype=torch.float64)
    weight = weight.reshape(weight.shape + (1,) * (targets.ndim - 1)).expand(targets.shape)[present]
    x = {k: v if k == "proxies" else v[present] for k, v in leaves.items()}
    losses = function(x, labels, weight, **params)
    if losses is None:
        return None
    if loss.batch:
        value = answer = losses
    elif reduction == "none":
        value = weight * losses
        answer = np.full(targets.shape, None)
        answer[present.numpy()] = value.tolist()
    else:
        value = answer = (weight * losses).sum()
        if reduction == "mean":
            share = loss.share(labels) if loss.share else 1
            value = answer = value / (weight * share).sum()
    value.sum().backward()
    return {"loss": encode(answer), "gradients": {k: encode(v.grad) for k, v in leaves.items()}}


def agree(a, b, tolerance):
    """Whether two nested lists of numbers agree to a multiple of the largest, and in what is missing."""
    a, b = (np.array(v, dtype=float).ravel() for v in (a, b))
    missing = np.isnan(a)
    if (missing != np.isnan(b)).any():
        return False
    a, b = a[~missing], b[~missing]
    return np.abs(a - b).max(initial=0) <= tolerance * np.abs(b).max(initial=0)


def rounded(request, inputs):
    return {**request, **{k: np.float32(request[k]).astype(float).tolist() for k in inputs}}


def case(name, case_name, **request):
    loss = LOSSES[name]
    answer = evaluate(loss, request, loss.value)
    second, source = evaluate(loss, request, loss.second), f"both agree with {loss.source}"
    if second is None:
        second, source = evaluate(loss, request, loss.fallback), loss.fallback_source
    single = evaluate(loss, rounded(request, loss.inputs), loss.value)
    for got, tolerance in [(second, 1e-11), (single, 5e-6)]:
        assert agree(got["loss"], answer["loss"], tolerance), (name, case_name, got, answer)
        for k in loss.inputs:
            assert agree(got["gradients"][k], answer["gradients"][k], tolerance), (name, case_name, k, got, answer)
    source = f"closed form in torch, gradient by autograd; {source}"
    if name in WHOLE and "sample_weight" not in request and request.get("reduction", "mean") == "mean":
        call, title = WHOLE[name]
        x = {k: torch.tensor(request[k], dtype=torch.float64) for k in loss.inputs}
        assert agree(float(call(x, **request.get("params", {}))), answer["loss"], 1e-9), (name, case_name, title)
        source += f", the value with {title}"
    CASES.setdefault(name, []).append(dict(loss=name, case=case_name, source=source, request=request, answer=answer))


# ---------------------------------------------------------------- input values

def moved(seed, like, scale=0.5):
    """The rows of `like`, moved a little."""
    return (np.array(like) + np.array(normal(seed, *np.shape(like), scale=scale))).tolist()


def triplets(seed, n, d):
    anchor = normal(f"{seed} a", n, d)
    return dict(anchor=anchor, positive=moved(f"{seed} p", anchor), negative=moved(f"{seed} n", anchor, 1))


def pairs(seed, n, d):
    first = normal(f"{seed} 1", n, d)
    return dict(input1=first, input2=moved(f"{seed} 2", first, 1.5))


def views(seed, n, d):
    half = normal(f"{seed} 1", n // 2, d)
    return dict(predictions=half + moved(f"{seed} 2", half, 1.5))


def labelled(seed, labels, d, proxies=0):
    """Samples of a class are somewhat near each other."""
    centres = {c: normal(f"{seed} centre {c}", d) for c in labels}
    x = dict(predictions=[moved(f"{seed} {i}", centres[c], 1.25) for i, c in enumerate(labels)], targets=labels)
    if proxies:
        x["proxies"] = normal(f"{seed} proxies", proxies, d)
    return x


# ---------------------------------------------------------------- cases

def standard(name, make, weights, **params):
    """The three reductions on batches of other shapes, a sample weight, and every parameter moved."""
    case(name, "mean", **make(f"{name} mean", 4, 3), reduction="mean")
    case(name, "sum", **make(f"{name} sum", 4, 6), reduction="sum")
    case(name, "none", **make(f"{name} none", 6, 2), reduction="none")
    case(name, "sample-weight", **make(f"{name} weighted", len(weights), 3), sample_weight=weights)
    for key, values in params.items():
        for value in np.ravel(values).tolist():
            case(name, f"{key.replace('_', '-')}-{value:g}", **make(f"{name} {key} {value}", 4, 4), params={key: value})


def pair_cases():
    case("soft_triplet", "example", anchor=[[0.1, 0.9, 0.4], [0.7, 0.2, 0.5], [0.3, 0.3, 0.8]],
         positive=[[0.2, 0.8, 0.5], [0.6, 0.4, 0.5], [0.5, 0.1, 0.9]],
         negative=[[0.9, 0.1, 0.3], [0.8, 0.3, 0.4], [0.1, 0.9, 0.2]])
    standard("soft_triplet", triplets, [1, 0.5, 0, 2, 1.25], p=[1, 3], eps=[0.125])
    x = triplets("soft_triplet zero", 3, 4)
    x["positive"][0], x["negative"][1] = x["anchor"][0], x["anchor"][1]
    x["positive"][2] = x["negative"][2] = x["anchor"][2]
    case("soft_triplet", "distance-of-eps", **x, reduction="none")

    def distances(seed, *shape):
        return dict(predictions=uniform(f"{seed} d", *shape, high=2), targets=integers(f"{seed} t", *shape))
    case("contrastive", "example", predictions=[0.2, 1.4, 0.7, 0.3], targets=[1, 0, 1, 0])
    standard("contrastive", distances, [1, 0.5, 0, 2, 1.25], margin=[0.5, 1.5])
    x = distances("contrastive missing", 2, 3)
    x["targets"] = [[1, None, 0], [None, 0, 1]]
    case("contrastive", "missing", **x)
    case("contrastive", "missing-and-sample-weight", **x, sample_weight=[0.5, 2])
    case("contrastive", "at-the-margin", predictions=[1, 0, 0, 1, 0.984375], targets=[0, 0, 1, 1, 0], reduction="none")

    case("nt_xent", "example", predictions=[[0.9, 0.4, 0.3], [0.4, 0.8, 0.5], [0.7, 0.3, 0.6], [0.3, 0.6, 0.7]])
    standard("nt_xent", views, [1, 0.5, 0, 2, 1.25, 0], temperature=[0.5, 1])
    case("nt_xent", "equal-rows", predictions=[[1, 2], [1, 2], [1, 2], [1, 2], [-2, 1], [-2, 1]], reduction="none")
    case("nt_xent", "one-pair", predictions=[[0.5, -1, 2], [0.25, 1, 1]])

    images = [[0.8, 0.1, 0.5], [0.2, 0.9, 0.1], [0.4, 0.3, 0.9]]
    texts = [[0.7, 0.3, 0.4], [0.1, 0.8, 0.3], [0.6, 0.2, 0.7]]
    for name, temperature in [("info_nce", 0.25), ("clip", 0.03125)]:
        case(name, "example", input1=images, input2=texts)
        standard(name, pairs, [1, 0.5, 0, 2, 1.25], temperature=[temperature, 1])
        case(name, "equal-rows", input1=[[3, 4], [3, 4], [1, 0]], input2=[[4, 3], [4, 3], [0, 2]], reduction="none")
        case(name, "one-row", input1=[[0.5, -1, 2]], input2=[[0.25, 1, 1]])
    case("n_pair", "example", input1=images, input2=texts)
    standard("n_pair", pairs, [1, 0.5, 0, 2, 1.25])
    x = pairs("n_pair large", 3, 4)
    case("n_pair", "saturation", input1=[[16 * v for v in row] for row in x["input1"]], input2=x["input2"],
         reduction="none")
    case("n_pair", "zero-rows", input1=[[0, 0], [1, -0.5], [0.25, 2]], input2=[[0.5, 1], [0, 0], [1, 1]])

    case("siglip", "example", input1=[[0.6, 0.8], [1, 0], [0.28, -0.96]], input2=[[0.8, 0.6], [0.96, 0.28], [0, -1]])
    standard("siglip", pairs, [1, 0.5, 0, 2, 1.25], scale=[1, 25], bias=[0, -2.5])
    x = pairs("siglip large", 3, 5)
    case("siglip", "saturation", **x, params={"scale": 200, "bias": 0}, reduction="none")
    case("siglip", "zero-rows", input1=[[0, 0], [1, -0.5]], input2=[[0.5, 1], [0, 0]], params={"bias": 0})


def label_cases():
    example = dict(predictions=[[0.9, 0.4, 0.2], [0.6, 0.2, 0.7], [0.3, 0.9, 0.4], [0.5, 0.6, 0.2]],
                   targets=[0, 0, 1, 1])
    for name, params in [("sup_con", dict(temperature=[0.5, 1])),
                         ("multi_similarity", dict(alpha=[5], beta=[10], base=[0.25, 0])),
                         ("circle", dict(margin=[0.25, 0], gamma=[16])),
                         ("lifted_structure", dict(neg_margin=[0.5], pos_margin=[0.25, -1]))]:
        case(name, "example", **example)
        case(name, "mean", **labelled(f"{name} mean", [3, 7, 3, 7, 12], 3), reduction="mean")
        case(name, "sum", **labelled(f"{name} sum", [0, 1, 1, 0, 2], 6), reduction="sum")
        case(name, "none", **labelled(f"{name} unreduced", [1, 1, 1, 0, 0, 2], 2), reduction="none")
        case(name, "sample-weight", **labelled(f"{name} weight", [2, 0, 2, 0, 0, 5], 4),
             sample_weight=[1, 0.5, 0, 2, 1.25, 0.75])
        for key, values in params.items():
            for v in values:
                case(name, f"{key.replace('_', '-')}-{v:g}", **labelled(f"{name} {key} {v}", [4, 4, 6, 4, 6], 4),
                     params={key: v})
        missing = labelled(f"{name} missing", [4, 4, 4, 9, 9, 9, 2, 2], 3)
        missing["targets"] = [4, None, 4, 9, 9, None, 2, None]
        case(name, "missing", **missing)
        case(name, "missing-and-sample-weight", **missing, sample_weight=[1, 2, 0, 0.5, 3, 1, 1.5, 0.25])
        if name == "sup_con":
            case(name, "missing-none", **missing, reduction="none", params={"temperature": 0.25})
        case(name, "one-label", **labelled(f"{name} one", [1, 1, 1, 1], 3))
        case(name, "no-positives", **labelled(f"{name} all", [0, 1, 2, 3], 3), reduction="none")
        case(name, "equal-rows", predictions=[[1, 2], [1, 2], [1, 2], [-2, 1], [-4, 2]], targets=[0, 0, 1, 1, 0],
             reduction="none")


def batch_cases():
    case("proxy_anchor", "example", predictions=[[0.9, -0.3], [0.7, 0.1], [-0.2, 0.8], [0.1, 0.9]],
         targets=[0, 0, 1, 1], proxies=[[1.0, -0.4], [-0.3, 1.0]])

    def with_proxies(seed, labels, d, c):
        return labelled(f"proxy_anchor {seed}", labels, d, c)
    for reduction, labels, d, c in [("mean", [0, 2, 0, 1, 2], 3, 4), ("sum", [1, 1, 0], 5, 2),
                                    ("none", [0, 1, 2, 3, 3, 0], 2, 4)]:
        case("proxy_anchor", reduction, **with_proxies(reduction, labels, d, c), reduction=reduction)
    for key, value in [("margin", 0.25), ("margin", 0), ("alpha", 8)]:
        case("proxy_anchor", f"{key}-{value:g}", **with_proxies(f"{key} {value}", [1, 0, 1, 2], 4, 3),
             params={key: value})
    x = with_proxies("weight", [0, 0, 1, 2, 2], 3, 4)
    case("proxy_anchor", "sample-weight", **x, sample_weight=[2, 1, 0, 3, 1])
    case("proxy_anchor", "sample-weight-fractions", **x, sample_weight=[0.5, 1.25, 0, 0.25, 1])
    x["targets"] = [0, None, None, 2, 2]
    case("proxy_anchor", "missing", **x)
    case("proxy_anchor", "missing-and-sample-weight", **x, sample_weight=[2, 5, 1, 0, 1])
    case("proxy_anchor", "one-sample", **with_proxies("one", [1], 3, 2))

    first = [[0.9, 0.1, -0.4], [-0.3, 0.8, 0.2], [0.5, -0.6, 0.7], [-0.8, -0.2, -0.5]]
    second = [[0.7, 0.2, -0.5], [-0.4, 0.9, 0.4], [0.6, -0.4, 0.5], [-0.9, -0.1, -0.3]]
    for name, params in [("barlow_twins", {"lambda": [0.25, 1]}),
                         ("vicreg", dict(similarity=[1], variance=[5], covariance=[10]))]:
        case(name, "example", input1=first, input2=second)
        standard(name, pairs, [1, 2, 0, 3, 1], **params)
        case(name, "sample-weight-fractions", **pairs(f"{name} fractions", 5, 3), sample_weight=[0.5, 2, 0, 1.5, 1])
        x = pairs(f"{name} constant", 4, 3)
        for row in x["input1"]:
            row[1] = 0.5
        case(name, "constant-column", **x)
        case(name, "equal-views", input1=first, input2=first)
    case("vicreg", "two-rows", **pairs("vicreg two", 2, 4))
    case("vicreg", "spread-out", input1=[[4 * v for v in row] for row in first],
         input2=[[4 * v for v in row] for row in second])


def soft_triplet_as_pml():
    """PyTorch Metric Learning has no eps, so that it is compared without."""
    x = {k: torch.tensor(v, dtype=torch.float64) for k, v in triplets("soft_triplet mean", 4, 3).items()}
    n = len(x["anchor"])
    for p in (1, 2, 3):
        loss = pml_losses.TripletMarginLoss(margin=0, smooth_loss=True, reducer=DoNothingReducer(),
                                            distance=LpDistance(p=p, normalize_embeddings=False))
        triplet = [torch.arange(n) + k * n for k in range(3)]
        other = loss(torch.cat([x[k] for k in TRIPLET]), indices_tuple=tuple(triplet))["loss"]["losses"]
        assert agree(other.tolist(), soft_triplet(x, None, None, p=p, eps=0).tolist(), 1e-9)


def main():
    if len(sys.argv) > 1:
        golden.HERE = os.path.abspath(sys.argv[1])
    soft_triplet_as_pml()
    pair_cases()
    label_cases()
    batch_cases()
    assert CASES.keys() == LOSSES.keys()
    made_by = versions(torch, jax, optax) + (f", pytorch-metric-learning {pml.__version__}, info-nce-pytorch "
        f"{INFO_NCE}, open_clip_torch {open_clip.__version__}, lightly {lightly.__version__}")
    write("metric.json", made_by, [row for rows in CASES.values() for row in rows])


if __name__ == "__main__":
    main()
