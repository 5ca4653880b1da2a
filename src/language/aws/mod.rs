//! What AWS Step Functions would say about a definition, and a definition that it accepts.
//!
//! [`check`] finds what runs here but is refused there: extension fields, bare job types, batches
//! and tolerance on inline Maps, and lengths over the quotas. [`export`] rewrites a definition until
//! `check` finds nothing more in it.

mod check;
mod export;

#[cfg(test)]
mod tests;

pub use check::check;
pub use export::{Account, BadAccount, Export, Loss, export};

/// Extension fields of states; AWS refuses fields that it does not know.
const STATE_EXTENSIONS: &[&str] = &["Title", "Weight"];
/// Extension fields of the outermost machine.
const MACHINE_EXTENSIONS: &[&str] = &["Title"];
/// Fields that only distributed Maps have on AWS.
const DISTRIBUTED_ONLY: &[&str] = &[
    "ItemBatcher",
    "ToleratedFailureCount",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentage",
    "ToleratedFailurePercentagePath",
];
/// The longest definition, in characters: the API's bound on `definition`.
const LONGEST_DEFINITION: usize = 1_048_576;
/// The longest name of an activity, in characters.
const LONGEST_ACTIVITY: usize = 80;
/// The longest `Resource`, in characters: the API's bound on an ARN.
const LONGEST_ARN: usize = 256;

/// Whether an activity may have this name. Of the characters that job types may have, AWS forbids
/// only the colon.
fn is_activity_name(name: &str) -> bool {
    !name.contains(':') && name.chars().count() <= LONGEST_ACTIVITY
}
