//! Ids in the shapes that the vendors use, all drawn from one seeded generator.

use rand::{RngExt, SeedableRng, rngs::StdRng};

const UPPER: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Event ids look like ULIDs, but use the letters up to V.
const EVENT: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
const HEX: &[u8] = b"0123456789abcdef";
const URL_SAFE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/// The generator; the same seed gives the same ids in the same order.
pub(super) struct Ids(StdRng);

impl Ids {
    pub(super) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    fn letters(&mut self, prefix: &str, count: usize, alphabet: &[u8]) -> String {
        let mut id = String::with_capacity(prefix.len() + count);
        id.push_str(prefix);
        for _ in 0..count {
            let at = self.0.random_range(0..alphabet.len());
            id.extend(alphabet.get(at).copied().map(char::from));
        }
        id
    }

    /// A version 4 UUID: everything at Genesys, and `X-Webhook-Id`.
    pub(super) fn uuid(&mut self) -> String {
        let bits: u128 = self.0.random();
        let bits = bits & !(0xf << 76) | (0x4 << 76);
        let bits = bits & !(0x3 << 62) | (0x2 << 62);
        let hex = format!("{bits:032x}");
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
        [
            part(0, 8),
            part(8, 12),
            part(12, 16),
            part(16, 20),
            part(20, 32),
        ]
        .join("-")
    }

    /// An incident or alert, like `Q2CKYRLH85UNN4`.
    pub(super) fn incident(&mut self) -> String {
        self.letters("Q", 13, UPPER)
    }

    /// What a customer on a call types in, like `482913`.
    pub(super) fn join_code(&mut self) -> String {
        self.0.random_range(100_000..1_000_000_u32).to_string()
    }

    /// A note, like `PTSAIFZ` but longer, so that thousands of them stay apart.
    pub(super) fn note(&mut self) -> String {
        self.letters("P", 13, UPPER)
    }

    /// A log entry, like `R9P6NP9XGGRS0ZGD87PFNAF038`.
    pub(super) fn log_entry(&mut self) -> String {
        self.letters("R", 25, UPPER)
    }

    /// A webhook's event, like `01FVRJDBZPAFCIQO0U5B2ZJ2GQ`.
    pub(super) fn event(&mut self) -> String {
        self.letters("01", 24, EVENT)
    }

    /// Lower-case hexadecimal, for keys and request ids.
    pub(super) fn hex(&mut self, count: usize) -> String {
        self.letters("", count, HEX)
    }

    /// An access token: opaque, long.
    pub(super) fn token(&mut self) -> String {
        self.letters("", 86, URL_SAFE)
    }

    /// True with the given probability; a number that is no probability counts as the nearest one.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.0.random::<f64>() < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_shapes_of_the_vendors_and_follow_the_seed() {
        let mut ids = Ids::new(7);
        let uuid = ids.uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.as_bytes().get(14), Some(&b'4'));
        assert!(matches!(
            uuid.as_bytes().get(19),
            Some(b'8' | b'9' | b'a' | b'b')
        ));
        let incident = ids.incident();
        assert_eq!((incident.len(), incident.starts_with('Q')), (14, true));
        assert_eq!(ids.event().len(), 26);
        let mut again = Ids::new(7);
        assert_eq!((again.uuid(), again.incident()), (uuid, incident));
    }

    #[test]
    fn chance_of_zero_never_and_of_one_always() {
        let mut ids = Ids::new(1);
        assert!((0..1000).all(|_| !ids.chance(0.0) && ids.chance(1.0)));
    }
}
