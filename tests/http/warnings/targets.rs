//! Targets and embeddings that are not what the loss expects.

use serde_json::{Value, json};

use super::{
    Case, Draw, LENGTH, POSITIVE, SQUARED, SUM, ZERO_ONE, all_rounded, case, check,
    class_axis_at_the_end, class_axis_in_the_middle, each, log_softmax, normalised, pair, sigmoid,
    softmax, with,
};

#[test]
fn targets_of_kl_div_are_distributions() {
    let mut draw = Draw::new(5);
    let predictions = json!(all_rounded(6, &each(&draw.rows(12, 6), log_softmax)));
    let rows = each(&draw.rows(12, 6), softmax);
    let logs = each(&rows, |row| row.iter().map(|p| p.ln()).collect());
    let halves = each(&rows, |row| row.iter().map(|p| p / 2.0).collect());
    let labels = each(&rows, |row| row.iter().map(|p| f64::from(0.05 < *p)).collect());
    let log_target = |targets: Value| {
        with(pair(predictions.clone(), targets), "params", json!({"log_target": true}))
    };
    let plain = |targets: Value| pair(predictions.clone(), targets);
    let mut missing = json!(rows);
    missing[4][2] = Value::Null;
    let turned = |rows: &[Vec<f64>]| {
        json!((0..6).map(|c| rows.iter().map(|row| row[c]).collect()).collect::<Vec<Vec<f64>>>())
    };
    let on_axis_0 = pair(turned(&each(&draw.rows(12, 6), log_softmax)), turned(&rows));
    check(&[
        case("halves", "kl_div", plain(json!(halves)), [(SUM, "targets")]),
        case("several labels", "kl_div", plain(json!(labels)), [(SUM, "targets")]),
        case(
            "probabilities as logarithms",
            "kl_div",
            log_target(json!(rows)),
            [(POSITIVE, "targets")],
        ),
        case("softmax", "kl_div", plain(json!(rows)), []),
        case("softmax, 3 digits", "kl_div", plain(json!(all_rounded(3, &rows))), []),
        case("logarithms", "kl_div", log_target(json!(logs)), []),
        case("a missing label", "kl_div", plain(missing), []),
        case("one row", "kl_div", pair(predictions[0].clone(), json!(rows[0])), []),
        case("classes on the first axis", "kl_div", on_axis_0, []),
        case("batchmean", "kl_div", with(plain(json!(rows)), "reduction", json!("batchmean")), []),
        case("nothing", "kl_div", pair(json!([]), json!([])), []),
    ]);
}

#[test]
fn soft_targets_of_cross_entropy_sum_to_one() {
    let mut cases = Vec::new();
    for classes in [2, 3, 10] {
        let mut draw = Draw::new(classes as u64);
        let logits = draw.rows(24, classes);
        let rows = each(&draw.rows(24, classes), softmax);
        let said = [(SUM, "targets")];
        let halves = each(&rows, |row| row.iter().map(|p| p / 2.0).collect());
        let several = each(&rows, |row| vec![1.0; row.len()]);
        let smoothed =
            each(&rows, |row| row.iter().map(|p| 0.9 * p + 0.1 / row.len() as f64).collect());
        for (name, targets, said) in [
            ("halves", halves, &said[..]),
            ("several labels", several, &said[..]),
            ("softmax", rows.clone(), &[]),
            ("softmax, 3 digits", all_rounded(3, &rows), &[]),
            ("smoothed", smoothed, &[]),
        ] {
            let expected = || said.to_vec();
            let loss = "cross_entropy";
            let body = pair(json!(logits), json!(targets));
            cases.push(Case { name, loss, body, expected: expected() });
            let body = pair(json!(logits[0]), json!(targets[0]));
            cases.push(Case { name, loss, body, expected: expected() });
            let middle = class_axis_in_the_middle;
            let body = pair(middle(&logits, 4), middle(&targets, 4));
            cases.push(Case { name, loss, body, expected: expected() });
            let last = class_axis_at_the_end;
            let body = pair(last(&logits, 4), last(&targets, 4));
            let body = with(body, "params", json!({"class_axis": -1}));
            cases.push(Case { name, loss, body, expected: expected() });
            let mut body = pair(json!(logits), json!(targets));
            body["targets"][5][0] = Value::Null;
            cases.push(Case { name, loss, body, expected: expected() });
        }
    }
    check(&cases);
}

#[test]
fn signs_are_told_from_zero_and_one() {
    let mut cases = Vec::new();
    for count in [1, 4, 30] {
        let mut draw = Draw::new(count as u64);
        let scores = json!(draw.normals(count));
        let others = json!(draw.normals(count));
        let distances = json!(draw.normals(count).iter().map(|x| x.abs()).collect::<Vec<_>>());
        let vectors = json!(draw.rows(count, 5));
        let signs = json!(draw.signs(count));
        let mut zero_one: Vec<f64> = draw.classes(count, 2).iter().map(|&t| t as f64).collect();
        zero_one[0] = 0.0;
        let bodies = |targets: &Value| {
            [
                ("soft_margin", pair(scores.clone(), targets.clone())),
                ("hinge_embedding", pair(distances.clone(), targets.clone())),
                ("margin_ranking", json!({"input1": scores, "input2": others, "targets": targets})),
                (
                    "cosine_embedding",
                    json!({"input1": vectors, "input2": vectors, "targets": targets}),
                ),
            ]
        };
        let mut missing = signs.clone();
        missing[0] = Value::Null;
        for (name, targets, said) in [
            ("0 and 1", json!(zero_one), vec![(ZERO_ONE, "targets")]),
            ("0 alone", json!(vec![0.0; count]), vec![(ZERO_ONE, "targets")]),
            ("-1 and 1", signs, vec![]),
            ("1 alone", json!(vec![1; count]), vec![]),
            ("-1 alone", json!(vec![-1; count]), vec![]),
            ("a missing label", missing, vec![]),
            ("no label yet", json!(vec![Value::Null; count]), vec![]),
        ] {
            for (loss, body) in bodies(&targets) {
                cases.push(Case { name, loss, body, expected: said.clone() });
            }
        }
    }
    check(&cases);
}

#[test]
fn squared_error_is_for_regression() {
    let mut draw = Draw::new(3);
    let values = draw.normals(30);
    let outputs: Vec<f64> = values.iter().map(|&x| sigmoid(x)).collect();
    let classes = json!(draw.classes(30, 2));
    let noise = json!(draw.normals(30));
    let mut missing = classes.clone();
    missing[0] = Value::Null;
    let shares: Vec<f64> = draw.normals(30).iter().map(|&x| sigmoid(x)).collect();
    let said = [(SQUARED, "predictions")];
    let grid = |x: &Value| json!(x.as_array().map(|x| x.chunks(5).collect::<Vec<_>>()));
    check(&[
        case("a classifier", "mse", pair(json!(outputs), classes.clone()), said),
        case("a missing label", "mse", pair(json!(outputs), missing), said),
        case("a grid", "mse", pair(grid(&json!(outputs)), grid(&classes)), said),
        case("by another name", "mean-squared-error", pair(json!(outputs), classes.clone()), said),
        case("two samples", "mse", pair(json!([0.9, 0.2]), json!([1, 0])), said),
        case("regression", "mse", pair(json!(values), noise), []),
        case("linear outputs for 0 and 1", "mse", pair(json!(values), classes.clone()), []),
        case("shares", "mse", pair(json!(outputs), json!(shares)), []),
        case("one sample", "mse", pair(json!([0.5]), json!([1])), []),
        case("a scalar", "mse", pair(json!(0.5), json!(1)), []),
        case("0 and 1 on both sides", "mse", pair(classes.clone(), classes.clone()), []),
        case("a penalty", "mse", pair(json!(outputs), json!(vec![0; 30])), []),
        case("l1", "l1", pair(json!(outputs), classes.clone()), []),
        case("huber", "huber", pair(json!(outputs), classes.clone()), []),
        case("probabilities where they belong", "bce", pair(json!(outputs), classes), []),
        case("nothing", "mse", pair(json!([]), json!([])), []),
    ]);
}

#[test]
fn embeddings_have_length_one() {
    let mut cases = Vec::new();
    for (rows, width) in [(1, 3), (8, 3), (30, 64)] {
        let mut draw = Draw::new(width as u64);
        let mut raw = || draw.rows(rows, width);
        let vectors = [raw(), raw(), raw()];
        let unit = vectors.each_ref().map(|rows| all_rounded(4, &each(rows, normalised)));
        let body =
            |[a, p, n]: [&Vec<Vec<f64>>; 3]| json!({"anchor": a, "positive": p, "negative": n});
        let [a, p, n] = unit.each_ref();
        let [long_a, long_p, long_n] = vectors.each_ref();
        let loss = "triplet_margin";
        cases.push(case("normalised", loss, body([a, p, n]), []));
        let single = json!({"anchor": a[0], "positive": p[0], "negative": n[0]});
        cases.push(case("one triplet", loss, single, []));
        let double = json!({"anchor": [a, a], "positive": [p, p], "negative": [n, n]});
        cases.push(case("three axes", loss, double, []));
        let said = [(LENGTH, "anchor"), (LENGTH, "positive"), (LENGTH, "negative")];
        cases.push(case("raw", loss, body([long_a, long_p, long_n]), said));
        cases.push(case("raw anchor", loss, body([long_a, p, n]), [said[0]]));
        cases.push(case("raw positive", loss, body([a, long_p, n]), [said[1]]));
        cases.push(case("raw negative", loss, body([a, p, long_n]), [said[2]]));
        // Any vectors will do where the distance is the caller's choice.
        let other = "triplet_margin_with_distance";
        cases.push(case("raw", other, body([long_a, long_p, long_n]), []));
        let targets = vec![1; rows];
        let pairs = json!({"input1": long_a, "input2": long_p, "targets": targets});
        cases.push(case("raw", "cosine_embedding", pairs, []));
    }
    check(&cases);
}
