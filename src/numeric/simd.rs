//! CPU levels: which vector instructions a kernel is compiled for, chosen when the program runs.
//!
//! A kernel is plain Rust. Each level compiles it once more inside a function that may use the
//! level's instructions, and the compiler does the rest: no intrinsics, the same binary everywhere.
//! `unsafe` enters those functions after asking the CPU, and reads
//! a slice of `f32` as a slice of a wrapper of the same layout.

#![expect(unsafe_code, reason = "the one place that enters code for a CPU level")]

use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::OnceLock;

use super::math::FusedOnce;
use super::real::{Real, single_precision};
use super::spare::{self, Spare};

/// What the CPU can do, as far as the kernels care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What every CPU of the architecture has: SSE2 on x86-64.
    Baseline,
    /// 256-bit vectors and fused multiply-add.
    Avx2,
    /// 512-bit vectors.
    Avx512,
    /// aarch64: 128-bit vectors and fused multiply-add, on every CPU.
    Neon,
}

impl Level {
    /// The name in settings, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Baseline => "baseline",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
            Level::Neon => "neon",
        }
    }

    /// The levels that this machine has, the best one last.
    pub fn available() -> &'static [Level] {
        static AVAILABLE: OnceLock<Vec<Level>> = OnceLock::new();
        AVAILABLE.get_or_init(|| {
            let mut levels = vec![Level::Baseline];
            #[cfg(target_arch = "x86_64")]
            {
                let has_avx2 = is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("bmi1")
                    && is_x86_feature_detected!("bmi2")
                    && is_x86_feature_detected!("lzcnt")
                    && is_x86_feature_detected!("popcnt");
                // The first CPUs with 512-bit vectors slow down when they use them; those with
                // the second set of byte instructions do not.
                let has_avx512 = has_avx2
                    && is_x86_feature_detected!("avx512vbmi2")
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512cd")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl");
                levels.extend(has_avx2.then_some(Level::Avx2));
                levels.extend(has_avx512.then_some(Level::Avx512));
            }
            #[cfg(target_arch = "aarch64")]
            levels.push(Level::Neon);
            levels
        })
    }

    /// The best level that this machine has.
    pub fn best() -> Level {
        Level::available().last().copied().unwrap_or(Level::Baseline)
    }

    /// The level of that name, if this machine has it.
    pub fn named(name: &str) -> Option<Level> {
        Level::available().iter().copied().find(|level| level.name() == name)
    }
}

/// Work that is the same text for every number type and CPU level.
pub trait Kernel<T: Number> {
    /// What the work gives back.
    type Out;
    /// Does the work. Implementations are `#[inline(always)]`, or they would be compiled outside
    /// the level's function.
    fn run<R: Real<Elem = T>>(self) -> Self::Out;
}

/// A number that tensors are stored in: `f32`, `f64`, and in tests a dual number.
pub trait Number: Real<Elem = Self> + Default + PartialEq {
    /// The name of the dtype on the wire.
    const DTYPE: &'static str;
    /// The distance from 1 to the next number.
    const EPSILON: f64;

    /// Runs the kernel at a level, or at the machine's best one if that is lower.
    fn dispatch<K: Kernel<Self>>(level: Level, kernel: K) -> K::Out;

    /// The spare buffers of this type, if there are any.
    fn spare() -> Option<&'static Spare<Self>> {
        None
    }

    /// Whether the number is neither NaN nor an infinity.
    fn is_finite(self) -> bool {
        self.to_f64().is_finite()
    }
}

impl Number for f32 {
    const DTYPE: &'static str = "float32";
    const EPSILON: f64 = f32::EPSILON as f64;

    fn spare() -> Option<&'static Spare<f32>> {
        Some(&spare::SINGLES)
    }

    fn dispatch<K: Kernel<f32>>(level: Level, kernel: K) -> K::Out {
        match level.min(Level::best()) {
            // SAFETY: no level above the best one of this CPU gets here, and each level's CPU has
            // the features that its function is compiled for.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512(kernel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2(kernel) },
            #[cfg(target_arch = "aarch64")]
            Level::Neon => kernel.run::<Fused>(),
            _ => kernel.run::<f32>(),
        }
    }
}

impl Number for f64 {
    const DTYPE: &'static str = "float64";
    const EPSILON: f64 = f64::EPSILON;

    fn spare() -> Option<&'static Spare<f64>> {
        Some(&spare::DOUBLES)
    }

    fn dispatch<K: Kernel<f64>>(_level: Level, kernel: K) -> K::Out {
        kernel.run::<f64>()
    }
}

/// Runs a kernel compiled for 512-bit vectors.
///
/// # Safety
/// The CPU must have the features named here.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn avx512<K: Kernel<f32>>(kernel: K) -> K::Out {
    kernel.run::<Fused>()
}

/// Runs a kernel compiled for 256-bit vectors.
///
/// # Safety
/// The CPU must have the features named here.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<K: Kernel<f32>>(kernel: K) -> K::Out {
    kernel.run::<Fused>()
}

/// An `f32` on a CPU that multiplies and adds in one instruction.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct Fused(f32);

impl Fused {
    #[inline(always)]
    const fn inner(self) -> f32 {
        self.0
    }
}

macro_rules! fused_operator {
    ($operator:ident, $method:ident) => {
        impl $operator for Fused {
            type Output = Fused;
            #[inline(always)]
            fn $method(self, other: Fused) -> Fused {
                Fused($operator::$method(self.0, other.0))
            }
        }
    };
}
fused_operator!(Add, add);
fused_operator!(Sub, sub);
fused_operator!(Mul, mul);
fused_operator!(Div, div);

impl Neg for Fused {
    type Output = Fused;
    #[inline(always)]
    fn neg(self) -> Fused {
        Fused(-self.0)
    }
}

impl Real for Fused {
    type Elem = f32;

    #[inline(always)]
    fn view(elements: &[f32]) -> &[Fused] {
        // SAFETY: `Fused` is a transparent wrapper of `f32`: same size, alignment and bits.
        unsafe { std::slice::from_raw_parts(elements.as_ptr().cast::<Fused>(), elements.len()) }
    }
    #[inline(always)]
    fn view_mut(elements: &mut [f32]) -> &mut [Fused] {
        let length = elements.len();
        // SAFETY: as in `view`; the borrow is exclusive and passed on whole.
        unsafe { std::slice::from_raw_parts_mut(elements.as_mut_ptr().cast::<Fused>(), length) }
    }

    single_precision!(FusedOnce, Fused, Fused::inner);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_level_is_available_and_has_a_name_that_finds_it() {
        assert_eq!(Level::available()[0], Level::Baseline);
        for &level in Level::available() {
            assert_eq!(Level::named(level.name()), Some(level));
        }
        assert_eq!(Level::named("mmx"), None);
        assert!(Level::available().contains(&Level::best()));
    }

    #[test]
    fn a_view_shares_the_elements() {
        let mut elements = [1.0f32, -2.0];
        Fused::view_mut(&mut elements)[0] = Fused::of(3.0);
        assert_eq!(Fused::view(&elements)[0].to_f64(), 3.0);
        assert_eq!(elements, [3.0, -2.0]);
    }
}
