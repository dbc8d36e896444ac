"""Makes preference.json: losses on log-probabilities, rewards and scores of preferred and other answers.

    pip install -r requirements.txt liger-kernel==0.8.5
    python make_preference.py [folder]

writes the file beside this script, or into `folder`. Running it again gives the same bytes.
The format is that of make.py, and so are the rules; "source" says where the numbers of a case are from.

Every loss is elementwise. It is written down twice: in torch, whose float64 values and autograd gradients
are the numbers of the cases, and for mpmath. Each case is compared with mpmath's values and derivatives of
50 digits to 1e-12, and with Liger Kernel's `preference_loss_fn` to 1e-9 where that has the loss. The
derivative of mpmath is not taken at a kink, where torch's convention holds: relu has the slope 0 at 0.
The reference log-probabilities get gradients like the policy's.
"""

import os
import sys

import mpmath
import numpy as np
import torch
import torch.nn.functional as F
from liger_kernel.chunked_loss.dpo_loss import LigerFusedLinearDPOFunction as LigerDPO
from liger_kernel.chunked_loss.kto_loss import LigerFusedLinearKTOFunction as LigerKTO
from liger_kernel.chunked_loss.orpo_loss import LigerFusedLinearORPOFunction as LigerORPO
from liger_kernel.chunked_loss.simpo_loss import LigerFusedLinearSimPOFunction as LigerSimPO
from mpmath import exp, expm1, log, mpf

import golden
from golden import integers, normal, uniform, versions

LIGER = "0.8.5"  # the package has no __version__
CASES = {}  # loss name: its cases, in the order they are added
FOUR = ["policy_chosen", "policy_rejected", "reference_chosen", "reference_rejected"]
TWO = FOUR[:2]


# ---------------------------------------------------------------- the losses in torch

def margin(pc, pr, rc, rr):
    return (pc - pr) - (rc - rr)


def log1mexp(x):
    """log(1 - e^x) for x < 0."""
    near = x > -0.6931471805599453
    return torch.where(near, torch.log(-torch.expm1(torch.where(near, x, -1))),
                       torch.log1p(-torch.exp(torch.where(near, -1, x))))


def dpo(*x, beta=0.1, label_smoothing=0.0):
    z = beta * margin(*x)
    return -(1 - label_smoothing) * F.logsigmoid(z) - label_smoothing * F.logsigmoid(-z)


def robust_dpo(*x, beta=0.1, label_smoothing=0.0):
    z = beta * margin(*x)
    e = label_smoothing
    return (-(1 - e) * F.logsigmoid(z) + e * F.logsigmoid(-z)) / (1 - 2 * e)


def ipo(*x, beta=0.1):
    return (margin(*x) - 1 / (2 * beta)) ** 2


def dpo_hinge(*x, beta=0.1):
    return F.relu(1 - beta * margin(*x))


def simpo(pc, pr, beta=2.0, gamma=0.5):
    return -F.logsigmoid(beta * (pc - pr) - gamma)


def orpo(pc, pr, beta=0.1):
    return -beta * F.logsigmoid((pc - log1mexp(pc)) - (pr - log1mexp(pr)))


def kto(policy, reference, targets, beta=0.1, baseline=0.0):
    return torch.sigmoid(-(2 * targets - 1) * beta * (policy - reference - max(baseline, 0.0)))


def bradley_terry(chosen, rejected, margin=0.0):
    return -F.logsigmoid(chosen - rejected - margin)


def bpr(positive, negative):
    return -F.logsigmoid(positive - negative)


# ---------------------------------------------------------------- the same for mpmath

def softplus(z):
    return log(1 + exp(z))


def mp_dpo(*x, beta=0.1, label_smoothing=0.0):
    z, e = beta * margin(*x), mpf(label_smoothing)
    return (1 - e) * softplus(-z) + e * softplus(z)


def mp_robust_dpo(*x, beta=0.1, label_smoothing=0.0):
    z, e = beta * margin(*x), mpf(label_smoothing)
    return ((1 - e) * softplus(-z) - e * softplus(z)) / (1 - 2 * e)


def mp_orpo(pc, pr, beta=0.1):
    odds = [exp(x) / -expm1(x) for x in (pc, pr)]
    return beta * log(1 + odds[1] / odds[0])


def mp_kto(policy, reference, targets, beta=0.1, baseline=0.0):
    r, z = policy - reference, max(baseline, 0)
    return 1 / (1 + exp(beta * (r - z if targets == 1 else z - r)))


# ---------------------------------------------------------------- Liger Kernel, element by element

def each(function, place=0):
    """A function of one-element tensors whose result is a tuple, applied to every element."""
    def elementwise(*x, **params):
        one = torch.zeros(2)  # stands for the full batch: one pair
        rows = [function(*v, one, **params)[place] for v in zip(*(t.reshape(-1, 1) for t in x))]
        return torch.stack(rows).reshape(x[0].shape)
    return elementwise


def liger_dpo(loss_type):
    return each(lambda pc, pr, rc, rr, one, **params: LigerDPO.preference_loss_fn(
        pc, pr, one, rc, rr, loss_type=loss_type, **params))


def liger_cdpo(pc, pr, rc, rr, beta=0.1, label_smoothing=0.0):
    smoothed = each(lambda c, r, one, **params: LigerSimPO.preference_loss_fn(c, r, one, gamma=0.0, **params))
    return smoothed(pc - rc, pr - rr, beta=beta, label_smoothing=label_smoothing)


def liger_kto(policy, reference, targets, beta=0.1, baseline=0.0):
    kl = torch.tensor(baseline, dtype=policy.dtype).clamp(min=0)
    return each(lambda p, r, t, one: LigerKTO.preference_loss_fn(
        p, t == 1, one[:1], r, beta=beta, kl=kl))(policy, reference, targets)


# name: (inputs, in torch, for mpmath, in Liger Kernel, its name there)
LOSSES = {
    "dpo": (FOUR, dpo, mp_dpo, liger_cdpo, "SimPO (gamma 0, on log-ratios)"),
    "robust_dpo": (FOUR, robust_dpo, mp_robust_dpo, liger_dpo("robust"), "DPO (robust)"),
    "ipo": (FOUR, ipo, lambda *x, beta=0.1: (margin(*x) - 1 / (2 * mpf(beta))) ** 2, None, ""),
    "dpo_hinge": (FOUR, dpo_hinge, lambda *x, beta=0.1: max(0, 1 - beta * margin(*x)), liger_dpo("hinge"),
                  "DPO (hinge)"),
    "simpo": (TWO, simpo, lambda c, r, beta=2, gamma=0.5: softplus(gamma - beta * (c - r)),
              lambda c, r, beta=2.0, gamma=0.5: each(LigerSimPO.preference_loss_fn)(c, r, beta=beta, gamma=gamma),
              "SimPO"),
    "orpo": (TWO, orpo, mp_orpo, each(LigerORPO.preference_loss_fn), "ORPO"),
    "kto": (["policy", "reference", "targets"], kto, mp_kto, liger_kto, "KTO"),
    "bradley_terry": (["chosen", "rejected"], bradley_terry,
                      lambda c, r, margin=0: softplus(r - c + margin), None, ""),
    "bpr": (["positive", "negative"], bpr, lambda p, n: softplus(n - p), None, ""),
}
CHECKS = "closed form in torch, gradient by autograd; value and derivative agree with mpmath, 50 digits"


# ---------------------------------------------------------------- cases

def by_golden(name, function):
    """What golden.evaluate calls: the reduction is made there for weights and missing labels, here otherwise."""
    inputs = LOSSES[name][0]

    def call(x, params, reduction):
        losses = function(*(x[k] for k in inputs), **params)
        return {"none": losses, "mean": losses.mean(), "sum": losses.sum()}[reduction]
    return call


def source_of(name):
    _, _, _, library, title = LOSSES[name]
    return CHECKS + (f"; both agree with liger_kernel's preference_loss_fn of {title}" if library else "")


def register(name, function):
    differentiable = [k for k in LOSSES[name][0] if k != "targets"]
    golden.LOSSES[name] = (by_golden(name, function), source_of(name), differentiable)


def agree(a, b, tolerance):
    """Whether two nested lists of numbers agree to a multiple of the largest."""
    a, b = (np.array(v, dtype=float).ravel() for v in (a, b))
    return a.shape == b.shape and np.nanmax(np.abs(a - b), initial=0) <= tolerance * np.nanmax(np.abs(b), initial=0)


def check_with_mpmath(name, request, kink):
    """Every element's loss and derivatives, whatever the reduction. A missing label is left out."""
    inputs, function, definition, _, _ = LOSSES[name]
    params = request.get("params", {})
    columns = [np.array(request[k], dtype=object).ravel() for k in inputs]
    rows = [row for row in zip(*columns) if None not in row]
    x = [torch.tensor([float(v) for v in column], dtype=torch.float64, requires_grad=True) for column in zip(*rows)]
    losses = function(*x, **params)
    losses.sum().backward()
    with mpmath.workdps(50):
        rows = [[mpf(float(v)) for v in row] for row in rows]
        assert agree(losses.tolist(), [definition(*row, **params) for row in rows], 1e-12), (name, request)
        for i, key in enumerate(inputs):
            if key == "targets" or kink:
                continue
            exact = [mpmath.diff(lambda v: definition(*row[:i], v, *row[i + 1:], **params), row[i]) for row in rows]
            assert agree(x[i].grad.tolist(), exact, 1e-12), (name, request, x[i].grad, exact)


def case(loss, name, kink=False, float64_only=False, **request):
    check_with_mpmath(loss, request, kink)
    _, function, _, library, _ = LOSSES[loss]
    register(loss, function)
    row = golden.torch_case(loss, name, request, float64_only)
    if kink:
        row["source"] = row["source"].replace("value and derivative agree", "value agrees") + "; relu'(0) = 0"
    if library:
        register(loss, library)
        other = golden.evaluate(loss, request)
        answer = row["answer"]
        assert agree(other["loss"], answer["loss"], 1e-9), (loss, name, other, answer)
        for key, gradient in answer["gradients"].items():
            assert agree(other["gradients"][key], gradient, 1e-9), (loss, name, key, other, answer)
    CASES.setdefault(loss, []).append(row)


def log_probs(keys, seed, *shape, high=-1.0, low=-40.0):
    """Sequence log-probabilities in sixty-fourths, the reference's near the policy's."""
    x = {k: np.array(uniform(f"{seed} {k}", *shape, low=low, high=high)) for k in keys}
    for k in keys:
        if k.startswith("reference"):
            x[k] = x[k.replace("reference", "policy")] + np.array(normal(f"{seed} {k} moved", *shape, scale=3))
    return {k: np.minimum(v, -1 / 64).tolist() for k, v in x.items()}


def standard(loss, make, **params):
    """The three reductions on different data, a sample weight, and every parameter moved."""
    case(loss, "mean", **make(f"{loss} mean", 6), reduction="mean")
    case(loss, "sum", **make(f"{loss} sum", 5), reduction="sum")
    case(loss, "none", **make(f"{loss} none", 2, 3), reduction="none")
    case(loss, "sample-weight", **make(f"{loss} weight", 5), sample_weight=[1, 0.5, 0, 2, 1.25])
    case(loss, "sample-weight-per-row", **make(f"{loss} weight per row", 3, 2), sample_weight=[0.5, 0, 2])
    for key, value in params.items():
        case(loss, f"{key.replace('_', '-')}-{value}", **make(f"{loss} {key}", 4), params={key: value})


def margins(*values):
    """Four log-probabilities with the given (policy - reference) margins."""
    n = len(values)
    return dict(policy_chosen=[-10 + v for v in values], policy_rejected=[-12] * n,
                reference_chosen=[-11] * n, reference_rejected=[-13] * n)


def preference_cases():
    def four(seed, *shape):
        return log_probs(FOUR, seed, *shape)
    example = dict(policy_chosen=[-12.4, -30.1, -8.75], policy_rejected=[-14.9, -28.6, -11.2],
                   reference_chosen=[-13.1, -29.8, -9.5], reference_rejected=[-14.2, -29.4, -10.6])
    for loss, params in [("dpo", dict(beta=0.5, label_smoothing=0.1)),
                         ("robust_dpo", dict(beta=0.5)), ("ipo", dict(beta=0.25)), ("dpo_hinge", dict(beta=0.5))]:
        case(loss, "example", **example)
        standard(loss, four, **params)
        if loss == "robust_dpo":
            case(loss, "label-smoothing-0.1", **four("robust smoothing", 4), params={"label_smoothing": 0.1})
            case(loss, "label-smoothing-0.4-beta-0.25", **four("robust both", 4),
                 params={"label_smoothing": 0.4, "beta": 0.25})
    case("dpo", "policy-equals-reference", **margins(0, 0), reduction="sum")
    case("dpo", "saturation", **margins(-1024, -256, 256, 8192), params={"beta": 0.5}, reduction="none")
    case("dpo", "saturation-label-smoothing", **margins(-512, 512), params={"label_smoothing": 0.25},
         reduction="sum")
    case("robust_dpo", "saturation", **margins(-1024, 1024), params={"label_smoothing": 0.25}, reduction="none")
    case("ipo", "at-the-minimum", **margins(2, 2.5, 1.5), params={"beta": 0.25}, reduction="none")
    case("dpo_hinge", "kink", kink=True, **margins(4, 3.984375, 4.015625), params={"beta": 0.25}, reduction="none")

    def lengthy(seed, *shape):
        return log_probs(TWO, seed, *shape, low=-3.0, high=-0.05)
    example = dict(policy_chosen=[-0.82, -1.35, -0.64], policy_rejected=[-1.21, -1.18, -1.57])
    case("simpo", "example", **example)
    standard("simpo", lengthy, beta=10, gamma=1.25)
    case("simpo", "gamma-0", **lengthy("simpo gamma 0", 3), params={"gamma": 0})
    case("simpo", "saturation", policy_chosen=[-0.5, -40, -2], policy_rejected=[-40, -0.5, -2],
         params={"beta": 10}, reduction="none")
    case("orpo", "example", **example)
    standard("orpo", lengthy, beta=0.5)
    case("orpo", "near-certain", policy_chosen=[-0.015625, -0.0009765625, -2], policy_rejected=[-1.5, -0.5, -0.015625],
         reduction="none")
    case("orpo", "improbable", policy_chosen=[-60, -200, -100], policy_rejected=[-50, -2, -100.5], reduction="none")
    case("orpo", "both-sides-of-ln-2", policy_chosen=[-0.6875, -0.703125], policy_rejected=[-0.703125, -0.6875],
         reduction="sum")

    def feedback(seed, *shape):
        x = log_probs(["policy_chosen", "reference_chosen"], seed, *shape)
        return dict(policy=x["policy_chosen"], reference=x["reference_chosen"], targets=integers(f"{seed} t", *shape))
    case("kto", "example", policy=[-12.4, -30.1, -8.75, -21.6], reference=[-13.1, -29.8, -9.5, -20.2],
         targets=[1, 0, 1, 0])
    standard("kto", feedback, beta=0.5, baseline=1.5)
    case("kto", "baseline-negative", **feedback("kto negative", 5), params={"baseline": -2})
    missing = feedback("kto missing", 5)
    missing["targets"] = [1, None, 0, 0, None]
    case("kto", "missing", **missing)
    case("kto", "missing-none", **missing, reduction="none", params={"beta": 0.25})
    case("kto", "missing-and-sample-weight", **missing, sample_weight=[0.5, 3, 2, 0, 1])
    case("kto", "saturation", policy=[-10, -10, -500, -500, -10], reference=[-500, -500, -10, -10, -11],
         targets=[1, 0, 1, 0, 1], params={"beta": 0.5}, reduction="none")


def reward_cases():
    def rewards(seed, *shape):
        return dict(chosen=normal(f"{seed} c", *shape, scale=2), rejected=normal(f"{seed} r", *shape, scale=2))
    case("bradley_terry", "example", chosen=[1.8, 0.4, -0.3], rejected=[0.6, 0.9, -1.1])
    standard("bradley_terry", rewards, margin=0.75)
    case("bradley_terry", "tie", chosen=[0.5, -2], rejected=[0.5, -2], reduction="sum")
    case("bradley_terry", "saturation", chosen=[800, -800, 30], rejected=[-800, 800, -30], reduction="none")

    def scores(seed, *shape):
        return dict(positive=normal(f"{seed} p", *shape, scale=2), negative=normal(f"{seed} n", *shape, scale=2))
    case("bpr", "example", positive=[2.1, 0.7, 1.4], negative=[0.3, 1.2, -0.5])
    standard("bpr", scores)
    case("bpr", "tie", positive=[0.25, 3], negative=[0.25, 3], reduction="sum")
    case("bpr", "saturation", positive=[1000, -1000, 25], negative=[-1000, 1000, -25], reduction="none")


def main():
    if len(sys.argv) > 1:
        golden.HERE = os.path.abspath(sys.argv[1])
    preference_cases()
    reward_cases()
    assert CASES.keys() == LOSSES.keys()
    made_by = f"{versions(torch, mpmath)}, liger-kernel {LIGER}"
    golden.write("preference.json", made_by, [row for rows in CASES.values() for row in rows])


if __name__ == "__main__":
    main()
