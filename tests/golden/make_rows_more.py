"""The formulas of make_rows.py, and the libraries that they are compared with.

Every formula takes the rows of a batch as torch tensors in float64: predictions [m, c], and targets as class
indices [m] or as rows [m, c]. It returns the losses [m], and torch differentiates it. Every check takes the
same and returns losses and gradients of their sum, or None where there is no gradient to compare.
"""

import importlib.util
import itertools
import os
from dataclasses import dataclass, field
from typing import Callable

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["KERAS_BACKEND"] = "torch"

import coral_pytorch.dataset
import coral_pytorch.losses
import entmax
import jax
import keras
import mpmath
import numpy as np
import optax
import scipy.spatial.distance
import scipy.stats
import scoringrules
import timm.loss
import torch
import torch.nn.functional as F
from liger_kernel.chunked_loss.jsd_loss import LigerFusedLinearJSDFunction
from mpmath import log, mpf, sqrt
from pycox.models.loss import nll_logistic_hazard
from pytorch_metric_learning import losses as metric_learning
from pytorch_metric_learning.reducers import DoNothingReducer
from sklearn.metrics import brier_score_loss, root_mean_squared_error
from torchmetrics.functional import weighted_mean_absolute_percentage_error

from golden import encode

keras.config.set_floatx("float64")
keras.config.set_epsilon(1e-300)
# torchaudio's operator, without its Python package: that refuses to start beside a torch for another CUDA.
for library in ["_torchaudio.abi3.so", "libtorchaudio.abi3.so"]:
    folder = os.path.dirname(importlib.util.find_spec("torchaudio").origin)
    torch.ops.load_library(os.path.join(folder, "lib", library))


def agree(got, want, tolerance):
    got, want = np.asarray(encode(got), dtype=float), np.asarray(encode(want), dtype=float)
    return np.allclose(got, want, rtol=tolerance, atol=tolerance * max(1e-3, np.abs(want).max(initial=0)))


@dataclass
class Rows:
    """A loss with one value for each row. `names` says what `checks` compare with, for "source"."""

    formula: Callable
    names: str
    checks: list = field(default_factory=list)
    more: list = field(default_factory=list)  # the inputs after predictions and targets
    tolerance: float = 1e-9


# ---------------------------------------------------------------- kinds of checks

def by_torch(function):
    def check(z, t, *more, **params):
        losses = function(z, t, *more, **params)
        return losses, torch.autograd.grad(losses.sum(), z)[0]
    return check


def by_jax(function):
    def check(z, t, **params):
        z, t = z.detach().numpy(), t.numpy()
        return function(z, t, **params), jax.grad(lambda v: function(v, t, **params).sum())(z)
    return check


def by_value(function):
    """A function of numpy arrays that has no gradient."""
    return lambda z, t, **params: (function(z.detach().numpy(), t.numpy(), **params), None)


def by_mpmath(function):
    """A formula for one row of mpmath numbers, differentiated by mpmath with 50 digits."""
    def check(z, t, **params):
        losses, slopes = [], []
        with mpmath.workdps(50):
            for row, target in zip(z.tolist(), t.tolist()):
                row = [mpf(v) for v in row]
                target = [mpf(v) for v in target] if isinstance(target, list) else target
                losses.append(float(function(row, target, **params)))
                slopes.append([float(mpmath.diff(
                    lambda v: function(row[:i] + [v] + row[i + 1:], target, **params), row[i]))
                    for i in range(len(row))])
        return np.array(losses), np.array(slopes)
    return check


def one_hot(t, c):
    return F.one_hot(t, c).double() if t.dim() == 1 else t


# ---------------------------------------------------------------- classes

def against_others(z, t, own=None):
    """Log-sum-exp of the others' logits less the own one: the own class has the probability sigmoid(-d)."""
    own = z.gather(1, t[:, None])[:, 0] if own is None else own
    return z.masked_fill(F.one_hot(t, z.shape[1]).bool(), -torch.inf).logsumexp(1) - own


def softmax_focal(z, t, alpha=1.0, gamma=2.0):
    d = against_others(z, t)
    return alpha * torch.sigmoid(d) ** gamma * -F.logsigmoid(-d)


def keras_focal(z, t, alpha=1.0, gamma=2.0):
    return keras.losses.categorical_focal_crossentropy(
        one_hot(t, z.shape[1]), z, alpha=alpha, gamma=gamma, from_logits=True)


def generalized_cross_entropy(z, t, q=0.7):
    return -torch.expm1(q * F.logsigmoid(-against_others(z, t))) / q


def keras_generalized(z, t, q=0.7):
    return keras.losses.categorical_generalized_cross_entropy(t, torch.softmax(z, 1), q)


def symmetric_cross_entropy(z, t, alpha=0.1, beta=1.0, log_zero=-4.0):
    d = against_others(z, t)
    return alpha * -F.logsigmoid(-d) - beta * log_zero * torch.sigmoid(d)


def mp_symmetric(z, t, alpha=0.1, beta=1.0, log_zero=-4.0):
    p = [mpmath.exp(v) for v in z]
    p = [v / sum(p) for v in p]
    reverse = sum(-v * (0 if j == t else mpf(log_zero)) for j, v in enumerate(p))
    return mpf(alpha) * -log(p[t]) + mpf(beta) * reverse


def poly1_cross_entropy(z, t, epsilon=2.0):
    d = against_others(z, t)
    return -F.logsigmoid(-d) + epsilon * torch.sigmoid(d)


def optax_poly(z, t, epsilon=2.0):
    return optax.losses.poly_loss_cross_entropy(z, jax.nn.one_hot(t, z.shape[1], dtype=z.dtype), epsilon=epsilon)


def first_largest(v):
    """The largest number of each row; at a tie the first one has the gradient."""
    return v.gather(1, torch.from_numpy(v.detach().numpy().argmax(1))[:, None])[:, 0]


def multiclass_hinge(z, t):
    others = z.masked_fill(F.one_hot(t, z.shape[1]).bool(), -torch.inf)
    return torch.relu(1 + first_largest(others) - z.gather(1, t[:, None])[:, 0])


def categorical_hinge(z, t):
    return torch.relu(1 + first_largest((1 - t) * z) - (t * z).sum(1))


def sparsemax(z, t):
    ordered = z.detach().sort(1, descending=True).values
    excess = ordered.cumsum(1) - 1
    size = torch.arange(1, z.shape[1] + 1)
    support = (size * ordered > excess).sum(1, keepdim=True)
    p = torch.relu(z.detach() - excess.gather(1, support - 1) / support)
    return 0.5 + (p * (z - p / 2)).sum(1) - z.gather(1, t[:, None])[:, 0]


def ranked_probability_score(p, t):
    return ((p.cumsum(1) - one_hot(t, p.shape[1]).cumsum(1)) ** 2).sum(1)


def scoringrules_rps(p, t):
    if t.ndim == 1:
        return scoringrules.rps_score(t + 1, p)
    return scoringrules.rps_score(t, p, onehot=True)


def brier_multiclass(p, t):
    return ((p - one_hot(t, p.shape[1])) ** 2).sum(1)


def sklearn_brier(p, t):
    if t.ndim == 1:
        return [brier_score_loss([y], [row], labels=range(len(row)), scale_by_half=False) for row, y in zip(p, t)]
    return scipy.spatial.distance.cdist(p, t, "sqeuclidean").diagonal()


def ordinal(z, t):
    return F.binary_cross_entropy_with_logits(
        z, (t[:, None] > torch.arange(z.shape[1])).double(), reduction="none").sum(1)


def coral(z, t):
    levels = coral_pytorch.dataset.levels_from_labelbatch(t, z.shape[1] + 1, dtype=torch.float64)
    return coral_pytorch.losses.coral_loss(z, levels, reduction=None)


def z_loss(z, t, scale=1e-4):
    return scale * z.logsumexp(1) ** 2


def mp_z_loss(z, t, scale=1e-4):
    return mpf(scale) * log(sum(mpmath.exp(v) for v in z)) ** 2


def zlpr(z, t):
    zero = torch.zeros_like(z[:, :1])
    negative = torch.cat([z.masked_fill(t == 1, -torch.inf), zero], 1).logsumexp(1)
    return negative + torch.cat([(-z).masked_fill(t == 0, -torch.inf), zero], 1).logsumexp(1)


def timm_zlpr(z, t):
    return torch.stack([timm.loss.ZlprLoss()(z[i:i + 1], t[i:i + 1]).double() for i in range(len(z))])


def arcface(cosines, t, margin=0.5, scale=64.0):
    own = cosines.gather(1, t[:, None])[:, 0]
    angle = own.acos()
    own = torch.where(angle <= torch.pi - margin, (angle + margin).cos(), own - margin * np.sin(margin))
    return -F.logsigmoid(-against_others(scale * cosines, t, scale * own))


def cosface(cosines, t, margin=0.35, scale=64.0):
    own = cosines.gather(1, t[:, None])[:, 0] - margin
    return -F.logsigmoid(-against_others(scale * cosines, t, scale * own))


def from_cosines(base, unit, margin, scale):
    """A loss of pytorch-metric-learning that takes the cosines themselves in place of embeddings."""
    class FromCosines(base):
        def get_cosine(self, embeddings):
            return embeddings

    def function(z, t, margin=margin, scale=scale):
        c = z.shape[1]
        loss = FromCosines(c, c, margin=unit(margin), scale=scale, reducer=DoNothingReducer())
        return loss(z, t)["loss"]["losses"]
    return function


def discrete_hazard_nll(z, t, event):
    last = F.one_hot(t, z.shape[1]).double()
    through = (torch.arange(z.shape[1]) <= t[:, None]).double()
    return (through * F.binary_cross_entropy_with_logits(z, last * event[:, None], reduction="none")).sum(1)


# ---------------------------------------------------------------- vectors and distributions

def cosine_distance(x, y, eps=1e-8):
    """A norm below eps is a constant, in the gradient too; torch's gradient is that of the norm itself. A zero row
    has none."""
    def norm(v):
        return torch.linalg.vector_norm(v, dim=1).clamp_min(eps)
    some = x.detach().ne(0).any(1)
    x = torch.where(some[:, None], x, torch.ones_like(x))
    return torch.where(some, 1 - (x * y).sum(1) / (norm(x) * norm(y)), 1)


def torch_cosine(x, y, eps=1e-8):
    losses = 1 - F.cosine_similarity(x, y, dim=1, eps=eps)
    return torch.where(x.detach().ne(0).any(1), losses, losses.detach())  # the zero row's gradient: our own rule


def soft_target_cross_entropy(z, t):
    return -(t * F.log_softmax(z, 1)).sum(1)


def generalized_kl(lp, t):
    return (torch.xlogy(t, t) - t * lp + lp.exp() - t).sum(1)


def reverse_kl(z, t):
    lp = F.log_softmax(z, 1)
    return (lp.exp() * (lp - t.log())).sum(1)


def torch_reverse_kl(z, t):
    model, target = torch.distributions.Categorical(logits=z), torch.distributions.Categorical(probs=t)
    return torch.distributions.kl_divergence(model, target)


def kl(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(1)


def mp_kl(p, q):
    return sum(a * log(a / b) for a, b in zip(p, q) if a != 0)


def js_div(p, t):
    return (kl(p, (p + t) / 2) + kl(t, (p + t) / 2)) / 2


def generalized_jsd(p, t, beta=0.5):
    if beta in (0, 1):
        return kl(p, t) if beta else kl(t, p)
    m = beta * t + (1 - beta) * p
    return beta * kl(t, m) + (1 - beta) * kl(p, m)


def mp_jsd(p, t, beta=0.5):
    b = mpf(beta)
    if b in (0, 1):
        return mp_kl(p, t) if b else mp_kl(t, p)
    m = [b * y + (1 - b) * x for x, y in zip(p, t)]
    return b * mp_kl(t, m) + (1 - b) * mp_kl(p, m)


def liger_jsd(p, t, beta=0.5):
    function = LigerFusedLinearJSDFunction.distillation_loss_fn  # of logits: the logarithms serve
    p, t = (torch.tensor(np.maximum(v, 1e-300)).log() for v in (p, t))
    return np.array([function(a, b, beta) for a, b in zip(p, t)])


def tv_distance(p, t):
    return (p - t).abs().sum(1) / 2


def hellinger(p, t):
    return ((p.sqrt() - t.sqrt()) ** 2).sum(1) / 2


def psi(p, t):
    return ((p - t) * (p / t).log()).sum(1)


def wasserstein_1d(p, t):
    return (p.cumsum(1) - t.cumsum(1))[:, :-1].abs().sum(1)


def each_row(function):
    return lambda p, t: [function(a, b) for a, b in zip(p, t)]


def scipy_wasserstein(p, t):
    return scipy.stats.wasserstein_distance(range(len(p)), range(len(p)), p, t)


MP = "mpmath with its derivative"
ROWS = {
    "cosine_distance": Rows(cosine_distance, "torch.nn.functional.cosine_similarity", [by_torch(torch_cosine)]),
    "soft_target_cross_entropy": Rows(
        soft_target_cross_entropy, "timm.loss.SoftTargetCrossEntropy and optax.losses.softmax_cross_entropy",
        [by_torch(lambda z, t: torch.stack([timm.loss.SoftTargetCrossEntropy()(z[i:i + 1], t[i:i + 1])
                                            for i in range(len(z))])),
         by_jax(optax.losses.softmax_cross_entropy)]),
    "z_loss": Rows(z_loss, MP, [by_mpmath(mp_z_loss)]),
    "softmax_focal": Rows(softmax_focal, "keras.losses.categorical_focal_crossentropy", [by_torch(keras_focal)]),
    "generalized_cross_entropy": Rows(
        generalized_cross_entropy, "keras.losses.categorical_generalized_cross_entropy",
        [by_torch(keras_generalized)]),
    "symmetric_cross_entropy": Rows(symmetric_cross_entropy, MP, [by_mpmath(mp_symmetric)]),
    "poly1_cross_entropy": Rows(poly1_cross_entropy, "optax.losses.poly_loss_cross_entropy", [by_jax(optax_poly)]),
    "multiclass_hinge": Rows(multiclass_hinge, "optax.losses.multiclass_hinge_loss",
                             [by_jax(optax.losses.multiclass_hinge_loss)]),
    "categorical_hinge": Rows(categorical_hinge, "keras.losses.categorical_hinge (which is in float32)",
                              [by_torch(lambda z, t: keras.losses.categorical_hinge(t, z))], tolerance=1e-6),
    "sparsemax": Rows(sparsemax, "entmax.sparsemax_loss and optax.losses.multiclass_sparsemax_loss",
                      [by_torch(entmax.sparsemax_loss), by_jax(optax.losses.multiclass_sparsemax_loss)]),
    "ranked_probability_score": Rows(ranked_probability_score, "scoringrules.rps_score (value)",
                                     [by_value(scoringrules_rps)]),
    "emd2": Rows(lambda p, t: ranked_probability_score(p, t) / p.shape[1],
                 "scoringrules.rps_score divided by the number of classes (value)",
                 [by_value(lambda p, t: scoringrules_rps(p, t) / p.shape[1])]),
    "brier_multiclass": Rows(
        brier_multiclass, "sklearn.metrics.brier_score_loss, for probabilities scipy's squared distance (value)",
        [by_value(sklearn_brier)]),
    "ordinal": Rows(ordinal, "coral_pytorch.losses.coral_loss", [by_torch(coral)]),
    "generalized_kl": Rows(generalized_kl, "optax.losses.generalized_kl_divergence",
                           [by_jax(optax.losses.generalized_kl_divergence)]),
    "reverse_kl": Rows(reverse_kl, "torch.distributions.kl_divergence of two Categorical",
                       [by_torch(torch_reverse_kl)]),
    "js_div": Rows(js_div, f"scipy.spatial.distance.jensenshannon squared (value) and {MP}",
                   [by_value(lambda p, t: scipy.spatial.distance.jensenshannon(p, t, axis=1) ** 2),
                    by_mpmath(mp_jsd)]),
    "generalized_jsd": Rows(
        generalized_jsd, f"liger_kernel LigerFusedLinearJSDFunction.distillation_loss_fn (value) and {MP}",
        [by_value(liger_jsd), by_mpmath(mp_jsd)]),
    "tv_distance": Rows(
        tv_distance, f"half of scipy.spatial.distance.cityblock (value) and {MP}",
        [by_value(lambda p, t: scipy.spatial.distance.cdist(p, t, "cityblock").diagonal() / 2),
         by_mpmath(lambda p, t: sum(abs(a - b) for a, b in zip(p, t)) / 2)]),
    "hellinger": Rows(hellinger, MP,
                      [by_mpmath(lambda p, t: sum((sqrt(a) - sqrt(b)) ** 2 for a, b in zip(p, t)) / 2)]),
    "psi": Rows(psi, MP, [by_mpmath(lambda p, t: mp_kl(p, t) + mp_kl(t, p))]),
    "wasserstein_1d": Rows(wasserstein_1d, "scipy.stats.wasserstein_distance (value)",
                           [by_value(each_row(scipy_wasserstein))]),
    "zlpr": Rows(zlpr, "timm.loss.ZlprLoss (which is in float32)", [by_torch(timm_zlpr)], tolerance=1e-5),
    "arcface": Rows(arcface, "pytorch_metric_learning.losses.ArcFaceLoss, given the cosines",
                    [by_torch(from_cosines(metric_learning.ArcFaceLoss, np.degrees, 0.5, 64))]),
    "cosface": Rows(cosface, "pytorch_metric_learning.losses.CosFaceLoss, given the cosines",
                    [by_torch(from_cosines(metric_learning.CosFaceLoss, float, 0.35, 64))]),
    "discrete_hazard_nll": Rows(
        discrete_hazard_nll, "pycox.models.loss.nll_logistic_hazard",
        [by_torch(lambda z, t, event: nll_logistic_hazard(z, t, event, "none"))], more=["event"]),
}


# ---------------------------------------------------------------- one value for the batch

def rmse(p, t, w):
    square = (w * (p - t) ** 2).sum() / w.sum()
    return square.sqrt() if square > 0 else 0 * square  # an exact fit: gradient 0


def wmape(p, t, w, eps=1.17e-6):
    return (w * (p - t).abs()).sum() / (w * t.abs()).sum().clamp_min(eps)


def torchmetrics_wmape(p, t, w):
    return weighted_mean_absolute_percentage_error(w * p, w * t)  # it has no weights: this is the same


BATCH = {
    "rmse": Rows(rmse, "sklearn.metrics.root_mean_squared_error",
                 [lambda p, t, w: root_mean_squared_error(t, p, sample_weight=w)]),
    "wmape": Rows(wmape, "torchmetrics.functional.weighted_mean_absolute_percentage_error", [torchmetrics_wmape]),
}


# ---------------------------------------------------------------- transducer

def rnnt_forward(lp, labels, blank):
    """The forward recursion over log-probabilities [frames, labels + 1, c] of one sample."""
    frames, places = lp.shape[0], len(labels) + 1
    alpha = {(0, 0): lp.new_zeros(())}
    for t, u in itertools.product(range(frames), range(places)):
        ways = [alpha[t - 1, u] + lp[t - 1, u, blank]] if t else []
        ways += [alpha[t, u - 1] + lp[t, u - 1, labels[u - 1]]] if u else []
        if ways:
            alpha[t, u] = torch.stack(ways).logsumexp(0)
    return -(alpha[frames - 1, places - 1] + lp[frames - 1, places - 1, blank])


def rnnt_alignments(lp, labels, blank):
    """The same by adding up every alignment: a choice of the steps at which labels are emitted."""
    frames, total = lp.shape[0], []
    for emits in itertools.combinations(range(frames + len(labels) - 1), len(labels)):
        t = u = 0
        path = lp.new_zeros(())
        for step in range(frames + len(labels) - 1):
            if step in emits:
                path, u = path + lp[t, u, labels[u]], u + 1
            else:
                path, t = path + lp[t, u, blank], t + 1
        total.append(path + lp[t, u, blank])
    return -torch.stack(total).logsumexp(0)


def rnnt_sample(logits, labels, blank):
    """Loss and gradient of one sample, by both ways."""
    logits = logits.clone().requires_grad_(True)
    value, other = (f(logits.log_softmax(-1), labels, blank) for f in (rnnt_forward, rnnt_alignments))
    slope, other_slope = (torch.autograd.grad(v, logits)[0] for v in (value, other))
    assert agree(other, value, 1e-13) and agree(other_slope, slope, 1e-12)
    return value.detach(), slope


def rnnt_torchaudio(logits, targets, input_lengths, target_lengths, blank, clamp):
    """Losses and gradients of each sample, in float32."""
    lengths = [torch.tensor(v, dtype=torch.int32) for v in (targets, input_lengths, target_lengths)]
    return torch.ops.torchaudio.rnnt_loss_forward(logits.float(), *lengths, blank, float(clamp), True)
