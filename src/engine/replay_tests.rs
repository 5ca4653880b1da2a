//! Replay believes: it never evaluates an expression, so a log means the same under any later
//! version of the expression engines.

use serde_json::json;
use uuid::Uuid;

use super::{
    Command, DecisionInput, EngineLimits, Event, Execution, ExecutionId, Failure, JobStatus,
    Program, StartExecution, Status, Timer, Timestamp, Token, decide,
};
use crate::language::expression::count::evaluations;
use crate::language::{self, Format};

const ID: ExecutionId = ExecutionId(Uuid::nil());

/// Expressions of every kind, in every place that the engine evaluates one.
fn program() -> Program {
    let definition = json!({
        "StartAt": "Shape",
        "States": {
            "Shape": {
                "Type": "Pass",
                "InputPath": "$.in",
                "Parameters": {"id.$": "States.UUID()", "n.$": "$.n", "of.$": "$$.Execution.Id"},
                "ResultPath": "$.shaped",
                "OutputPath": "$",
                "Assign": {"n.$": "$.n"},
                "Next": "Choose"
            },
            "Choose": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.shaped.n", "NumericEquals": 3, "Next": "Rest"}],
                "Default": "Stop"
            },
            "Rest": {
                "Type": "Wait", "QueryLanguage": "JSONata", "Seconds": "{% $n %}", "Next": "Each"
            },
            "Each": {
                "Type": "Map",
                "QueryLanguage": "JSONata",
                "Items": "{% [1..$n] %}",
                "ItemSelector": {"i": "{% $states.context.Map.Item.Value * $random() %}"},
                "ItemProcessor": {"StartAt": "Work", "States": {"Work": {
                    "Type": "Task",
                    "Resource": "work",
                    "TimeoutSecondsPath": "$$.Execution.Input.seconds",
                    "Parameters": {"i.$": "$.i"},
                    "ResultSelector": {"done.$": "$.done"},
                    "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Lost"}],
                    "End": true
                }, "Lost": {
                    "Type": "Pass", "QueryLanguage": "JSONata",
                    "Output": "{% $now() %}", "End": true
                }}},
                "Output": "{% $count($states.result) %}",
                "Next": "Stop"
            },
            "Stop": {"Type": "Fail", "ErrorPath": "States.Format('after {}', $)"}
        }
    });
    let options = language::Options::default();
    let workflow = language::parse(&definition.to_string(), Format::Json, &options).unwrap();
    Program::new(workflow)
}

/// The next thing that a worker or the clock would do.
fn next_command(execution: &Execution) -> Command {
    let job = execution.jobs.iter().find(|(_, job)| job.status != JobStatus::Retrying);
    if let Some((job, open)) = job {
        let token = Token([u8::try_from(job.0).unwrap(); 16]);
        let (job, attempt) = (*job, open.attempt);
        return match open.status {
            JobStatus::Pending => Command::StartJob { job, attempt, worker: "w".into(), token },
            _ if job.0 == 2 => {
                Command::FailJob { job, token, failure: Failure::new("Mine", "as told") }
            }
            _ => {
                Command::CompleteJob { job, token, output: json!({"done": true}).into(), errors: 0 }
            }
        };
    }
    let (due, timer) = execution.timers.first().copied().unwrap();
    assert!(matches!(timer, Timer::Wait(_)));
    Command::FireTimer { timer, due, last_heartbeat: None }
}

#[test]
fn replay_evaluates_no_expression() {
    let program = program();
    let limits = EngineLimits::default();
    let mint = crate::engine::Mint::new([0; 32]);
    let mut execution = Execution::new(ID);
    let mut history: Vec<(Event, Timestamp)> = Vec::new();
    let input = json!({"in": {"n": 3}, "seconds": 5}).into();
    let mut command = StartExecution::new("w", program.workflow.hash, input).into();
    let before = evaluations();
    loop {
        let now = execution.timers.first().map_or(Timestamp(1), |(due, _)| *due);
        let input =
            DecisionInput { program: &program, now, seed: 11, limits: &limits, mint: &mint };
        let events = decide(input, &mut execution, command).unwrap();
        history.extend(events.into_iter().map(|event| (event, execution.updated_at)));
        if execution.status.is_terminal() {
            break;
        }
        command = next_command(&execution);
    }
    assert_eq!(execution.status, Status::Failed);
    let failure = execution.failure.as_ref().unwrap();
    assert_eq!(&*failure.error, "after 3", "{failure:?}");
    let decided = evaluations() - before;
    assert!(decided > 15, "only {decided} evaluations: does the counter still count?");

    let before = evaluations();
    let replayed = Execution::replay(ID, history.iter().map(|(event, at)| (event, *at)));
    assert_eq!(evaluations() - before, 0, "replay evaluated expressions");
    assert_eq!(replayed, execution);
}
