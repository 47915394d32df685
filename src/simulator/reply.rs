//! A request as it arrived, and an answer before and after it becomes HTTP.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    HeaderMap, Method, Response, StatusCode,
    body::Frame,
    header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION},
};
use serde_json::{Value, json};

use super::fault::Operation;

/// The body of every answer.
pub(super) type Body = BoxBody<Bytes, Infallible>;

/// What a path and method mean at a vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) operation: Operation,
    /// The conversation or incident.
    pub(super) id: Option<String>,
    /// The note.
    pub(super) note_id: Option<String>,
}

impl Route {
    pub(super) fn to(operation: Operation, id: Option<&str>) -> Self {
        Self {
            operation,
            id: id.map(str::to_owned),
            note_id: None,
        }
    }

    pub(super) fn unknown(method: &Method, path: &str) -> Self {
        Self {
            operation: Operation::Unknown,
            id: Some(format!("{method} {path}")),
            note_id: None,
        }
    }
}

/// A request that arrived whole.
pub(super) struct Call {
    pub(super) route: Route,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// `ININ-Correlation-Id` or `x-request-id` of the answer.
    pub(super) trace: String,
}

impl Call {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether the content type, without its parameters, is this one.
    pub(super) fn is(&self, content_type: &str) -> bool {
        let given = self.header("content-type").unwrap_or_default();
        given
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .eq_ignore_ascii_case(content_type)
    }

    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let mut all = url::form_urlencoded::parse(self.query.as_bytes());
        all.find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// All values of a parameter that may be repeated.
    pub(super) fn parameters(&self, name: &str) -> impl Iterator<Item = String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    pub(super) fn has_parameter(&self, name: &str, value: &str) -> bool {
        url::form_urlencoded::parse(self.query.as_bytes()).any(|(k, v)| k == name && v == value)
    }
}

/// What a vendor says, before it becomes HTTP.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
}

impl Answer {
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Some(body),
        }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: None,
        }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let bytes = self.body.map(|body| Bytes::from(body.to_string()));
        let typed = bytes.is_some();
        let mut response = plain(self.status, bytes.unwrap_or_default());
        if typed {
            set(&mut response, CONTENT_TYPE, "application/json");
        }
        for (name, value) in self.headers {
            set(&mut response, HeaderName::from_static(name), &value);
        }
        response
    }
}

/// A response with these bytes and no headers of its own. A status that HTTP does not have becomes 500.
pub(super) fn plain(status: u16, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(bytes).boxed());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// A refusal that quotes what it refuses, where either vendor says such a thing.
pub(super) fn echo(status: u16, request: &[u8]) -> Answer {
    let quoted = String::from_utf8_lossy(request);
    let said = json!({
        "message": quoted,
        "error": {"message": "Invalid Input Provided", "code": 2001, "errors": [quoted]},
    });
    Answer::json(status, said)
}

/// The page of a proxy where JSON was expected.
pub(super) fn garbage() -> Response<Body> {
    let page = "<!doctype html><html><head><title>OK</title></head><body>Welcome</body></html>";
    let mut response = plain(200, Bytes::from_static(page.as_bytes()));
    set(&mut response, CONTENT_TYPE, "text/html; charset=utf-8");
    response
}

/// A body of so many bytes, sent in pieces: nothing announces how long it will be.
pub(super) fn huge(bytes: usize) -> Response<Body> {
    const PIECE: usize = 64 * 1024;
    let piece = Bytes::from(vec![b' '; PIECE.min(bytes)]);
    let pieces = (0..bytes.div_ceil(PIECE)).map(move |at| {
        let left = bytes - at * PIECE;
        Ok::<_, Infallible>(Frame::data(piece.slice(..left.min(PIECE))))
    });
    let mut response = Response::new(BodyExt::boxed(StreamBody::new(stream::iter(pieces))));
    set(&mut response, CONTENT_TYPE, "application/json");
    response
}

/// 307 keeps method and body, so that a client which follows repeats its write.
pub(super) fn redirect(to: &str) -> Response<Body> {
    let mut response = plain(307, Bytes::new());
    set(&mut response, LOCATION, to);
    response
}

/// Sets a header; a name or value that HTTP cannot carry is left out.
pub(super) fn set(response: &mut Response<Body>, name: impl TryInto<HeaderName>, value: &str) {
    if let (Ok(name), Ok(value)) = (name.try_into(), HeaderValue::from_str(value)) {
        response.headers_mut().insert(name, value);
    }
}
