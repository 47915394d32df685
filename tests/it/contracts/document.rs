//! An OpenAPI 3.0 document, as far as a request or an answer is held against it.

use std::path::Path;

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

/// What one vendor publishes.
pub(super) struct Document {
    pub(super) name: String,
    root: Value,
}

/// One of its operations.
pub(super) struct Operation<'a> {
    document: &'a Document,
    /// As `GET /incidents/{id}`.
    pub(super) name: String,
    value: &'a Value,
    /// The parameters of the path as a whole.
    shared: &'a Value,
}

impl Document {
    pub(super) fn read(path: &Path) -> Self {
        let text = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut root: Value = serde_json::from_slice(&text).unwrap();
        assert!(
            root["openapi"]
                .as_str()
                .is_some_and(|v| v.starts_with("3.0.")),
            "{}: another version means something else by `nullable`",
            path.display()
        );
        translate(&mut root);
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        Self { name, root }
    }

    /// The operation that this method and path mean, if there is one; literal segments go before templates.
    pub(super) fn operation(&self, method: &str, path: &str) -> Option<Operation<'_>> {
        let segments: Vec<&str> = path.split('/').collect();
        let paths = self.root["paths"].as_object().unwrap();
        let fitting = paths.iter().filter_map(|(template, item)| {
            let parts: Vec<&str> = template.split('/').collect();
            let free = parts.iter().filter(|part| part.starts_with('{')).count();
            let fits = parts.len() == segments.len()
                && parts.iter().zip(&segments).all(|(part, segment)| {
                    part == segment || (part.starts_with('{') && !segment.is_empty())
                });
            let value = item.get(method.to_lowercase())?;
            fits.then_some((free, template, item, value))
        });
        let (_, template, item, value) = fitting.min_by_key(|(free, ..)| *free)?;
        Some(Operation {
            document: self,
            name: format!("{method} {template}"),
            value,
            shared: item.get("parameters").unwrap_or(&Value::Null),
        })
    }

    /// Every operation by its name, with what its documentation is called.
    pub(super) fn operations(&self) -> Vec<(String, &Value)> {
        let mut all = Vec::new();
        for (path, item) in self.root["paths"].as_object().unwrap() {
            for (method, value) in item.as_object().unwrap() {
                if ["get", "put", "post", "delete", "patch"].contains(&method.as_str()) {
                    all.push((format!("{} {path}", method.to_uppercase()), value));
                }
            }
        }
        all
    }

    /// The value itself, or what it refers to.
    pub(super) fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let mut value = value;
        while let Some(pointer) = value.get("$ref").and_then(Value::as_str) {
            value = self
                .root
                .pointer(pointer.trim_start_matches('#'))
                .unwrap_or_else(|| panic!("{}: {pointer} leads nowhere", self.name));
        }
        value
    }

    /// A validator of this schema, whose references lead into this document.
    pub(super) fn validator(&self, schema: &Value) -> Validator {
        let whole = json!({
            "allOf": [schema],
            "components": self.root["components"],
            "paths": self.root["paths"],
        });
        jsonschema::options()
            // OpenAPI 3.0 is a dialect of an early draft: `exclusiveMinimum` is a flag, a `$ref` stands alone.
            .with_draft(Draft::Draft4)
            .should_validate_formats(true)
            .build(&whole)
            .unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    /// What is wrong with a value, each with the place in it.
    pub(super) fn violations(&self, schema: &Value, value: &Value) -> Vec<String> {
        let validator = self.validator(schema);
        let found = validator
            .iter_errors(value)
            .map(|e| format!("{}: {e}", e.instance_path()));
        found.collect()
    }
}

impl<'a> Operation<'a> {
    /// What is published about its parameters.
    pub(super) fn parameters(&self) -> Vec<&'a Value> {
        let lists = [
            self.shared,
            self.value.get("parameters").unwrap_or(&Value::Null),
        ];
        let all = lists.into_iter().filter_map(Value::as_array).flatten();
        all.map(|parameter| self.document.resolve(parameter))
            .collect()
    }

    /// The schemes of which one has to be met; none: nothing is asked for.
    pub(super) fn security(&self) -> Vec<&'a Value> {
        let asked = self.value.get("security");
        let asked = asked.or_else(|| self.document.root.get("security"));
        let names = asked
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .flat_map(|one| one.keys());
        let schemes = &self.document.root["components"]["securitySchemes"];
        names.map(|name| &schemes[name]).collect()
    }

    /// The body that it takes.
    pub(super) fn request_body(&self) -> Option<&'a Value> {
        let body = self.value.get("requestBody")?;
        Some(self.document.resolve(body))
    }

    /// What it answers with this status.
    pub(super) fn response(&self, status: u16) -> Option<&'a Value> {
        let responses = &self.value["responses"];
        let found = responses
            .get(status.to_string())
            .or_else(|| responses.get("default"))?;
        Some(self.document.resolve(found))
    }

    pub(super) fn violations(&self, schema: &Value, value: &Value) -> Vec<String> {
        self.document.violations(schema, value)
    }
}

/// OpenAPI's `nullable` in the words of JSON Schema. Nothing changes its place, since references lead to places.
fn translate(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("nullable") == Some(&Value::Bool(true)) {
                let kind = fields.get("type").cloned();
                let kind = kind.unwrap_or_else(|| panic!("nullable without a type: {fields:?}"));
                fields.insert("type".to_owned(), json!([kind, "null"]));
                if let Some(values) = fields.get_mut("enum").and_then(Value::as_array_mut) {
                    values.push(Value::Null);
                }
            }
            fields.values_mut().for_each(translate);
        }
        Value::Array(items) => items.iter_mut().for_each(translate),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn nullable_means_that_null_is_allowed_and_nothing_else() {
    let mut root = json!({"components": {"schemas": {
        "A": {"type": "string", "nullable": true, "enum": ["x"]},
        "B": {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/A"}}, "required": ["a"]},
    }}});
    translate(&mut root);
    let document = Document {
        name: "test".to_owned(),
        root,
    };
    let schema = json!({"$ref": "#/components/schemas/B"});
    let wrong = |value: Value| document.violations(&schema, &value).len();
    assert_eq!(wrong(json!({"a": null})), 0);
    assert_eq!(wrong(json!({"a": "x"})), 0);
    assert_eq!(wrong(json!({"a": "y"})), 1);
    assert_eq!(wrong(json!({"a": 1})), 2);
    assert_eq!(wrong(json!({})), 1);
}
