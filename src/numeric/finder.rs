//! The right loss for a purpose: filters by what the cards say, and a ranked short list for a
//! question in words.

use super::card::{Card, Task};
use super::catalogue;
use super::loss::Loss;

/// What a model's last layer gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing: the loss takes raw scores and does the rest itself.
    Logits,
    /// A sigmoid: probabilities one by one.
    Sigmoid,
    /// A softmax: probabilities over classes.
    Softmax,
    /// A log-softmax, or other log-probabilities.
    LogProbability,
    /// Numbers of any size.
    Linear,
    /// Positive numbers: an exponential or softplus.
    Positive,
    /// Vectors of length 1, their cosines or distances.
    Normalised,
}

impl Activation {
    /// Each kind with the words that say it in a card.
    const WORDS: [(Activation, &'static [&'static str]); 7] = [
        (Activation::Logits, &["logits", "none: raw", "raw scores"]),
        (Activation::Sigmoid, &["sigmoid"]),
        (Activation::LogProbability, &["log-softmax", "log-probabilit", "logarithm"]),
        (Activation::Softmax, &["softmax"]),
        (Activation::Linear, &["linear"]),
        (Activation::Positive, &["exponential", "softplus", "above 0", "positive"]),
        (Activation::Normalised, &["normalised", "normalized", "cosine", "distance"]),
    ];

    /// All kinds.
    pub const ALL: [Activation; 7] = [
        Activation::Logits,
        Activation::Sigmoid,
        Activation::Softmax,
        Activation::LogProbability,
        Activation::Linear,
        Activation::Positive,
        Activation::Normalised,
    ];

    /// The name in the catalogue.
    pub const fn name(self) -> &'static str {
        match self {
            Activation::Logits => "logits",
            Activation::Sigmoid => "sigmoid",
            Activation::Softmax => "softmax",
            Activation::LogProbability => "log-probability",
            Activation::Linear => "linear",
            Activation::Positive => "positive",
            Activation::Normalised => "normalised",
        }
    }

    /// The kind of that name, or of another one that is used for it.
    pub fn named(name: &str) -> Option<Activation> {
        let other = match name {
            "none" => "logits",
            "log-softmax" => "log-probability",
            "exponential" | "softplus" => "positive",
            "normalized" => "normalised",
            name => name,
        };
        Activation::ALL.into_iter().find(|kind| kind.name() == other)
    }

    /// The kinds that a card's text names. What is inside a loss of raw logits is not the model's.
    pub fn of(card: &Card) -> Vec<Activation> {
        if card.activation.starts_with("none") {
            return vec![Activation::Logits];
        }
        let text = card.activation.to_lowercase();
        let said = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let mut kinds: Vec<Activation> = Activation::WORDS
            .into_iter()
            .filter(|(_, words)| said(words))
            .map(|(kind, _)| kind)
            .collect();
        if !text.replace("log-softmax", "").contains("softmax") {
            kinds.retain(|&kind| kind != Activation::Softmax);
        }
        kinds
    }
}

/// How a loss takes outliers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outliers {
    /// They rule it.
    Sensitive,
    /// They count, but not beyond measure.
    Partly,
    /// They do not matter more than others.
    Robust,
}

impl Outliers {
    /// What a card says, whose text begins with yes, partly or no.
    pub fn of(card: &Card) -> Option<Outliers> {
        let first = card.outliers.split(|c: char| !c.is_alphabetic()).next();
        match first {
            Some("yes") => Some(Outliers::Sensitive),
            Some("partly") => Some(Outliers::Partly),
            Some("no") => Some(Outliers::Robust),
            _ => None,
        }
    }
}

/// Words that name a task.
const TASK_WORDS: [(&str, &[Task]); 56] = [
    ("regression", &[Task::Regression]),
    ("continuous", &[Task::Regression]),
    ("counts", &[Task::Counts]),
    ("count", &[Task::Counts]),
    ("claims", &[Task::Counts]),
    ("forecasting", &[Task::Forecasting]),
    ("forecast", &[Task::Forecasting]),
    ("forecasts", &[Task::Forecasting]),
    ("uncertainty", &[Task::Forecasting]),
    ("quantile", &[Task::Forecasting]),
    ("quantiles", &[Task::Forecasting]),
    ("interval", &[Task::Forecasting]),
    ("intervals", &[Task::Forecasting]),
    ("probabilistic", &[Task::Forecasting]),
    ("classification", &[Task::Binary, Task::MultiClass]),
    ("binary", &[Task::Binary]),
    ("fraud", &[Task::Binary]),
    ("clicks", &[Task::Binary]),
    ("multi-label", &[Task::MultiLabel]),
    ("multilabel", &[Task::MultiLabel]),
    ("tags", &[Task::MultiLabel]),
    ("multi-class", &[Task::MultiClass]),
    ("multiclass", &[Task::MultiClass]),
    ("classes", &[Task::MultiClass]),
    ("ordinal", &[Task::Ordinal]),
    ("ordered", &[Task::Ordinal]),
    ("ratings", &[Task::Ordinal]),
    ("grades", &[Task::Ordinal]),
    ("distillation", &[Task::Distillation]),
    ("teacher", &[Task::Distillation]),
    ("drift", &[Task::Distillation]),
    ("sequence", &[Task::Sequence]),
    ("sequences", &[Task::Sequence]),
    ("speech", &[Task::Sequence]),
    ("handwriting", &[Task::Sequence]),
    ("embedding", &[Task::Embedding]),
    ("embeddings", &[Task::Embedding]),
    ("similarity", &[Task::Embedding]),
    ("retrieval", &[Task::Embedding]),
    ("faces", &[Task::Embedding]),
    ("metric", &[Task::Embedding]),
    ("contrastive", &[Task::Embedding]),
    ("segmentation", &[Task::Segmentation]),
    ("pixels", &[Task::Segmentation]),
    ("detection", &[Task::Detection]),
    ("boxes", &[Task::Detection]),
    ("ranking", &[Task::Ranking]),
    ("rank", &[Task::Ranking]),
    ("recommendation", &[Task::Ranking]),
    ("survival", &[Task::Survival]),
    ("churn", &[Task::Survival]),
    ("censored", &[Task::Survival]),
    ("preference", &[Task::Preference]),
    ("preferences", &[Task::Preference]),
    ("alignment", &[Task::Preference]),
    ("reward", &[Task::Preference]),
];
const OUTLIER_WORDS: [&str; 7] =
    ["outlier", "outliers", "robust", "noise", "noisy", "heavy-tailed", "spikes"];
const IMBALANCE_WORDS: [&str; 6] =
    ["imbalance", "imbalanced", "unbalanced", "rare", "skewed", "unequal"];
const NEGATIONS: [&str; 4] = ["no", "not", "without", "few"];
/// Words that say nothing of the purpose.
const FILLERS: [&str; 20] = [
    "with", "the", "and", "for", "from", "that", "which", "what", "loss", "losses", "should",
    "model", "output", "task", "use", "have", "has", "are", "data", "labels",
];

/// The losses that people reach for first.
const FIRST_CHOICES: [&str; 24] = [
    "mse",
    "l1",
    "huber",
    "poisson_nll",
    "gaussian_nll",
    "quantile",
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy",
    "sigmoid_focal",
    "cross_entropy",
    "nll",
    "softmax_focal",
    "ordinal",
    "kl_div",
    "ctc",
    "triplet_margin",
    "info_nce",
    "dice",
    "giou",
    "lambdarank",
    "bpr",
    "cox_ph",
    "crps_gaussian",
    "dpo",
];

/// What a question asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// The tasks that it names.
    pub tasks: Vec<Task>,
    /// Whether there are outliers, where it says.
    pub outliers: Option<bool>,
    /// Whether classes are of very different sizes, where it says.
    pub imbalance: Option<bool>,
    /// What the model's last layer gives, where it says.
    pub activation: Option<Activation>,
    /// Its other words.
    pub words: Vec<String>,
}

impl Question {
    /// Reads a question such as `binary classification, rare positives, logits`, or
    /// `task=regression, outliers=yes`.
    pub fn read(text: &str) -> Question {
        let mut question = Question::default();
        let mut negated = false;
        let lower = text.to_lowercase();
        let words = lower.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '=' | ':')));
        for word in words.filter(|word| !word.is_empty()) {
            let (key, value) = word.split_once(['=', ':']).unwrap_or(("", word));
            if NEGATIONS.contains(&value) && key.is_empty() {
                negated = true;
                continue;
            }
            let no = negated || matches!(value, "no" | "false");
            let subject =
                if key.is_empty() || key == "task" || key == "activation" { value } else { key };
            question.take(subject, !no);
            negated = false;
        }
        question
    }

    fn take(&mut self, word: &str, affirmed: bool) {
        if let Some((_, tasks)) = TASK_WORDS.iter().find(|(name, _)| *name == word) {
            for &task in *tasks {
                if !self.tasks.contains(&task) {
                    self.tasks.push(task);
                }
            }
            // A word for a part of a task is looked for in the cards as well.
            if tasks.iter().all(|task| task.name() != word) {
                self.words.push(word.to_owned());
            }
        } else if OUTLIER_WORDS.contains(&word) {
            self.outliers = Some(affirmed);
            // Labels can be noisy too, which some cards name.
            if word.starts_with("nois") {
                self.words.push(word.to_owned());
            }
        } else if IMBALANCE_WORDS.contains(&word) {
            self.imbalance = Some(affirmed);
        } else if let Some(activation) = Activation::named(word) {
            self.activation = Some(activation);
        } else if 3 <= word.len() && !FILLERS.contains(&word) {
            self.words.push(word.to_owned());
        }
    }

    /// The losses that answer it best, the best one first, each with a sentence why.
    pub fn answer(&self) -> Vec<(&'static Loss, String)> {
        /// How many losses a short list has.
        const SHORT: usize = 5;
        let mut scored: Vec<(i32, &'static Loss)> =
            catalogue::all().filter_map(|loss| Some((self.score(&loss.card)?, loss))).collect();
        // Equal ones stay in the order of the catalogue.
        scored.sort_by_key(|(score, _)| -score);
        scored.into_iter().take(SHORT).map(|(_, loss)| (loss, self.sentence(&loss.card))).collect()
    }

    /// How well a loss fits; none if it is for something else.
    fn score(&self, card: &Card) -> Option<i32> {
        let place = card.tasks.iter().position(|task| self.tasks.contains(task));
        let purpose = [card.name, card.title, card.use_case];
        let says = |word: &&String| {
            let mut texts = purpose.iter().chain(card.aliases);
            texts.any(|text| text.to_lowercase().contains(word.as_str()))
        };
        let hits = self.words.iter().filter(says).count().min(3) as i32;
        let mut score = match place {
            _ if self.tasks.is_empty() => 0,
            Some(0) => 4,
            Some(_) => 2,
            None => return None,
        };
        if self.tasks.is_empty() && !self.words.is_empty() && hits == 0 {
            return None;
        }
        let shared = card.tasks.iter().filter(|task| self.tasks.contains(task)).count();
        if 1 < shared {
            score += 2;
        }
        score += 3 * hits;
        score += match (self.outliers, Outliers::of(card)?) {
            (None, _) | (Some(false), Outliers::Partly | Outliers::Robust) => 0,
            (Some(true), _) if card.use_case.contains("outlier") => 4,
            (Some(true), Outliers::Robust) => 3,
            (Some(true), Outliers::Partly) => 2,
            (Some(true), Outliers::Sensitive) => -4,
            (Some(false), Outliers::Sensitive) => 1,
        };
        if let Some(true) = self.imbalance {
            score += match imbalance(card) {
                Imbalance::Made => 5,
                Imbalance::Weights => 2,
                Imbalance::None => 0,
            };
        }
        if let Some(wanted) = self.activation {
            score += if Activation::of(card).contains(&wanted) { 3 } else { -2 };
        }
        Some(score + if FIRST_CHOICES.contains(&card.name) { 2 } else { 0 })
    }

    /// Why a loss is on the list, in the words of its card.
    fn sentence(&self, card: &Card) -> String {
        let mut sentence = format!("{}: for {}", card.title, card.use_case);
        if self.outliers.is_some() {
            sentence += &format!("; sensitive to outliers: {}", card.outliers);
        }
        if self.imbalance == Some(true) {
            sentence += match imbalance(card) {
                Imbalance::Made => "; made for unequal classes",
                Imbalance::Weights => "; unequal classes by its weights",
                Imbalance::None => "; unequal classes by sample_weight only",
            };
        }
        sentence + &format!("; output activation: {}.", card.activation)
    }
}

enum Imbalance {
    Made,
    Weights,
    None,
}

fn imbalance(card: &Card) -> Imbalance {
    let weighed = |name: &str| card.param(name).is_some();
    if card.use_case.contains("imbalance") || card.use_case.contains("few positives") {
        Imbalance::Made
    } else if weighed("pos_weight") || weighed("weight") {
        Imbalance::Weights
    } else {
        Imbalance::None
    }
}

/// Whether a card has a word in any of its texts.
pub fn mentions(card: &Card, word: &str) -> bool {
    let word = word.to_lowercase();
    let texts = [card.name, card.title, card.summary, card.use_case, card.activation, card.source];
    texts.iter().chain(card.aliases).any(|text| text.to_lowercase().contains(&word))
}

/// Whether the targets of a loss, or what stands for them, are of a domain whose description has
/// these words.
pub fn takes_targets(card: &Card, words: &str) -> bool {
    let words = words.to_lowercase();
    card.inputs.iter().any(|input| input.label && input.domain.describe().contains(&words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::card::Domain;

    fn short_list(text: &str) -> Vec<&'static str> {
        Question::read(text).answer().into_iter().map(|(loss, _)| loss.card.name).collect()
    }

    #[test]
    fn every_card_says_its_tasks_activation_and_outliers_so_that_it_can_be_found() {
        for loss in catalogue::all() {
            let card = &loss.card;
            assert!(!card.tasks.is_empty(), "{} has a task", card.name);
            assert!(!Activation::of(card).is_empty(), "{}: {}", card.name, card.activation);
            assert!(Outliers::of(card).is_some(), "{}: {}", card.name, card.outliers);
            // A default that was forgotten: only numbers are regressed on.
            let numbers = card.inputs.iter().filter(|input| input.label).all(|input| {
                !input.domain.is_integer()
                    && !matches!(input.domain, Domain::Sign | Domain::Binary | Domain::Distribution)
            });
            assert!(numbers || card.tasks[0] != Task::Regression, "{}", card.name);
        }
        for task in Task::ALL {
            let name = task.name();
            assert!(Question::read(name).tasks == [task], "{name} is understood");
            assert!(catalogue::all().any(|loss| loss.card.tasks[0] == task), "{name} has a loss");
        }
        for kind in Activation::ALL {
            assert_eq!(Activation::named(kind.name()), Some(kind));
            assert!(
                catalogue::all().any(|loss| Activation::of(&loss.card).contains(&kind)),
                "{kind:?}"
            );
        }
        for name in FIRST_CHOICES {
            assert!(catalogue::all().any(|loss| loss.card.name == name), "{name}");
        }
    }

    #[test]
    fn questions_of_the_field_get_the_answers_of_the_field() {
        let first = [
            ("regression", "mse"),
            ("regression with outliers", "huber"),
            ("binary classification, logits", "binary_cross_entropy_with_logits"),
            ("binary classification, sigmoid", "binary_cross_entropy"),
            ("binary, rare positives, logits", "sigmoid_focal"),
            ("multi-class", "cross_entropy"),
            ("multi-class, log-softmax", "nll"),
            ("segmentation with class imbalance", "dice"),
            ("counts", "poisson_nll"),
            ("probabilistic regression", "crps_gaussian"),
            ("multi-class, noisy labels", "generalized_cross_entropy"),
            ("metric learning, embeddings, faces", "triplet_margin"),
            ("distillation", "kl_div"),
            ("ranking", "lambdarank"),
            ("survival", "cox_ph"),
            ("boxes", "giou"),
            ("preferences", "dpo"),
        ];
        for (question, name) in first {
            assert_eq!(
                short_list(question).first(),
                Some(&name),
                "{question}: {:?}",
                short_list(question)
            );
        }
    }

    #[test]
    fn a_question_is_understood_however_it_is_put() {
        let question = Question::read("Task=regression, outliers=yes; activation:linear");
        assert_eq!(question.tasks, [Task::Regression]);
        assert_eq!(question.outliers, Some(true));
        assert_eq!(question.activation, Some(Activation::Linear));
        assert_eq!(Question::read("regression without outliers").outliers, Some(false));
        assert_eq!(Question::read("outliers=no").outliers, Some(false));
        assert_eq!(Question::read("pinball").words, ["pinball"]);
        assert_eq!(short_list("pinball").first(), Some(&"quantile"));
        assert!(short_list("flugelhorn").is_empty());
        assert!(!short_list("regression without outliers").contains(&"tukey_biweight"));
    }
}
