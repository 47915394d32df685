//! The export of traces.

use secrecy::{ExposeSecret, SecretString};

use super::base_url::BaseUrl;
use super::reader::Reader;

/// Settings of the export of traces.
#[derive(Debug, Clone)]
pub struct Otlp {
    /// The collector's base address; none: nothing is exported.
    pub endpoint: Option<BaseUrl>,
    /// Headers of every export: name and value. A name is a secret as well, for the two may have been mixed up.
    pub headers: Vec<(SecretString, SecretString)>,
    /// The share of the traces that begin here and are recorded, 0 to 1.
    pub sample_ratio: f64,
}

impl Otlp {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let endpoint = reader.optional_collector("otlp.endpoint");
        if let Some(Some(url)) = &endpoint
            && url.as_str().ends_with("/v1/traces")
        {
            reader.fault(
                "otlp.endpoint",
                "ends in /v1/traces, which is put behind it anyway",
                "leave that out, as in http://127.0.0.1:4318",
            );
        }
        let given = reader.optional_secret("otlp.headers");
        let headers = match &given {
            Some(Some(text)) => parse(text.expose_secret()),
            Some(None) | None => Some(Vec::new()),
        };
        if headers.is_none() {
            reader.fault(
                "otlp.headers",
                "is not a list of headers",
                "write name=value, separated by commas, in ASCII",
            );
        }
        if let (Some(Some(url)), Some(Some(_))) = (&endpoint, &given) {
            reader.warn_of_readers("otlp.endpoint", url);
        }
        let sample_ratio = reader.parsed(
            "otlp.sample_ratio",
            |text| {
                text.parse()
                    .ok()
                    .filter(|share| (0.0..=1.0).contains(share))
            },
            "write a number from 0 to 1, as in 0.1",
        );
        given?;
        Some(Self {
            endpoint: endpoint?,
            headers: headers?,
            sample_ratio: sample_ratio?,
        })
    }
}

/// `name=value`, separated by commas, escaped as in `OTEL_EXPORTER_OTLP_HEADERS`, so that what a vendor's page says can be pasted.
fn parse(text: &str) -> Option<Vec<(SecretString, SecretString)>> {
    let header = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.trim(), unescaped(value.trim())?);
        let of_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let of_value = |c: char| c.is_ascii_graphic() || c == ' ';
        let fits = !name.is_empty() && name.chars().all(of_name) && value.chars().all(of_value);
        fits.then(|| (SecretString::from(name), SecretString::from(value)))
    };
    text.split(',').map(header).collect()
}

/// A `%` that escapes nothing stands for itself.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let mut byte = [0];
        let digits = behind.split_at_checked(2).filter(|_| *first == b'%');
        match digits {
            Some((digits, behind)) if hex::decode_to_slice(digits, &mut byte).is_ok() => {
                bytes.extend(byte);
                rest = behind;
            }
            Some(_) | None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<(String, String)>> {
        let headers = parse(text)?.into_iter();
        Some(
            headers
                .map(|(name, value)| {
                    (
                        name.expose_secret().to_owned(),
                        value.expose_secret().to_owned(),
                    )
                })
                .collect(),
        )
    }

    #[test]
    fn headers_are_read_as_a_vendors_page_writes_them() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            read("Authorization=Basic%20dXNlcjpwYXNz==, x-team=a%2Cb"),
            Some(vec![
                pair("Authorization", "Basic dXNlcjpwYXNz=="),
                pair("x-team", "a,b")
            ])
        );
        assert_eq!(read("a=Bearer x"), Some(vec![pair("a", "Bearer x")]));
        assert_eq!(
            read("a=5%,b=%zz%4"),
            Some(vec![pair("a", "5%"), pair("b", "%zz%4")])
        );
        assert_eq!(read("a="), Some(vec![pair("a", "")]));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for text in [
            "a",
            "=b",
            "a b=c",
            "a=b,",
            "a=%0d%0ab",
            "a=%ff",
            "ä=b",
            "a=ä",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
