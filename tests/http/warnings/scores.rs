//! Predictions: probabilities, logits and log-probabilities that are taken for each other.

use serde_json::{Value, json};

use super::{
    Case, Draw, LOGITS, POSITIVE, PROBABILITIES, all_rounded, case, check, class_axis_at_the_end,
    class_axis_in_the_middle, each, log_softmax, pair, sigmoid, softmax, with,
};

#[test]
fn a_softmax_too_many_is_named() {
    let mut cases = Vec::new();
    let said = [(PROBABILITIES, "predictions")];
    for classes in [2, 3, 10, 200] {
        let mut draw = Draw::new(classes as u64);
        let rows = each(&draw.rows(24, classes), softmax);
        let targets = draw.classes(24, classes);
        let body = pair(json!(rows), json!(targets));
        cases.push(case("rows", "cross_entropy", body.clone(), said));
        let short = json!(all_rounded(4, &rows));
        cases.push(case("rows, 4 digits", "cross_entropy", pair(short, json!(targets)), said));
        let soft = json!(each(&draw.rows(24, classes), softmax));
        cases.push(case("soft targets", "cross_entropy", with(body, "targets", soft), said));
        let middle = class_axis_in_the_middle(&rows, 4);
        let grid = json!(targets.chunks(4).collect::<Vec<_>>());
        cases.push(case("trailing axis", "cross_entropy", pair(middle, grid.clone()), said));
        let last =
            with(pair(class_axis_at_the_end(&rows, 4), grid), "params", json!({"class_axis": -1}));
        cases.push(case("class_axis -1", "cross_entropy", last, said));
        let one = pair(json!(rows[0]), json!(0));
        cases.push(case("one row without a batch", "cross_entropy", one, said));
        let none = pair(json!(rows), json!(vec![Value::Null; 24]));
        cases.push(case("no label yet", "cross_entropy", none, said));
    }
    check(&cases);
}

#[test]
fn sound_logits_pass() {
    let mut cases = Vec::new();
    for classes in [2, 3, 10] {
        let mut draw = Draw::new(classes as u64);
        let rows = draw.rows(24, classes);
        let targets = draw.classes(24, classes);
        let sound = |name, rows: Value| case(name, "cross_entropy", pair(rows, json!(targets)), []);
        cases.push(sound("random", json!(rows)));
        let small = each(&rows, |row| row.iter().map(|x| x * 0.01).collect());
        cases.push(sound("small", json!(small)));
        let unit = each(&rows, |row| row.iter().map(|&x| sigmoid(x)).collect());
        cases.push(sound("from 0 to 1 and not summing to 1", json!(unit)));
        // The loss takes log-probabilities as well as any other logits.
        cases.push(sound("log_softmax", json!(each(&rows, log_softmax))));
        cases.push(sound("zeros", json!(vec![vec![0.0; classes]; 24])));
        let mut one_hot = vec![vec![0.0; classes]; 24];
        one_hot.iter_mut().zip(&targets).for_each(|(row, &class)| row[class] = 1.0);
        cases.push(sound("one-hot", json!(one_hot)));
        let middle = class_axis_in_the_middle(&rows, 4);
        let grid = json!(targets.chunks(4).collect::<Vec<_>>());
        cases.push(case("trailing axis", "cross_entropy", pair(middle, grid.clone()), []));
        // Probabilities along an axis that is not the classes' are none.
        let turned = class_axis_at_the_end(&each(&draw.rows(16, 4), softmax), 4);
        let turned = pair(turned, json!(vec![vec![0, 1, 2, 3]; 4]));
        cases.push(case("sums on another axis", "cross_entropy", turned, []));
        cases.push(case("one row", "cross_entropy", pair(json!([rows[0]]), json!([0])), []));
        let mut one_off = each(&rows, softmax);
        one_off[7] = rows[7].iter().map(|x| x + 2.0).collect();
        cases.push(sound("not all rows are probabilities", json!(one_off)));
        let mut missing = json!(targets);
        missing[3] = Value::Null;
        cases.push(case("a missing label", "cross_entropy", pair(json!(rows), missing), []));
    }
    cases.push(case("no rows", "cross_entropy", pair(json!([]), json!([])), []));
    check(&cases);
}

#[test]
fn a_sigmoid_too_many_is_named() {
    let mut cases = Vec::new();
    let said = [(PROBABILITIES, "predictions")];
    for count in [5, 40, 1000] {
        let mut draw = Draw::new(count as u64);
        let logits = draw.normals(count);
        let targets = json!(draw.classes(count, 2));
        let outputs: Vec<f64> = logits.iter().map(|&x| sigmoid(x)).collect();
        for loss in ["binary_cross_entropy_with_logits", "sigmoid_focal"] {
            cases.push(case("sigmoid", loss, pair(json!(outputs), targets.clone()), said));
            let mut missing = targets.clone();
            missing[2] = Value::Null;
            cases.push(case("a missing label", loss, pair(json!(outputs), missing), said));
            let column: Vec<[f64; 1]> = outputs.iter().map(|&x| [x]).collect();
            let labels: Vec<[usize; 1]> = draw.classes(count, 2).iter().map(|&t| [t]).collect();
            cases.push(case("a column", loss, pair(json!(column), json!(labels)), said));
            cases.push(case("logits", loss, pair(json!(logits), targets.clone()), []));
            let small: Vec<f64> = logits.iter().map(|x| x * 0.01).collect();
            cases.push(case("small logits", loss, pair(json!(small), targets.clone()), []));
            cases.push(case("zeros", loss, pair(json!(vec![0.0; count]), targets.clone()), []));
            let hard: Vec<f64> = logits.iter().map(|x| f64::from(0.0 < *x)).collect();
            cases.push(case("0 and 1", loss, pair(json!(hard), targets.clone()), []));
            // Large logits are none of either, however many lie between 0 and 1.
            let mut mixed = outputs.clone();
            mixed[count / 2] = 3.0;
            cases.push(case("one above 1", loss, pair(json!(mixed), targets.clone()), []));
            let soft: Vec<f64> = outputs.iter().map(|x| 1.0 - x).collect();
            cases.push(case("soft targets", loss, pair(json!(logits), json!(soft)), []));
        }
        let rows: Vec<&[f64]> = outputs.chunks(5).collect();
        let labels = draw.classes(count, 2);
        let labels = json!(labels.chunks(5).collect::<Vec<_>>());
        let body = pair(json!(rows), labels.clone());
        cases.push(case("sigmoid", "multilabel_soft_margin", body, said));
        let body = pair(json!(logits.chunks(5).collect::<Vec<_>>()), labels);
        cases.push(case("logits", "multilabel_soft_margin", body, []));
    }
    for loss in ["binary_cross_entropy_with_logits", "sigmoid_focal"] {
        cases.push(case("one logit", loss, pair(json!([0.5]), json!([1])), []));
        cases.push(case("a scalar", loss, pair(json!(0.5), json!(1)), []));
        cases.push(case("nothing", loss, pair(json!([]), json!([])), []));
    }
    check(&cases);
}

#[test]
fn log_probabilities_are_told_from_logits() {
    let mut cases = Vec::new();
    for classes in [2, 3, 10] {
        let mut draw = Draw::new(classes as u64);
        let rows = draw.rows(24, classes);
        let targets = draw.classes(24, classes);
        let grid = json!(targets.chunks(4).collect::<Vec<_>>());
        let below = each(&rows, |row| row.iter().map(|x| x - 8.0).collect());
        let above = each(&rows, |row| row.iter().map(|x| x.abs() + 0.1).collect());
        let logs = all_rounded(6, &each(&rows, log_softmax));
        for (name, rows, said) in [
            ("raw logits", &rows, vec![(POSITIVE, "predictions")]),
            ("positive logits", &above, vec![(POSITIVE, "predictions")]),
            ("negative logits", &below, vec![(LOGITS, "predictions")]),
            ("probabilities", &each(&rows, softmax), vec![(POSITIVE, "predictions")]),
            ("log_softmax", &logs, vec![]),
            ("log_softmax, 2 digits", &all_rounded(2, &logs), vec![]),
        ] {
            let add = |cases: &mut Vec<Case>, loss, body| {
                cases.push(Case { name, loss, body, expected: said.clone() });
            };
            add(&mut cases, "nll", pair(json!(rows), json!(targets)));
            add(&mut cases, "nll", pair(json!(rows[0]), json!(0)));
            add(&mut cases, "nll", pair(class_axis_in_the_middle(rows, 4), grid.clone()));
            let last = pair(class_axis_at_the_end(rows, 4), grid.clone());
            add(&mut cases, "nll", with(last, "params", json!({"class_axis": -1})));
            let missing =
                with(pair(json!(rows), json!(targets)), "targets", json!(vec![Value::Null; 24]));
            add(&mut cases, "nll", missing);
            let frames = class_axis_at_the_end(rows, 4);
            let lengths = json!({"predictions": frames, "targets": vec![[1]; 4],
                "input_lengths": vec![6; 4], "target_lengths": vec![1; 4]});
            add(&mut cases, "ctc", lengths);
            let soft = json!(each(&draw.rows(24, classes), softmax));
            add(&mut cases, "kl_div", pair(json!(rows), soft));
        }
        let sure = json!([0, 0, 0, 0]);
        let infinite = pair(
            json!(vec![
                (0..classes)
                    .map(|c| if c == 0 { json!(0) } else { json!("-Infinity") })
                    .collect::<Vec<_>>();
                4
            ]),
            sure,
        );
        cases.push(case("certainty", "nll", infinite, []));
    }
    check(&cases);
}
