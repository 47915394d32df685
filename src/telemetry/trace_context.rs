//! The trace that something belongs to, as the W3C's `traceparent` names it (Trace Context, level 1).
//!
//! What is received is parsed, and what is sent on is written anew: not one foreign byte travels. `tracestate` is left behind.

use std::fmt;

/// The version that is written.
const VERSION: u8 = 0;
/// No version has this number.
const NO_VERSION: u8 = 0xff;
/// The one flag that is understood: somebody has recorded what led here.
const SAMPLED: u8 = 1;

/// The name of a trace: 16 bytes, 32 digits in a log, never all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// The name of a span within its trace; never all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SpanId([u8; 8]);

/// A place in a trace: whatever happens because of it names it as its parent. Its text is a `traceparent`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: TraceId,
    span: SpanId,
    sampled: bool,
}

impl TraceContext {
    /// Reads a `traceparent`. Of a later version as much as this one has, as the W3C wants it; `None` for whatever is none.
    #[must_use]
    pub fn parse(header: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(header).ok()?;
        let mut parts = text.splitn(5, '-');
        let [version] = bytes(parts.next()?)?;
        let trace = TraceId(bytes(parts.next()?)?);
        let span = SpanId(bytes(parts.next()?)?);
        let [flags] = bytes(parts.next()?)?;
        let more = parts.next().is_some();
        let known = version != NO_VERSION && !(version == VERSION && more);
        let named = trace.0 != [0; 16] && span.0 != [0; 8];
        (known && named).then_some(Self {
            trace,
            span,
            sampled: flags & SAMPLED != 0,
        })
    }

    /// The first place of a new trace.
    pub(super) fn begin(sampled: impl FnOnce(TraceId) -> bool) -> Self {
        let trace = TraceId::new();
        Self {
            trace,
            span: SpanId::new(),
            sampled: sampled(trace),
        }
    }

    /// Another place in the same trace.
    pub(super) fn next(self) -> Self {
        Self {
            span: SpanId::new(),
            ..self
        }
    }

    /// The trace, by which log lines of all processes are joined.
    #[must_use]
    pub fn trace_id(self) -> TraceId {
        self.trace
    }

    /// Whether what led here was recorded, and what follows should be.
    #[must_use]
    pub fn is_sampled(self) -> bool {
        self.sampled
    }

    pub(super) fn span_id(self) -> SpanId {
        self.span
    }
}

impl TraceId {
    fn new() -> Self {
        Self(rand::random::<u128>().max(1).to_be_bytes())
    }

    pub(super) fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// The half that is random in every trace, whoever began it.
    pub(super) fn chance(self) -> u64 {
        let [.., a, b, c, d, e, f, g, h] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

impl SpanId {
    fn new() -> Self {
        Self(rand::random::<u64>().max(1).to_be_bytes())
    }

    pub(super) fn bytes(self) -> [u8; 8] {
        self.0
    }
}

/// Exactly `N` bytes in lower-case hexadecimal digits, as the W3C wants them.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    (lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

/// At once, and not byte by byte: each request to a vendor has them.
fn digits(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut digits = [0; 32];
    let digits = digits.get_mut(..2 * bytes.len()).ok_or(fmt::Error)?;
    hex::encode_to_slice(bytes, digits).map_err(|_| fmt::Error)?;
    f.write_str(std::str::from_utf8(digits).map_err(|_| fmt::Error)?)
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        digits(&self.0, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        digits(&self.0, f)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.sampled);
        write!(f, "{VERSION:02x}-{}-{}-{flags:02x}", self.trace, self.span)
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn parsed(text: &str) -> Option<String> {
        TraceContext::parse(text.as_bytes()).map(|context| context.to_string())
    }

    #[test]
    fn a_traceparent_is_read_and_written_as_it_was() {
        let context = TraceContext::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(context.to_string(), GOOD);
        assert!(context.is_sampled());
        let trace = context.trace_id();
        assert_eq!(trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(trace.chance(), 0xa3ce_929d_0e0e_4736);
        let unsampled = GOOD.replace("-01", "-00");
        assert_eq!(parsed(&unsampled), Some(unsampled));
    }

    #[test]
    fn of_the_flags_only_the_one_that_is_understood_goes_on() {
        for (received, sent) in [
            ("-03", "-01"),
            ("-02", "-00"),
            ("-ff", "-01"),
            ("-fe", "-00"),
        ] {
            assert_eq!(
                parsed(&GOOD.replace("-01", received)),
                Some(GOOD.replace("-01", sent))
            );
        }
    }

    #[test]
    fn of_a_later_version_as_much_is_read_as_this_one_has() {
        for later in [
            GOOD.replace("00-4b", "01-4b"),
            GOOD.replace("00-4b", "fe-4b") + "-what-ever",
        ] {
            assert_eq!(parsed(&later).as_deref(), Some(GOOD), "{later}");
        }
    }

    #[test]
    fn whatever_is_malformed_is_none_at_all() {
        let zeros = "0".repeat(32);
        for malformed in [
            "",
            "-",
            "00",
            "x",
            &GOOD.replace("00-4b", "ff-4b"),
            &GOOD.to_uppercase(),
            &GOOD.replace("4bf9", "4BF9"),
            &GOOD.replace("4bf9", "4bg9"),
            &GOOD.replace("4bf9", "4b 9"),
            &GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &zeros),
            &GOOD.replace("00f067aa0ba902b7", "0000000000000000"),
            &GOOD.replace("4bf9", "bf9"),
            &GOOD.replace("4bf9", "004bf9"),
            &GOOD.replace("-00f0", "-0f0"),
            &GOOD.replace("-01", "-1"),
            &GOOD.replace("-01", "-001"),
            &GOOD.replace("-01", ""),
            &GOOD.replace('-', "_"),
            &format!("{GOOD}-"),
            &format!("{GOOD}-00"),
            &format!("{GOOD} "),
            &format!(" {GOOD}"),
            &format!("{GOOD},{GOOD}"),
            &format!("cc-{GOOD}"),
            &GOOD.replace("00-4b", "01-4b").replace("-01", "-01x"),
            &"0".repeat(100_000),
        ] {
            assert_eq!(parsed(malformed), None, "{malformed}");
        }
        assert_eq!(TraceContext::parse(&[0xff; 55]), None);
    }

    #[test]
    fn a_new_trace_has_a_name_and_asks_for_its_own_decision() {
        let mut asked = None;
        let begun = TraceContext::begin(|trace| {
            asked = Some(trace);
            true
        });
        assert_eq!(asked, Some(begun.trace_id()));
        assert_eq!(parsed(&begun.to_string()), Some(begun.to_string()));
        let next = begun.next();
        assert_eq!(next.trace_id(), begun.trace_id());
        assert_ne!(next.span_id(), begun.span_id());
        assert!(next.is_sampled());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_what_it_takes_is_plain(bytes in prop::collection::vec(any::<u8>(), 0..70)) {
            if let Some(context) = TraceContext::parse(&bytes) {
                prop_assert_eq!(context.to_string().len(), 55);
            }
        }
    }
}
