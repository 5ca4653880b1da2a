//! `everstep test-state`: runs one state of a definition alone.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::{Context, input, validate};
use crate::engine::test_state::{InspectionLevel, TestError};
use crate::engine::{EngineLimits, Failure, Program, StateTest, test_state};
use crate::language::{self, Json};
use crate::runtime::{Clock, IdSource, RandomIds, SystemClock};

/// What a state is called whose definition stands alone.
const ALONE: &str = "State";

#[derive(clap::Args)]
pub(super) struct TestStateArgs {
    /// The definition, JSON or YAML: of a workflow, or of one state alone
    file: PathBuf,
    /// The state's name; not needed when the file defines one state alone
    #[arg(long, value_name = "NAME")]
    state: Option<String>,
    /// Its input: JSON, @FILE, or - for stdin
    #[arg(short, long, value_name = "JSON", default_value = "{}")]
    input: String,
    /// The variables that it sees: an object, JSON or @FILE
    #[arg(long, value_name = "JSON")]
    variables: Option<String>,
    /// Fields of the context object, as {"Execution": {"Name": "x"}}: JSON or @FILE
    #[arg(long, value_name = "JSON")]
    context: Option<String>,
    /// What the work of a Task, Parallel or Map gives: JSON or @FILE
    #[arg(long, value_name = "JSON", conflicts_with = "error")]
    result: Option<String>,
    /// The error with which the work of a Task, Parallel or Map fails
    #[arg(long, value_name = "NAME")]
    error: Option<String>,
    /// With --error: why
    #[arg(long, value_name = "TEXT", requires = "error", default_value = "")]
    cause: String,
    /// With --error: how often the retrier that matches it has already been used
    #[arg(long, value_name = "COUNT", requires = "error", default_value_t = 0)]
    retried: u32,
    /// How much to tell: the outcome, the data after each stage, or the events too
    #[arg(long, value_enum, default_value = "info")]
    inspect: Inspect,
    /// Hold the payload limit of AWS
    #[arg(long)]
    aws_limits: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Inspect {
    Info,
    Debug,
    Trace,
}

pub(super) fn run(context: &Context, arguments: &TestStateArgs) -> Outcome {
    let (program, state) = program(context, arguments)?;
    let mut test = StateTest::new(state, input::json(&arguments.input)?);
    let fields = |argument: &Option<String>, option: &str| match argument {
        None => Ok(serde_json::Map::new()),
        Some(argument) => object(argument, option),
    };
    for (name, value) in fields(&arguments.variables, "--variables")? {
        test.variables.insert(Arc::from(name), Json::from_value(&value));
    }
    test.context = fields(&arguments.context, "--context")?;
    test.mock = match (&arguments.result, &arguments.error) {
        (Some(result), _) => Some(Ok(input::json(result)?)),
        (None, Some(error)) => Some(Err(Failure::new(error, &arguments.cause))),
        (None, None) => None,
    };
    test.retried = arguments.retried;
    test.level = match arguments.inspect {
        Inspect::Info => InspectionLevel::Info,
        Inspect::Debug => InspectionLevel::Debug,
        Inspect::Trace => InspectionLevel::Trace,
    };
    test.now = SystemClock.now();
    test.seed = RandomIds::default().seed();
    let limits = EngineLimits::default();
    let limits = if arguments.aws_limits { limits.within_aws() } else { limits };
    let tested = test_state(&program, &test, &limits).map_err(|error| refused(&error, &program))?;
    context.ui.document("everstep.tested-state/v1", &tested)?;
    Ok(Exit::Done)
}

/// The workflow and the name of the state to be tested in it.
fn program(context: &Context, arguments: &TestStateArgs) -> Result<(Program, String), Box<Fault>> {
    let definition = input::definition(&arguments.file)?;
    let options = language::Options::default();
    let (text, format) = (&definition.text, definition.format);
    let is_alone = language::is_state(text, format, &options);
    let (checked, state) = match (&arguments.state, is_alone) {
        (name, true) => {
            let name = name.clone().unwrap_or_else(|| ALONE.to_owned());
            (language::check_state(text, format, &name, &options), name)
        }
        (Some(name), false) => (language::check(text, format, &options), name.clone()),
        (None, false) => {
            let message = format!("{} has many states", arguments.file.display());
            return Err(Fault::new("STATE_NOT_NAMED", Exit::Usage, message)
                .why("one of them has to be chosen")
                .hint("--state NAME"));
        }
    };
    let workflow = validate::sound(context, &arguments.file, text, checked)?;
    Ok((Program::new(workflow), state))
}

fn object(argument: &str, option: &str) -> Result<serde_json::Map<String, Value>, Box<Fault>> {
    match input::json(argument)?.value() {
        Value::Object(fields) => Ok(fields),
        _ => {
            let message = format!("{option} is no object");
            Err(Fault::new("INPUT_NO_OBJECT", Exit::Usage, message)
                .hint(format!("{option} '{{\"name\": 1}}'")))
        }
    }
}

fn refused(error: &TestError, program: &Program) -> Box<Fault> {
    let fault = |exit| Fault::new(error.code(), exit, error.to_string());
    match error {
        TestError::UnknownState { .. } => {
            let names: Vec<&str> = program.workflow.states.keys().map(|name| &**name).collect();
            fault(Exit::NotFound).why(format!("its states: {}", names.join(", ")))
        }
        TestError::NeedsMock { .. } => {
            fault(Exit::Usage).hint("--result '{\"key\": \"value\"}', or --error NAME")
        }
        TestError::TakesNoMock { .. } => fault(Exit::Usage).hint("leave the option out"),
        TestError::MockIsNoArray => fault(Exit::Usage).hint("--result '[1, 2, 3]'"),
        TestError::NeedsItems
        | TestError::TooManyFail { .. }
        | TestError::TooLarge { .. }
        | TestError::Refused { .. } => fault(Exit::Other),
    }
}
