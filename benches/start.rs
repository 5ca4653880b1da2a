//! Start-up of the program itself: `everstep serve` on an empty folder, until it says it is ready.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::disk::{Folder, resident_of};
use crate::report::{megabytes, ms, percentile, row};

/// Starts measured.
const STARTS: usize = 11;

pub fn run() {
    let mut times: Vec<Duration> = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..STARTS {
        let folder = Folder::new("start");
        let began = Instant::now();
        let mut server = serve(&folder);
        wait_until_ready(&mut server);
        times.push(began.elapsed());
        // What start-up alone used is given back or not within this time.
        std::thread::sleep(Duration::from_millis(300));
        memory.push(resident_of(server.id()));
        server.kill().unwrap();
        server.wait().unwrap();
    }
    times.sort();
    memory.sort_unstable();
    row(
        "everstep serve, empty folder",
        &[
            ("ready in p50", ms(percentile(&times, 0.5))),
            ("slowest", ms(percentile(&times, 1.0))),
            ("resident p50", megabytes(memory[STARTS / 2])),
        ],
    );
}

fn serve(folder: &Folder) -> Child {
    Command::new(env!("CARGO_BIN_EXE_everstep"))
        .arg("--data")
        .arg(folder.path().join("data"))
        .arg("serve")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The first line that a server says is that it is ready.
fn wait_until_ready(server: &mut Child) {
    let mut line = String::new();
    BufReader::new(server.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("ready"), "{line:?}");
}
