//! Batches drawn from the domains in the cards, and every way to move a parameter.

use crate::numeric::args::{Args, Given};
use crate::numeric::card::{Bounds, Card, Domain, ParamKind};
use crate::numeric::job::{Job, Options, Values};
use crate::numeric::simd::Number;
use crate::numeric::tensor::Tensor;

/// A small generator of random numbers, the same on every machine.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 0 to 1, both left out.
    pub(super) fn unit(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        (self.bits() % limit as u64) as usize
    }
}

/// The inputs of one batch: numbers in single precision, so that every type holds them.
pub(super) struct Batch {
    pub(super) inputs: Vec<Input>,
}

pub(super) enum Input {
    Real(Tensor<f64>),
    Whole(Tensor<i64>),
}

/// How many classes, or features, a drawn row has.
pub(super) const WIDTH: usize = 5;

/// Whether the loss looks at each element by itself.
pub(super) fn is_elementwise(card: &Card) -> bool {
    card.unreduced == Card::PAIR.unreduced
}

/// Draws a batch of so many rows for a loss with these parameters.
pub(super) fn batch(card: &Card, args: &Args, rows: usize, random: &mut Random) -> Batch {
    if card.inputs.iter().any(|input| input.domain == Domain::Length) {
        return sequences(rows, random);
    }
    let wide = [rows, WIDTH];
    let inputs = card.inputs.iter().map(|input| {
        let per_row = !is_elementwise(card)
            && matches!(input.domain, Domain::Class | Domain::Sign | Domain::ClassOrDistribution);
        let shape = if per_row { &wide[..1] } else { &wide[..] };
        tensor(input.domain, shape, random)
    });
    let mut batch = Batch { inputs: inputs.collect() };
    let rates = card.param("log_input").is_some() && !args.flag_named("log_input");
    if let (true, Input::Real(predictions)) = (rates, &mut batch.inputs[0]) {
        // Rates, unlike their logarithms, are not negative.
        predictions.values.iter_mut().for_each(|x| *x = x.abs() + 0.125);
    }
    batch
}

fn tensor(domain: Domain, shape: &[usize], random: &mut Random) -> Input {
    let count: usize = shape.iter().product();
    match domain {
        Domain::Class | Domain::ClassOrDistribution => {
            let classes = (0..count).map(|_| random.below(WIDTH) as i64).collect();
            Input::Whole(Tensor::new(shape.to_vec(), classes))
        }
        Domain::ClassList => {
            let list = |at: usize, random: &mut Random| {
                if at.is_multiple_of(WIDTH) {
                    random.below(WIDTH) as i64
                } else {
                    random.below(WIDTH + 1) as i64 - 1
                }
            };
            let classes = (0..count).map(|at| list(at, random)).collect();
            Input::Whole(Tensor::new(shape.to_vec(), classes))
        }
        _ => {
            let values = (0..count).map(|_| f64::from(number(domain, random) as f32)).collect();
            Input::Real(Tensor::new(shape.to_vec(), values))
        }
    }
}

fn number(domain: Domain, random: &mut Random) -> f64 {
    let unit = random.unit();
    match domain {
        Domain::Probability | Domain::Unit | Domain::Distribution => 0.02 + 0.96 * unit,
        Domain::DistributionOrLog => 0.02 + 0.5 * unit,
        Domain::LogProbability => -3.0 * unit,
        Domain::Sign => {
            if unit < 0.5 {
                -1.0
            } else {
                1.0
            }
        }
        Domain::NotNegative => (10.0 * unit).floor(),
        Domain::Positive | Domain::Mean | Domain::Tweedie => 0.2 + 3.0 * unit,
        Domain::AboveMinusOne => 4.0 * unit - 0.9,
        // Above every eps that is drawn: what the clamp does is among the outside values.
        Domain::Variance => 3.5 + 2.0 * unit,
        _ => 6.0 * unit - 3.0,
    }
}

/// Frames, labels and lengths that fit each other.
fn sequences(samples: usize, random: &mut Random) -> Batch {
    let (frames, labels) = (7, 3);
    let lengths = |limit: usize, random: &mut Random| {
        (0..samples).map(|_| (limit - random.below(2)) as i64).collect::<Vec<i64>>()
    };
    let scores = tensor(Domain::LogProbability, &[frames, samples, WIDTH], random);
    let classes = (0..samples * labels).map(|_| 1 + random.below(WIDTH - 1) as i64).collect();
    let input_lengths = lengths(frames, random);
    let target_lengths = lengths(labels, random);
    Batch {
        inputs: vec![
            scores,
            Input::Whole(Tensor::new(vec![samples, labels], classes)),
            Input::Whole(Tensor::new(vec![samples], input_lengths)),
            Input::Whole(Tensor::new(vec![samples], target_lengths)),
        ],
    }
}

impl Batch {
    /// The batch as a job.
    pub(super) fn job<T: Number>(
        &self,
        card: &'static Card,
        args: &Args,
        options: Options,
    ) -> Job<T> {
        let inputs = self.inputs.iter().map(|input| {
            Some(match input {
                Input::Whole(tensor) => Values::Whole(tensor.clone()),
                Input::Real(tensor) => Values::Real(Tensor {
                    shape: tensor.shape.clone(),
                    values: tensor.values.iter().map(|&x| T::of(x)).collect(),
                    missing: tensor.missing.clone(),
                }),
            })
        });
        Job { card, inputs: inputs.collect(), args: args.clone(), sample_weight: None, options }
    }
}

/// The defaults, and then each parameter moved to each kind of value that it takes.
pub(super) fn all_args(card: &'static Card) -> Vec<(String, Args)> {
    let mut all = vec![("defaults".to_owned(), Args::defaults(card))];
    for (place, param) in card.params.iter().enumerate() {
        let no_distribution = |given: &Given| {
            param.name == "power" && matches!(given, Given::Number(q) if 0.0 < *q && *q < 1.0)
        };
        for given in moved(card, param.kind).into_iter().filter(|given| !no_distribution(given)) {
            let mut args = Args::defaults(card);
            let name = format!("{} = {given:?}", param.name);
            args.set(place, given).unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
            all.push((name, args));
        }
    }
    all
}

fn moved(card: &Card, kind: ParamKind) -> Vec<Given> {
    let row = || Tensor::new(vec![WIDTH], (0..WIDTH).map(|c| 0.5 + c as f64 * 0.25).collect());
    match kind {
        ParamKind::Number(bounds) | ParamKind::NumberOrOff(bounds) => numbers(bounds),
        ParamKind::NumberOrList(bounds) => {
            let list = Tensor::new(vec![1], vec![0.3]);
            if is_elementwise(card) { numbers(bounds) } else { vec![Given::Numbers(list)] }
        }
        // Other axes than the batch has, or other blanks, would be other batches.
        ParamKind::Integer => vec![],
        ParamKind::IntegerOrList => vec![Given::Number(1.0)],
        ParamKind::Flag => vec![Given::Flag(true), Given::Flag(false)],
        ParamKind::Choice(words) => {
            words.iter().map(|word| Given::Word((*word).to_owned())).collect()
        }
        ParamKind::Weights | ParamKind::List => vec![Given::Numbers(row())],
    }
}

fn numbers(bounds: Bounds) -> Vec<Given> {
    let candidates = [-1.0, 0.0, 0.1, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, f64::INFINITY];
    candidates.into_iter().filter(|&x| bounds.allow(x)).map(Given::Number).collect()
}
