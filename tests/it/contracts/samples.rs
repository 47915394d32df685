//! Samples of answers: the project's own, and those that lie beside it. They are as published, or say why not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use escalator::simulator::What;
use serde::Deserialize;
use serde_json::{Value, json};

use super::document::Document;
use super::{beside, fuller, judge, own, say, unknown};

/// One answer.
#[derive(Deserialize)]
pub(super) struct Sample {
    pub(super) name: String,
    /// Method and path.
    pub(super) request: String,
    pub(super) status: u16,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Option<Value>,
    /// A body that is no JSON.
    pub(super) text: Option<String>,
    /// Who has met it, although it is published otherwise.
    otherwise: Option<String>,
}

#[derive(Deserialize)]
struct Samples {
    document: String,
    samples: Vec<Sample>,
}

impl Sample {
    /// Method and path.
    pub(super) fn asked(&self) -> (&str, &str) {
        self.request.split_once(' ').unwrap()
    }

    /// The answer as the simulator gives it. `MARKER` stands for the marker of a note.
    pub(super) fn what(&self, marker: &str) -> What {
        let body = self.body.as_ref().map(Value::to_string);
        let body = body.or_else(|| self.text.clone()).unwrap_or_default();
        What::Status {
            status: self.status,
            headers: self.headers.clone().into_iter().collect(),
            body: body.replace("MARKER", marker),
        }
    }

    fn violations(&self, document: &Document) -> Vec<String> {
        judge::answer(document, self.asked(), self.status, self.body.as_ref())
    }
}

/// The project's own samples, each with the name of its document.
pub(super) fn samples() -> Vec<(String, Sample)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/answers");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let text = std::fs::read(&file).unwrap();
        let samples: Samples =
            serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        all.extend(
            samples
                .samples
                .into_iter()
                .map(|one| (samples.document.clone(), one)),
        );
    }
    all
}

#[test]
fn the_samples_of_answers_are_as_published_or_say_who_met_them() {
    let own = own();
    let mut held = 0;
    for (name, sample) in samples() {
        let document = own.iter().find(|document| document.name == name).unwrap();
        let fuller = fuller(&name);
        for document in [Some(document), fuller.as_ref()].into_iter().flatten() {
            let (method, path) = sample.asked();
            if document.operation(method, path).is_none() && document.name != name {
                continue;
            }
            let wrong = unknown(sample.violations(document));
            match &sample.otherwise {
                Some(_) if sample.body.is_some() => {
                    assert!(!wrong.is_empty(), "{} is as published by now", sample.name);
                }
                Some(_) => {}
                None if sample.text.is_some() => {}
                None => assert_eq!(wrong, [""; 0], "{}", sample.name),
            }
            held += 1;
        }
    }
    say(&format!(
        "{held} samples of answers were held against a document"
    ));
}

/// The answers that lie beside the project, with the request that they answer.
pub(super) fn answers_beside() -> Vec<Sample> {
    const FILES: &[(&str, &str)] = &[
        ("get-notes.200.json", "GET /incidents/Q1/notes"),
        ("post-notes.200.json", "POST /incidents/Q1/notes"),
        ("get-alerts.200.json", "GET /incidents/Q1/alerts"),
        (
            "get-alerts.real-events-v2.sanitised.json",
            "GET /incidents/Q1/alerts",
        ),
        (
            "get-alert.200-without-body.json",
            "GET /incidents/Q1/alerts/Q2",
        ),
        ("get-incident.200.json", "GET /incidents/Q1"),
        (
            "get-incident.real-events-v2.sanitised.json",
            "GET /incidents/Q1",
        ),
        ("get-abilities.200.json", "GET /abilities"),
        ("error.generic.json", "POST /incidents/Q1/notes"),
        (
            "error.400-incident-not-hash.json",
            "POST /incidents/Q1/notes",
        ),
        ("error.429.json", "GET /incidents/Q1/alerts"),
        ("error.errors-is-a-string.json", "POST /incidents/Q1/notes"),
        ("error.error-is-an-array.json", "POST /incidents/Q1/notes"),
    ];
    let Some(folder) = beside().map(|root| root.join("pagerduty-rest")) else {
        return Vec::new();
    };
    let read = |file: &str| -> Value {
        let path = folder.join(file);
        let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        serde_json::from_slice(&text).unwrap()
    };
    let samples = FILES.iter().map(|(file, request)| {
        let content = read(file);
        // One of them is wrapped, with its status and its headers.
        let wrapped = content
            .get("status")
            .filter(|_| *file == "error.429.json")
            .is_some();
        let status = match file.split_once("error.") {
            Some(_) if wrapped => 429,
            Some(_) => 400,
            None => 200,
        };
        let (body, headers) = match wrapped {
            true => (content["body"].clone(), content["headers"].clone()),
            false => (content, json!({})),
        };
        Sample {
            name: (*file).to_owned(),
            request: (*request).to_owned(),
            status,
            headers: serde_json::from_value(headers).unwrap(),
            body: Some(body),
            text: None,
            otherwise: [
                "error.errors-is-a-string.json",
                "error.error-is-an-array.json",
            ]
            .contains(file)
            .then(|| "the vendor's own client".to_owned()),
        }
    });
    samples.collect()
}

#[test]
fn the_answers_beside_the_project_are_as_the_project_has_it() {
    let samples = answers_beside();
    let own = own();
    let document = own
        .iter()
        .find(|document| document.name == "pagerduty")
        .unwrap();
    let fuller = fuller("pagerduty");
    let (mut held, mut wrong) = (0, Vec::new());
    for sample in samples.iter().filter(|sample| sample.otherwise.is_none()) {
        let (method, path) = sample.asked();
        for document in [Some(document), fuller.as_ref()].into_iter().flatten() {
            if document.operation(method, path).is_some() {
                let found = unknown(sample.violations(document));
                wrong.extend(
                    found
                        .into_iter()
                        .map(|what| format!("{}: {what}", sample.name)),
                );
                held += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    say(&format!(
        "{held} answers beside the project were held against a document"
    ));
}
