//! Dual numbers: a value and its exact derivative, carried through the same text as the value.
//! The slope of a slope is a second derivative, and in tests every gradient is checked against the
//! derivative of its loss; no finite differences anywhere.

use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::real::{Logistic, Real, product_or_zero};
use super::simd::{Kernel, Level, Number};
use super::special;

/// value + derivative · ε, with ε² = 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dual {
    /// The value.
    pub value: f64,
    /// The derivative.
    pub derivative: f64,
}

impl Dual {
    /// A value and its derivative.
    pub const fn new(value: f64, derivative: f64) -> Dual {
        Dual { value, derivative }
    }

    fn map(self, value: f64, slope: f64) -> Dual {
        // A constant stays one, even where the function is steep without bound.
        let derivative = if self.derivative == 0.0 { 0.0 } else { slope * self.derivative };
        Dual { value, derivative }
    }
}

impl PartialEq for Dual {
    fn eq(&self, other: &Dual) -> bool {
        self.value == other.value
    }
}

impl PartialOrd for Dual {
    fn partial_cmp(&self, other: &Dual) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl Add for Dual {
    type Output = Dual;
    fn add(self, other: Dual) -> Dual {
        Dual::new(self.value + other.value, self.derivative + other.derivative)
    }
}

impl Sub for Dual {
    type Output = Dual;
    fn sub(self, other: Dual) -> Dual {
        Dual::new(self.value - other.value, self.derivative - other.derivative)
    }
}

impl Mul for Dual {
    type Output = Dual;
    fn mul(self, other: Dual) -> Dual {
        let derivative = self.derivative * other.value + self.value * other.derivative;
        Dual::new(self.value * other.value, derivative)
    }
}

impl Div for Dual {
    type Output = Dual;
    fn div(self, other: Dual) -> Dual {
        let value = self.value / other.value;
        Dual::new(value, (self.derivative - value * other.derivative) / other.value)
    }
}

impl Neg for Dual {
    type Output = Dual;
    fn neg(self) -> Dual {
        Dual::new(-self.value, -self.derivative)
    }
}

impl Real for Dual {
    type Elem = Dual;

    fn view(elements: &[Dual]) -> &[Dual] {
        elements
    }
    fn view_mut(elements: &mut [Dual]) -> &mut [Dual] {
        elements
    }
    fn of(x: f64) -> Dual {
        Dual::new(x, 0.0)
    }
    fn to_f64(self) -> f64 {
        self.value
    }
    fn abs(self) -> Dual {
        self.map(self.value.abs(), self.value.sign())
    }
    fn sqrt(self) -> Dual {
        let root = self.value.sqrt();
        self.map(root, 0.5 / root)
    }
    fn exp(self) -> Dual {
        let power = self.value.exp();
        self.map(power, power)
    }
    fn exp_m1(self) -> Dual {
        self.map(self.value.exp_m1(), self.value.exp())
    }
    fn ln(self) -> Dual {
        self.map(self.value.ln(), 1.0 / self.value)
    }
    fn ln_1p(self) -> Dual {
        self.map(self.value.ln_1p(), 1.0 / (1.0 + self.value))
    }
    fn tanh(self) -> Dual {
        let tanh = self.value.tanh();
        self.map(tanh, 1.0 - tanh * tanh)
    }
    fn ln_gamma(self) -> Dual {
        self.map(special::ln_gamma(self.value), special::digamma(self.value))
    }
    fn ln_gamma_step(self, step: Dual) -> Dual {
        let end = self.value + step.value;
        let derivative = special::digamma_step(self.value, step.value) * self.derivative
            - special::digamma(end) * step.derivative;
        Dual::new(special::ln_gamma_step(self.value, step.value), derivative)
    }
    fn digamma_step(self, step: Dual) -> Dual {
        let end = self.value + step.value;
        let derivative = special::trigamma(self.value) * self.derivative
            - special::trigamma(end) * (self.derivative + step.derivative);
        Dual::new(special::digamma_step(self.value, step.value), derivative)
    }
    fn erf(self) -> Dual {
        let slope = std::f64::consts::FRAC_2_SQRT_PI * (-self.value * self.value).exp();
        self.map(special::erf(self.value), slope)
    }
    fn ln_ndtr(self) -> Dual {
        self.map(special::ln_ndtr(self.value), special::inverse_mills(self.value))
    }
    fn inverse_mills(self) -> Dual {
        let mills = special::inverse_mills(self.value);
        self.map(mills, -mills * (self.value + mills))
    }
    fn atan2(self, x: Dual) -> Dual {
        let square = self.value * self.value + x.value * x.value;
        let derivative = (self.derivative * x.value - self.value * x.derivative) / square;
        Dual::new(self.value.atan2(x.value), if square == 0.0 { 0.0 } else { derivative })
    }
    /// Written out, because its parts are smooth where its text has the absolute value of 0.
    fn logistic(self) -> Logistic<Dual> {
        let Logistic { yes, no, cost_of_yes, cost_of_no } = self.value.logistic();
        Logistic {
            yes: self.map(yes, yes * no),
            no: self.map(no, -(yes * no)),
            cost_of_yes: self.map(cost_of_yes, -no),
            cost_of_no: self.map(cost_of_no, yes),
        }
    }
    fn binary_cross_entropy(self, of_yes: Dual, of_no: Dual) -> (Dual, Dual) {
        let Logistic { yes, no, cost_of_yes, cost_of_no } = self.logistic();
        let value = product_or_zero(of_yes, cost_of_yes) + product_or_zero(of_no, cost_of_no);
        (value, of_no * yes - of_yes * no)
    }
    fn powf(self, exponent: f64) -> Dual {
        let slope = if exponent == 0.0 { 0.0 } else { exponent * self.value.powf(exponent - 1.0) };
        self.map(self.value.powf(exponent), slope)
    }
}

impl Number for Dual {
    const DTYPE: &'static str = "dual";
    const EPSILON: f64 = f64::EPSILON;

    fn dispatch<K: Kernel<Dual>>(_level: Level, kernel: K) -> K::Out {
        kernel.run::<Dual>()
    }
}
