//! Every beginning of a body, and bodies changed at random: never more than a refusal.

use serde_json::Value;

use super::{SOUND, disagreement, not_well_formed, summary};
use crate::harness::Server;

/// Sound bodies of many kinds.
const BODIES: &[(&str, &str)] = &[
    ("mse", r#"{"predictions":[1,-2.5e0],"targets":[1,null],"sample_weight":[1,0.5]}"#),
    ("huber", r#"{"predictions":1,"targets":2,"params":{"delta":0.5},"reduction":"sum"}"#),
    ("quantile", r#"{"predictions":[[1,2],[3,4]],"targets":[1,2],"params":{"q":[0.1,0.9]}}"#),
    (
        "cross_entropy",
        r#"{"predictions":[[2,1,0.1],[0.5,2.5,0.3]],"targets":[0,1],"params":{"weight":[1,2,3],
        "ignore_index":[-1,7],"class_axis":-1},"outputs":["loss","losses","gradients"]}"#,
    ),
    ("cross_entropy", r#"{"predictions":[[2,1],[1,2]],"targets":[[0.5,0.5],[0,1]]}"#),
    ("nll", r#"{"predictions":[[[-1,-2],[-3,-4]]],"targets":[[0,1]],"reduction":"none"}"#),
    ("multi_margin", r#"{"predictions":[[1,2,3]],"targets":[2],"params":{"p":2,"margin":0.5}}"#),
    ("bce", r#"{"predictions":[0.9,0.2],"targets":[1,0],"params":{"weight":[1,2]}}"#),
    (
        "bce_with_logits",
        r#"{"predictions":[[9,-2]],"targets":[[1,0]],"params":{"pos_weight":[3]}}"#,
    ),
    ("sigmoid_focal", r#"{"predictions":[9,-2],"targets":[1,0],"params":{"alpha":null}}"#),
    ("multilabel_soft_margin", r#"{"predictions":[[9,-2]],"targets":[[1,0]],"dtype":"float64"}"#),
    ("multilabel_margin", r#"{"predictions":[[1,2,3]],"targets":[[2,-1,0]]}"#),
    ("poisson_nll", r#"{"predictions":[1,2],"targets":[3,4],"params":{"full":true}}"#),
    ("gaussian_nll", r#"{"predictions":[[1,2]],"targets":[[3,4]],"var":[[1]]}"#),
    ("kl_div", r#"{"predictions":[[-1,-1]],"targets":[[0.5,0.5]],"reduction":"batchmean"}"#),
    ("soft_margin", r#"{"predictions":["NaN",-Infinity],"targets":[1,-1],"validate":false}"#),
    (
        "triplet_margin",
        r#"{"anchor":[[1,0]],"positive":[[0,1]],"negative":[[1,1]],"params":{"swap":true}}"#,
    ),
    (
        "triplet_margin_with_distance",
        r#"{"anchor":[1,0],"positive":[0,1],"negative":[1,1],"params":{"distance":"cosine"}}"#,
    ),
    ("cosine_embedding", r#"{"input1":[[1,2]],"input2":[[3,4]],"targets":[-1]}"#),
    ("margin_ranking", r#"{"input1":[1,2],"input2":[3,4],"targets":[1,-1],"on_empty":"zero"}"#),
    (
        "ctc",
        r#"{"predictions":[[[-1,-1,-1]],[[-1,-1,-1]]],"targets":[[1,2]],"input_lengths":[2],
        "target_lengths":2,"params":{"blank":0,"zero_infinity":true}}"#,
    ),
];

#[test]
fn no_beginning_of_a_body_is_a_body() {
    let server = Server::new();
    let mut wrong = Vec::new();
    for (loss, body) in BODIES {
        let path = format!("/loss/{loss}");
        let whole = server.post(&path, *body);
        assert_eq!(whole.status(), 200, "{loss} {body}: {}", whole.text());
        for length in 0..body.len() {
            let beginning = &body[..length];
            let answer = server.post(&path, beginning);
            let expected =
                if length == 0 { "400 malformed-json, hint" } else { "400 malformed-json" };
            if let Some(difference) = disagreement(&answer, expected) {
                wrong.push(format!("{loss} {beginning}\n    {difference}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// What has a meaning in JSON, so that more than the first step of reading is reached.
const MEANING: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "[]",
    ",",
    ":",
    "\"",
    "\\",
    "-",
    "+",
    ".",
    "e",
    "0",
    "1",
    "9",
    "2.5",
    "null",
    "true",
    "NaN",
    "-Infinity",
    "1e39",
    "1e400",
    "\"Infinity\"",
    " ",
    "\\u0000",
    "-1",
    "[[",
    "]]",
    "[1,2]",
    "{}",
    "\"sum\"",
    "-100",
    "1e15",
    "0.5",
    "1e-45",
];

/// A generator of numbers that look random and are the same every time.
struct Xorshift(u64);

impl Xorshift {
    /// A number below a limit that is not 0.
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("the limit fits")
    }

    /// A stretch of a text, at most so long.
    fn stretch(&mut self, text: &[u8], longest: usize) -> std::ops::Range<usize> {
        let start = self.below(text.len() + 1);
        let end = text.len().min(start + self.below(longest));
        start..end
    }

    /// Changes a text in one place.
    fn mutate(&mut self, text: &mut Vec<u8>) {
        let at = self.stretch(text, 8);
        match self.below(10) {
            0 if at.start < text.len() => text[at.start] ^= 1 << self.below(8),
            1 => {
                text.drain(at);
            }
            2 => {
                let copy = text[at.clone()].to_vec();
                text.splice(at.start..at.start, copy);
            }
            3 => {
                let (_, other) = BODIES[self.below(BODIES.len())];
                let piece = other.as_bytes()[self.stretch(other.as_bytes(), 30)].to_vec();
                text.splice(at, piece);
            }
            4 => {
                let piece = MEANING[self.below(MEANING.len())].bytes();
                text.splice(at.start..at.start, piece);
            }
            _ => {
                // A whole value for another one: what still is JSON gets furthest.
                let values = |c: &u8| c.is_ascii_digit();
                if let Some(place) = text[at.start..].iter().position(values) {
                    let place = at.start + place;
                    let piece = MEANING[self.below(MEANING.len())].bytes();
                    text.splice(place..=place, piece);
                }
            }
        }
    }
}

#[test]
fn whatever_comes_is_answered_or_refused() {
    const ROUNDS: usize = 20_000;
    let server = Server::new();
    let mut random = Xorshift(0x9E37_79B9_7F4A_7C15);
    let (mut answered, mut codes) = (0, std::collections::BTreeSet::new());
    for round in 0..ROUNDS {
        let (loss, body) = BODIES[round % BODIES.len()];
        let mut text = body.as_bytes().to_vec();
        for _ in 0..[1, 1, 1, 2, 4][random.below(5)] {
            random.mutate(&mut text);
        }
        let answer = server.post(&format!("/loss/{loss}"), text.clone());
        let case = || format!("{loss} {}: {}", String::from_utf8_lossy(&text), answer.text());
        match answer.status().as_u16() {
            200 => {
                answered += 1;
                assert_eq!(answer.header("content-type"), Some("application/json"), "{}", case());
                assert!(serde_json::from_slice::<Value>(&answer.body).is_ok(), "{}", case());
            }
            400..=499 => {
                assert_eq!(not_well_formed(&answer), None, "{}", case());
                codes.insert(summary(&answer).split([' ', ',']).nth(1).unwrap_or("").to_owned());
            }
            _ => panic!("{}", case()),
        }
    }
    // If nearly nothing were answered, or nearly all refusals were of one kind, the mutations would
    // be too coarse to find anything.
    assert!(ROUNDS / 20 < answered, "only {answered} of {ROUNDS} were answered");
    assert!(10 <= codes.len(), "only {codes:?}");
    assert_eq!(server.post("/loss/mse", SOUND).status(), 200);
}
