//! The schemas of the bodies. schemars knows the members of the types; `values` says which values they have.

use schemars::{
    Schema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
    transform::RecursiveTransform,
};
use serde_json::{Map, Value, json};

use super::component::component;
use crate::{
    Acquire, AcquireSet, Batch, Batched, Break, Broken, Campaign, Contention, Election, Error, Events, Extend, Group,
    Health, History, Holder, Keep, Leadership, Limit, Lock, LockSet, Me, Op, Page, Pin, Problem, Queue, Ready, Redis,
    Release, Replicas, State, Stats, Tenure,
};

/// The member of a [`State`] that is there only if it is true.
const BREAKING: &str = "breaking";
/// The members of a [`Tenure`] that are there only if they are known.
const IF_KNOWN: [&str; 2] = ["renewals", "by"];

/// The schemas of all bodies.
pub fn all() -> Map<String, Value> {
    let mut requests = generator(Contract::Deserialize);
    requests.subschema_for::<Acquire<String>>();
    requests.subschema_for::<AcquireSet<String>>();
    requests.subschema_for::<Extend<String>>();
    requests.subschema_for::<Break<String>>();
    requests.subschema_for::<Pin<String>>();
    requests.subschema_for::<Campaign<String>>();
    requests.subschema_for::<Keep<String>>();
    requests.subschema_for::<Batch<String>>();
    let mut answers = generator(Contract::Serialize);
    answers.subschema_for::<Lock>();
    answers.subschema_for::<LockSet>();
    answers.subschema_for::<Page>();
    answers.subschema_for::<Broken>();
    answers.subschema_for::<Holder>();
    answers.subschema_for::<Queue>();
    answers.subschema_for::<Limit>();
    answers.subschema_for::<Leadership>();
    answers.subschema_for::<Election>();
    answers.subschema_for::<Events>();
    answers.subschema_for::<History>();
    answers.subschema_for::<Batched>();
    answers.subschema_for::<Stats>();
    answers.subschema_for::<Replicas>();
    answers.subschema_for::<Contention>();
    answers.subschema_for::<Redis>();
    answers.subschema_for::<Me>();
    answers.subschema_for::<Health>();
    answers.subschema_for::<Ready>();
    answers.subschema_for::<Error>();
    answers.subschema_for::<Problem>();
    let mut schemas = requests.take_definitions(true);
    schemas.append(&mut answers.take_definitions(true));
    schemas.extend(states());
    let items = Op::ALL.map(|op| component("schemas", &name_of_item(op)));
    schemas.insert("Item".into(), json!({ "description": "An item of a batch.", "oneOf": items }));
    schemas.extend(Op::ALL.map(|op| (name_of_item(op), of_item(op))));
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

fn name_of_item(op: Op) -> String {
    format!("{op:?}Item")
}

/// An item of a batch: the body of its operation, without `wait`, and what that operation has in its path and headers.
fn of_item(op: Op) -> Value {
    let generator = generator(Contract::Deserialize);
    let body = match op {
        Op::Acquire => generator.into_root_schema_for::<Acquire<String>>(),
        Op::Extend => generator.into_root_schema_for::<Extend<String>>(),
        Op::Release => generator.into_root_schema_for::<Release>(),
    };
    let of_body = body.to_value();
    let mut properties = json!({
        "op": { "const": op.as_str(), "description": "What to do." },
        "resource": {
            "type": "string", "minLength": 1, "maxLength": 256,
            "description": "The name of the resource, as it is: not percent-encoded.",
        },
    });
    let mut required = vec![json!("op"), json!("resource")];
    if op != Op::Acquire {
        properties["token"] = json!({ "type": "string", "description": "The token of the lock." });
        required.push("token".into());
    }
    let members = of_body["properties"].as_object().into_iter().flatten();
    for (name, member) in members.filter(|(name, _)| *name != "wait") {
        properties[name] = member.clone();
    }
    required.extend(of_body["required"].as_array().into_iter().flatten().cloned());
    let description = format!("An item of a batch that does what the operation `{}` does.", op.as_str());
    json!({
        "type": "object",
        "description": description,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// What a [`State`] is while one client holds the lock, while several may, and while nobody does. It has all members of
/// the tenure or no member of it, and of the group likewise, which schemars does not say.
fn states() -> [(String, Value); 3] {
    let root = |schema: Schema| schema.to_value();
    let mut state = root(generator(Contract::Serialize).into_root_schema_for::<State>());
    let tenure = root(generator(Contract::Serialize).into_root_schema_for::<Tenure>());
    let group = root(generator(Contract::Serialize).into_root_schema_for::<Group>());
    for word in ["$schema", "$defs", "components", "title"] {
        state.as_object_mut().map(|state| state.remove(word));
    }
    let of = |is_held: bool, description: &str, what: &str, without: &[&Value]| {
        let mut one = state.clone();
        one["description"] = description.into();
        one["properties"]["held"] = json!({ "const": is_held, "description": what });
        if let Some(members) = one["properties"].as_object_mut() {
            members.retain(|name, _| !without.iter().any(|part| part["properties"].get(name).is_some()));
            if !is_held {
                members.remove(BREAKING);
            }
        }
        let always = |name: &&String| *name != BREAKING && !IF_KNOWN.contains(&name.as_str());
        one["required"] =
            one["properties"].as_object().into_iter().flat_map(Map::keys).filter(always).cloned().collect();
        one
    };
    let (somebody, nobody) = ("Somebody holds it.", "Nobody holds it.");
    let mut held = of(true, "What everybody may know of a lock that one client holds.", somebody, &[&group]);
    held["not"] = json!({ "properties": { "mode": {} }, "required": ["mode"] });
    [
        ("Held".into(), held),
        ("Shared".into(), of(true, "What everybody may know of a lock that several clients may hold.", somebody, &[])),
        ("Free".into(), of(false, "What everybody may know of a lock that nobody holds.", nobody, &[&tenure, &group])),
    ]
}
