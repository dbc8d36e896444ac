//! Batches drawn from the domains in the cards, and every way to move a parameter.

use crate::numeric::args::{Args, Given};
use crate::numeric::card::{self, Bounds, Card, Domain, ParamKind};
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

/// The inputs of one batch: numbers in single precision, so that every type holds them. None for
/// an input that is left out.
pub(super) struct Batch {
    pub(super) inputs: Vec<Option<Input>>,
}

pub(super) enum Input {
    Real(Tensor<f64>),
    Whole(Tensor<i64>),
}

/// How many classes, or features, a drawn row has.
pub(super) const WIDTH: usize = 5;
/// How many frames and labels a drawn sequence has at most.
const FRAMES: usize = 7;
const LABELS: usize = 3;

/// Draws a batch of so many rows for a loss with these parameters.
pub(super) fn batch(card: &Card, args: &Args, rows: usize, random: &mut Random) -> Batch {
    let inputs = card.inputs.iter().map(|input| {
        let there = !input.optional || random.unit() < 0.5;
        there.then(|| tensor(input, &shape(card, args, input.shape, rows), random))
    });
    let mut batch = Batch { inputs: inputs.collect() };
    let rates = card.param("log_input").is_some() && !args.flag_named("log_input");
    if let (true, Some(Input::Real(predictions))) = (rates, &mut batch.inputs[0]) {
        // Rates, unlike their logarithms, are not negative.
        predictions.values.iter_mut().for_each(|x| *x = x.abs() + 0.125);
    }
    batch
}

/// The first shape that a card's text names, with numbers for its letters.
fn shape(card: &Card, args: &Args, text: &str, rows: usize) -> Vec<usize> {
    let inside = text.strip_prefix('[').and_then(|text| text.split(']').next());
    let inside = inside.unwrap_or_else(|| panic!("{}: no shape in {text}", card.name));
    let length = |name: &str| match name {
        "n" => vec![rows],
        "2n" => vec![2 * rows],
        "c" | "d" | "l" | "m" => vec![WIDTH],
        "c-1" => vec![WIDTH - 1],
        "4" => vec![4],
        "t" => vec![FRAMES],
        "s" | "u" => vec![LABELS],
        "u+1" => vec![LABELS + 1],
        "q" | "k" => vec![levels(card, args)],
        "…" if inside == "…" => vec![rows, WIDTH],
        "…" => vec![WIDTH, 2],
        _ => panic!("{}: no length for {name} in {text}", card.name),
    };
    inside.split(", ").flat_map(length).collect()
}

/// How many levels of quantiles or intervals the parameters name.
fn levels(card: &Card, args: &Args) -> usize {
    let param = card.params.iter().find(|param| ["q", "alphas"].contains(&param.name));
    let param = param.unwrap_or_else(|| panic!("{} has no levels", card.name));
    args.one_or_more(param).len()
}

fn tensor(input: &card::Input, shape: &[usize], random: &mut Random) -> Input {
    let count: usize = shape.iter().product();
    let domain = input.domain;
    let whole = |draw: &mut dyn FnMut(usize) -> i64| {
        Input::Whole(Tensor::new(shape.to_vec(), (0..count).map(draw).collect()))
    };
    match (domain, input.name) {
        // Between the blanks that losses of sequences have, the first or the last class.
        (Domain::Class, _) if input.shape.contains('s') || input.shape.contains('u') => {
            whole(&mut |_| 1 + random.below(WIDTH - 2) as i64)
        }
        (Domain::Class | Domain::ClassOrDistribution, _) => {
            whole(&mut |_| random.below(WIDTH) as i64)
        }
        (Domain::Label, _) => whole(&mut |_| random.below(3) as i64),
        (Domain::Length, "input_lengths") => whole(&mut |_| (FRAMES - random.below(2)) as i64),
        (Domain::Length, _) => whole(&mut |_| (LABELS - random.below(2)) as i64),
        (Domain::ClassList, _) => whole(&mut |at| {
            if at.is_multiple_of(WIDTH) {
                random.below(WIDTH) as i64
            } else {
                random.below(WIDTH + 1) as i64 - 1
            }
        }),
        _ => {
            let draw = |random: &mut Random| match input.name {
                // Some times are equal, and all lie before the ends of intervals.
                "time" => 1.0 + random.below(4) as f64,
                "upper" if input.optional => 5.0 + random.unit(),
                _ => number(domain, random),
            };
            let values = (0..count).map(|_| f64::from(draw(random) as f32)).collect();
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
        Domain::Binary => unit.round(),
        Domain::Negative => -0.05 - 3.0 * unit,
        Domain::Cosine => 1.9 * unit - 0.95,
        Domain::NotNegative => 0.25 + (10.0 * unit).floor(),
        Domain::Positive | Domain::Mean | Domain::Tweedie => 0.2 + 3.0 * unit,
        Domain::AboveMinusOne => 4.0 * unit - 0.9,
        // Above every eps that is drawn: what the clamp does is among the outside values.
        Domain::Variance => 3.5 + 2.0 * unit,
        _ => 6.0 * unit - 3.0,
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
        let values = |input: &Input| match input {
            Input::Whole(tensor) => Values::Whole(tensor.clone()),
            Input::Real(tensor) => Values::Real(tensor.converted()),
        };
        let inputs = self.inputs.iter().map(|input| input.as_ref().map(values));
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
            if card.is_elementwise() { numbers(bounds) } else { vec![Given::Numbers(list)] }
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
