//! A disk with input/output errors: a shim below the C library lets calls of the real program fail.

use super::room::{fill, goes_on, place};
use super::serve_under;
use crate::crash::place::{Ended, Place, Program};
use crate::shim::{self, Shim};

/// What the system calls an input/output error.
const EIO: u32 = 5;

/// What lets calls of a kind fail, to files whose path ends so, after some that work.
fn fault(place: &Place, shim: &Shim, kind: &str, ending: &str, after: u32) -> String {
    let folder = place.path().canonicalize().unwrap().join("data");
    shim.exports(&folder, &format!("EVERSTEP_SHIM_FAULT={kind}:{ending}:{after}:{EIO}"))
}

fn serve(place: &Place) -> Program {
    serve_under(place, "true", &[])
}

/// That it ended because of the disk, and says so.
fn ended_for_the_disk(ended: &Ended) {
    assert_eq!(ended.status.code(), Some(1), "{}", ended.said);
    assert!(ended.said.contains("STORE_IO"), "{}", ended.said);
    assert!(!ended.said.contains("panicked"), "{}", ended.said);
}

/// The server ends at the first such error, and nothing that it acknowledged is lost.
fn stops_and_loses_nothing(kind: &str, ending: &str) {
    let (place, shim) = (place("data"), shim::build());
    let server = serve_under(&place, &fault(&place, &shim, kind, ending, 120), &[]);
    let acknowledged = fill(&place);
    assert!(acknowledged.len() > 3, "some were acknowledged before");
    ended_for_the_disk(&server.ended());
    goes_on(&place, serve(&place), &acknowledged);
}

#[test]
fn a_disk_that_cannot_sync_the_log_loses_nothing_that_was_acknowledged() {
    stops_and_loses_nothing("sync", "log/db");
}

#[test]
fn a_disk_that_cannot_write_the_log_loses_nothing_that_was_acknowledged() {
    stops_and_loses_nothing("write", "log/db");
}

#[test]
fn a_log_that_cannot_be_read_is_said_to_be_so_and_harmed_by_nothing() {
    let (place, shim) = (place("data"), shim::build());
    let server = serve(&place);
    for n in 0..5 {
        place.ran(&["start", "./wait.json", "--input", &n.to_string()], 0);
    }
    server.terminate();
    assert_eq!(server.ended().status.code(), Some(0));
    let mut refused = 0;
    for after in 0..100 {
        let limits = fault(&place, &shim, "read", "log/db", after);
        let ended = place.spawn_under(&limits, &["log", "verify"]).ended();
        if ended.status.success() {
            break;
        }
        ended_for_the_disk(&ended);
        refused += 1;
    }
    assert!((2..100).contains(&refused), "{refused} were refused");
    let said = place.ran(&["log", "verify"], 0).printed;
    assert!(said.contains("5 executions"), "{said}");
}
