"""Makes survival.json: the Cox partial likelihood and the accelerated failure time likelihood.

    pip install -r requirements.txt
    pip install lifelines==0.30.3 statsmodels==0.15.0 xgboost-cpu==3.2.0
    python make_survival.py [folder]

writes the file beside this script, or into `folder`. Running it again gives the same bytes. The format
is that of make.py, and so are the rules; "source" says where the numbers of a case are from.

cox_ph is written down in torch and differentiated by torch in float64, and compared with the textbook sums
and their derivatives in mpmath. Where no risk overflows and there are no weights, the sum of its losses and
its gradient are compared with those of statsmodels (Breslow and Efron) and lifelines (Efron): each sample is
given a covariate of its own, so that the coefficients are the log-risks.

aft_nll is mpmath's, the formula and its derivative with 450 digits, rounded; torch's float64, through
log_ndtr, agrees with it. So does XGBoost's metric, away from the tails, where it has a floor.
"""

import os
import sys
import warnings

import lifelines
import mpmath
import numpy as np
import pandas as pd
import statsmodels
import torch
import torch.nn.functional as F
import xgboost
from lifelines.fitters.coxph_fitter import SemiParametricPHFitter
from mpmath import mpf
from statsmodels.duration.hazard_regression import PHReg

from golden import decode, encode, integers, normal, uniform, versions, write

warnings.filterwarnings("ignore")
xgboost.set_config(verbosity=0)
mpmath.mp.dps = 450
CASES = []


def columns(request, names, may_be_missing):
    """The inputs of the rows that have no null in them, and which rows those are."""
    x = {k: np.array(decode(request[k]), dtype=object) for k in names if k in request}
    present = np.array([all(x[k][i] is not None for k in may_be_missing) for i in range(len(x["time"]))])
    return {k: v[present].astype(float) for k, v in x.items()}, present


def spread(values, present, absent):
    """One value for each row of the request, `absent` for a missing one."""
    row = np.full(present.size, absent, dtype=object)
    row[present] = [float(v) for v in values]
    return encode(row)


def keep(name, case, source, request, losses, gradient, value, present):
    numbers = {"loss": spread(losses, present, None) if value is None else float(value),
               "gradients": {"predictions": spread(gradient, present, 0.0)}}
    for k in ["predictions", "time", "upper"]:  # exact in float32, but for the decimals of the examples
        assert case == "example" or all(v is None or isinstance(v, str) or np.float32(v) == v
                                        for v in request.get(k, [])), (name, case)
    CASES.append({"loss": name, "case": case, "source": source, "request": request, "answer": numbers})


# ---------------------------------------------------------------- the Cox partial likelihood

def cox_torch(h, time, event, ties):
    """The loss of each sample. A tied event takes the mean over its ranks, all of which are rank 0 for Breslow."""
    losses = []
    for i in range(len(time)):
        at_risk = time >= time[i]
        tied = (time == time[i]) & (event == 1)
        d = int(tied.sum())
        ranks = range(d) if ties == "efron" else [0]
        shares = [torch.from_numpy(at_risk - tied * (k / d)).log() for k in ranks if event[i]]
        losses.append(sum(torch.logsumexp(h + share, 0) for share in shares) / len(ranks) - h[i] if event[i]
                      else 0 * h[i])
    return torch.stack(losses)


def cox_textbook(h, time, event, ties):
    """The same from the definition, in mpmath."""
    losses = []
    for i, ti in enumerate(time):
        if not event[i]:
            losses.append(mpf(0))
            continue
        risk = sum(mpmath.exp(hj) for hj, tj in zip(h, time) if tj >= ti)
        group = [hj for hj, tj, ej in zip(h, time, event) if tj == ti and ej]
        d, shared = len(group), sum(mpmath.exp(hj) for hj in group)
        logs = [mpmath.log(risk - mpf(k) / d * shared) for k in range(d)] if ties == "efron" else [mpmath.log(risk)]
        losses.append(sum(logs) / len(logs) - h[i])
    return losses


def cox_libraries(h, time, event, ties):
    """The sum of the losses and its gradient by each library that has this treatment of ties."""
    one_each = np.eye(len(h))
    model = PHReg(time, one_each, status=event, ties=ties)
    yield -model.loglike(h), -model.score(h)
    if ties == "efron":
        order = np.argsort(time, kind="stable")
        frame, t, e = pd.DataFrame(one_each[order]), pd.Series(time[order]), pd.Series(event[order] == 1)
        _, gradient, value = SemiParametricPHFitter()._get_efron_values_single(
            frame, t, e, pd.Series(np.ones(len(h))), None, h)
        yield -value, -gradient


def cox(case, **request):
    x, present = columns(request, ["predictions", "time", "event"], ["time", "event"])
    ties = request.get("params", {}).get("ties", "breslow")
    reduction = request.get("reduction", "mean")
    numbers, time, event = x["predictions"], x["time"], x["event"]
    weight = np.array(request.get("sample_weight", np.ones(present.size)), dtype=float)[present]
    events = (weight * event).sum() if event.any() else 1.0
    assert events > 0
    h = torch.tensor(numbers, requires_grad=True)
    losses = torch.from_numpy(weight) * cox_torch(h, time, event, ties)
    losses.sum().backward()
    exact = [mpf(float(v)) for v in numbers]

    def total(j, v):
        rows = cox_textbook(exact[:j] + [v] + exact[j + 1:], time, event, ties)
        return sum(float(w) * row for w, row in zip(weight, rows))
    with mpmath.workdps(60):
        expected = [float(w) * float(v) for w, v in zip(weight, cox_textbook(exact, time, event, ties))]
        slopes = [float(mpmath.diff(lambda v: total(j, v), exact[j])) for j in range(len(exact))]
    assert np.allclose(losses.detach().numpy(), expected, rtol=1e-12, atol=1e-13), (case, losses, expected)
    assert np.allclose(h.grad.numpy(), slopes, rtol=1e-12, atol=1e-13), (case, h.grad, slopes)

    source = "closed form in torch, gradient by autograd; agrees with mpmath's textbook sums and derivatives"
    if "sample_weight" not in request and event.any() and np.abs(numbers).max() < 100:
        for value, gradient in cox_libraries(numbers, time, event, ties):
            assert np.isclose(losses.sum().item(), value, rtol=1e-11), (case, losses, value)
            assert np.allclose(h.grad.numpy(), gradient, rtol=1e-10, atol=1e-12), (case, h.grad, gradient)
        source += ", statsmodels' PHReg" + (" and lifelines' CoxPHFitter" if ties == "efron" else "")
        source += " (log-likelihood and gradient)"
    share = events if reduction == "mean" else 1.0
    keep("cox_ph", case, source, request, losses.detach(), h.grad / share,
         None if reduction == "none" else losses.sum().item() / share, present)


EFRON = {"params": {"ties": "efron"}}
cox("example", predictions=[0.8, -0.2, 0.5, 0.1, -1.0], time=[5.0, 8.0, 3.0, 12.0, 9.0], event=[1, 0, 1, 1, 0])
for label, n, how in [("mean", 7, {}), ("sum", 5, {"reduction": "sum"}), ("none", 6, {"reduction": "none"}),
                      ("ties-efron-without-ties", 6, EFRON)]:
    cox(label, predictions=normal(f"cox {label} h", n), time=uniform(f"cox {label} t", n, low=1, high=20),
        event=integers(f"cox {label} e", n), **how)
# Three events at 2, two at 4 (one of them with a censored sample of the same time), a censored last one.
TIED = {"predictions": [0.5, -1.25, 0.75, 2.0, 0.25, -0.5, 1.5, 0.0, -0.75],
        "time": [4, 2, 7, 2, 4, 5, 2, 4, 9], "event": [1, 1, 1, 1, 0, 0, 1, 1, 0]}
for label, parameter in [("ties-breslow", {"params": {"ties": "breslow"}}), ("ties-efron", EFRON)]:
    for how in ["mean", "sum", "none"]:
        cox(f"{label}-{how}", **TIED, **parameter, reduction=how)
    cox(f"{label}-sample-weight", **TIED, **parameter, sample_weight=[0.5, 2.0, 0.0, 1.0, 3.0, 0.25, 0.75, 1.5, 1.0])
cox("ties-default", **TIED)
WEIGHTED = {"predictions": [0.25, 1.5, -0.5, 0.75], "time": [3, 1, 4, 2], "event": [1, 1, 0, 1]}
cox("sample-weight", **WEIGHTED, sample_weight=[2.0, 0.5, 4.0, 0.0])
cox("sample-weight-sum", **WEIGHTED, sample_weight=[0.0, 0.5, 4.0, 3.0], reduction="sum")
cox("sample-weight-none", **WEIGHTED, sample_weight=[1.5, 0.0, 4.0, 3.0], reduction="none")
MISSING = {"predictions": [0.5, 2.0, -1.0, 1.25, 0.0, 3.0], "time": [2, None, 3, 2, 5, 4],
           "event": [1, 1, 1, 1, 0, None]}
cox("missing", **MISSING)
cox("missing-none", **MISSING, reduction="none")
cox("missing-efron", **MISSING, **EFRON)
cox("missing-sample-weight", **MISSING, sample_weight=[1.0, 5.0, 0.5, 2.0, 1.0, 7.0])
for how in ["mean", "sum", "none"]:
    cox(f"no-events-{how}", predictions=[0.5, -1.0, 2.0], time=[1, 2, 3], event=[0, 0, 0], reduction=how)
cox("one-sample", predictions=[1.5], time=[2.0], event=[1])
cox("all-tied-breslow", predictions=[0.5, -0.25, 1.0], time=[2, 2, 2], event=[1, 1, 1], reduction="none")
cox("all-tied-efron", predictions=[0.5, -0.25, 1.0], time=[2, 2, 2], event=[1, 1, 1], reduction="none", **EFRON)
EXTREME = {"time": [5, 3, 1, 4, 2, 3], "event": [1, 1, 1, 0, 1, 1]}
for size in [300.0, 1000.0]:
    risks = [size, -size, size, 0.5, -size, size - 0.75]
    for ties in ["breslow", "efron"]:
        cox(f"log-risk-{size:g}-{ties}", predictions=risks, **EXTREME, params={"ties": ties}, reduction="none")
cox("log-risk-shifted", predictions=[900.5, 899.75, 901.0, 900.0], time=[4, 2, 1, 3], event=[0, 1, 1, 1])
cox("log-risk-shifted-below", predictions=[-900.5, -899.75, -901.0, -900.0], time=[4, 2, 1, 3], event=[0, 1, 1, 1])


# ---------------------------------------------------------------- accelerated failure times

def below(z, distribution):
    """The distribution function in mpmath, -inf for a time of zero."""
    if z == -mpmath.inf:
        return mpf(0)
    return {"lognormal": lambda: mpmath.erfc(-z / mpmath.sqrt(2)) / 2,
            "logistic": lambda: 1 / (1 + mpmath.exp(-z)),
            "extreme": lambda: -mpmath.expm1(-mpmath.exp(z))}[distribution]()


def minus_log_above(z, distribution):
    return {"lognormal": lambda: -mpmath.log(mpmath.erfc(z / mpmath.sqrt(2)) / 2),
            "logistic": lambda: mpmath.log1p(mpmath.exp(z)),
            "extreme": lambda: mpmath.exp(z)}[distribution]()


def minus_log_density(z, distribution):
    return {"lognormal": lambda: z * z / 2 + mpmath.log(2 * mpmath.pi) / 2,
            "logistic": lambda: z + 2 * mpmath.log1p(mpmath.exp(-z)),
            "extreme": lambda: mpmath.exp(z) - z}[distribution]()


def aft_exact(p, time, event, upper, distribution, scale):
    z = (mpmath.log(time) - p) / scale if time else -mpmath.inf
    if event:
        return minus_log_density(z, distribution) + mpmath.log(scale) + mpmath.log(time)
    if mpmath.isinf(upper):
        return minus_log_above(z, distribution)
    return -mpmath.log(below((mpmath.log(upper) - p) / scale, distribution) - below(z, distribution))


def aft_torch(p, time, event, upper, distribution, scale):
    """The same in float64: the logarithm of a difference from the tail that is the nearer one."""
    log_below = {"lognormal": torch.special.log_ndtr, "logistic": F.logsigmoid,
                 "extreme": lambda z: torch.log(-torch.expm1(-torch.exp(z)))}[distribution]
    log_above = {"lognormal": lambda z: torch.special.log_ndtr(-z), "logistic": lambda z: F.logsigmoid(-z),
                 "extreme": lambda z: -torch.exp(z)}[distribution]
    z = (np.log(time) - p) / scale if time else None
    if event:
        density = {"lognormal": lambda: z * z / 2 + np.log(2 * np.pi) / 2, "logistic": lambda: z - 2 * F.logsigmoid(z),
                   "extreme": lambda: torch.exp(z) - z}[distribution]
        return density() + np.log(scale) + np.log(time)
    if np.isinf(upper):
        return -log_above(z)
    u = (np.log(upper) - p) / scale
    if z is None:
        return -log_below(u)
    larger, smaller = (log_above(z), log_above(u)) if z > 0 or distribution == "extreme" and z > -1 \
        else (log_below(u), log_below(z))
    return -(larger + torch.log(-torch.expm1(smaller - larger)))


def aft_xgboost(p, time, event, upper, distribution, scale):
    data = xgboost.DMatrix(np.zeros((1, 1)), base_margin=np.array([p]))
    data.set_float_info("label_lower_bound", np.array([time]))
    data.set_float_info("label_upper_bound", np.array([time if event else upper]))
    word = {"lognormal": "normal"}.get(distribution, distribution)
    booster = xgboost.Booster({"objective": "survival:aft", "eval_metric": "aft-nloglik", "base_score": 1.0,
                               "aft_loss_distribution": word, "aft_loss_distribution_scale": scale}, cache=[data])
    return float(booster.eval(data).rsplit(":", 1)[1])


def aft(case, library=True, **request):
    x, present = columns(request, ["predictions", "time", "event", "upper"], ["time"])
    params, reduction = request.get("params", {}), request.get("reduction", "mean")
    distribution, scale = params.get("distribution", "lognormal"), params.get("scale", 1.0)
    x.setdefault("upper", np.full(len(x["time"]), np.inf))
    losses, gradient = [], []
    for p, time, event, upper in zip(*(map(float, x[k]) for k in ["predictions", "time", "event", "upper"])):
        exact = [mpf(time), event, mpf(upper), distribution, mpf(scale)]
        losses.append(aft_exact(mpf(p), *exact))
        gradient.append(mpmath.diff(lambda v: aft_exact(v, *exact), mpf(p)))
        leaf = torch.tensor(p, dtype=torch.float64, requires_grad=True)
        value = aft_torch(leaf, time, event, upper, distribution, scale)
        value.backward()
        assert np.isclose(value.item(), float(losses[-1]), rtol=1e-11, atol=1e-15), (case, value, losses[-1])
        assert np.isclose(leaf.grad.item(), float(gradient[-1]), rtol=1e-9, atol=1e-15), (case, leaf.grad, gradient[-1])
        if library:
            value = aft_xgboost(p, time, event, upper, distribution, scale)
            assert np.isclose(value, float(losses[-1]), rtol=1e-6, atol=1e-7), (case, value, losses[-1])
    weight = [mpf(v) for v in np.array(request.get("sample_weight", np.ones(present.size)), dtype=float)[present]]
    share = sum(weight) if reduction == "mean" else mpf(1)
    losses = [w * v for w, v in zip(weight, losses)]
    source = "mpmath, 450 digits: the formula and its derivative; agrees with torch" \
        + (" and with XGBoost's aft-nloglik" if library else "")
    keep("aft_nll", case, source, request, losses, [w * v / share for w, v in zip(weight, gradient)],
         None if reduction == "none" else sum(losses) / share, present)


aft("example", predictions=[2.1, 1.4, 2.8, 1.9], time=[9.0, 3.5, 20.0, 6.0], event=[1, 1, 0, 1])
for label, n, how in [("mean", 5, {}), ("sum", 4, {"reduction": "sum"}), ("none", 6, {"reduction": "none"}),
                      ("scale-0.5", 5, {"params": {"scale": 0.5}}),
                      ("sample-weight", 4, {"sample_weight": [0.5, 2.0, 0.0, 1.25]})]:
    aft(label, predictions=normal(f"aft {label} p", n), time=uniform(f"aft {label} t", n, low=0.25, high=6),
        event=integers(f"aft {label} e", n), **how)
# An event, right-censored twice, in an interval, left-censored; an event's upper end has no say.
MIXED = {"predictions": [0.5, -0.25, 1.0, 0.75, 1.25, 0.25], "time": [2.0, 0.75, 1.5, 1.25, 0, 3.0],
         "event": [1, 0, 0, 0, 0, 1], "upper": [2.0, "Infinity", "Infinity", 4.5, 2.5, "Infinity"]}
for distribution in ["lognormal", "logistic", "extreme"]:
    def of(**more):
        return {"params": {"distribution": distribution, **more}}
    n = {"lognormal": 5, "logistic": 4, "extreme": 6}[distribution]
    aft(f"distribution-{distribution}", predictions=normal(f"aft {distribution} p", n), **of(scale=1.0),
        time=uniform(f"aft {distribution} t", n, low=0.25, high=6), event=[1, 0, 0, 1, 0, 1][:n])
    aft(f"intervals-{distribution}", **MIXED, **of(), reduction="none")
    aft(f"intervals-{distribution}-scale-2", **MIXED, **of(scale=2.0))
    # With a time of 1 the location is -z: far in the tails, censored and not.
    for z in [10.0, 30.0, -10.0, -30.0]:
        aft(f"tail-{distribution}-{z:g}".replace("--", "-minus-"), library=False, predictions=[-z, -z], time=[1, 1],
            event=[0, 1], **of(), reduction="none")
    # Intervals from 1 to 2 and left of 2, far to the left and to the right.
    for z in [-30.0, -10.0, *([] if distribution == "extreme" else [10.0, 30.0])]:
        aft(f"interval-tail-{distribution}-{z:g}".replace("--", "-minus-"), library=False, predictions=[-z, -z],
            time=[1, 0], event=[0, 0], upper=[2, 2], **of(), reduction="none")
aft("interval-tail-extreme-3", library=False, predictions=[-3.0, -2.0], time=[1, 1], event=[0, 0], upper=[2, 1.25],
    params={"distribution": "extreme"}, reduction="none")
aft("intervals-narrow", predictions=[0.5, -1.0], time=[2.0, 0.5], event=[0, 0], upper=[2.015625, 0.50390625])
aft("intervals-sample-weight", **MIXED, sample_weight=[1.0, 0.0, 2.0, 0.5, 3.0, 1.0])
aft("intervals-sum", **MIXED, reduction="sum")
aft("scale-0.25-censored", library=False, predictions=[-4.0, 3.0], time=[1.5, 0.5], event=[0, 0],
    params={"scale": 0.25}, reduction="none")
aft("missing", predictions=[0.5, 1.0, -0.75, 0.25], time=[1.5, None, 0.5, 2.0], event=[1, 1, 0, 0])
aft("missing-none", predictions=[0.5, 1.0, -0.75, 0.25], time=[None, 3.5, 0.5, None], event=[1, 1, 0, 0],
    reduction="none")
aft("missing-intervals", **{**MIXED, "time": [2.0, 0.75, None, 1.25, 0, 3.0]})

if __name__ == "__main__":
    folder = os.path.abspath(sys.argv[1]) if 1 < len(sys.argv) else ""
    made_by = "tests/golden/make_survival.py, " + versions(torch, mpmath, np, lifelines, statsmodels, xgboost)
    write(os.path.join(folder, "survival.json"), made_by, CASES)
