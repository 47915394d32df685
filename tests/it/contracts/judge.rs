//! Holds one request, and one answer, against what is published.

use escalator::simulator::Captured;
use serde_json::{Map, Value};

use super::document::{Document, Operation};

/// What is wrong with a request: nothing, if nothing is in the list.
pub(super) fn request(document: &Document, request: &Captured) -> Vec<String> {
    let (method, path) = (&request.method, &request.path);
    let Some(operation) = document.operation(method, path) else {
        return vec![format!(
            "{method} {path} is not published in {}",
            document.name
        )];
    };
    let mut wrong = query(&operation, request);
    wrong.extend(headers(&operation, request));
    wrong.extend(credential(&operation, request));
    wrong.extend(body(&operation, request));
    wrong
        .into_iter()
        .map(|what| format!("{} ({}): {what}", operation.name, document.name))
        .collect()
}

/// Each parameter of the query is a published one and has a value that it may have; none that is required is missing.
fn query(operation: &Operation<'_>, request: &Captured) -> Vec<String> {
    let mut wrong = Vec::new();
    let parameters = operation.parameters();
    let published: Vec<_> = parameters.iter().filter(|p| p["in"] == "query").collect();
    for (name, text) in &request.query {
        match published.iter().find(|p| p["name"] == name.as_str()) {
            Some(parameter) => {
                let schema = &parameter["schema"];
                for what in operation.violations(schema, &typed(schema, text)) {
                    wrong.push(format!("query {name}={text}: {what}"));
                }
            }
            None => wrong.push(format!("query {name}={text}: no such parameter")),
        }
    }
    let missing = published.iter().filter(|p| p["required"] == true);
    for parameter in missing {
        let name = parameter["name"].as_str().unwrap();
        if !request.query.iter().any(|(given, _)| given == name) {
            wrong.push(format!("query {name} is missing"));
        }
    }
    wrong
}

/// A text as the type that its schema wants; what is no number stays a text, and is found to be wrong.
fn typed(schema: &Value, text: &str) -> Value {
    let parsed = match schema["type"].as_str() {
        Some("integer" | "number" | "boolean") => serde_json::from_str(text).ok(),
        Some("array") => Some(Value::Array(text.split(',').map(Value::from).collect())),
        Some(_) | None => None,
    };
    parsed.unwrap_or_else(|| Value::from(text))
}

fn headers(operation: &Operation<'_>, request: &Captured) -> Vec<String> {
    let mut wrong = Vec::new();
    for parameter in operation.parameters() {
        if parameter["in"] != "header" {
            continue;
        }
        let name = parameter["name"].as_str().unwrap();
        // OpenAPI says to ignore a parameter of this name: the body has a content type where there is a body.
        if name.eq_ignore_ascii_case("content-type") {
            continue;
        }
        match request.headers.get(&name.to_lowercase()) {
            Some(value) => {
                let schema = &parameter["schema"];
                for what in operation.violations(schema, &Value::from(value.as_str())) {
                    wrong.push(format!("header {name}: {what}"));
                }
                // What is published as the default of `Accept` is the version that was read.
                if schema
                    .get("default")
                    .is_some_and(|default| default != value.as_str())
                {
                    wrong.push(format!(
                        "header {name} is {value}, published {}",
                        schema["default"]
                    ));
                }
            }
            None if parameter["required"] == true => {
                wrong.push(format!("header {name} is missing"))
            }
            None => {}
        }
    }
    wrong
}

/// The credential has the form of one of the published schemes; where none is asked for, none is shown around.
fn credential(operation: &Operation<'_>, request: &Captured) -> Vec<String> {
    let given = request.headers.get("authorization").map(String::as_str);
    let schemes = operation.security();
    if schemes.is_empty() {
        return match given {
            Some(_) => vec!["a credential where none is asked for".to_owned()],
            None => Vec::new(),
        };
    }
    let fits = schemes.iter().any(|scheme| {
        let wanted = match (scheme["type"].as_str().unwrap(), scheme["scheme"].as_str()) {
            ("http", Some("basic")) => "Basic …",
            ("http", Some("bearer")) => "Bearer …",
            ("apiKey", _) => "Token token=…",
            other => panic!("a scheme that is not known here: {other:?}"),
        };
        given == Some(wanted)
    });
    if fits {
        Vec::new()
    } else {
        vec![format!(
            "authorization is {given:?}, which is none of the published schemes"
        )]
    }
}

fn body(operation: &Operation<'_>, request: &Captured) -> Vec<String> {
    let kind = request.headers.get("content-type").map(String::as_str);
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    let Some(published) = operation.request_body() else {
        return if request.body.is_empty() {
            Vec::new()
        } else {
            vec!["a body where none is published".to_owned()]
        };
    };
    if request.body.is_empty() && published["required"] != true {
        return Vec::new();
    }
    let content = published["content"].as_object().unwrap();
    let Some(schema) = kind
        .and_then(|kind| content.get(kind))
        .map(|media| &media["schema"])
    else {
        return vec![format!("content type {kind:?}, which is not published")];
    };
    let value = if kind == Some("application/x-www-form-urlencoded") {
        let fields = url::form_urlencoded::parse(&request.body).into_owned();
        Ok(Value::Object(
            fields
                .map(|(k, v)| (k, Value::from(v)))
                .collect::<Map<_, _>>(),
        ))
    } else {
        serde_json::from_slice(&request.body)
    };
    match value {
        Ok(value) => {
            let wrong = operation.violations(schema, &value);
            wrong
                .into_iter()
                .map(|what| format!("body {what}"))
                .collect()
        }
        Err(error) => vec![format!("the body is no JSON: {error}")],
    }
}

/// What is wrong with an answer to this method and path.
pub(super) fn answer(
    document: &Document,
    (method, path): (&str, &str),
    status: u16,
    body: Option<&Value>,
) -> Vec<String> {
    let Some(operation) = document.operation(method, path) else {
        return vec![format!(
            "{method} {path} is not published in {}",
            document.name
        )];
    };
    let told = |what: String| format!("{} {status} ({}): {what}", operation.name, document.name);
    let Some(published) = operation.response(status) else {
        return vec![told("no such answer is published".to_owned())];
    };
    let schema = published.pointer("/content/application~1json/schema");
    match (schema, body) {
        (Some(schema), Some(body)) => {
            let wrong = operation.violations(schema, body);
            wrong.into_iter().map(told).collect()
        }
        (Some(_), None) => vec![told("a body is published, and there is none".to_owned())],
        (None, _) => Vec::new(),
    }
}
