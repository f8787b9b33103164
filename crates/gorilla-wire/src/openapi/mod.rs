//! docs/openapi.json: the interface for machines, made from the operations, the types and the codes.

mod component;
mod examples;
mod operations;
mod parameters;
mod schemas;
pub(crate) mod values;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{Code, Operation, Right};
use component::component;
use operations::{Description, describe};

const ABOUT: &str = "\
Errors are JSON with a stable `code`; with `Accept: application/problem+json` they are RFC 9457. HEAD works \
wherever GET does; OPTIONS is 204 with Allow; another method is 405 `method_not_allowed` with Allow; another \
path is 404 `not_found`. A request that is not valid HTTP, or whose head has more than 32 KiB or 100 headers, \
is refused with 400 or 431, with an empty body and without X-Request-Id. A replica that listens on a loopback \
address serves only the hosts of the loopback and those that its settings name; a write that a browser sends for \
a page of another site is refused on every path. Where the operators of a replica have set an access file, a request \
needs an API key in the header `Authorization`, and the key must allow the operation on the resource.";

const BODY: &str = "Unknown and repeated fields are refused. A body needs the Content-Type `application/json`.";

/// The whole, with its parts in the order in which a person reads them.
#[derive(Serialize)]
struct Document {
    openapi: &'static str,
    info: Value,
    servers: Value,
    security: [Value; 0],
    tags: Value,
    paths: Map<String, Value>,
    components: Value,
}

/// An operation of the document, with its parts in the order in which a person reads them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OperationObject {
    operation_id: String,
    tags: [&'static str; 1],
    summary: String,
    description: &'static str,
    parameters: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_body: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    security: Option<Value>,
    responses: Map<String, Value>,
}

/// The text of docs/openapi.json.
pub fn document() -> String {
    let document = Document {
        openapi: "3.1.0",
        info: json!({
            "title": "Gorilla",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A distributed lock service on Redis: leases, fencing tokens, safe retries.",
            "description": ABOUT,
            "contact": { "name": "The maintainers of Gorilla" },
            "license": { "name": "MIT", "identifier": "MIT" },
        }),
        servers: json!([{ "url": "http://127.0.0.1:4000", "description": "A replica on this machine." }]),
        security: [],
        tags: json!([
            { "name": "locks", "description": "Taking, extending, releasing and watching locks." },
            { "name": "elections", "description": "Leaders and candidates, over the locks of the same names." },
            { "name": "health", "description": "What load balancers and supervisors ask." },
            { "name": "interface", "description": "The interface itself." },
        ]),
        paths: paths(),
        components: json!({
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "gorilla_…",
                    "description": "An API key, which `gorilla key new` makes. A replica without an access file demands none.",
                },
            },
            "parameters": parameters::parameters(),
            "headers": parameters::headers(),
            "examples": examples::all(),
            "schemas": schemas::all(),
        }),
    };
    // A struct of strings and JSON can't fail to be written.
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text + "\n"
}

fn paths() -> Map<String, Value> {
    let mut paths = Map::new();
    for operation in Operation::ALL {
        let item = &mut paths.entry(operation.path()).or_insert_with(|| json!({}));
        let in_path = operation.path().split('{').skip(1).filter_map(|rest| rest.split('}').next());
        let in_path: Vec<_> = in_path.map(|name| component("parameters", name)).collect();
        if !in_path.is_empty() {
            item["parameters"] = in_path.into();
        }
        let method = operation.method().as_str().to_lowercase();
        if method == "get" {
            item["head"] = json!(operation_object(operation, true));
        }
        item[method] = json!(operation_object(operation, false));
    }
    paths
}

/// An operation of the document. Its answers have no bodies if it is the HEAD beside a GET.
fn operation_object(operation: Operation, head: bool) -> OperationObject {
    let Description { id, tag, summary, description, mut parameters, body, successes } = describe(operation);
    parameters.push(component("parameters", "X-Request-Id"));
    let request_body = body.map(|body| {
        let content =
            json!({ "application/json": { "schema": component("schemas", body.schema), "examples": body.examples } });
        let description = format!("At most {} bytes. {BODY}", body.longest);
        json!({ "required": body.required, "description": description, "content": content })
    });
    let mut responses = Map::new();
    for success in successes {
        let mut response = json!({
            "description": success.description,
            "headers": headers(["X-Request-Id"].iter().chain(success.headers)),
        });
        if let Some(content) = success.content.filter(|_| !head) {
            response["content"] = json!({ success.media: content });
            if let Some((media, content)) = success.other {
                response["content"][media] = content;
            }
        }
        responses.insert(success.status.as_str().into(), response);
    }
    for codes in operation.codes().chunk_by(|one, next| one.status() == next.status()) {
        responses.insert(codes[0].status().as_str().into(), refusal(codes, head));
    }
    let (operation_id, summary) = match head {
        true => (format!("{id}Head"), format!("{summary} (head only)")),
        false => (id.into(), summary.into()),
    };
    // A replica may demand a key or not, as its operators have set it.
    let security = (operation.right() != Right::Public).then(|| json!([{ "apiKey": [] }, {}]));
    OperationObject { operation_id, tags: [tag], summary, description, parameters, request_body, security, responses }
}

/// The answers of one status that are not a success, by their codes.
fn refusal(codes: &[Code], head: bool) -> Value {
    let said: Vec<_> = codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.meaning())).collect();
    let mut names = vec!["X-Request-Id"];
    names.extend(codes.first().and_then(|code| parameters::header_of(*code)));
    let mut response = json!({ "description": said.join(" "), "headers": headers(names.iter()) });
    if !head {
        let form = |schema: &str, suffix: &str| {
            let names: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
            let example = |name: &&str| ((*name).to_string(), component("examples", &format!("{name}{suffix}")));
            let examples: Map<_, _> = names.iter().map(example).collect();
            let narrower = json!({ "type": "object", "properties": { "code": { "enum": names } } });
            json!({ "schema": { "allOf": [component("schemas", schema), narrower] }, "examples": examples })
        };
        response["content"] =
            json!({ "application/json": form("Error", ""), "application/problem+json": form("Problem", "_problem") });
    }
    response
}

fn headers<'a>(names: impl Iterator<Item = &'a &'a str>) -> Map<String, Value> {
    names.map(|name| ((*name).to_string(), component("headers", name))).collect()
}
