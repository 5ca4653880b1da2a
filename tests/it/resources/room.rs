//! A disk without room: the server stops acknowledging and ends, and goes on when there is room.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::{serve_under, wait};
use crate::crash::history::{History, execution};
use crate::crash::place::{Place, Program};

/// Bytes of an input: a few fill a small disk, each in a log that is not compressed.
const INPUT: usize = 100_000;
/// More starts than a small disk can take.
const MOST: usize = 1000;
/// What a disk without room is called. A file that may not grow is another error of the system.
const CODES: [&str; 2] = ["STORE_DISK_FULL", "STORE_IO"];

/// Ids of acknowledged starts, with their inputs.
pub(super) type Acknowledged = BTreeMap<String, String>;

pub(super) fn place(data: &str) -> Place {
    let place = Place::new();
    place.write("wait.json", &wait().to_string());
    place.write("everstep.toml", &format!("[engine]\ndata = {data:?}\n"));
    place
}

/// Starts executions until one is not acknowledged.
pub(super) fn fill(place: &Place) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    for n in 0..MOST {
        let input = format!("{n} ").repeat(INPUT / 3);
        let json = format!("{input:?}");
        let ended = place.spawn_as("start", &["start", "./wait.json", "--input", &json]).ended();
        if !ended.status.success() {
            return acknowledged;
        }
        acknowledged.insert(ended.printed.trim().to_owned(), input);
    }
    panic!("{MOST} inputs of {INPUT} bytes found room");
}

/// That there is an end, which says that there is no room.
fn ends_for_want_of_room(server: Program) {
    let ended = server.ended();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.said);
    assert!(CODES.iter().any(|code| ended.said.contains(code)), "{}", ended.said);
    assert!(!ended.said.contains("panicked"), "{}", ended.said);
}

/// That all that was acknowledged is there as it was said.
fn is_all_there(log: &History, acknowledged: &Acknowledged) {
    let begun: Acknowledged = log
        .named("ExecutionStarted")
        .map(|event| {
            (execution(event), event["data"]["input"].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    for (id, input) in acknowledged {
        assert_eq!(begun.get(id), Some(input), "{id} was acknowledged");
    }
}

/// Fills what room there is, sees the end, and goes on with more of it.
fn stops_and_goes_on(place: &Place, cramped: &dyn Fn() -> Program, roomy: &dyn Fn() -> Program) {
    let server = cramped();
    let acknowledged = fill(place);
    assert!(acknowledged.len() > 3, "there was room for some");
    ends_for_want_of_room(server);
    // It may find room for a start, but not for work.
    let mut again = cramped();
    match again.is_running() {
        true => assert!(again.kill()),
        false => ends_for_want_of_room(again),
    }
    goes_on(place, roomy(), &acknowledged);
}

/// That a server on a disk without faults has all that was acknowledged, and takes more.
pub(super) fn goes_on(place: &Place, server: Program, acknowledged: &Acknowledged) {
    is_all_there(&place.history(), acknowledged);
    place.ran(&["start", "./wait.json", "--input", "1"], 0);
    server.terminate();
    assert_eq!(server.ended().status.code(), Some(0));
    is_all_there(&place.history(), acknowledged);
    place.ran(&["log", "verify"], 0);
}

#[test]
fn a_log_whose_file_may_not_grow_loses_nothing_that_was_acknowledged() {
    let place = place("data");
    // Without the signal, which would kill, the write fails. Blocks are of 512 bytes.
    let cramped = || serve_under(&place, "trap '' XFSZ; ulimit -f 16000", &[]);
    let roomy = || serve_under(&place, "true", &[]);
    stops_and_goes_on(&place, &cramped, &roomy);
}

/// A small file system in memory.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    /// Nothing where we may not make one.
    fn mount(at: &'a Path, megabytes: u32) -> Option<Self> {
        let size = format!("size={megabytes}m");
        let arguments = ["-t", "tmpfs", "-o", &size, "everstep-test"];
        let mounted = Command::new("mount").args(arguments).arg(at).output().ok()?;
        mounted.status.success().then_some(Self(at))
    }

    fn grow(&self, megabytes: u32) {
        let size = format!("remount,size={megabytes}m");
        assert!(Command::new("mount").args(["-o", &size]).arg(self.0).status().unwrap().success());
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0).status());
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let place = place("small/data");
    let folder = place.path().join("small");
    std::fs::create_dir(&folder).unwrap();
    let Some(disk) = Small::mount(&folder, 12) else {
        eprintln!("SKIPPED: only root can make a small disk to fill");
        return;
    };
    let serve = || serve_under(&place, "true", &[]);
    let roomy = || {
        disk.grow(100);
        serve()
    };
    stops_and_goes_on(&place, &serve, &roomy);
}
