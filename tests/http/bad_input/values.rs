//! Shapes, classes, domains and lengths that do not fit.

use super::{Case, check};
use crate::harness::Server;

/// Losses of predictions and targets, and both of them.
const PAIRS: &[(&str, &str, &str, &str)] = &[
    // Regression and other losses of single elements.
    ("mse", "[1,2]", "[1]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[1,2]", "[1,2,3]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[1,2]", "[]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[]", "[1]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[1,2]", "1", "422 shape-mismatch at /targets, hint"),
    ("mse", "1", "[1]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[[1],[2]]", "[1,2]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[1,2]", "[[1],[2]]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[[1,2]]", "[[1],[2]]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[[1,2,3],[4,5,6]]", "[[1,2],[3,4],[5,6]]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[[[1]]]", "[[1]]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[[],[]]", "[]", "422 shape-mismatch at /targets, hint"),
    ("l1", "[[1],[2]]", "[1,2]", "422 shape-mismatch at /targets, hint"),
    ("huber", "[1,2]", "[[1],[2]]", "422 shape-mismatch at /targets, hint"),
    ("smooth_l1", "[1,2]", "[1]", "422 shape-mismatch at /targets, hint"),
    ("log_cosh", "[1,2]", "[1]", "422 shape-mismatch at /targets, hint"),
    ("quantile", "[1,2]", "[1]", "422 shape-mismatch at /targets, hint"),
    ("poisson_nll", "[1,2]", "[[1,2]]", "422 shape-mismatch at /targets, hint"),
    ("kl_div", "[[-1,-1]]", "[0.5,0.5]", "422 shape-mismatch at /targets, hint"),
    ("bce", "[[0.5],[0.5]]", "[0,1]", "422 shape-mismatch at /targets, hint"),
    ("bce_with_logits", "[[5],[-5]]", "[0,1]", "422 shape-mismatch at /targets, hint"),
    ("sigmoid_focal", "[5,-5]", "[[0],[1]]", "422 shape-mismatch at /targets, hint"),
    ("soft_margin", "[[5,-5]]", "[1,-1]", "422 shape-mismatch at /targets, hint"),
    ("hinge_embedding", "[1,2]", "[1]", "422 shape-mismatch at /targets, hint"),
    // Classes.
    ("cross_entropy", "[[1,2],[3,4]]", "[[0],[1]]", "422 shape-mismatch at /targets, hint"),
    ("cross_entropy", "[[1,2],[3,4]]", "[0]", "422 shape-mismatch at /targets, hint"),
    ("cross_entropy", "[[1,2],[3,4]]", "[0,1,0]", "422 shape-mismatch at /targets, hint"),
    ("cross_entropy", "[[1,2],[3,4]]", "0", "422 shape-mismatch at /targets, hint"),
    ("cross_entropy", "[1,2]", "[0]", "422 shape-mismatch at /targets, hint"),
    ("cross_entropy", "[[[1,2],[3,4]]]", "[0]", "422 shape-mismatch at /targets, hint"),
    ("cross_entropy", "3", "0", "422 shape-mismatch at /predictions, hint"),
    ("cross_entropy", "[]", "[0,1]", "422 shape-mismatch at /targets, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[0,1,2]", "422 shape-mismatch at /targets, hint"),
    ("nll", "[[-1,-2],[-3,-4]]", "[[0],[1]]", "422 shape-mismatch at /targets, hint"),
    ("nll", "[[-1,-2],[-3,-4]]", "[[0,1],[1,0]]", "422 shape-mismatch at /targets, hint"),
    ("nll", "[-1,-2]", "[0,1]", "422 shape-mismatch at /targets, hint"),
    ("multi_margin", "[[1,2],[3,4]]", "[[0,1],[1,0]]", "422 shape-mismatch at /targets, hint"),
    ("multi_margin", "[[1,2],[3,4]]", "[0]", "422 shape-mismatch at /targets, hint"),
    ("multi_margin", "[[[1,2],[3,4]]]", "[0,1]", "422 shape-mismatch at /targets, hint"),
    ("multilabel_margin", "[[1,2],[3,4]]", "[0,1]", "422 shape-mismatch at /targets, hint"),
    ("multilabel_margin", "[[1,2],[3,4]]", "[[0,1]]", "422 shape-mismatch at /targets, hint"),
    ("multilabel_margin", "[[[1,2]]]", "[[[0,1]]]", "422 shape-mismatch at /predictions, hint"),
    ("multilabel_margin", "[1,2]", "0", "422 shape-mismatch at /targets, hint"),
    ("multilabel_soft_margin", "[[1,2],[3,4]]", "[0,1]", "422 shape-mismatch at /targets, hint"),
    ("multilabel_soft_margin", "[]", "[0,1]", "422 shape-mismatch at /targets, hint"),
    ("multilabel_soft_margin", "1", "1", "422 shape-mismatch at /predictions, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[0,-1]", "422 class-out-of-range at /targets/1, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[3,0]", "422 class-out-of-range at /targets/0, hint"),
    (
        "cross_entropy",
        "[[1,2,3],[3,4,5]]",
        "[0,1000000]",
        "422 class-out-of-range at /targets/1, hint",
    ),
    (
        "cross_entropy",
        "[[1,2,3],[3,4,5]]",
        "[0,9007199254740991]",
        "422 class-out-of-range at /targets/1, hint",
    ),
    (
        "cross_entropy",
        "[[1,2],[3,4]]",
        "[[0.5,0.5,0],[0.5,0.5,0]]",
        "422 shape-mismatch at /targets, hint",
    ),
    ("cross_entropy", "[1,2]", "[[0.5,0.5]]", "422 shape-mismatch at /targets, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[0,-99]", "422 class-out-of-range at /targets/1, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[0,0.5]", "422 wrong-type at /targets/1, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[0,NaN]", "422 wrong-type at /targets/1, hint"),
    (
        "cross_entropy",
        "[[1,2,3],[3,4,5]]",
        "[0,\"Infinity\"]",
        "422 wrong-type at /targets/1, hint",
    ),
    (
        "cross_entropy",
        "[[1,2,3],[3,4,5]]",
        "[0,1e300]",
        "422 class-out-of-range at /targets/1, hint",
    ),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[0,1e400]", "422 number-overflow at /targets/1, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[true,0]", "422 wrong-type at /targets/0, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[\"cat\",0]", "422 wrong-type at /targets/0, hint"),
    ("cross_entropy", "[[],[]]", "[0,0]", "422 class-out-of-range at /targets/0, hint"),
    ("cross_entropy", "[1,2,3]", "3", "422 class-out-of-range at /targets, hint"),
    ("cross_entropy", "[[[1,2],[3,4]]]", "[[0,2]]", "422 class-out-of-range at /targets/0/1, hint"),
    ("nll", "[[-1,-2],[-3,-4]]", "[0,2]", "422 class-out-of-range at /targets/1, hint"),
    ("nll", "[[-1,-2],[-3,-4]]", "[0,1.5]", "422 wrong-type at /targets/1, hint"),
    ("multi_margin", "[[1,2],[3,4]]", "[0,-100]", "422 class-out-of-range at /targets/1, hint"),
    ("multi_margin", "[[1,2],[3,4]]", "[2,0]", "422 class-out-of-range at /targets/0, hint"),
    (
        "multilabel_margin",
        "[[1,2],[3,4]]",
        "[[0,1],[1,2]]",
        "422 class-out-of-range at /targets/1/1, hint",
    ),
    (
        "multilabel_margin",
        "[[1,2],[3,4]]",
        "[[0,-1],[-2,-1]]",
        "422 class-out-of-range at /targets/1/0, hint",
    ),
    (
        "multilabel_margin",
        "[[1,2],[3,4]]",
        "[[0,-1],[0.5,-1]]",
        "422 wrong-type at /targets/1/0, hint",
    ),
    // Domains.
    (
        "cross_entropy",
        "[[1,2],[3,4]]",
        "[[0.5,0.5],[-0.5,1.5]]",
        "422 out-of-domain at /targets/1/0, hint",
    ),
    (
        "cross_entropy",
        "[[1,2],[3,4]]",
        "[[0.5,0.5],[0.5,1.5]]",
        "422 out-of-domain at /targets/1/1, hint",
    ),
    ("cross_entropy", "[[1,2],[3,4]]", "[[0,1],[1,2]]", "422 out-of-domain at /targets/1/1, hint"),
    ("cross_entropy", "[[1,2],[3,4]]", "[[0,1e39],[1,0]]", "422 number-overflow at /targets/0/1"),
    ("bce", "[0.5,1.5]", "[0,1]", "422 out-of-domain at /predictions/1, hint"),
    ("bce", "[-0.5,0.5]", "[0,1]", "422 out-of-domain at /predictions/0, hint"),
    ("bce", "[0.5,NaN]", "[0,1]", "422 out-of-domain at /predictions/1, hint"),
    ("bce", "[0.5,0.5]", "[0,2]", "422 out-of-domain at /targets/1, hint"),
    ("bce", "[0.5,0.5]", "[-1,1]", "422 out-of-domain at /targets/0, hint"),
    (
        "bce",
        "[[0.5,0.5],[0.5,1.0000001]]",
        "[[0,1],[0,1]]",
        "422 out-of-domain at /predictions/1/1, hint",
    ),
    ("bce", "1.5", "1", "422 out-of-domain at /predictions, hint"),
    ("bce_with_logits", "[5,-5]", "[0,2]", "422 out-of-domain at /targets/1, hint"),
    ("bce_with_logits", "[5,-5]", "[-1,1]", "422 out-of-domain at /targets/0, hint"),
    ("bce_with_logits", "[5,-5]", "[NaN,1]", "422 out-of-domain at /targets/0, hint"),
    ("sigmoid_focal", "[5,-5]", "[0,2]", "422 out-of-domain at /targets/1, hint"),
    ("multilabel_soft_margin", "[[5,-5]]", "[[0,2]]", "422 out-of-domain at /targets/0/1, hint"),
    ("soft_margin", "[5,-5]", "[1,2]", "422 out-of-domain at /targets/1, hint"),
    ("soft_margin", "[5,-5]", "[0,-1]", "422 out-of-domain at /targets/0, hint"),
    ("soft_margin", "[5,-5]", "[1,NaN]", "422 out-of-domain at /targets/1, hint"),
    ("hinge_embedding", "[5,5]", "[1,0.5]", "422 out-of-domain at /targets/1, hint"),
    ("poisson_nll", "[5,5]", "[1,-1]", "422 out-of-domain at /targets/1, hint"),
    ("kl_div", "[-0.7,-0.7]", "[0.5,1.5]", "422 out-of-domain at /targets/1, hint"),
    ("kl_div", "[-0.7,-0.7]", "[-0.5,0.5]", "422 out-of-domain at /targets/0, hint"),
    // A mean over nothing.
    ("mse", "[]", r#"[],"on_empty":"error""#, "422 empty-mean, hint"),
    ("mse", "[1,2]", r#"[null,null],"on_empty":"error""#, "422 empty-mean, hint"),
    ("cross_entropy", "[]", r#"[],"on_empty":"error""#, "422 empty-mean, hint"),
    ("cross_entropy", "[[1,2]]", r#"[-100],"on_empty":"error""#, "422 empty-mean, hint"),
    ("kl_div", "[]", r#"[],"on_empty":"error","reduction":"batchmean""#, "422 empty-mean, hint"),
    // Quantiles.
    (
        "quantile",
        "[[1,2],[3,4]]",
        r#"[1,2],"params":{"q":[0.1,0.5,0.9]}"#,
        "422 shape-mismatch at /predictions",
    ),
    (
        "quantile",
        "[1,2]",
        r#"[1,2],"params":{"q":[0.1,0.5]}"#,
        "422 shape-mismatch at /targets, hint",
    ),
    (
        "quantile",
        "[[1,2],[3,4]]",
        r#"[[1,2],[3,4]],"params":{"q":[0.1,0.5]}"#,
        "422 shape-mismatch at /targets, hint",
    ),
    ("quantile", "1", r#"1,"params":{"q":[0.5]}"#, "422 shape-mismatch at /predictions"),
];

#[test]
fn shapes_classes_and_domains_fit() {
    let case = |&(loss, predictions, targets, expected): &(&str, &str, &str, _)| {
        let body = format!(r#"{{"predictions":{predictions},"targets":{targets}}}"#);
        Case::new(loss, body, expected)
    };
    check(&PAIRS.iter().map(case).collect::<Vec<_>>());
}

/// Losses with other inputs, and the members of their requests.
const OTHERS: &[(&str, &str, &str)] = &[
    ("mse", "", "422 missing-input, hint"),
    ("mse", r#""predictions":[1]"#, "422 missing-input, hint"),
    ("mse", r#""targets":[1]"#, "422 missing-input, hint"),
    ("cross_entropy", r#""predictions":[[1,2]]"#, "422 missing-input, hint"),
    ("gaussian_nll", r#""predictions":[1],"targets":[1]"#, "422 missing-input, hint"),
    ("triplet_margin", r#""anchor":[[1]],"positive":[[1]]"#, "422 missing-input, hint"),
    ("triplet_margin", r#""predictions":[[1]]"#, "422 unknown-member at /predictions, hint"),
    ("cosine_embedding", r#""input1":[[1]],"targets":[1]"#, "422 missing-input, hint"),
    ("margin_ranking", r#""input1":[1],"input2":[1]"#, "422 missing-input, hint"),
    (
        "ctc",
        r#""predictions":[[[-1,-1]]],"targets":[[1]],"input_lengths":[1]"#,
        "422 missing-input, hint",
    ),
    (
        "gaussian_nll",
        r#""predictions":[1,2],"targets":[1,2],"var":[1,2,3]"#,
        "422 shape-mismatch at /var, hint",
    ),
    (
        "gaussian_nll",
        r#""predictions":[[1,2],[3,4]],"targets":[[1,2],[3,4]],"var":[[1,2]]"#,
        "422 shape-mismatch at /var, hint",
    ),
    (
        "gaussian_nll",
        r#""predictions":[1,2],"targets":[1],"var":[1,2]"#,
        "422 shape-mismatch at /targets, hint",
    ),
    (
        "gaussian_nll",
        r#""predictions":[1,2],"targets":[1,2],"var":[1,-1]"#,
        "422 out-of-domain at /var/1",
    ),
    (
        "gaussian_nll",
        r#""predictions":[1,2],"targets":[1,2],"var":-1"#,
        "422 out-of-domain at /var",
    ),
    (
        "gaussian_nll",
        r#""predictions":[1,2],"targets":[1,2],"var":[1,null]"#,
        "422 null-not-allowed at /var/1, hint",
    ),
    // Pairs and triplets.
    (
        "triplet_margin",
        r#""anchor":[[1,2]],"positive":[[1,2]],"negative":[[1,2,3]]"#,
        "422 shape-mismatch at /negative, hint",
    ),
    (
        "triplet_margin",
        r#""anchor":[[1,2]],"positive":[[1,2],[3,4]],"negative":[[1,2]]"#,
        "422 shape-mismatch at /positive, hint",
    ),
    (
        "triplet_margin",
        r#""anchor":[[1,2]],"positive":[1,2],"negative":[1,2]"#,
        "422 shape-mismatch at /positive, hint",
    ),
    (
        "triplet_margin",
        r#""anchor":1,"positive":1,"negative":1"#,
        "422 shape-mismatch at /anchor, hint",
    ),
    (
        "triplet_margin",
        r#""anchor":[null],"positive":[1],"negative":[1]"#,
        "422 null-not-allowed at /anchor/0, hint",
    ),
    (
        "triplet_margin_with_distance",
        r#""anchor":[[1],[2]],"positive":[[1,2]],"negative":[[1]]"#,
        "422 shape-mismatch at /positive, hint",
    ),
    (
        "cosine_embedding",
        r#""input1":[[1,2]],"input2":[[1],[2]],"targets":[1]"#,
        "422 shape-mismatch at /input2, hint",
    ),
    (
        "cosine_embedding",
        r#""input1":[[1,2]],"input2":[[1,2]],"targets":[1,1]"#,
        "422 shape-mismatch at /targets, hint",
    ),
    (
        "cosine_embedding",
        r#""input1":[[1,2]],"input2":[[1,2]],"targets":[[1,-1]]"#,
        "422 shape-mismatch at /targets, hint",
    ),
    (
        "cosine_embedding",
        r#""input1":[[1,2]],"input2":[[1,2]],"targets":1"#,
        "422 shape-mismatch at /targets, hint",
    ),
    (
        "cosine_embedding",
        r#""input1":[1,2],"input2":[1,2],"targets":[1,-1]"#,
        "422 shape-mismatch at /targets, hint",
    ),
    (
        "cosine_embedding",
        r#""input1":[],"input2":[],"targets":[1]"#,
        "422 shape-mismatch at /targets, hint",
    ),
    (
        "cosine_embedding",
        r#""input1":[[1,2]],"input2":[[1,2]],"targets":[2]"#,
        "422 out-of-domain at /targets/0, hint",
    ),
    (
        "cosine_embedding",
        r#""input1":[[1,2]],"input2":[[1,2]],"targets":[0.5]"#,
        "422 out-of-domain at /targets/0, hint",
    ),
    (
        "margin_ranking",
        r#""input1":[1,2],"input2":[1],"targets":[1,1]"#,
        "422 shape-mismatch at /input2, hint",
    ),
    (
        "margin_ranking",
        r#""input1":[1,2],"input2":[1,2],"targets":1"#,
        "422 shape-mismatch at /targets, hint",
    ),
    (
        "margin_ranking",
        r#""input1":[1,2],"input2":[1,2],"targets":[1,3]"#,
        "422 out-of-domain at /targets/1, hint",
    ),
];

/// Frames of one class axis of three, two samples: what stands in a ctc request, all of it sound.
const FRAMES: &str = "[[[-1,-1,-1],[-1,-1,-1]],[[-1,-1,-1],[-1,-1,-1]]]";

/// Labels, lengths of the inputs and of the targets for those frames.
const SEQUENCES: &[(&str, &str, &str, &str)] = &[
    ("[[1],[2]]", "[3,2]", "[1,1]", "422 out-of-domain at /input_lengths/0"),
    ("[[1],[2]]", "[2,-1]", "[1,1]", "422 out-of-domain at /input_lengths/1"),
    ("[[1],[2]]", "[2,2]", "[1,2]", "422 out-of-domain at /target_lengths/1"),
    ("[[1],[2]]", "[2,2]", "[-1,1]", "422 out-of-domain at /target_lengths/0"),
    ("[[1],[2]]", "[2]", "[1,1]", "422 shape-mismatch at /input_lengths, hint"),
    ("[[1],[2]]", "[2,2,2]", "[1,1]", "422 shape-mismatch at /input_lengths, hint"),
    ("[[1],[2]]", "2", "[1,1]", "422 shape-mismatch at /input_lengths, hint"),
    ("[[1],[2]]", "[2,2]", "[[1],[1]]", "422 shape-mismatch at /target_lengths, hint"),
    ("[[1],[2]]", "[2,2]", "[1]", "422 shape-mismatch at /target_lengths, hint"),
    ("[[1],[2]]", "[2,1.5]", "[1,1]", "422 wrong-type at /input_lengths/1, hint"),
    ("[[1],[2]]", "[2,NaN]", "[1,1]", "422 wrong-type at /input_lengths/1, hint"),
    ("[[1],[2]]", "[2,null]", "[1,1]", "422 null-not-allowed at /input_lengths/1, hint"),
    ("[[1],[2]]", "[2,\"2\"]", "[1,1]", "422 wrong-type at /input_lengths/1, hint"),
    ("[[1],[3]]", "[2,2]", "[1,1]", "422 class-out-of-range at /targets/1/0"),
    ("[[-1],[1]]", "[2,2]", "[1,1]", "422 class-out-of-range at /targets/0/0"),
    ("[[1],[1.5]]", "[2,2]", "[1,1]", "422 wrong-type at /targets/1/0, hint"),
    ("[[1]]", "[2,2]", "[1,1]", "422 shape-mismatch at /targets, hint"),
    ("[[[1]],[[2]]]", "[2,2]", "[1,1]", "422 shape-mismatch at /targets, hint"),
    ("1", "[2,2]", "[1,1]", "422 shape-mismatch at /targets, hint"),
    ("[1,2,1]", "[2,2]", "[1,1]", "422 shape-mismatch at /target_lengths"),
    ("[1,2]", "[2,2]", "[2,1]", "422 shape-mismatch at /target_lengths"),
    ("[1,3]", "[2,2]", "[1,1]", "422 class-out-of-range at /targets/1"),
];

#[test]
fn the_other_inputs_fit_too() {
    let case = |&(loss, members, expected): &(&str, &str, _)| {
        Case::new(loss, format!("{{{members}}}"), expected)
    };
    let sequence = |&(labels, frames, lengths, expected): &(&str, &str, &str, _)| {
        let body = format!(
            r#"{{"predictions":{FRAMES},"targets":{labels},"input_lengths":{frames},
                "target_lengths":{lengths}}}"#
        );
        Case::new("ctc", body, expected)
    };
    let mut cases: Vec<Case> = OTHERS.iter().map(case).collect();
    cases.extend(SEQUENCES.iter().map(sequence));
    for predictions in ["-1", "[-1,-1]", "[[[[-1]]]]"] {
        let body = format!(
            r#"{{"predictions":{predictions},"targets":[[1]],"input_lengths":[1],
                "target_lengths":[1]}}"#
        );
        cases.push(Case::new("ctc", body, "422 shape-mismatch at /predictions, hint"));
    }
    check(&cases);
}

/// Requests that look wrong and are not: losses, predictions, targets.
const ACCEPTED: &[(&str, &str, &str)] = &[
    ("mse", "[1,1e39]", r#"[1,1e39],"dtype":"float64""#),
    ("mse", "[1,-1e-400]", "[1,0]"),
    ("mse", "[1,2]", "[1,null]"),
    ("mse", "[1,\"NaN\"]", "[-Infinity,NaN]"),
    ("mse", "[]", "[]"),
    ("mse", "1", "2"),
    ("cross_entropy", "[[1,2],[3,4]]", "[0,-100]"),
    ("cross_entropy", "[[1,2],[3,4]]", r#"[0,9],"params":{"ignore_index":9}"#),
    ("cross_entropy", "[[1,2],[3,4]]", r#"[7,9],"params":{"ignore_index":[7,9]}"#),
    ("cross_entropy", "[[1,2],[3,4]]", "[1.0,0e5]"),
    ("cross_entropy", "[[1,2],[3,4]]", "[-0,1]"),
    ("cross_entropy", "[[1,2],[3,4]]", r#"[[2,0],[0,2]],"validate":false"#),
    ("cross_entropy", "[[1,2],[3,4]]", r#"[[-1,1],[0,1]],"validate":false"#),
    ("bce_with_logits", "[5,-5]", r#"[0,2],"validate":false"#),
    ("bce_with_logits", "[5,-5]", r#"[-1,1],"validate":false"#),
    ("sigmoid_focal", "[5,-5]", r#"[-1,1],"validate":false"#),
    ("multilabel_soft_margin", "[[5,-5]]", r#"[[0,2]],"validate":false"#),
    ("soft_margin", "[5,-5]", r#"[1,2],"validate":false"#),
    ("hinge_embedding", "[5,-5]", r#"[0.5,2],"validate":false"#),
    ("poisson_nll", "[5,5]", r#"[1,-1],"validate":false"#),
    ("kl_div", "[-0.7,-0.7]", r#"[-0.5,1.5],"validate":false"#),
    ("multilabel_margin", "[[1,2],[3,4]]", "[[0,-1],[-1,99]]"),
];

#[test]
fn what_torch_computes_is_computed_on_request() {
    let server = Server::new();
    for (loss, predictions, targets) in ACCEPTED {
        let body = format!(r#"{{"predictions":{predictions},"targets":{targets}}}"#);
        let answer = server.post(&format!("/loss/{loss}"), body.clone());
        assert_eq!(answer.status(), 200, "{loss} {body}: {}", answer.text());
    }
}

/// Where torch itself refuses, `validate` changes nothing.
#[test]
fn what_torch_refuses_is_refused_whatever_validate_says() {
    let rows = [
        (
            "bce",
            r#""predictions":[0.5,1.5],"targets":[0,1]"#,
            "422 out-of-domain at /predictions/1, hint",
        ),
        (
            "bce",
            r#""predictions":[0.5,0.5],"targets":[0,2]"#,
            "422 out-of-domain at /targets/1, hint",
        ),
        (
            "gaussian_nll",
            r#""predictions":[1],"targets":[1],"var":[-1]"#,
            "422 out-of-domain at /var/0",
        ),
        (
            "cross_entropy",
            r#""predictions":[[1,2]],"targets":[2]"#,
            "422 class-out-of-range at /targets/0, hint",
        ),
        ("mse", r#""predictions":[1,2],"targets":[1]"#, "422 shape-mismatch at /targets, hint"),
        (
            "mse",
            r#""predictions":[1],"targets":[1],"sample_weight":[-1]"#,
            "422 bad-sample-weight at /sample_weight/0",
        ),
    ];
    let case = |(loss, members, expected): (&str, &str, _)| {
        Case::new(loss, format!("{{{members},\"validate\":false}}"), expected)
    };
    check(&rows.map(case));
}
