//! The losses, one file per family. Each file lists its losses at the top; a loss is a struct of
//! its parameters, a card, and one body.

pub mod aggregate;
pub mod binary;
pub mod binary_variants;
pub mod boxes;
pub mod class_margin;
pub mod class_scores;
pub mod classes;
pub mod confidence;
pub mod contrastive;
pub mod cosine;
pub mod deviance;
pub mod distribution;
pub mod divergence;
pub mod embedding;
pub mod ensemble;
pub mod likelihood;
pub mod margin;
pub mod multilabel;
pub mod preference;
pub mod ranking;
pub mod redundancy;
pub mod regression;
pub mod relative;
pub mod robust;
pub mod scores;
pub mod segmentation;
pub mod sequence;
pub mod similarity;
pub mod survival;
pub mod transducer;
