//! Runs the real server under a steady, modest load for a long time, and says whether anything grows.
//!
//! ```sh
//! cargo build --release --all-features --bins --examples
//! target/release/examples/soak --minutes 60
//! ```
//!
//! Every ten seconds it notes the server's memory, file descriptors, threads and disk, and how long
//! starts took to be acknowledged. At the end a line is laid through each, the warm-up left out, and
//! its slope is told for a day, with twice its standard error. What has ended is deleted after two
//! minutes, so nothing has a reason to grow. `--rate` says how many executions begin in a second,
//! `--program` where the `everstep` program is, `--folder` where the data go.
//!
//! The exit code is 0 when all is flat, nothing was refused, and the log is sound.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "it measures in real time, prints, and ends when anything fails"
)]

mod client;
mod load;
mod process;
mod slope;
#[path = "../lib/words.rs"]
mod words;
mod workers;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use load::Load;
use process::{Sample, Server};
use words::Words;

/// How often things are noted.
const EVERY: Duration = Duration::from_secs(10);
/// How often the log is compacted by hand, which also takes the tombstones.
const COMPACT_EVERY: u64 = 6;
/// How long tombstones are kept.
const TOMBSTONES: &str = "2m";

/// What to do.
struct Wish {
    minutes: u64,
    /// Minutes that count for nothing: caches fill, and the first executions are not deleted yet.
    warm_up: u64,
    rate: u64,
    program: PathBuf,
    folder: Option<PathBuf>,
}

fn wish() -> Result<Wish, String> {
    // Examples are built into a folder beside the programs.
    let program = std::env::current_exe().unwrap().with_file_name("../everstep");
    let mut wish = Wish { minutes: 60, warm_up: 0, rate: 5, program, folder: None };
    let mut words = Words::of_this_program();
    while let Some(word) = words.next_word() {
        match word.as_str() {
            "--minutes" => wish.minutes = words.number()?,
            "--warm-up" => wish.warm_up = words.number()?,
            "--rate" => wish.rate = words.number()?,
            "--program" => wish.program = words.text()?.into(),
            "--folder" => wish.folder = Some(words.text()?.into()),
            _ => return Err(words.unknown()),
        }
    }
    if wish.warm_up == 0 {
        wish.warm_up = (wish.minutes / 4).clamp(1, 15);
    }
    Ok(wish)
}

fn main() -> ExitCode {
    let wish = wish().unwrap_or_else(|wrong| panic!("{wrong}"));
    let beside = wish.program.parent().unwrap().join(format!("soak-{}", std::process::id()));
    let folder = wish.folder.clone().unwrap_or(beside);
    std::fs::create_dir_all(&folder).unwrap();
    let server = Server::begin(&wish.program, &folder);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let load = Load::new(server.address);
    let (samples, faults) = runtime.block_on(soak(&wish, &server, &load));
    runtime.shutdown_timeout(Duration::from_secs(5));
    let ended_well = server.end();
    let data = folder.join("data");
    let verify = Command::new(&wish.program).args(["log", "verify", "--data"]).arg(&data).status();
    let is_sound = verify.unwrap().success();
    println!();
    load.counts.print();
    let is_flat = slope::judge(&samples, wish.warm_up * 60, load.counts.starts());
    println!("the server ended well: {ended_well}; the log is sound: {is_sound}; faults: {faults}");
    let is_well = is_flat && is_sound && ended_well && faults == 0;
    println!("{}", if is_well { "PASSED" } else { "FAILED" });
    if wish.folder.is_none() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    ExitCode::from(u8::from(!is_well))
}

/// Lets the load go on for as long as is wished; what was noted, and how much went wrong.
async fn soak(wish: &Wish, server: &Server, load: &Arc<Load>) -> (Vec<Sample>, u64) {
    load::deploy(load).await;
    let over = Arc::new(AtomicBool::new(false));
    let working = workers::spawn(server.address, &over);
    load::spawn(load, wish.rate);
    let began = Instant::now();
    let mut samples = Vec::new();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.tick().await;
    println!("{}", Sample::HEADINGS);
    for tick in 1..=wish.minutes * 60 / EVERY.as_secs() {
        ticks.tick().await;
        let sample = server.sample(began.elapsed(), load.take_times(), load.counts.live());
        println!("{sample}");
        samples.push(sample);
        if tick % COMPACT_EVERY == 0 {
            compact(wish, server).await;
        }
    }
    load.stop();
    over.store(true, Ordering::SeqCst);
    for worker in working {
        worker.await.unwrap();
    }
    (samples, load.counts.faults())
}

/// As a crontab would.
async fn compact(wish: &Wish, server: &Server) {
    let mut command = tokio::process::Command::new(&wish.program);
    command.args(["log", "compact", "--forget", TOMBSTONES, "--data"]).arg(&server.data);
    let done = command.output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
