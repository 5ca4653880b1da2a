//! State machines: to create, change, see and delete them.

use serde_json::{Map, Value, json};

use super::arn::Qualifier;
use super::executions::{EXECUTION, INCLUDED};
use super::machine::{self, Found};
use super::operation::{Member, Operation, Output, Request, Shape};
use super::page::{self, MAX_RESULTS, NEXT_TOKEN};
use super::reply::seconds;
use super::{arn, find};
use crate::engine::catalogue::Settings;
use crate::engine::event::MachineRemoved;
use crate::language::{DefinitionHash, Json};
use crate::server::http::{App, Role};
use crate::server::sfn::Refusal;

/// The ARN of a machine.
pub(super) const MACHINE: Member = Member::required("stateMachineArn", Shape::Text(1, 256));

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::shows("DescribeStateMachine", Role::Viewer, &[MACHINE, INCLUDED], describe)
            .refuses(&["InvalidArn", "StateMachineDoesNotExist"]),
        Operation::shows(
            "DescribeStateMachineForExecution",
            Role::Viewer,
            &[EXECUTION, INCLUDED],
            describe_for_execution,
        )
        .refuses(&["ExecutionDoesNotExist", "InvalidArn"]),
        Operation::shows("ListStateMachines", Role::Viewer, &[MAX_RESULTS, NEXT_TOKEN], list)
            .refuses(&["InvalidToken"]),
        Operation::does("DeleteStateMachine", Role::Operator, &[MACHINE], delete)
            .refuses(&["InvalidArn", "ValidationException"]),
    ]
}

async fn describe(request: Request) -> Output {
    let (app, arn) = (request.app(), request.input.need("stateMachineArn"));
    let (found, qualifier) = machine::find(app, arn)?;
    let settings = found.settings(app).await?;
    let mut told = configuration(&settings);
    let mut tell = |name: &str, value: Value| drop(told.insert(name.to_owned(), value));
    let (definition, revision) = match qualifier {
        None => {
            tell("stateMachineArn", app.arns.machine(&found.name).into());
            tell("creationDate", seconds(settings.created_at));
            (found.newest, found.revision())
        }
        Some(Qualifier::Version(number)) => {
            let version = found.version(number).ok_or_else(|| machine::missing(arn))?;
            let arn = app.arns.qualified(&found.name, &number.to_string());
            tell("stateMachineArn", arn.into());
            tell("creationDate", seconds(version.published_at));
            if let Some(description) = &version.description {
                tell("description", (&**description).into());
            }
            (version.definition, version.revision.to_string())
        }
        Some(Qualifier::Alias(_)) => return Err(arn::invalid(arn)),
    };
    tell("name", found.name.as_str().into());
    tell("status", "ACTIVE".into());
    tell("type", kind(&settings).into());
    tell("revisionId", revision.into());
    tell("definition", source(app, definition, &request).into());
    Ok(told.into())
}

async fn describe_for_execution(request: Request) -> Output {
    let app = request.app();
    let execution = find::execution(app, request.input.need("executionArn")).await?;
    let name = &*execution.workflow;
    let definition = execution.definition;
    // Its machine may be gone; what it runs is not.
    let mut told = Map::new();
    if let Some(found) = Found::of(&app.engine, app.engine.catalogue(), name) {
        let settings = found.settings(app).await?;
        told = configuration(&settings);
        let number = found.number_of(definition).unwrap_or_default();
        let deployed = app.engine.deployed_at(name, number).await?;
        let at = deployed.map_or(settings.updated_at, |(at, _)| at);
        told.insert("updateDate".to_owned(), seconds(at));
        let revision = machine::revision_of(name, definition, &settings.setup.role);
        told.insert("revisionId".to_owned(), revision.into());
    } else {
        told.insert("roleArn".to_owned(), app.arns.usual_role().into());
        told.insert("updateDate".to_owned(), seconds(execution.started_at));
    }
    told.insert("stateMachineArn".to_owned(), app.arns.machine(name).into());
    told.insert("name".to_owned(), name.into());
    told.insert("definition".to_owned(), source(app, definition, &request).into());
    Ok(told.into())
}

/// The text of a definition; empty when only what is beside it is wanted.
fn source(app: &App, definition: DefinitionHash, request: &Request) -> String {
    if request.input.text("includedData") == Some("METADATA_ONLY") {
        return "{}".to_owned();
    }
    let program = app.engine.program(definition);
    program.map_or_else(String::new, |program| program.workflow.source.as_str().to_owned())
}

/// What the settings of a machine tell, wherever it is shown.
fn configuration(settings: &Settings) -> Map<String, Value> {
    let text = |json: &Option<Json>| json.as_ref().map(Json::value);
    let logging = text(&settings.setup.logging)
        .unwrap_or_else(|| json!({"level": "OFF", "includeExecutionData": false}));
    let tracing = text(&settings.setup.tracing).unwrap_or_else(|| json!({"enabled": false}));
    let mut told = Map::new();
    told.insert("roleArn".to_owned(), (&*settings.setup.role).into());
    told.insert("loggingConfiguration".to_owned(), logging);
    told.insert("tracingConfiguration".to_owned(), tracing);
    told
}

fn kind(settings: &Settings) -> &'static str {
    if settings.setup.is_express { "EXPRESS" } else { "STANDARD" }
}

async fn list(request: Request) -> Output {
    let app = request.app();
    let said = app.engine.catalogue();
    let names = app.engine.workflows();
    let there = names
        .into_iter()
        .filter_map(|name| Some((name.clone(), Found::of(&app.engine, said.clone(), &name)?)));
    let (found, next) = page::of("ListStateMachines", &request.input, there)?;
    let mut told = Vec::with_capacity(found.len());
    for found in found {
        let settings = found.settings(app).await?;
        told.push(json!({
            "stateMachineArn": app.arns.machine(&found.name),
            "name": found.name,
            "type": kind(&settings),
            "creationDate": seconds(settings.created_at),
        }));
    }
    Ok(page::output("stateMachines", told, next))
}

/// Deletes a machine for clients of this API; executions that are under way go on. One that is not
/// there is deleted already.
async fn delete(request: Request) -> Output {
    let name = machine::plain_name(request.input.need("stateMachineArn"))?;
    let engine = request.app().engine.clone();
    let deciding = engine.clone();
    engine
        .catalogued::<_, Refusal, _>(move |said| async move {
            let Some(found) = Found::of(&deciding, said.clone(), &name) else {
                return Ok((Vec::new(), ()));
            };
            let removed = MachineRemoved { workflow: name.into(), deployed: found.deployed() };
            let mut events = vec![removed.into()];
            events.extend(super::tags::all_gone(&said, &format!("stateMachine:{}", found.name)));
            Ok((events, ()))
        })
        .await?;
    Ok(json!({}))
}
