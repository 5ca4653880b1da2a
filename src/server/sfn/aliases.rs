//! Aliases: names that lead to one or two versions, each as often as its weight says.

use std::sync::Arc;

use serde_json::{Value, json};

use super::arn::{self, Qualifier, Resource};
use super::machine;
use super::machines::MACHINE;
use super::names;
use super::operation::{Member, Operation, Output, Request, Shape};
use super::page::{self, MAX_RESULTS, NEXT_TOKEN};
use super::refusal::Refusal;
use super::reply::seconds;
use crate::engine::catalogue::{Alias, Machine, Routing};
use crate::engine::event::{AliasRemoved, AliasSettled};
use crate::server::http::Role;

/// The most aliases of a machine.
const MOST: usize = 100;

const ROUTE: &[Member] = &[
    Member::required("stateMachineVersionArn", Shape::Text(1, 256)),
    Member::required("weight", Shape::Whole(0, 100)),
];
const ROUTES: Shape = Shape::List(&Shape::Structure(ROUTE), 1, 2);
const ABOUT: Member = Member::new("description", Shape::Text(0, 256));
const ALIAS: Member = Member::required("stateMachineAliasArn", Shape::Text(1, 256));
const CREATE: &[Member] = &[
    ABOUT,
    Member::required("name", names::NAME),
    Member::required("routingConfiguration", ROUTES),
];
const UPDATE: &[Member] = &[ALIAS, ABOUT, Member::new("routingConfiguration", ROUTES)];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::does("CreateStateMachineAlias", Role::Operator, CREATE, create).refuses(&[
            "ConflictException",
            "InvalidArn",
            "InvalidName",
            "ResourceNotFound",
            "ServiceQuotaExceededException",
            "ValidationException",
        ]),
        Operation::shows("DescribeStateMachineAlias", Role::Viewer, &[ALIAS], describe).refuses(&[
            "InvalidArn",
            "ResourceNotFound",
            "ValidationException",
        ]),
        Operation::shows(
            "ListStateMachineAliases",
            Role::Viewer,
            &[MACHINE, NEXT_TOKEN, MAX_RESULTS],
            list,
        )
        .refuses(&[
            "InvalidArn",
            "InvalidToken",
            "ResourceNotFound",
            "StateMachineDoesNotExist",
        ]),
        Operation::does("UpdateStateMachineAlias", Role::Operator, UPDATE, update).refuses(&[
            "InvalidArn",
            "ResourceNotFound",
            "ValidationException",
        ]),
        Operation::does("DeleteStateMachineAlias", Role::Operator, &[ALIAS], delete).refuses(&[
            "InvalidArn",
            "ResourceNotFound",
            "ValidationException",
        ]),
    ]
}

fn not_found(arn: &str) -> Refusal {
    Refusal::of("ResourceNotFound", format!("Resource not found: '{arn}'"))
}

/// The machine and the name in the ARN of an alias.
fn read(arn: &str) -> Result<(String, String), Refusal> {
    match arn::read(arn)? {
        Resource::Machine { name, qualifier: Some(Qualifier::Alias(alias)) } => Ok((name, alias)),
        _ => Err(arn::invalid(arn)),
    }
}

/// The routes of a request, all of one machine.
fn routes(listed: &[Value]) -> Result<(String, Vec<Routing>), Refusal> {
    let (mut machine, mut routes) = (None, Vec::<Routing>::new());
    for entry in listed {
        let arn = entry.get("stateMachineVersionArn").and_then(Value::as_str).unwrap_or_default();
        let Resource::Machine { name, qualifier: Some(Qualifier::Version(version)) } =
            arn::read(arn)?
        else {
            return Err(arn::invalid(arn));
        };
        if machine.get_or_insert_with(|| name.clone()) != &name {
            return Err(Refusal::invalid("The versions must be of one state machine."));
        }
        if routes.iter().any(|route| route.version == version) {
            return Err(Refusal::invalid(
                "A version may stand only once in a routing configuration.",
            ));
        }
        let weight = entry.get("weight").and_then(Value::as_u64).unwrap_or_default();
        routes.push(Routing { version, weight: u8::try_from(weight).unwrap_or(u8::MAX) });
    }
    if routes.iter().map(|route| u32::from(route.weight)).sum::<u32>() != 100 {
        return Err(Refusal::invalid("The sum of weights in a routing configuration must be 100."));
    }
    Ok((machine.unwrap_or_default(), routes))
}

/// Refuses routes to versions that are not there.
fn check_there(machine: Option<&Machine>, routes: &[Routing]) -> Result<(), Refusal> {
    let is_there = |route: &&Routing| {
        machine.is_some_and(|machine| machine.versions.contains_key(&route.version))
    };
    match routes.iter().find(|route| !is_there(route)) {
        None => Ok(()),
        Some(route) => {
            let message = format!("Resource not found: version {}", route.version);
            Err(Refusal::of("ResourceNotFound", message))
        }
    }
}

async fn create(request: Request) -> Output {
    let (app, input) = (request.app(), &request.input);
    let alias: Arc<str> = input.need("name").into();
    names::check(&alias)?;
    if alias.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::of("InvalidName", format!("Invalid Name: '{alias}'")));
    }
    let (workflow, routes) = routes(input.list("routingConfiguration"))?;
    let description: Option<Arc<str>> = input.text("description").map(Arc::from);
    let arn = app.arns.qualified(&workflow, &alias);
    let (name, taken) = (alias.clone(), arn.clone());
    let (machine, engine) = (workflow.clone(), app.engine.clone());
    app.engine
        .catalogued::<_, Refusal, _>(move |said| async move {
            let there = machine::Found::of(&engine, said.clone(), &machine);
            let there = there.as_ref().and_then(machine::Found::said);
            check_there(there, &routes)?;
            let aliases = there.map(|machine| &machine.aliases);
            if let Some(known) = aliases.and_then(|aliases| aliases.get(&name)) {
                if known.routes == routes && known.description == description {
                    return Ok((Vec::new(), ()));
                }
                let message = format!("An alias with another configuration exists: '{taken}'");
                return Err(Refusal::of("ConflictException", message));
            }
            if aliases.is_some_and(|aliases| aliases.len() >= MOST) {
                let message = format!("The maximum number of aliases, {MOST}, is reached.");
                return Err(Refusal::of("ServiceQuotaExceededException", message));
            }
            let workflow = machine.into();
            Ok((vec![AliasSettled { workflow, alias: name, description, routes }.into()], ()))
        })
        .await?;
    let said = app.engine.catalogue();
    let made = said.machines.get(workflow.as_str()).and_then(|known| known.aliases.get(&alias));
    let made = made.ok_or_else(|| not_found(&arn))?;
    Ok(json!({"stateMachineAliasArn": arn, "creationDate": seconds(made.created_at)}))
}

async fn describe(request: Request) -> Output {
    let (app, arn) = (request.app(), request.input.need("stateMachineAliasArn"));
    let (workflow, name) = read(arn)?;
    let alias = find(&request, &workflow, &name).ok_or_else(|| not_found(arn))?;
    let route = |route: &Routing| {
        let arn = app.arns.qualified(&workflow, &route.version.to_string());
        json!({"stateMachineVersionArn": arn, "weight": route.weight})
    };
    let mut told = json!({
        "stateMachineAliasArn": app.arns.qualified(&workflow, &name),
        "name": name,
        "routingConfiguration": alias.routes.iter().map(route).collect::<Vec<_>>(),
        "creationDate": seconds(alias.created_at),
        "updateDate": seconds(alias.updated_at),
    });
    if let (Some(description), Some(told)) = (&alias.description, told.as_object_mut()) {
        told.insert("description".to_owned(), (&**description).into());
    }
    Ok(told)
}

fn find(request: &Request, workflow: &str, name: &str) -> Option<Alias> {
    let app = request.app();
    let found = machine::Found::of(&app.engine, app.engine.catalogue(), workflow)?;
    found.said()?.aliases.get(name).cloned()
}

async fn list(request: Request) -> Output {
    let app = request.app();
    let (found, qualifier) = machine::find(app, request.input.need("stateMachineArn"))?;
    let of = match qualifier {
        None => None,
        Some(Qualifier::Version(version)) => Some(version),
        Some(Qualifier::Alias(_)) => {
            return Err(arn::invalid(request.input.need("stateMachineArn")));
        }
    };
    let leads = |alias: &Alias| {
        of.is_none_or(|version| alias.routes.iter().any(|route| route.version == version))
    };
    let aliases = found.said().into_iter().flat_map(|said| &said.aliases);
    let told = aliases.filter(|(_, alias)| leads(alias)).map(|(name, alias)| {
        let told = json!({
            "stateMachineAliasArn": app.arns.qualified(&found.name, name),
            "creationDate": seconds(alias.created_at),
        });
        (name.to_string(), told)
    });
    let (page, next) = page::of("ListStateMachineAliases", &request.input, told)?;
    Ok(page::output("stateMachineAliases", page, next))
}

async fn update(request: Request) -> Output {
    let (app, input) = (request.app(), &request.input);
    let arn = input.need("stateMachineAliasArn").to_owned();
    let (workflow, alias) = read(&arn)?;
    let new_routes = match input.get("routingConfiguration") {
        Some(_) => Some(routes(input.list("routingConfiguration"))?),
        None => None,
    };
    if new_routes.as_ref().is_some_and(|(machine, _)| *machine != workflow) {
        return Err(Refusal::invalid("The versions must be those of the alias's state machine."));
    }
    let description = input.text("description").map(Arc::from);
    if description.is_none() && new_routes.is_none() {
        return Err(Refusal::invalid(
            "Either a description or a routing configuration must be given.",
        ));
    }
    let (machine, name, missing) = (workflow.clone(), alias.clone(), arn.clone());
    app.engine
        .catalogued::<_, Refusal, _>(move |said| async move {
            let there = said.machines.get(machine.as_str());
            let known = there.and_then(|machine| machine.aliases.get(name.as_str()));
            let known = known.ok_or_else(|| not_found(&missing))?;
            let routes = new_routes.map_or_else(|| known.routes.clone(), |(_, routes)| routes);
            check_there(there, &routes)?;
            let description = description.or_else(|| known.description.clone());
            let (workflow, alias) = (machine.into(), name.into());
            Ok((vec![AliasSettled { workflow, alias, description, routes }.into()], ()))
        })
        .await?;
    let changed = find(&request, &workflow, &alias).ok_or_else(|| not_found(&arn))?;
    Ok(json!({"updateDate": seconds(changed.updated_at)}))
}

async fn delete(request: Request) -> Output {
    let arn = request.input.need("stateMachineAliasArn").to_owned();
    let (workflow, alias) = read(&arn)?;
    request
        .app()
        .engine
        .catalogued::<_, Refusal, _>(move |said| async move {
            let there = said.machines.get(workflow.as_str());
            if there.is_none_or(|machine| !machine.aliases.contains_key(alias.as_str())) {
                return Err(not_found(&arn));
            }
            let (workflow, alias) = (workflow.into(), alias.into());
            Ok((vec![AliasRemoved { workflow, alias }.into()], ()))
        })
        .await?;
    Ok(json!({}))
}
