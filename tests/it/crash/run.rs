//! `everstep run`, killed and resumed.

use super::chain::{self, FILE, JOBS};
use super::chance::{Chance, kills};
use super::history::Witness;
use super::place::{Place, Program};
use super::until;

const N: u64 = 3;

#[test]
fn run_survives_kill_9_at_fifty_random_moments() {
    let mut chance = Chance::new();
    let reference = chain::place().ran(&["run", FILE, "--input", &chain::input(N)], 0).printed;
    let value: serde_json::Value = serde_json::from_str(&reference).unwrap();
    assert_eq!(value, chain::expected(N));
    let mut left = kills(50);
    while left > 0 {
        one_execution(&mut chance, &mut left, &reference);
    }
}

/// Kills and resumes one execution until it ends, or no kills are left and it may end.
fn one_execution(chance: &mut Chance, left: &mut u64, reference: &str) {
    let place = chain::place();
    let mut witness = Witness::default();
    let ended = loop {
        let mut program = resume(&place);
        if *left == 0 {
            break program.ended();
        }
        spare(&place, &mut program, &witness);
        // Half of the kills while it starts and takes up its work, half later.
        let longest = if chance.below(2) == 0 { 150 } else { 700 };
        std::thread::sleep(chance.within_ms(longest));
        if !program.kill() {
            break program.ended();
        }
        *left -= 1;
        let said = program.said();
        let found = witness.look(&place);
        let executions = found.executions();
        assert!(executions.len() <= 1, "resumed as another execution: {executions:?}");
        if said.contains("started chain") {
            assert_eq!(executions.len(), 1, "the start was told, and is gone");
        }
        let progress = executions.first().map_or(0, |id| found.progress(id));
        assert!(shown(&said) <= progress, "{progress}% are left of what was shown:\n{said}");
    };
    assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
    assert_eq!(ended.printed, reference);
    witness.judge(&place, JOBS);
}

pub(super) fn resume(place: &Place) -> Program {
    place.spawn(&["run", FILE, "--input", &chain::input(N), "--resume"])
}

/// Lets jobs end that have been cut off as often as the engine puts up with.
pub(super) fn spare(place: &Place, program: &mut Program, witness: &Witness) {
    let endangered = witness.last().endangered();
    if endangered.is_empty() {
        return;
    }
    // Who asks before has the folder to himself, and the program would be refused.
    program.says("goes on with");
    until("jobs end that were cut off before", || {
        if !program.is_running() {
            return Some(());
        }
        let done = place.live_history()?.jobs("JobSucceeded");
        endangered.iter().all(|job| done.contains_key(job)).then_some(())
    });
}

/// The highest progress that was shown, as in `12:00:00   35%  step 2/7 Two`.
fn shown(said: &str) -> u64 {
    let words = said.lines().filter_map(|line| line.split_whitespace().nth(1));
    let percents = words.filter_map(|word| word.strip_suffix('%')?.parse().ok());
    percents.max().unwrap_or(0)
}

#[test]
fn commands_of_a_killed_run_are_stopped_before_their_jobs_run_again() {
    let place = Place::new();
    place.write("long.yaml", "StartAt: A\nStates:\n  A: {Type: Task, Resource: long, End: true}\n");
    let notes = place.notes_file();
    let config = format!(
        "[jobs.long]\ncommand = [\"/bin/sh\", \"long.sh\"]\nset = {{ NOTES = {notes:?} }}\n"
    );
    place.write("everstep.toml", &config);
    // The second attempt sees whether the first still runs, whose `sleep` is named in the notes. A
    // process that has ended but that nobody has asked about has no command line any more.
    place.write(
        "long.sh",
        "if [ \"$EVERSTEP_ATTEMPT\" = 1 ]; then\n\
         sleep 120 & echo $! >>\"$NOTES\"; wait; exit 1\nfi\n\
         if grep -q sleep /proc/\"$(cat \"$NOTES\")\"/cmdline; then echo true; else echo false; fi\n",
    );
    let mut program = place.spawn(&["run", "long.yaml"]);
    until("the first attempt runs", || (!place.notes().is_empty()).then_some(()));
    assert!(program.kill());
    assert!(!place.processes().is_empty(), "a command outlives a kill of its parent");
    let ended = place.ran(&["run", "long.yaml", "--resume"], 0);
    assert_eq!(ended.printed, "false\n", "the first attempt ran on beside the second");
    assert!(ended.said.contains("stopped a program that was left running"), "{}", ended.said);
    assert_eq!(place.processes(), [0; 0]);
}
