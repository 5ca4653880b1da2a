//! Creating machines and changing them: what is deployed and what the catalogue says go together.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::machine::{self, Found};
use super::operation::{Member, Operation, Output, Request, Shape};
use super::refusal::Refusal;
use super::reply::seconds;
use super::{names, tags, versions};
use crate::engine::catalogue::{Settings, Setup, Tag};
use crate::engine::event::{MachineSettled, TagsSettled};
use crate::engine::{Catalogue, Event};
use crate::language::{Format, Json};
use crate::runtime::{self, Orchestrator};
use crate::server::http::Role;

/// A definition, as a text.
pub(super) const DEFINITION: Shape = Shape::Text(1, 1_048_576);
/// The type of a machine.
pub(super) const TYPE: Member = Member::new("type", Shape::Word(&["STANDARD", "EXPRESS"]));
const ROLE: Shape = Shape::Text(1, 256);
const GROUP: &[Member] = &[Member::new("logGroupArn", Shape::Text(1, 256))];
const DESTINATION: &[Member] = &[Member::new("cloudWatchLogsLogGroup", Shape::Structure(GROUP))];
const LOGGING: &[Member] = &[
    Member::new("level", Shape::Word(&["ALL", "ERROR", "FATAL", "OFF"])),
    Member::new("includeExecutionData", Shape::Flag),
    Member::new("destinations", Shape::List(&Shape::Structure(DESTINATION), 0, 10)),
];
const TRACING: &[Member] = &[Member::new("enabled", Shape::Flag)];
const KINDS_OF_KEY: &[&str] = &["AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY"];
const KEY: &[Member] = &[
    Member::new("kmsKeyId", Shape::Text(1, 2048)),
    Member::new("kmsDataKeyReusePeriodSeconds", Shape::Whole(60, 900)),
    Member::required("type", Shape::Word(KINDS_OF_KEY)),
];
/// How data is encrypted.
pub(super) const ENCRYPTION: Member = Member::new("encryptionConfiguration", Shape::Structure(KEY));
const LOGGED: Member = Member::new("loggingConfiguration", Shape::Structure(LOGGING));
const TRACED: Member = Member::new("tracingConfiguration", Shape::Structure(TRACING));
const PUBLISH: Member = Member::new("publish", Shape::Flag);
const ABOUT_VERSION: Member = Member::new("versionDescription", Shape::Text(0, 256));

const CREATE: &[Member] = &[
    Member::required("name", names::NAME),
    Member::required("definition", DEFINITION),
    Member::required("roleArn", ROLE),
    TYPE,
    LOGGED,
    tags::TAGS,
    TRACED,
    PUBLISH,
    ABOUT_VERSION,
    ENCRYPTION,
];
const UPDATE: &[Member] = &[
    super::machines::MACHINE,
    Member::new("definition", DEFINITION),
    Member::new("roleArn", ROLE),
    LOGGED,
    TRACED,
    PUBLISH,
    ABOUT_VERSION,
    ENCRYPTION,
];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::does("CreateStateMachine", Role::Operator, CREATE, create).refuses(&[
            "InvalidDefinition",
            "InvalidEncryptionConfiguration",
            "InvalidName",
            "StateMachineAlreadyExists",
            "TooManyTags",
            "ValidationException",
        ]),
        Operation::does("UpdateStateMachine", Role::Operator, UPDATE, update).refuses(&[
            "InvalidArn",
            "InvalidDefinition",
            "InvalidEncryptionConfiguration",
            "MissingRequiredParameter",
            "ServiceQuotaExceededException",
            "StateMachineDoesNotExist",
            "ValidationException",
        ]),
    ]
}

/// What a request says of a machine.
struct Wish {
    definition: Option<String>,
    role: Option<String>,
    is_express: bool,
    logging: Option<Json>,
    tracing: Option<Json>,
    tags: Vec<Tag>,
    /// Whether to publish a version, and what that is for.
    publish: Option<Option<Arc<str>>>,
}

impl Wish {
    fn of(request: &Request) -> Result<Self, Refusal> {
        let input = &request.input;
        check_encryption(input.get("encryptionConfiguration"))?;
        let owned = |name: &str| input.text(name).map(str::to_owned);
        let about = input.text("versionDescription").map(Arc::from);
        if about.is_some() && !input.flag("publish") {
            return Err(Refusal::invalid(
                "Version description can only be set when publish is set to true.",
            ));
        }
        Ok(Self {
            definition: owned("definition"),
            role: owned("roleArn"),
            is_express: input.text("type") == Some("EXPRESS"),
            logging: input.get("loggingConfiguration").cloned().map(Json::from),
            tracing: input.get("tracingConfiguration").cloned().map(Json::from),
            tags: tags::read(input.list("tags"))?,
            publish: input.flag("publish").then_some(about),
        })
    }
}

/// Data is on the operator's own disk; nobody else's key is asked for.
pub(super) fn check_encryption(wish: Option<&Value>) -> Result<(), Refusal> {
    let kind = wish.and_then(|wish| wish.get("type")).and_then(Value::as_str);
    if kind != Some("CUSTOMER_MANAGED_KMS_KEY") {
        return Ok(());
    }
    let message =
        "Invalid Encryption Configuration: 'There is no key service here; encrypt the disk.'";
    Err(Refusal::of("InvalidEncryptionConfiguration", message))
}

async fn create(request: Request) -> Output {
    let name = request.input.need("name").to_owned();
    names::check(&name)?;
    let wish = Wish::of(&request)?;
    let engine = request.app().engine.clone();
    let (deciding, machine) = (engine.clone(), name.clone());
    let arn = request.app().arns.machine(&name);
    let taken = arn.clone();
    let version = engine
        .catalogued::<_, Refusal, _>(move |said| async move {
            creation(&deciding, &said, machine, wish, &taken).await
        })
        .await?;
    let (found, _) = machine::find(request.app(), &arn)?;
    let settings = found.settings(request.app()).await?;
    let mut told = Map::new();
    told.insert("stateMachineArn".to_owned(), arn.into());
    told.insert("creationDate".to_owned(), seconds(settings.created_at));
    tell_version(&mut told, &request, &name, version);
    Ok(told.into())
}

fn tell_version(
    told: &mut Map<String, Value>,
    request: &Request,
    name: &str,
    version: Option<u64>,
) {
    if let Some(version) = version {
        let arn = request.app().arns.qualified(name, &version.to_string());
        told.insert("stateMachineVersionArn".to_owned(), arn.into());
    }
}

/// Deploys, and gives what is to be said; and the version that it publishes.
async fn creation(
    engine: &Orchestrator,
    said: &Arc<Catalogue>,
    name: String,
    wish: Wish,
    arn: &str,
) -> Result<(Vec<Event>, Option<u64>), Refusal> {
    let definition = wish.definition.as_deref().unwrap_or_default();
    let before = Found::of(engine, said.clone(), &name);
    if let Some(before) = &before {
        let same = engine.would_deploy(&name, definition, Format::Json).map_err(from_deploy)?;
        let settings = before.said().and_then(|said| said.settings.as_ref());
        if same.is_new || settings.is_some_and(|settings| !is_same(settings, &wish)) {
            let message = format!("State Machine Already Exists: '{arn}'");
            return Err(Refusal::of("StateMachineAlreadyExists", message));
        }
        if settings.is_some() {
            // It stands as it was created.
            return versions::publication(before, wish.publish);
        }
    }
    engine.deploy(&name, definition, Format::Json).await.map_err(from_deploy)?;
    let role = wish.role.as_deref().unwrap_or_default();
    let mut events = vec![
        MachineSettled {
            workflow: name.as_str().into(),
            setup: Setup {
                is_express: wish.is_express,
                role: role.into(),
                logging: wish.logging,
                tracing: wish.tracing,
            },
        }
        .into(),
    ];
    if !wish.tags.is_empty() {
        let resource = format!("stateMachine:{name}").into();
        events.push(TagsSettled { resource, tags: wish.tags }.into());
    }
    let mut next = (**said).clone();
    apply(&mut next, &events);
    let found = Found::of(engine, Arc::new(next), &name).ok_or_else(|| machine::missing(arn))?;
    let (published, version) = versions::publication(&found, wish.publish)?;
    events.extend(published);
    Ok((events, version))
}

/// What the catalogue says once these are durable; their time does not matter here.
fn apply(said: &mut Catalogue, events: &[Event]) {
    for event in events {
        said.apply(event, said.sequence + 1, crate::engine::Timestamp(0));
    }
}

/// Whether a machine is set up as a request for it says. Role and tags do not count, as at AWS.
fn is_same(settings: &Settings, wish: &Wish) -> bool {
    let value = |json: &Option<Json>| json.as_ref().map(Json::value);
    let setup = &settings.setup;
    setup.is_express == wish.is_express
        && value(&setup.logging) == value(&wish.logging)
        && value(&setup.tracing) == value(&wish.tracing)
}

async fn update(request: Request) -> Output {
    let arn = request.input.need("stateMachineArn").to_owned();
    let name = machine::plain_name(&arn)?;
    let wish = Wish::of(&request)?;
    let says_something = wish.definition.is_some()
        || wish.role.is_some()
        || wish.logging.is_some()
        || wish.tracing.is_some()
        || request.input.get("encryptionConfiguration").is_some();
    if !says_something {
        return Err(Refusal::of(
            "MissingRequiredParameter",
            "Either the definition, the role ARN, the LoggingConfiguration, or the \
             TracingConfiguration must be specified",
        ));
    }
    let app = request.app();
    let before = machine::find_plain(app, &arn)?.settings(app).await?;
    let engine = app.engine.clone();
    let (deciding, machine) = (engine.clone(), name.clone());
    let missing = arn.clone();
    let version = engine
        .catalogued::<_, Refusal, _>(move |said| async move {
            change(&deciding, &said, machine, (before, wish), &missing).await
        })
        .await?;
    let found = machine::find_plain(app, &arn)?;
    let settings = found.settings(app).await?;
    let updated = seconds(settings.updated_at);
    let mut told = Map::new();
    told.insert("updateDate".to_owned(), updated);
    told.insert("revisionId".to_owned(), found.revision().into());
    tell_version(&mut told, &request, &name, version);
    Ok(told.into())
}

async fn change(
    engine: &Orchestrator,
    said: &Arc<Catalogue>,
    name: String,
    (usual, wish): (Settings, Wish),
    arn: &str,
) -> Result<(Vec<Event>, Option<u64>), Refusal> {
    let find = |said| Found::of(engine, said, &name).ok_or_else(|| machine::missing(arn));
    let before = find(said.clone())?;
    let before = before.said().and_then(|said| said.settings.clone()).unwrap_or(usual).setup;
    if let Some(definition) = &wish.definition {
        engine.deploy(&name, definition, Format::Json).await.map_err(from_deploy)?;
    }
    let settled = MachineSettled {
        workflow: name.as_str().into(),
        setup: Setup {
            is_express: before.is_express,
            role: wish.role.map_or(before.role, Into::into),
            logging: wish.logging.or(before.logging),
            tracing: wish.tracing.or(before.tracing),
        },
    };
    let mut events = vec![settled.into()];
    let mut next = (**said).clone();
    apply(&mut next, &events);
    let (published, version) = versions::publication(&find(Arc::new(next))?, wish.publish)?;
    events.extend(published);
    Ok((events, version))
}

/// Why a definition was not taken, as AWS says it.
pub(super) fn from_deploy(error: runtime::Error) -> Refusal {
    let runtime::Error::InvalidDefinition { faults } = error else { return error.into() };
    let told: Vec<String> = faults
        .iter()
        .take(10)
        .map(|fault| {
            let at = if fault.pointer.is_empty() { "/" } else { &fault.pointer };
            format!("SCHEMA_VALIDATION_FAILED: {} at {at}", fault.message)
        })
        .collect();
    let message = format!("Invalid State Machine Definition: '{}'", told.join(", "));
    Refusal::of("InvalidDefinition", message)
}
