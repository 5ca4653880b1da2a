//! Task states.

use super::Reader;
use super::object::{At, MOST, Object};
use crate::language::diagnostic::{codes, quoted};
use crate::language::model::{Number, Pattern, Resource, Service, Task};
use crate::language::source::Fault;

/// The longest job type, in characters.
const LONGEST_JOB_TYPE: usize = 128;
/// Ends of a Resource that ask for a way of waiting.
const WAITING: &[&str] = &[".waitForTaskToken", ".sync", ".sync:2"];

impl Reader<'_, '_> {
    pub(super) fn task(&mut self, object: &Object<'_>) -> Option<Task> {
        let timeout = self.number(object, "TimeoutSeconds", 1..=MOST);
        let heartbeat = self.number(object, "HeartbeatSeconds", 1..=MOST);
        if let (Some(Number::Fixed(timeout)), Some(Number::Fixed(beat)), Some(at)) =
            (&timeout, &heartbeat, object.get("HeartbeatSeconds"))
            && beat >= timeout
        {
            let message = format!(
                "`HeartbeatSeconds` must be less than `TimeoutSeconds`, which is {timeout}"
            );
            self.fault(&at, codes::RANGE, message);
        }
        let at = self.required(object, "Resource")?;
        let resource = self.resource(&at)?;
        Some(Task { resource, timeout, heartbeat })
    }

    fn resource(&mut self, at: &At<'_>) -> Option<Resource> {
        let raw = self.text(at)?;
        if raw.is_empty() {
            self.fault(at, codes::EMPTY, "`Resource` must not be empty");
            return None;
        }
        let job_type = if raw.starts_with("arn:") { activity(raw) } else { Some(raw) };
        let Some(job_type) = job_type.filter(|name| is_job_type(name)) else {
            self.bad_resource(at, raw);
            return None;
        };
        if let Some(end) = WAITING.iter().find(|end| raw.ends_with(*end)) {
            let message = format!("`{end}` is not supported yet");
            let fault = Fault::new(codes::NOT_SUPPORTED, at.node.span, message)
                .hint("name the job type alone; the job ends when its worker says so");
            self.faults.report(&at.place, fault);
            return None;
        }
        let service = Service::Job(job_type.into());
        Some(Resource { raw: raw.to_owned(), service, pattern: Pattern::Response })
    }

    fn bad_resource(&mut self, at: &At<'_>, raw: &str) {
        let last = raw.rsplit([':', '/']).find(|part| is_job_type(part) && !part.starts_with('$'));
        let example = last.unwrap_or("resize_image");
        let (message, hint) = if raw.starts_with("arn:") {
            (
                format!("{} is not the ARN of an activity", quoted(raw)),
                format!(
                    "name a job type, for example `{example}`; what runs it, a function, a command \
                     or an address, is the operator's binding in everstep.toml"
                ),
            )
        } else {
            (
                format!("{} is not the name of a job type", quoted(raw)),
                format!(
                    "use at most {LONGEST_JOB_TYPE} letters, digits and `_ . : -`; commands and \
                     addresses belong to the operator's binding in everstep.toml"
                ),
            )
        };
        let fault = Fault::new(codes::RESOURCE, at.node.span, message).hint(hint);
        self.faults.report(&at.place, fault);
    }
}

/// The name in `arn:aws:states:REGION:ACCOUNT:activity:NAME`.
fn activity(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(7, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (_arn, partition, service) = (next(), next(), next());
    let (region, account, kind, name) = (next(), next(), next(), next());
    let plain = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let fits = (partition == "aws" || partition.starts_with("aws-"))
        && service == "states"
        && plain(region)
        && plain(account)
        && kind == "activity"
        && !name.contains(':');
    fits.then_some(name)
}

fn is_job_type(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
    !name.is_empty() && name.len() <= LONGEST_JOB_TYPE && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_activity_gives_its_name_and_other_arns_give_none() {
        let name = |arn| activity(arn);
        assert_eq!(name("arn:aws:states:eu-west-1:123456789012:activity:resize"), Some("resize"));
        assert_eq!(name("arn:aws-cn:states:local:000000000000:activity:a.b"), Some("a.b"));
        assert_eq!(name("arn:aws:lambda:eu-west-1:123456789012:function:resize"), None);
        assert_eq!(name("arn:aws:states:::lambda:invoke"), None);
        assert_eq!(name("arn:aws:states:eu-west-1:1:activity:a:b"), None);
        assert_eq!(name("arn:"), None);
    }
}
