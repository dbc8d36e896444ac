"""Compares trees that are grown with lossd's derivatives with those of built-in objectives.

    python boosting.py http://127.0.0.1:8080

XGBoost and LightGBM ask a custom objective for the gradient and the diagonal of the second derivatives of
the summed loss at the current scores. Here both come from the server. A built-in objective that departs from
the second derivative on purpose does so by a factor that its documents name; the case below states it.

Both libraries keep derivatives in single precision, and a built-in computes them there, so leaf values are
compared to a few parts in a million; splits must be the same.
"""

import json
import sys
import urllib.request

import lightgbm
import numpy as np
import xgboost

ADDRESS = sys.argv[1]
ROUNDS = 12
CLASSES = 3

rng = np.random.default_rng(7)
X = rng.normal(size=(600, 5))
SCORE = X[:, 0] - 0.5 * X[:, 1] ** 2 + np.sin(2 * X[:, 2]) + 0.3 * rng.normal(size=600)
TARGETS = {
    "numbers": SCORE,
    "labels": (SCORE > 0).astype(float),
    "counts": rng.poisson(np.exp(0.4 * SCORE)).astype(float),
    "amounts": rng.gamma(2.0, np.exp(0.3 * SCORE)) + 0.01,
    "classes": np.digitize(SCORE, [-0.7, 0.5]).astype(float),
}


def derivatives(loss, scores, targets, params):
    """The gradient and the second derivatives of the summed loss."""
    body = {
        "predictions": scores.tolist(), "targets": targets.tolist(), "params": params, "reduction": "sum",
        "dtype": "float64", "outputs": ["gradients", "hessian_diagonal"],
    }
    request = urllib.request.Request(
        f"{ADDRESS}/loss/{loss}", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        answer = json.load(answer)
    return [np.array(answer[part]["predictions"]) for part in ["gradients", "hessian_diagonal"]]


def xgboost_trees(options, targets, objective=None):
    data = xgboost.DMatrix(X, targets)
    options = {"max_depth": 3, "eta": 0.3, "base_score": 0.0, "tree_method": "exact", "nthread": 1,
               "min_child_weight": 0.0, "seed": 1, **options}
    booster = xgboost.train(options, data, ROUNDS, obj=objective)
    table = []
    for tree in booster.get_dump(dump_format="json"):
        walk(json.loads(tree), table, "split", "split_condition", "leaf", "children")
    return table


def lightgbm_trees(options, targets):
    options = {"num_leaves": 6, "learning_rate": 0.3, "boost_from_average": False,
               "num_threads": 1, "deterministic": True, "force_row_wise": True, "verbose": -1,
               "min_sum_hessian_in_leaf": 1e-9, "seed": 1, **options}
    booster = lightgbm.train(options, lightgbm.Dataset(X, targets, free_raw_data=False), ROUNDS)
    table = []
    for tree in booster.dump_model()["tree_info"]:
        walk(tree["tree_structure"], table, "split_feature", "threshold", "leaf_value",
             ["left_child", "right_child"])
    return table


def walk(node, table, feature, threshold, leaf, children):
    """The splits and leaves of a tree, from the root on."""
    if leaf in node:
        table.append(("leaf", node[leaf]))
        return
    table.append((node[feature], node[threshold]))
    for child in node[children] if isinstance(children, str) else [node[name] for name in children]:
        walk(child, table, feature, threshold, leaf, children)


def compare(what, built_in, ours):
    assert len(built_in) == len(ours), f"{what}: {len(ours)} nodes and not {len(built_in)}"
    for at, (expected, got) in enumerate(zip(built_in, ours)):
        same = expected[0] == got[0] and np.isclose(expected[1], got[1], rtol=1e-4, atol=2e-6)
        assert same, f"{what}: node {at} is {got} and not {expected}"
    leaves = sum(name == "leaf" for name, _ in ours)
    assert leaves > 2 * ROUNDS, f"{what}: the trees have not grown"
    print(f"{what}: {leaves} leaves agree")


# What of the library, what of ours, the targets, our parameters, and the factor on second derivatives.
XGBOOST = [
    ({"objective": "reg:squarederror"}, "half_mse", "numbers", {}, 1.0),
    ({"objective": "reg:pseudohubererror"}, "pseudo_huber", "numbers", {}, 1.0),
    ({"objective": "binary:logistic"}, "binary_cross_entropy_with_logits", "labels", {}, 1.0),
    # max_delta_step stands in an exponential factor on the second derivative.
    ({"objective": "count:poisson", "max_delta_step": 0.7}, "poisson_nll", "counts", {}, np.exp(0.7)),
    ({"objective": "reg:tweedie", "tweedie_variance_power": 1.4}, "tweedie_nll", "counts", {"power": 1.4}, 1.0),
    ({"objective": "reg:gamma"}, "gamma_nll", "amounts", {"log_link": True}, 1.0),
]
# A score of 0 in the units of the objective: the same start for both.
START = {"binary:logistic": 0.5, "count:poisson": 1.0, "reg:tweedie": 1.0, "reg:gamma": 1.0}
LIGHTGBM = [
    ({"objective": "regression"}, "half_mse", "numbers", {}, 1.0),
    ({"objective": "fair", "fair_c": 1.5}, "fair", "numbers", {"c": 1.5}, 1.0),
    ({"objective": "binary"}, "binary_cross_entropy_with_logits", "labels", {}, 1.0),
    ({"objective": "cross_entropy"}, "binary_cross_entropy_with_logits", "labels", {}, 1.0),
    # poisson_max_delta_step stands in an exponential factor on the second derivative.
    ({"objective": "poisson", "poisson_max_delta_step": 0.7}, "poisson_nll", "counts", {}, np.exp(0.7)),
    ({"objective": "tweedie", "tweedie_variance_power": 1.4}, "tweedie_nll", "counts", {"power": 1.4}, 1.0),
    ({"objective": "gamma"}, "gamma_nll", "amounts", {"log_link": True}, 1.0),
]


def ours(loss, params, factor, targets):
    """A custom objective, of one score or of a row of them for each sample."""
    def objective(scores, data):
        gradient, hessian = derivatives(loss, scores.astype(float), targets, params)
        return gradient, hessian * factor
    return objective


def main():
    for options, loss, kind, params, factor in XGBOOST:
        targets = TARGETS[kind]
        name = options["objective"]
        built_in = xgboost_trees({**options, "base_score": START.get(name, 0.0)}, targets)
        # A step that is bounded is so whatever the objective.
        rest = {k: v for k, v in options.items() if k == "max_delta_step"}
        compare(f"xgboost {name}", built_in, xgboost_trees(rest, targets, ours(loss, params, factor, targets)))
    for options, loss, kind, params, factor in LIGHTGBM:
        targets = TARGETS[kind]
        compare(f"lightgbm {options['objective']}", lightgbm_trees(options, targets),
                lightgbm_trees({"objective": ours(loss, params, factor, targets)}, targets))
    several_classes()


def several_classes():
    """Softmax: the libraries enlarge the diagonal, XGBoost by 2 and LightGBM by K / (K - 1)."""
    targets, share = TARGETS["classes"], {"num_class": CLASSES, "base_score": 0.5}
    custom = ours("cross_entropy", {}, 2.0, targets.astype(int))
    compare("xgboost multi:softprob", xgboost_trees({**share, "objective": "multi:softprob"}, targets),
            xgboost_trees({**share, "disable_default_eval_metric": True}, targets, custom))
    custom = ours("cross_entropy", {}, CLASSES / (CLASSES - 1), targets.astype(int))
    compare("lightgbm multiclass", lightgbm_trees({"objective": "multiclass", "num_class": CLASSES}, targets),
            lightgbm_trees({"objective": custom, "num_class": CLASSES}, targets))


if __name__ == "__main__":
    main()
