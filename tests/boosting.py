"""Compares trees that are grown with lossd's derivatives with those of built-in objectives.

    python boosting.py 127.0.0.1:8080

XGBoost and LightGBM ask a custom objective for the gradient and the diagonal of the second derivatives of
the summed loss at the current scores; here both come from the server. Both sides start at a score of 0, so
the derivatives at exactly 0 count too. Splits must be identical: feature, threshold and children.

Leaf values: LightGBM computes derivatives in double precision and stores them in single, ours likewise.
XGBoost computes them in single precision from single-precision scores, so each has an error of some 1e-7 of
its size, and subtracting nearly equal terms (as p - y) and adding over the rounds leave several times that.
TOLERANCE is a share of the largest leaf of the same tree, since a small leaf is a difference of large sums.
That each comparison can fail is part of the test: see TOO_LARGE.

Left out, because the built-in is no second derivative and no fixed factor of one: the objectives that replace
it by a constant (absolute error, quantile, hinge, LightGBM's huber), and reg:squaredlogerror, which has a floor.
"""

import json
import math
import sys
import urllib.error
import urllib.request

import lightgbm
import numpy as np
import xgboost

ADDRESS = sys.argv[1]
ROUNDS = 12
CLASSES = 3
TOLERANCE = {"xgboost": 1e-5, "lightgbm": 1e-6}
TOO_LARGE = 1.5  # with second derivatives that are so many times too large, no objective may still agree
AT_LEAST = 12    # objectives

rng = np.random.default_rng(7)
X = rng.normal(size=(500, 5))
SCORE = X[:, 0] - 0.5 * X[:, 1] ** 2 + np.sin(2 * X[:, 2]) + 0.3 * rng.normal(size=len(X))
TARGETS = {
    "numbers": SCORE,
    "labels": (SCORE > 0).astype(float),
    "shares": 1 / (1 + np.exp(-SCORE)),
    "counts": rng.poisson(np.exp(0.4 * SCORE)).astype(float),
    "amounts": rng.gamma(2.0, np.exp(0.3 * SCORE)) + 0.01,
    "classes": np.digitize(SCORE, [-0.7, 0.5]),
}

# library, objective, its options, options that both sides get, loss, its parameters, targets, and the factor
# by which the built-in's second derivatives exceed the exact ones, as the library documents it.
STEP = {"max_delta_step": 0.7}
SOFTMAX = {"num_class": CLASSES}
CASES = [
    ("xgboost", "reg:squarederror", {}, {}, "half_mse", {}, "numbers", 1),
    ("xgboost", "reg:pseudohubererror", {"huber_slope": 1.5}, {}, "pseudo_huber", {"delta": 1.5}, "numbers", 1),
    ("xgboost", "binary:logistic", {"base_score": 0.5}, {}, "binary_cross_entropy_with_logits", {}, "labels", 1),
    ("xgboost", "count:poisson", {"base_score": 1.0}, STEP, "poisson_nll", {}, "counts", math.exp(0.7)),
    ("xgboost", "reg:gamma", {"base_score": 1.0}, {}, "gamma_nll", {"log_link": True}, "amounts", 1),
    ("xgboost", "reg:tweedie", {"base_score": 1.0, "tweedie_variance_power": 1.4}, {}, "tweedie_nll",
     {"power": 1.4}, "counts", 1),
    ("xgboost", "multi:softprob", {}, SOFTMAX, "cross_entropy", {}, "classes", 2),
    ("lightgbm", "regression", {}, {}, "half_mse", {}, "numbers", 1),
    ("lightgbm", "fair", {"fair_c": 1.5}, {}, "fair", {"c": 1.5}, "numbers", 1),
    ("lightgbm", "binary", {}, {}, "binary_cross_entropy_with_logits", {}, "labels", 1),
    ("lightgbm", "cross_entropy", {}, {}, "binary_cross_entropy_with_logits", {}, "shares", 1),
    ("lightgbm", "cross_entropy_lambda", {}, {}, "cross_entropy_lambda", {}, "shares", 1),
    ("lightgbm", "poisson", {"poisson_max_delta_step": 0.7}, {}, "poisson_nll", {}, "counts", math.exp(0.7)),
    ("lightgbm", "gamma", {}, {}, "gamma_nll", {"log_link": True}, "amounts", 1),
    ("lightgbm", "tweedie", {"tweedie_variance_power": 1.4}, {}, "tweedie_nll", {"power": 1.4}, "counts", 1),
    ("lightgbm", "multiclass", {}, SOFTMAX, "cross_entropy", {}, "classes", CLASSES / (CLASSES - 1)),
]

# The address is this machine's, whatever proxy the environment names.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def derivatives(loss, params, scores, targets):
    """The gradient and the diagonal of the second derivatives of the summed loss."""
    body = {
        "predictions": scores.tolist(), "targets": targets.tolist(), "params": params, "reduction": "sum",
        "dtype": "float64", "outputs": ["gradients", "hessian_diagonal"],
    }
    request = urllib.request.Request(
        f"http://{ADDRESS}/loss/{loss}", json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        with OPENER.open(request, timeout=20) as answer:
            answer = json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"FAIL: POST /loss/{loss} answered {error.code}: {error.read().decode()}")
    found = [np.array(answer[part]["predictions"], dtype=float) for part in ("gradients", "hessian_diagonal")]
    for one in found:
        if one.shape != scores.shape or not np.isfinite(one).all():
            sys.exit(f"FAIL: POST /loss/{loss} answered no finite numbers of shape {scores.shape}")
    return found


def custom(loss, params, targets, factor):
    """A custom objective, for one score or a row of scores for each sample."""
    def objective(scores, _):
        gradient, second = derivatives(loss, params, scores.astype(float), targets)
        return gradient, second * factor
    return objective


def grow_xgboost(options, targets, objective):
    """The trees as nested tuples: (value,) of a leaf, or (feature, threshold, left, right)."""
    options = {"max_depth": 3, "eta": 0.3, "base_score": 0.0, "tree_method": "exact", "nthread": 1,
               "min_child_weight": 0.0, "disable_default_eval_metric": True, **options}
    if callable(objective):
        booster = xgboost.train(options, xgboost.DMatrix(X, targets), ROUNDS, obj=objective)
    else:
        booster = xgboost.train({**options, "objective": objective}, xgboost.DMatrix(X, targets), ROUNDS)

    def tree(node):
        if "leaf" in node:
            return (node["leaf"],)
        children = {child["nodeid"]: tree(child) for child in node["children"]}
        return (node["split"], node["split_condition"], children[node["yes"]], children[node["no"]])
    return [tree(json.loads(one)) for one in booster.get_dump(dump_format="json")]


def grow_lightgbm(options, targets, objective):
    options = {"num_leaves": 6, "learning_rate": 0.3, "boost_from_average": False, "num_threads": 1,
               "deterministic": True, "force_row_wise": True, "verbose": -1, "min_sum_hessian_in_leaf": 1e-9,
               "objective": objective, **options}
    booster = lightgbm.train(options, lightgbm.Dataset(X, targets), ROUNDS)

    def tree(node):
        if "leaf_value" in node:
            return (node["leaf_value"],)
        return (node["split_feature"], node["threshold"], tree(node["left_child"]), tree(node["right_child"]))
    return [tree(one["tree_structure"]) for one in booster.dump_model()["tree_info"]]


GROW = {"xgboost": grow_xgboost, "lightgbm": grow_lightgbm}


def leaves(tree):
    return [tree[0]] if len(tree) == 1 else leaves(tree[2]) + leaves(tree[3])


def shape(tree):
    return "leaf" if len(tree) == 1 else (tree[0], tree[1], shape(tree[2]), shape(tree[3]))


def compare(built_in, ours, tolerance):
    """The largest deviation of a leaf, and what is wrong or None."""
    worst = 0.0
    if len(built_in) != len(ours):
        return worst, f"{len(ours)} trees and not {len(built_in)}"
    for at, (expected, got) in enumerate(zip(built_in, ours)):
        if shape(expected) != shape(got):
            return worst, f"tree {at} is split as {shape(got)} and not as {shape(expected)}"
        expected, got = np.array(leaves(expected)), np.array(leaves(got))
        worst = max(worst, float(np.abs(got - expected).max() / np.abs(expected).max()))
        if worst > tolerance:
            return worst, f"tree {at} has leaves {got.tolist()} and not {expected.tolist()}"
    return worst, None


def main():
    failures = agreed = 0
    for library, objective, only, both, loss, params, kind, factor in CASES:
        grow, targets, what = GROW[library], TARGETS[kind], f"{library} {objective} ({loss})"
        built_in = grow({**both, **only}, targets, objective)
        trees = ROUNDS * both.get("num_class", 1)
        worst, wrong = compare(built_in, grow(both, targets, custom(loss, params, targets, factor)), TOLERANCE[library])
        if wrong is None and (len(built_in) != trees or min(len(leaves(tree)) for tree in built_in) < 3):
            wrong = f"expected {trees} trees of 3 leaves or more, or the comparison says little"
        if wrong is None:
            spoilt = grow(both, targets, custom(loss, params, targets, factor * TOO_LARGE))
            if compare(built_in, spoilt, TOLERANCE[library])[1] is None:
                wrong = f"second derivatives {TOO_LARGE} times too large go unnoticed"
        if wrong is None:
            agreed += 1
            print(f"{what}: {trees} trees agree, leaves to {worst:.0e}")
        else:
            failures += 1
            print(f"FAIL: {what}: {wrong}")
    if failures or agreed < AT_LEAST:
        sys.exit(f"FAIL: {agreed} objectives agree, {failures} do not; all must, and {AT_LEAST} at least")
    print(f"boosting: OK, {agreed} objectives")


main()
