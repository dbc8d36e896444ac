//! `Args`: the parameters of one job, read and checked against the loss's card.

use super::card::{Bounds, Card, Default, Param, ParamKind, PresetValue, Profile};
use super::fault::Fault;
use super::tensor::Tensor;

/// A parameter as the caller gave it, before the card has been asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// A number.
    Number(f64),
    /// `true` or `false`.
    Flag(bool),
    /// A word.
    Word(String),
    /// An array of numbers.
    Numbers(Tensor<f64>),
    /// `null`.
    Off,
}

/// The parameters of one job, in the order of the card.
#[derive(Clone, Debug)]
pub struct Args {
    card: &'static Card,
    values: Vec<Given>,
}

impl Args {
    /// The card's defaults.
    pub fn defaults(card: &'static Card) -> Args {
        Args::of_profile(card, Profile::Torch, f64::EPSILON)
    }

    /// A library's defaults, in a dtype of this precision.
    pub fn of_profile(card: &'static Card, profile: Profile, epsilon: f64) -> Args {
        let value = |param: &Param| {
            let preset =
                card.presets.iter().find(|p| p.profile == profile && p.param == param.name);
            // Classes are on the last axis in every library but torch.
            let last =
                param.name == "class_axis" && matches!(profile, Profile::Keras | Profile::Optax);
            let value = match preset.map(|preset| preset.value) {
                Some(PresetValue::Epsilon) => return Given::Number(epsilon),
                Some(PresetValue::Is(value)) => value,
                None => param.default,
            };
            match value {
                Default::Number(_) if last => Given::Number(-1.0),
                Default::Number(x) => Given::Number(x),
                Default::Flag(on) => Given::Flag(on),
                Default::Word(word) => Given::Word(word.to_owned()),
                Default::None => Given::Off,
            }
        };
        Args { card, values: card.params.iter().map(value).collect() }
    }

    /// The loss that these are the parameters of.
    pub fn card(&self) -> &'static Card {
        self.card
    }

    /// Sets one parameter.
    ///
    /// # Errors
    /// `Kind::Parameter` if the value is of the wrong kind or out of bounds.
    pub fn set(&mut self, place: usize, given: Given) -> Result<(), Fault> {
        let param = &self.card.params[place];
        self.values[place] = checked(param, given)?;
        Ok(())
    }

    /// The loss's parameter of that name.
    fn named(&self, name: &str) -> Option<&'static Param> {
        self.card.params.iter().find(|param| param.name == name)
    }

    fn get(&self, param: &Param) -> &Given {
        let place = self.card.param(param.name);
        &self.values[place.expect("a loss reads only parameters that stand in its card")]
    }

    /// The value of a number.
    pub fn number(&self, param: &Param) -> f64 {
        self.number_or_off(param).expect("the parameter is a number with a number as default")
    }

    /// The value of a number that can be off.
    pub fn number_or_off(&self, param: &Param) -> Option<f64> {
        match self.get(param) {
            Given::Number(x) => Some(*x),
            _ => None,
        }
    }

    /// The value of a switch.
    pub fn flag(&self, param: &Param) -> bool {
        matches!(self.get(param), Given::Flag(true))
    }

    /// Whether the loss has a switch of that name and it is on.
    pub fn flag_named(&self, name: &str) -> bool {
        self.named(name).is_some_and(|param| self.flag(param))
    }

    /// The number of that name, if the loss has one.
    pub fn number_named(&self, name: &str) -> Option<f64> {
        self.number_or_off(self.named(name)?)
    }

    /// Whether the loss has whole numbers of that name and this is one of them.
    pub fn ignores_named(&self, name: &str, class: i64) -> bool {
        match self.named(name).map(|param| self.get(param)) {
            Some(Given::Number(x)) => *x as i64 == class,
            Some(Given::Numbers(tensor)) => tensor.values.iter().any(|&x| x as i64 == class),
            _ => false,
        }
    }

    /// The whole number of that name, if the loss has one.
    pub fn integer_named(&self, name: &str) -> Option<i64> {
        self.integers_named(name).first().copied()
    }

    /// The whole numbers of that name, none if the loss has none.
    pub fn integers_named(&self, name: &str) -> Vec<i64> {
        self.named(name).map_or_else(Vec::new, |param| self.integers(param))
    }

    /// The chosen word.
    pub fn word(&self, param: &Param) -> &str {
        match self.get(param) {
            Given::Word(word) => word,
            _ => "",
        }
    }

    /// An array, if it is given.
    pub fn numbers(&self, param: &Param) -> Option<&Tensor<f64>> {
        match self.get(param) {
            Given::Numbers(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// The numbers of a list, or the one number; none where it is off.
    pub fn one_or_more(&self, param: &Param) -> Vec<f64> {
        match self.numbers(param) {
            Some(list) => list.values.clone(),
            None => self.number_or_off(param).into_iter().collect(),
        }
    }

    /// One whole number or several.
    pub fn integers(&self, param: &Param) -> Vec<i64> {
        match self.get(param) {
            Given::Number(x) => vec![*x as i64],
            Given::Numbers(tensor) => tensor.values.iter().map(|&x| x as i64).collect(),
            _ => Vec::new(),
        }
    }
}

/// The value if it is of the parameter's kind and within its bounds.
fn checked(param: &'static Param, given: Given) -> Result<Given, Fault> {
    let within = |bounds: Bounds, x: f64| {
        if bounds.allow(x) {
            return Ok(());
        }
        let detail = format!("{} must be {}, got {x}", param.name, bounds.describe());
        Err(Fault::parameter(param.name, detail))
    };
    let whole = |x: f64| {
        if x.fract() == 0.0 {
            return Ok(());
        }
        Err(Fault::parameter(param.name, format!("{} must be a whole number, got {x}", param.name)))
    };
    match (param.kind, &given) {
        (
            ParamKind::Number(bounds)
            | ParamKind::NumberOrOff(bounds)
            | ParamKind::NumberOrList(bounds),
            Given::Number(x),
        ) => within(bounds, *x)?,
        (ParamKind::NumberOrList(bounds), Given::Numbers(list)) => {
            one_axis(param, list)?;
            list.values.iter().try_for_each(|&x| within(bounds, x))?;
        }
        (ParamKind::Integer | ParamKind::IntegerOrList, Given::Number(x)) => whole(*x)?,
        (ParamKind::IntegerOrList, Given::Numbers(list)) => {
            one_axis(param, list)?;
            list.values.iter().try_for_each(|&x| whole(x))?;
        }
        (ParamKind::List, Given::Numbers(list)) => {
            one_axis(param, list)?;
            list.values.iter().try_for_each(|&x| within(Bounds::ANY, x))?;
        }
        (ParamKind::Weights, Given::Numbers(weights)) => {
            weights.values.iter().try_for_each(|&x| within(Bounds::ANY, x))?;
        }
        (ParamKind::Weights, Given::Number(x)) => {
            within(Bounds::ANY, *x)?;
            return Ok(Given::Numbers(Tensor::new(Vec::new(), vec![*x])));
        }
        (ParamKind::Choice(words), Given::Word(word)) => {
            if !words.contains(&word.as_str()) {
                let detail = format!("{} must be one of {}", param.name, words.join(", "));
                return Err(Fault::parameter(param.name, detail));
            }
        }
        (ParamKind::NumberOrOff(_) | ParamKind::Weights | ParamKind::List, Given::Off)
        | (ParamKind::Flag, Given::Flag(_)) => {}
        _ => {
            let detail = format!("{} must be {}", param.name, expected(param.kind));
            return Err(Fault::parameter(param.name, detail));
        }
    }
    Ok(given)
}

fn one_axis(param: &'static Param, list: &Tensor<f64>) -> Result<(), Fault> {
    if list.shape.len() == 1 && !list.values.is_empty() {
        return Ok(());
    }
    let detail = format!("{} must be {}", param.name, expected(param.kind));
    Err(Fault::parameter(param.name, detail))
}

/// What a parameter takes, in words.
pub fn expected(kind: ParamKind) -> String {
    match kind {
        ParamKind::Number(bounds) => format!("a number, {}", bounds.describe()),
        ParamKind::NumberOrOff(bounds) => format!("a number, {}, or null", bounds.describe()),
        ParamKind::NumberOrList(bounds) => {
            format!("a number or a list of numbers, {}", bounds.describe())
        }
        ParamKind::Integer => "a whole number".to_owned(),
        ParamKind::IntegerOrList => "a whole number or a list of them".to_owned(),
        ParamKind::Flag => "true or false".to_owned(),
        ParamKind::Choice(words) => format!("one of {}", words.join(", ")),
        ParamKind::List => "a list of numbers".to_owned(),
        ParamKind::Weights => "a number or an array of numbers".to_owned(),
    }
}
