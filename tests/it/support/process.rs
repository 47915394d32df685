//! What a process uses, from /proc.

use std::fs;
use std::time::Duration;

/// The kernel counts CPU time in hundredths of a second, on every Linux there is.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// What a process has used so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Usage {
    /// User and system time.
    pub(crate) cpu: Duration,
    /// Memory now.
    pub(crate) resident_kib: u64,
    /// Memory at its most.
    pub(crate) peak_kib: u64,
    /// Open files and sockets.
    pub(crate) handles: usize,
    pub(crate) threads: u64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // The name in brackets may hold blanks; the fields are counted from behind it.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let fields: Vec<_> = fields.split(' ').collect();
        let ticks = fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let number = |name: &str| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap();
            line.split_whitespace().nth(0).unwrap().parse().unwrap()
        };
        Self {
            cpu: TICK * ticks,
            resident_kib: number("VmRSS:"),
            peak_kib: number("VmHWM:"),
            threads: number("Threads:"),
            handles: fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
        }
    }
}
