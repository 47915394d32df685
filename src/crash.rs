//! Crash points: places at which a debug build can be told to end at once, as if its power had gone.
//!
//! `CRASH_AT=n` ends the process at the n-th point that it passes, without unwinding, without a drop, without a last
//! flush; the point's name is told on stderr first. The crash suite counts n up until a run ends by itself, so that
//! there is no list of points to keep. Where two tasks pass points at the same time, the n-th is not always the same one:
//! `CRASH_AT` takes a name as well, and ends the process when it passes that point first. `CRASH_FILE` takes the name of
//! every point that is passed.
//!
//! A release build knows none of this: nothing of it is compiled in, and nobody can tell a service to crash. In a debug
//! build that was not armed, a point costs one relaxed load.

/// Reads the variables. Before this, and without it, no point does anything.
pub fn arm() {
    #[cfg(debug_assertions)]
    armed::arm();
}

/// Whether this process counts its points.
#[must_use]
pub fn is_armed() -> bool {
    #[cfg(debug_assertions)]
    return armed::is_armed();
    #[cfg(not(debug_assertions))]
    return false;
}

/// The point before something that somebody else will know of: a write, a publish, an ack, a request.
pub fn before(what: &'static str) {
    #[cfg(debug_assertions)]
    armed::pass("before", what);
    #[cfg(not(debug_assertions))]
    let _ = what;
}

/// The point after it: it has happened, and this process has not acted on it yet.
pub fn after(what: &'static str) {
    #[cfg(debug_assertions)]
    armed::pass("after", what);
    #[cfg(not(debug_assertions))]
    let _ = what;
}

/// Something, between the point before it and the point after it.
pub async fn around<T>(what: &'static str, work: impl Future<Output = T>) -> T {
    before(what);
    let result = work.await;
    after(what);
    result
}

/// The point in the middle of it: passed by nobody's code but by time, unless what is returned was dropped before.
#[must_use]
pub fn amid(what: &'static str) -> Amid {
    #[cfg(debug_assertions)]
    return Amid(armed::pass_later(what));
    #[cfg(not(debug_assertions))]
    {
        let _ = what;
        Amid
    }
}

/// See [`amid`].
#[cfg(debug_assertions)]
#[derive(Debug)]
pub struct Amid(Option<std::sync::Arc<std::sync::atomic::AtomicBool>>);

/// See [`amid`].
#[cfg(not(debug_assertions))]
#[derive(Debug)]
pub struct Amid;

#[cfg(debug_assertions)]
impl Drop for Amid {
    fn drop(&mut self) {
        if let Some(over) = &self.0 {
            over.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }
}

#[cfg(debug_assertions)]
mod armed {
    use std::fs::{File, OpenOptions};
    use std::io::Write as _;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::sync::{Arc, OnceLock};
    use std::time::Duration;

    /// How long something has to take to have a middle: longer than a request needs to its receiver on this machine,
    /// shorter than the answer of a vendor that is meant to be crashed on.
    const MIDDLE: Duration = Duration::from_millis(8);

    static ARMED: AtomicBool = AtomicBool::new(false);
    static ENDING: AtomicBool = AtomicBool::new(false);
    static PASSED: AtomicU64 = AtomicU64::new(0);
    static PLAN: OnceLock<Plan> = OnceLock::new();

    struct Plan {
        at: Option<At>,
        file: Option<File>,
    }

    enum At {
        Number(u64),
        Name(String),
    }

    pub(super) fn arm() {
        let at = std::env::var("CRASH_AT").ok();
        let at = at.map(|at| at.parse().map_or(At::Name(at), At::Number));
        let file = std::env::var_os("CRASH_FILE").and_then(|path| {
            let mut options = OpenOptions::new();
            options.create(true).append(true).open(path).ok()
        });
        if at.is_some() || file.is_some() {
            let _ = PLAN.set(Plan { at, file });
            ARMED.store(true, Ordering::SeqCst);
        }
    }

    pub(super) fn is_armed() -> bool {
        ARMED.load(Ordering::Relaxed)
    }

    pub(super) fn pass(when: &'static str, what: &'static str) {
        if !is_armed() {
            return;
        }
        let Some(plan) = PLAN.get() else { return };
        if ENDING.load(Ordering::SeqCst) {
            // Another thread is ending the process at this moment; nothing may happen after that point.
            loop {
                std::thread::park();
            }
        }
        let number = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
        let here = match &plan.at {
            Some(At::Number(at)) => number == *at,
            Some(At::Name(name)) => name.split_once(' ') == Some((when, what)),
            None => false,
        };
        if here {
            ENDING.store(true, Ordering::SeqCst);
        }
        if let Some(mut file) = plan.file.as_ref() {
            let _ = file.write_all(format!("{when} {what}\n").as_bytes());
        }
        if here {
            let line = format!("escalator: crash point {number}: {when} {what}\n");
            let _ = std::io::stderr().write_all(line.as_bytes());
            std::process::abort();
        }
    }

    pub(super) fn pass_later(what: &'static str) -> Option<Arc<AtomicBool>> {
        if !is_armed() {
            return None;
        }
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        std::thread::spawn(move || {
            std::thread::sleep(MIDDLE);
            if !seen.load(Ordering::SeqCst) {
                pass("amid", what);
            }
        });
        Some(over)
    }
}
