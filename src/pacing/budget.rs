//! What one credential may ask of its vendor: so many requests in any 60 s, for a whole pool.
//!
//! A request needs a permit. A permit comes back a window after its *answer* (not after its sending: when the vendor saw the
//! request, only it knows, and that was between the two). So however the vendor lays its windows, no permit is in one of them
//! twice, and there are no more of them than the limit.
//!
//! Workers take permits in small batches and say afterwards what became of them. Those of a worker that never says count as used
//! until they certainly come back. Within the limit, permits are given out at the limit's own pace, but for a small burst: a
//! backlog flows instead of coming in one push a minute.
//!
//! Values in, values out: the ledger locks and keeps an [`Account`], and brings its clock.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The span that vendors count requests in, and a little more.
pub const WINDOW: Duration = Duration::from_millis(60_250);
/// So much time's worth of permits may be taken at once.
const BURST: Duration = Duration::from_secs(5);
/// A permit that was not used for so long goes back: somebody else may need it more.
pub const GOOD_FOR: Duration = Duration::from_secs(2);
/// An answer that takes longer is not heeded: what it gives may not be used.
pub const HEARD_WITHIN: Duration = Duration::from_secs(10);
/// Permits that come back within so short a span are kept as one number.
const SLOT_MS: i64 = 100;
/// Who has not been heard of for so long shares in nothing.
const ABSENT_MS: i64 = 3_000;
/// What a limit is said of.
const MINUTE_MS: i64 = 60_000;

/// A credential's permits: which are out, and when they come back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Used permits: in milliseconds of the ledger's clock when they come back, and how many.
    #[serde(default)]
    used: Vec<(i64, u32)>,
    /// Permits that workers have, and have not said anything of.
    #[serde(default)]
    out: Vec<Out>,
    /// Up to when permits have been given out, at the limit's own pace. In microseconds: a fast one has less than a
    /// millisecond between two.
    #[serde(default)]
    paced_us: i64,
    /// The vendor has asked for patience until then.
    #[serde(default)]
    closed_until: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Out {
    holder: String,
    permits: u32,
    /// When the last of them certainly comes back, should nobody hear of this worker again.
    back_at: i64,
    seen_at: i64,
}

/// A worker says what became of its permits, and asks for more. It asks one thing after the other: what it says of itself is what
/// counts. Who was not answered says again what had ended; should it be heard twice, there is less for a minute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchange {
    /// Who asks; unique among all that have ever asked.
    pub holder: String,
    /// How many requests a minute may be made.
    pub limit: u32,
    /// How long a call may take.
    pub call_timeout: Duration,
    /// Permits whose call has ended, and how long ago.
    pub ended: Vec<(Duration, u32)>,
    /// Permits that it has still: in stock, or with a call that has not ended. Whatever else was given to it, it never got, or
    /// does not need.
    pub holding: u32,
    /// How many more are needed.
    pub wanted: u32,
    /// The vendor has asked for patience, for so long from now on.
    pub closed_for: Option<Duration>,
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// So many requests may be sent within [`GOOD_FOR`] of this answer, should it come within [`HEARD_WITHIN`].
    pub permits: u32,
    /// When it is worth asking for more, should some be wanted still.
    pub again_in: Duration,
    /// Nobody asks this vendor for so long.
    pub closed_for: Duration,
}

impl Account {
    /// Takes what a worker says, and gives it what there is.
    pub fn exchange(&mut self, now: i64, asked: &Exchange) -> Grant {
        self.settle(now, asked);
        if let Some(closed_for) = asked.closed_for {
            self.closed_until = self.closed_until.max(now + millis(closed_for));
        }
        let closed_for = span(self.closed_until - now);
        let permits = if closed_for.is_zero() {
            self.give(now, asked)
        } else {
            0
        };
        Grant {
            permits,
            again_in: self.again_in(now, asked.limit).max(closed_for),
            closed_for,
        }
    }

    /// How many permits are used or out at this time.
    #[must_use]
    pub fn in_use(&self, now: i64) -> u32 {
        let used = self.used.iter().filter(|(back_at, _)| *back_at > now);
        let out = self.out.iter().filter(|out| out.back_at > now);
        let used: u32 = used.map(|(_, count)| count).sum();
        used.saturating_add(out.map(|out| out.permits).sum())
    }

    /// How many permits are neither used nor out.
    fn free(&self, limit: u32) -> u32 {
        let used: u32 = self.used.iter().map(|(_, count)| count).sum();
        let out: u32 = self.out.iter().map(|out| out.permits).sum();
        limit.saturating_sub(used.saturating_add(out))
    }

    /// What has come back is free; what a worker has said of its permits is written down.
    fn settle(&mut self, now: i64, asked: &Exchange) {
        self.used.retain(|(back_at, _)| *back_at > now);
        for (ago, count) in &asked.ended {
            // Rounded up: nothing comes back too early.
            let back_at = now - millis(*ago) + millis(WINDOW);
            let back_at = back_at.div_euclid(SLOT_MS) * SLOT_MS + SLOT_MS;
            if back_at > now {
                self.use_until(back_at, *count);
            }
        }
        let here = Out {
            holder: asked.holder.clone(),
            permits: asked.holding,
            back_at: now + millis(HEARD_WITHIN + GOOD_FOR + asked.call_timeout + WINDOW),
            seen_at: now,
        };
        match self.out.iter_mut().find(|out| out.holder == asked.holder) {
            Some(out) => *out = here,
            None => self.out.push(here),
        }
        self.out
            .retain(|out| (out.permits > 0 || now - out.seen_at < ABSENT_MS) && out.back_at > now);
    }

    fn use_until(&mut self, back_at: i64, count: u32) {
        match self.used.binary_search_by_key(&back_at, |(at, _)| *at) {
            Ok(at) => {
                if let Some((_, known)) = self.used.get_mut(at) {
                    *known = known.saturating_add(count);
                }
            }
            Err(at) => self.used.insert(at, (back_at, count)),
        }
    }

    fn give(&mut self, now: i64, asked: &Exchange) -> u32 {
        let limit = asked.limit.max(1);
        let paced = self.paced(now, limit);
        let there = self.free(limit).min(paced);
        if asked.wanted == 0 || there == 0 {
            return 0;
        }
        // Nobody takes what others, who were here a moment ago, would have to wait for.
        let others = self.out.iter().filter(|out| out.holder != asked.holder);
        let present = others.filter(|out| now - out.seen_at < ABSENT_MS).count();
        let share = there.div_ceil(u32::try_from(present).unwrap_or(u32::MAX).saturating_add(1));
        let permits = asked.wanted.min(share);
        self.paced_us = self.paced_us.max(now * 1000) + i64::from(permits) * step_us(limit);
        if let Some(out) = self.out.iter_mut().find(|out| out.holder == asked.holder) {
            out.permits += permits;
        }
        permits
    }

    /// How many the pace allows now.
    fn paced(&self, now: i64, limit: u32) -> u32 {
        let ahead = self.paced_us.max(now * 1000) - now * 1000;
        let room = (millis(BURST) * 1000 - ahead).max(0);
        let allowed = room / step_us(limit);
        // A limit so low that a burst holds none allows one when nothing is owed.
        let allowed = if allowed == 0 && ahead <= 0 {
            1
        } else {
            allowed
        };
        u32::try_from(allowed).unwrap_or(u32::MAX)
    }

    /// When there will be a permit again.
    fn again_in(&self, now: i64, limit: u32) -> Duration {
        let limit = limit.max(1);
        let by_count = if self.free(limit) > 0 {
            0
        } else {
            let used = self.used.iter().map(|(back_at, _)| *back_at);
            let out = self.out.iter().map(|out| out.back_at);
            let next = used.chain(out).min().unwrap_or(now);
            next - now
        };
        let by_pace = if self.paced(now, limit) > 0 {
            0
        } else {
            let owed = self.paced_us - now * 1000 + step_us(limit) - millis(BURST) * 1000;
            (owed.max(0) + 999) / 1000
        };
        span(by_count.max(by_pace))
    }
}

/// Between two permits at the limit's own pace.
fn step_us(limit: u32) -> i64 {
    (MINUTE_MS * 1000 / i64::from(limit.max(1))).max(1)
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 1_000_000)
}

fn span(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or_default())
}

#[cfg(test)]
mod tests;
