//! `Profile`: a library whose defaults a request can ask for, and the presets that make them.

use super::card::Default;

/// A library whose defaults a request can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// `PyTorch`, whose semantics are ours.
    Torch,
    /// Keras.
    Keras,
    /// scikit-learn.
    Sklearn,
    /// optax.
    Optax,
}

impl Profile {
    /// All profiles.
    pub const ALL: [Profile; 4] =
        [Profile::Torch, Profile::Keras, Profile::Sklearn, Profile::Optax];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Profile::Torch => "torch",
            Profile::Keras => "keras",
            Profile::Sklearn => "sklearn",
            Profile::Optax => "optax",
        }
    }
}

/// The default of one parameter under a profile.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Whose default it is.
    pub profile: Profile,
    /// The parameter.
    pub param: &'static str,
    /// Its value.
    pub value: PresetValue,
}

impl Preset {
    /// A number.
    pub const fn number(profile: Profile, param: &'static str, value: f64) -> Preset {
        Preset { profile, param, value: PresetValue::Is(Default::Number(value)) }
    }

    /// A switch.
    pub const fn flag(profile: Profile, param: &'static str, on: bool) -> Preset {
        Preset { profile, param, value: PresetValue::Is(Default::Flag(on)) }
    }

    /// A word.
    pub const fn word(profile: Profile, param: &'static str, value: &'static str) -> Preset {
        Preset { profile, param, value: PresetValue::Is(Default::Word(value)) }
    }

    /// Nothing: the parameter is off.
    pub const fn off(profile: Profile, param: &'static str) -> Preset {
        Preset { profile, param, value: PresetValue::Is(Default::None) }
    }
}

/// What a library has for a parameter.
#[derive(Clone, Copy, Debug)]
pub enum PresetValue {
    /// This, whatever the dtype.
    Is(Default),
    /// The distance from 1 to the next number of the dtype.
    Epsilon,
}
