"""Makes torch_table.json: losses of PyTorch's own test table, as requests with their answers.

    pip install -r requirements.txt
    python torch_table.py

The samples are those of torch.testing._internal.common_methods_invocations.op_db (seed 0, float64).
Left out are samples that a request cannot express (broadcasting between predictions and targets, a
class loss on a scalar) and, for size, all but a dozen a loss, chosen so that every parameter value,
reduction and shape is there. Values are rounded to 1/64 (probabilities and log-probabilities to
1/256), weights made positive, and of ctc's batch of 16 one sequence is taken at a time, shortened; the
answers are those of torch to the rounded values. A target outside the loss's domain comes with
"validate": false. The format is that of make.py. Running it again gives the same bytes.
"""

import torch
from torch.testing._internal.common_methods_invocations import op_db

from golden import LOSSES, encode, torch_case, versions, write

AT_MOST = 12
FRAMES, LABELS = 12, 5  # what is kept of a sequence of ctc: 50 frames and 30 labels are too many for a file
NAMES = {LOSSES[name][1]: name for name in LOSSES}
POSITIONS = {
    "gaussian_nll": ["predictions", "targets", "var"],
    "triplet_margin": ["anchor", "positive", "negative"],
    "triplet_margin_with_distance": ["anchor", "positive", "negative"],
    "cosine_embedding": ["input1", "input2", "targets"],
    "margin_ranking": ["input1", "input2", "targets"],
    "ctc": ["predictions", "targets", "input_lengths", "target_lengths"],
}
FINER = {"binary_cross_entropy", "kl_div", "nll", "ctc"}
SIGNS = {"soft_margin", "hinge_embedding", "cosine_embedding", "margin_ranking"}
UNIT = {"binary_cross_entropy", "binary_cross_entropy_with_logits"}


def rounded(value, step):
    if not isinstance(value, torch.Tensor):
        return value
    return torch.round(value / step) * step if value.is_floating_point() else value


def in_domain(name, targets, params):
    if not targets.is_floating_point():
        return True
    if name in SIGNS:
        return bool((targets.abs() == 1).all())
    if name in UNIT or (name == "kl_div" and not params.get("log_target")):
        return bool(((targets >= 0) & (targets <= 1)).all())
    if name == "kl_div":
        return bool((targets <= 0).all())
    if name == "multilabel_soft_margin":
        return bool(((targets == 0) | (targets == 1)).all())
    if name == "cross_entropy":
        return bool((targets >= 0).all() and torch.allclose(targets.sum(1), torch.ones(()).double()))
    if name == "poisson_nll":
        return bool((targets >= 0).all() and (targets == targets.round()).all())
    return True


def request_of(name, sample):
    """The request that expresses a sample, or None."""
    step = 1 / 256 if name in FINER else 1 / 64
    names = POSITIONS.get(name, ["predictions", "targets"])
    inputs = {k: rounded(v, step) for k, v in zip(names, [sample.input, *sample.args])}
    kwargs = dict(sample.kwargs)
    first, targets = inputs[names[0]], inputs.get("targets")

    if name in ("multi_margin", "multilabel_margin"):
        if first.dim() == 0:
            return None
        if first.dim() == 1 and name == "multi_margin":
            inputs["targets"] = targets.reshape(())
    elif name == "ctc":
        if not isinstance(inputs["input_lengths"], torch.Tensor):
            return None  # the same sample again, its lengths as a list
        which = {"none": 2, "mean": 0, "sum": 4}[kwargs.get("reduction", "mean")]
        one = slice(which, which + 1)
        inputs["predictions"] = first[:FRAMES, one]
        inputs["targets"] = targets[one, :LABELS]
        inputs["input_lengths"] = inputs["input_lengths"][one].clamp(max=FRAMES)
        inputs["target_lengths"] = inputs["target_lengths"][one].clamp(max=LABELS)
    elif name not in ("cross_entropy", "nll", "cosine_embedding") and targets is not None:
        if targets.shape != first.shape:
            return None

    reduction = kwargs.pop("reduction", None)
    if kwargs.pop("distance_function", None) is not None:
        assert isinstance(sample.kwargs["distance_function"], torch.nn.PairwiseDistance)
        kwargs["distance"] = "euclidean"
    params = {}
    for k, v in kwargs.items():
        if isinstance(v, torch.Tensor):
            v = encode(rounded(v, step).abs())
        if v is not None:
            params[k] = v
    request = {k: encode(v) if isinstance(v, torch.Tensor) else list(v) for k, v in inputs.items()}
    if params:
        request["params"] = params
    if reduction:
        request["reduction"] = reduction
    if targets is not None and not in_domain(name, targets, params):
        request["validate"] = False
    return request


def features(sample, request):
    """What makes a sample different from others: each of its parameters with the reduction, its shape."""
    reduction = request.get("reduction")
    shapes = tuple(tuple(v.shape) for v in [sample.input, *sample.args] if isinstance(v, torch.Tensor))
    params = {(k, str(v)) for k, v in request.get("params", {}).items()}
    return params | {("shapes", shapes), ("reduction", reduction)} | {("both", reduction, p) for p in params} \
        | {("all", tuple(sorted(params)))} | {("rank and reduction", sample.input.dim(), reduction)}


def choose(candidates):
    """At most a dozen, each in turn the one that adds most that is new; the smaller one of equals."""
    chosen, seen = [], set()
    while candidates and len(chosen) < AT_MOST:
        best = max(candidates, key=lambda c: (len(c[2] - seen), -c[3], -c[0]))
        if not best[2] - seen:
            break
        seen |= best[2]
        chosen.append(best)
        candidates = [c for c in candidates if c is not best]
    return sorted(chosen, key=lambda c: c[0])


def main():
    cases = []
    for op in sorted(op_db, key=lambda op: (op.name, op.variant_test_name)):
        name = NAMES.get("torch." + op.name)
        if name is None or op.variant_test_name:
            continue
        torch.manual_seed(0)
        candidates = []
        for i, sample in enumerate(op.sample_inputs("cpu", torch.float64, requires_grad=False)):
            request = request_of(name, sample)
            if request is not None:
                candidates.append((i, request, features(sample, request), sample.input.numel()))
        for i, request, _, _ in choose(candidates):
            case = torch_case(name, f"sample-{i}", request)
            case["source"] += f", sample {i} of op_db"
            cases.append(case)
    write("torch_table.json", "tests/golden/torch_table.py, " + versions(torch), cases)


if __name__ == "__main__":
    main()
