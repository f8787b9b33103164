//! Which values the members of bodies have: the types of the wire name these functions, and schemars calls them.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::component::component;
use crate::Code;

/// Seconds from 0.1 to 86400 as a plain decimal.
const TIMEOUT: &str = "^(0\\.[1-9][0-9]*|[1-9][0-9]{0,3}(\\.[0-9]+)?|[1-7][0-9]{4}(\\.[0-9]+)?\
                       |8[0-5][0-9]{3}(\\.[0-9]+)?|86[0-3][0-9]{2}(\\.[0-9]+)?|86400)$";

/// Seconds from 0 to 86400 as a plain decimal.
const UP_TO_A_DAY: &str = "^((0|[1-9][0-9]{0,3}|[1-7][0-9]{4}|8[0-5][0-9]{3}|86[0-3][0-9]{2})(\\.[0-9]+)?|86400)$";

/// Lists what an enum can be, in place of a schema for each.
pub fn enumerate(schema: &mut Schema) {
    let variants = schema.remove("oneOf").unwrap_or_default();
    let texts: Vec<_> = variants.as_array().into_iter().flatten().map(|variant| variant["const"].clone()).collect();
    schema.insert("type".into(), "string".into());
    schema.insert("enum".into(), texts.into());
    always_there(schema);
}

/// Takes the default away. Only clients need it, for answers of other versions: this version always has the member.
pub fn always_there(schema: &mut Schema) {
    schema.remove("default");
}

/// Describes all codes, with their statuses and meanings.
pub fn list_codes(schema: &mut Schema) {
    let line = |code: &Code| format!("\n- `{}` ({}): {}", code.as_str(), code.status().as_u16(), code.meaning());
    let lines: String = Code::ALL.iter().map(line).collect();
    schema.insert("description".into(), format!("Stable.\n{lines}").into());
}

impl JsonSchema for Code {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        json_schema!({ "type": "string", "enum": codes })
    }
}

/// The items of a batch.
pub fn operations(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": component("schemas", "Item") })
}

/// The body of the answer to an item.
pub fn item_body(_: &mut SchemaGenerator) -> Schema {
    let bodies = ["Lock", "Error", "Problem"].map(|body| component("schemas", body));
    json_schema!({ "anyOf": bodies })
}

pub fn any_status(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 200, "maximum": 599 })
}

pub fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({})
}

pub fn list(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": {} })
}

pub fn held_locks(_: &mut SchemaGenerator) -> Schema {
    let one = |name| json_schema!({ "$ref": format!("#/components/schemas/{name}") });
    json_schema!({ "type": "array", "items": { "oneOf": [one("Held"), one("Shared")] } })
}

/// A resource or an owner.
pub fn name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "maxLength": 256 })
}

/// The name of a resource in a body.
pub fn resource(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 256,
        "pattern": "^[^/\\u0000-\\u001f\\u007f-\\u009f]+$",
        "not": { "enum": [".", ".."] },
    })
}

pub fn set_parts(generator: &mut SchemaGenerator) -> Schema {
    let part = generator.subschema_for::<crate::SetPart<String>>();
    json_schema!({ "type": "array", "items": part, "minItems": 1, "maxItems": 64 })
}

pub fn uuid(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "uuid" })
}

pub fn token(_: &mut SchemaGenerator) -> Schema {
    let uuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";
    json_schema!({ "type": "string", "pattern": format!("^({uuid}\\.)?{uuid}$") })
}

pub fn time(_: &mut SchemaGenerator) -> Schema {
    let pattern = "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$";
    json_schema!({ "type": "string", "format": "date-time", "pattern": pattern })
}

pub fn count(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 0 })
}

pub fn status(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 400, "maximum": 599 })
}

pub fn seconds(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "number", "minimum": 0 })
}

pub fn fence(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 1, "maximum": 9_007_199_254_740_991_u64 })
}

pub fn fence_or_null(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [fence(generator), { "type": "null" }] })
}

pub fn reason(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"], "maxLength": 256 })
}

pub fn timeout(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "oneOf": [{ "type": "number", "minimum": 0.1, "maximum": 86400 }, { "type": "string", "pattern": TIMEOUT }],
        "examples": [30, 0.5, "30"],
    })
}

pub fn wait(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "oneOf": [
            { "type": "number", "minimum": 0, "maximum": 60 },
            { "type": "string", "pattern": "^([0-5]?[0-9](\\.[0-9]+)?|60)$" },
            { "type": "null" },
        ],
        "examples": [10, "0.5"],
    })
}

/// How long a holder may keep a lock that is broken.
pub fn grace(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "oneOf": [
            { "type": "number", "minimum": 0, "maximum": 86400 },
            { "type": "string", "pattern": UP_TO_A_DAY },
            { "type": "null" },
        ],
        "examples": [10, "0.5"],
    })
}

/// The type of an event.
pub fn event_type(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": crate::EVENT_TYPES })
}

/// Why events are missing.
pub fn missed(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["trimmed", "restarted", "failover", "slow", "not_recorded", null] })
}

pub fn text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string" })
}

pub fn text_or_null(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"] })
}

pub fn time_or_null(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [time(generator), { "type": "null" }] })
}

pub fn only_shared(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": "shared" })
}

/// A member that is there only if it is true.
pub fn only_true(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": true })
}

/// Of the requests with the same text only the newest waits.
pub fn replaces(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"], "minLength": 1, "maxLength": 256 })
}

pub fn boolean(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["boolean", "null"] })
}

pub fn mode(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["exclusive", "shared", null] })
}

/// How many permits a limit allows, or a lock takes.
pub fn permits(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 1, "maximum": 1_000_000 })
}

pub fn limit(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [permits(generator), { "type": "null" }] })
}
