//! What becomes of a definition once it is accepted: it is drawn, exported and run.

use std::time::{Duration, Instant};

use super::taken;
use crate::engine::{Program, Rejection};
use crate::language::aws::{self, Account};
use crate::language::{self, Diagnostic, Format, Severity, Workflow, graph};
use crate::testing::simulate::Simulation;

/// The most commands that one execution is given, so that an input ends soon.
const MOST_COMMANDS: u64 = 60;

/// After this no more commands are given: each evaluation of JSONata may take a second.
const LONGEST_RUN: Duration = Duration::from_secs(3);

/// What AWS has and this language has not is refused when an export is read again; so are
/// expressions that AWS cannot read, which an export leaves to people.
const LEFT_TO_PEOPLE: [&str; 3] = ["E_NOT_SUPPORTED", "E_RESOURCE", "E_AWS_JSONATA"];

/// Definitions: the first byte chooses the commands, the rest is the text. What is accepted can be
/// drawn, is exported as what AWS accepts, and keeps every rule when it is run with made-up data.
/// Text that is JSON means the same read as YAML.
///
/// # Panics
/// When that does not hold.
pub fn accepted_workflow(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let options = language::Options::default();
    let read = |format| language::parse(text, format, &options).ok();
    let (json, yaml) = (read(Format::Json), read(Format::Yaml));
    if let (Some(json), Some(yaml)) = (&json, &yaml) {
        assert_eq!(json.hash, yaml.hash, "{text} means two things");
    }
    let Some(workflow) = json.or(yaml) else { return };
    taken();
    draw(&workflow);
    export(&workflow);
    run(workflow, u64::from(*choice));
}

fn draw(workflow: &Workflow) {
    for picture in [graph::text(workflow), graph::mermaid(workflow), graph::dot(workflow)] {
        let lines = picture.lines().filter(|line| !line.trim().is_empty()).count();
        assert!(lines >= workflow.states.len(), "{lines} lines of {}", workflow.source);
    }
    let document = graph::document(workflow);
    assert!(document.nodes.len() >= workflow.states.len(), "{}", workflow.source);
}

fn export(workflow: &Workflow) {
    let exported = aws::export(workflow, &Account::default()).definition.to_string();
    let options = language::Options::default();
    let read = language::check(&exported, Format::Json, &options);
    let is_fault = |fault: &&Diagnostic| {
        fault.severity == Severity::Error && !LEFT_TO_PEOPLE.contains(&fault.code)
    };
    let fault = read.diagnostics.iter().find(is_fault);
    assert!(fault.is_none(), "{fault:?} of {exported}, exported from {}", workflow.source);
    if read.workflow.is_some() {
        let refused = aws::check(&exported, Format::Json, &options);
        let fault = refused.iter().find(is_fault);
        assert!(fault.is_none(), "{fault:?} of {exported}, exported from {}", workflow.source);
    }
}

fn run(workflow: Workflow, choice: u64) {
    let text = workflow.source.to_string();
    let mut simulation = Simulation::new(Program::new(workflow), choice);
    let start = simulation.start_command();
    match simulation.give(start) {
        Ok(Ok(())) => {}
        // The made-up input has not what its place among others hangs on.
        Ok(Err(Rejection::PlaceKeyFailed { .. })) => return,
        other => unreachable!("{other:?}\nof {text}"),
    }
    #[expect(clippy::disallowed_methods, reason = "what is slow by right is not run for long")]
    let begun = Instant::now();
    for step in (0..MOST_COMMANDS).take_while(|_| begun.elapsed() < LONGEST_RUN) {
        simulation.steer((step << 8) | choice);
        // Mostly what leads on, or few would come far.
        let command =
            if step % 4 == 3 { simulation.any_command() } else { simulation.useful_command() };
        let outcome = simulation.give(command);
        assert!(outcome.is_ok(), "{outcome:?}\nof {text}");
    }
}
