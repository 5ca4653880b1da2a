//! The server's process, and what the system says of it.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) data: PathBuf,
}

impl Server {
    pub(crate) fn begin(program: &Path, folder: &Path) -> Self {
        let data = folder.join("data");
        fs::write(folder.join("everstep.toml"), "[retention]\ndays = 1\n").unwrap();
        let said = File::create(folder.join("server.log")).unwrap();
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
        // As docs/OPERATIONS.md says for a server that should stay small.
        command.env("MALLOC_ARENA_MAX", "2").current_dir(folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(said);
        let mut child = command.spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let address = first.trim().rsplit('/').next().and_then(|text| text.parse().ok());
        let address = address.unwrap_or_else(|| panic!("the server does not listen: {first}"));
        println!("the server is process {} at {address}, in {}", child.id(), data.display());
        Self { child, address, data }
    }

    /// Has it stop; whether it did so in order.
    pub(crate) fn end(mut self) -> bool {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap().success()
    }

    pub(crate) fn sample(&self, at: Duration, mut times: Vec<Duration>, live: u64) -> Sample {
        let of = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", self.child.id()));
        let status = of("status").expect("the server runs");
        let number = |text: &str, name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count();
        let stat = of("stat").unwrap();
        let times_of_stat: Vec<&str> = stat.rsplit(')').next().unwrap().split(' ').collect();
        let ticks = |n: usize| times_of_stat[n].parse::<f64>().unwrap();
        times.sort_unstable();
        let share = |share: f64| {
            let place = (times.len().saturating_sub(1) as f64 * share).round() as usize;
            times.get(place).copied().unwrap_or_default().as_secs_f64() * 1000.0
        };
        Sample {
            at,
            memory: number(&status, "VmRSS:") * 1024.0 / 1e6,
            descriptors: descriptors as f64,
            threads: number(&status, "Threads:"),
            disk: bytes_of(&self.data) as f64 / 1e6,
            written: number(&of("io").unwrap(), "write_bytes:") / 1e6,
            // Ticks of ten milliseconds, as the kernel gives them to programs.
            processor: (ticks(12) + ticks(13)) / 100.0,
            p50: share(0.5),
            p99: share(0.99),
            live: live as f64,
        }
    }
}

/// What the files below a folder take on the disk.
fn bytes_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().filter_map(Result::ok);
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes_of(&entry.path()),
        Ok(meta) => meta.blocks() * 512,
        // Gone since the folder was read.
        Err(_) => 0,
    });
    bytes.sum()
}

/// What was noted at one moment.
pub(crate) struct Sample {
    pub(crate) at: Duration,
    /// MB.
    pub(crate) memory: f64,
    pub(crate) descriptors: f64,
    pub(crate) threads: f64,
    /// MB that the data folder takes.
    pub(crate) disk: f64,
    /// MB that were written to the disk since the server began.
    pub(crate) written: f64,
    /// Seconds of one core that it used.
    pub(crate) processor: f64,
    /// Milliseconds until starts were acknowledged, since the sample before.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Executions that have begun and not ended.
    pub(crate) live: f64,
}

impl Sample {
    pub(crate) const HEADINGS: &str =
        "   at s    RSS MB  fds threads  disk MB  written MB   cpu s   p50 ms   p99 ms   live";
}

impl fmt::Display for Sample {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            to,
            "{:7} {:9.2} {:4} {:7} {:8.2} {:11.1} {:7.1} {:8.2} {:8.2} {:6}",
            self.at.as_secs(),
            self.memory,
            self.descriptors,
            self.threads,
            self.disk,
            self.written,
            self.processor,
            self.p50,
            self.p99,
            self.live,
        )
    }
}
