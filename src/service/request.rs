//! `Request`: what a caller asks of one loss, read but not yet evaluated, whatever the format.

use crate::numeric::args::{Args, Given, expected};
use crate::numeric::card::{Card, Domain, Param, ParamKind, Profile};
use crate::numeric::fault::{Fault, Kind, Place};
use crate::numeric::job::{Job, OnEmpty, Options, Reduction, Values};
use crate::numeric::simd::{Level, Number};
use crate::numeric::tensor::{Tensor, agree};

use super::refusal::Refusal;

/// The number type that the arithmetic is done in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// Single precision.
    Float32,
    /// Double precision.
    Float64,
}

impl Dtype {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Dtype::Float32 => "float32",
            Dtype::Float64 => "float64",
        }
    }
}

/// What a query can say beside parameters.
pub const SCALARS: [&str; 6] = ["reduction", "outputs", "dtype", "on_empty", "validate", "profile"];

/// The parts of an answer that can be asked for.
pub const OUTPUTS: [&str; 4] = ["loss", "losses", "gradients", "hessian_diagonal"];

/// Which parts of an answer are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// The reduced loss.
    pub loss: bool,
    /// The unreduced losses.
    pub losses: bool,
    /// The gradients.
    pub gradients: bool,
    /// The second derivatives.
    pub hessian: bool,
}

/// Everything in a request that is not an array of data. Each can be said in the query and in the
/// body, but not differently.
#[derive(Clone, Debug, Default)]
pub struct Scalars {
    params: Vec<(usize, Given)>,
    reduction: Option<Reduction>,
    outputs: Option<Outputs>,
    dtype: Option<Dtype>,
    on_empty: Option<OnEmpty>,
    validate: Option<bool>,
    profile: Option<Profile>,
}

fn set_once<V: PartialEq>(place: &mut Option<V>, value: V, name: &str) -> Result<(), Refusal> {
    if place.as_ref().is_some_and(|before| *before != value) {
        return Err(Refusal::Contradiction(name.to_owned()));
    }
    *place = Some(value);
    Ok(())
}

impl Scalars {
    /// Sets a parameter of a loss.
    ///
    /// # Errors
    /// If the loss has no such parameter, or it was set to something else before.
    pub fn set_param(&mut self, card: &Card, name: &str, given: Given) -> Result<(), Refusal> {
        let Some(place) = card.param(name) else {
            return Err(Refusal::UnknownParameter { loss: card.name, name: name.to_owned() });
        };
        if self.params.iter().any(|(set, before)| *set == place && *before != given) {
            return Err(Refusal::Contradiction(format!("params/{name}")));
        }
        self.params.push((place, given));
        Ok(())
    }

    /// Sets the wanted outputs.
    ///
    /// # Errors
    /// For a word that is no output, or outputs that contradict the ones set before.
    pub fn set_outputs(&mut self, words: &[String]) -> Result<(), Refusal> {
        let mut outputs = Outputs { loss: false, losses: false, gradients: false, hessian: false };
        for word in words {
            match word.as_str() {
                "loss" => outputs.loss = true,
                "losses" => outputs.losses = true,
                "gradients" => outputs.gradients = true,
                "hessian_diagonal" => outputs.hessian = true,
                _ => return Err(Refusal::choice("outputs", word, &OUTPUTS)),
            }
        }
        set_once(&mut self.outputs, outputs, "outputs")
    }

    /// Sets whether targets outside their domain are refused.
    ///
    /// # Errors
    /// If it contradicts what was set before.
    pub fn set_validate(&mut self, on: bool) -> Result<(), Refusal> {
        set_once(&mut self.validate, on, "validate")
    }

    /// Sets one of the members whose value is a word.
    ///
    /// # Errors
    /// For a word that the member does not take, or one that contradicts what was set before.
    pub fn set_word(
        &mut self,
        card: &Card,
        member: &'static str,
        word: &str,
    ) -> Result<(), Refusal> {
        match member {
            "reduction" => {
                let known = card.reductions();
                let reduction = Reduction::ALL.into_iter().find(|r| r.name() == word);
                let reduction = reduction.filter(|r| known.contains(&r.name()));
                let reduction =
                    reduction.ok_or_else(|| Refusal::choice("reduction", word, known))?;
                set_once(&mut self.reduction, reduction, member)
            }
            "dtype" => {
                let dtype = match word {
                    "float32" => Dtype::Float32,
                    "float64" => Dtype::Float64,
                    _ => return Err(Refusal::choice("dtype", word, &["float32", "float64"])),
                };
                set_once(&mut self.dtype, dtype, member)
            }
            "on_empty" => {
                let on_empty = OnEmpty::ALL.into_iter().find(|choice| choice.name() == word);
                let names = OnEmpty::ALL.map(OnEmpty::name);
                let on_empty = on_empty.ok_or_else(|| Refusal::choice("on_empty", word, &names))?;
                set_once(&mut self.on_empty, on_empty, member)
            }
            _ => {
                let profile = Profile::ALL.into_iter().find(|profile| profile.name() == word);
                let names = Profile::ALL.map(Profile::name);
                let profile = profile.ok_or_else(|| Refusal::choice("profile", word, &names))?;
                set_once(&mut self.profile, profile, member)
            }
        }
    }

    /// The dtype, as far as it is known.
    pub fn dtype(&self) -> Dtype {
        self.dtype.unwrap_or(Dtype::Float32)
    }

    /// Reads one pair of a query string.
    ///
    /// # Errors
    /// If the loss has no such parameter or setting, or it cannot have that value.
    pub fn set_query(&mut self, card: &Card, name: &str, value: &str) -> Result<(), Refusal> {
        match name {
            "reduction" => self.set_word(card, "reduction", value),
            "dtype" => self.set_word(card, "dtype", value),
            "on_empty" => self.set_word(card, "on_empty", value),
            "profile" => self.set_word(card, "profile", value),
            "outputs" => {
                let words: Vec<String> = value.split(',').map(str::to_owned).collect();
                self.set_outputs(&words)
            }
            "validate" => match value {
                "true" => self.set_validate(true),
                "false" => self.set_validate(false),
                _ => Err(Refusal::choice("validate", value, &["true", "false"])),
            },
            _ => {
                let Some(place) = card.param(name) else {
                    return Err(Refusal::UnknownQuery { loss: card.name, name: name.to_owned() });
                };
                self.set_param(card, name, from_text(card.params[place].kind, value))
            }
        }
    }
}

/// A parameter from the text of a query.
fn from_text(kind: ParamKind, text: &str) -> Given {
    // A literal that overflows is no number; an infinity is spelled out.
    let number = |text: &str| {
        let x = text.trim().parse::<f64>().ok()?;
        (x.is_finite() || ["NaN", "Infinity", "-Infinity"].contains(&text)).then_some(x)
    };
    match kind {
        ParamKind::Flag => match text {
            "true" => Given::Flag(true),
            "false" => Given::Flag(false),
            _ => Given::Word(text.to_owned()),
        },
        ParamKind::Choice(_) => Given::Word(text.to_owned()),
        ParamKind::NumberOrOff(_) if text == "null" => Given::Off,
        ParamKind::NumberOrList(_)
        | ParamKind::IntegerOrList
        | ParamKind::Weights
        | ParamKind::List
            if text.contains(',') || kind == ParamKind::List =>
        {
            let numbers: Option<Vec<f64>> = text.split(',').map(number).collect();
            numbers.map_or_else(
                || Given::Word(text.to_owned()),
                |values| Given::Numbers(Tensor::new(vec![values.len()], values)),
            )
        }
        _ => number(text).map_or_else(|| Given::Word(text.to_owned()), Given::Number),
    }
}

/// The elements of an input as they were read.
#[derive(Debug)]
pub enum Numbers<T> {
    /// In the dtype of the request.
    Exact(Tensor<T>),
    /// In double precision, because they may be class indices.
    Wide(Tensor<f64>),
}

/// What a caller asks of one loss.
#[derive(Debug)]
pub struct Request<T> {
    /// The loss.
    pub card: &'static Card,
    /// The inputs, in the order of the card.
    pub inputs: Vec<Option<Numbers<T>>>,
    /// The sample weights.
    pub sample_weight: Option<Tensor<T>>,
    /// Lists that name the rows, by member, and how long each is.
    pub beside_rows: Vec<(&'static str, usize)>,
    /// The rest.
    pub scalars: Scalars,
}

impl<T: Number> Request<T> {
    /// A request without inputs.
    pub fn new(card: &'static Card, scalars: Scalars) -> Request<T> {
        let inputs = card.inputs.iter().map(|_| None).collect();
        Request { card, inputs, sample_weight: None, beside_rows: Vec::new(), scalars }
    }

    /// The outputs that are wanted.
    pub fn outputs(&self) -> Outputs {
        let default = Outputs { loss: true, losses: false, gradients: true, hessian: false };
        self.scalars.outputs.unwrap_or(default)
    }

    /// How many rows the batch has: the length of the first input's first axis.
    pub fn rows(&self) -> usize {
        self.first_shape().map_or(0, |shape| shape.first().copied().unwrap_or(1))
    }

    /// How many numbers the inputs have.
    pub fn elements(&self) -> usize {
        let length = |numbers: &Numbers<T>| match numbers {
            Numbers::Exact(tensor) => tensor.values.len(),
            Numbers::Wide(tensor) => tensor.values.len(),
        };
        self.inputs.iter().flatten().map(length).sum()
    }

    fn first_shape(&self) -> Option<&[usize]> {
        match self.inputs.first()?.as_ref()? {
            Numbers::Exact(tensor) => Some(&tensor.shape),
            Numbers::Wide(tensor) => Some(&tensor.shape),
        }
    }

    /// Makes the job to evaluate.
    ///
    /// # Errors
    /// If an input is missing, a class is not a whole number, or a parameter is out of bounds.
    pub fn into_job(self, level: Level, threads: usize) -> Result<Job<T>, Fault> {
        let card = self.card;
        let rows = self.rows();
        if let Some((name, length)) = self.beside_rows.iter().find(|(_, length)| *length != rows) {
            let detail = format!("{name} has {length} elements, but the batch has {rows} rows");
            return Err(Fault::shape(name, detail).hint("send one per leading index"));
        }
        let profile = self.scalars.profile.unwrap_or(Profile::Torch);
        let mut args = Args::of_profile(card, profile, T::EPSILON);
        for (place, given) in &self.scalars.params {
            args.set(*place, given.clone())?;
            fits::<T>(&card.params[*place], given)?;
        }
        let outputs = self.outputs();
        let options = Options {
            reduction: self.scalars.reduction.unwrap_or(Reduction::Mean),
            losses: outputs.losses,
            gradients: outputs.gradients,
            hessian: outputs.hessian,
            on_empty: self.scalars.on_empty.unwrap_or(match profile {
                Profile::Torch | Profile::Optax => OnEmpty::Nan,
                Profile::Keras => OnEmpty::Zero,
                Profile::Sklearn => OnEmpty::Error,
            }),
            mean_by_count: matches!(profile, Profile::Keras | Profile::Optax),
            validate: self.scalars.validate.unwrap_or(true),
            level,
            threads,
        };
        let first = self.first_shape().map(<[usize]>::to_vec);
        let mut inputs = Vec::with_capacity(card.inputs.len());
        for (input, numbers) in card.inputs.iter().zip(self.inputs) {
            inputs.push(match numbers {
                None if input.optional => None,
                None => {
                    let detail = format!("{} is missing", input.name);
                    return Err(Fault::new(Kind::MissingInput, Place::Whole, detail)
                        .hint(format!("send \"{}\", of shape {}", input.name, input.shape)));
                }
                Some(Numbers::Exact(tensor)) => Some(Values::Real(tensor)),
                Some(Numbers::Wide(tensor)) => {
                    let distribution = input.domain == Domain::ClassOrDistribution
                        && first.as_deref() == Some(&tensor.shape);
                    let enough_axes = input.domain == Domain::ClassOrDistribution
                        && first.as_ref().is_some_and(|shape| shape.len() <= tensor.shape.len());
                    Some(if distribution {
                        Values::Real(narrowed(input.name, tensor)?)
                    } else if enough_axes && !tensor.values.iter().all(|x| x.fract() == 0.0) {
                        let (name, other) = (input.name, card.inputs[0].name);
                        agree(name, &tensor.shape, other, first.as_deref().unwrap_or(&[]))?;
                        Values::Whole(whole(name, tensor)?)
                    } else {
                        Values::Whole(whole(input.name, tensor)?)
                    })
                }
            });
        }
        Ok(Job { card, inputs, args, sample_weight: self.sample_weight, options })
    }
}

/// Refuses a parameter that the dtype cannot hold.
fn fits<T: Number>(param: &'static Param, given: &Given) -> Result<(), Fault> {
    let name = param.name;
    let numbers = match given {
        _ if matches!(param.kind, ParamKind::Integer | ParamKind::IntegerOrList) => return Ok(()),
        Given::Number(x) => std::slice::from_ref(x),
        Given::Numbers(tensor) => tensor.values.as_slice(),
        _ => return Ok(()),
    };
    let lost = |x: f64| {
        let narrow = T::of(x).to_f64();
        x.is_finite() && (!narrow.is_finite() || (narrow == 0.0 && x != 0.0))
    };
    match numbers.iter().position(|&x| lost(x)) {
        None => Ok(()),
        Some(at) => {
            let detail = format!("{name} holds {:e}, which {} cannot hold", numbers[at], T::DTYPE);
            let index = match given {
                Given::Numbers(tensor) => tensor.index_of(at),
                _ => Vec::new(),
            };
            Err(Fault::new(Kind::Overflow, Place::Parameter(name, index), detail)
                .hint("send \"dtype\": \"float64\""))
        }
    }
}

/// Numbers of the dtype from double precision.
fn narrowed<T: Number>(name: &'static str, tensor: Tensor<f64>) -> Result<Tensor<T>, Fault> {
    let values: Vec<T> = tensor.values.iter().map(|&x| T::of(x)).collect();
    let overflown = |(narrow, wide): (&T, &f64)| wide.is_finite() && !narrow.is_finite();
    if let Some(place) = values.iter().zip(&tensor.values).position(overflown) {
        let detail = format!("{} is too large for {}", tensor.values[place], T::DTYPE);
        let at = Place::Element(name, tensor.index_of(place));
        return Err(Fault::new(Kind::Overflow, at, detail));
    }
    Ok(Tensor { shape: tensor.shape, values, missing: tensor.missing })
}

/// Whole numbers from double precision.
fn whole(name: &'static str, tensor: Tensor<f64>) -> Result<Tensor<i64>, Fault> {
    let is_whole = |x: f64| x.fract() == 0.0;
    if let Some(place) = tensor.values.iter().position(|&x| !is_whole(x)) {
        let detail = format!("{name} must hold whole numbers, got {}", tensor.values[place]);
        let at = Place::Element(name, tensor.index_of(place));
        return Err(Fault::new(Kind::WrongType, at, detail)
            .hint("class indices and lengths are whole numbers; probabilities have the predictions' shape"));
    }
    let values = tensor.values.iter().map(|&x| x as i64).collect();
    Ok(Tensor { shape: tensor.shape, values, missing: tensor.missing })
}

/// What a parameter takes, for messages about one that is not there.
pub fn describe_params(card: &Card) -> String {
    if card.params.is_empty() {
        return format!("{} has no parameters", card.name);
    }
    let names: Vec<String> =
        card.params.iter().map(|p| format!("{} ({})", p.name, expected(p.kind))).collect();
    format!("{} has {}", card.name, names.join("; "))
}
