"""Makes segmentation.json: the overlap losses of masks (dice and its like) and the losses of boxes.

    pip install -r requirements.txt segmentation-models-pytorch==0.6.0 monai==1.6.1
    python make_segmentation.py

writes the file beside this script. Running it again gives the same bytes. The format is that of make.py,
and so are the rules; "source" says where the numbers of a case are from.

Every loss is written down twice: as a formula in torch, whose gradient is autograd's, and once more for
mpmath, one sample at a time, differentiated with 50 digits. The two must agree to 1e-12 of the largest
number, and in float32 the torch formula must keep to 2e-5 of it. Where a library has the loss it must agree
as well. Losses see their inputs as [samples, classes, elements]: one class of everything unless
`per_class`, one sample of everything if `sum_over` is "batch"; a box is the elements of one class.

Conventions: relu'(0) = 0, sign(0) = 0; equal errors keep their order; a class without targets takes the
largest weight (generalized_dice) among the others, or 1; boxes that touch have no intersection and none of
its gradient; equal arms of a minimum or maximum share its gradient.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Callable

import monai
import mpmath
import numpy as np
import segmentation_models_pytorch as smp
import torch
import torchvision
from monai.losses import DiceLoss, GeneralizedDiceLoss, TverskyLoss
from mpmath import mpf
from segmentation_models_pytorch.losses.lovasz import _lovasz_softmax, _lovasz_softmax_flat

from golden import encode, integers, normal, uniform, versions, write

DIGITS = 50
CASES = []


@dataclass
class Loss:
    """`formula` is for tensors of samples, `exact` for one sample in lists of mpmath numbers, with a third
    argument: the predictions that parts which are not to be differentiated are computed from. `libraries`
    holds names, functions like `formula` that return None for what the library lacks, and tolerances."""

    formula: Callable
    exact: Callable
    libraries: list
    source: str = ""  # of `formula`, where that is a library's


# ---------------------------------------------------------------- evaluation

def arranged(x, per_class=False, sum_over="sample"):
    """The view of an input that the functions take."""
    if not per_class:
        x = x.reshape(x.shape[0], 1, -1)
    x = x.reshape(*x.shape[:2], -1)
    return x.movedim(1, 0).reshape(1, x.shape[1], -1) if sum_over == "batch" else x


def by_autograd(function, p, *rest, **params):
    """Losses and the gradient of their sum."""
    p = p.clone().requires_grad_(True)
    losses = function(p, *rest, **params)
    losses.sum().backward()
    return losses.detach(), p.grad


def by_mpmath(exact, p, t, params):
    """Losses and the gradient of their sum, sample by sample."""
    losses, gradients = np.zeros(len(p)), np.zeros(p.shape)
    with mpmath.workdps(DIGITS):
        for i, (at, targets) in enumerate(zip(p.tolist(), t.tolist())):
            at = [[mpf(v) for v in row] for row in at]
            losses[i] = exact(at, targets, at, **params)
            for c, k in np.ndindex(p.shape[1:]):
                def value(v):
                    row = at[c][:k] + [v] + at[c][k + 1:]
                    return exact(at[:c] + [row] + at[c + 1:], targets, at, **params)
                gradients[i, c, k] = mpmath.diff(value, at[c][k])
    return losses, gradients


def agree(a, b, tolerance):
    """Whether numbers agree to `tolerance` of the largest."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    return a.shape == b.shape and np.abs(a - b).max(initial=0) <= tolerance * max(np.abs(b).max(initial=0), 1e-9)


def checked(name, case, p, t, params, kink):
    """Holds the formula against mpmath, the libraries and itself in float32; says what it was held against."""
    loss = LOSSES[name]
    losses, gradient = by_autograd(loss.formula, p, t, **params)
    told = ["mpmath"]
    exact, slopes = by_mpmath(loss.exact, p, t, params)
    assert agree(losses, exact, 1e-12), (name, case, losses, exact)
    assert kink or agree(gradient, slopes, 1e-12), (name, case, gradient, slopes)
    single, slopes = by_autograd(loss.formula, p.float(), t.float(), **params)
    assert agree(single, losses, 2e-5) and agree(slopes, gradient, 2e-5), (name, case, "float32")
    for library, function, tolerance in loss.libraries:
        if function(p, t, **params) is None:
            continue
        got, slopes = by_autograd(function, p, t, **params)
        assert agree(got, losses, tolerance), (name, case, library, got, losses)
        assert kink or agree(slopes, gradient, tolerance), (name, case, library, slopes, gradient)
        told.append(library)
    agreeing = "value agrees" if kink else "value and gradient agree"
    return f"{loss.source or 'closed form in torch'}, gradient by autograd; {agreeing} with {', '.join(told)}"


def add(name, case, predictions, targets, kink=False, **request):
    """A case. `kink`: there are ties or kinks, at which only torch has the gradient of the conventions."""
    params = dict(request.get("params", {}))
    view = {k: params.pop(k) for k in ("per_class", "sum_over") if k in params}
    reduction = request.get("reduction", "mean")
    labels = np.array(targets, dtype=object)
    present = np.array([all(v is not None for v in np.ravel(row)) for row in labels])
    p = torch.tensor(predictions, dtype=torch.float64, requires_grad=True)
    t = torch.tensor(labels[present].tolist(), dtype=torch.float64)
    assert case == "example" or bool((p.float().double() == p).all()), (name, case)
    x = arranged(p[torch.from_numpy(present)], **view), arranged(t, **view)
    told = checked(name, case, x[0].detach(), x[1], params, kink)

    losses = LOSSES[name].formula(*x, **params)
    weight = torch.tensor(request.get("sample_weight", [1.0] * len(present)), dtype=torch.float64)[present]
    if view.get("sum_over") == "batch":
        losses, weight = losses[0], torch.tensor(1.0)
    value = weight * losses
    if reduction != "none":
        value = value.sum() / (weight.sum() if reduction == "mean" else 1)
    value.sum().backward()
    answer = encode(value)
    if reduction == "none" and not present.all():
        answer = [answer.pop(0) if there else None for there in present]
    CASES.append({"loss": name, "case": case, "source": told,
                  "request": {"predictions": predictions, "targets": targets, **request},
                  "answer": {"loss": answer, "gradients": {"predictions": encode(p.grad)}}})


# ---------------------------------------------------------------- overlap losses, in torch

def counts(p, t):
    """True positives, false positives and false negatives of [samples, classes]."""
    return (p * t).sum(-1), (p * (1 - t)).sum(-1), ((1 - p) * t).sum(-1)


def dice(p, t, smooth=1.0, squared_denominator=False, denominator_smooth=None):
    sizes = (p * p + t * t if squared_denominator else p + t).sum(-1)
    below = smooth if denominator_smooth is None else denominator_smooth
    return (1 - (2 * (p * t).sum(-1) + smooth) / (sizes + below)).mean(-1)


def generalized_dice(p, t, smooth=1.0):
    weight = 1 / t.sum(-1) ** 2
    absent = torch.isinf(weight)
    largest = torch.where(absent, 0, weight).amax(-1, keepdim=True)
    weight = torch.where(absent, torch.where(largest > 0, largest, 1), weight)
    above, below = (weight * (p * t).sum(-1)).sum(-1), (weight * (p + t).sum(-1)).sum(-1)
    return 1 - (2 * above + smooth) / (below + smooth)


def jaccard(p, t, smooth=1.0):
    both = (p * t).sum(-1)
    return (1 - (both + smooth) / ((p + t).sum(-1) - both + smooth)).mean(-1)


def focal_tversky(p, t, alpha=0.5, beta=0.5, smooth=1.0, gamma=4 / 3):
    tp, fp, fn = counts(p, t)
    return ((1 - (tp + smooth) / (tp + alpha * fp + beta * fn + smooth)) ** gamma).mean(-1)


def tversky(p, t, **params):
    return focal_tversky(p, t, gamma=1.0, **params)


def lovasz(errors, t, bound):
    """The Lovász extension of the Jaccard loss at `errors`: [samples, classes]."""
    errors, order = errors.sort(dim=-1, descending=True, stable=True)
    t = t.gather(-1, order)
    total = t.sum(-1, keepdim=True)
    jaccard_loss = 1 - (total - t.cumsum(-1)) / (total + (1 - t).cumsum(-1))
    slope = jaccard_loss.diff(dim=-1, prepend=torch.zeros_like(total))
    return (bound(errors) * slope).sum(-1)


def lovasz_hinge(p, t):
    return lovasz(1 - p * (2 * t - 1), t, torch.relu).mean(-1)


def lovasz_softmax(p, t):
    found = lovasz((t - p).abs(), t, lambda e: e)
    if p.shape[1] == 1:
        return found[:, 0]
    present = t.sum(-1) > 0
    return (found * present).sum(-1) / present.sum(-1).clamp(min=1)


def mcc(p, t, eps=1e-5):
    tp, fp, fn = (v + eps for v in counts(p, t))
    tn = ((1 - p) * (1 - t)).sum(-1) + eps
    root = ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)).sqrt()
    return (1 - (tp * tn - fp * fn) / root).mean(-1)


# ---------------------------------------------------------------- overlap losses, for mpmath

def mean_of_classes(one_class):
    return lambda p, t, _, **params: mpmath.fsum(one_class(a, b, **params) for a, b in zip(p, t)) / len(p)


def dot(a, b):
    return mpmath.fsum(x * y for x, y in zip(a, b))


def dice_exact(p, t, smooth=1.0, squared_denominator=False, denominator_smooth=None):
    below = mpf(smooth if denominator_smooth is None else denominator_smooth)
    below += dot(p, p) + dot(t, t) if squared_denominator else mpmath.fsum(p) + sum(t)
    return (below - 2 * dot(p, t) - smooth) / below


def generalized_dice_exact(p, t, _, smooth=1.0):
    finite = [1 / mpf(sum(row)) ** 2 for row in t if sum(row)]
    weight = [1 / mpf(sum(row)) ** 2 if sum(row) else max(finite, default=mpf(1)) for row in t]
    above = mpmath.fsum(w * dot(a, b) for w, a, b in zip(weight, p, t))
    below = mpmath.fsum(w * (mpmath.fsum(a) + sum(b)) for w, a, b in zip(weight, p, t))
    return 1 - (2 * above + smooth) / (below + smooth)


def jaccard_exact(p, t, smooth=1.0):
    union = mpmath.fsum(a + b - a * b for a, b in zip(p, t))
    return (union - dot(p, t)) / (union + smooth)


def tversky_exact(p, t, alpha=0.5, beta=0.5, smooth=1.0, gamma=1.0):
    wrong = mpmath.fsum(alpha * a * (1 - b) + beta * (1 - a) * b for a, b in zip(p, t))
    share = wrong / (wrong + dot(p, t) + smooth)
    return share if gamma == 1 else max(mpf(0), share) ** mpf(gamma)


def lovasz_exact(errors, t, bound):
    """By its definition: what adding the next worst element to the set of errors adds to its Jaccard loss."""
    positives, chosen, before, total = {i for i, v in enumerate(t) if v}, set(), mpf(0), mpf(0)
    for i in sorted(range(len(t)), key=lambda i: -errors[i]):
        chosen.add(i)
        after = 1 - mpf(len(positives - chosen)) / len(positives | chosen)
        total += bound(errors[i]) * (after - before)
        before = after
    return total


def lovasz_hinge_exact(p, t):
    return lovasz_exact([1 - a if b else 1 + a for a, b in zip(p, t)], t, lambda e: max(e, mpf(0)))


def lovasz_softmax_exact(p, t, _):
    found = [lovasz_exact([abs(b - a) for a, b in zip(x, y)], y, lambda e: e)
             for x, y in zip(p, t) if len(p) == 1 or sum(y)]
    return mpmath.fsum(found) / max(len(found), 1)


def mcc_exact(p, t, eps=1e-5):
    tp, positives, targets = dot(p, t) + eps, mpmath.fsum(p) + 2 * mpf(eps), sum(t) + 2 * mpf(eps)
    everything = len(p) + 4 * mpf(eps)
    root = mpmath.sqrt(positives * targets * (everything - positives) * (everything - targets))
    return 1 - (tp * everything - positives * targets) / root


# ---------------------------------------------------------------- overlap losses, the libraries

def smp_each(make, absent=False):
    """A loss of smp for one class of one sample at a time. Most have their own rule for a class that is absent."""
    def losses(p, t, **params):
        call = make(**params)
        if call is None or not absent and (t.sum(-1) == 0).any():
            return None
        return torch.stack([torch.stack([call(a[None, None], b[None, None]) for a, b in zip(x, y)]).mean()
                            for x, y in zip(p, t)])
    return losses


def smp_dice(smooth=1.0, **other):  # its numerator and denominator are half of ours
    return None if other else smp.losses.DiceLoss("binary", from_logits=False, smooth=smooth / 2)


def smp_lovasz_softmax(p, t):
    """In float32. Several classes must be one-hot there."""
    p, t = p.float(), t.float()
    if p.shape[1] == 1:
        return torch.stack([_lovasz_softmax_flat(x.T, 1 - y[0], classes=[0]) for x, y in zip(p, t)])
    if (t.sum(1) != 1).any():
        return None
    return torch.stack([_lovasz_softmax(x[None, :, :, None], y[None].argmax(1)) for x, y in zip(p, t)])


def monai_dice(p, t, smooth=1.0, squared_denominator=False, denominator_smooth=None):
    below = smooth if denominator_smooth is None else denominator_smooth
    return DiceLoss(squared_pred=squared_denominator, smooth_nr=smooth, smooth_dr=below,
                    reduction="none")(p, t).flatten(1).mean(1)


def monai_tversky(p, t, alpha=0.5, beta=0.5, smooth=1.0):
    return TverskyLoss(alpha=alpha, beta=beta, smooth_nr=smooth, smooth_dr=smooth,
                       reduction="none")(p, t).flatten(1).mean(1)


def monai_generalized_dice(p, t, smooth=1.0):
    """Its weights are in float32, and without any targets all of them are 0."""
    if (t.sum((1, 2)) == 0).any():
        return None
    return GeneralizedDiceLoss(smooth_nr=smooth, smooth_dr=smooth, reduction="none")(p, t)[:, 0, 0]


# ---------------------------------------------------------------- boxes

def of_boxes(function):
    """A function of boxes [n, 4] for the view [n, 1, 4]."""
    return lambda p, t, **params: function(p[:, 0], t[:, 0], **params)


def ciou(p, t, eps=1e-7):
    """torchvision's, with the angle of a box of height 0, and with `eps` in all the places that have one."""
    (w, h), (w_target, h_target) = ((b[:, 2:] - b[:, :2]).unbind(-1) for b in (p, t))
    v = 4 / torch.pi ** 2 * (torch.atan2(w_target, h_target) - torch.atan2(w, h)) ** 2
    overlap = (torch.minimum(p[:, 2:], t[:, 2:]) - torch.maximum(p[:, :2], t[:, :2])).clamp(min=0).prod(-1)
    iou = overlap / (w * h + w_target * h_target - overlap + eps)
    alpha = (v / (1 - iou + v + eps)).detach()
    return torchvision.ops.distance_box_iou_loss(p, t, eps=eps) + alpha * v


def torchvision_ciou(p, t, **params):
    flat = (p[:, 1] == p[:, 3]).any() or (t[:, 1] == t[:, 3]).any()
    return None if flat or params else torchvision.ops.complete_box_iou_loss(p, t)


def box_parts(p, t, eps):
    """Intersection over union, union, and the sides of the enclosing box."""
    across, down = (max(mpf(0), min(p[i + 2], t[i + 2]) - max(p[i], t[i])) for i in (0, 1))
    union = (p[2] - p[0]) * (p[3] - p[1]) + (t[2] - t[0]) * (t[3] - t[1]) - across * down
    return across * down / (union + eps), union, [max(p[i + 2], t[i + 2]) - min(p[i], t[i]) for i in (0, 1)]


def giou_exact(p, t, eps=1e-7):
    iou, union, (width, height) = box_parts(p, t, eps)
    return 1 - iou + (width * height - union) / (width * height + eps)


def diou_exact(p, t, eps=1e-7):
    iou, _, (width, height) = box_parts(p, t, eps)
    apart = sum((p[i] + p[i + 2] - t[i] - t[i + 2]) ** 2 for i in (0, 1)) / 4
    return 1 - iou + apart / (width ** 2 + height ** 2 + eps)


def ciou_exact(p, t, at, eps=1e-7):
    (p,), (t,), (at,) = p, t, at

    def v(box):
        return (2 / mpmath.pi * (mpmath.atan2(t[3] - t[1], t[2] - t[0]) -
                                 mpmath.atan2(box[3] - box[1], box[2] - box[0]))) ** 2
    return diou_exact(p, t, eps) + v(at) / (1 - box_parts(at, t, eps)[0] + v(at) + eps) * v(p)


SMP, MONAI, VISION = "segmentation_models_pytorch.losses.", "monai.losses.", "torchvision.ops."
SMP_TVERSKY = partial(smp.losses.TverskyLoss, "binary", from_logits=False, smooth=1.0)
LOSSES = {
    "dice": Loss(dice, mean_of_classes(dice_exact), [
        (SMP + "DiceLoss", smp_each(smp_dice), 1e-9), (MONAI + "DiceLoss", monai_dice, 1e-9)]),
    "generalized_dice": Loss(generalized_dice, generalized_dice_exact, [
        (MONAI + "GeneralizedDiceLoss (weights in float32)", monai_generalized_dice, 1e-5)]),
    "jaccard": Loss(jaccard, mean_of_classes(jaccard_exact), [
        (SMP + "JaccardLoss", smp_each(partial(
            smp.losses.JaccardLoss, "binary", from_logits=False, smooth=1.0)), 1e-9)]),
    "tversky": Loss(tversky, mean_of_classes(tversky_exact), [
        (SMP + "TverskyLoss", smp_each(SMP_TVERSKY), 1e-9), (MONAI + "TverskyLoss", monai_tversky, 1e-9)]),
    "focal_tversky": Loss(focal_tversky, mean_of_classes(partial(tversky_exact, gamma=4 / 3)), [
        (SMP + "TverskyLoss", smp_each(partial(SMP_TVERSKY, gamma=4 / 3)), 1e-9)]),
    "lovasz_hinge": Loss(lovasz_hinge, mean_of_classes(lovasz_hinge_exact), [
        (SMP + "LovaszLoss (float32)", smp_each(
            lambda: lambda a, b: smp.losses.LovaszLoss("binary")(a.float(), b.float()), absent=True), 1e-5)]),
    "lovasz_softmax": Loss(lovasz_softmax, lovasz_softmax_exact, [
        (SMP + "lovasz._lovasz_softmax (float32)", smp_lovasz_softmax, 1e-5)]),
    "mcc": Loss(mcc, mean_of_classes(mcc_exact), [
        (SMP + "MCCLoss", smp_each(smp.losses.MCCLoss, absent=True), 1e-9)]),
    "giou": Loss(of_boxes(torchvision.ops.generalized_box_iou_loss), mean_of_classes(giou_exact), [],
                 VISION + "generalized_box_iou_loss"),
    "diou": Loss(of_boxes(torchvision.ops.distance_box_iou_loss), mean_of_classes(diou_exact), [],
                 VISION + "distance_box_iou_loss"),
    "ciou": Loss(of_boxes(ciou), ciou_exact, [
        (VISION + "complete_box_iou_loss", of_boxes(torchvision_ciou), 1e-12)]),
}


# ---------------------------------------------------------------- cases

def one_hot(name, n, c, *rest):
    """Targets with exactly one class at each place, and a place for each class."""
    classes = np.argsort(normal(name, n, math.prod(rest)), -1).reshape(n, *rest) % c
    return np.moveaxis(np.eye(c, dtype=int)[classes], -1, 1).tolist()


def usual(loss, *moved):
    """The cases that every overlap loss has, and one for each of the parameters in `moved`."""
    draw = partial(uniform, low=1 / 64, high=63 / 64, step=1 / 1024)
    first = [[0.9, 0.75, 0.3, 0.05], [0.2, 0.6, 0.85, 0.35]]
    if loss == "lovasz_hinge":
        draw, first = partial(normal, scale=1.5, step=1 / 1024), [[2.2, 1.1, -0.8, -2.9], [-1.4, 0.4, 1.7, -0.6]]

    def both(case, *shape, hot=False):
        targets = one_hot(case + "t", *shape) if hot else integers(case + "t", *shape)
        return {"predictions": draw(loss + case + "p", *shape), "targets": targets}

    add(loss, "example", predictions=first, targets=[[1, 1, 0, 0], [0, 1, 1, 0]])
    add(loss, "mean", **both("mean", 3, 5))
    add(loss, "sum", **both("sum", 2, 3, 2), reduction="sum")
    add(loss, "none", **both("none", 4, 2, 3), reduction="none")
    add(loss, "per-class", **both("class", 2, 3, 2, 2, hot=True), params={"per_class": True})
    add(loss, "per-class-none", **both("classes", 3, 2, 4, hot=True), params={"per_class": True}, reduction="none")
    add(loss, "sum-over-batch", **both("batch", 3, 2, 3), params={"sum_over": "batch"})
    add(loss, "sum-over-batch-per-class", **both("batches", 2, 3, 4, hot=True),
        params={"sum_over": "batch", "per_class": True}, reduction="none")
    add(loss, "sample-weight", **both("sample", 4, 3), sample_weight=[1.0, 0.0, 2.5, 0.5])
    missing = both("no label", 4, 3)
    missing["targets"][2][1] = None
    add(loss, "missing", **missing)
    for name, value in moved:
        case = name.replace("_", "-") + (f"-{value}" if value is not True else "")
        add(loss, case, **both(case, 3, 2, 3), params={name: value})


NOTHING = [[0.0, 0.0, 0.0], [0.25, 0.75, 0.5]], [[0, 0, 0], [0, 0, 0]]
PERFECT = [[1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 0.0]], [[1, 0, 1, 0], [0, 0, 1, 0]]
usual("dice", ("smooth", 0.25), ("squared_denominator", True), ("denominator_smooth", 0.5))
add("dice", "missing-none", [[0.5, 0.25], [0.75, 0.125], [0.375, 0.875]], [[0, 1], [None, 1], [1, 1]],
    reduction="none")
usual("generalized_dice", ("smooth", 0.25))
usual("jaccard", ("smooth", 0.25))
usual("tversky", ("alpha", 0.3), ("beta", 0.75), ("smooth", 0.25))
usual("focal_tversky", ("alpha", 0.3), ("beta", 0.75), ("smooth", 0.25), ("gamma", 2.0))
for name in ("dice", "generalized_dice", "jaccard", "tversky", "focal_tversky"):
    # At a perfect overlap the slope of a power is 0, and mpmath cannot step to the other side of it.
    add(name, "nothing-to-find", *NOTHING, kink=name == "focal_tversky", reduction="none")
    if name != "focal_tversky":
        add(name, "vectors", [0.25, 0.75, 0.5, 0.0, 1.0], [0, 1, 0, 1, 1], reduction="none")
        add(name, "per-class-without-elements", [[0.25, 0.75, 0.5], [0.125, 1.0, 0.375]], [[0, 1, 0], [1, 1, 0]],
            params={"per_class": True}, reduction="none")
add("focal_tversky", "perfect", *PERFECT, kink=True)
absent = {"predictions": uniform("absent", 2, 3, 4), "targets": one_hot("absent", 2, 2, 4)}
absent["targets"] = [[row[0], [0] * 4, row[1]] for row in absent["targets"]]
add("generalized_dice", "absent-class", **absent, params={"per_class": True}, reduction="none")
add("generalized_dice", "absent-class-batch", **absent, params={"per_class": True, "sum_over": "batch"})
add("generalized_dice", "no-class-present", absent["predictions"], [[[0] * 4] * 3, absent["targets"][1]],
    params={"per_class": True}, reduction="none")
usual("lovasz_hinge")
add("lovasz_hinge", "ties-and-kinks", [[1.0, -1.0, 0.0, 0.0], [0.5, 0.5, -0.5, -0.5]], [[1, 0, 1, 0], [1, 0, 1, 0]],
    kink=True, reduction="none")
add("lovasz_hinge", "nothing-to-find", [[0.5, -0.25, 1.5], [-3.0, -2.0, -4.0]], [[0, 0, 0], [0, 0, 0]])
usual("lovasz_softmax")
add("lovasz_softmax", "ties-and-kinks", [[0.5, 0.5, 0.5, 0.5], [1.0, 0.0, 0.25, 0.75]], [[0, 1, 1, 0], [1, 0, 0, 1]],
    kink=True, reduction="none")
add("lovasz_softmax", "absent-class", **absent, params={"per_class": True}, reduction="none")
add("lovasz_softmax", "no-class-present", absent["predictions"], [[[0] * 4] * 3, absent["targets"][1]],
    params={"per_class": True}, reduction="none")
usual("mcc", ("eps", 0.125))
add("mcc", "perfect", *PERFECT, params={"eps": 0.125})
add("mcc", "nothing-to-find", *NOTHING, reduction="none")
add("mcc", "vectors", [0.25, 0.75, 0.5], [0, 1, 1], reduction="none", params={"eps": 0.5})

PARTLY = [[2.5, 1.25, 6.0, 5.5], [0.5, 3.0, 4.25, 4.5]], [[1.0, 2.0, 5.0, 7.5], [2.25, 2.5, 5.5, 5.0]]
APART = [[0.0, 0.5, 2.0, 1.5], [5.0, 4.0, 7.5, 9.0]], [[3.0, 4.0, 6.0, 5.5], [1.5, 4.5, 3.25, 8.0]]
NESTED = [[2.0, 2.5, 3.5, 4.0], [0.5, 0.25, 8.0, 9.0]], [[1.0, 1.5, 6.0, 8.0], [2.0, 3.0, 5.5, 4.0]]
SAME = [[1.5, 2.0, 4.0, 7.0], [0.0, 0.0, 2.0, 1.0]], [[1.5, 2.0, 4.0, 7.0], [0.0, 0.0, 2.0, 1.5]]
TOUCHING = [[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 4.0]], [[2.0, 0.0, 4.0, 2.0], [3.0, 4.0, 4.5, 6.0]]
FLAT = [[1.0, 1.0, 3.5, 1.0], [2.0, 3.0, 4.0, 3.0], [0.0, 0.0, 2.0, 1.0]], \
    [[4.0, 2.0, 6.0, 5.0], [1.0, 1.5, 5.0, 4.5], [3.0, 2.0, 6.5, 2.0]]


def boxes(name, n):
    corner, sides = np.array(uniform(name + "c", n, 2, high=4)), np.array(uniform(name + "s", n, 2, low=1, high=5))
    return encode(np.concatenate([corner, corner + sides], -1))


for name in ("giou", "diou", "ciou"):
    add(name, "example", [[48, 40, 130, 162], [210, 95, 318, 240], [12, 300, 96, 372]],
        [[52, 44, 140, 170], [200, 100, 310, 236], [150, 310, 230, 380]])
    for case, n, more in [("mean", 5, {}), ("sum", 3, {"reduction": "sum"}), ("none", 6, {"reduction": "none"}),
                          ("eps-0.5", 3, {"params": {"eps": 0.5}}), ("missing", 3, {}),
                          ("missing-none", 4, {"reduction": "none"}),
                          ("sample-weight", 4, {"sample_weight": [1.0, 0.0, 2.5, 0.5]})]:
        p, t = boxes(name + case + "p", n), boxes(name + case + "t", n)
        if "missing" in case:
            t[1][3] = None
        add(name, case, p, t, **more)
    for case, (p, t) in {"partly-overlapping": PARTLY, "disjoint": APART, "nested": NESTED, "identical": SAME,
                         "touching": TOUCHING, "zero-height": FLAT}.items():
        add(name, case, p, t, kink=case in ("touching", "zero-height"), reduction="none")

if __name__ == "__main__":
    write("segmentation.json", versions(torch, torchvision, smp, monai, mpmath), CASES)
