//! Compares answers with docs/openapi.json, so that a test fails if it gets an answer which the document does not
//! describe.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use jsonschema::{Registry, Validator};
use reqwest::Method;
use serde_json::{Value, json};

use crate::Answer;

/// The name under which the validator knows the whole document, so that references in it lead somewhere.
const NAME: &str = "urn:gorilla:openapi";

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../docs/openapi.json")).expect("docs/openapi.json is JSON")
});

static REGISTRY: LazyLock<Registry<'static>> = LazyLock::new(|| {
    let registry = Registry::new().add(NAME, &*DOCUMENT).expect("docs/openapi.json is a resource");
    registry.prepare().expect("the references in docs/openapi.json lead somewhere")
});

/// Finds the path of the document for the path of a request, by the rules of the router of the server.
static PATHS: LazyLock<matchit::Router<String>> = LazyLock::new(|| {
    let mut router = matchit::Router::new();
    for path in DOCUMENT["paths"].as_object().expect("paths").keys() {
        router.insert(path.clone(), path.clone()).expect("a path that the server's router takes, too");
    }
    router
});

/// Says what is wrong with an answer by the document. Judges neither paths and methods that the document does not have,
/// nor answers without JSON, such as the answers to bytes that are not HTTP.
pub fn check(method: &Method, path: &str, answer: &Answer) -> Result<(), String> {
    let media_type = answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let path = path.split('?').next().unwrap_or_default();
    let Some(path) = PATHS.at(path).ok().map(|found| found.value) else { return Ok(()) };
    let operation = &DOCUMENT["paths"][path][method.as_str().to_lowercase()];
    if operation.is_null() || !media_type.ends_with("json") {
        return Ok(());
    }
    let response = &operation["responses"][answer.status.to_string()];
    if response.is_null() {
        return Err(format!("docs/openapi.json has no status {} for {method} {path}", answer.status));
    }
    if method == Method::HEAD {
        return Ok(());
    }
    if response["content"][media_type].is_null() {
        return Err(format!("docs/openapi.json has no {media_type} for {} of {method} {path}", answer.status));
    }
    let parts = ["paths", path, &method.as_str().to_lowercase(), "responses", &answer.status.to_string(), "content"];
    let parts = parts.into_iter().chain([media_type, "schema"]);
    let pointer: String = parts.map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1"))).collect();
    let body = serde_json::from_str(&answer.text).map_err(|error| format!("the body is not valid JSON: {error}"))?;
    let validator = validator(pointer);
    let problems: Vec<_> = validator
        .iter_errors(&body)
        .map(|error| format!("{} at {:?}", error, error.instance_path().as_str()))
        .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(format!("docs/openapi.json does not allow it: {}", problems.join("; ")))
    }
}

/// The validator of the schema at this place of the document. Each validator is made once, when the first answer needs
/// it.
fn validator(pointer: String) -> Arc<Validator> {
    static MADE: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let make = |pointer: &String| {
        // A URI can't have braces as they are.
        let pointer = pointer.replace('{', "%7B").replace('}', "%7D");
        let options = jsonschema::options().with_registry(&REGISTRY).should_validate_formats(true);
        Arc::new(options.build(&json!({ "$ref": format!("{NAME}#{pointer}") })).expect("a schema of docs/openapi.json"))
    };
    made.entry(pointer).or_insert_with_key(make).clone()
}
