//! Versions: what was published of a machine, numbered as it was published and not as it was deployed.

use std::sync::Arc;

use serde_json::{Value, json};

use super::arn::{self, Qualifier, Resource};
use super::machine::{self, Found};
use super::machines::MACHINE;
use super::operation::{Member, Operation, Output, Request, Shape};
use super::page::{self, MAX_RESULTS, NEXT_TOKEN};
use super::refusal::Refusal;
use super::reply::seconds;
use crate::engine::Event;
use crate::engine::event::{VersionPublished, VersionRetired};
use crate::server::http::Role;

/// The most versions of a machine.
const MOST: usize = 1000;

const PUBLISH: &[Member] = &[
    MACHINE,
    Member::new("revisionId", Shape::Text(0, 256)),
    Member::new("description", Shape::Text(0, 256)),
];
const VERSION: &[Member] = &[Member::required("stateMachineVersionArn", Shape::Text(1, 2000))];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::does("PublishStateMachineVersion", Role::Operator, PUBLISH, publish).refuses(&[
            "ConflictException",
            "InvalidArn",
            "ServiceQuotaExceededException",
            "StateMachineDoesNotExist",
            "ValidationException",
        ]),
        Operation::shows(
            "ListStateMachineVersions",
            Role::Viewer,
            &[MACHINE, NEXT_TOKEN, MAX_RESULTS],
            list,
        )
        .refuses(&["InvalidArn", "InvalidToken", "ValidationException"]),
        Operation::does("DeleteStateMachineVersion", Role::Operator, VERSION, delete).refuses(&[
            "ConflictException",
            "InvalidArn",
            "ValidationException",
        ]),
    ]
}

/// What publishing a machine as it stands says, and the number that this has: the last version again,
/// when that is the same. Nothing when it is not wanted.
pub(super) fn publication(
    found: &Found,
    wish: Option<Option<Arc<str>>>,
) -> Result<(Vec<Event>, Option<u64>), Refusal> {
    let Some(description) = wish else { return Ok((Vec::new(), None)) };
    let revision = found.revision();
    let last = found.said().map_or(0, |said| said.last_version);
    if found.version(last).is_some_and(|version| *version.revision == *revision) {
        return Ok((Vec::new(), Some(last)));
    }
    if found.said().is_some_and(|said| said.versions.len() >= MOST) {
        let message = format!("The maximum number of versions, {MOST}, is reached.");
        return Err(Refusal::of("ServiceQuotaExceededException", message));
    }
    let version = last + 1;
    let published = VersionPublished {
        workflow: found.name.as_str().into(),
        version,
        definition: found.newest,
        revision: revision.into(),
        description,
    };
    Ok((vec![published.into()], Some(version)))
}

async fn publish(request: Request) -> Output {
    let app = request.app();
    let arn = request.input.need("stateMachineArn").to_owned();
    let name = machine::plain_name(&arn)?;
    let wanted = request.input.text("revisionId").map(str::to_owned);
    let description = request.input.text("description").map(Arc::from);
    let engine = app.engine.clone();
    let (deciding, machine) = (engine.clone(), name.clone());
    let missing = arn.clone();
    let version = engine
        .catalogued::<_, Refusal, _>(move |said| async move {
            let found = Found::of(&deciding, said, &machine);
            let found = found.ok_or_else(|| machine::missing(&missing))?;
            check_revision(&found, wanted.as_deref())?;
            publication(&found, Some(description))
        })
        .await?;
    let number = version.unwrap_or_default();
    let (found, _) = machine::find(app, &arn)?;
    let published = found.version(number).ok_or_else(|| machine::missing(&arn))?;
    Ok(json!({
        "creationDate": seconds(published.published_at),
        "stateMachineVersionArn": app.arns.qualified(&name, &number.to_string()),
    }))
}

/// Refuses when the machine is not as the client believes.
fn check_revision(found: &Found, wanted: Option<&str>) -> Result<(), Refusal> {
    let current = found.revision();
    let fits = match wanted {
        None => true,
        Some("INITIAL") => found.is_initial(),
        Some(wanted) => wanted == current,
    };
    if fits {
        return Ok(());
    }
    let message = format!("The current revision is {current}, and not the one that was given.");
    Err(Refusal::of("ConflictException", message))
}

async fn list(request: Request) -> Output {
    let app = request.app();
    let name = machine::plain_name(request.input.need("stateMachineArn"))?;
    let found = Found::of(&app.engine, app.engine.catalogue(), &name);
    let versions = found.iter().filter_map(Found::said).flat_map(|said| &said.versions).rev();
    let told = versions.map(|(number, version)| {
        let told: Value = json!({
            "stateMachineVersionArn": app.arns.qualified(&name, &number.to_string()),
            "creationDate": seconds(version.published_at),
        });
        (page::descending(*number), told)
    });
    let (page, next) = page::of("ListStateMachineVersions", &request.input, told)?;
    Ok(page::output("stateMachineVersions", page, next))
}

/// Deletes a version that no alias leads to. One that is not there is deleted already.
async fn delete(request: Request) -> Output {
    let arn = request.input.need("stateMachineVersionArn");
    let Resource::Machine { name, qualifier: Some(Qualifier::Version(version)) } = arn::read(arn)?
    else {
        return Err(arn::invalid(arn));
    };
    request
        .app()
        .engine
        .catalogued::<_, Refusal, _>(move |said| async move {
            let Some(machine) = said.machines.get(name.as_str()) else {
                return Ok((Vec::new(), ()));
            };
            let leads = |route: &crate::engine::catalogue::Routing| route.version == version;
            let used = machine.aliases.iter().filter(|(_, alias)| alias.routes.iter().any(leads));
            let used: Vec<&str> = used.map(|(name, _)| &**name).collect();
            if !used.is_empty() {
                return Err(Refusal::of(
                    "ConflictException",
                    format!(
                        "Version to be deleted must not be referenced by an alias. Current list of \
                         aliases referencing this version: [{}]",
                        used.join(", ")
                    ),
                ));
            }
            let is_there = machine.versions.contains_key(&version);
            let retired = VersionRetired { workflow: name.into(), version }.into();
            Ok((if is_there { vec![retired] } else { Vec::new() }, ()))
        })
        .await?;
    Ok(json!({}))
}
