//! Members and parameters that are not known, stand twice, or have the wrong kind of value.

use lossd::numeric::catalogue;

use super::{Case, SOUND, check, disagreement, not_well_formed};
use crate::harness::Server;

/// Members beside the inputs of a sound request.
const MEMBERS: &[(&str, &str, &str)] = &[
    // Twice.
    ("mse", r#""predictions":[1,2]"#, "400 duplicate-member at /predictions"),
    ("mse", r#""targets":[9]"#, "400 duplicate-member at /targets"),
    ("mse", r#""\u0070redictions":[1,2]"#, "400 duplicate-member at /predictions"),
    ("mse", r#""reduction":"sum","reduction":"sum""#, "400 duplicate-member at /reduction"),
    ("mse", r#""dtype":"float32","dtype":"float64""#, "400 duplicate-member at /dtype"),
    ("huber", r#""params":{},"params":{}"#, "400 duplicate-member at /params"),
    ("huber", r#""params":{"delta":1,"delta":1}"#, "400 duplicate-member at /params/delta"),
    ("huber", r#""params":{"delta":1,"d\u0065lta":2}"#, "400 duplicate-member at /params/delta"),
    // Unknown, near and far.
    ("mse", r#""prediction":[1,2]"#, "422 unknown-member at /prediction, hint"),
    ("mse", r#""Predictions":[1,2]"#, "422 unknown-member at /Predictions, hint"),
    ("mse", r#""target":[1,2]"#, "422 unknown-member at /target, hint"),
    ("mse", r#""reductoin":"sum""#, "422 unknown-member at /reductoin, hint"),
    ("mse", r#""y_pred":[1,2]"#, "422 unknown-member at /y_pred, hint"),
    ("mse", r#""weights":[1,2]"#, "422 unknown-member at /weights, hint"),
    ("mse", r#""":1"#, "422 unknown-member at /, hint"),
    ("mse", r#""var":[1,1]"#, "422 unknown-member at /var, hint"),
    ("mse", r#""anchor":[1,1]"#, "422 unknown-member at /anchor, hint"),
    ("mse", r#""__proto__":{}"#, "422 unknown-member at /__proto__, hint"),
    ("mse", r#""a/b":1"#, "422 unknown-member at /a~1b, hint"),
    ("mse", r#""a~b":1"#, "422 unknown-member at /a~0b, hint"),
    ("huber", r#""delta":0.5"#, "422 unknown-member at /delta, hint"),
    ("huber", r#""parms":{"delta":0.5}"#, "422 unknown-member at /parms, hint"),
    ("mse", r#""params":{"delta":1}"#, "422 unknown-parameter at /params/delta, hint"),
    ("huber", r#""params":{"Delta":1}"#, "422 unknown-parameter at /params/Delta, hint"),
    ("huber", r#""params":{"dleta":1}"#, "422 unknown-parameter at /params/dleta, hint"),
    (
        "huber",
        r#""params":{"learning_rate":1}"#,
        "422 unknown-parameter at /params/learning_rate, hint",
    ),
    ("huber", r#""params":{"":1}"#, "422 unknown-parameter at /params/, hint"),
    ("huber", r#""params":{"a/b":1}"#, "422 unknown-parameter at /params/a~1b, hint"),
    (
        "huber",
        r#""params":{"reduction":"sum"}"#,
        "422 unknown-parameter at /params/reduction, hint",
    ),
    // Of the wrong type.
    ("mse", r#""reduction":3"#, "422 wrong-type at /reduction"),
    ("mse", r#""reduction":null"#, "422 wrong-type at /reduction"),
    ("mse", r#""reduction":["mean"]"#, "422 wrong-type at /reduction"),
    ("mse", r#""reduction":true"#, "422 wrong-type at /reduction"),
    ("mse", r#""dtype":32"#, "422 wrong-type at /dtype"),
    ("mse", r#""dtype":{}"#, "422 wrong-type at /dtype"),
    ("mse", r#""on_empty":0"#, "422 wrong-type at /on_empty"),
    ("mse", r#""on_empty":null"#, "422 wrong-type at /on_empty"),
    ("mse", r#""profile":false"#, "422 wrong-type at /profile"),
    ("mse", r#""validate":"yes""#, "422 wrong-type at /validate"),
    ("mse", r#""validate":0"#, "422 wrong-type at /validate"),
    ("mse", r#""validate":null"#, "422 wrong-type at /validate"),
    ("mse", r#""validate":"false""#, "422 wrong-type at /validate"),
    ("mse", r#""outputs":{}"#, "422 wrong-type at /outputs"),
    ("mse", r#""outputs":3"#, "422 wrong-type at /outputs"),
    ("mse", r#""outputs":null"#, "422 wrong-type at /outputs"),
    ("mse", r#""outputs":["loss",3]"#, "422 wrong-type at /outputs/1"),
    ("mse", r#""outputs":["loss",["losses"]]"#, "422 wrong-type at /outputs/1"),
    ("mse", r#""params":[]"#, "422 wrong-type at /params"),
    ("mse", r#""params":null"#, "422 wrong-type at /params"),
    ("mse", r#""params":"delta""#, "422 wrong-type at /params"),
    ("mse", r#""params":1"#, "422 wrong-type at /params"),
    ("mse", r#""sample_weight":"heavy""#, "422 wrong-type at /sample_weight, hint"),
    ("mse", r#""sample_weight":{}"#, "422 wrong-type at /sample_weight, hint"),
    ("mse", r#""sample_weight":null"#, "422 null-not-allowed at /sample_weight, hint"),
    // Not JSON after all.
    ("mse", r#""validate":trye"#, "400 malformed-json"),
    ("mse", r#""validate":None"#, "400 malformed-json"),
    ("mse", r#""reduction":nul"#, "400 malformed-json"),
    ("mse", r#""reduction":None"#, "400 malformed-json"),
    ("mse", r#""params":Null"#, "400 malformed-json"),
    ("mse", r#""outputs":[tru]"#, "400 malformed-json"),
    ("huber", r#""params":{"delta":tru}"#, "400 malformed-json"),
    ("huber", r#""params":{"delta":}"#, "400 malformed-json"),
    ("huber", r#""params":{"delta":1,}"#, "400 malformed-json"),
    ("huber", r#""params":{"delta" 1}"#, "400 malformed-json"),
    ("huber", r#""params":{delta:1}"#, "400 malformed-json"),
    ("huber", r#""params":{"delta":+1}"#, "400 malformed-json"),
    ("huber", r#""params":{"delta":1"#, "400 malformed-json"),
    // Words that there are not.
    ("mse", r#""reduction":"avg""#, "422 bad-parameter at /reduction"),
    ("mse", r#""reduction":"MEAN""#, "422 bad-parameter at /reduction"),
    ("mse", r#""reduction":"""#, "422 bad-parameter at /reduction"),
    ("mse", r#""reduction":"batchmean""#, "422 bad-parameter at /reduction"),
    ("huber", r#""reduction":"batchmean""#, "422 bad-parameter at /reduction"),
    ("cross_entropy", r#""reduction":"batchmean""#, "422 bad-parameter at /reduction"),
    ("mse", r#""dtype":"f16""#, "422 bad-parameter at /dtype"),
    ("mse", r#""dtype":"float16""#, "422 bad-parameter at /dtype"),
    ("mse", r#""dtype":"torch.float32""#, "422 bad-parameter at /dtype"),
    ("mse", r#""on_empty":"skip""#, "422 bad-parameter at /on_empty"),
    ("mse", r#""on_empty":"NaN""#, "422 bad-parameter at /on_empty"),
    ("mse", r#""profile":"tensorflow""#, "422 bad-parameter at /profile"),
    ("mse", r#""outputs":["loss","grads"]"#, "422 bad-parameter at /outputs"),
    ("mse", r#""outputs":"loss,gradients""#, "422 bad-parameter at /outputs"),
    // Sample weights.
    ("mse", r#""sample_weight":[1,-1]"#, "422 bad-sample-weight at /sample_weight/1"),
    ("mse", r#""sample_weight":[-0.5,1]"#, "422 bad-sample-weight at /sample_weight/0"),
    ("mse", r#""sample_weight":["NaN",1]"#, "422 bad-sample-weight at /sample_weight/0"),
    ("mse", r#""sample_weight":[1,Infinity]"#, "422 bad-sample-weight at /sample_weight/1"),
    ("mse", r#""sample_weight":[1,null]"#, "422 null-not-allowed at /sample_weight/1, hint"),
    ("mse", r#""sample_weight":[1,1e39]"#, "422 number-overflow at /sample_weight/1, hint"),
    ("mse", r#""sample_weight":[1]"#, "422 bad-sample-weight at /sample_weight, hint"),
    ("mse", r#""sample_weight":[1,2,3]"#, "422 bad-sample-weight at /sample_weight, hint"),
    ("mse", r#""sample_weight":[]"#, "422 bad-sample-weight at /sample_weight, hint"),
    ("mse", r#""sample_weight":1"#, "422 bad-sample-weight at /sample_weight, hint"),
    ("mse", r#""sample_weight":[[1,2]]"#, "422 bad-sample-weight at /sample_weight, hint"),
    ("mse", r#""sample_weight":[[1],[2]]"#, "422 bad-sample-weight at /sample_weight, hint"),
    (
        "cross_entropy",
        r#""sample_weight":[[1,1,1],[1,1,1]]"#,
        "422 bad-sample-weight at /sample_weight, hint",
    ),
    (
        "cross_entropy",
        r#""sample_weight":[1,1,1]"#,
        "422 bad-sample-weight at /sample_weight, hint",
    ),
    // A mean over nothing.
    ("mse", r#""sample_weight":[0,0],"on_empty":"error""#, "422 empty-mean, hint"),
    (
        "cross_entropy",
        r#""params":{"ignore_index":[0,1]},"on_empty":"error""#,
        "422 empty-mean, hint",
    ),
    ("cross_entropy", r#""params":{"weight":[0,0,1]},"on_empty":"error""#, "422 empty-mean, hint"),
];

/// A sound request for a loss, whose last brace is missing.
fn open_example(loss: &str) -> String {
    let sound = r#"{"predictions":[2.5,0.5],"targets":[3,-0.5]}"#;
    let known = catalogue::find(loss).unwrap_or_else(|| panic!("there is no loss {loss}"));
    let text = if ["mse", "huber"].contains(&loss) { sound } else { known.card.example };
    text.strip_suffix('}').unwrap_or_else(|| panic!("{loss}: {text} is no object")).to_owned()
}

#[test]
fn members_are_known_stand_once_and_have_a_type() {
    let case = |&(loss, members, expected): &(&str, &str, _)| {
        Case::new(loss, format!("{},{members}}}", open_example(loss)), expected)
    };
    check(&MEMBERS.iter().map(case).collect::<Vec<_>>());
}

#[test]
fn long_names_come_back_cut() {
    let server = Server::new();
    let name = "x".repeat(100_000);
    for (place, members) in [
        ("a member", format!(r#""{name}":1"#)),
        ("a parameter", format!(r#""params":{{"{name}":1}}"#)),
        ("an object", format!(r#""params":{{"{name}":{{}}}}"#)),
        ("a list", format!(r#""params":{{"{name}":["x"]}}"#)),
        ("a reduction", format!(r#""reduction":"{name}""#)),
        ("an output", format!(r#""outputs":["{name}"]"#)),
    ] {
        let body = format!("{},{members}}}", open_example("huber"));
        let answer = server.post("/loss/huber", body);
        assert_eq!(answer.status(), 422, "{place}");
        assert_eq!(not_well_formed(&answer), None, "{place}");
    }
    let answer = server.post(&format!("/loss/{}", &name[..10_000]), SOUND);
    assert_eq!(disagreement(&answer, "404 unknown-loss, hint"), None);
}

/// Parameters of a request that is sound without them.
const PARAMS: &[(&str, &str, &str)] = &[
    // Out of bounds.
    ("huber", r#""delta":0"#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":-1"#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":"NaN""#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":NaN"#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":"Infinity""#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":-Infinity"#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":1e999"#, "422 number-overflow at /params/delta, hint"),
    ("smooth_l1", r#""beta":-1"#, "422 bad-parameter at /params/beta"),
    ("smooth_l1", r#""beta":-1e-300"#, "422 bad-parameter at /params/beta"),
    ("quantile", r#""q":1.5"#, "422 bad-parameter at /params/q"),
    ("quantile", r#""q":-0.1"#, "422 bad-parameter at /params/q"),
    ("quantile", r#""q":[0.1,1.1]"#, "422 bad-parameter at /params/q"),
    ("quantile", r#""q":[]"#, "422 bad-parameter at /params/q"),
    ("quantile", r#""q":[[0.5]]"#, "422 bad-parameter at /params/q"),
    ("triplet_margin", r#""margin":0"#, "422 bad-parameter at /params/margin"),
    ("triplet_margin", r#""margin":-1"#, "422 bad-parameter at /params/margin"),
    ("triplet_margin", r#""p":0"#, "422 bad-parameter at /params/p"),
    ("triplet_margin", r#""p":-1"#, "422 bad-parameter at /params/p"),
    ("triplet_margin", r#""p":"-Infinity""#, "422 bad-parameter at /params/p"),
    ("triplet_margin", r#""eps":-1e-6"#, "422 bad-parameter at /params/eps"),
    ("triplet_margin", r#""swap":1"#, "422 bad-parameter at /params/swap"),
    ("triplet_margin_with_distance", r#""margin":0"#, "422 bad-parameter at /params/margin"),
    (
        "triplet_margin_with_distance",
        r#""distance":"hamming""#,
        "422 bad-parameter at /params/distance",
    ),
    ("triplet_margin_with_distance", r#""distance":2"#, "422 bad-parameter at /params/distance"),
    ("triplet_margin_with_distance", r#""distance":"""#, "422 bad-parameter at /params/distance"),
    ("triplet_margin_with_distance", r#""p":2"#, "422 unknown-parameter at /params/p, hint"),
    ("multi_margin", r#""p":3"#, "422 bad-parameter at /params/p"),
    ("multi_margin", r#""p":0"#, "422 bad-parameter at /params/p"),
    ("multi_margin", r#""p":1.5"#, "422 bad-parameter at /params/p"),
    ("multi_margin", r#""margin":"Infinity""#, "422 bad-parameter at /params/margin"),
    ("multi_margin", r#""weight":[1,2]"#, "422 bad-parameter at /params/weight"),
    (
        "multilabel_margin",
        r#""ignore_index":0"#,
        "422 unknown-parameter at /params/ignore_index, hint",
    ),
    ("multi_margin", r#""ignore_index":0.5"#, "422 bad-parameter at /params/ignore_index"),
    ("cosine_embedding", r#""margin":"NaN""#, "422 bad-parameter at /params/margin"),
    ("margin_ranking", r#""margin":"-Infinity""#, "422 bad-parameter at /params/margin"),
    ("hinge_embedding", r#""margin":null"#, "422 bad-parameter at /params/margin"),
    ("bce", r#""label_smoothing":-0.1"#, "422 bad-parameter at /params/label_smoothing"),
    ("bce", r#""label_smoothing":1.1"#, "422 bad-parameter at /params/label_smoothing"),
    ("bce", r#""pos_weight":[1,1,1]"#, "422 unknown-parameter at /params/pos_weight, hint"),
    ("bce_with_logits", r#""label_smoothing":2"#, "422 bad-parameter at /params/label_smoothing"),
    ("cross_entropy", r#""label_smoothing":-0.1"#, "422 bad-parameter at /params/label_smoothing"),
    ("cross_entropy", r#""label_smoothing":1.1"#, "422 bad-parameter at /params/label_smoothing"),
    ("cross_entropy", r#""label_smoothing":"0.1""#, "422 bad-parameter at /params/label_smoothing"),
    ("sigmoid_focal", r#""alpha":2"#, "422 bad-parameter at /params/alpha"),
    ("sigmoid_focal", r#""alpha":-1.5"#, "422 bad-parameter at /params/alpha"),
    ("sigmoid_focal", r#""alpha":"NaN""#, "422 bad-parameter at /params/alpha"),
    ("sigmoid_focal", r#""gamma":-1"#, "422 bad-parameter at /params/gamma"),
    ("sigmoid_focal", r#""gamma":null"#, "422 bad-parameter at /params/gamma"),
    ("poisson_nll", r#""eps":-1"#, "422 bad-parameter at /params/eps"),
    ("poisson_nll", r#""full":1"#, "422 bad-parameter at /params/full"),
    ("poisson_nll", r#""log_input":"false""#, "422 bad-parameter at /params/log_input"),
    ("gaussian_nll", r#""eps":0"#, "422 bad-parameter at /params/eps"),
    ("gaussian_nll", r#""eps":-1e-6"#, "422 bad-parameter at /params/eps"),
    ("kl_div", r#""log_target":0"#, "422 bad-parameter at /params/log_target"),
    ("kl_div", r#""log_target":null"#, "422 bad-parameter at /params/log_target"),
    ("ctc", r#""blank":3"#, "422 bad-parameter at /params/blank"),
    ("ctc", r#""blank":-1"#, "422 bad-parameter at /params/blank"),
    ("ctc", r#""blank":0.5"#, "422 bad-parameter at /params/blank"),
    ("ctc", r#""blank":1e300"#, "422 bad-parameter at /params/blank"),
    ("ctc", r#""blank":[0]"#, "422 bad-parameter at /params/blank"),
    ("ctc", r#""zero_infinity":"true""#, "422 bad-parameter at /params/zero_infinity"),
    // Of the wrong kind.
    ("huber", r#""delta":"1""#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":true"#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":null"#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":[1]"#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":[]"#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":{}"#, "422 wrong-type at /params/delta"),
    ("huber", r#""delta":["x"]"#, "422 wrong-type at /params/delta/0, hint"),
    ("huber", r#""delta":[null]"#, "422 null-not-allowed at /params/delta/0, hint"),
    ("huber", r#""delta":[[1],[2,3]]"#, "422 ragged-array at /params/delta/1, hint"),
    ("quantile", r#""q":"median""#, "422 bad-parameter at /params/q"),
    ("quantile", r#""q":null"#, "422 bad-parameter at /params/q"),
    // Classes.
    ("cross_entropy", r#""ignore_index":0.5"#, "422 bad-parameter at /params/ignore_index"),
    ("cross_entropy", r#""ignore_index":null"#, "422 bad-parameter at /params/ignore_index"),
    ("cross_entropy", r#""ignore_index":[]"#, "422 bad-parameter at /params/ignore_index"),
    (
        "cross_entropy",
        r#""ignore_index":[0,"x"]"#,
        "422 wrong-type at /params/ignore_index/1, hint",
    ),
    ("cross_entropy", r#""ignore_index":[0,0.5]"#, "422 bad-parameter at /params/ignore_index"),
    ("cross_entropy", r#""class_axis":2"#, "422 bad-parameter at /params/class_axis"),
    ("cross_entropy", r#""class_axis":-3"#, "422 bad-parameter at /params/class_axis"),
    ("cross_entropy", r#""class_axis":0.5"#, "422 bad-parameter at /params/class_axis"),
    ("cross_entropy", r#""class_axis":1e15"#, "422 bad-parameter at /params/class_axis"),
    ("cross_entropy", r#""class_axis":"last""#, "422 bad-parameter at /params/class_axis"),
    ("cross_entropy", r#""class_axis":[1]"#, "422 bad-parameter at /params/class_axis"),
    ("nll", r#""class_axis":-9"#, "422 bad-parameter at /params/class_axis"),
    ("nll", r#""label_smoothing":0.1"#, "422 unknown-parameter at /params/label_smoothing, hint"),
    // Weights.
    ("cross_entropy", r#""weight":[1,2]"#, "422 bad-parameter at /params/weight"),
    ("cross_entropy", r#""weight":[1,2,3,4]"#, "422 bad-parameter at /params/weight"),
    ("cross_entropy", r#""weight":[]"#, "422 bad-parameter at /params/weight"),
    ("cross_entropy", r#""weight":1"#, "422 bad-parameter at /params/weight"),
    ("cross_entropy", r#""weight":"balanced""#, "422 bad-parameter at /params/weight"),
    ("cross_entropy", r#""weight":[1,1,"NaN"]"#, "422 bad-parameter at /params/weight"),
    ("cross_entropy", r#""weight":[1,1,Infinity]"#, "422 bad-parameter at /params/weight"),
    ("cross_entropy", r#""weight":[1,1,null]"#, "422 null-not-allowed at /params/weight/2, hint"),
    ("cross_entropy", r#""weight":[[1],[1],[1]]"#, "422 bad-parameter at /params/weight"),
    ("cross_entropy", r#""weight":[[1,1,1]]"#, "422 bad-parameter at /params/weight"),
    ("nll", r#""weight":[1,2]"#, "422 bad-parameter at /params/weight"),
    ("nll", r#""weight":{"0":1}"#, "422 wrong-type at /params/weight"),
    ("bce", r#""weight":[1,2]"#, "422 bad-parameter at /params/weight"),
    ("bce", r#""weight":[[1,1,1]]"#, "422 bad-parameter at /params/weight"),
    ("bce_with_logits", r#""weight":[1,2]"#, "422 bad-parameter at /params/weight"),
    ("bce_with_logits", r#""pos_weight":[1,2,3,4]"#, "422 bad-parameter at /params/pos_weight"),
    ("bce_with_logits", r#""pos_weight":"3""#, "422 bad-parameter at /params/pos_weight"),
    ("multilabel_soft_margin", r#""weight":[1,2]"#, "422 bad-parameter at /params/weight"),
    // Finite, but not in the dtype of the request.
    ("hinge_embedding", r#""margin":1e39"#, "422 number-overflow at /params/margin, hint"),
    ("cross_entropy", r#""weight":[1,1,1e39]"#, "422 number-overflow at /params/weight/2, hint"),
];

#[test]
fn parameters_have_kinds_and_bounds() {
    let case = |&(loss, params, expected): &(&str, &str, _)| {
        let known = catalogue::find(loss).unwrap_or_else(|| panic!("there is no loss {loss}"));
        let example = known.card.example.trim_end_matches('}');
        Case::new(loss, format!("{example},\"params\":{{{params}}}}}"), expected)
    };
    check(&PARAMS.iter().map(case).collect::<Vec<_>>());
}
