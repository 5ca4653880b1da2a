//! Histories that the engine made, held against the definition that made them and against others.

use serde_json::{Value, json};

use super::{Instead, Rehearsal, rehearse};
use crate::engine::tests::kit::{Run, given};
use crate::engine::{EngineLimits, Event, Program};
use crate::language::{self, Format, Options};
use crate::testing::generate;
use crate::testing::simulate::Simulation;

fn program(definition: &Value) -> Program {
    let text = definition.to_string();
    Program::new(language::parse(&text, Format::Json, &Options::default()).unwrap())
}

fn against(run: &Run, definition: &Value) -> Rehearsal {
    let history: Vec<_> = run.history.iter().map(|(event, at)| (event, *at)).collect();
    rehearse(run.execution.id, &program(definition), &EngineLimits::default(), &history)
}

/// The name of the event that would have come instead, and the sequence of what came.
fn parts_at(run: &Run, definition: &Value) -> (u64, String) {
    let parting = against(run, definition).parting.expect("their ways part");
    let Instead::Events(events) = parting.instead else { panic!("refused") };
    (parting.sequence, events.first().map_or("nothing", Event::name).to_owned())
}

#[test]
fn any_history_agrees_with_the_definition_that_made_it() {
    let seeds = std::env::var("EVERSTEP_SEEDS").ok().and_then(|text| text.parse().ok());
    let mut by_chance = 0;
    for seed in 0..seeds.unwrap_or(150) {
        let definition = generate::definition(seed);
        let mut simulation = Simulation::new(program(&definition), seed);
        simulation.run().unwrap();
        let history: Vec<_> = simulation.history.iter().map(|(e, at)| (e, *at)).collect();
        let id = simulation.execution.id;
        let limits = EngineLimits::default();
        let found = rehearse(id, &program(&definition), &limits, &history);
        let at = found.parting.as_ref().map(|parting| {
            let index = usize::try_from(parting.sequence).unwrap() - 1;
            history
                .get(index.saturating_sub(2)..history.len().min(index + 3))
                .map(|part| part.to_vec())
        });
        assert_eq!(found.parting, None, "seed {seed}: {at:#?}\n{definition:#}");
        assert_eq!(found.agreed, u64::try_from(history.len()).unwrap());
        by_chance += found.by_chance;
    }
    assert!(by_chance > 0, "no definition hangs on chance: is that still tried?");
}

fn two_steps() -> Value {
    json!({"StartAt": "Fetch", "States": {
        "Fetch": {"Type": "Task", "Resource": "fetch", "Next": "Which",
            "Retry": [{"ErrorEquals": ["Flaky"], "IntervalSeconds": 10}]},
        "Which": {"Type": "Choice", "Default": "Few",
            "Choices": [{"Variable": "$.n", "NumericGreaterThan": 10, "Next": "Many"}]},
        "Few": {"Type": "Wait", "Seconds": 5, "Next": "Done"},
        "Many": {"Type": "Pass", "Next": "Done"},
        "Done": {"Type": "Pass", "Result": {"ok": true}, "End": true}}})
}

/// Fetches with one retry, gets `n`, and goes to the end.
fn ran(n: u64) -> Run {
    let mut run = given(&two_steps()).started(&json!({}));
    run.fail(1, "Flaky");
    run.fire_next();
    run.complete(1, &json!({"n": n}));
    if n <= 10 {
        run.fire_next();
    }
    assert_eq!(run.status(), "completed");
    run
}

#[test]
fn what_people_see_may_change() {
    let mut other = two_steps();
    other["Title"] = json!("Another title");
    other["States"]["Fetch"]["Weight"] = json!(7);
    other["States"]["Done"]["Comment"] = json!("said otherwise");
    // A state that this execution never reaches.
    other["States"]["Many"] = json!({"Type": "Fail"});
    let run = ran(3);
    let found = against(&run, &other);
    assert_eq!((found.parting, found.agreed), (None, run.execution.sequence));
}

#[test]
fn a_choice_that_goes_another_way_parts_at_its_exit() {
    let mut other = two_steps();
    other["States"]["Which"]["Choices"][0]["NumericGreaterThan"] = json!(2);
    let run = ran(3);
    let (sequence, _) = parts_at(&run, &other);
    let parting = against(&run, &other).parting.unwrap();
    let Instead::Events(events) = parting.instead else { panic!("refused") };
    let Event::StateEntered(body) = &events[0] else { panic!("{events:?}") };
    assert_eq!(&*body.state, "Many");
    let index = usize::try_from(sequence).unwrap() - 1;
    let Event::StateEntered(recorded) = &run.history[index].0 else { panic!() };
    assert_eq!(&*recorded.state, "Few");
    assert_eq!(against(&ran(30), &other).parting, None, "many are many either way");
}

#[test]
fn other_delays_inputs_and_results_part() {
    let at = |change: &dyn Fn(&mut Value)| {
        let mut other = two_steps();
        change(&mut other["States"]);
        parts_at(&ran(3), &other).1
    };
    let retry = |s: &mut Value| s["Fetch"]["Retry"][0]["IntervalSeconds"] = json!(11);
    assert_eq!(at(&retry), "RetryScheduled");
    assert_eq!(at(&|s| s["Few"]["Seconds"] = json!(6)), "WaitStarted");
    assert_eq!(at(&|s| s["Fetch"]["Parameters"] = json!({"a": 1})), "JobScheduled");
    assert_eq!(at(&|s| s["Fetch"]["Resource"] = json!("get")), "JobScheduled");
    assert_eq!(at(&|s| s["Fetch"]["TimeoutSeconds"] = json!(9)), "JobScheduled");
    assert_eq!(at(&|s| s["Done"]["Result"]["ok"] = json!(false)), "StateExited");
}

#[test]
fn data_that_is_written_otherwise_is_the_same_data() {
    let mut other = two_steps();
    other["States"]["Few"]["InputPath"] = json!("$");
    other["States"]["Fetch"]["Parameters"] = json!({});
    let run = ran(3);
    assert_eq!(against(&run, &other).parting, None);
}

#[test]
fn chance_and_jitter_are_taken_as_they_were() {
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Parameters": {"id.$": "States.UUID()", "n": 1}, "Next": "B"},
        "B": {"Type": "Task", "Resource": "work", "End": true, "Retry": [{
            "ErrorEquals": ["States.ALL"], "IntervalSeconds": 60, "JitterStrategy": "FULL"}]}}});
    let mut run = given(&definition).seed(99).started(&json!({}));
    run.fail(1, "Mine");
    run.fire_next();
    run.complete(1, &json!("done"));
    let found = against(&run, &definition);
    assert_eq!(found.parting, None);
    assert!(found.by_chance >= 2, "{found:?}");
    let mut other = definition;
    other["States"]["A"]["Parameters"]["n"] = json!(2);
    assert_eq!(parts_at(&run, &other).1, "StateExited", "what is no chance is compared");
}

#[test]
fn an_execution_that_goes_on_agrees_up_to_where_it_is() {
    let mut run = given(&two_steps()).started(&json!({}));
    run.take(1);
    let mut other = two_steps();
    other["States"]["Done"]["Result"] = json!("other");
    let found = against(&run, &other);
    assert_eq!((found.parting, found.agreed), (None, run.execution.sequence));
}

#[test]
fn a_cancelled_execution_agrees() {
    let mut run = given(&two_steps()).started(&json!({}));
    let token = run.take(1);
    run.cancel();
    run.when(crate::engine::Command::AcknowledgeCancel { job: crate::engine::JobId(1), token });
    assert_eq!(run.status(), "cancelled");
    assert_eq!(against(&run, &two_steps()).parting, None);
}

#[test]
fn a_state_that_is_gone_parts_where_it_was_entered() {
    let mut other = two_steps();
    other["States"]["Rest"] = other["States"]["Few"].take();
    other["States"].as_object_mut().unwrap().remove("Few");
    other["States"]["Which"]["Default"] = json!("Rest");
    let run = ran(3);
    let (sequence, name) = parts_at(&run, &other);
    assert_eq!(name, "StateEntered");
    let index = usize::try_from(sequence).unwrap() - 1;
    assert_eq!(run.history[index].0.name(), "StateEntered");
}
