//! `Card`: all that is known of a loss besides its arithmetic. Checks, documents, the catalogue
//! and the tests are made from it, so it is written once, beside the loss's body.

pub use super::profile::{Preset, PresetValue, Profile};
pub use super::task::Task;

/// The description of a loss.
#[derive(Clone, Copy, Debug)]
pub struct Card {
    /// The canonical name, as torch.nn.functional has it without the `_loss` ending.
    pub name: &'static str,
    /// The name as people say it.
    pub title: &'static str,
    /// One sentence: what it measures.
    pub summary: &'static str,
    /// The unreduced loss in LaTeX.
    pub formula: &'static str,
    /// The inputs, those with a gradient first.
    pub inputs: &'static [Input],
    /// The parameters.
    pub params: &'static [Param],
    /// The shape of the unreduced loss.
    pub unreduced: &'static str,
    /// Whether the reduction `batchmean` exists.
    pub batchmean: bool,
    /// What the mean divides by.
    pub mean: &'static str,
    /// The gradient where the loss has a kink or a clamp.
    pub kinks: &'static str,
    /// The tasks that it is for.
    pub tasks: &'static [Task],
    /// What it is used for.
    pub use_case: &'static str,
    /// What the model's last layer should be.
    pub activation: &'static str,
    /// How it takes outliers.
    pub outliers: &'static str,
    /// The paper or library it comes from.
    pub source: &'static str,
    /// Where it or other libraries differ.
    pub differences: &'static [&'static str],
    /// The parameters in which other libraries' defaults differ.
    pub presets: &'static [Preset],
    /// Other names that are accepted.
    pub aliases: &'static [&'static str],
    /// A request to learn from; its answer is checked against an outside value.
    pub example: &'static str,
}

impl Card {
    /// What most elementwise losses of a prediction and a target have in common.
    pub const PAIR: Card = Card {
        name: "",
        title: "",
        summary: "",
        formula: "",
        inputs: &[Input::PREDICTIONS, Input::TARGETS],
        params: &[],
        unreduced: "[…]",
        batchmean: false,
        mean: "the number of elements",
        kinks: "smooth everywhere",
        tasks: &[Task::Regression],
        use_case: "",
        activation: "linear",
        outliers: "",
        source: "",
        differences: &[],
        presets: &[],
        aliases: &[],
        example: "",
    };

    /// The place of an input in the list.
    pub fn input(&self, name: &str) -> Option<usize> {
        self.inputs.iter().position(|input| input.name == name)
    }

    /// The place of the input whose elements may be missing labels.
    pub fn label(&self) -> Option<usize> {
        self.inputs.iter().position(|input| input.label)
    }

    /// Whether the elements of the unreduced loss are those of the inputs.
    pub fn is_elementwise(&self) -> bool {
        self.unreduced == Card::PAIR.unreduced
    }

    /// The place of a parameter in the list.
    pub fn param(&self, name: &str) -> Option<usize> {
        self.params.iter().position(|param| param.name == name)
    }

    /// The reductions that the loss knows.
    pub fn reductions(&self) -> &'static [&'static str] {
        if self.batchmean {
            &["none", "mean", "sum", "batchmean"]
        } else {
            &["none", "mean", "sum"]
        }
    }
}

/// One input of a loss.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// The member of the request.
    pub name: &'static str,
    /// Its shape, in brackets.
    pub shape: &'static str,
    /// Which values it takes.
    pub domain: Domain,
    /// Whether the answer has a gradient for it.
    pub differentiable: bool,
    /// Whether `null` may stand for a label that has not arrived.
    pub label: bool,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether a loss of rows takes one element of it per row.
    pub per_row: bool,
    /// What it is.
    pub doc: &'static str,
}

impl Input {
    /// Predictions of any shape and value.
    pub const PREDICTIONS: Input = Input {
        name: "predictions",
        shape: "[…]",
        domain: Domain::Real,
        differentiable: true,
        label: false,
        optional: false,
        per_row: false,
        doc: "what the model said",
    };
    /// Targets of the predictions' shape and any value.
    pub const TARGETS: Input = Input {
        name: "targets",
        shape: "[…]",
        domain: Domain::Real,
        differentiable: false,
        label: true,
        optional: false,
        per_row: false,
        doc: "what was right",
    };
}

/// The values that an input takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// Any number.
    Real,
    /// Any number; a probability here is a mistake that a warning names. Classes on the class axis.
    Logits,
    /// Any number; a probability here is a mistake that a warning names. Each element by itself.
    BinaryLogits,
    /// From 0 to 1; torch refuses others too.
    Probability,
    /// Logarithms of probabilities: not above 0; a warning names others. Classes on the class axis.
    LogProbability,
    /// From 0 to 1, or anything with `validate` false.
    Unit,
    /// 0 or 1, or anything with `validate` false.
    Binary,
    /// -1 or 1, or anything with `validate` false; a warning names 0 and 1.
    Sign,
    /// Not negative, or anything with `validate` false.
    NotNegative,
    /// Above 0, or anything with `validate` false.
    Positive,
    /// Above -1, or anything with `validate` false.
    AboveMinusOne,
    /// As `Positive`; with the parameter `log_link`, or `power` 0, any number.
    Mean,
    /// What a Tweedie distribution of the parameter `power` gives: any number up to power 0,
    /// not negative below power 2, else above 0.
    Tweedie,
    /// Not negative; torch refuses others too.
    Variance,
    /// Probabilities over classes, or anything with `validate` false; a warning names rows that
    /// do not sum to 1.
    Distribution,
    /// Whole numbers: the index of a class.
    Class,
    /// Whole numbers that say which samples belong together.
    Label,
    /// As `Distribution`; with the parameter `log_target`, logarithms of probabilities.
    DistributionOrLog,
    /// The index of a class, or probabilities over classes if the shape is that of the logits.
    ClassOrDistribution,
    /// Class indices ended by -1.
    ClassList,
    /// Whole numbers, not negative.
    Length,
    /// Below 0: the logarithm of a probability below 1, or anything with `validate` false.
    Negative,
    /// From -1 to 1, or anything with `validate` false.
    Cosine,
    /// Vectors of length 1; a warning names others.
    UnitVector,
}

impl Domain {
    /// The domain in words, for documents.
    pub const fn describe(self) -> &'static str {
        match self {
            Domain::Real | Domain::BinaryLogits | Domain::Logits => "real",
            Domain::Probability | Domain::Unit => "from 0 to 1",
            Domain::LogProbability => "log-probability, at most 0",
            Domain::Sign => "-1 or 1",
            Domain::NotNegative | Domain::Variance => "at least 0",
            Domain::Positive => "above 0",
            Domain::AboveMinusOne => "above -1",
            Domain::Mean => "above 0, or a logarithm of such a number",
            Domain::Tweedie => "at least 0; above 0 from power 2 on; any number up to power 0",
            Domain::Distribution => "probabilities that sum to 1",
            Domain::DistributionOrLog => "probabilities that sum to 1, or their logarithms",
            Domain::Binary => "0 or 1",
            Domain::Negative => "below 0",
            Domain::Cosine => "from -1 to 1",
            Domain::Label => "whole number",
            Domain::Class => "class index",
            Domain::ClassOrDistribution => "class index, or probabilities that sum to 1",
            Domain::ClassList => "class indices, ended by -1",
            Domain::Length => "whole number, at least 0",
            Domain::UnitVector => "vector of length 1",
        }
    }

    /// Whether the input holds classes, or may do so.
    pub const fn is_class(self) -> bool {
        matches!(self, Domain::Class | Domain::ClassOrDistribution)
    }

    /// Whether the input holds whole numbers.
    pub const fn is_integer(self) -> bool {
        matches!(self, Domain::Class | Domain::ClassList | Domain::Label | Domain::Length)
    }
}

/// One parameter of a loss.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// The name, torch's keyword where torch has it.
    pub name: &'static str,
    /// Which values it takes.
    pub kind: ParamKind,
    /// What it is when it is not given.
    pub default: Default,
    /// What it means.
    pub doc: &'static str,
}

/// The values that a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ParamKind {
    /// A number within bounds.
    Number(Bounds),
    /// A number within bounds, or `null` for off.
    NumberOrOff(Bounds),
    /// A number within bounds, or a list of them.
    NumberOrList(Bounds),
    /// A whole number.
    Integer,
    /// A whole number or a list of them.
    IntegerOrList,
    /// `true` or `false`.
    Flag,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// A number or an array of numbers, repeated as torch broadcasts it.
    Weights,
    /// A list of numbers.
    List,
}

/// The default of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    /// A number.
    Number(f64),
    /// `true` or `false`.
    Flag(bool),
    /// A word.
    Word(&'static str),
    /// Nothing: the parameter has no effect unless it is given.
    None,
}

/// The bounds of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The lower bound.
    pub min: f64,
    /// Whether the lower bound itself is allowed.
    pub min_included: bool,
    /// The upper bound; it is allowed itself.
    pub max: f64,
    /// The values that are allowed, where only some are.
    pub only: &'static [f64],
}

impl Bounds {
    /// Any finite number.
    pub const ANY: Bounds =
        Bounds { min: f64::NEG_INFINITY, min_included: false, max: f64::MAX, only: &[] };
    /// Above 0.
    pub const POSITIVE: Bounds = Bounds { min: 0.0, ..Bounds::ANY };
    /// At least 0.
    pub const NOT_NEGATIVE: Bounds = Bounds { min_included: true, ..Bounds::POSITIVE };
    /// From 0 to 1.
    pub const UNIT: Bounds = Bounds { max: 1.0, ..Bounds::NOT_NEGATIVE };

    /// Whether a number lies within.
    pub fn allow(self, x: f64) -> bool {
        let above = if self.min_included { self.min <= x } else { self.min < x };
        above && x <= self.max && (self.only.is_empty() || self.only.contains(&x))
    }

    /// The bounds in words.
    pub fn describe(self) -> String {
        if !self.only.is_empty() {
            let words: Vec<String> = self.only.iter().map(f64::to_string).collect();
            return words.join(" or ");
        }
        let lower = match (self.min, self.min_included) {
            (f64::NEG_INFINITY, _) => None,
            (min, true) => Some(format!("at least {min}")),
            (min, false) => Some(format!("above {min}")),
        };
        let upper = match self.max {
            f64::INFINITY => Some("infinity allowed".to_owned()),
            f64::MAX => None,
            max => Some(format!("at most {max}")),
        };
        let words: Vec<String> = [lower, upper].into_iter().flatten().collect();
        if words.is_empty() { "finite".to_owned() } else { words.join(", ") }
    }
}

impl Param {
    /// A number.
    pub const fn number(
        name: &'static str,
        default: f64,
        bounds: Bounds,
        doc: &'static str,
    ) -> Param {
        Param { name, kind: ParamKind::Number(bounds), default: Default::Number(default), doc }
    }

    /// A switch.
    pub const fn flag(name: &'static str, default: bool, doc: &'static str) -> Param {
        Param { name, kind: ParamKind::Flag, default: Default::Flag(default), doc }
    }

    /// A list of weights that is absent by default.
    pub const fn list(name: &'static str, doc: &'static str) -> Param {
        Param { name, kind: ParamKind::List, default: Default::None, doc }
    }

    /// An array of weights that is absent by default.
    pub const fn weights(name: &'static str, doc: &'static str) -> Param {
        Param { name, kind: ParamKind::Weights, default: Default::None, doc }
    }
}
