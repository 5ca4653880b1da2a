//! Tags: words about machines and activities.

use serde_json::{Value, json};

use super::arn::{self, Resource};
use super::machine::Found;
use super::operation::{Member, Operation, Output, Request, Shape};
use super::refusal::Refusal;
use crate::engine::catalogue::Tag;
use crate::engine::event::TagsSettled;
use crate::engine::{Catalogue, Event};
use crate::runtime::Orchestrator;
use crate::server::http::Role;

/// The most tags of a resource.
const MOST: usize = 50;

const TAG: &[Member] =
    &[Member::new("key", Shape::Text(1, 128)), Member::new("value", Shape::Text(0, 256))];
const LIST: Shape = Shape::List(&Shape::Structure(TAG), 0, 200);
const KEYS: Shape = Shape::List(&Shape::Text(1, 128), 0, 200);
/// Tags that something new has.
pub(super) const TAGS: Member = Member::new("tags", LIST);
const RESOURCE: Member = Member::required("resourceArn", Shape::Text(1, 256));
const ADD: &[Member] = &[RESOURCE, Member::required("tags", LIST)];
const REMOVE: &[Member] = &[RESOURCE, Member::required("tagKeys", KEYS)];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::shows("ListTagsForResource", Role::Viewer, &[RESOURCE], list)
            .refuses(&["InvalidArn", "ResourceNotFound"]),
        Operation::does("TagResource", Role::Operator, ADD, tag).refuses(&[
            "InvalidArn",
            "ResourceNotFound",
            "TooManyTags",
        ]),
        Operation::does("UntagResource", Role::Operator, REMOVE, untag)
            .refuses(&["InvalidArn", "ResourceNotFound"]),
    ]
}

/// The tags of a request; the last of a key counts.
///
/// # Errors
/// There are too many.
pub(super) fn read(listed: &[Value]) -> Result<Vec<Tag>, Refusal> {
    let text = |entry: &Value, name: &str| {
        entry.get(name).and_then(Value::as_str).unwrap_or_default().into()
    };
    let new =
        listed.iter().map(|entry| Tag { key: text(entry, "key"), value: text(entry, "value") });
    merged(Vec::new(), new)
}

fn merged(mut tags: Vec<Tag>, new: impl IntoIterator<Item = Tag>) -> Result<Vec<Tag>, Refusal> {
    for tag in new {
        match tags.iter_mut().find(|known| known.key == tag.key) {
            Some(known) => *known = tag,
            None => tags.push(tag),
        }
    }
    if tags.len() <= MOST {
        return Ok(tags);
    }
    Err(Refusal::of("TooManyTags", format!("A resource may have at most {MOST} tags.")))
}

/// The event that takes all tags of a resource away, when it has any.
pub(super) fn all_gone(said: &Catalogue, resource: &str) -> Option<Event> {
    said.tags.contains_key(resource).then(|| settled(resource.to_owned(), Vec::new()))
}

fn settled(resource: String, tags: Vec<Tag>) -> Event {
    TagsSettled { resource: resource.into(), tags }.into()
}

/// What a resource is called in the catalogue.
fn key_of(arn: &str) -> Result<Resource, Refusal> {
    match arn::read(arn)? {
        found @ (Resource::Machine { qualifier: None, .. } | Resource::Activity { .. }) => {
            Ok(found)
        }
        _ => Err(arn::invalid(arn)),
    }
}

/// The key of a resource that is there.
fn check_there(
    engine: &Orchestrator,
    said: &std::sync::Arc<Catalogue>,
    resource: &Resource,
    arn: &str,
) -> Result<String, Refusal> {
    let key = match resource {
        Resource::Machine { name, .. } => {
            let found = Found::of(engine, said.clone(), name);
            found.map(|_| format!("stateMachine:{name}"))
        }
        Resource::Activity { name } => {
            let is_there = said.activities.contains_key(name.as_str());
            is_there.then(|| format!("activity:{name}"))
        }
        _ => None,
    };
    key.ok_or_else(|| Refusal::of("ResourceNotFound", format!("Resource not found: '{arn}'")))
}

async fn list(request: Request) -> Output {
    let (app, arn) = (request.app(), request.input.need("resourceArn"));
    let said = app.engine.catalogue();
    let key = check_there(&app.engine, &said, &key_of(arn)?, arn)?;
    let tags = said.tags.get(key.as_str()).into_iter().flatten();
    let told: Vec<Value> = tags.map(|tag| json!({"key": tag.key, "value": tag.value})).collect();
    Ok(json!({"tags": told}))
}

async fn tag(request: Request) -> Output {
    let new = read(request.input.list("tags"))?;
    change(request, move |tags| merged(tags, new)).await
}

async fn untag(request: Request) -> Output {
    let keys: Vec<String> =
        request.input.list("tagKeys").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let keep = move |tags: Vec<Tag>| {
        Ok(tags.into_iter().filter(|tag| !keys.iter().any(|key| **key == *tag.key)).collect())
    };
    change(request, keep).await
}

async fn change(
    request: Request,
    change: impl FnOnce(Vec<Tag>) -> Result<Vec<Tag>, Refusal> + Send + 'static,
) -> Output {
    let arn = request.input.need("resourceArn").to_owned();
    let resource = key_of(&arn)?;
    let engine = request.app().engine.clone();
    let deciding = engine.clone();
    engine
        .catalogued::<_, Refusal, _>(move |said| async move {
            let key = check_there(&deciding, &said, &resource, &arn)?;
            let before = said.tags.get(key.as_str()).cloned().unwrap_or_default();
            let after = change(before.clone())?;
            let events = if after == before { Vec::new() } else { vec![settled(key, after)] };
            Ok((events, ()))
        })
        .await?;
    Ok(json!({}))
}
