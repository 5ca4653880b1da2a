//! SIGTERM: stopping in order.

use super::place::{Place, Program};
use super::until;

const DEFINITION: &str = "\
StartAt: A
States:
  A: {Type: Task, Resource: work, End: true}
";

/// A folder with a job that runs `script` and has `grace` seconds when the program stops.
fn place(script: &str, grace: u64) -> Place {
    let place = Place::new();
    place.write("work.yaml", DEFINITION);
    place.write("work.sh", script);
    let notes = place.notes_file();
    place.write(
        "everstep.toml",
        &format!(
            "[engine]\ngrace_seconds = {grace}\n\
             [jobs.work]\ncommand = [\"/bin/sh\", \"work.sh\"]\nset = {{ NOTES = {notes:?} }}\n"
        ),
    );
    place
}

/// Starts `run --resume` or `serve`, and waits until the job runs for the `count`th time.
fn at_work(place: &Place, count: usize, served: bool) -> Program {
    let resume = ["run", "work.yaml", "--resume"];
    let program = place.spawn(if served { &["serve"] } else { &resume });
    until("the job runs", || (place.notes().len() == count).then_some(()));
    program
}

/// Nothing that the program's stopping could have made of an execution.
fn nothing_is_cancelled(place: &Place) {
    let log = place.history();
    for name in ["CancelRequested", "JobCancelled", "ExecutionCancelled", "JobFailed"] {
        assert_eq!(log.named(name).next(), None);
    }
}

#[test]
fn a_short_job_may_end_when_the_program_stops() {
    let script = "echo start x >>\"$NOTES\"; sleep 0.6; echo '\"done\"'\n";
    let place = place(script, 30);
    let program = at_work(&place, 1, false);
    program.terminate();
    let ended = program.ended();
    assert_eq!(ended.status.code(), Some(130), "{}", ended.said);
    nothing_is_cancelled(&place);
    let log = place.history();
    assert_eq!(log.named("JobSucceeded").count(), 1);
    assert_eq!(log.named("AttemptLost").next(), None);
    let ended = place.ran(&["run", "work.yaml", "--resume"], 0);
    assert_eq!(ended.printed, "\"done\"\n");
    assert_eq!(place.notes().len(), 1, "it does not run again");
}

#[test]
fn a_long_job_is_cut_off_and_that_never_counts_against_it() {
    // More often than crashes may cut a job off.
    const STOPS: usize = 5;
    let script = "echo start x >>\"$NOTES\"\n\
                  [ -e go ] || sleep 120\n\
                  echo '\"done\"'\n";
    let place = place(script, 1);
    for stop in 1..=STOPS {
        let served = stop % 2 == 0;
        let program = at_work(&place, stop, served);
        program.terminate();
        let ended = program.ended();
        assert_eq!(ended.status.code(), Some(if served { 0 } else { 130 }), "{}", ended.said);
        let log = place.history();
        assert_eq!(log.named("AttemptLost").count(), stop);
        assert!(log.named("AttemptLost").all(|event| event["data"]["stopped"] == true));
        assert_eq!(log.running().len(), 0, "it is known to have been cut off");
        assert_eq!(place.processes(), [0; 0]);
        nothing_is_cancelled(&place);
    }
    place.write("go", "");
    let ended = place.ran(&["run", "work.yaml", "--resume"], 0);
    assert_eq!(ended.printed, "\"done\"\n");
    let log = place.history();
    let last = log.named("JobSucceeded").next().unwrap();
    assert_eq!(last["data"]["attempt"], STOPS + 1);
    place.ran(&["log", "verify"], 0);
}
