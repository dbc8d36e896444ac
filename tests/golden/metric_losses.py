"""The losses of make_metric.py: each in torch, and a second time from a library or in another form."""

from dataclasses import dataclass
from typing import Callable

import info_nce
import jax
import lightly.loss
import numpy as np
import optax
import torch
import torch.nn.functional as F
from open_clip.loss import ClipLoss, SigLipLoss
from pytorch_metric_learning import losses as pml_losses
from pytorch_metric_learning.distances import CosineSimilarity, DotProductSimilarity
from pytorch_metric_learning.reducers import DoNothingReducer

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)

@dataclass
class Loss:
    """`value` and `second` take the inputs (a dictionary), the labels and the weights of the samples that count,
    and the parameters by keyword. They return the losses of the rows, or of the batch where `batch` is true.
    `second` returns None where the library has no answer; `fallback` is asked then.
    """

    value: Callable
    second: Callable
    source: str  # what `second` calls
    inputs: list  # the differentiable ones
    fallback: Callable = None
    fallback_source: str = ""  # a clause
    batch: bool = False
    share: Callable = None  # what a row counts for in the mean, from the labels; 1 if None


# ---------------------------------------------------------------- parts

def unit(x):
    return x / x.square().sum(1, keepdim=True).sqrt()


def cosines(x, y):
    return unit(x) @ unit(y).T


def softplus(z):
    return -F.logsigmoid(-z)  # torch's own softplus is linear beyond 20


def positives(labels):
    """Which pairs of different samples have the same label."""
    return (labels[:, None] == labels) & ~torch.eye(len(labels), dtype=torch.bool)


def diagonal_cross_entropy(logits):
    return torch.logsumexp(logits, 1) - logits.diagonal()


def by_pml(loss, embeddings, labels):
    """The unreduced losses of PyTorch Metric Learning and what they belong to; None if it finds no pairs."""
    answer = loss(embeddings, labels)["loss"]
    if not torch.is_tensor(answer["losses"]):
        return None, None
    return answer["losses"].reshape(len(answer["losses"])), answer["indices"]


# ---------------------------------------------------------------- triplets and pairs

def soft_triplet(x, labels, weight, p=2, eps=1e-6):
    def distance(other):
        return ((x["anchor"] - other + eps).abs() ** p).sum(1) ** (1 / p)
    return softplus(distance(x["positive"]) - distance(x["negative"]))


def torch_soft_triplet(x, labels, weight, p=2, eps=1e-6):
    near = F.pairwise_distance(x["anchor"], x["positive"], p, eps)
    return F.softplus(near - F.pairwise_distance(x["anchor"], x["negative"], p, eps))


def contrastive(x, labels, weight, margin=1.0):
    d = x["predictions"]
    return 0.5 * torch.where(labels == 1, d ** 2, F.relu(margin - d) ** 2)


def torch_contrastive(x, labels, weight, margin=1.0):
    return F.hinge_embedding_loss(x["predictions"], 2 * labels - 1, margin=margin, reduction="none") ** 2 / 2


def nt_xent(x, labels, weight, temperature=0.07):
    s = cosines(x["predictions"], x["predictions"]) / temperature
    n = len(s)
    partner = s[torch.arange(n), (torch.arange(n) + n // 2) % n]
    return torch.logsumexp(s.masked_fill(torch.eye(n, dtype=torch.bool), -torch.inf), 1) - partner


def pml_nt_xent(x, labels, weight, temperature=0.07):
    views = torch.arange(len(x["predictions"]) // 2).repeat(2)
    loss = pml_losses.NTXentLoss(temperature=temperature, reducer=DoNothingReducer())
    losses, indices = by_pml(loss, x["predictions"], views)
    assert losses is None or indices[0].tolist() == list(range(len(views)))
    return losses


def infonce(x, labels, weight, temperature=0.07):
    return diagonal_cross_entropy(cosines(x["input1"], x["input2"]) / temperature)


def library_info_nce(x, labels, weight, temperature=0.07):
    return info_nce.info_nce(x["input1"], x["input2"], temperature=temperature, reduction="none")


def clip(x, labels, weight, temperature=0.07):
    s = cosines(x["input1"], x["input2"]) / temperature
    return (diagonal_cross_entropy(s) + diagonal_cross_entropy(s.T)) / 2


def library_clip(x, labels, weight, temperature=0.07):
    a, b = x["input1"], x["input2"]
    rows, columns = (info_nce.info_nce(*pair, temperature=temperature, reduction="none") for pair in [(a, b), (b, a)])
    return (rows + columns) / 2


def n_pair(x, labels, weight):
    return diagonal_cross_entropy(x["input1"] @ x["input2"].T)


def pml_n_pair(x, labels, weight):
    loss = pml_losses.NPairsLoss(reducer=DoNothingReducer(), distance=DotProductSimilarity(normalize_embeddings=False))
    labels = torch.arange(len(x["input1"])).repeat(2)
    return by_pml(loss, torch.cat([x["input1"], x["input2"]]), labels)[0]


def siglip(x, labels, weight, scale=10.0, bias=-10.0):
    logits = scale * x["input1"] @ x["input2"].T + bias
    return -F.logsigmoid(logits * (2 * torch.eye(len(logits), dtype=logits.dtype) - 1)).sum(1)


def torch_siglip(x, labels, weight, scale=10.0, bias=-10.0):
    logits = scale * torch.einsum("id,jd->ij", x["input1"], x["input2"]) + bias
    same = torch.eye(len(logits), dtype=logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, same, reduction="none").sum(1)


# ---------------------------------------------------------------- labels

def sup_con(x, labels, weight, temperature=0.07):
    s = cosines(x["predictions"], x["predictions"]) / temperature
    all_but_self = torch.logsumexp(s.masked_fill(torch.eye(len(s), dtype=torch.bool), -torch.inf), 1, keepdim=True)
    positive = positives(labels)
    return torch.where(positive, all_but_self - s, 0).sum(1) / positive.sum(1).clamp(min=1)


def pml_sup_con(x, labels, weight, temperature=0.07):
    loss = pml_losses.SupConLoss(temperature=temperature, reducer=DoNothingReducer())
    return by_pml(loss, x["predictions"], labels)[0]


def torch_sup_con(x, labels, weight, temperature=0.07):
    """cross_entropy with the positives as a distribution over the other samples."""
    s, n = cosines(x["predictions"], x["predictions"]) / temperature, len(labels)
    others = ~torch.eye(n, dtype=torch.bool)
    target = positives(labels)[others].reshape(n, n - 1).double()
    target = target / target.sum(1, keepdim=True).clamp(min=1)
    return F.cross_entropy(s[others].reshape(n, n - 1), target, reduction="none")


def multi_similarity(x, labels, weight, alpha=2.0, beta=50.0, base=0.5):
    s, positive, different = cosines(x["predictions"], x["predictions"]), positives(labels), labels[:, None] != labels
    one = torch.zeros(len(s), 1, dtype=s.dtype)  # the 1 in the logarithm
    near = torch.cat([one, (-alpha * (s - base)).masked_fill(~positive, -torch.inf)], 1)
    far = torch.cat([one, (beta * (s - base)).masked_fill(~different, -torch.inf)], 1)
    return torch.logsumexp(near, 1) / alpha + torch.logsumexp(far, 1) / beta


def pml_multi_similarity(x, labels, weight, alpha=2.0, beta=50.0, base=0.5):
    loss = pml_losses.MultiSimilarityLoss(alpha=alpha, beta=beta, base=base, reducer=DoNothingReducer())
    return by_pml(loss, x["predictions"], labels)[0]


def circle(x, labels, weight, margin=0.4, gamma=80.0):
    s, positive = cosines(x["predictions"], x["predictions"]), positives(labels)
    near = -gamma * F.relu(1 + margin - s).detach() * (s - 1 + margin)
    far = gamma * F.relu(s + margin).detach() * (s - margin)
    losses = []
    for i in range(len(s)):
        p, n = near[i][positive[i]], far[i][labels != labels[i]]
        both = len(p) and len(n)
        losses.append(softplus(torch.logsumexp(p, 0) + torch.logsumexp(n, 0)) if both else 0 * s[i, i])
    return torch.stack(losses)


def pml_circle(x, labels, weight, margin=0.4, gamma=80.0):
    loss = pml_losses.CircleLoss(m=margin, gamma=gamma, reducer=DoNothingReducer())
    loss.soft_plus = torch.nn.Softplus(threshold=500)  # by default linear beyond 20: the gradient is off by 2e-9
    return by_pml(loss, x["predictions"], labels)[0]


def lifted_structure(x, labels, weight, neg_margin=1.0, pos_margin=0.0):
    s, positive = cosines(x["predictions"], x["predictions"]), positives(labels)
    losses = []
    for i in range(len(s)):
        different = labels != labels[i]
        total = 0 * s[i, i]
        for j in positive[i].nonzero().flatten() if different.any() else []:
            negatives = torch.cat([s[i][different], s[j][different]]) - neg_margin
            total = total + F.relu(torch.logsumexp(negatives, 0) + pos_margin - s[i, j]) ** 2 / 2
        losses.append(total)
    return torch.stack(losses)


def pml_lifted_structure(x, labels, weight, neg_margin=1.0, pos_margin=0.0):
    loss = pml_losses.LiftedStructureLoss(neg_margin=neg_margin, pos_margin=pos_margin, distance=CosineSimilarity(),
                                          reducer=DoNothingReducer())
    pairs, indices = by_pml(loss, x["predictions"], labels)
    if pairs is None:
        return None
    return torch.zeros(len(labels), dtype=pairs.dtype).index_add(0, indices[0], pairs)


# ---------------------------------------------------------------- one number for the batch

def proxy_anchor(x, labels, weight, margin=0.1, alpha=32.0):
    """A weight is added in the exponent, as its logarithm."""
    counted = weight > 0
    s, log_weight = cosines(x["predictions"], x["proxies"])[counted], weight[counted].log()[:, None]
    own = F.one_hot(labels[counted], s.shape[1]).bool()
    one = torch.zeros(1, s.shape[1], dtype=s.dtype)  # the 1 in the logarithm
    near = torch.cat([one, (log_weight - alpha * (s - margin)).masked_fill(~own, -torch.inf)])
    far = torch.cat([one, (log_weight + alpha * (s + margin)).masked_fill(own, -torch.inf)])
    return torch.logsumexp(near, 0).sum() / own.any(0).sum() + torch.logsumexp(far, 0).mean()


def plain_proxy_anchor(x, labels, weight, margin=0.1, alpha=32.0):
    """Proxy by proxy, nothing taken out of the logarithms."""
    near, far = [], []
    for c, proxy in enumerate(x["proxies"]):
        s, own = F.cosine_similarity(x["predictions"], proxy[None], dim=1), labels == c
        far.append(torch.log1p((weight * torch.exp(alpha * (s + margin)))[~own].sum()))
        if weight[own].sum() > 0:
            near.append(torch.log1p((weight * torch.exp(-alpha * (s - margin)))[own].sum()))
    return sum(near) / len(near) + sum(far) / len(far)


def repeated(x, weight, *keys):
    """The rows as often as their weights say, or None."""
    if (weight % 1 != 0).any():
        return None
    return [x[k].repeat_interleave(weight.long(), 0) for k in keys]


def pml_proxy_anchor(x, labels, weight, margin=0.1, alpha=32.0):
    rows = repeated({**x, "labels": labels}, weight, "predictions", "labels")
    if rows is None:
        return None
    loss = pml_losses.ProxyAnchorLoss(*x["proxies"].shape, margin=margin, alpha=alpha)
    del loss.proxies  # in place of the library's own random ones
    loss.proxies = x["proxies"]
    return loss(*rows)


def barlow_twins(x, labels, weight, **params):
    q = weight / weight.sum()

    def standard(v):
        v = v - q @ v
        return v / (q @ v ** 2 + 1e-5).sqrt()
    c = standard(x["input1"]).T @ (q[:, None] * standard(x["input2"]))
    same = torch.eye(len(c), dtype=torch.bool)
    return ((1 - c[same]) ** 2).sum() + params.get("lambda", 0.0051) * (c[~same] ** 2).sum()


def lightly_barlow_twins(x, labels, weight, **params):
    rows = repeated(x, 2 * weight, "input1", "input2")  # twice as many of each change nothing
    return lightly.loss.BarlowTwinsLoss(lambda_param=params.get("lambda", 0.0051))(*rows)


def vicreg(x, labels, weight, similarity=25.0, variance=25.0, covariance=1.0):
    total, d = weight.sum(), x["input1"].shape[1]
    mse = (weight @ (x["input1"] - x["input2"]) ** 2).sum() / (total * d)
    hinge, off_diagonal = 0, 0
    for key in ("input1", "input2"):
        v = x[key] - weight @ x[key] / total
        c = (weight[:, None] * v).T @ v / (total - 1)
        same = torch.eye(d, dtype=torch.bool)
        hinge = hinge + F.relu(1 - (c[same] + 1e-4).sqrt()).mean() / 2
        off_diagonal = off_diagonal + (c[~same] ** 2).sum() / d
    return similarity * mse + variance * hinge + covariance * off_diagonal


def lightly_vicreg(x, labels, weight, similarity=25.0, variance=25.0, covariance=1.0):
    rows = repeated(x, weight, "input1", "input2")
    return rows and lightly.loss.VICRegLoss(lambda_param=similarity, mu_param=variance, nu_param=covariance)(*rows)


def torch_vicreg(x, labels, weight, similarity=25.0, variance=25.0, covariance=1.0):
    total, d = weight.sum(), x["input1"].shape[1]
    covs = [torch.cov(x[k].T, correction=0, aweights=weight) * total / (total - 1) for k in PAIR]
    mse = (weight[:, None] * (x["input1"] - x["input2"]) ** 2).mean(1).sum() / total
    hinge = sum((1 - (c.diagonal() + 1e-4).sqrt()).clamp(min=0).mean() for c in covs) / 2
    off_diagonal = sum((c - c.diagonal().diag()).square().sum() / d for c in covs)
    return similarity * mse + variance * hinge + covariance * off_diagonal


def zeros(x, labels, weight, **params):
    return x["predictions"].sum(1) * 0


P, PAIR, TRIPLET = ["predictions"], ["input1", "input2"], ["anchor", "positive", "negative"]
PML, NN = "pytorch_metric_learning.losses.", "torch.nn.functional."
LOSSES = {
    "soft_triplet": Loss(soft_triplet, torch_soft_triplet, f"{NN}softplus of {NN}pairwise_distance", TRIPLET),
    "contrastive": Loss(contrastive, torch_contrastive, f"half the square of {NN}hinge_embedding_loss", P),
    "nt_xent": Loss(nt_xent, pml_nt_xent, PML + "NTXentLoss", P, zeros,
                    "both are 0: there is nothing but the positive"),
    "info_nce": Loss(infonce, library_info_nce, "info_nce.info_nce", PAIR),
    "clip": Loss(clip, library_clip, "info_nce.info_nce both ways", PAIR),
    "n_pair": Loss(n_pair, pml_n_pair, PML + "NPairsLoss", PAIR),
    "siglip": Loss(siglip, torch_siglip, f"{NN}binary_cross_entropy_with_logits", PAIR),
    "sup_con": Loss(sup_con, pml_sup_con, PML + "SupConLoss", P, torch_sup_con,
                    f"both agree with {NN}cross_entropy, the positives as a distribution"),
    "multi_similarity": Loss(multi_similarity, pml_multi_similarity, PML + "MultiSimilarityLoss", P),
    "circle": Loss(circle, pml_circle, PML + "CircleLoss (with Softplus(threshold=500))", P),
    "lifted_structure": Loss(lifted_structure, pml_lifted_structure,
                             PML + "LiftedStructureLoss(distance=CosineSimilarity()), summed by anchor", P,
                             zeros, "both are 0: no positives or no negatives",
                             share=lambda labels: positives(labels).sum(1)),
    "proxy_anchor": Loss(proxy_anchor, pml_proxy_anchor, PML + "ProxyAnchorLoss", P + ["proxies"],
                         plain_proxy_anchor, "both agree with the weighted sums written out", batch=True),
    "barlow_twins": Loss(barlow_twins, lightly_barlow_twins, "lightly.loss.BarlowTwinsLoss", PAIR, batch=True),
    "vicreg": Loss(vicreg, lightly_vicreg, "lightly.loss.VICRegLoss", PAIR, torch_vicreg,
                   "both agree with a second form that uses torch.cov", batch=True),
}


def normalized(x):
    return [F.normalize(x[k], dim=1) for k in PAIR]


# Batch means of libraries that have nothing else: the call and its name.
WHOLE = {
    "nt_xent": (lambda x, temperature=0.07: float(optax.losses.ntxent(
        x["predictions"].numpy(), np.tile(np.arange(len(x["predictions"]) // 2), 2), temperature)),
        "optax.losses.ntxent"),
    "clip": (lambda x, temperature=0.07: ClipLoss()(*normalized(x), 1 / temperature), "open_clip.loss.ClipLoss"),
    "siglip": (lambda x, scale=10.0, bias=-10.0: SigLipLoss()(x["input1"], x["input2"], scale, bias),
               "open_clip.loss.SigLipLoss"),
    "vicreg": (lambda x, similarity=25.0, variance=25.0, covariance=1.0: pml_losses.VICRegLoss(
        similarity, variance, covariance)(x["input1"], ref_emb=x["input2"]), PML + "VICRegLoss"),
}
