//! Special functions in double precision, for positive arguments. Single precision takes them from
//! here and rounds once.

/// From here on the asymptotic series below are exact to the last places.
const LARGE: f64 = 12.0;

/// ln Γ(x) within 1e-14 of the larger of 1 and the value; NaN below 0.
pub fn ln_gamma(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 || x == f64::INFINITY {
        return f64::INFINITY;
    }
    if x == 1.0 || x == 2.0 {
        return 0.0;
    }
    // Γ(x) = Γ(x + n) / (x (x + 1) … (x + n - 1))
    let (mut product, mut y) = (1.0, x);
    while y < LARGE {
        product *= y;
        y += 1.0;
    }
    let half_ln_tau = 0.918_938_533_204_672_8;
    (y - 0.5) * y.ln() - y + half_ln_tau + stirling(y) - f64::ln(product)
}

/// What Stirling's formula lacks to ln Γ, for large arguments.
fn stirling(x: f64) -> f64 {
    let z = 1.0 / (x * x);
    let mut series = 0.0;
    for coefficient in [
        -3617.0 / 122_400.0,
        1.0 / 156.0,
        -691.0 / 360_360.0,
        1.0 / 1188.0,
        -1.0 / 1680.0,
        1.0 / 1260.0,
        -1.0 / 360.0,
        1.0 / 12.0,
    ] {
        series = series * z + coefficient;
    }
    series / x
}

/// ln Γ(x) - ln Γ(x + step), without cancelling where the step is small beside a large x.
pub fn ln_gamma_step(x: f64, step: f64) -> f64 {
    let end = x + step;
    if x < LARGE || end < LARGE || !end.is_finite() {
        return ln_gamma(x) - ln_gamma(end);
    }
    stirling(x) - stirling(end) - (x - 0.5) * (step / x).ln_1p() - step * end.ln() + step
}

/// ψ(x) - ψ(x + step), without cancelling where the step is small beside a large x.
pub fn digamma_step(x: f64, step: f64) -> f64 {
    let end = x + step;
    if x < LARGE || end < LARGE || !end.is_finite() {
        return digamma(x) - digamma(end);
    }
    digamma_tail(end) - digamma_tail(x) - (step / x).ln_1p() - 0.5 * step / (x * end)
}

/// The derivative of ln Γ, within 1e-14 of the larger of 1 and the value; NaN from 0 down.
pub fn digamma(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 {
        return f64::NAN;
    }
    let (mut sum, mut y) = (0.0, x);
    while y < LARGE {
        sum -= 1.0 / y;
        y += 1.0;
    }
    sum + y.ln() - 0.5 / y - digamma_tail(y)
}

/// What ln x - 1 / (2 x) exceeds ψ(x) by, for large arguments.
fn digamma_tail(x: f64) -> f64 {
    let z = 1.0 / (x * x);
    let mut series = 0.0;
    for coefficient in [
        -3617.0 / 8160.0,
        1.0 / 12.0,
        -691.0 / 32_760.0,
        1.0 / 132.0,
        -1.0 / 240.0,
        1.0 / 252.0,
        -1.0 / 120.0,
        1.0 / 12.0,
    ] {
        series = series * z + coefficient;
    }
    series * z
}

/// The derivative of the digamma function, within 1e-13 of its value.
pub fn trigamma(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 {
        return f64::NAN;
    }
    let (mut sum, mut y) = (0.0, x);
    while y < LARGE {
        sum += 1.0 / (y * y);
        y += 1.0;
    }
    let z = 1.0 / (y * y);
    let mut series = 0.0;
    for coefficient in [
        -3617.0 / 510.0,
        7.0 / 6.0,
        -691.0 / 2730.0,
        5.0 / 66.0,
        -1.0 / 30.0,
        1.0 / 42.0,
        -1.0 / 30.0,
        1.0 / 6.0,
    ] {
        series = series * z + coefficient;
    }
    sum + 1.0 / y + 0.5 * z + series * z / y
}

/// From here on the continued fraction of erfcx converges quickly.
const TAIL: f64 = 1.5;

/// The error function, within 1e-15.
pub fn erf(x: f64) -> f64 {
    let a = x.abs();
    if a < TAIL { erf_series(x) } else { (1.0 - erfcx(a) * (-a * a).exp()).copysign(x) }
}

/// The error function by its series of positive terms.
fn erf_series(x: f64) -> f64 {
    let square = x * x;
    let (mut term, mut sum) = (x, x);
    let mut n = 0.0;
    while term.abs() > sum.abs() * 1e-17 {
        n += 1.0;
        term *= square / (n + 0.5);
        sum += term;
    }
    sum * (-square).exp() * std::f64::consts::FRAC_2_SQRT_PI
}

/// e^(x²) erfc(x), within 1e-14 of its value; for x of at least 0.
fn erfcx(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x < TAIL {
        return (1.0 - erf_series(x)) * (x * x).exp();
    }
    // x + (1/2) / (x + 1 / (x + (3/2) / (x + …))), from the inside out.
    let mut fraction = x;
    for step in (1..=80).rev() {
        fraction = x + 0.5 * f64::from(step) / fraction;
    }
    1.0 / (fraction * std::f64::consts::PI.sqrt())
}

/// The logarithm of the normal distribution function, exact far into its lower tail.
pub fn ln_ndtr(x: f64) -> f64 {
    let z = x * std::f64::consts::FRAC_1_SQRT_2;
    if x < -1.0 {
        (0.5 * erfcx(-z)).ln() - z * z
    } else {
        // erfc of the other side is small where x is large, so that nothing cancels.
        let upper = if z < 0.0 { 1.0 - erf(z) } else { erfcx(z) * (-z * z).exp() };
        (-0.5 * upper).ln_1p()
    }
}

/// The normal density over the normal distribution function: the slope of `ln_ndtr`.
pub fn inverse_mills(x: f64) -> f64 {
    let z = x * std::f64::consts::FRAC_1_SQRT_2;
    if x == f64::NEG_INFINITY {
        return f64::INFINITY;
    }
    let root = (2.0 / std::f64::consts::PI).sqrt();
    if x < 0.0 { root / erfcx(-z) } else { root * (-z * z).exp() / (1.0 + erf(z)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unreadable_literal, reason = "as the program printed them")]
    /// x, erf(x), ln Φ(x) and φ(x) / Φ(x), from mpmath 1.3.0 at 50 digits.
    const NORMAL: [[f64; 4]; 10] = [
        [-40.0, -1.0, -804.6084420137538, 40.02496884720726],
        [-9.5, -1.0, -48.30601929896523, 9.603050090384283],
        [-3.0, -0.9999779095030014, -6.607726221510349, 3.2830986549304364],
        [-1.25, -0.9229001282564583, -2.247625677214318, 1.728816627331054],
        [-0.75, -0.7111556336535151, -1.4844482299196562, 1.328777965221207],
        [-0.001, -0.0011283787909692365, -0.6939453834669652, 0.7985212895629114],
        [0.25, 0.27632639016823696, -0.5129840754094305, 0.6458393710168173],
        [1.5, 0.9661051464753108, -0.06914345561223398, 0.13878975045885075],
        [3.6, 0.999999644137007, -0.00015912124927206517, 0.000611999304460282],
        [6.5, 1.0, -4.016000583939759e-11, 2.669556614870061e-10],
    ];

    #[test]
    fn the_normal_distribution_agrees_with_mpmath() {
        for [x, error, log, mills] in NORMAL {
            let close = |got: f64, exact: f64| (got - exact).abs() <= 2e-14 * exact.abs();
            assert!(close(erf(x), error), "erf({x}) = {}", erf(x));
            assert!(close(ln_ndtr(x), log), "ln Φ({x}) = {}", ln_ndtr(x));
            assert!(close(inverse_mills(x), mills), "φ/Φ({x}) = {}", inverse_mills(x));
        }
        assert_eq!((erf(f64::INFINITY), erf(f64::NEG_INFINITY)), (1.0, -1.0));
        assert_eq!(ln_ndtr(f64::INFINITY), 0.0);
        assert_eq!(ln_ndtr(f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert!(erf(f64::NAN).is_nan() && ln_ndtr(f64::NAN).is_nan());
    }

    #[expect(clippy::unreadable_literal, reason = "as the program printed them")]
    /// x, ln Γ(x), ψ(x) and ψ'(x), from mpmath 1.3.0 at 50 digits.
    const VALUES: [[f64; 4]; 9] = [
        [1e-05, 11.512919692895826, -100000.57719921567, 10000000001.644909],
        [0.1, 2.252712651734206, -10.423754940411076, 101.43329915079275],
        [0.5, 0.5723649429247001, -1.9635100260214235, 4.934802200544679],
        [1.0, 0.0, -0.5772156649015329, 1.6449340668482264],
        [1.4616, -0.12148629003589732, -3.110625123034165e-05, 0.9677007114650835],
        [2.0, 0.0, 0.42278433509846713, 0.6449340668482264],
        [7.25, 7.0521854507385395, 1.910453526883736, 0.14787923315893217],
        [12.5, 18.734347511936445, 2.4851956512749123, 0.08328522460157838],
        [1000.0, 5905.220423209181, 6.907255195648812, 0.0010005001666666333],
    ];

    #[test]
    fn they_agree_with_mpmath() {
        for [x, gamma, psi, psi1] in VALUES {
            let close = |got: f64, exact: f64, bound: f64| {
                (got - exact).abs() <= bound * exact.abs().max(1.0)
            };
            assert!(close(ln_gamma(x), gamma, 1e-14), "ln Γ({x}) = {}", ln_gamma(x));
            assert!(close(digamma(x), psi, 1e-14), "ψ({x}) = {}", digamma(x));
            assert!(close(trigamma(x), psi1, 1e-13), "ψ'({x}) = {}", trigamma(x));
        }
    }

    #[test]
    fn outside_their_domain_they_are_not_numbers() {
        assert!(ln_gamma(-0.5).is_nan() && digamma(0.0).is_nan() && trigamma(-1.0).is_nan());
        assert_eq!(ln_gamma(0.0), f64::INFINITY);
        assert_eq!(ln_gamma(f64::INFINITY), f64::INFINITY);
    }
}
