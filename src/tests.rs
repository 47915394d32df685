//! What the property tests of several rooms share: cases drawn from a seed, by the hundred thousand.
//!
//! proptest is for properties of small values. The cases here are whole answers of a vendor, of which a debug build has to
//! draw and judge 100,000 in some seconds, and which are better read whole than made smaller.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm
)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Map, Value, json};

/// How many cases each property is asked of.
pub(crate) const CASES: u64 = 100_000;

/// One case's source of chance.
pub(crate) struct Dice(StdRng);

/// Asks this of every case. Of one that fails, the seed is told, by which `ESCALATOR_CASE` asks of that one alone.
pub(crate) fn for_each_case(check: impl Fn(&mut Dice)) {
    if let Ok(seed) = std::env::var("ESCALATOR_CASE") {
        return check(&mut Dice::new(seed.parse().unwrap()));
    }
    let first: u64 = rand::random();
    for seed in (0..CASES).map(|number| first.wrapping_add(number)) {
        let asked = catch_unwind(AssertUnwindSafe(|| check(&mut Dice::new(seed))));
        if let Err(panic) = asked {
            eprintln!("this was ESCALATOR_CASE={seed}");
            resume_unwind(panic);
        }
    }
}

/// How often each of these happened; a property that is never put to the test proves nothing.
#[derive(Default)]
pub(crate) struct Tally(std::cell::RefCell<std::collections::BTreeMap<&'static str, u64>>);

impl Tally {
    pub(crate) fn count(&self, what: &'static str) {
        *self.0.borrow_mut().entry(what).or_default() += 1;
    }

    /// Each of these was met by one case in a thousand at least.
    pub(crate) fn assert_met(&self, all: &[&'static str]) {
        let met = self.0.borrow();
        eprintln!("{met:?}");
        if std::env::var("ESCALATOR_CASE").is_ok() {
            return;
        }
        for what in all {
            let count = met.get(what).copied().unwrap_or_default();
            assert!(count >= CASES / 1000, "{what}: {count}");
        }
    }
}

impl Dice {
    fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// A number below this.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    /// True in so many of a hundred cases.
    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub(crate) fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all.get(self.below(all.len())).copied().unwrap()
    }

    /// Absent, null, or this: the three shapes of a field that may be missing.
    pub(crate) fn field(
        &mut self,
        map: &mut Map<String, Value>,
        name: &str,
        value: impl FnOnce(&mut Self) -> Value,
    ) {
        match self.below(20) {
            0 | 1 => {}
            2 => {
                map.insert(name.to_owned(), Value::Null);
            }
            _ => {
                let value = value(self);
                map.insert(name.to_owned(), value);
            }
        }
    }

    /// An array of up to so many; in one case of four an empty one.
    pub(crate) fn list(&mut self, most: usize, mut item: impl FnMut(&mut Self) -> Value) -> Value {
        let count = if self.percent(25) {
            0
        } else {
            1 + self.below(most)
        };
        (0..count).map(|_| item(self)).collect()
    }

    /// A time, mostly one that can be read; often the same one again.
    pub(crate) fn time(&mut self) -> Value {
        let zone = self.of(&["Z", ".250Z", "+00:00", "-07:00", "+05:30"]);
        match self.below(12) {
            0 => json!("yesterday"),
            1 => json!(""),
            _ => json!(format!(
                "2026-11-20T{:02}:{:02}:00{zone}",
                self.below(3),
                self.below(4)
            )),
        }
    }

    /// Any JSON at all.
    pub(crate) fn junk(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 9 } else { 12 }) {
            0 => Value::Null,
            1 => json!(self.percent(50)),
            2 => json!(self.below(1000)),
            3 => json!(-1.5e300),
            4 => json!(u64::MAX),
            5 => json!(""),
            6 => json!("ünïcödé 🦀 \u{0} \u{202e} \" \\"),
            7 => json!("hush ".repeat(self.below(200))),
            8 => json!("[".repeat(self.below(300))),
            9 => self.list(3, |dice| dice.junk(depth - 1)),
            _ => {
                let mut map = Map::new();
                for name in ["id", "type", "details", "a \"name\""] {
                    self.field(&mut map, name, |dice| dice.junk(depth - 1));
                }
                Value::Object(map)
            }
        }
    }

    /// Puts junk in the place of something, anywhere in the value.
    pub(crate) fn spoil(&mut self, value: &mut Value) {
        let inner = match value {
            Value::Object(map) if !map.is_empty() => {
                let at = self.below(map.len());
                map.values_mut().nth(at)
            }
            Value::Array(items) if !items.is_empty() => {
                let at = self.below(items.len());
                items.get_mut(at)
            }
            _ => None,
        };
        match inner {
            Some(inner) if !self.percent(25) => self.spoil(inner),
            Some(inner) => *inner = self.junk(2),
            None => *value = self.junk(2),
        }
    }
}
