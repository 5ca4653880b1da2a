//! Names of resources, as AWS writes them, made and read.
//!
//! The server has one namespace: what is read may name any region and account, what is made names
//! those of the settings.

use super::refusal::Refusal;

/// The longest ARN that is read.
const MOST_BYTES: usize = 2000;

/// Makes ARNs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::server) struct Arns {
    region: String,
    account: String,
}

/// A resource that an ARN names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resource {
    /// A workflow, or what its qualifier says of it: a version or an alias.
    Machine { name: String, qualifier: Option<Qualifier> },
    /// An execution of a workflow, by its name.
    Execution { machine: String, name: String },
    /// One of a machine of type EXPRESS, which has its id besides.
    Express { machine: String, name: String, id: String },
    /// A job type that clients ask for.
    Activity { name: String },
    /// The run of a distributed Map. `label` is what stands before the colon, `id` after.
    MapRun { machine: String, label: String, id: String },
}

/// What stands behind the name of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Qualifier {
    /// A version that was published.
    Version(u64),
    /// An alias.
    Alias(String),
}

impl Qualifier {
    /// Numbers are versions; aliases have something else in their names.
    fn read(text: &str) -> Option<Self> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().ok().filter(|number| *number > 0).map(Self::Version);
        }
        Some(Self::Alias(text.to_owned()))
    }
}

impl Arns {
    /// With a region and an account.
    pub(in crate::server) fn new(region: &str, account: &str) -> Self {
        Self { region: region.to_owned(), account: account.to_owned() }
    }

    /// The region that resources are in.
    pub(super) fn region(&self) -> &str {
        &self.region
    }

    fn arn(&self, kind: &str, parts: &[&str]) -> String {
        let mut arn = format!("arn:aws:states:{}:{}:{kind}", self.region, self.account);
        for part in parts {
            arn.push(':');
            arn.push_str(part);
        }
        arn
    }

    /// Of the role of machines for which nobody named one.
    pub(super) fn usual_role(&self) -> String {
        format!("arn:aws:iam::{}:role/everstep", self.account)
    }

    /// Of a workflow.
    pub(super) fn machine(&self, name: &str) -> String {
        self.arn("stateMachine", &[name])
    }

    /// Of a version or alias of a workflow.
    pub(super) fn qualified(&self, name: &str, qualifier: &str) -> String {
        self.arn("stateMachine", &[name, qualifier])
    }

    /// Of an execution.
    pub(super) fn execution(&self, machine: &str, name: &str) -> String {
        self.arn("execution", &[machine, name])
    }

    /// Of an execution of a machine of type EXPRESS.
    pub(super) fn express(&self, machine: &str, name: &str, id: &str) -> String {
        self.arn("express", &[machine, name, id])
    }

    /// Of an activity.
    pub(super) fn activity(&self, name: &str) -> String {
        self.arn("activity", &[name])
    }

    /// Of the run of a distributed Map.
    pub(super) fn map_run(&self, machine: &str, label: &str, id: &str) -> String {
        self.arn("mapRun", &[&format!("{machine}/{label}"), id])
    }
}

/// Reads an ARN.
///
/// # Errors
/// It is none of Step Functions.
pub(super) fn read(arn: &str) -> Result<Resource, Refusal> {
    parse(arn).ok_or_else(|| invalid(arn))
}

/// The refusal of an ARN that is none, or names something of another kind.
pub(super) fn invalid(arn: &str) -> Refusal {
    let short: String = arn.chars().take(256).collect();
    Refusal::of("InvalidArn", format!("Invalid Arn: '{short}'"))
}

fn parse(arn: &str) -> Option<Resource> {
    if arn.len() > MOST_BYTES {
        return None;
    }
    let mut parts = arn.split(':');
    let ("arn", partition, "states") = (parts.next()?, parts.next()?, parts.next()?) else {
        return None;
    };
    let (_region, _account, kind) = (parts.next()?, parts.next()?, parts.next()?);
    let rest: Vec<&str> = parts.collect();
    if !partition.starts_with("aws") || rest.iter().any(|part| part.is_empty()) {
        return None;
    }
    let owned = |text: &&str| (*text).to_owned();
    Some(match (kind, rest.as_slice()) {
        ("stateMachine", [name]) => Resource::Machine { name: owned(name), qualifier: None },
        ("stateMachine", [name, qualifier]) => {
            Resource::Machine { name: owned(name), qualifier: Some(Qualifier::read(qualifier)?) }
        }
        ("execution", [machine, name]) => {
            Resource::Execution { machine: owned(machine), name: owned(name) }
        }
        ("express", [machine, name, id]) => {
            Resource::Express { machine: owned(machine), name: owned(name), id: owned(id) }
        }
        ("activity", [name]) => Resource::Activity { name: owned(name) },
        ("mapRun", [path, id]) => {
            let (machine, label) = path.split_once('/')?;
            Resource::MapRun { machine: owned(&machine), label: owned(&label), id: owned(id) }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_read_again() {
        let arns = Arns::new("eu-west-1", "123456789012");
        let machine = |qualifier| Resource::Machine { name: "w".to_owned(), qualifier };
        let text = |text: &str| text.to_owned();
        for (arn, resource) in [
            (arns.machine("w"), machine(None)),
            (arns.qualified("w", "3"), machine(Some(Qualifier::Version(3)))),
            (arns.qualified("w", "live"), machine(Some(Qualifier::Alias(text("live"))))),
            (arns.execution("w", "n"), Resource::Execution { machine: text("w"), name: text("n") }),
            (
                arns.express("w", "n", "i"),
                Resource::Express { machine: text("w"), name: text("n"), id: text("i") },
            ),
            (arns.activity("a"), Resource::Activity { name: text("a") }),
            (
                arns.map_run("w", "Label", "i"),
                Resource::MapRun { machine: text("w"), label: text("Label"), id: text("i") },
            ),
        ] {
            assert_eq!(parse(&arn), Some(resource), "{arn}");
        }
        assert_eq!(arns.execution("w", "n"), "arn:aws:states:eu-west-1:123456789012:execution:w:n");
    }

    #[test]
    fn what_is_no_arn_of_ours_is_refused() {
        for arn in [
            "",
            "w",
            "arn:aws:lambda:us-east-1:000000000000:function:f",
            "arn:aws:states:us-east-1:000000000000:stateMachine",
            "arn:aws:states:us-east-1:000000000000:stateMachine:",
            "arn:aws:states:us-east-1:000000000000:stateMachine:w:0",
            "arn:aws:states:us-east-1:000000000000:stateMachine:w:1:2",
            "arn:aws:states:us-east-1:000000000000:execution:w",
            "arn:aws:states:us-east-1:000000000000:mapRun:w:i",
        ] {
            assert_eq!(parse(arn), None, "{arn}");
        }
        assert!(parse(&format!("arn:aws:states:r:a:activity:{}", "x".repeat(3000))).is_none());
    }
}
