"""Makes ranking.json: losses of lists of scores, from list_net to approx_ndcg.

    pip install -r requirements.txt
    pip install --no-deps allRank==1.4.3
    python make_ranking.py

writes the file beside this script. Running it again gives the same bytes. The format is that of make.py,
and so are the rules; "source" says where the numbers of a case are from.

Every loss is written down twice, for one list without its masked items: as a formula in torch, whose
gradient is autograd's, and pair by pair or item by item for mpmath, differentiated with 50 digits. The two
must agree to 1e-12 of the largest number, and in float32 the torch formula must keep to 2e-5 of it. Where
allRank or optax has the loss it must agree as well, within the float32 constants and the guards (1e-10
inside logarithms) of allRank.

Conventions: equal relevances (list_mle) and equal scores (lambdarank) keep the order of the list; the weights
of lambdarank are not differentiated; a list without items, or whose ideal DCG is 0 where it is divided by, has
the loss 0 and counts; a pair exactly at the margin of the hinge has the slope 0.
"""

import os
import sys
from dataclasses import dataclass
from typing import Callable
from unittest.mock import MagicMock

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_X64"] = "1"
sys.modules["allrank.utils.file_utils"] = MagicMock()  # cloud storage, which its losses have no use for

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import torch
import torch.nn.functional as F
from allrank.models.losses import approxNDCGLoss, lambdaLoss, listMLE, listNet, rankNet
from mpmath import mpf

from golden import encode, integers, normal, versions, write

DIGITS = 50
ALLRANK = "1.4.3"  # the package does not say
CASES = []


@dataclass
class Loss:
    """`formula` is for the tensors of one list, `exact` for lists of mpmath numbers, with a third argument: the
    scores that parts which are not to be differentiated are computed from. `library` has the name of a
    library's function, a call of it with scores, relevances and mask (1 = counts) of one list that returns a
    loss and a gradient, or None for a list it cannot do, and a tolerance."""

    formula: Callable
    exact: Callable
    library: tuple = ()


# ---------------------------------------------------------------- evaluation

def by_autograd(function, scores, *rest, **params):
    scores = scores.clone().requires_grad_(True)
    loss = function(scores, *rest, **params)
    loss.backward()
    return loss.item(), scores.grad.numpy()


def by_mpmath(exact, scores, relevances, params):
    with mpmath.workdps(DIGITS):
        at, y = [mpf(v) for v in scores.tolist()], [mpf(v) for v in relevances.tolist()]
        slopes = [float(mpmath.diff(lambda v: exact(at[:i] + [v] + at[i + 1:], y, at, **params), at[i]))
                  for i in range(len(at))]
        return float(exact(at, y, at, **params)), np.array(slopes)


def agree(a, b, tolerance, floor=1e-9):
    """Whether a loss and a gradient agree to `tolerance` of the largest number of each, or of `floor`."""
    return all(np.abs(np.subtract(x, y)).max() <= tolerance * max(np.abs(y).max(), floor) for x, y in zip(a, b))


def checked(name, case, scores, relevances, mask, params, kink, library):
    """Holds the formula against mpmath, the library and itself in float32; returns whether the library has it."""
    loss, kept = LOSSES[name], mask > 0
    if not kept.any():
        return False
    s, y = scores[kept], relevances[kept]
    found = by_autograd(loss.formula, s, y, **params)
    exact = by_mpmath(loss.exact, s, y, params)
    assert agree(found[:1 if kink else 2], exact, 1e-12), (name, case, found, exact)
    single = by_autograd(loss.formula, s.float(), y.float(), **params)
    assert agree(single, found, 2e-5), (name, case, found, single)
    if not loss.library or not library:
        return False
    got = loss.library[1](scores, relevances, mask, **params)
    if got is None:
        return False
    # A masked item is a score of -infinity there, through which neither library can differentiate.
    got = got if kept.all() else got[:1]
    assert agree(got, found, loss.library[2], floor=1e-3), (name, case, got, found)
    return True


def add(name, case, predictions, targets, kink=False, library=True, **request):
    """A case. `kink`: mpmath has no gradient here. `library`: False where its convention is another one."""
    loss, params = LOSSES[name], request.get("params", {})
    reduction = request.get("reduction", "mean")
    present = [None not in row for row in targets]
    p = torch.tensor(predictions, dtype=torch.float64, requires_grad=True)
    assert case == "example" or bool((p.float().double() == p).all()), (name, case)
    masks = torch.tensor(request.get("mask", np.ones(p.shape).tolist()))
    losses, weight, told = [], [], []
    for i in np.flatnonzero(present):
        y, kept = torch.tensor(targets[i], dtype=torch.float64), masks[i] > 0
        told.append(checked(name, case, p[i].detach(), y, masks[i], params, kink, library))
        losses.append(loss.formula(p[i][kept], y[kept], **params) if kept.any() else p[i][kept].sum())
        weight.append(request.get("sample_weight", [1.0] * len(targets))[i])
    value = torch.stack(losses) * torch.tensor(weight, dtype=torch.float64)
    if reduction != "none":
        value = value.sum() / (sum(weight) if reduction == "mean" else 1)
    value.sum().backward()
    answer = encode(value)
    if reduction == "none":
        answer = [answer.pop(0) if there else None for there in present]
    agreeing = "value agrees" if kink else "value and gradient agree"
    source = f"closed form in torch, gradient by autograd; {agreeing} with mpmath"
    if any(told):
        source += f", {loss.library[0]}" + " where it has the list" * (not all(told))
    CASES.append({"loss": name, "case": case, "source": source,
                  "request": {"predictions": predictions, "targets": targets, **request},
                  "answer": {"loss": answer, "gradients": {"predictions": encode(p.grad)}}})


# ---------------------------------------------------------------- the losses, in torch

def list_net(s, y):
    return -(y.softmax(-1) * s.log_softmax(-1)).sum()


def ranking_softmax(s, y):
    return -(y * s.log_softmax(-1)).sum()


def list_mle(s, y):
    s = s[y.argsort(descending=True, stable=True)]
    return (s.flip(0).logcumsumexp(0).flip(0) - s).sum()


def pairs(s, y):
    """Score of the worse item minus that of the better one, [better, worse], and which of these are pairs."""
    return s[None, :] - s[:, None], y[:, None] > y[None, :]


def ranknet(s, y):
    behind, better = pairs(s, y)
    return -F.logsigmoid(-behind)[better].sum()


def pairwise_hinge(s, y):
    behind, better = pairs(s, y)
    return F.relu(1 + behind)[better].sum()


def gains(y):
    """The gain of each item as a share of the ideal DCG, which is 0 where all relevances are."""
    gain = 2 ** y - 1
    places = torch.arange(2, len(y) + 2, dtype=y.dtype)
    ideal = (gain.sort(descending=True).values / places.log2()).sum()
    return gain / ideal if ideal > 0 else gain


def lambdarank(s, y):
    behind, better = pairs(s, y)
    rank = s.argsort(descending=True, stable=True).argsort() + 1
    discount, gain = 1 / torch.log2(1 + rank.to(s.dtype)), gains(y)
    delta = (gain[:, None] - gain[None, :]).abs() * (discount[:, None] - discount[None, :]).abs()
    return -(delta * F.logsigmoid(-behind))[better].sum()


def approx_ndcg(s, y, temperature=1.0):
    rank = 0.5 + torch.sigmoid((s[None, :] - s[:, None]) / temperature).sum(1)
    return -(gains(y) / torch.log2(1 + rank)).sum()


# ---------------------------------------------------------------- the losses, for mpmath

def softplus(x):
    return mpmath.log1p(mpmath.exp(x))


def normalised(s):
    total = mpmath.fsum(mpmath.exp(v) for v in s)
    return [mpmath.exp(v) / total for v in s]


def list_net_exact(s, y, _):
    return -mpmath.fsum(a * mpmath.log(b) for a, b in zip(normalised(y), normalised(s)))


def ranking_softmax_exact(s, y, _):
    return mpmath.fsum(a * (mpmath.log(mpmath.fsum(map(mpmath.exp, s))) - b) for a, b in zip(y, s))


def list_mle_exact(s, y, _):
    """Minus the logarithm of the probability of drawing the items in their order, one after another."""
    order = sorted(range(len(y)), key=lambda i: (-y[i], i))
    return -mpmath.fsum(mpmath.log(normalised([s[k] for k in order[i:]])[0]) for i in range(len(order)))


def over_pairs(term):
    def exact(s, y, at):
        return mpmath.fsum(term(s, y, at, i, j) for i in range(len(y)) for j in range(len(y)) if y[i] > y[j])
    return exact


def ideal_dcg(y):
    return mpmath.fsum((2 ** v - 1) / mpmath.log(k + 2, 2) for k, v in enumerate(sorted(y, reverse=True)))


def lambdarank_term(s, y, at, i, j):
    """What exchanging two items does to the DCG of the list, over the ideal one."""
    order = sorted(range(len(y)), key=lambda k: (-at[k], k))

    def dcg(order):
        return mpmath.fsum((2 ** y[k] - 1) / mpmath.log(place + 2, 2) for place, k in enumerate(order))
    exchanged = [{i: j, j: i}.get(k, k) for k in order]
    return abs(dcg(order) - dcg(exchanged)) / ideal_dcg(y) * softplus(s[j] - s[i])


def approx_ndcg_exact(s, y, _, temperature=1.0):
    def rank(i):
        return 1 + mpmath.fsum(1 / (1 + mpmath.exp((s[i] - v) / mpf(temperature))) for j, v in enumerate(s) if j != i)
    return -mpmath.fsum((2 ** v - 1) / mpmath.log(1 + rank(i), 2) for i, v in enumerate(y)) / (ideal_dcg(y) or 1)


# ---------------------------------------------------------------- the libraries

def by_allrank(function, per_pair=False, **fixed):
    """allRank marks masked items by the relevance -1. `per_pair`: its value is a mean over the pairs."""
    def call(s, y, mask, temperature=1.0):
        more = {"alpha": 1 / temperature} if function is approxNDCGLoss else {}
        y = torch.where(mask > 0, y, -1)
        count = sum(a > b for a in y for b in y if b >= 0).item() if per_pair else 1
        if count == 0:
            return None
        torch.manual_seed(0)  # list_mle shuffles the list first
        return by_autograd(lambda s: count * function(s[None], y[None], **fixed, **more), s)
    return call


def by_optax(s, y, mask):
    loss, slope = jax.value_and_grad(optax.losses.ranking_softmax_loss)(
        jnp.array(s.numpy()), jnp.array(y.numpy()), where=jnp.array(mask.numpy()) > 0, reduce_fn=None)
    return float(loss), np.array(slope)


LOSSES = {
    "list_net": Loss(list_net, list_net_exact, ("allrank.models.losses.listNet", by_allrank(listNet), 1e-6)),
    "ranking_softmax": Loss(ranking_softmax, ranking_softmax_exact,
                            ("optax.losses.ranking_softmax_loss", by_optax, 1e-9)),
    "list_mle": Loss(list_mle, list_mle_exact, ("allrank.models.losses.listMLE", by_allrank(listMLE), 1e-6)),
    "ranknet": Loss(ranknet, over_pairs(lambda s, y, _, i, j: softplus(s[j] - s[i])),
                    ("allrank.models.losses.rankNet (float32)", by_allrank(rankNet, per_pair=True), 1e-6)),
    "pairwise_hinge": Loss(pairwise_hinge, over_pairs(lambda s, y, _, i, j: max(mpf(0), 1 - (s[i] - s[j])))),
    "lambdarank": Loss(lambdarank, over_pairs(lambdarank_term), (
        "allrank.models.losses.lambdaLoss (discounts in float32)",
        by_allrank(lambdaLoss, weighing_scheme="lambdaRank_scheme", reduction_log="natural"), 1e-6)),
    "approx_ndcg": Loss(approx_ndcg, approx_ndcg_exact, (
        "allrank.models.losses.approxNDCGLoss (discounts in float32)", by_allrank(approxNDCGLoss), 1e-6)),
}


# ---------------------------------------------------------------- cases

# Three queries with four documents each, relevances from 0 (bad) to 3 (perfect).
EXAMPLE = {"predictions": [[2.1, 0.3, -0.5, 1.2], [0.4, 1.5, 0.2, -0.7], [-0.2, 0.8, 1.1, 0.1]],
           "targets": [[3, 1, 0, 2], [0, 2, 1, 0], [1, 0, 3, 0]]}

for name in LOSSES:
    # allRank draws the order of equal relevances, and of list_mle the loss depends on it.
    untied = {"library": name != "list_mle"}

    def drawn(case, *shape):
        return {"predictions": normal(name + case, *shape, scale=1.5, step=1 / 256),
                "targets": integers(case, *shape, high=4)}

    add(name, "example", **EXAMPLE, **untied)
    add(name, "mean", **drawn("mean", 3, 5), **untied)
    orders = np.argsort(integers("orders", 4, 4, high=1000)).tolist()  # no two relevances are equal
    add(name, "sum", normal(name + "sum", 4, 4, step=1 / 256), orders, reduction="sum")
    add(name, "none", normal(name + "none", 2, 6, step=1 / 256),
        [[0.5, 2, 1.25, 0, 3, 1.75], [1, 0.25, 0, 1.5, 0.75, 2.5]], reduction="none")
    add(name, "mask", normal(name + "mask", 3, 5, step=1 / 256), [[2, 0, 1, 3, 4], [1, 3, 0, 2, 4], [0, 4, 2, 3, 1]],
        mask=[[1, 1, 0, 1, 1], [0, 1, 1, 0, 1], [1, 1, 1, 1, 0]])
    add(name, "fully-masked-list", **drawn("masked", 3, 3), **untied, mask=[[1, 1, 1], [0, 0, 0], [1, 0, 1]])
    add(name, "fully-masked-list-none", **drawn("masked", 3, 3), **untied, mask=[[1, 1, 1], [0, 0, 0], [1, 0, 1]],
        reduction="none")
    add(name, "sample-weight", **drawn("sample", 4, 3), **untied, sample_weight=[1.0, 0.0, 2.5, 0.5])
    missing = drawn("missing", 3, 4)
    missing["targets"][1][2] = None
    add(name, "missing", **missing, **untied)
    add(name, "one-item", normal(name + "one", 3, 1), [[2], [0], [1]], reduction="none")
    add(name, "equal-relevances", normal(name + "equal", 3, 4, step=1 / 256), [[0] * 4, [1] * 4, [2] * 4],
        **untied, reduction="none")
    # Among equal scores allRank's order is not defined, and the weights of lambdarank depend on it.
    add(name, "equal-scores", [[0.5] * 4, [1.0, -1.0, 1.0, -1.0], [0.0] * 4],
        [[0, 2, 1, 3], [1, 3, 0, 2], [2, 0, 2, 1]],
        library=name not in ("list_mle", "lambdarank"), reduction="none")
    # The guards of allRank are larger than what is left of the probabilities here.
    if name != "approx_ndcg":  # whose gradient is nothing but rounding there
        add(name, "wide-scores", [[40.0, -25.0, 3.0], [-60.0, 0.0, 30.0]], [[0, 2, 1], [1, 2, 0]],
            library=name in ("ranking_softmax", "ranknet"), reduction="none")

missing = {"predictions": normal("missing none", 3, 2), "targets": [[0, 1], [2, 1], [None, 1]]}
add("list_net", "missing-none", **missing, reduction="none")
add("list_mle", "equal-relevances-mask", normal("ties", 2, 5, step=1 / 256), [[1, 2, 1, 2, 1], [0, 0, 3, 0, 3]],
    library=False, mask=[[1, 1, 1, 1, 0], [0, 1, 1, 1, 1]])
add("pairwise_hinge", "kink", [[1.5, 0.5, -1.0], [2.0, 1.0, 0.0]], [[1, 0, 0], [2, 1, 0]], kink=True,
    reduction="none")
for temperature in (0.1, 2.5):
    scores = normal(f"temperature {temperature}", 3, 4, step=1 / 256, scale=0.5)
    add("approx_ndcg", f"temperature-{temperature}", scores,
        [[3, 1, 0, 2], [0, 2, 1, 0], [1, 0, 3, 0]], params={"temperature": temperature})

if __name__ == "__main__":
    made_by = [versions(torch), f"allRank {ALLRANK}", versions(optax, jax, mpmath)]
    write("ranking.json", ", ".join(made_by), CASES)
