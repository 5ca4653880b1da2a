//! `kill -9` while something is paused: it stays so, nothing begins, and the end is as without.

use super::chain::{self, FILE, JOBS};
use super::chance::{Chance, kills};
use super::history::Witness;
use super::place::{Place, Program};
use super::until;

const N: u64 = 5;

#[test]
fn an_execution_stays_paused_over_kill_9_and_ends_as_without() {
    held_and_killed(&["@"]);
}

#[test]
fn a_workflow_stays_paused_over_kill_9_and_ends_as_without() {
    held_and_killed(&["--workflow", "chain"]);
}

#[test]
fn a_job_type_stays_paused_over_kill_9_and_ends_as_without() {
    held_and_killed(&["--job-type", "step"]);
}

/// Pauses at a random moment, kills and starts again some times, and resumes.
fn held_and_killed(target: &[&str]) {
    let mut chance = Chance::new();
    let (place, mut witness) = (chain::place(), Witness::default());
    let mut server = serve(&place);
    let definition = format!("./{FILE}");
    let id = place.ran(&["start", &definition, "--input", &chain::input(N)], 0).printed;
    let id = id.trim();
    // All of it takes over a second.
    std::thread::sleep(chance.within_ms(600));
    place.ran(&[&["pause"], target].concat(), 0);
    let begun = place.history().named("JobStarted").count();
    for _ in 0..kills(5) {
        std::thread::sleep(chance.within_ms(300));
        assert!(server.kill(), "{}", server.said());
        let found = witness.look(&place);
        assert_eq!(found.named("JobStarted").count(), begun, "a job began while it was paused");
        let paused = place.ran(&["pause", "--list", "--json"], 0).json();
        assert_eq!(paused["items"].as_array().unwrap().len(), 1);
        server = serve(&place);
    }
    place.ran(&[&["resume"], target].concat(), 0);
    until("it ends", || {
        let list = place.list();
        list.iter().all(|row| row["ended_at"].is_string()).then_some(())
    });
    server.terminate();
    let ended = server.ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
    let result = place.ran(&["show", id, "--result"], 0).json();
    assert_eq!((&result["status"], &result["output"]), (&"completed".into(), &chain::expected(N)));
    witness.judge(&place, JOBS);
}

fn serve(place: &Place) -> Program {
    let mut server = place.spawn(&["serve"]);
    server.says("is ready");
    assert!(server.is_running(), "{}", server.said());
    server
}
