//! The worker, and what it works by.

use std::time::Duration;

use super::reader::Reader;

/// Settings of the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// How many escalations are in hand at once, 1 to 1000.
    pub concurrency: u32,
    /// How long a claim holds without being renewed.
    pub lease: Duration,
    /// How long a request whose answer was lost may still take effect. Shorter than the lease.
    pub settle: Duration,
    /// The deadline of one call to a vendor. Shorter than the lease, by a margin.
    pub call_timeout: Duration,
    /// How long a stopping worker may finish what it has in hand.
    pub drain_timeout: Duration,
    /// How many attempts an escalation has (`escalation.max_attempts`), 1 to 100.
    pub max_attempts: u32,
}

impl Worker {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let concurrency = reader.number("worker.concurrency", 1..=1000);
        let lease = reader.duration("worker.lease");
        let settle = reader.duration("worker.settle");
        let call_timeout = reader.duration("worker.call_timeout");
        let drain_timeout = reader.duration("worker.drain_timeout");
        let max_attempts = reader.number("escalation.max_attempts", 1..=100);
        let worker = Self {
            concurrency: concurrency?,
            lease: lease?,
            settle: settle?,
            call_timeout: call_timeout?,
            drain_timeout: drain_timeout?,
            max_attempts: max_attempts?,
        };
        worker.check(reader);
        Some(worker)
    }

    /// A claim must outlive what it protects: the call, and some time to write down how it ended.
    fn check(&self, reader: &mut Reader<'_>) {
        let margin = margin(self.lease);
        if self.call_timeout + margin >= self.lease {
            let (call, lease) = (self.call_timeout, self.lease);
            let problem = format!("is {call:?}, too long for a lease of {lease:?} (worker.lease)");
            let advice = format!("make it shorter than the lease by more than {margin:?}");
            reader.fault("worker.call_timeout", problem, advice);
        }
        if self.settle >= self.lease {
            let problem = format!(
                "is {:?}, not shorter than the lease of {:?}",
                self.settle, self.lease
            );
            reader.fault(
                "worker.settle",
                problem,
                "make it shorter than worker.lease",
            );
        }
        // Half of it is for what ends by itself; a call that began just then has to fit into the other half.
        if self.drain_timeout / 2 <= self.call_timeout {
            reader.warn(
                "worker.drain_timeout",
                "is not longer than twice worker.call_timeout: stopping may cut calls off, whose effect must then be looked up",
            );
        }
    }
}

/// What has to be left of a lease after a call: a second, or a fifth of a lease so short that a second would be
/// most of it.
fn margin(lease: Duration) -> Duration {
    Duration::from_secs(1).min(lease / 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_a_second_unless_the_lease_is_short() {
        assert_eq!(margin(Duration::from_secs(30)), Duration::from_secs(1));
        assert_eq!(
            margin(Duration::from_millis(500)),
            Duration::from_millis(100)
        );
    }
}
