//! `Task`: what a model is asked to do.

/// What a model is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// A number.
    Regression,
    /// A count.
    Counts,
    /// A distribution, a quantile or an interval of a number.
    Forecasting,
    /// Yes or no.
    Binary,
    /// Several labels that may all apply.
    MultiLabel,
    /// One of several classes.
    MultiClass,
    /// One of several classes in an order.
    Ordinal,
    /// The distribution that another model gives.
    Distillation,
    /// A sequence of labels.
    Sequence,
    /// A vector whose distances mean something.
    Embedding,
    /// A class for each pixel.
    Segmentation,
    /// Boxes around objects.
    Detection,
    /// An order of a list.
    Ranking,
    /// The time of an event, which may not have been seen.
    Survival,
    /// An answer that people prefer.
    Preference,
}

impl Task {
    /// All tasks.
    pub const ALL: [Task; 15] = [
        Task::Regression,
        Task::Counts,
        Task::Forecasting,
        Task::Binary,
        Task::MultiLabel,
        Task::MultiClass,
        Task::Ordinal,
        Task::Distillation,
        Task::Sequence,
        Task::Embedding,
        Task::Segmentation,
        Task::Detection,
        Task::Ranking,
        Task::Survival,
        Task::Preference,
    ];

    /// The name in the catalogue.
    pub const fn name(self) -> &'static str {
        match self {
            Task::Regression => "regression",
            Task::Counts => "counts",
            Task::Forecasting => "forecasting",
            Task::Binary => "binary",
            Task::MultiLabel => "multi-label",
            Task::MultiClass => "multi-class",
            Task::Ordinal => "ordinal",
            Task::Distillation => "distillation",
            Task::Sequence => "sequence",
            Task::Embedding => "embedding",
            Task::Segmentation => "segmentation",
            Task::Detection => "detection",
            Task::Ranking => "ranking",
            Task::Survival => "survival",
            Task::Preference => "preference",
        }
    }
}
