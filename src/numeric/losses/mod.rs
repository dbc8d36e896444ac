//! The losses, one file per family. Each file lists its losses at the top; a loss is a struct of
//! its parameters, a card, and one body.

pub mod binary;
pub mod classes;
pub mod deviance;
pub mod distribution;
pub mod divergence;
pub mod embedding;
pub mod likelihood;
pub mod margin;
pub mod multilabel;
pub mod regression;
pub mod relative;
pub mod robust;
pub mod sequence;
