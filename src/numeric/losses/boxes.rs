//! Boxes: how well a predicted box lies on the right one.

use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Input, Param, Task};
use crate::numeric::drive::rowwise::{Rowwise, Target};
use crate::numeric::fault::Fault;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::rowwise_in_double::<Boxes, _>().described(GIOU),
    Loss::rowwise_in_double::<Boxes, _>().described(DIOU),
    Loss::rowwise_in_double::<Boxes, _>().described(CIOU),
];

const EPS: Param = Param::number("eps", 1e-7, Bounds::NOT_NEGATIVE, "added to each denominator");

const GIOU: Card = Card {
    name: "giou",
    title: "Generalized IoU",
    summary: "One less the intersection over union of two boxes, plus how much of the box around both is empty.",
    formula: r"1 - \mathrm{IoU} + \frac{|C| - |U|}{|C| + \epsilon}",
    inputs: &[
        Input { shape: "[n, 4] or [4]", doc: "boxes x1 y1 x2 y2", ..Input::PREDICTIONS },
        Input { shape: "[n, 4] or [4]", doc: "boxes x1 y1 x2 y2", ..Input::TARGETS },
    ],
    params: &[EPS],
    unreduced: "[n]",
    mean: "the number of boxes",
    kinks: "where two edges are equal each has half the slope; boxes that only touch have no slope in their intersection",
    tasks: &[Task::Detection],
    use_case: "object detection, boxes",
    activation: "linear; corners in order, x1 < x2 and y1 < y2",
    outliers: "no: between 0 and 2",
    source: "Rezatofighi et al., Generalized intersection over union, 2019; torchvision.ops.generalized_box_iou_loss",
    differences: &[
        "torchvision's default reduction is none",
        "eps is in each denominator, so that identical boxes cost about eps; with eps 0, a ratio over 0 is 0",
        "a box whose corners are exchanged is taken as it is, as in torchvision",
    ],
    aliases: &["generalized_box_iou"],
    example: r#"{"predictions": [[48, 40, 130, 162], [210, 95, 318, 240], [12, 300, 96, 372]], "targets": [[52, 44, 140, 170], [200, 100, 310, 236], [150, 310, 230, 380]]}"#,
    ..Card::PAIR
};

const DIOU: Card = Card {
    name: "diou",
    title: "Distance IoU",
    summary: "One less the intersection over union of two boxes, plus the squared distance of their centres over the diagonal around both.",
    formula: r"1 - \mathrm{IoU} + \frac{\rho^2}{c^2 + \epsilon}",
    source: "Zheng et al., Distance-IoU loss, 2020; torchvision.ops.distance_box_iou_loss",
    aliases: &["distance_box_iou"],
    example: r#"{"predictions": [[48, 40, 130, 162], [210, 95, 318, 240], [12, 300, 96, 372]], "targets": [[52, 44, 140, 170], [200, 100, 310, 236], [150, 310, 230, 380]]}"#,
    ..GIOU
};

const CIOU: Card = Card {
    name: "ciou",
    title: "Complete IoU",
    summary: "The distance IoU loss plus a term for the difference of the boxes' aspect ratios.",
    formula: r"\mathrm{diou} + \alpha v,\quad v = \frac{4}{\pi^2}\left(\arctan\frac{w_t}{h_t} - \arctan\frac{w_p}{h_p}\right)^2,\ \alpha = \frac{v}{1 - \mathrm{IoU} + v + \epsilon}",
    kinks: "as giou; α counts as a constant",
    source: "Zheng et al., Enhancing geometric factors in model learning, 2021; torchvision.ops.complete_box_iou_loss",
    differences: &[
        "torchvision's default reduction is none",
        "a box of height 0 has the angle π/2, the limit; torchvision gives NaN",
        "torchvision has 1e-7 in the distance term whatever eps is",
    ],
    aliases: &["complete_box_iou"],
    example: r#"{"predictions": [[48, 40, 130, 162], [210, 95, 318, 240], [12, 300, 96, 372]], "targets": [[52, 44, 140, 170], [200, 100, 310, 236], [150, 310, 230, 380]]}"#,
    ..GIOU
};

enum Kind {
    Generalized,
    Distance,
    Complete,
}

struct Boxes {
    kind: Kind,
    eps: f64,
}

/// A number and its slopes in the corners of the predicted box.
#[derive(Clone, Copy)]
struct Sloped<R> {
    value: R,
    slope: [R; 4],
}

impl<R: Real> Sloped<R> {
    fn constant(value: R) -> Sloped<R> {
        Sloped { value, slope: [R::of(0.0); 4] }
    }

    fn corner(value: R, at: usize) -> Sloped<R> {
        let mut corner = Sloped::constant(value);
        corner.slope[at] = R::of(1.0);
        corner
    }

    fn map(self, value: R, steep: R) -> Sloped<R> {
        Sloped { value, slope: self.slope.map(|s| s * steep) }
    }

    fn plus(self, other: Sloped<R>) -> Sloped<R> {
        let slope = std::array::from_fn(|k| self.slope[k] + other.slope[k]);
        Sloped { value: self.value + other.value, slope }
    }

    fn less(self, other: Sloped<R>) -> Sloped<R> {
        self.plus(other.map(-other.value, R::of(-1.0)))
    }

    fn times(self, other: Sloped<R>) -> Sloped<R> {
        let value = self.value * other.value;
        self.map(value, other.value).plus(other.map(R::of(0.0), self.value))
    }

    /// The ratio; 0 over nothing, without a slope.
    fn over(self, other: Sloped<R>) -> Sloped<R> {
        if other.value == R::of(0.0) {
            return Sloped::constant(other.value);
        }
        let value = self.value / other.value;
        let inverse = R::of(1.0) / other.value;
        self.map(value, inverse).plus(other.map(R::of(0.0), -(value * inverse)))
    }

    fn squared(self) -> Sloped<R> {
        self.map(self.value * self.value, self.value + self.value)
    }

    /// The larger of two; on a tie each has half the slope, as in torch.
    fn larger(self, other: Sloped<R>) -> Sloped<R> {
        if self.value == other.value {
            let half = R::of(0.5);
            let sum = self.map(self.value, half).plus(other.map(R::of(0.0), half));
            return Sloped { value: self.value, ..sum };
        }
        if other.value < self.value || self.value.partial_cmp(&self.value).is_none() {
            self
        } else {
            other
        }
    }

    fn smaller(self, other: Sloped<R>) -> Sloped<R> {
        let turned = |x: Sloped<R>| x.map(-x.value, R::of(-1.0));
        turned(turned(self).larger(turned(other)))
    }

    /// The angle whose tangent is this over the other.
    fn angle(self, other: Sloped<R>) -> Sloped<R> {
        let value = self.value.atan2(other.value);
        let square = self.value * self.value + other.value * other.value;
        if square == R::of(0.0) {
            return Sloped::constant(value);
        }
        self.map(value, other.value / square).plus(other.map(R::of(0.0), -(self.value / square)))
    }
}

impl Rowwise<1> for Boxes {
    const CARD: Card = GIOU;

    fn new(args: &Args) -> Boxes {
        let kind = match args.card().name {
            "diou" => Kind::Distance,
            "ciou" => Kind::Complete,
            _ => Kind::Generalized,
        };
        Boxes { kind, eps: args.number(&EPS) }
    }

    fn fit(self, shape: &[usize], axis: usize) -> Result<Self, Fault> {
        if shape[axis] == 4 {
            return Ok(self);
        }
        let detail = format!("a box has 4 numbers, but predictions has {} per row", shape[axis]);
        Err(Fault::shape("predictions", detail)
            .hint("send predictions of shape [n, 4]: x1 y1 x2 y2"))
    }

    #[inline(always)]
    fn row<R: Real>(
        &self,
        _row: usize,
        [x]: [&[R]; 1],
        target: Target<'_, R>,
        [slope]: [&mut [R]; 1],
    ) -> R {
        let Target::Row(t) = target else { return R::of(f64::NAN) };
        let loss = self.of([x[0], x[1], x[2], x[3]], [t[0], t[1], t[2], t[3]]);
        slope.copy_from_slice(&loss.slope);
        loss.value
    }
}

impl Boxes {
    fn of<R: Real>(&self, predicted: [R; 4], right: [R; 4]) -> Sloped<R> {
        let (zero, eps) = (R::of(0.0), Sloped::constant(R::of(self.eps)));
        let p: [Sloped<R>; 4] = std::array::from_fn(|k| Sloped::corner(predicted[k], k));
        let t = right.map(Sloped::constant);
        let (width, height) = (p[2].less(p[0]), p[3].less(p[1]));
        let (right_width, right_height) = (t[2].less(t[0]), t[3].less(t[1]));
        let common_width = p[2].smaller(t[2]).less(p[0].larger(t[0]));
        let common_height = p[3].smaller(t[3]).less(p[1].larger(t[1]));
        let overlap = zero < common_width.value && zero < common_height.value;
        let common = common_width.times(common_height);
        let common = pick(overlap, common, Sloped::constant(zero));
        let union = width.times(height).plus(right_width.times(right_height)).less(common);
        let loss = Sloped::constant(R::of(1.0)).less(common.over(union.plus(eps)));
        let around_width = p[2].larger(t[2]).less(p[0].smaller(t[0]));
        let around_height = p[3].larger(t[3]).less(p[1].smaller(t[1]));
        if let Kind::Generalized = self.kind {
            let around = around_width.times(around_height);
            return loss.plus(around.less(union).over(around.plus(eps)));
        }
        let half = R::of(0.5);
        let apart = |k: usize| {
            let sum = p[k].plus(p[k + 2]).less(t[k].plus(t[k + 2]));
            sum.map(half * sum.value, half).squared()
        };
        let diagonal = around_width.squared().plus(around_height.squared());
        let distance = loss.plus(apart(0).plus(apart(1)).over(diagonal.plus(eps)));
        if let Kind::Distance = self.kind {
            return distance;
        }
        let turned = right_width.angle(right_height).less(width.angle(height)).squared();
        let factor = R::of(4.0 / (std::f64::consts::PI * std::f64::consts::PI));
        let v = turned.map(turned.value * factor, factor);
        // How much the aspect ratio counts is a constant.
        let missing = (loss.value + v.value + eps.value).detached();
        let alpha = pick(v.value == zero, zero, v.value.detached() / missing);
        distance.plus(v.map(v.value * alpha, alpha))
    }
}
