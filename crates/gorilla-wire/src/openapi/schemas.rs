//! The schemas of the bodies. schemars knows the members of the types; this file says which values they have.

use schemars::{
    JsonSchema, Schema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
    json_schema,
    transform::RecursiveTransform,
};
use serde_json::{Map, Value, json};

use crate::{Acquire, Break, Broken, Code, Error, Extend, Health, Lock, Page, Problem, Ready, State, Tenure};

/// Seconds from 0.1 to 86400 as a plain decimal.
const TIMEOUT: &str = "^(0\\.[1-9][0-9]*|[1-9][0-9]{0,3}(\\.[0-9]+)?|[1-7][0-9]{4}(\\.[0-9]+)?\
                       |8[0-5][0-9]{3}(\\.[0-9]+)?|86[0-3][0-9]{2}(\\.[0-9]+)?|86400)$";

/// The schemas of all bodies.
pub fn all() -> Map<String, Value> {
    let mut requests = generator(Contract::Deserialize);
    requests.subschema_for::<Acquire<String>>();
    requests.subschema_for::<Extend<String>>();
    requests.subschema_for::<Break<String>>();
    let mut answers = generator(Contract::Serialize);
    answers.subschema_for::<Lock>();
    answers.subschema_for::<Page>();
    answers.subschema_for::<Broken>();
    answers.subschema_for::<Health>();
    answers.subschema_for::<Ready>();
    answers.subschema_for::<Error>();
    answers.subschema_for::<Problem>();
    let mut schemas = requests.take_definitions(true);
    schemas.append(&mut answers.take_definitions(true));
    let [held, free] = states();
    schemas.extend([("Held".into(), held), ("Free".into(), free)]);
    schemas
}

fn generator(contract: Contract) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.contract = contract;
        settings.transforms.push(Box::new(RecursiveTransform(unwrap)));
    });
    settings.into_generator()
}

/// Takes the line ends out of a description: they come from the comment that the description is made from.
fn unwrap(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description")
        && !text.contains("\n\n")
    {
        *text = text.replace('\n', " ");
    }
}

/// What a [`State`] is while somebody holds the lock, and while nobody does. It has all members of the tenure or none,
/// which schemars does not say.
fn states() -> [Value; 2] {
    let of = |schema: Schema| schema.to_value();
    let mut state = of(generator(Contract::Serialize).into_root_schema_for::<State>());
    let tenure = of(generator(Contract::Serialize).into_root_schema_for::<Tenure>());
    for word in ["$schema", "title"] {
        state.as_object_mut().map(|state| state.remove(word));
    }
    let [mut held, mut free] = [state.clone(), state];
    held["description"] = "What everybody may know of a lock that somebody holds.".into();
    held["properties"]["held"] = json!({ "const": true, "description": "Somebody holds it." });
    held["required"] = held["properties"].as_object().into_iter().flat_map(Map::keys).cloned().collect();
    free["description"] = "What everybody may know of a lock that nobody holds.".into();
    free["properties"]["held"] = json!({ "const": false, "description": "Nobody holds it." });
    if let (Some(members), Some(of_tenure)) = (free["properties"].as_object_mut(), tenure["properties"].as_object()) {
        members.retain(|name, _| !of_tenure.contains_key(name));
    }
    [held, free]
}

/// Lists what an enum can be, in place of a schema for each.
pub fn enumerate(schema: &mut Schema) {
    let variants = schema.remove("oneOf").unwrap_or_default();
    let texts: Vec<_> = variants.as_array().into_iter().flatten().map(|variant| variant["const"].clone()).collect();
    schema.insert("type".into(), "string".into());
    schema.insert("enum".into(), texts.into());
    always_there(schema);
}

/// Takes the default away: with it a client reads an answer of another version, and this version always has the member.
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

pub fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({})
}

pub fn list(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": {} })
}

pub fn held_locks(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "$ref": "#/components/schemas/Held" } })
}

/// A resource or an owner.
pub fn name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "maxLength": 256 })
}

pub fn uuid(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "uuid" })
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
