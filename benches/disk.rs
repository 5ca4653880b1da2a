//! The disk's own speed, and folders to measure in.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::report::{ms, percentile, row};

/// How long each row runs.
pub fn row_time() -> Duration {
    let seconds = std::env::var("EVERSTEP_BENCH_SECONDS").ok().and_then(|s| s.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or(3.0))
}

/// A fresh folder, removed when dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let base = std::env::var_os("EVERSTEP_BENCH_DIR")
            .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).to_owned(), PathBuf::from);
        let path = base.join(format!("bench-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The time of one small append with fdatasync: median and p99 of a second's worth.
pub fn fdatasync() -> (Duration, Duration) {
    let folder = Folder::new("fdatasync");
    let mut file = File::create(folder.path().join("file")).unwrap();
    let mut times = Vec::new();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(1) {
        let each = Instant::now();
        file.write_all(&[7; 300]).unwrap();
        file.sync_data().unwrap();
        times.push(each.elapsed());
    }
    times.sort();
    (percentile(&times, 0.5), percentile(&times, 0.99))
}

pub fn print_fdatasync() {
    let (median, p99) = fdatasync();
    row("append of 300 bytes + fdatasync", &[("p50", ms(median)), ("p99", ms(p99))]);
}

/// Bytes of all files below a folder.
pub fn bytes_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => bytes_of(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Resident memory of this process in bytes, as the system counts it.
pub fn resident() -> u64 {
    resident_of(std::process::id())
}

/// Resident memory of a process in bytes.
pub fn resident_of(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes =
        line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
