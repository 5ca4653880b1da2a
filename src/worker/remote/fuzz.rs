//! What must hold of any answer of a server to its workers: a body of the fuzz targets.

use super::address::Address;
use super::wire::{Answers, Jobs, Problem, is_passing};
use crate::testing::fuzz::taken;

/// The answers of a server: the first byte says to which request. They are read or refused, never a
/// panic; what of a job reaches the environment of a command is fit for it.
///
/// # Panics
/// When that does not hold.
pub fn server_answers(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    match kind % 3 {
        0 => {
            let jobs = serde_json::from_slice::<Jobs>(bytes).unwrap_or_default();
            for job in &jobs.items {
                taken();
                let _ = job.id();
                let is_fit = |parent: &str| {
                    parent.len() <= 64 && !parent.contains(|letter: char| letter.is_control())
                };
                assert!(job.traceparent().is_none_or(|parent| is_fit(&parent)), "{job:?}");
                drop(job.input.value());
            }
        }
        1 => drop(serde_json::from_slice::<Answers>(bytes)),
        _ => {
            let problem = serde_json::from_slice::<Problem>(bytes).unwrap_or_default();
            is_passing(&problem.code);
        }
    }
}

/// The address of a server, or none: what is read of it stands in it.
///
/// # Panics
/// When that does not hold.
pub(crate) fn address(text: &str) {
    let Ok(address) = Address::read(text) else { return };
    assert!(!address.host.is_empty() && address.authority.contains(&address.host), "{text:?}");
    assert!(text.contains(&address.authority) && !address.prefix.ends_with('/'), "{text:?}");
}
