//! Permits, as one process has them: taken from the pool's budget in small batches, given to whoever is nearest to its end.

use async_trait::async_trait;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedMutexGuard, oneshot};

use crate::escalation::{Lane, Step};
use crate::pacing::{Exchange, GOOD_FOR, Grant, HEARD_WITHIN};

/// So much time's worth of permits is asked for beyond what is waited for.
const AHEAD: Duration = Duration::from_millis(500);
/// And at most so many.
const AHEAD_MAX: u32 = 32;
/// Nobody asks more often than this for what was not there.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// Nor less often: somebody may have given some back.
const ASK_AT_LEAST: Duration = Duration::from_secs(1);
/// One permit in so many goes to the normal lane first.
const NORMAL_EVERY: u64 = 10;

/// Where the pool's budget is kept.
#[async_trait]
pub trait PermitSource: Send + Sync + 'static {
    /// See [`Account::exchange`](crate::pacing::Account::exchange). What is said here and not answered is said again.
    ///
    /// # Errors
    /// When it cannot be reached; in words.
    async fn exchange(&self, account: &str, asked: Exchange) -> Result<Grant, String>;
}

/// Whom a permit is for: the urgent before the others, then whoever is nearest to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Priority {
    /// The lane that its message came by.
    pub lane: Lane,
    /// The step that it is at.
    pub step: Step,
}

impl Priority {
    /// For who is under way already.
    pub(super) const HIGHEST: Self = Self {
        lane: Lane::High,
        step: Step::Note,
    };
    /// For who has not said for whom it asks.
    pub(super) const LOWEST: Self = Self {
        lane: Lane::Normal,
        step: Step::Context,
    };
}

/// One request may be sent.
#[derive(Debug)]
pub(super) struct Permit {
    from: Arc<Permits>,
    good_until: Instant,
    sent: bool,
}

impl Permit {
    /// The request goes out. Once the permit is dropped, it has ended.
    pub(super) fn sends(&mut self) {
        self.sent = true;
    }

    /// Whether it can be used still.
    pub(super) fn is_good(&self) -> bool {
        Instant::now() < self.good_until
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.from.back(self.good_until, self.sent);
    }
}

/// The permits of one credential in this process.
pub(super) struct Permits {
    account: String,
    holder: String,
    limit: u32,
    call_timeout: Duration,
    source: Arc<dyn PermitSource>,
    state: Mutex<State>,
    /// One of those who wait asks for all.
    asking: Arc<tokio::sync::Mutex<Instant>>,
    /// One question after the other: each says how many permits are here, and its answer changes that.
    exchanging: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// Until when each is good.
    stock: Vec<Instant>,
    waiting: Vec<Waiting>,
    /// How many somebody has.
    handed: u32,
    ended: Vec<Instant>,
    closed_for: Option<(Instant, Duration)>,
    /// Somebody says it already.
    reporting: bool,
    served: u64,
    came: u64,
}

struct Waiting {
    priority: Priority,
    came: u64,
    /// A permit; or for how long nobody gets one, since the vendor has asked for patience.
    hands: oneshot::Sender<Result<Permit, Duration>>,
}

impl fmt::Debug for Permits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permits")
    }
}

impl Permits {
    pub(super) fn new(
        account: String,
        limit: u32,
        call_timeout: Duration,
        source: Arc<dyn PermitSource>,
    ) -> Self {
        Self {
            account,
            holder: format!("{:016x}", rand::random::<u64>()),
            limit,
            call_timeout,
            source,
            state: Mutex::default(),
            asking: Arc::new(tokio::sync::Mutex::new(Instant::now())),
            exchanging: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn account(&self) -> &str {
        &self.account
    }

    /// Waits for a permit. Cancel-safe: one that was handed to somebody who has gone goes to the next.
    ///
    /// # Errors
    /// For how long nobody is to ask this vendor: some other worker has heard so.
    pub(super) async fn take(self: &Arc<Self>, priority: Priority) -> Result<Permit, Duration> {
        let (hands, mut handed) = oneshot::channel();
        {
            let mut state = self.lock();
            state.came += 1;
            let came = state.came;
            state.waiting.push(Waiting {
                priority,
                came,
                hands,
            });
        }
        self.hand_out();
        loop {
            tokio::select! {
                biased;
                // The other half is dropped only once nobody waits here any more.
                Ok(handed) = &mut handed => return handed,
                () = self.ask() => {}
            }
        }
    }

    /// Asks the budget, as one of those who wait; not before it is time. Whoever goes away meanwhile does not take the answer
    /// along: what was granted would be nobody's.
    async fn ask(self: &Arc<Self>) {
        let not_before = self.asking.clone().lock_owned().await;
        tokio::time::sleep_until((*not_before).into()).await;
        let this = self.clone();
        let asked = tokio::spawn(async move { this.ask_now(not_before).await });
        // It ends in no other way: not even a panic keeps the others from asking.
        let _ = asked.await;
    }

    async fn ask_now(self: Arc<Self>, mut not_before: OwnedMutexGuard<Instant>) {
        let one_at_a_time = self.exchanging.lock().await;
        let asked = Instant::now();
        let exchange = self.exchange(asked);
        if exchange.wanted == 0 {
            // Everybody has been served, or has gone. What was to be said is said with the next question.
            self.unsaid(exchange, asked);
            return;
        }
        *not_before = asked + ASK_AT_LEAST;
        match self.source.exchange(&self.account, exchange.clone()).await {
            Ok(grant) if !grant.closed_for.is_zero() => {
                self.send_away(grant.closed_for);
                return;
            }
            Ok(grant) => {
                let answered = Instant::now();
                if grant.permits == 0 {
                    *not_before = asked + grant.again_in.clamp(ASK_AGAIN, ASK_AT_LEAST);
                } else if answered - asked < HEARD_WITHIN {
                    *not_before = answered;
                    let good_until = answered + GOOD_FOR;
                    let mut state = self.lock();
                    state.stock.extend((0..grant.permits).map(|_| good_until));
                }
            }
            Err(error) => {
                tracing::debug!(event = "permits.not_asked", account = self.account, error);
                self.unsaid(exchange, asked);
            }
        }
        drop((one_at_a_time, not_before));
        self.hand_out();
    }

    /// It was not asked after all; or nobody knows.
    fn unsaid(&self, exchange: Exchange, asked: Instant) {
        let mut state = self.lock();
        for (ago, count) in exchange.ended {
            let at = asked.checked_sub(ago).unwrap_or(asked);
            state.ended.extend((0..count).map(|_| at));
        }
        if let Some(span) = exchange.closed_for {
            state.keep_closed(asked, span);
        }
    }

    /// Says what there is to say, and asks for nothing: the vendor wants patience. Nobody waits for that.
    pub(super) fn report_soon(self: &Arc<Self>) {
        let said_already = std::mem::replace(&mut self.lock().reporting, true);
        if !said_already {
            let this = self.clone();
            tokio::spawn(async move { this.report_now().await });
        }
    }

    async fn report_now(&self) {
        let one_at_a_time = self.exchanging.lock().await;
        self.say(one_at_a_time).await;
    }

    async fn say(&self, _one_at_a_time: tokio::sync::MutexGuard<'_, ()>) {
        // Whatever comes after this is said by the next.
        self.lock().reporting = false;
        let now = Instant::now();
        let exchange = Exchange {
            wanted: 0,
            ..self.exchange(now)
        };
        let said = self.source.exchange(&self.account, exchange.clone()).await;
        if let Err(error) = said {
            let account = &self.account;
            tracing::debug!(event = "permits.not_reported", account, error);
            self.unsaid(exchange, now);
        }
    }

    /// The vendor has asked for patience.
    pub(super) fn close_for(&self, span: Duration) {
        self.lock().keep_closed(Instant::now(), span);
    }

    /// What is good still is given back, with everything that is to be said: this process ends. Whoever goes away meanwhile does
    /// not take along what is being said.
    pub(super) async fn give_back(self: &Arc<Self>) {
        let this = self.clone();
        // A grant that is on its way would fill the stock again.
        let saying = async move {
            let one_at_a_time = this.exchanging.lock().await;
            this.lock().stock.clear();
            this.say(one_at_a_time).await;
        };
        let _ = tokio::spawn(saying).await;
    }

    fn exchange(&self, now: Instant) -> Exchange {
        let mut state = self.lock();
        state.forget_spoilt(now);
        state.waiting.retain(|waiting| !waiting.hands.is_closed());
        let waiting = u32::try_from(state.waiting.len()).unwrap_or(u32::MAX);
        let ahead = AHEAD.as_secs_f64() * f64::from(self.limit) / 60.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number"
        )]
        let ahead = (ahead as u32).clamp(1, AHEAD_MAX);
        let closed_for = state.closed_for.take();
        Exchange {
            holder: self.holder.clone(),
            limit: self.limit,
            call_timeout: self.call_timeout,
            ended: together(std::mem::take(&mut state.ended), now),
            holding: state.holding(),
            wanted: if waiting == 0 {
                0
            } else {
                waiting.saturating_add(ahead)
            },
            closed_for: closed_for.map(|(at, span)| span.saturating_sub(now - at)),
        }
    }

    /// Gives what is there to those who wait.
    fn hand_out(self: &Arc<Self>) {
        loop {
            // Nothing is dropped under the lock: a permit's drop takes it.
            let (hands, permit) = {
                let mut state = self.lock();
                state.forget_spoilt(Instant::now());
                state.waiting.retain(|waiting| !waiting.hands.is_closed());
                if state.stock.is_empty() {
                    return;
                }
                let Some(next) = state.next() else { return };
                let Some(good_until) = state.stock.pop() else {
                    return;
                };
                let permit = Permit {
                    from: self.clone(),
                    good_until,
                    sent: false,
                };
                state.handed += 1;
                (state.waiting.swap_remove(next).hands, permit)
            };
            let _ = hands.send(Ok(permit));
        }
    }

    /// Nobody need wait here for what does not come.
    fn send_away(&self, closed_for: Duration) {
        let waiting = std::mem::take(&mut self.lock().waiting);
        for one in waiting {
            let _ = one.hands.send(Err(closed_for));
        }
    }

    fn back(self: &Arc<Self>, good_until: Instant, sent: bool) {
        let now = Instant::now();
        {
            let mut state = self.lock();
            state.handed -= 1;
            if sent {
                state.ended.push(now);
                return;
            }
            if now >= good_until {
                return;
            }
            state.stock.push(good_until);
        }
        self.hand_out();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A shorter word does not shorten a longer one.
    fn keep_closed(&mut self, at: Instant, span: Duration) {
        let known = self
            .closed_for
            .filter(|(from, known)| *from + *known > at + span);
        self.closed_for = known.or(Some((at, span)));
    }

    fn forget_spoilt(&mut self, now: Instant) {
        self.stock.retain(|good_until| now < *good_until);
    }

    /// How many are here, or with a call that has not ended.
    fn holding(&self) -> u32 {
        let stock = u32::try_from(self.stock.len()).unwrap_or(u32::MAX);
        stock.saturating_add(self.handed)
    }

    /// Who is next.
    fn next(&mut self) -> Option<usize> {
        let normal_first = self.served % NORMAL_EVERY == NORMAL_EVERY - 1;
        let rank = |waiting: &Waiting| {
            let first = (waiting.priority.lane == Lane::Normal) == normal_first;
            (
                first,
                waiting.priority.step,
                std::cmp::Reverse(waiting.came),
            )
        };
        let next = (0..self.waiting.len()).max_by_key(|at| self.waiting.get(*at).map(rank));
        self.served += u64::from(next.is_some());
        next
    }
}

/// Those that ended at about the same time, as one number; the latest counts.
fn together(mut ended: Vec<Instant>, now: Instant) -> Vec<(Duration, u32)> {
    const ABOUT: Duration = Duration::from_millis(50);
    ended.sort_unstable();
    let mut groups: Vec<(Instant, Instant, u32)> = Vec::new();
    for at in ended {
        match groups.last_mut() {
            Some((first, last, count)) if at - *first < ABOUT => {
                *last = at;
                *count += 1;
            }
            Some(_) | None => groups.push((at, at, 1)),
        }
    }
    let ago = |(_, last, count): (Instant, Instant, u32)| (now - last, count);
    groups.into_iter().map(ago).collect()
}

#[cfg(test)]
mod tests;
