"""Makes hessian.json: second derivatives, the diagonal in each element of each input that has a gradient.

    pip install -r requirements.txt
    python make_hessian.py

writes the file beside this script. Running it again gives the same bytes. The format is that of make.py; an
answer also has "hessian_diagonal", an object by input as "gradients" is.

torch differentiates its own loss twice; losses that torch lacks have their formula in torch.
"""

import math

import torch
import torch.nn.functional as F

import golden
from golden import decode, encode, normal, signs, uniform, versions, write

CASES = []


def differentiated(leaves, value):
    """The gradient and the diagonal of the second derivatives of a scalar in each leaf."""
    gradients = torch.autograd.grad(value, list(leaves.values()), create_graph=True)
    answer, diagonals = {}, {}
    for (name, leaf), gradient in zip(leaves.items(), gradients):
        rows = []
        for i in range(leaf.numel()):
            row = torch.zeros_like(leaf)
            if gradient.requires_grad:
                row = torch.autograd.grad(gradient.flatten()[i], leaf, retain_graph=True, allow_unused=True)[0]
            rows.append(0.0 if row is None else row.flatten()[i].item())
        answer[name] = encode(gradient)
        diagonals[name] = encode(torch.tensor(rows, dtype=torch.float64).reshape(leaf.shape))
    return answer, diagonals


def add(loss, case, function, source, differentiable=("predictions",), integer=(), **request):
    """`function` takes the inputs and the parameters and gives the unreduced losses."""
    params = {k: decode(v) for k, v in request.get("params", {}).items()}
    for name in {"weight", "pos_weight"} & params.keys():
        params[name] = torch.tensor(params[name], dtype=torch.float64)
    inputs = {k: v for k, v in request.items() if k not in golden.NOT_INPUTS}
    x = {k: torch.tensor(v, dtype=torch.int64 if k in integer else torch.float64) for k, v in inputs.items()}
    leaves = {k: x[k].requires_grad_(True) for k in differentiable}
    losses, denominator = function(*x.values(), **params)
    weight = torch.tensor(request.get("sample_weight", 1.0), dtype=torch.float64)
    weight = weight.reshape(weight.shape + (1,) * (losses.dim() - weight.dim())).expand(losses.shape)
    reduction = request.get("reduction", "mean")
    value = (weight * losses).sum()
    if reduction == "mean":
        value = value / (weight.sum() if denominator is None else denominator)
    gradients, diagonals = differentiated(leaves, value)
    loss_value = encode(losses * weight) if reduction == "none" else value.item()
    CASES.append({"loss": loss, "case": case, "source": source, "request": request,
                  "answer": {"loss": loss_value, "gradients": gradients, "hessian_diagonal": diagonals}})


def torch_function(function):
    return lambda p, t, **params: (function(p, t, reduction="none", **params), None)


def elementwise():
    twice = "torch.nn.functional.%s, differentiated twice by torch"
    p, t = normal("hessian p", 2, 3), normal("hessian t", 2, 3)
    for name in ["mse", "huber", "smooth_l1"]:
        function = getattr(F, name + "_loss")
        add(name, "hessian-mean", torch_function(function), twice % function.__name__, predictions=p, targets=t)
    add("huber", "hessian-delta-0.5-weights", torch_function(F.huber_loss), twice % "huber_loss",
        predictions=p, targets=t, params={"delta": 0.5}, sample_weight=[0.5, 2.0])
    counts = [[0, 3, 1], [2, 0, 5]]
    add("poisson_nll", "hessian-sum", torch_function(F.poisson_nll_loss), twice % "poisson_nll_loss",
        predictions=p, targets=counts, reduction="sum")
    add("poisson_nll", "hessian-rates", torch_function(F.poisson_nll_loss), twice % "poisson_nll_loss",
        predictions=uniform("hessian rates", 2, 3, low=0.5, high=3.0), targets=counts, params={"log_input": False})
    add("gaussian_nll", "hessian-mean", lambda p, v, t: (F.gaussian_nll_loss(p, t, v, reduction="none"), None),
        twice % "gaussian_nll_loss", ("predictions", "var"), predictions=p,
        var=uniform("hessian var", 2, 3, low=0.5, high=2.0), targets=t)
    labels = [[1, 0, 1], [0, 0, 1]]
    q = uniform("hessian q", 2, 3, low=0.125, high=0.875)
    add("binary_cross_entropy", "hessian-none", torch_function(F.binary_cross_entropy), twice % "binary_cross_entropy",
        predictions=q, targets=labels, reduction="none")
    add("binary_cross_entropy_with_logits", "hessian-pos-weight",
        torch_function(F.binary_cross_entropy_with_logits), twice % "binary_cross_entropy_with_logits",
        predictions=p, targets=labels, params={"pos_weight": [2.0, 0.5, 1.0]})
    add("soft_margin", "hessian-mean", torch_function(F.soft_margin_loss), twice % "soft_margin_loss",
        predictions=p, targets=signs("hessian s", 2, 3))
    add("kl_div", "hessian-mean", torch_function(F.kl_div), twice % "kl_div",
        predictions=[[-0.5, -1.5, -2.0]], targets=[[0.5, 0.25, 0.25]])
    add("sigmoid_focal", "hessian-gamma-1.5", torch_function(golden.sigmoid_focal_loss),
        "torchvision.ops.sigmoid_focal_loss, differentiated twice by torch", predictions=p, targets=labels,
        params={"gamma": 1.5})
    formula = "closed form in torch, differentiated twice by torch"
    add("log_cosh", "hessian-mean", lambda p, t: (torch.log(torch.cosh(p - t)), None), formula,
        predictions=p, targets=t)
    add("pseudo_huber", "hessian-delta-2",
        lambda p, t, delta: (delta**2 * ((1 + ((p - t) / delta)**2).sqrt() - 1), None), formula,
        predictions=p, targets=t, params={"delta": 2.0})
    add("crps_gaussian", "hessian-mean", crps_gaussian, formula, ("predictions", "scale"), predictions=p,
        scale=uniform("hessian scale", 2, 3, low=0.5, high=2.0), targets=t)
    add("bradley_terry", "hessian-mean", lambda c, r: (-F.logsigmoid(c - r), None), formula, ("chosen", "rejected"),
        chosen=[0.5, -1.0, 2.0], rejected=[1.0, 0.25, -0.5])


def crps_gaussian(p, scale, t):
    w = (t - p) / scale
    density = torch.exp(-w * w / 2) / math.sqrt(2 * math.pi)
    return scale * (w * torch.erf(w / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi)), None


def classes():
    source = "torch.nn.functional.cross_entropy, differentiated twice by torch"

    def cross_entropy(p, t, class_axis=1, **params):
        p = p.movedim(class_axis, 1)
        losses = F.cross_entropy(p, t, reduction="none", **params)
        if t.dtype != torch.int64:
            return losses, torch.tensor(float(losses.numel()))
        kept = t != params.get("ignore_index", -100)
        weight = params.get("weight", torch.ones(p.shape[1], dtype=torch.float64))
        return losses, torch.where(kept, weight[torch.where(kept, t, 0)], 0).sum()

    p = normal("hessian classes", 3, 4)
    add("cross_entropy", "hessian-mean", cross_entropy, source, integer=("targets",), predictions=p, targets=[3, 0, 1])
    add("cross_entropy", "hessian-weight-smoothing-ignored", cross_entropy, source, integer=("targets",), predictions=p,
        targets=[3, -100, 1], params={"weight": [0.5, 1.0, 2.0, 1.5], "label_smoothing": 0.25})
    shares = golden.distribution("hessian shares", 3, 4)
    add("cross_entropy", "hessian-probabilities", cross_entropy, source, predictions=p, targets=shares)
    add("cross_entropy", "hessian-class-axis-last", cross_entropy, source, integer=("targets",),
        predictions=normal("hessian axis", 2, 2, 3), targets=[[0, 2], [1, 1]], params={"class_axis": -1})
    add("soft_target_cross_entropy", "hessian-sum", cross_entropy, source, predictions=p, targets=shares,
        reduction="sum")


elementwise()
classes()
write("hessian.json", f"tests/golden/make_hessian.py, {versions(torch)}", CASES)
