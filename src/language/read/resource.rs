//! What a `Resource` names: a job type or an execution of a workflow, never a command or an
//! address.

use crate::language::diagnostic::quoted;
use crate::language::model::{Pattern, RESERVED_JOB_TYPES, Resource, Service};

/// The longest job type, in characters.
const LONGEST_JOB_TYPE: usize = 128;
/// What starts an execution of another workflow.
const START_EXECUTION: &str = "states:startExecution";
const CALLBACK: &str = ".waitForTaskToken";
const SYNC_TEXT: &str = ".sync";
const SYNC_JSON: &str = ".sync:2";

/// Why a text is no Resource.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) message: String,
    pub(super) hint: String,
}

fn refused<T>(message: String, hint: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { message, hint: hint.into() })
}

/// Reads the value of a Task's `Resource`, which is not empty.
pub(super) fn parse(raw: &str) -> Result<Resource, Refusal> {
    if let Some(placeholder) = placeholder(raw) {
        return refused(
            format!("{} holds the placeholder {}", quoted(raw), quoted(placeholder)),
            "substitute the placeholders of the template first, then validate what comes out",
        );
    }
    let (service, pattern) = if raw.starts_with("arn:") { from_arn(raw)? } else { from_name(raw)? };
    if let Service::Job(job_type) = &service {
        check_job_type(raw, job_type)?;
    }
    Ok(Resource { raw: raw.to_owned(), service, pattern })
}

/// `${Name}` as templates of CloudFormation, SAM and Terraform have it.
fn placeholder(raw: &str) -> Option<&str> {
    let rest = raw.get(raw.find("${")?..)?;
    let end = rest.find('}').map_or(rest.len(), |at| at + 1);
    rest.get(..end)
}

/// A text that is no ARN.
fn from_name(raw: &str) -> Result<(Service, Pattern), Refusal> {
    let (name, pattern) = split_pattern(raw);
    match pattern {
        _ if name == START_EXECUTION => Ok((Service::Execution, pattern)),
        Pattern::Response | Pattern::Callback => Ok((job(name), pattern)),
        Pattern::SyncText | Pattern::SyncJson => {
            let end = raw.get(name.len()..).unwrap_or_default();
            refused(
                format!("{} ends in `{end}`, which only `{START_EXECUTION}` may have", quoted(raw)),
                "drop it: a job is done when its worker says so, so the state waits for it anyway",
            )
        }
    }
}

fn from_arn(raw: &str) -> Result<(Service, Pattern), Refusal> {
    let Some(arn) = Arn::parse(raw) else { return unknown_arn(raw) };
    match (arn.service, arn.kind()) {
        ("states", ("activity", name)) if arn.has_place() => activity(raw, name),
        // Examples of the specification name such tasks.
        ("swf", ("task", name)) if arn.has_place() => activity(raw, name),
        ("states", ("stateMachine" | "execution" | "express" | "mapRun", _)) => refused(
            format!("{} is the ARN of a workflow, not of work", quoted(raw)),
            format!(
                "use the `Resource` `{START_EXECUTION}.sync:2`, and name the workflow in the \
                 `StateMachineArn` of its parameters"
            ),
        ),
        ("states", _) => integration_of_arn(raw, &arn),
        ("lambda", ("function", name)) => function(raw, name),
        _ => unknown_arn(raw),
    }
}

/// An activity is a job type with workers of its own, which complete its tasks.
fn activity(raw: &str, name: &str) -> Result<(Service, Pattern), Refusal> {
    let (bare, pattern) = split_pattern(name);
    if pattern != Pattern::Response {
        return refused(
            format!("{} asks an activity for a way of waiting", quoted(raw)),
            format!(
                "an activity is done when its worker says so: drop the end; or name the job type \
                 `{bare}{CALLBACK}` to have somebody else say so"
            ),
        );
    }
    if name.contains(':') { unknown_arn(raw) } else { Ok((job(name), Pattern::Response)) }
}

/// A Lambda function; its version or alias belongs to the job type, save the one it has without.
fn function(raw: &str, name: &str) -> Result<(Service, Pattern), Refusal> {
    let is_plain = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    let name = name.strip_suffix(":$LATEST").unwrap_or(name);
    let (function, qualifier) =
        name.split_once(':').map_or((name, None), |(name, more)| (name, Some(more)));
    if is_plain(function) && qualifier.is_none_or(is_plain) {
        Ok((job(name), Pattern::Response))
    } else {
        unknown_arn(raw)
    }
}

/// `arn:aws:states:::SERVICE:ACTION`, and how AWS waits for it.
fn integration_of_arn(raw: &str, arn: &Arn<'_>) -> Result<(Service, Pattern), Refusal> {
    let (name, pattern) = split_pattern(arn.rest);
    if !is_integration(name) {
        return unknown_arn(raw);
    }
    Ok(match pattern {
        _ if name == START_EXECUTION => (Service::Execution, pattern),
        Pattern::Response | Pattern::Callback => (job(name), pattern),
        // What the service does until it is done only its worker can know, so the job type says
        // that it has to wait.
        Pattern::SyncText | Pattern::SyncJson => (job(arn.rest), Pattern::Response),
    })
}

/// `SERVICE:ACTION` or `aws-sdk:SERVICE:ACTION`.
fn is_integration(name: &str) -> bool {
    let parts: Vec<&str> = name.split(':').collect();
    let is_plain = |part: &&str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    matches!(parts.len(), 2 | 3) && parts.iter().all(is_plain)
}

/// What a Resource of reading and writing items names: `s3:getObject`, as it is or in an ARN.
pub(super) fn integration(raw: &str) -> Option<&str> {
    if !raw.starts_with("arn:") {
        return Some(raw);
    }
    Arn::parse(raw).filter(|arn| arn.service == "states").map(|arn| arn.rest)
}

/// The name before a way of waiting.
fn split_pattern(name: &str) -> (&str, Pattern) {
    for (end, pattern) in [
        (CALLBACK, Pattern::Callback),
        (SYNC_JSON, Pattern::SyncJson),
        (SYNC_TEXT, Pattern::SyncText),
    ] {
        if let Some(name) = name.strip_suffix(end) {
            return (name, pattern);
        }
    }
    (name, Pattern::Response)
}

fn job(name: &str) -> Service {
    Service::Job(name.into())
}

fn check_job_type(raw: &str, name: &str) -> Result<(), Refusal> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
    if name.is_empty() || name.len() > LONGEST_JOB_TYPE || !name.chars().all(fits) {
        return refused(
            format!("{} is not the name of a job type", quoted(raw)),
            format!(
                "use at most {LONGEST_JOB_TYPE} letters, digits and `_ . : -`; commands and \
                 addresses belong to the operator's binding in everstep.toml"
            ),
        );
    }
    if name.starts_with(RESERVED_JOB_TYPES) {
        return refused(
            format!(
                "job types that begin with `{RESERVED_JOB_TYPES}` are served by the program itself"
            ),
            "give the job type another name",
        );
    }
    Ok(())
}

fn unknown_arn<T>(raw: &str) -> Result<T, Refusal> {
    let is_name = |part: &&str| {
        !["", "arn"].contains(part)
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
    };
    let example = raw.rsplit([':', '/', '.']).find(is_name).unwrap_or("resize_image");
    refused(
        format!(
            "{} is not the ARN of an activity, of a Lambda function or of a service integration",
            quoted(raw)
        ),
        format!(
            "name a job type, for example `{example}`; what runs it, a function, a command or an \
             address, is the operator's binding in everstep.toml"
        ),
    )
}

/// `arn:PARTITION:SERVICE:REGION:ACCOUNT:REST`.
struct Arn<'r> {
    service: &'r str,
    region: &'r str,
    account: &'r str,
    rest: &'r str,
}

impl<'r> Arn<'r> {
    fn parse(raw: &'r str) -> Option<Self> {
        let mut parts = raw.splitn(6, ':');
        let (_arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let plain =
            |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        let fits = (partition == "aws" || partition.starts_with("aws-"))
            && plain(partition)
            && plain(region)
            && plain(account);
        fits.then_some(Self { service, region, account, rest })
    }

    /// Whether it says in which region and account the thing is.
    fn has_place(&self) -> bool {
        !self.region.is_empty() && !self.account.is_empty()
    }

    /// What kind of thing it names, and the thing's name.
    fn kind(&self) -> (&'r str, &'r str) {
        self.rest.split_once(':').unwrap_or((self.rest, ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The job type, or `*` for an execution, and the pattern.
    fn read(raw: &str) -> Option<(String, Pattern)> {
        parse(raw).ok().map(|resource| {
            assert_eq!(resource.raw, raw);
            let name = match resource.service {
                Service::Job(name) => name.to_string(),
                Service::Execution => "*".to_owned(),
            };
            (name, resource.pattern)
        })
    }

    fn reads(raw: &str, name: &str, pattern: Pattern) {
        assert_eq!(read(raw), Some((name.to_owned(), pattern)), "{raw}");
    }

    fn refuses(raw: &str, word: &str) {
        let refusal = parse(raw).unwrap_err();
        let text = format!("{} ({})", refusal.message, refusal.hint);
        assert!(text.contains(word), "{raw}: {text}");
    }

    #[test]
    fn a_job_type_is_named_as_it_is() {
        reads("resize_image", "resize_image", Pattern::Response);
        reads("lambda:invoke", "lambda:invoke", Pattern::Response);
        reads("approve.waitForTaskToken", "approve", Pattern::Callback);
        refuses("rm -rf x", "everstep.toml");
        refuses("http://host/x", "everstep.toml");
        refuses(".waitForTaskToken", "everstep.toml");
        refuses(&"r".repeat(129), "at most 128");
        refuses("child.sync", "its worker says so");
        refuses("ecs:runTask.sync:2", "`.sync:2`, which only `states:startExecution`");
    }

    #[test]
    fn an_activity_gives_its_name_and_no_way_of_waiting() {
        let arn = |name: &str| format!("arn:aws:states:eu-west-1:123456789012:activity:{name}");
        reads(&arn("resize"), "resize", Pattern::Response);
        reads("arn:aws-cn:states:local:000000000000:activity:a.b", "a.b", Pattern::Response);
        refuses(&arn("a:b"), "activity");
        refuses(&arn(""), "job type");
        refuses(&arn("approve.waitForTaskToken"), "`approve.waitForTaskToken`");
        refuses(&arn("approve.sync"), "drop the end");
        refuses("arn:aws:states:::activity:resize.x", "activity");
    }

    #[test]
    fn a_task_of_swf_gives_its_name() {
        reads("arn:aws:swf:us-east-1:123456789012:task:X", "X", Pattern::Response);
        refuses("arn:aws:swf:us-east-1:123456789012:activity:X", "activity");
        refuses("arn:aws:swf:::task:X", "activity");
    }

    #[test]
    fn a_lambda_function_gives_its_name_and_qualifier() {
        let arn = |name: &str| format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}");
        reads(&arn("resize"), "resize", Pattern::Response);
        reads(&arn("resize:prod"), "resize:prod", Pattern::Response);
        reads(&arn("resize:$LATEST"), "resize", Pattern::Response);
        reads(
            "arn:aws:lambda:REGION:ACCOUNT_ID:function:FUNCTION_NAME",
            "FUNCTION_NAME",
            Pattern::Response,
        );
        refuses(&arn("resize:"), "function");
        refuses(&arn("resize:a:b"), "function");
        reads("arn:aws:lambda:us-east-1::function:resize", "resize", Pattern::Response);
        refuses("arn:aws:lambda:eu-west-1:1:layer:x", "example `x`");
    }

    #[test]
    fn an_integration_gives_service_and_action() {
        for (rest, name, pattern) in [
            ("lambda:invoke", "lambda:invoke", Pattern::Response),
            ("aws-sdk:dynamodb:getItem", "aws-sdk:dynamodb:getItem", Pattern::Response),
            ("sqs:sendMessage.waitForTaskToken", "sqs:sendMessage", Pattern::Callback),
            ("ecs:runTask.sync", "ecs:runTask.sync", Pattern::Response),
            ("aws-sdk:a:b.sync:2", "aws-sdk:a:b.sync:2", Pattern::Response),
        ] {
            reads(&format!("arn:aws:states:::{rest}"), name, pattern);
            reads(&format!("arn:aws-us-gov:states:us-gov-west-1:1:{rest}"), name, pattern);
        }
        refuses("arn:aws:states:::ecs:runTask.async", "service integration");
        refuses("arn:aws:states:::ecs", "service integration");
        refuses("arn:aws:states:::a:b:c:d", "service integration");
        refuses("arn:aws:s3:::bucket/key", "`key`");
        refuses("arn:acme:states:::ecs:runTask", "service integration");
        refuses("arn:aws:states", "`states`");
        refuses("arn:", "`resize_image`");
    }

    #[test]
    fn a_workflow_is_started_with_each_way_of_waiting() {
        for (end, pattern) in [
            ("", Pattern::Response),
            (".sync", Pattern::SyncText),
            (".sync:2", Pattern::SyncJson),
            (".waitForTaskToken", Pattern::Callback),
        ] {
            reads(&format!("states:startExecution{end}"), "*", pattern);
            reads(&format!("arn:aws:states:::states:startExecution{end}"), "*", pattern);
        }
        refuses("arn:aws:states:eu-west-1:1:stateMachine:child", "`states:startExecution.sync:2`");
    }

    #[test]
    fn job_types_of_the_program_and_placeholders_are_refused() {
        refuses("everstep:read", "served by the program");
        refuses("arn:aws:states:::everstep:read.sync", "served by the program");
        refuses("arn:aws:lambda:eu-west-1:1:function:everstep:read", "served by the program");
        refuses("${ResizeFunction}", "`${ResizeFunction}`");
        refuses("arn:aws:lambda:${Region}:1:function:x", "`${Region}`");
        refuses("arn:${Partition", "`${Partition`");
    }

    #[test]
    fn reading_and_writing_of_items_is_named_with_or_without_an_arn() {
        assert_eq!(integration("s3:getObject"), Some("s3:getObject"));
        assert_eq!(integration("arn:aws-cn:states:::s3:putObject"), Some("s3:putObject"));
        assert_eq!(integration("arn:aws:s3:::bucket"), None);
    }
}
