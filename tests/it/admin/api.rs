//! A client that believes nothing: each answer has to be one that the document has.

use std::sync::Mutex;

use reqwest::{Client, Method};
use serde_json::Value;

use super::document::Document;
use crate::support::program::Program;

pub(super) struct Api {
    base: String,
    token: Option<&'static str>,
    client: Client,
    document: Document,
    /// Every body that was answered.
    heard: Mutex<Vec<String>>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) text: String,
}

impl Answer {
    /// Its JSON, where it has this status.
    pub(super) fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// What it names as wrong, where it has this status.
    pub(super) fn errors(&self, status: u16) -> Vec<String> {
        serde_json::from_value(self.ok(status)["errors"].clone()).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Api {
    pub(super) fn of(program: &Program, token: Option<&'static str>) -> Self {
        Self {
            base: program.admin.clone(),
            token,
            client: Client::new(),
            document: Document::read(),
            heard: Mutex::default(),
        }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, Some(body.to_string())).await
    }

    pub(super) async fn ask(&self, method: Method, path: &str, body: Option<String>) -> Answer {
        let mut request = self
            .client
            .request(method.clone(), format!("{}{path}", self.base));
        if let Some(token) = self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body.clone() {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        let answer = Answer {
            status,
            headers,
            text,
        };
        self.heard.lock().unwrap().push(answer.text.clone());
        let (bare, query) = path.split_once('?').unwrap_or((path, ""));
        let wrong =
            self.document
                .violations((method.as_str(), bare, query), body.as_deref(), &answer);
        assert!(wrong.is_empty(), "{method} {path}: {wrong:#?}\n{answer:?}");
        answer
    }

    pub(super) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}
