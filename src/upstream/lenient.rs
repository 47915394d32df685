//! Reading somebody else's answer: one field of a wrong type hides none of the others.
//!
//! What could not be read is kept apart from what is not there, for a session that cannot be read is no proof that there is
//! none. A field is taken out of the answer as it stands and read by itself, so that nothing in one that nobody needs (an
//! enormous number, half a surrogate, a thousand brackets) can spoil the rest.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Field<T> {
    /// Nothing: it is absent, or null.
    #[default]
    Absent,
    /// What was expected.
    Read(T),
    /// Something else.
    Foreign,
}

impl<T> Field<T> {
    /// What was expected, if it is that.
    pub(super) fn read(self) -> Option<T> {
        match self {
            Self::Read(value) => Some(value),
            Self::Absent | Self::Foreign => None,
        }
    }
}

impl Field<String> {
    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        self.as_str().read()
    }

    /// The same for who has to tell what is not there from what cannot be read.
    pub(super) fn as_str(&self) -> Field<&str> {
        match self {
            Self::Absent => Field::Absent,
            Self::Read(text) => Field::Read(text),
            Self::Foreign => Field::Foreign,
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(match serde_json::from_str::<Option<T>>(raw.get()) {
            Ok(Some(value)) => Self::Read(value),
            Ok(None) => Self::Absent,
            Err(_) => Self::Foreign,
        })
    }
}

/// A list of objects, any of which may be unreadable. Absent, null and empty are alike.
#[derive(Debug)]
pub(super) enum Items<T> {
    /// A list: each item, or `None` for one that is no such object.
    List(Vec<Option<T>>),
    /// Something is there, and it is no list.
    Foreign,
}

impl<T> Items<T> {
    /// Each item; `None` for whatever stands where one should.
    pub(super) fn each(&self) -> impl Iterator<Item = Option<&T>> {
        let (list, foreign) = match self {
            Self::List(items) => (items.as_slice(), None),
            Self::Foreign => (&[][..], Some(None)),
        };
        list.iter().map(Option::as_ref).chain(foreign)
    }

    /// Those that could be read.
    pub(super) fn readable(&self) -> impl Iterator<Item = &T> {
        self.each().flatten()
    }

    /// Whether something is there that is no list.
    pub(super) fn is_foreign(&self) -> bool {
        matches!(self, Self::Foreign)
    }
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Items<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(
            match Field::<Vec<Field<Object<T>>>>::deserialize(deserializer)? {
                Field::Absent => Self::default(),
                Field::Read(items) => Self::List(
                    items
                        .into_iter()
                        .map(|item| item.read().map(|Object(item)| item))
                        .collect(),
                ),
                Field::Foreign => Self::Foreign,
            },
        )
    }
}

/// An object and nothing else: serde by itself takes an array for one, by position.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }

        deserializer
            .deserialize_map(Members(PhantomData))
            .map(Object)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Thing {
        #[serde(default)]
        name: Field<String>,
    }

    fn things(text: &str) -> Vec<Option<Field<String>>> {
        let items: Items<Thing> = serde_json::from_str(text).unwrap();
        items
            .each()
            .map(|thing| thing.map(|thing| thing.name.clone()))
            .collect()
    }

    #[test]
    fn what_cannot_be_read_is_told_from_what_is_not_there() {
        let name = |text: &str| Some(Field::Read(text.to_owned()));
        assert_eq!(
            things(r#"[{"name":"a"},{},{"name":null},{"name":7},{"name":["a"]},"a",null,["a"]]"#),
            [
                name("a"),
                Some(Field::Absent),
                Some(Field::Absent),
                Some(Field::Foreign),
                Some(Field::Foreign),
                None,
                None,
                None,
            ]
        );
        for nothing in ["[]", "null"] {
            assert_eq!(things(nothing), [], "{nothing}");
        }
        for foreign in ["7", "{}", r#""[]""#, "false"] {
            assert_eq!(things(foreign), [None], "{foreign}");
        }
    }

    #[test]
    fn nothing_in_one_field_spoils_another() {
        let brackets = "[".repeat(1000) + &"]".repeat(1000);
        for odd in ["1e999", r#""\ud83d""#, "-0", brackets.as_str()] {
            let text = format!(r#"[{{"name":{odd}}},{{"name":"a","other":{odd}}}]"#);
            let name = Field::Read("a".to_owned());
            let odd_name = Field::Foreign;
            assert_eq!(things(&text), [Some(odd_name), Some(name)], "{odd}");
        }
    }

    #[test]
    fn an_array_is_no_object() {
        assert!(serde_json::from_str::<Object<Thing>>(r#"["a"]"#).is_err());
        let Object(thing) = serde_json::from_str::<Object<Thing>>(r#"{"name":"a"}"#).unwrap();
        assert_eq!(thing.name.text(), Some("a"));
    }
}
