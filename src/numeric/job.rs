//! `Job` and `Outcome`: what goes into a loss and what comes out, for one number type.

use super::args::Args;
use super::card::Card;
use super::fault::{Fault, Kind, Place};
use super::inspect::Warning;
use super::reduce::nonfinite;
use super::simd::{Level, Number};
use super::spare;
use super::tensor::{Tensor, show};

/// One loss on one batch.
#[derive(Debug)]
pub struct Job<T> {
    /// The loss's description.
    pub card: &'static Card,
    /// The inputs, in the order of the card.
    pub inputs: Vec<Option<Values<T>>>,
    /// The parameters.
    pub args: Args,
    /// One weight per leading index, or per element of the unreduced loss.
    pub sample_weight: Option<Tensor<T>>,
    /// The rest of what the caller chose.
    pub options: Options,
}

/// The elements of an input: numbers, or whole numbers where classes and lengths are counted.
#[derive(Debug)]
pub enum Values<T> {
    /// Numbers of the dtype.
    Real(Tensor<T>),
    /// Whole numbers.
    Whole(Tensor<i64>),
}

/// What the caller chose beside inputs and parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// How the losses become one number.
    pub reduction: Reduction,
    /// Whether the unreduced losses are wanted.
    pub losses: bool,
    /// Whether the gradients are wanted.
    pub gradients: bool,
    /// Whether the second derivatives are wanted.
    pub hessian: bool,
    /// What a mean over nothing is.
    pub on_empty: OnEmpty,
    /// Whether a weighted mean divides by the number of elements and not by the sum of weights.
    pub mean_by_count: bool,
    /// Whether targets outside their domain are refused where torch accepts them.
    pub validate: bool,
    /// The CPU level to run at.
    pub level: Level,
    /// How many threads may share a large batch; the answer does not depend on it.
    pub threads: usize,
}

impl std::default::Default for Options {
    fn default() -> Options {
        Options {
            reduction: Reduction::Mean,
            losses: false,
            gradients: true,
            hessian: false,
            on_empty: OnEmpty::Nan,
            mean_by_count: false,
            validate: true,
            level: Level::best(),
            threads: 1,
        }
    }
}

/// How the unreduced losses become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Not at all.
    None,
    /// Their sum over what the card says.
    Mean,
    /// Their sum.
    Sum,
    /// Their sum over the number of leading indices.
    BatchMean,
}

impl Reduction {
    /// All reductions.
    pub const ALL: [Reduction; 4] =
        [Reduction::None, Reduction::Mean, Reduction::Sum, Reduction::BatchMean];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Reduction::None => "none",
            Reduction::Mean => "mean",
            Reduction::Sum => "sum",
            Reduction::BatchMean => "batchmean",
        }
    }

    /// Whether the result is divided by the denominator.
    pub const fn divides(self) -> bool {
        matches!(self, Reduction::Mean | Reduction::BatchMean)
    }
}

/// What a mean over nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnEmpty {
    /// NaN, as in torch.
    Nan,
    /// 0.
    Zero,
    /// A fault.
    Error,
}

impl OnEmpty {
    /// All choices.
    pub const ALL: [OnEmpty; 3] = [OnEmpty::Nan, OnEmpty::Zero, OnEmpty::Error];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            OnEmpty::Nan => "nan",
            OnEmpty::Zero => "zero",
            OnEmpty::Error => "error",
        }
    }
}

/// What a loss answers.
#[derive(Debug)]
pub struct Outcome<T> {
    /// The reduced loss; none with the reduction `none`.
    pub loss: Option<T>,
    /// The unreduced losses, if they are wanted or not reduced.
    pub losses: Option<Tensor<T>>,
    /// The gradient of each differentiable input, if they are wanted.
    pub gradients: Vec<(&'static str, Tensor<T>)>,
    /// The second derivative in each element of each differentiable input, if they are wanted.
    pub hessian: Vec<(&'static str, Tensor<T>)>,
    /// The sum that a mean is made of.
    pub sum: f64,
    /// What the mean divides by.
    pub denominator: f64,
    /// How many loss elements entered the reduction.
    pub count: usize,
    /// How many were left out because their label is missing.
    pub missing: usize,
    /// The losses that are not finite, where there are any.
    pub nonfinite: Option<Nonfinite>,
    /// What looks wrong with the inputs.
    pub warnings: Vec<Warning>,
}

/// The losses that are not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonfinite {
    /// How many are NaN.
    pub nan: usize,
    /// How many are infinite.
    pub inf: usize,
    /// The place of the first one among the unreduced losses.
    pub first: usize,
}

impl<T> Job<T> {
    /// Whether the unreduced losses are part of the answer.
    pub fn wants_losses(&self) -> bool {
        self.options.losses || self.options.reduction == Reduction::None
    }
}

impl<T: Number> Outcome<T> {
    /// Keeps the buffers for the next job.
    pub fn recycle(&mut self) {
        let named = self.gradients.drain(..).chain(self.hessian.drain(..));
        let tensors = self.losses.take().into_iter().chain(named.map(|(_, tensor)| tensor));
        tensors.for_each(|tensor| spare::give(tensor.values));
    }

    /// The same answer, rounded to another number type.
    pub fn rounded<N: Number>(self) -> Outcome<N> {
        let all = |tensors: Vec<(&'static str, Tensor<T>)>| {
            tensors.into_iter().map(|(name, tensor)| (name, tensor.converted())).collect()
        };
        let losses = self.losses.map(|losses| losses.converted::<N>());
        let nonfinite = losses.as_ref().and_then(|l| nonfinite(&l.values)).or(self.nonfinite);
        Outcome {
            loss: self.loss.map(|loss| N::of(loss.to_f64())),
            losses,
            gradients: all(self.gradients),
            hessian: all(self.hessian),
            sum: self.sum,
            denominator: self.denominator,
            count: self.count,
            missing: self.missing,
            nonfinite,
            warnings: self.warnings,
        }
    }
}

impl<T: Number> Job<T> {
    /// Keeps the buffers for the next job.
    pub fn recycle(self) {
        for values in self.inputs.into_iter().flatten() {
            if let Values::Real(tensor) = values {
                spare::give(tensor.values);
            }
        }
    }

    /// The same job in double precision.
    pub fn widened(&self) -> Job<f64> {
        let wide = |values: &Values<T>| match values {
            Values::Real(tensor) => Values::Real(tensor.converted()),
            Values::Whole(tensor) => Values::Whole(tensor.clone()),
        };
        Job {
            card: self.card,
            inputs: self.inputs.iter().map(|values| values.as_ref().map(wide)).collect(),
            args: self.args.clone(),
            sample_weight: self.sample_weight.as_ref().map(Tensor::converted),
            options: self.options,
        }
    }

    fn values(&self, place: usize) -> Option<&Values<T>> {
        self.inputs.get(place).and_then(Option::as_ref)
    }

    /// An input that holds numbers.
    pub fn real(&self, place: usize) -> Result<&Tensor<T>, Fault> {
        match self.values(place) {
            Some(Values::Real(tensor)) => Ok(tensor),
            Some(Values::Whole(tensor)) => {
                let name = self.card.inputs[place].name;
                let detail = format!("{name} {} cannot be read as numbers", show(&tensor.shape));
                Err(Fault::shape(name, detail))
            }
            None => Err(self.missing_input(place)),
        }
    }

    /// An input that holds numbers and may be left out.
    pub fn optional(&self, place: usize) -> Result<Option<&Tensor<T>>, Fault> {
        self.values(place).map(|_| self.real(place)).transpose()
    }

    /// An input that holds whole numbers.
    pub fn whole(&self, place: usize) -> Result<&Tensor<i64>, Fault> {
        match self.values(place) {
            Some(Values::Whole(tensor)) => Ok(tensor),
            Some(Values::Real(tensor)) => {
                let name = self.card.inputs[place].name;
                let detail =
                    format!("{name} {} cannot be read as class indices", show(&tensor.shape));
                Err(Fault::shape(name, detail))
            }
            None => Err(self.missing_input(place)),
        }
    }

    fn missing_input(&self, place: usize) -> Fault {
        let name = self.card.inputs[place].name;
        Fault::new(Kind::MissingInput, Place::Whole, format!("{name} is missing"))
            .hint(format!("send {name}, of shape {}", self.card.inputs[place].shape))
    }
}
