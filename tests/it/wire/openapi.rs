//! The document that machines read, held against the service.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use gorilla_wire::{Code, Operation};
use reqwest::Method;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::harness::{Api, Replica};

/// The document as a replica serves it.
async fn document() -> Value {
    Replica::shared().await.get("/openapi.json").await.json()
}

/// All codes, each with its status and meaning.
fn codes() -> BTreeMap<String, (u16, String)> {
    let row = |code: &Code| (code.as_str().into(), (code.status().as_u16(), code.meaning().into()));
    Code::ALL.iter().map(row).collect()
}

/// The codes in the table of docs/reference/errors.md, each with its status and meaning.
fn codes_in_reference() -> BTreeMap<String, (u16, String)> {
    let reference = include_str!("../../../docs/reference/errors.md");
    let (_, table) = reference.split_once("\n## All codes").expect("the table");
    let rows = table.lines().take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with("| `"));
    let row = |row: &str| {
        let cells: Vec<_> = row.split(" | ").collect();
        let code = cells[0].trim_start_matches("| ").trim_matches('`');
        (code.into(), (cells[1].parse().expect("a status"), without_links(cells[2])))
    };
    rows.map(row).collect()
}

/// Markdown with the text of each link in place of the link.
fn without_links(markdown: &str) -> String {
    let Some((before, rest)) = markdown.split_once('[') else { return markdown.into() };
    let (text, rest) = rest.split_once("](").expect("a link");
    let (_, after) = rest.split_once(')').expect("the end of a link");
    format!("{before}{text}{}", without_links(after))
}

fn texts(value: &Value) -> BTreeSet<&str> {
    value.as_array().expect("a list").iter().map(|item| item.as_str().expect("a text")).collect()
}

/// Every object in a value, itself included.
fn objects<'a>(value: &'a Value, found: &mut Vec<&'a serde_json::Map<String, Value>>) {
    match value {
        Value::Object(object) => {
            found.push(object);
            object.values().for_each(|value| objects(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| objects(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_that_of_the_repository_and_of_this_version() {
    let answer = Replica::shared().await.get("/openapi.json").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.text, include_str!("../../../docs/openapi.json"));
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_document_is_the_one_that_the_types_and_the_operations_make() {
    let (committed, made) = (include_str!("../../../docs/openapi.json"), gorilla_wire::openapi::document());
    let line = 1 + committed.lines().zip(made.lines()).take_while(|(committed, made)| committed == made).count();
    let [is, should] = [committed, &made].map(|text| text.lines().nth(line - 1).unwrap_or("the end").trim());
    assert!(
        committed == made,
        "docs/openapi.json is out of date: run `make openapi`. Line {line} is {is}, and should be {should}"
    );
}

/// Rust files below a directory of the repository.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let below = directories.iter().flat_map(|directory| sources(directory));
    files.into_iter().filter(|file| file.extension().is_some_and(|end| end == "rs")).chain(below).collect()
}

#[test]
fn neither_the_server_nor_the_client_writes_a_code_as_text() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files: Vec<_> = ["src", "client/src"].iter().flat_map(|part| sources(&root.join(part))).collect();
    assert!(files.len() > 40, "only {} files were found", files.len());
    for file in files {
        let text = fs::read_to_string(&file).expect("text");
        for code in codes().keys() {
            assert!(!text.contains(&format!("\"{code}\"")), "{} has the code {code:?} as text", file.display());
        }
    }
}

#[tokio::test]
async fn a_path_without_a_name_and_a_break_in_place_of_a_token_are_answered_as_the_document_says() {
    let api = Replica::shared().await;
    for path in ["/api/v1/locks/", "/api/v1/locks/a/"] {
        let answer = api.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{path}");
    }
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = api.send(method.clone(), "/api/v1/locks/a/break", &[], None).await;
        assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"), "{method}");
        assert_eq!(answer.header("allow"), Some("POST"), "{method}");
    }
}

#[tokio::test]
async fn who_has_the_document_is_not_sent_it_again() {
    let api = Replica::shared().await;
    let first = api.get("/openapi.json").await;
    let tag = first.header("etag").expect("a tag").to_string();
    assert_eq!(first.header("cache-control"), Some("no-cache"));
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".into()] {
        let again = api.send(Method::GET, "/openapi.json", &[("If-None-Match", &known)], None).await;
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{known}");
        assert_eq!(again.header("etag"), Some(tag.as_str()));
    }
    for other in ["\"other\"", "", tag.trim_matches('"')] {
        let again = api.send(Method::GET, "/openapi.json", &[("If-None-Match", other)], None).await;
        assert_eq!((again.status, again.text == first.text), (200, true), "{other}");
    }
}

#[tokio::test]
async fn the_paths_and_methods_are_those_of_the_routes() {
    let (api, document) = (Replica::shared().await, document().await);
    let described = document["paths"].as_object().expect("paths");
    let routes: BTreeSet<_> = Operation::ALL.into_iter().map(Operation::path).collect();
    assert_eq!(described.keys().map(String::as_str).collect::<BTreeSet<_>>(), routes);
    for path in routes {
        // The service itself says which methods a path has.
        let concrete = path.replace("{resource}", "a").replace("{token}", "00000000-0000-4000-8000-000000000000");
        let answer = api.send(Method::OPTIONS, &concrete, &[], None).await;
        let allowed: BTreeSet<_> =
            answer.header("allow").unwrap_or_default().split(',').map(str::to_lowercase).collect();
        let methods = described[path].as_object().expect("methods").keys().filter(|key| *key != "parameters");
        assert_eq!(methods.cloned().collect::<BTreeSet<_>>(), allowed, "{path}");
    }
}

#[tokio::test]
async fn the_parameters_of_each_path_are_those_in_its_braces() {
    let document = document().await;
    for (path, item) in document["paths"].as_object().expect("paths") {
        let in_braces: BTreeSet<_> = path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        let parameters = item["parameters"].as_array().into_iter().flatten();
        let names = parameters.filter_map(|parameter| parameter["$ref"].as_str()?.rsplit('/').next());
        assert_eq!(names.collect::<BTreeSet<_>>(), in_braces, "{path}");
    }
}

#[tokio::test]
async fn every_code_of_an_error_is_in_the_document_and_in_the_reference() {
    let document = document().await;
    let reference = codes_in_reference();
    let described = codes();
    assert!(described.keys().eq(reference.keys()), "{:?} in the crate, {:?}", described.keys(), reference.keys());
    for (code, is) in &described {
        assert_eq!(is, &reference[code], "{code} in gorilla-wire's code.rs and in docs/reference/errors.md");
    }
    let codes: BTreeSet<_> = reference.keys().map(String::as_str).collect();
    assert!(codes.len() >= 25, "{codes:?}");
    for schema in ["Error", "Problem"] {
        let code = &document["components"]["schemas"][schema]["properties"]["code"];
        assert_eq!(texts(&code["enum"]), codes, "{schema}");
        for (code_name, (status, meaning)) in &reference {
            let line = format!("- `{code_name}` ({status}): {meaning}");
            assert!(code["description"].as_str().is_some_and(|text| text.contains(&line)), "{schema} lacks {line:?}");
        }
    }
    // And each has an example in both forms, with its status.
    let examples = document["components"]["examples"].as_object().expect("examples");
    for (code, (status, _)) in &reference {
        assert_eq!(examples[code]["value"]["code"], *code);
        let problem = &examples[&format!("{code}_problem")]["value"];
        assert_eq!((&problem["code"], &problem["status"]), (&code.as_str().into(), &(*status).into()));
    }
    assert_eq!(examples.len(), 2 * codes.len());
}

#[tokio::test]
async fn every_reference_within_the_document_leads_somewhere() {
    let document = document().await;
    let mut found = Vec::new();
    objects(&document, &mut found);
    let references: Vec<_> = found.iter().filter_map(|object| object.get("$ref")?.as_str()).collect();
    assert!(references.len() > 50, "only {} references were found", references.len());
    for reference in &references {
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads out of the document"));
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let by_name = |kind: &str| kind == "securitySchemes";
    for (kind, parts) in
        document["components"].as_object().expect("components").iter().filter(|(kind, _)| !by_name(kind))
    {
        for part in parts.as_object().expect("parts").keys() {
            let reference = format!("#/components/{kind}/{part}");
            assert!(references.contains(&reference.as_str()), "nothing refers to {reference}");
        }
    }
}

/// What a test says when its own server answers a request with this; nothing if the test goes on.
async fn said_of(path: &'static str, head: &str, body: &str) -> Option<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let api = Api::at(&listener.local_addr().expect("an address").to_string());
    let asking = tokio::spawn(async move { api.get(path).await });
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let request = stream.read(&mut [0; 4096]).await.expect("a request");
    assert_ne!(request, 0, "the client hung up");
    let answer = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await.expect("a client that reads");
    let panic = asking.await.err()?.into_panic();
    Some(*panic.downcast::<String>().expect("a message"))
}

#[tokio::test]
async fn an_answer_that_the_document_does_not_describe_fails_the_test_that_gets_it() {
    let json = "Content-Type: application/json";
    let health = r#"{"status":"ok","version":"0"}"#;
    for (path, head, body, says) in [
        (
            "/_health",
            format!("200 OK\r\n{json}"),
            r#"{"status":"fine","version":"0"}"#,
            &["/_health", "/status", "\"ok\""][..],
        ),
        ("/_health", format!("200 OK\r\n{json}"), r#"{"status":"ok"}"#, &["version"]),
        ("/_health?a=b", format!("200 OK\r\n{json}"), "{}", &["status"]),
        ("/_health", format!("202 Accepted\r\n{json}"), health, &["no status 202 for GET /_health"]),
        ("/_health", "200 OK\r\nContent-Type: text/json".into(), health, &["no text/json for 200 of GET /_health"]),
        ("/_health", format!("200 OK\r\n{json}"), "{", &["not valid JSON"]),
        (
            "/api/v1/locks/a",
            format!("404 Not Found\r\n{json}"),
            r#"{"errorMessage":"No.","code":"queue_full","outcome":"not_executed"}"#,
            &["/code", "queue_full"],
        ),
        (
            "/api/v1/locks/a/00000000-0000-4000-8000-000000000000",
            format!("404 Not Found\r\n{json}"),
            r#"{"errorMessage":"No.","code":"lock_not_found","outcome":"perhaps"}"#,
            &["/outcome", "perhaps"],
        ),
    ] {
        let said = said_of(path, &head, body).await.unwrap_or_else(|| panic!("{path} may answer {head}: {body}"));
        for part in says {
            assert!(said.contains(part), "{part:?} is not in {said:?}");
        }
    }
    // An answer that the document describes is fine. The test judges neither paths that the document does not have nor
    // answers without JSON.
    for (path, head, body) in [
        ("/_health", format!("200 OK\r\n{json}; charset=utf-8"), health),
        ("/_health", "502 Bad Gateway\r\nContent-Type: text/html".into(), "<h1>"),
        ("/elsewhere", format!("200 OK\r\n{json}"), "[]"),
    ] {
        assert_eq!(said_of(path, &head, body).await, None, "{path} {head}");
    }
}
