//! Buckets, readers and writers, with files that mean no good among them.

mod buckets;
mod cut;
mod list;
mod read;
mod write;
