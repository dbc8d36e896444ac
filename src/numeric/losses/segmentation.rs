//! Segmentation: how much of two regions is the same.

use crate::numeric::args::Args;
use crate::numeric::cancel::wanted;
use crate::numeric::card::{
    Bounds, Card, Default, Domain, Input, Param, ParamKind, Preset, Profile, Task,
};
use crate::numeric::drive::batchwise::{Batchwise, Work};
use crate::numeric::fault::Fault;
use crate::numeric::job::Job;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick};
use crate::numeric::reduce::Elements;
use crate::numeric::regions::{Part, Regions};
use crate::numeric::simd::Number;
use crate::numeric::verbs::{descending, sum_over};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::batchwise::<Overlap, _, _>().described(DICE),
    Loss::batchwise::<Overlap, _, _>().described(GENERALIZED_DICE),
    Loss::batchwise::<Overlap, _, _>().described(JACCARD),
    Loss::batchwise::<Overlap, _, _>().described(TVERSKY),
    Loss::batchwise::<Overlap, _, _>().described(FOCAL_TVERSKY),
    Loss::batchwise::<Overlap, _, _>().described(LOVASZ_HINGE),
    Loss::batchwise::<Overlap, _, _>().described(LOVASZ_SOFTMAX),
    Loss::batchwise::<Overlap, _, _>().described(MCC),
];

const SMOOTH: Param = Param::number(
    "smooth",
    1.0,
    Bounds::NOT_NEGATIVE,
    "added to numerator and denominator, so that empty regions have a value",
);
const DENOMINATOR_SMOOTH: Param = Param {
    name: "denominator_smooth",
    kind: ParamKind::NumberOrOff(Bounds::NOT_NEGATIVE),
    default: Default::None,
    doc: "added to the denominator in the place of smooth",
};
const SQUARED: Param =
    Param::flag("squared_denominator", false, "whether the denominator adds up squares");
const PER_CLASS: Param = Param::flag(
    "per_class",
    false,
    "whether axis 1 is classes: sums run over the axes after it, then the mean over classes",
);
const SUM_OVER: Param = Param {
    name: "sum_over",
    kind: ParamKind::Choice(&["sample", "batch"]),
    default: Default::Word("sample"),
    doc: "whether sums run over one sample, or over all of the batch, which then has one loss",
};
const FALSE_POSITIVES: Param =
    Param::number("alpha", 0.5, Bounds::NOT_NEGATIVE, "the weight of false positives");
const FALSE_NEGATIVES: Param =
    Param::number("beta", 0.5, Bounds::NOT_NEGATIVE, "the weight of false negatives");
const GAMMA: Param = Param::number(
    "gamma",
    1.333_333_333_333_333_3,
    Bounds::POSITIVE,
    "the power: above 1 it turns to samples that are still wrong",
);
const MCC_EPS: Param =
    Param::number("eps", 1e-5, Bounds::NOT_NEGATIVE, "added to each of the four counts");

/// A region in probabilities.
const PROBABILITIES: Input = Input {
    shape: "[n, …]",
    domain: Domain::Unit,
    doc: "probability of each place to belong to the region",
    ..Input::PREDICTIONS
};
const REGION: Input = Input {
    shape: "[n, …]",
    domain: Domain::Unit,
    doc: "1 where the region is, else 0",
    ..Input::TARGETS
};

const DICE: Card = Card {
    name: "dice",
    title: "Dice",
    summary: "One less twice the overlap of two regions over the sum of their sizes.",
    formula: r"1 - \frac{2\sum p t + s}{\sum p + \sum t + s}",
    inputs: &[PROBABILITIES, REGION],
    params: &[SMOOTH, SQUARED, PER_CLASS, SUM_OVER, DENOMINATOR_SMOOTH],
    unreduced: "[n]; a scalar with sum_over batch",
    mean: "the number of samples",
    tasks: &[Task::Segmentation],
    use_case: "segmentation, where the region is small: class imbalance",
    activation: "sigmoid or softmax",
    outliers: "no: between 0 and 1",
    source: "Milletari et al., V-Net, 2016; MONAI DiceLoss",
    differences: &[
        "segmentation-models-pytorch and optax halve the denominator, so that their smooth counts twice; the profile optax sets it",
        "segmentation-models-pytorch gives a sample without a region the loss 0",
        "Keras sums over the whole batch with 1e-7 in the denominator alone; the profile keras sets that",
    ],
    presets: &[
        Preset::number(Profile::Keras, "smooth", 0.0),
        Preset::number(Profile::Keras, "denominator_smooth", 1e-7),
        Preset::word(Profile::Keras, "sum_over", "batch"),
        Preset::number(Profile::Optax, "smooth", 2.0),
    ],
    aliases: &["soft_dice", "f1_loss"],
    example: r#"{"predictions": [[0.9, 0.75, 0.3, 0.05], [0.2, 0.6, 0.85, 0.35]], "targets": [[1, 1, 0, 0], [0, 1, 1, 0]]}"#,
    ..Card::PAIR
};

const GENERALIZED_DICE: Card = Card {
    name: "generalized_dice",
    title: "Generalized Dice",
    summary: "The Dice loss of all classes in one ratio, each weighed by its inverse squared size.",
    formula: r"1 - \frac{2\sum_c w_c \sum p t + s}{\sum_c w_c \left(\sum p + \sum t\right) + s},\quad w_c = \left(\sum t\right)^{-2}",
    params: &[SMOOTH, PER_CLASS, SUM_OVER],
    use_case: "segmentation into classes of very different sizes: class imbalance",
    source: "Sudre et al., Generalised Dice overlap, 2017; MONAI GeneralizedDiceLoss",
    differences: &[
        "without per_class all elements are one class",
        "a class that is absent has the largest weight of those present, 1 if none is; MONAI gives 0 if none is",
        "MONAI and optax have smooth 1e-5",
    ],
    presets: &[],
    aliases: &["gdl"],
    example: r#"{"predictions": [[0.9, 0.75, 0.3, 0.05], [0.2, 0.6, 0.85, 0.35]], "targets": [[1, 1, 0, 0], [0, 1, 1, 0]]}"#,
    ..DICE
};

const JACCARD: Card = Card {
    name: "jaccard",
    title: "Jaccard (soft IoU)",
    summary: "One less the intersection of two regions over their union.",
    formula: r"1 - \frac{\sum p t + s}{\sum p + \sum t - \sum p t + s}",
    params: &[SMOOTH, PER_CLASS, SUM_OVER],
    source: "Rahman and Wang, Optimizing intersection-over-union in deep neural networks, 2016; smp JaccardLoss",
    differences: &["MONAI's smooth counts half"],
    presets: &[],
    aliases: &["iou", "soft_iou"],
    example: r#"{"predictions": [[0.9, 0.75, 0.3, 0.05], [0.2, 0.6, 0.85, 0.35]], "targets": [[1, 1, 0, 0], [0, 1, 1, 0]]}"#,
    ..DICE
};

const TVERSKY: Card = Card {
    name: "tversky",
    title: "Tversky",
    summary: "The Dice loss with separate weights of false positives and false negatives.",
    formula: r"1 - \frac{\sum p t + s}{\sum p t + \alpha \sum p (1 - t) + \beta \sum (1 - p) t + s}",
    params: &[FALSE_POSITIVES, FALSE_NEGATIVES, SMOOTH, PER_CLASS, SUM_OVER, DENOMINATOR_SMOOTH],
    use_case: "segmentation where missing a part is worse than painting too much: class imbalance",
    source: "Salehi et al., Tversky loss function for image segmentation, 2017; smp TverskyLoss, MONAI TverskyLoss",
    differences: &[
        "alpha weighs false positives, as in smp and MONAI; Keras up to 3.15.1 has it the other way round",
        "Keras sums over the whole batch with 1e-7 in the denominator alone; the profile keras sets that",
    ],
    presets: &[
        Preset::number(Profile::Keras, "smooth", 0.0),
        Preset::number(Profile::Keras, "denominator_smooth", 1e-7),
        Preset::word(Profile::Keras, "sum_over", "batch"),
    ],
    aliases: &[],
    example: r#"{"predictions": [[0.9, 0.75, 0.3, 0.05], [0.2, 0.6, 0.85, 0.35]], "targets": [[1, 1, 0, 0], [0, 1, 1, 0]]}"#,
    ..DICE
};

const FOCAL_TVERSKY: Card = Card {
    name: "focal_tversky",
    title: "Focal Tversky",
    summary: "A power of the Tversky loss, which turns to samples and classes that are still wrong.",
    formula: r"\left(1 - \mathrm{TI}\right)^\gamma",
    params: &[FALSE_POSITIVES, FALSE_NEGATIVES, SMOOTH, GAMMA, PER_CLASS, SUM_OVER],
    kinks: "0 at a perfect overlap for gamma above 1",
    source: "Abraham and Khan, A novel focal Tversky loss function, 2019",
    differences: &["smp takes the power of the mean over classes, and has gamma 1"],
    presets: &[],
    example: r#"{"predictions": [[0.9, 0.75, 0.3, 0.05], [0.2, 0.6, 0.85, 0.35]], "targets": [[1, 1, 0, 0], [0, 1, 1, 0]]}"#,
    ..TVERSKY
};

const LOVASZ_HINGE: Card = Card {
    name: "lovasz_hinge",
    title: "Lovász hinge",
    summary: "The convex extension of the intersection over union to hinge errors of logits.",
    formula: r"\sum_k [e_{(k)}]_+\, g_k,\quad e = 1 - p\,(2t - 1),\ g_k = J_k - J_{k-1}",
    inputs: &[
        Input {
            shape: "[n, …]",
            domain: Domain::BinaryLogits,
            doc: "logit of each place to belong to the region",
            ..Input::PREDICTIONS
        },
        Input { domain: Domain::Binary, ..REGION },
    ],
    params: &[PER_CLASS, SUM_OVER],
    kinks: "0 where an error is 0; equal errors are in the order of the elements",
    use_case: "segmentation judged by intersection over union",
    activation: "none: raw logits",
    outliers: "partly: linear in the errors",
    source: "Berman et al., The Lovász-softmax loss, 2018; smp LovaszLoss",
    differences: &[],
    presets: &[],
    aliases: &["lovasz"],
    example: r#"{"predictions": [[2.2, 1.1, -0.8, -2.9], [-1.4, 0.4, 1.7, -0.6]], "targets": [[1, 1, 0, 0], [0, 1, 1, 0]]}"#,
    ..DICE
};

const LOVASZ_SOFTMAX: Card = Card {
    name: "lovasz_softmax",
    title: "Lovász-softmax",
    summary: "The convex extension of the intersection over union to errors of probabilities.",
    formula: r"\sum_k e_{(k)}\, g_k,\quad e = |t - p|,\ g_k = J_k - J_{k-1}",
    inputs: &[PROBABILITIES, Input { domain: Domain::Binary, ..REGION }],
    kinks: "0 where an error is 0; equal errors are in the order of the elements",
    activation: "softmax or sigmoid",
    outliers: "no: between 0 and 1",
    differences: &[
        "with per_class the mean is over the classes that are present, as smp's 'present'; 0 if none is",
    ],
    aliases: &[],
    example: r#"{"predictions": [[0.9, 0.75, 0.3, 0.05], [0.2, 0.6, 0.85, 0.35]], "targets": [[1, 1, 0, 0], [0, 1, 1, 0]]}"#,
    ..LOVASZ_HINGE
};

const MCC: Card = Card {
    name: "mcc",
    title: "Matthews correlation",
    summary: "One less the correlation of two regions, which counts all four of right and wrong.",
    formula: r"1 - \frac{TP \cdot TN - FP \cdot FN}{\sqrt{(TP + FP)(TP + FN)(TN + FP)(TN + FN)}}",
    params: &[MCC_EPS, PER_CLASS, SUM_OVER],
    outliers: "no: between 0 and 2",
    source: "Abhishek and Hamarneh, Matthews correlation coefficient loss, 2021; smp MCCLoss",
    differences: &["smp always sums over the batch"],
    presets: &[],
    aliases: &["matthews"],
    example: r#"{"predictions": [[0.9, 0.75, 0.3, 0.05], [0.2, 0.6, 0.85, 0.35]], "targets": [[1, 1, 0, 0], [0, 1, 1, 0]]}"#,
    ..DICE
};

/// A loss of two regions.
enum Overlap {
    Dice {
        smooth: [f64; 2],
        squared: bool,
    },
    GeneralizedDice {
        smooth: f64,
    },
    /// Jaccard and Tversky: weights of false positives and negatives, and a power.
    Tversky {
        weights: [f64; 2],
        smooth: [f64; 2],
        gamma: f64,
    },
    LovaszHinge,
    LovaszSoftmax,
    Matthews {
        eps: f64,
    },
}

impl Batchwise<2, 1> for Overlap {
    const CARD: Card = DICE;

    type Plan = Regions;

    fn new(args: &Args) -> Overlap {
        let smooth = || args.number(&SMOOTH);
        let below = || args.number_or_off(&DENOMINATOR_SMOOTH).unwrap_or_else(smooth);
        let weights = || [args.number(&FALSE_POSITIVES), args.number(&FALSE_NEGATIVES)];
        match args.card().name {
            "generalized_dice" => Overlap::GeneralizedDice { smooth: smooth() },
            "jaccard" => {
                Overlap::Tversky { weights: [1.0, 1.0], smooth: [smooth(), smooth()], gamma: 1.0 }
            }
            "tversky" => {
                Overlap::Tversky { weights: weights(), smooth: [smooth(), below()], gamma: 1.0 }
            }
            "focal_tversky" => Overlap::Tversky {
                weights: weights(),
                smooth: [smooth(), smooth()],
                gamma: args.number(&GAMMA),
            },
            "lovasz_hinge" => Overlap::LovaszHinge,
            "lovasz_softmax" => Overlap::LovaszSoftmax,
            "mcc" => Overlap::Matthews { eps: args.number(&MCC_EPS) },
            _ => Overlap::Dice { smooth: [smooth(), below()], squared: args.flag(&SQUARED) },
        }
    }

    fn plan<T: Number>(&self, job: &Job<T>) -> Result<(Regions, Elements<T>), Fault> {
        Regions::new(job, job.args.flag(&PER_CLASS), job.args.word(&SUM_OVER) == "batch")
    }

    fn batch<R: Real>(&self, regions: &Regions, x: [&[R]; 2], work: Work<'_, R, 1>) {
        let [slopes] = work.slopes;
        for loss in wanted((0..work.losses.len()).filter(|&loss| work.keep[loss])) {
            let mut parts = regions.parts(loss, x);
            work.losses[loss] = self.of_parts(&mut parts, regions.per_class);
            for part in &parts {
                part.give(work.factor[loss], slopes);
            }
        }
    }
}

impl Overlap {
    /// The loss of the regions of all classes, whose slopes it sets.
    fn of_parts<R: Real>(&self, parts: &mut [Part<R>], per_class: bool) -> R {
        let zero = R::of(0.0);
        if let Overlap::GeneralizedDice { smooth } = *self {
            return generalized_dice(parts, R::of(smooth));
        }
        let present = |part: &Part<R>| {
            !(per_class && matches!(self, Overlap::LovaszSoftmax)) || zero < part.sum(|_, t| t)
        };
        let counting = parts.iter().filter(|part| present(part)).count();
        let mut value = zero;
        for part in parts.iter_mut().filter(|part| present(part)) {
            value = value + self.of_part(part);
            part.scale(R::of(1.0 / counting as f64));
        }
        if counting == 0 { zero } else { value / R::of(counting as f64) }
    }

    fn of_part<R: Real>(&self, part: &mut Part<R>) -> R {
        let (one, two) = (R::of(1.0), R::of(2.0));
        match *self {
            Overlap::Dice { smooth: [above, below], squared } => {
                let power = |x: R| if squared { x * x } else { x };
                let common = two * part.sum(|p, t| p * t) + R::of(above);
                let sizes = part.sum(|p, t| power(p) + power(t)) + R::of(below);
                let (ratio, inverse) = share(common, sizes);
                part.set(|p, t| {
                    let growth = if squared { two * p } else { one };
                    (ratio * growth - two * t) * inverse
                });
                one - ratio
            }
            Overlap::Tversky { weights: [alpha, beta], smooth: [above, below], gamma } => {
                let (alpha, beta) = (R::of(alpha), R::of(beta));
                let common = part.sum(|p, t| p * t);
                let wrong =
                    alpha * part.sum(|p, t| p * (one - t)) + beta * part.sum(|p, t| (one - p) * t);
                let (ratio, inverse) = share(common + R::of(above), common + wrong + R::of(below));
                let miss = if above == below { wrong * inverse } else { one - ratio };
                let steep = if gamma == 1.0 {
                    one
                } else {
                    let steep = R::of(gamma) * miss.powf(gamma - 1.0);
                    pick(miss == R::of(0.0), R::of(0.0), steep)
                };
                part.set(|_, t| {
                    let growth = t + alpha * (one - t) - beta * t;
                    steep * (ratio * growth - t) * inverse
                });
                if gamma == 1.0 { miss } else { miss.powf(gamma) }
            }
            Overlap::Matthews { eps } => matthews(part, R::of(eps)),
            Overlap::LovaszHinge => lovasz(
                part,
                |p, t| one - p * (two * t - one),
                |error, _, t| pick(R::of(0.0) < error, one - two * t, R::of(0.0)),
            ),
            Overlap::LovaszSoftmax => lovasz(part, |p, t| (t - p).abs(), |_, p, t| (p - t).sign()),
            Overlap::GeneralizedDice { .. } => R::of(f64::NAN),
        }
    }
}

/// A ratio and one over its denominator; two empty regions agree altogether, without a slope.
fn share<R: Real>(above: R, below: R) -> (R, R) {
    let empty = below == R::of(0.0);
    let one = R::of(1.0);
    (pick(empty, one, above / below), pick(empty, below, one / below))
}

fn generalized_dice<R: Real>(parts: &mut [Part<R>], smooth: R) -> R {
    let (zero, one, two) = (R::of(0.0), R::of(1.0), R::of(2.0));
    let weight = |part: &Part<R>| {
        let size = part.sum(|_, t| t);
        (zero < size).then(|| one / (size * size))
    };
    let weights: Vec<Option<R>> = parts.iter().map(weight).collect();
    let largest = weights.iter().flatten().copied().reduce(|a, b| pick(a < b, b, a));
    let weight = |class: usize| weights[class].or(largest).unwrap_or(one);
    let over = |f: fn(R, R) -> R| sum_over(parts.len(), |c| weight(c) * parts[c].sum(f));
    let common = two * over(|p, t| p * t) + smooth;
    let (ratio, inverse) = share(common, over(|p, t| p + t) + smooth);
    for (class, part) in parts.iter_mut().enumerate() {
        let weight = weight(class);
        part.set(|_, t| weight * (ratio - two * t) * inverse);
    }
    one - ratio
}

fn matthews<R: Real>(part: &mut Part<R>, eps: R) -> R {
    let (zero, one, half) = (R::of(0.0), R::of(1.0), R::of(0.5));
    let true_positive = part.sum(|p, t| p * t) + eps;
    let true_negative = part.sum(|p, t| (one - p) * (one - t)) + eps;
    let false_positive = part.sum(|p, t| p * (one - t)) + eps;
    let false_negative = part.sum(|p, t| (one - p) * t) + eps;
    let said = [true_positive + false_positive, true_negative + false_negative];
    let was = [true_positive + false_negative, true_negative + false_positive];
    let below = said[0].sqrt() * said[1].sqrt() * was[0].sqrt() * was[1].sqrt();
    if below == zero {
        return one;
    }
    let correlation = (true_positive * true_negative - false_positive * false_negative) / below;
    let growth = correlation * half * (one / said[0] - one / said[1]);
    part.set(|_, t| {
        let rest = one - t;
        let change = t * (true_negative + false_positive) - rest * (true_positive + false_negative);
        growth - change / below
    });
    one - correlation
}

/// The Lovász extension of the Jaccard loss: errors in descending order, each times the step of the
/// loss at its place.
fn lovasz<R: Real>(
    part: &mut Part<R>,
    error: impl Fn(R, R) -> R,
    slope: impl Fn(R, R, R) -> R,
) -> R {
    let (zero, one) = (R::of(0.0), R::of(1.0));
    let errors: Vec<R> = part.p.iter().zip(&part.t).map(|(&p, &t)| error(p, t)).collect();
    let positives = part.sum(|_, t| t);
    let (mut found, mut wrong, mut before) = (zero, zero, zero);
    let mut value = zero;
    for i in descending(&errors) {
        found = found + part.weight[i] * part.t[i];
        wrong = wrong + part.weight[i] * (one - part.t[i]);
        let union = positives + wrong;
        let jaccard = pick(union == zero, zero, one - (positives - found) / union);
        let step = jaccard - before;
        before = jaccard;
        let slope = slope(errors[i], part.p[i], part.t[i]);
        part.slopes[i] = slope * step;
        // Where the slope is 0 the error is not counted; NaN is.
        let counts = slope != zero || errors[i].partial_cmp(&errors[i]).is_none();
        value = value + pick(counts, errors[i] * step, zero);
    }
    value
}
