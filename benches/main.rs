//! Measures the promises that have figures, each beside the machine's own fdatasync.
//!
//! `cargo bench` prints one table a section; `cargo bench -- chain recovery` only those named.
//! Everything is durable: sled with the fdatasync after each group. Compare ratios within a run,
//! not figures of different runs: machines are noisy. `EVERSTEP_BENCH_SECONDS` sets how long each
//! row runs (default 3), `EVERSTEP_BENCH_DIR` where the data goes (default: the target folder, for
//! a temporary folder may be no disk).
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a bench reads the clock, prints, and ends when anything fails"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod chain;
mod commit;
mod control;
mod disk;
mod herd;
mod http;
mod many;
mod memory;
mod past;
mod queued;
mod reads;
mod recovery;
mod report;
mod shares;
mod start;

fn main() {
    if std::env::var_os(memory::CHILD).is_some() {
        return memory::measure();
    }
    if std::env::var_os(queued::CHILD).is_some() {
        return queued::measure();
    }
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let sections: [(&str, fn()); 12] = [
        ("commit", commit::run),
        ("chain", chain::run),
        ("http", http::run),
        ("reads", reads::run),
        ("control", control::run),
        ("shares", shares::run),
        ("recovery", recovery::run),
        ("start", start::run),
        ("past", past::run),
        ("memory", memory::run),
        ("herd", herd::run),
        ("queued", queued::run),
    ];
    report::title("machine");
    disk::print_fdatasync();
    for (name, run) in sections {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            report::title(name);
            run();
        }
    }
}
