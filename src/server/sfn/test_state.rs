//! Testing one state alone. Nothing is kept of it, and no worker has anything to do with it: the work of
//! a Task, Parallel or Map is mocked.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::operation::{Member, Operation, Output, Request, Shape};
use super::refusal::Refusal;
use super::settle::{self, DEFINITION};
use super::starting::PAYLOAD;
use crate::engine::program::machines_of;
use crate::engine::test_state::{InspectionLevel, TestError, TestedState};
use crate::engine::{EngineLimits, Failure, Program, StateTest, test_state};
use crate::language::{self, Format, Json, State, StateKind};
use crate::runtime;
use crate::server::http::Role;

/// What a state is called whose definition stands alone.
const ALONE: &str = "State";

const ERROR: &[Member] =
    &[Member::new("error", Shape::Text(0, 256)), Member::new("cause", Shape::Text(0, 32_768))];
const MOCK: &[Member] = &[
    Member::new("result", PAYLOAD),
    Member::new("errorOutput", Shape::Structure(ERROR)),
    Member::new("fieldValidationMode", Shape::Word(&["STRICT", "PRESENT", "NONE"])),
];
const CONFIGURATION: &[Member] = &[
    Member::new("retrierRetryCount", Shape::Whole(0, 2_147_483_647)),
    Member::new("errorCausedByState", Shape::Text(1, 80)),
    Member::new("mapIterationFailureCount", Shape::Whole(0, 2_147_483_647)),
    Member::new("mapItemReaderData", PAYLOAD),
];
const MEMBERS: &[Member] = &[
    Member::required("definition", DEFINITION),
    Member::new("roleArn", Shape::Text(1, 256)),
    Member::new("input", PAYLOAD),
    Member::new("inspectionLevel", Shape::Word(&["INFO", "DEBUG", "TRACE"])),
    Member::new("revealSecrets", Shape::Flag),
    Member::new("variables", PAYLOAD),
    Member::new("stateName", Shape::Text(1, 80)),
    Member::new("mock", Shape::Structure(MOCK)),
    Member::new("context", PAYLOAD),
    Member::new("stateConfiguration", Shape::Structure(CONFIGURATION)),
];

pub(super) fn operations() -> Vec<Operation> {
    vec![Operation::shows("TestState", Role::Viewer, MEMBERS, test).refuses(&[
        "InvalidArn",
        "InvalidDefinition",
        "InvalidExecutionInput",
        "ValidationException",
    ])]
}

async fn test(request: Request) -> Output {
    let (program, name) = program(&request)?;
    let state = program.state(&name).ok_or_else(no_such_state)?;
    let input = parsed(request.input.text("input").unwrap_or("{}")).map_err(|error| {
        let message = format!("Invalid State Machine Execution Input: '{error}'");
        Refusal::of("InvalidExecutionInput", message)
    })?;
    let mut test = StateTest::new(name.as_str(), input);
    for (name, value) in object(&request, "variables")? {
        test.variables.insert(name.into(), Json::from_value(&value));
    }
    test.context = object(&request, "context")?;
    test.mock = mock(&request, state)?;
    configure(&request, state, &mut test)?;
    test.level = match request.input.text("inspectionLevel") {
        Some("DEBUG") => InspectionLevel::Debug,
        Some("TRACE") => InspectionLevel::Trace,
        _ => InspectionLevel::Info,
    };
    (test.now, test.seed) = (request.app().now(), request.app().engine.seed());
    let limits = EngineLimits::default();
    let tested = test_state(&program, &test, &limits).map_err(|error| refused(&error))?;
    told(&tested)
}

/// The definition, and which of its states is tested.
fn program(request: &Request) -> Result<(Program, String), Refusal> {
    let text = request.input.need("definition");
    let name = request.input.text("stateName");
    let options = language::Options::default();
    let is_alone = language::is_state(text, Format::Json, &options);
    let (checked, name) = match (is_alone, name) {
        (true, name) => {
            let name = name.unwrap_or(ALONE);
            (language::check_state(text, Format::Json, name, &options), name)
        }
        (false, Some(name)) => (language::check(text, Format::Json, &options), name),
        (false, None) => {
            // Whoever gives no state at all hears what is wrong with that.
            let checked = language::check(text, Format::Json, &options);
            if checked.workflow.is_some() {
                return Err(Refusal::invalid(
                    "stateName must be given when the definition is that of a state machine",
                ));
            }
            (checked, ALONE)
        }
    };
    let faults = checked.diagnostics;
    match checked.workflow {
        Some(workflow) => Ok((Program::new(workflow), name.to_owned())),
        None => Err(settle::from_deploy(runtime::Error::InvalidDefinition { faults })),
    }
}

fn no_such_state() -> Refusal {
    Refusal::invalid("State not found in definition")
}

fn parsed(text: &str) -> Result<Json, serde_json::Error> {
    Json::parse(text)
}

/// A member that is the text of an object.
fn object(request: &Request, name: &str) -> Result<Map<String, Value>, Refusal> {
    let Some(text) = request.input.text(name) else { return Ok(Map::new()) };
    match parsed(text).map(|json| json.value()) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Refusal::invalid(format!("{name} must be a JSON object"))),
        Err(error) => Err(Refusal::invalid(format!("{name} must be valid JSON: {error}"))),
    }
}

/// What stands in for the work.
fn mock(request: &Request, state: &State) -> Result<Option<Result<Json, Failure>>, Refusal> {
    let mock = request.input.get("mock");
    let member = |name: &str| mock.and_then(|mock| mock.get(name)).filter(|value| !value.is_null());
    let (result, error) = (member("result").and_then(Value::as_str), member("errorOutput"));
    if request.input.flag("revealSecrets") {
        return Err(Refusal::invalid(match mock {
            Some(_) => "TestState does not support RevealSecrets when a mock is specified.",
            None => "There is no HTTP Task here whose secrets could be revealed",
        }));
    }
    match (result, error) {
        (Some(_), Some(_)) => Err(Refusal::invalid(
            "A test mock should have only one of the following fields: [result, errorOutput].",
        )),
        (None, None) => Ok(None),
        (None, Some(error)) => {
            let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
            Ok(Some(Err(Failure::new(text("error"), text("cause")))))
        }
        (Some(result), None) => {
            let result =
                parsed(result).map_err(|_| Refusal::invalid("Mocked result must be valid JSON"))?;
            fits(state, &result)?;
            Ok(Some(Ok(result)))
        }
    }
}

/// Whether parts could have given this.
fn fits(state: &State, result: &Json) -> Result<(), Refusal> {
    let count = result.elements().map(|elements| elements.len());
    let is_array = count.is_some();
    let writes = |map: &language::model::Map| {
        map.distributed.as_ref().is_some_and(|distributed| distributed.writer.is_some())
    };
    let refuse = |message: &str| Err(Refusal::invalid(message));
    match &state.kind {
        StateKind::Map(map) if writes(map) && result.entries().is_none() => {
            refuse("Mocked result must be a JSON object.")
        }
        StateKind::Map(map) if !writes(map) && !is_array => {
            refuse("Mocked result must be an array.")
        }
        StateKind::Parallel { .. } if !is_array => refuse("Mocked result must be an array."),
        StateKind::Parallel { branches } if count != Some(branches.len()) => refuse(
            "Mocked result must contain the same number of items as number of Parallel branches.",
        ),
        _ => Ok(()),
    }
}

fn configure(request: &Request, state: &State, test: &mut StateTest) -> Result<(), Refusal> {
    let Some(configuration) = request.input.get("stateConfiguration") else { return Ok(()) };
    let number = |name: &str| {
        let number = configuration.get(name).and_then(Value::as_u64);
        number.map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    };
    let text = |name: &str| configuration.get(name).and_then(Value::as_str);
    test.retried = number("retrierRetryCount").unwrap_or(0);
    let is_map = matches!(state.kind, StateKind::Map(_));
    if let Some(failed) = number("mapIterationFailureCount") {
        if test.mock.is_none() {
            return Err(Refusal::invalid(
                "TestState does not support MapIterationFailureCount when a mock is not specified.",
            ));
        }
        if !is_map {
            return Err(Refusal::invalid("mapIterationFailureCount is for Map states"));
        }
        test.failed_items = failed;
    }
    if let Some(items) = text("mapItemReaderData") {
        let items =
            parsed(items).map_err(|_| Refusal::invalid("mapItemReaderData must be valid JSON"))?;
        if !is_map {
            return Err(Refusal::invalid("mapItemReaderData is for Map states"));
        }
        test.items_read = Some(items);
    }
    match text("errorCausedByState") {
        // Which of the parts failed changes nothing for the state around them.
        Some(name) if !stands_in(state, name) => Err(Refusal::invalid(format!(
            "errorCausedByState must name a state inside of the tested one, and '{name}' is none"
        ))),
        _ => Ok(()),
    }
}

/// Whether a state of this name stands in a machine of `state`.
fn stands_in(state: &State, name: &str) -> bool {
    machines_of(state).iter().any(|machine| machine.states.iter().any(|inner| **inner == *name))
}

fn refused(error: &TestError) -> Refusal {
    Refusal::invalid(match error {
        TestError::UnknownState { .. } => return no_such_state(),
        TestError::NeedsMock { type_name } => format!(
            "A {type_name} state is tested with a mock: give mock.result or mock.errorOutput, as no \
             worker is asked"
        ),
        TestError::TakesNoMock { type_name } => {
            format!("State type '{type_name}' is not supported when a mock is specified")
        }
        TestError::MockIsNoArray => "Mocked result must be an array.".to_owned(),
        TestError::NeedsItems => format!("{error}: give mapItemReaderData"),
        TestError::TooManyFail { .. } => {
            "Map iteration failure count must be less than or equal to the number of Map iterations"
                .to_owned()
        }
        TestError::TooLarge { .. } => {
            let message = format!("Invalid State Machine Execution Input: '{error}'");
            return Refusal::of("InvalidExecutionInput", message);
        }
        TestError::Refused { .. } => return Refusal::of("InternalFailure", error.to_string()),
    })
}

/// The outcome in the members of the operation: data as texts that hold JSON.
fn told(tested: &TestedState) -> Output {
    let failed = |error: serde_json::Error| Refusal::of("InternalFailure", error.to_string());
    let mut told = Map::new();
    let mut tell = |name: &str, value: Value| drop(told.insert(name.to_owned(), value));
    tell("status", serde_json::to_value(tested.status).map_err(failed)?);
    let text = |text: &Arc<str>| Value::from(&**text);
    tested.output.iter().for_each(|output| tell("output", output.as_str().into()));
    tested.error.iter().filter(|error| !error.is_empty()).for_each(|it| tell("error", text(it)));
    tested.cause.iter().filter(|cause| !cause.is_empty()).for_each(|it| tell("cause", text(it)));
    tested.next_state.iter().for_each(|next| tell("nextState", text(next)));
    if let Some(inspection) = &tested.inspection_data {
        let seen = serde_json::to_value(inspection).map_err(failed)?;
        let Value::Object(seen) = seen else { return Ok(told.into()) };
        let fields = seen.into_iter().filter(|(name, value)| {
            // AWS leaves it out when there are none.
            name != "variables" || value.as_object().is_some_and(|fields| !fields.is_empty())
        });
        let fields: Map<String, Value> =
            fields.map(|(name, value)| (name.clone(), member(&name, value))).collect();
        told.insert("inspectionData".to_owned(), fields.into());
    }
    Ok(told.into())
}

/// Numbers stay what they are; data becomes a text.
fn member(name: &str, value: Value) -> Value {
    match name {
        "errorDetails"
        | "maxConcurrency"
        | "toleratedFailureCount"
        | "toleratedFailurePercentage" => value,
        _ => json!(value.to_string()),
    }
}
