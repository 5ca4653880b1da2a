//! What AWS Step Functions would say about a definition, and a definition that it accepts.
//!
//! [`check`] finds what runs here but is refused there: extension fields, bare names instead of
//! ARNs, batches and tolerance on inline Maps, operators that its JSONata has not, and lengths over
//! the quotas. [`export`] rewrites a definition until `check` finds nothing more in it but
//! expressions, which it leaves to people.

mod check;
mod export;
mod jsonata;

#[cfg(test)]
mod tests;

pub use check::check;
pub use export::{Account, BadAccount, Export, Loss, export};

/// Extension fields of states; AWS refuses fields that it does not know.
const STATE_EXTENSIONS: &[&str] = &["Cleanup", "CountErrors", "Title", "Weight"];
/// Extension fields of the entries of `Catch`.
const CATCHER_EXTENSIONS: &[&str] = &["CountErrors"];
/// Extension fields of the outermost machine.
const MACHINE_EXTENSIONS: &[&str] =
    &["CleanupTimeoutSeconds", "Concurrency", "JobTypes", "Labels", "OnCancel", "Summary", "Title"];
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

/// The end by which a Resource asks to wait for somebody who has the token.
const CALLBACK: &str = ".waitForTaskToken";
/// The fields that name where items are read and results written, both with a `Resource`.
const READING_AND_WRITING: &[&str] = &["ItemReader", "ResultWriter"];
/// The fields, one for each query language, that say which workflow a Task starts.
const ARGUMENTS: &[&str] = &["Parameters", "Arguments"];

/// Whether a Resource, an ARN or not, starts an execution.
fn starts_execution(resource: &str) -> bool {
    let is_arn = resource.starts_with("arn:");
    let name = if is_arn { resource.splitn(6, ':').nth(5) } else { Some(resource) };
    let end = name.and_then(|name| name.strip_prefix("states:startExecution"));
    end.is_some_and(|end| ["", ".sync", ".sync:2", CALLBACK].contains(&end))
}

/// The name of the task of Amazon SWF that a Resource asks for. Step Functions runs none of these.
fn swf_task(resource: &str) -> Option<&str> {
    let mut parts = resource.splitn(6, ':').skip(2);
    let rest = parts.next().filter(|service| *service == "swf").and(parts.nth(2))?;
    rest.strip_prefix("task:")
}

/// Whether a `StateMachineArn` is only a name, and not computed.
fn is_workflow_name(text: &str) -> bool {
    !text.starts_with("arn:") && !text.starts_with("{%")
}

/// Whether an activity may have this name. Of the characters that job types may have, AWS forbids
/// only the colon.
fn is_activity_name(name: &str) -> bool {
    !name.contains(':') && name.chars().count() <= LONGEST_ACTIVITY
}
