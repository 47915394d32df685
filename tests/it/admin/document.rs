//! The document, held against the routes, and what is asked and answered held against the document.

use std::collections::BTreeSet;

use jsonschema::Draft;
use reqwest::Method;
use serde_json::{Value, json};

use super::api::{Answer, Api};
use super::{TOKEN, served};
use crate::support::world::World;

/// `src/admin/openapi.json`.
pub(super) struct Document(Value);

impl Document {
    pub(super) fn read() -> Self {
        let text = include_str!("../../../src/admin/openapi.json");
        Self(serde_json::from_str(text).unwrap())
    }

    /// Every operation: method, template, and what is said of it.
    fn operations(&self) -> Vec<(String, &str, &Value)> {
        let mut all = Vec::new();
        for (path, item) in self.0["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                all.push((method.to_uppercase(), path.as_str(), operation));
            }
        }
        all
    }

    /// What a request means; literal segments go before templates.
    fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        let segments: Vec<&str> = path.split('/').collect();
        let free = |template: &str| template.matches('{').count();
        let mut fitting: Vec<_> = self.operations();
        fitting.retain(|(verb, template, _)| {
            let parts: Vec<&str> = template.split('/').collect();
            let fits = |(part, segment): (&&str, &&str)| part == segment || part.starts_with('{');
            verb == method && parts.len() == segments.len() && parts.iter().zip(&segments).all(fits)
        });
        let found = fitting.into_iter().min_by_key(|(_, path, _)| free(path));
        found.map(|(_, _, operation)| operation)
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(pointer) => self.0.pointer(&pointer[1..]).expect(pointer),
            None => value,
        }
    }

    fn wrong(&self, schema: &Value, value: &Value) -> Vec<String> {
        let whole = json!({"allOf": [schema], "components": self.0["components"]});
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .build(&whole)
            .unwrap_or_else(|e| panic!("{schema}: {e}"));
        let found = validator
            .iter_errors(value)
            .map(|e| format!("{}: {e}", e.instance_path()));
        found.collect()
    }

    /// What is wrong with an exchange. What was done has to have been asked for as the document says; what was refused may
    /// have been asked otherwise.
    pub(super) fn violations(
        &self,
        (method, path, query): (&str, &str, &str),
        body: Option<&str>,
        answer: &Answer,
    ) -> Vec<String> {
        let Some(operation) = self.operation(method, path) else {
            return vec!["it is not in the document".to_owned()];
        };
        let mut wrong = Vec::new();
        if answer.status < 300 {
            wrong.extend(self.asked(operation, query, body));
        }
        let status = answer.status.to_string();
        let Some(response) = operation["responses"].get(&status) else {
            wrong.push(format!("no answer {status} is in the document"));
            return wrong;
        };
        let response = self.resolve(response);
        let headers = response["headers"].as_object().into_iter().flatten();
        for (name, header) in headers {
            let value = answer.header(name).map(typed);
            match value {
                Some(value) => wrong.extend(self.wrong(&header["schema"], &value)),
                None if header["required"] == true => wrong.push(format!("there is no {name}")),
                None => {}
            }
        }
        let content = response["content"].as_object();
        let Some((kind, media)) = content.and_then(|content| content.iter().next()) else {
            if !answer.text.is_empty() {
                wrong.push("there is a body".to_owned());
            }
            return wrong;
        };
        let given = answer.header("content-type").unwrap_or_default();
        if given.split(';').next() != Some(kind.as_str()) {
            wrong.push(format!("the content type is {given}"));
        }
        let values: Vec<Value> = match kind.as_str() {
            "application/json" => vec![answer.json()],
            "application/x-ndjson" => {
                let lines = answer.text.lines();
                lines.map(|l| serde_json::from_str(l).unwrap()).collect()
            }
            _ => vec![Value::from(answer.text.as_str())],
        };
        for value in &values {
            wrong.extend(self.wrong(&media["schema"], value));
        }
        wrong
    }

    fn asked(&self, operation: &Value, query: &str, body: Option<&str>) -> Vec<String> {
        let mut wrong = Vec::new();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let parameters: Vec<_> = parameters.map(|one| self.resolve(one)).collect();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let is_it = |one: &&&Value| one["in"] == "query" && one["name"] == *name;
            match parameters.iter().find(is_it) {
                Some(one) => {
                    let value = match one["schema"]["type"] == "integer" {
                        true => typed(&value),
                        false => Value::from(&*value),
                    };
                    wrong.extend(self.wrong(&one["schema"], &value));
                }
                None => wrong.push(format!("the parameter {name} is not in the document")),
            }
        }
        match (operation.get("requestBody"), body) {
            (Some(published), Some(body)) if !body.is_empty() => {
                let schema = &published["content"]["application/json"]["schema"];
                wrong.extend(self.wrong(schema, &serde_json::from_str(body).unwrap()));
            }
            (Some(published), _) if published["required"] == true => {
                wrong.push("a body is required".to_owned());
            }
            (None, Some(_)) => wrong.push("no body is in the document".to_owned()),
            (_, _) => {}
        }
        wrong
    }
}

fn typed(text: &str) -> Value {
    text.parse::<u64>()
        .map_or_else(|_| text.into(), Value::from)
}

/// Whether an operation asks for the token.
fn guarded(operation: &Value) -> bool {
    operation.get("security") != Some(&json!([]))
}

#[test]
fn the_document_has_every_route_and_no_other_and_says_of_each_whether_it_needs_the_token() {
    let document = Document::read();
    assert_eq!(document.0["security"], json!([{"token": []}]));
    let documented: BTreeSet<_> = document
        .operations()
        .into_iter()
        .map(|(method, path, operation)| (method, path.to_owned(), guarded(operation)))
        .collect();
    let registered: BTreeSet<_> = escalator::admin::table()
        .into_iter()
        .map(|(method, path, token)| (method.to_owned(), path.to_owned(), token))
        .collect();
    assert_eq!(documented, registered);
}

#[test]
fn every_reference_and_every_schema_of_the_document_can_be_used() {
    let document = Document::read();
    let components = document.0["components"].as_object().unwrap();
    for name in components["schemas"].as_object().unwrap().keys() {
        let schema = json!({"$ref": format!("#/components/schemas/{name}")});
        assert!(!document.wrong(&schema, &json!(7)).is_empty(), "{name}");
    }
    let mut names = BTreeSet::new();
    for (method, path, operation) in document.operations() {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name.to_owned()), "{name} is there twice");
        for response in operation["responses"].as_object().unwrap().values() {
            let response = document.resolve(response);
            assert!(response["description"].is_string(), "{method} {path}");
        }
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let in_path: Vec<_> = parameters
            .map(|one| document.resolve(one))
            .filter(|one| one["in"] == "path")
            .collect();
        assert_eq!(in_path.len(), path.matches('{').count(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_method_is_answered_at_its_path_and_no_other_is() {
    let world = World::new().await;
    let (program, _) = served(&world, &[]).await;
    let nobody = Api::of(&program, None);
    let document = Document::read();
    let mut known = BTreeSet::new();
    for (method, template, operation) in document.operations() {
        let path = template.replace("{id}", "dl-0123456789abcdef");
        let verb = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = nobody.ask(verb, &path, None).await;
        let wanted = if guarded(operation) { 401 } else { 200 };
        assert_eq!(answer.status, wanted, "{method} {path}: {answer:?}");
        known.insert((method, path));
    }
    let paths: BTreeSet<_> = known.iter().map(|(_, path)| path.clone()).collect();
    let client = reqwest::Client::new();
    for path in paths {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            if known.contains(&(method.to_string(), path.clone())) {
                continue;
            }
            // `/dead-letters/discard` and `plan` are no letters, whoever looks for them.
            let url = format!("{}{path}", program.admin);
            let request = client.request(method.clone(), url).bearer_auth(TOKEN);
            let status = request.send().await.unwrap().status().as_u16();
            assert_eq!(status, 405, "{method} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_served_to_whoever_asks() {
    let world = World::new().await;
    let (program, _) = served(&world, &[]).await;
    let nobody = Api::of(&program, None);
    let served = nobody.get("/openapi.json").await.ok(200);
    assert_eq!(served, Document::read().0);
    assert_eq!(served["openapi"], "3.1.0");
}
