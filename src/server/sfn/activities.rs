//! Activities: job types that clients make known, and whose jobs they ask for.

use std::sync::Arc;

use serde_json::json;

use super::arn::{self, Resource};
use super::operation::{Member, Operation, Output, Request, Shape};
use super::page::{self, MAX_RESULTS, NEXT_TOKEN};
use super::refusal::Refusal;
use super::reply::seconds;
use super::settle::{ENCRYPTION, check_encryption};
use super::{names, tags};
use crate::engine::event::{ActivityCreated, ActivityRemoved, TagsSettled};
use crate::engine::{Event, Timestamp};
use crate::runtime::{self, LONGEST_POLL, Poll};
use crate::server::http::{App, Role};

/// The most activities.
const MOST: usize = 10_000;

const ACTIVITY: Member = Member::required("activityArn", Shape::Text(1, 256));
const TASK: &[Member] = &[ACTIVITY, Member::new("workerName", Shape::Text(1, 80))];
const CREATE: &[Member] = &[Member::required("name", names::NAME), tags::TAGS, ENCRYPTION];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::does("CreateActivity", Role::Operator, CREATE, create).refuses(&[
            "ActivityLimitExceeded",
            "InvalidEncryptionConfiguration",
            "InvalidName",
            "TooManyTags",
        ]),
        Operation::shows("DescribeActivity", Role::Viewer, &[ACTIVITY], describe)
            .refuses(&["ActivityDoesNotExist", "InvalidArn"]),
        Operation::shows("ListActivities", Role::Viewer, &[MAX_RESULTS, NEXT_TOKEN], list)
            .refuses(&["InvalidToken"]),
        Operation::does("GetActivityTask", Role::Worker, TASK, task).refuses(&[
            "ActivityDoesNotExist",
            "ActivityWorkerLimitExceeded",
            "InvalidArn",
        ]),
        Operation::does("DeleteActivity", Role::Operator, &[ACTIVITY], delete)
            .refuses(&["InvalidArn"]),
    ]
}

/// The name in the ARN of an activity.
pub(super) fn name_of(arn: &str) -> Result<String, Refusal> {
    match arn::read(arn)? {
        Resource::Activity { name } => Ok(name),
        _ => Err(arn::invalid(arn)),
    }
}

/// An activity that is there: its name, and since when.
pub(super) fn find(app: &App, arn: &str) -> Result<(String, Timestamp), Refusal> {
    let name = name_of(arn)?;
    let created = app.engine.catalogue().activities.get(name.as_str()).copied();
    let missing = || {
        let message = format!("Activity Does Not Exist: '{arn}'");
        Refusal::of("ActivityDoesNotExist", message)
    };
    Ok((name, created.ok_or_else(missing)?))
}

/// Creates an activity. One that is there stays as it is.
async fn create(request: Request) -> Output {
    let (app, input) = (request.app(), &request.input);
    let name: Arc<str> = input.need("name").into();
    names::check(&name)?;
    check_encryption(input.get("encryptionConfiguration"))?;
    let tags = tags::read(input.list("tags"))?;
    let activity = name.clone();
    app.engine
        .catalogued::<_, Refusal, _>(move |said| async move {
            if said.activities.contains_key(&activity) {
                return Ok((Vec::new(), ()));
            }
            if said.activities.len() >= MOST {
                let message = format!("The maximum number of activities, {MOST}, is reached.");
                return Err(Refusal::of("ActivityLimitExceeded", message));
            }
            let resource = format!("activity:{activity}").into();
            let tagged = (!tags.is_empty()).then(|| TagsSettled { resource, tags }.into());
            let created = Event::from(ActivityCreated { activity });
            Ok(([created].into_iter().chain(tagged).collect(), ()))
        })
        .await?;
    let arn = app.arns.activity(&name);
    let (_, created) = find(app, &arn)?;
    Ok(json!({"activityArn": arn, "creationDate": seconds(created)}))
}

async fn describe(request: Request) -> Output {
    let app = request.app();
    let (name, created) = find(app, request.input.need("activityArn"))?;
    let arn = app.arns.activity(&name);
    Ok(json!({"activityArn": arn, "name": name, "creationDate": seconds(created)}))
}

async fn list(request: Request) -> Output {
    let app = request.app();
    let said = app.engine.catalogue();
    let told = said.activities.iter().map(|(name, created)| {
        let arn = app.arns.activity(name);
        let told = json!({"activityArn": arn, "name": name, "creationDate": seconds(*created)});
        (name.to_string(), told)
    });
    let (page, next) = page::of("ListActivities", &request.input, told)?;
    Ok(page::output("activities", page, next))
}

/// Waits up to a minute for a job. A worker may keep it for as long as the workflow's times allow.
async fn task(request: Request) -> Output {
    let app = request.app();
    let (activity, _) = find(app, request.input.need("activityArn"))?;
    let too_many = || {
        let message = "Too many workers wait for tasks of activities.";
        Refusal::of("ActivityWorkerLimitExceeded", message)
    };
    let _seat = app.poll_seats.take(&request.call.principal.name).ok_or_else(too_many)?;
    let poll = Poll {
        worker: worker_name(request.input.text("workerName").unwrap_or("worker")),
        job_types: vec![activity],
        most: 1,
        wait: LONGEST_POLL,
        lease_seconds: None,
        address: Some(request.call.peer.ip().to_string()),
        // Clients of AWS do not tell what they have not got.
        request: None,
        unanswered: Vec::new(),
    };
    let polled = tokio::select! {
        polled = app.engine.poll_jobs(poll) => match polled {
            Err(runtime::Error::TooManyPolls { .. }) => return Err(too_many()),
            polled => polled?.jobs,
        },
        () = app.stopped() => Vec::new(),
    };
    let job = polled.into_iter().next();
    let input = job.as_ref().map(|job| job.input.as_str());
    Ok(json!({"taskToken": job.as_ref().map(|job| &job.token), "input": input}))
}

/// The name of a worker as the engine takes it.
fn worker_name(given: &str) -> String {
    let is_good = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    given.chars().map(|letter| if is_good(letter) { letter } else { '_' }).collect()
}

/// Deletes an activity; its jobs wait. One that is not there is deleted already.
async fn delete(request: Request) -> Output {
    let name: Arc<str> = name_of(request.input.need("activityArn"))?.into();
    request
        .app()
        .engine
        .catalogued::<_, Refusal, _>(move |said| async move {
            if !said.activities.contains_key(&name) {
                return Ok((Vec::new(), ()));
            }
            let untagged = tags::all_gone(&said, &format!("activity:{name}"));
            let removed = Event::from(ActivityRemoved { activity: name });
            Ok(([removed].into_iter().chain(untagged).collect(), ()))
        })
        .await?;
    Ok(json!({}))
}
