//! Processes and process groups: who is alive, and how to end them.
//!
//! A command leads a process group of its own, so that one signal reaches the command and all it
//! started. A process that leaves the group (`setsid`) leaves our reach.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// How often a group that was asked to end is looked at.
pub(super) const POLL: Duration = Duration::from_millis(20);

/// The process group of a running command. Dropping it kills the group, so that an attempt whose
/// future is dropped leaves nothing running.
pub(super) struct Group {
    leader: Pid,
    ended: bool,
}

impl Group {
    /// The group led by process `id`; `None` for numbers that mean something else to `kill` (1
    /// stands for every process there is) and for our own group.
    pub(super) fn led_by(id: u32) -> Option<Self> {
        let leader = Pid::from_raw(i32::try_from(id).ok()?)?;
        // Return before a value exists: dropping one kills what it names.
        if !may_be_signalled(leader) {
            return None;
        }
        Some(Self { leader, ended: false })
    }

    /// Asks every process of the group to end. A stopped process is woken, or it could not.
    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
        self.signal(Signal::CONT);
    }

    /// Ends whatever is left of the group, for good.
    pub(super) fn kill(&mut self) {
        if !self.ended {
            self.signal(Signal::KILL);
            self.ended = true;
        }
    }

    /// Whether a process of the group still runs. Once none does, the group is not signalled any
    /// more: its number may come to mean another.
    pub(super) fn is_alive(&mut self) -> bool {
        let alive = test_kill_process_group(self.leader).is_ok() && self.has_running_member();
        self.ended |= !alive;
        alive
    }

    /// Waits until no process of the group runs, but not longer than `limit`.
    #[expect(clippy::disallowed_methods, reason = "how long processes take is no engine's time")]
    pub(super) async fn gone_within(&mut self, limit: Duration) {
        let asked = Instant::now();
        while self.is_alive() && asked.elapsed() < limit {
            tokio::time::sleep(POLL).await;
        }
    }

    fn signal(&self, signal: Signal) {
        // Asked again here, where a mistake elsewhere would end everything that runs.
        if !may_be_signalled(self.leader) {
            return;
        }
        // The only fault that matters here is that the group is gone, which is what we want.
        if let Err(error) = kill_process_group(self.leader, signal)
            && error != rustix::io::Errno::SRCH
        {
            tracing::warn!(group = self.leader.as_raw_pid(), %error, "signalling a command failed");
        }
    }

    /// A process that ended but was not yet waited for is still in its group; only `/proc` tells
    /// it from one that runs. Without `/proc` every member counts as running.
    fn has_running_member(&self) -> bool {
        let Some(mut members) = members(self.leader) else { return true };
        members.any(|(_, stat)| stat.is_running())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a signal to the group of `leader` reaches only that group, and not ourselves. Our own
/// group is asked of `/proc`: where it lies outside our PID namespace it has the number 0, which
/// `getpgrp` of rustix must not see.
fn may_be_signalled(leader: Pid) -> bool {
    let own = Stat::of(std::process::id()).map(|stat| stat.group);
    leader.as_raw_pid() > 1 && own != Some(leader.as_raw_pid())
}

/// What `/proc/PID/stat` says about a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    state: char,
    group: i32,
    /// When it started, in clock ticks since the system's start: with the pid, names it for ever
    /// within one run of the system.
    pub(super) start: u64,
}

impl Stat {
    /// Of the process `id`, if there is one and the system has `/proc`.
    pub(super) fn of(id: u32) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
    }

    /// The second field is the program's name in parentheses, which may contain anything.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let group = fields.nth(1)?.parse().ok()?;
        let start = fields.nth(16)?.parse().ok()?;
        Some(Self { state, group, start })
    }

    pub(super) fn is_running(self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x')
    }
}

/// The processes of a group; `None` where there is no `/proc`.
pub(super) fn members(leader: Pid) -> Option<impl Iterator<Item = (u32, Stat)>> {
    let group = leader.as_raw_pid();
    let entries = std::fs::read_dir("/proc").ok()?;
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let mut ids = ids.peekable();
    ids.peek()?;
    Some(
        ids.filter_map(|id| Some((id, Stat::of(id)?))).filter(move |(_, stat)| stat.group == group),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_any_name() {
        let tail = "S 1 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 2";
        let stat = Stat::parse(&format!("42 (a) Z (b) {tail}")).unwrap();
        assert_eq!(stat, Stat { state: 'S', group: 42, start: 98765 });
        assert_eq!(Stat::parse("42 (a"), None);
        assert_eq!(Stat::parse("42 (a) S 1"), None);
    }

    #[test]
    fn groups_that_would_hit_others_are_refused() {
        assert!(Group::led_by(0).is_none());
        assert!(Group::led_by(1).is_none());
        assert!(Group::led_by(u32::MAX).is_none());
        let own = Stat::of(std::process::id()).unwrap().group;
        assert!(Group::led_by(u32::try_from(own).unwrap()).is_none());
        // What is refused is not built either: dropping it would kill this test, or everything.
    }
}
