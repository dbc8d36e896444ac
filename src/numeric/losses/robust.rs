//! Robust regression: losses that large errors do not rule.

use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Param};
use crate::numeric::drive::pointwise::Pointwise;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick, product_or_zero};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::pointwise::<PseudoHuber, _, _>(),
    Loss::pointwise::<Fair, _, _>(),
    Loss::pointwise::<Cauchy, _, _>(),
    Loss::pointwise::<Welsch, _, _>(),
    Loss::pointwise::<GemanMcclure, _, _>(),
    Loss::pointwise::<TukeyBiweight, _, _>(),
    Loss::pointwise::<Charbonnier, _, _>(),
    Loss::pointwise::<AdaptiveRobust, _, _>(),
    Loss::pointwise::<Wing, _, _>(),
];

const DELTA: Param = Param::number(
    "delta",
    1.0,
    Bounds::POSITIVE,
    "difference beyond which the loss is almost linear",
);

struct PseudoHuber {
    delta: f64,
}

impl Pointwise<2, 1> for PseudoHuber {
    const CARD: Card = Card {
        name: "pseudo_huber",
        title: "Pseudo-Huber",
        summary: "A smooth form of Huber: half the square near the target, slope delta far from it.",
        formula: r"\delta^2\left(\sqrt{1 + ((p - t)/\delta)^2} - 1\right)",
        params: &[DELTA],
        use_case: "regression with outliers, where a smooth second derivative helps",
        outliers: "partly: almost linear beyond delta",
        source: "XGBoost reg:pseudohubererror; Charbonnier et al., 1997",
        differences: &["XGBoost calls delta huber_slope"],
        aliases: &["reg:pseudohubererror"],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> PseudoHuber {
        PseudoHuber { delta: args.number(&DELTA) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let one = R::of(1.0);
        let delta = R::of(self.delta);
        let d = p - t;
        let r = d / delta;
        // √(1 + r²) without overflow: the larger of 1 and |r| outside the root.
        let a = r.abs();
        let (low, high) = (pick(a < one, a, one), pick(a < one, one, a));
        let ratio = low / high;
        let root = high * (one + ratio * ratio).sqrt();
        let root = pick(a == R::of(f64::INFINITY), a, root);
        // root - 1 = r² / (root + 1), which does not cancel near 0.
        let excess = pick(a == R::of(f64::INFINITY), a, a * (a / (root + one)));
        let slope = pick(a == R::of(f64::INFINITY), delta * d.sign(), d / root);
        (delta * delta * excess, [slope])
    }
}

/// The scale of a robust loss.
const fn scale(default: f64) -> Param {
    Param::number("c", default, Bounds::POSITIVE, "the scale: differences are divided by it")
}

const C: Param = scale(1.0);

struct Fair {
    c: f64,
}

impl Pointwise<2, 1> for Fair {
    const CARD: Card = Card {
        name: "fair",
        title: "Fair",
        summary: "Half the square near the target and almost linear far from it, with slope c at most.",
        formula: r"c^2\left(|r| - \ln(1 + |r|)\right),\quad r = (p - t) / c",
        params: &[C],
        use_case: "regression with outliers",
        outliers: "partly: almost linear in large errors",
        source: "LightGBM fair (fair_c); Fair, 1974",
        aliases: &[],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> Fair {
        Fair { c: args.number(&C) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let c = R::of(self.c);
        let d = p - t;
        let r = d.abs() / c;
        let value = pick(r == R::of(f64::INFINITY), r, r.log_excess());
        let slope = pick(r == R::of(f64::INFINITY), c * d.sign(), d / (r + R::of(1.0)));
        (c * c * value, [slope])
    }
}

struct Cauchy {
    c: f64,
}

impl Pointwise<2, 1> for Cauchy {
    const CARD: Card = Card {
        name: "cauchy",
        title: "Cauchy (Lorentzian)",
        summary: "The logarithm of one plus the square: large errors hardly count more than medium ones.",
        formula: r"\frac{c^2}{2}\ln(1 + r^2),\quad r = (p - t) / c",
        params: &[C],
        use_case: "regression with gross outliers",
        outliers: "no: grows with the logarithm of the error",
        source: "Black and Anandan, 1996; kornia cauchy_loss with c = √2",
        aliases: &["lorentzian"],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> Cauchy {
        Cauchy { c: args.number(&C) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let c = R::of(self.c);
        let d = p - t;
        let r = d / c;
        let one = R::of(1.0);
        let value = c * c * R::of(0.5) * r.ln_1p_square();
        // d / (1 + r²), without overflow far away.
        let near = d / (one + r * r);
        let slope = pick(r.abs() < one, near, c / (r + one / r));
        (value, [slope])
    }
}

struct Welsch {
    c: f64,
}

impl Pointwise<2, 1> for Welsch {
    const CARD: Card = Card {
        name: "welsch",
        title: "Welsch (Leclerc)",
        summary: "Half the square near the target, and a constant far from it.",
        formula: r"\frac{c^2}{2}\left(1 - e^{-r^2}\right),\quad r = (p - t) / c",
        params: &[C],
        use_case: "regression with gross outliers",
        outliers: "no: bounded",
        source: "Dennis and Welsch, 1978; kornia welsch_loss with c = √2",
        aliases: &["leclerc"],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> Welsch {
        Welsch { c: args.number(&C) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let c = R::of(self.c);
        let d = p - t;
        let r = d / c;
        let square = r * r;
        let value = -(c * c * R::of(0.5) * (-square).exp_m1());
        (value, [product_or_zero((-square).exp(), d)])
    }
}

struct GemanMcclure {
    c: f64,
}

impl Pointwise<2, 1> for GemanMcclure {
    const CARD: Card = Card {
        name: "geman_mcclure",
        title: "Geman-McClure",
        summary: "Half the square of the scaled difference near the target, and 2 far from it.",
        formula: r"\frac{2 r^2}{r^2 + 4},\quad r = (p - t) / c",
        params: &[C],
        use_case: "regression and registration with gross outliers",
        outliers: "no: bounded",
        source: "Geman and McClure, 1985; kornia geman_mcclure_loss",
        aliases: &[],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> GemanMcclure {
        GemanMcclure { c: args.number(&C) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let r = (p - t) / R::of(self.c);
        let share = R::of(1.0) / (r * r + R::of(4.0));
        // 2 r² / (r² + 4), divided first so that a huge difference gives 2.
        let value = pick(share == R::of(0.0), R::of(2.0), R::of(2.0) * r * (r * share));
        let slope = R::of(16.0 / self.c) * product_or_zero(share * share, r);
        (value, [slope])
    }
}

const C_TUKEY: Param = scale(4.685);

struct TukeyBiweight {
    c: f64,
}

impl Pointwise<2, 1> for TukeyBiweight {
    const CARD: Card = Card {
        name: "tukey_biweight",
        title: "Tukey's biweight",
        summary: "Half the square near the target, and a constant beyond c, where errors have no say.",
        formula: r"\frac{c^2}{6}\left(1 - (1 - r^2)^3\right) \text{ for } |r| \le 1,\quad \frac{c^2}{6} \text{ beyond},\quad r = (p - t) / c",
        params: &[C_TUKEY],
        kinks: "0 from |p - t| = c on",
        use_case: "regression with gross outliers",
        outliers: "no: errors beyond c have no gradient",
        source: "Beaton and Tukey, 1974; statsmodels TukeyBiweight",
        aliases: &["tukey", "biweight", "bisquare"],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> TukeyBiweight {
        TukeyBiweight { c: args.number(&C_TUKEY) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let (zero, one, three) = (R::of(0.0), R::of(1.0), R::of(3.0));
        let d = p - t;
        let r = d / R::of(self.c);
        let u = r * r;
        let far = one <= u;
        // 1 - (1 - u)³ = u (3 - 3 u + u²), which does not cancel.
        let near = u * (three - three * u + u * u);
        let rest = one - u;
        let bound = R::of(self.c * self.c / 6.0);
        (bound * pick(far, one, near), [pick(far, zero, d * rest * rest)])
    }
}

const EPS: Param =
    Param::number("eps", 1e-3, Bounds::POSITIVE, "difference below which the loss is round");

struct Charbonnier {
    eps: f64,
}

impl Pointwise<2, 1> for Charbonnier {
    const CARD: Card = Card {
        name: "charbonnier",
        title: "Charbonnier",
        summary: "The absolute difference with its kink rounded off.",
        formula: r"\sqrt{(p - t)^2 + \epsilon^2}",
        params: &[EPS],
        use_case: "image restoration and super-resolution",
        outliers: "no: linear in the error",
        source: "Charbonnier et al., 1994; Lai et al., 2017",
        differences: &["kornia subtracts the least value and takes eps 1"],
        aliases: &[],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> Charbonnier {
        Charbonnier { eps: args.number(&EPS) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let d = p - t;
        let a = d.abs();
        let eps = R::of(self.eps);
        let (low, high) = (pick(a < eps, a, eps), pick(a < eps, eps, a));
        let ratio = low / high;
        let root = high * (R::of(1.0) + ratio * ratio).sqrt();
        let infinite = a == R::of(f64::INFINITY);
        (pick(infinite, a, root), [pick(infinite, d.sign(), d / root)])
    }
}

const ALPHA: Param = Param::number(
    "alpha",
    1.0,
    Bounds { min: f64::NEG_INFINITY, min_included: true, ..Bounds::ANY },
    "the shape: 2 is half the square, 1 pseudo-Huber, 0 Cauchy, -2 Geman-McClure, -Infinity Welsch",
);

struct AdaptiveRobust {
    alpha: f64,
    c: f64,
}

impl Pointwise<2, 1> for AdaptiveRobust {
    const CARD: Card = Card {
        name: "adaptive_robust",
        title: "General and adaptive robust",
        summary: "One family from squared error to bounded losses, chosen by its shape alpha.",
        formula: r"\frac{|\alpha - 2|}{\alpha}\left[\left(\frac{r^2}{|\alpha - 2|} + 1\right)^{\alpha/2} - 1\right],\quad r = (p - t)/c",
        params: &[ALPHA, C],
        use_case: "regression with outliers whose weight is to be tuned",
        outliers: "partly: the less the smaller alpha is; squared at 2",
        source: "Barron, A general and adaptive robust loss function, 2019",
        differences: &["the limits at alpha 2, 0 and -Infinity are taken exactly"],
        aliases: &["barron"],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> AdaptiveRobust {
        AdaptiveRobust { alpha: args.number(&ALPHA), c: args.number(&C) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let c = R::of(self.c);
        let r = (p - t) / c;
        let square = r * r;
        let half = square * R::of(0.5);
        if self.alpha == 2.0 {
            return (half, [r / c]);
        }
        if self.alpha == f64::NEG_INFINITY {
            return (-(-half).exp_m1(), [product_or_zero((-half).exp(), r / c)]);
        }
        // The power by its logarithm, so that taking 1 away does not cancel near 0.
        let b = (self.alpha - 2.0).abs();
        let growth = (r / R::of(b.sqrt())).ln_1p_square();
        let value = if self.alpha == 0.0 {
            growth
        } else {
            (growth * R::of(0.5 * self.alpha)).exp_m1() * R::of(b / self.alpha)
        };
        // In two halves, because one alone may vanish while the product with r does not.
        let fading = (growth * R::of(0.25 * self.alpha - 0.5)).exp();
        (value, [product_or_zero(fading, product_or_zero(fading, r / c))])
    }
}

const WIDTH: Param =
    Param::number("width", 5.0, Bounds::POSITIVE, "difference at which the loss turns linear");
const CURVATURE: Param =
    Param::number("curvature", 0.5, Bounds::POSITIVE, "how soon the logarithm bends");

struct Wing {
    width: f64,
    curvature: f64,
}

impl Pointwise<2, 1> for Wing {
    const CARD: Card = Card {
        name: "wing",
        title: "Wing",
        summary: "A logarithm near the target, which makes small errors count, and linear beyond the width.",
        formula: r"\begin{cases} w\ln(1 + |p - t|/\kappa) & |p - t| < w \\ |p - t| - (w - w\ln(1 + w/\kappa)) & \text{else} \end{cases}",
        params: &[WIDTH, CURVATURE],
        kinks: "0 where p = t; ±1 where |p - t| = width",
        use_case: "facial landmarks",
        outliers: "partly: linear in large errors",
        source: "Feng et al., Wing loss for robust facial landmark localisation, 2018; segmentation-models-pytorch wing_loss",
        aliases: &[],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> Wing {
        Wing { width: args.number(&WIDTH), curvature: args.number(&CURVATURE) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let (width, curvature) = (R::of(self.width), R::of(self.curvature));
        let d = p - t;
        let a = d.abs();
        let near = width * (a / curvature).ln_1p();
        let offset = R::of(self.width - self.width * (self.width / self.curvature).ln_1p());
        let steep = width / (curvature + a);
        let far = width <= a;
        (pick(far, a - offset, near), [d.sign() * pick(far, R::of(1.0), steep)])
    }
}
