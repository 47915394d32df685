//! What a request says, read field by field: every fault is named, all of them together.

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::Path;
use axum::http::request::Parts;
use http_body_util::{BodyExt, Limited};
use serde_json::{Map, Value};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::answer::Problem;

/// A whole body has to be there within this time.
const BODY_WITHIN: Duration = Duration::from_secs(60);
/// So much of a name that nobody knows is quoted.
const QUOTED: usize = 40;

/// The bytes of a body, up to `cap` of them.
pub(super) async fn bytes(body: Body, cap: usize) -> Result<Vec<u8>, Problem> {
    let collecting = Limited::new(body, cap).collect();
    match tokio::time::timeout(BODY_WITHIN, collecting).await {
        Ok(Ok(body)) => Ok(body.to_bytes().into()),
        Ok(Err(_)) => Err(Problem::TooLarge(cap)),
        Err(_) => Err(Problem::TooSlow),
    }
}

/// Fields of a body, of an object in it, or of a query. Each is taken by its name; what is left in the end is unknown.
pub(super) struct Fields {
    left: Map<String, Value>,
    /// Before each name in what is said about it.
    within: &'static str,
    kind: Kind,
    taken: Vec<&'static str>,
    faults: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `null` is as good as left out.
    Body,
    /// `null` is a fault: a filter that a script left empty must not let more through.
    Inner,
    /// Numbers are texts.
    Query,
}

impl Fields {
    /// Of a body; no bytes at all are an object without fields.
    pub(super) fn of_body(body: &[u8]) -> Result<Self, Problem> {
        let left = match body.is_empty() {
            true => Map::new(),
            false => match serde_json::from_slice(body) {
                Ok(Value::Object(fields)) => fields,
                Ok(_) | Err(_) => {
                    let why = "the body is not a JSON object".to_owned();
                    return Err(Problem::Faults(vec![why]));
                }
            },
        };
        Ok(Self::new(left, "", Kind::Body))
    }

    /// Of what stands behind the `?`.
    pub(super) fn of_query(query: Option<&str>) -> Self {
        let mut fields = Self::new(Map::new(), "", Kind::Query);
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        for (name, value) in pairs.into_owned() {
            let before = fields.left.insert(name.clone(), value.into());
            if before.is_some() {
                let name = quoted(&name);
                fields.faults.push(format!("{name}: is there twice"));
            }
        }
        fields
    }

    fn new(left: Map<String, Value>, within: &'static str, kind: Kind) -> Self {
        Self {
            left,
            within,
            kind,
            taken: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.taken.push(name);
        let value = self.left.remove(name)?;
        (self.kind != Kind::Body || !value.is_null()).then_some(value)
    }

    /// Whether there is something by this name.
    pub(super) fn gives(&self, name: &str) -> bool {
        self.left.get(name).is_some_and(|value| !value.is_null())
    }

    /// Takes these, and looks at none.
    pub(super) fn skip(&mut self, names: &[&'static str]) {
        for name in names {
            self.take(name);
        }
    }

    pub(super) fn fault(&mut self, name: &str, what: impl Display) {
        self.faults.push(format!("{}{name}: {what}", self.within));
    }

    /// A text that becomes something else.
    pub(super) fn parsed<T, E: Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Value::String(text) = self.take(name)? else {
            self.fault(name, "must be a text");
            return None;
        };
        parse(&text).map_err(|why| self.fault(name, why)).ok()
    }

    /// The same, and it has to be there.
    pub(super) fn required<T, E: Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if !self.gives(name) {
            self.take(name);
            self.fault(name, "is missing");
            return None;
        }
        self.parsed(name, parse)
    }

    /// Several texts that each become something else: at least one, and at most so many.
    pub(super) fn several<T, E: Display>(
        &mut self,
        name: &'static str,
        at_most: usize,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let list = match self.take(name) {
            None => return Vec::new(),
            Some(Value::Array(list)) if (1..=at_most).contains(&list.len()) => list,
            Some(_) => {
                self.fault(name, format!("must be a list of 1 to {at_most} texts"));
                return Vec::new();
            }
        };
        let mut all = Vec::new();
        for value in list {
            match value.as_str().map(&parse) {
                Some(Ok(parsed)) => all.push(parsed),
                Some(Err(why)) => self.fault(name, why),
                None => self.fault(name, "must be a list of texts"),
            }
        }
        all
    }

    /// A whole number within these bounds.
    pub(super) fn whole(&mut self, name: &'static str, within: RangeInclusive<u64>) -> Option<u64> {
        let value = self.take(name)?;
        let number = match (self.kind, &value) {
            (Kind::Query, Value::String(text)) => text.parse().ok(),
            (Kind::Query | Kind::Body | Kind::Inner, value) => value.as_u64(),
        };
        let number = number.filter(|number| within.contains(number));
        if number.is_none() {
            let (least, most) = (within.start(), within.end());
            let what = match *most {
                u64::MAX => format!("must be a whole number from {least}"),
                most => format!("must be a whole number from {least} to {most}"),
            };
            self.fault(name, what);
        }
        number
    }

    /// Yes or no; left out is no.
    pub(super) fn flag(&mut self, name: &'static str) -> bool {
        match self.take(name) {
            None => false,
            Some(Value::Bool(flag)) => flag,
            Some(_) => {
                self.fault(name, "must be true or false");
                false
            }
        }
    }

    /// An object, whose faults are named with `within` before them. `None`: it is not there, or is none.
    pub(super) fn object<T>(
        &mut self,
        name: &'static str,
        within: &'static str,
        read: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        match self.take(name)? {
            Value::Object(fields) => {
                let mut inner = Self::new(fields, within, Kind::Inner);
                let read = read(&mut inner);
                self.faults.extend(inner.found());
                Some(read)
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                self.fault(name, "must be an object");
                None
            }
        }
    }

    /// How many faults were found so far.
    pub(super) fn faults(&self) -> usize {
        self.faults.len()
    }

    fn found(mut self) -> Vec<String> {
        let unknown: Vec<String> = self.left.keys().map(|name| quoted(name)).collect();
        if !unknown.is_empty() {
            let known = match self.taken.is_empty() {
                true => "there is none to be given".to_owned(),
                false => format!("there are {}", self.taken.join(", ")),
            };
            let unknown = unknown.join(", ");
            self.fault(&unknown, format!("unknown; {known}"));
        }
        self.faults
    }

    /// What was read, if all was well: where it is not there, there is a fault that says why.
    pub(super) fn end_with<T>(self, read: Option<T>) -> Result<T, Problem> {
        let found = self.found();
        match read {
            Some(read) if found.is_empty() => Ok(read),
            Some(_) | None => Err(Problem::Faults(found)),
        }
    }

    /// Whether all was well.
    pub(super) fn end(self) -> Result<(), Problem> {
        let found = self.found();
        match found.is_empty() {
            true => Ok(()),
            false => Err(Problem::Faults(found)),
        }
    }
}

fn quoted(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_control())
        .take(QUOTED)
        .collect()
}

/// A text for people: something is in it, and no more than this many characters, and nothing that a terminal would obey.
pub(super) fn words(at_most: usize) -> impl Fn(&str) -> Result<String, String> {
    move |text| {
        if text.trim().is_empty() {
            return Err("is empty".to_owned());
        }
        if text.chars().count() > at_most {
            return Err(format!("is longer than {at_most} characters"));
        }
        match text.chars().any(char::is_control) {
            true => Err("has control characters in it".to_owned()),
            false => Ok(text.to_owned()),
        }
    }
}

/// The id in the path. One that cannot be read is nobody's.
pub(super) struct Id(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(id) = path.map_err(|_| Problem::Unknown("there is no such id".to_owned()))?;
        Ok(Self(id))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm)]
    use super::*;

    fn faults(result: Result<(), Problem>) -> Vec<String> {
        match result {
            Err(Problem::Faults(found)) => found,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_fault_is_named_at_once_with_its_place() {
        let body = br#"{"limit":0,"by":7,"all":"yes","inner":{"a":null,"ids":[],"b":1},"typo":1}"#;
        let mut fields = Fields::of_body(body).unwrap();
        fields.whole("limit", 1..=500);
        fields.parsed("by", words(10));
        fields.required("because", words(10));
        fields.flag("all");
        fields.object("inner", "inner.", |inner| {
            inner.parsed("a", words(10));
            inner.several("ids", 3, words(10));
        });
        let found = faults(fields.end());
        assert_eq!(
            found,
            [
                "limit: must be a whole number from 1 to 500",
                "by: must be a text",
                "because: is missing",
                "all: must be true or false",
                "inner.a: must be a text",
                "inner.ids: must be a list of 1 to 3 texts",
                "inner.b: unknown; there are a, ids",
                "typo: unknown; there are limit, by, because, all, inner",
            ]
        );
    }

    #[test]
    fn a_query_has_texts_for_numbers_and_no_name_twice() {
        let mut fields = Fields::of_query(Some("limit=7&x=1&x=2"));
        assert_eq!(fields.whole("limit", 1..=500), Some(7));
        assert_eq!(
            faults(fields.end()),
            ["x: is there twice", "x: unknown; there are limit"]
        );
    }

    #[test]
    fn nothing_that_a_terminal_would_obey_is_taken_for_words() {
        let read = words(5);
        assert_eq!(read("alex").unwrap(), "alex");
        for wrong in ["", "  ", "toolong", "a\u{1b}[m", "a\nb"] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
