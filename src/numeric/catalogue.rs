//! The catalogue: every loss, and the one with a given name.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::loss::Loss;
use super::losses::{
    aggregate, binary, binary_variants, boxes, class_margin, class_scores, classes, confidence,
    contrastive, cosine, deviance, distribution, divergence, embedding, ensemble, likelihood,
    margin, multilabel, preference, ranking, redundancy, regression, relative, robust, scores,
    segmentation, sequence, similarity, survival, transducer,
};

/// Losses that belong together.
pub struct Family {
    /// The name in the catalogue.
    pub name: &'static str,
    /// What they are for.
    pub title: &'static str,
    /// The losses, file by file.
    files: &'static [&'static [Loss]],
}

impl Family {
    /// The losses.
    pub fn losses(&self) -> impl Iterator<Item = &'static Loss> + Clone {
        self.files.iter().flat_map(|file| file.iter())
    }
}

/// All families, in the order of the documents.
pub const FAMILIES: &[Family] = &[
    Family { name: "regression", title: "Regression", files: &[regression::LOSSES] },
    Family {
        name: "relative",
        title: "Relative errors, and errors of a whole batch",
        files: &[relative::LOSSES, aggregate::LOSSES],
    },
    Family { name: "robust", title: "Robust regression", files: &[robust::LOSSES] },
    Family {
        name: "distribution",
        title: "Counts and distributions",
        files: &[distribution::LOSSES],
    },
    Family { name: "likelihood", title: "Likelihoods with a scale", files: &[likelihood::LOSSES] },
    Family { name: "deviance", title: "Deviances", files: &[deviance::LOSSES] },
    Family { name: "binary", title: "Binary", files: &[binary::LOSSES, binary_variants::LOSSES] },
    Family { name: "margin", title: "Margins", files: &[margin::LOSSES] },
    Family { name: "multilabel", title: "Multi-label", files: &[multilabel::LOSSES] },
    Family {
        name: "classes",
        title: "Classes",
        files: &[classes::LOSSES, confidence::LOSSES, class_margin::LOSSES, class_scores::LOSSES],
    },
    Family { name: "divergence", title: "Divergences", files: &[divergence::LOSSES] },
    Family { name: "sequence", title: "Sequences", files: &[sequence::LOSSES, transducer::LOSSES] },
    Family {
        name: "embedding",
        title: "Pairs and triplets",
        files: &[embedding::LOSSES, cosine::LOSSES],
    },
    Family {
        name: "contrastive",
        title: "Contrast within a batch",
        files: &[contrastive::LOSSES, similarity::LOSSES, redundancy::LOSSES],
    },
    Family { name: "segmentation", title: "Segmentation", files: &[segmentation::LOSSES] },
    Family { name: "boxes", title: "Boxes", files: &[boxes::LOSSES] },
    Family { name: "ranking", title: "Ranking", files: &[ranking::LOSSES] },
    Family { name: "survival", title: "Survival", files: &[survival::LOSSES] },
    Family { name: "scores", title: "Proper scores", files: &[scores::LOSSES, ensemble::LOSSES] },
    Family { name: "preference", title: "Preference", files: &[preference::LOSSES] },
];

/// Every loss, family by family.
pub fn all() -> impl Iterator<Item = &'static Loss> + Clone {
    FAMILIES.iter().flat_map(Family::losses)
}

/// The family of a loss.
pub fn family_of(name: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.losses().any(|loss| loss.card.name == name))
}

/// The loss of that name or alias, however it is spelled: upper case, kebab-case, torch's class
/// name or its function name with `_loss`.
pub fn find(name: &str) -> Option<&'static Loss> {
    static BY_NAME: LazyLock<HashMap<String, &'static Loss>> = LazyLock::new(|| {
        let names = |loss: &'static Loss| {
            let card = &loss.card;
            let plain = card.aliases.iter().chain([&card.name]).map(|name| plain(name));
            plain.chain([card.name.to_owned()]).map(move |name| (name, loss))
        };
        all().flat_map(names).collect()
    });
    if let Some(loss) = BY_NAME.get(name) {
        return Some(loss);
    }
    let plain = plain(name);
    let without_ending = plain.strip_suffix("loss").unwrap_or(&plain);
    BY_NAME.get(&plain).or_else(|| BY_NAME.get(without_ending)).copied()
}

/// A name without its spelling: lower case, letters and digits and what divides words in aliases.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect()
}

/// The names nearest to one that is not there, the nearest first; none if nothing is near.
pub fn nearest(name: &str) -> Vec<&'static str> {
    let asked = plain(name);
    let mut near: Vec<(usize, &'static str)> = all()
        .filter_map(|loss| {
            let spellings = loss.card.aliases.iter().chain([&loss.card.name]);
            let best = spellings.map(|spelling| closeness(&asked, &plain(spelling))).min()?;
            (best <= 1 + asked.len() / 3).then_some((best, loss.card.name))
        })
        .collect();
    near.sort_unstable();
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

fn closeness(asked: &str, name: &str) -> usize {
    // A name that the asked one begins or is part of is near, however long it is.
    if 3 <= asked.len() && name.contains(asked) {
        return 1;
    }
    edit_distance(asked, name)
}

/// How many letters must be added, dropped or changed to turn one word into the other.
pub fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_plain() {
        let mut seen = HashSet::new();
        for loss in all() {
            let card = &loss.card;
            for name in card.aliases.iter().chain([&card.name]) {
                assert!(seen.insert(plain(name)), "{name} stands for two losses");
            }
            assert!(
                card.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            );
        }
    }

    #[test]
    fn cards_are_complete() {
        for loss in all() {
            let card = &loss.card;
            for text in [
                card.title,
                card.summary,
                card.formula,
                card.unreduced,
                card.mean,
                card.kinks,
                card.use_case,
                card.activation,
                card.outliers,
                card.source,
                card.example,
            ] {
                assert!(!text.is_empty(), "{} lacks a part of its card", card.name);
            }
            assert!(card.summary.ends_with('.'), "{}: the summary is a sentence", card.name);
            let differentiable =
                card.inputs.iter().take_while(|input| input.differentiable).count();
            assert!(0 < differentiable, "{} has a gradient", card.name);
            assert!(
                card.inputs[differentiable..].iter().all(|input| !input.differentiable),
                "{}: inputs with a gradient come first",
                card.name
            );
        }
    }

    #[test]
    fn losses_are_found_however_they_are_spelled() {
        let spelled = [
            ("mse", "mse"),
            ("MSE", "mse"),
            ("mse_loss", "mse"),
            ("MSELoss", "mse"),
            ("mae", "l1"),
            ("smooth-l1", "smooth_l1"),
            ("SmoothL1Loss", "smooth_l1"),
            ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits"),
            ("CrossEntropyLoss", "cross_entropy"),
            ("focal", "sigmoid_focal"),
            ("reg:squarederror", "mse"),
            ("KLDivLoss", "kl_div"),
        ];
        for (asked, name) in spelled {
            assert_eq!(find(asked).map(|loss| loss.card.name), Some(name), "{asked}");
        }
        assert!(find("loss").is_none());
        assert!(find("").is_none());
    }

    #[test]
    fn a_name_that_is_not_there_has_near_ones() {
        assert_eq!(nearest("hubber"), ["huber"]);
        assert_eq!(nearest("crossentropi")[0], "cross_entropy");
        assert!(nearest("zzzzzzzzzz").is_empty());
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }
}
