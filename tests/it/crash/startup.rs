//! Kills while the program starts: it is making the folder, or recovering from the last kill.

use super::chain::{self, FILE, JOBS};
use super::chance::{Chance, kills};
use super::history::Witness;
use super::run::{resume, spare};
use super::until;

#[test]
fn kills_during_recovery_harm_nothing() {
    let mut chance = Chance::new();
    let place = chain::place();
    let mut witness = Witness::default();
    let mut program = resume(&place);
    until("the map is under way", || (place.notes().len() > 10).then_some(()));
    assert!(program.kill());
    witness.look(&place);
    for kill in 0..kills(15) {
        if !witness.last().endangered().is_empty() {
            let mut program = resume(&place);
            spare(&place, &mut program, &witness);
            program.kill();
            witness.look(&place);
        }
        let mut program = if kill % 2 == 0 { resume(&place) } else { place.spawn(&["serve"]) };
        std::thread::sleep(chance.within_ms(30));
        program.kill();
        // Every other time the next start meets what this one left, as it left it.
        if kill % 2 == 1 {
            witness.look(&place);
        }
    }
    witness.look(&place);
    let ended = resume(&place).ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
    assert_eq!(ended.json(), chain::expected(3));
    assert_eq!(place.history().executions().len(), 1);
    witness.judge(&place, JOBS);
}

#[test]
fn kills_while_the_folder_is_made_harm_nothing() {
    let mut chance = Chance::new();
    for _ in 0..kills(15) {
        let place = chain::place();
        for _ in 0..2 {
            let mut program = resume(&place);
            std::thread::sleep(chance.within_ms(40));
            program.kill();
        }
        // Whoever only looks finds a log, or none, but no damage.
        place.list();
        let mut server = place.spawn(&["serve"]);
        server.says("is ready");
        place.ran(&["start", &format!("./{FILE}"), "--input", &chain::input(1)], 0);
        server.terminate();
        let ended = server.ended();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
        place.ran(&["log", "verify"], 0);
    }
}
