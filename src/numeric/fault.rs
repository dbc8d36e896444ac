//! `Fault`: what can be wrong with a job, told so that the caller can mend it. No HTTP in it.

/// Why a loss could not be evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Which kind of mistake it is.
    pub kind: Kind,
    /// Where it is.
    pub place: Place,
    /// What is wrong, with the values that matter.
    pub detail: String,
    /// What to send instead, where that is known.
    pub hint: Option<String>,
}

/// The kinds of mistakes that numbers and shapes can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An input is missing.
    MissingInput,
    /// Shapes do not agree, or a shape is not one that the loss takes.
    Shape,
    /// A value lies outside the domain of its input.
    Domain,
    /// A class index is not a class.
    Class,
    /// A number is too large for the dtype.
    Overflow,
    /// A parameter is out of bounds or of the wrong kind.
    Parameter,
    /// A sample weight is negative, not finite or of the wrong shape.
    Weight,
    /// The mean is over nothing and the caller asked for an error.
    Empty,
    /// A value is of the wrong type.
    WrongType,
}

/// The place of a mistake in the job.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// The job as a whole.
    Whole,
    /// A member of the job.
    Member(&'static str),
    /// One element of a tensor, by its index on every axis.
    Element(&'static str, Vec<usize>),
    /// A parameter, or one of its numbers by its index on every axis.
    Parameter(&'static str, Vec<usize>),
}

impl Fault {
    /// A fault without a hint.
    pub fn new(kind: Kind, place: Place, detail: impl Into<String>) -> Fault {
        Fault { kind, place, detail: detail.into(), hint: None }
    }

    /// The same fault with what to send instead.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Fault {
        self.hint = Some(hint.into());
        self
    }

    /// A shape that does not fit.
    pub fn shape(member: &'static str, detail: impl Into<String>) -> Fault {
        Fault::new(Kind::Shape, Place::Member(member), detail)
    }

    /// A parameter that does not fit.
    pub fn parameter(name: &'static str, detail: impl Into<String>) -> Fault {
        Fault::new(Kind::Parameter, Place::Parameter(name, Vec::new()), detail)
    }
}
