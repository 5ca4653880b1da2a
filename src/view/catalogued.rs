//! The sentences about what clients of the Step Functions API keep beside definitions.

use super::sentence::SHOWN;
use super::text::{counted, one_line};
use crate::engine::Event;

pub(super) fn sentence(event: &Event) -> Option<String> {
    let name = |name: &str| one_line(name, SHOWN);
    Some(match event {
        Event::MachineSettled(body) => {
            let kind = if body.setup.is_express { "EXPRESS" } else { "STANDARD" };
            format!("workflow {} was set up as {kind}", name(&body.workflow))
        }
        Event::MachineRemoved(body) => {
            format!("workflow {} was removed for AWS clients", name(&body.workflow))
        }
        Event::VersionPublished(body) => {
            format!("version {} of workflow {} was published", body.version, name(&body.workflow))
        }
        Event::VersionRetired(body) => {
            format!("version {} of workflow {} is no longer", body.version, name(&body.workflow))
        }
        Event::AliasSettled(body) => {
            let to = |route: &crate::engine::catalogue::Routing| {
                format!("version {} at {} %", route.version, route.weight)
            };
            let routes: Vec<String> = body.routes.iter().map(to).collect();
            let (alias, workflow) = (name(&body.alias), name(&body.workflow));
            format!("alias {alias} of workflow {workflow} leads to {}", routes.join(", "))
        }
        Event::AliasRemoved(body) => {
            format!("alias {} of workflow {} is no longer", name(&body.alias), name(&body.workflow))
        }
        Event::ActivityCreated(body) => format!("activity {} was created", name(&body.activity)),
        Event::ActivityRemoved(body) => format!("activity {} is no longer", name(&body.activity)),
        Event::TagsSettled(body) => {
            let count = u64::try_from(body.tags.len()).unwrap_or(u64::MAX);
            format!("{} has {}", name(&body.resource), counted(count, "tag"))
        }
        _ => return None,
    })
}
