//! The schemas of the bodies. schemars knows the members of the types; `values` says which values they have.

use schemars::{
    Schema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
    transform::RecursiveTransform,
};
use serde_json::{Map, Value, json};

use crate::{
    Acquire, Break, Broken, Error, Extend, Group, Health, Holder, Limit, Lock, Page, Pin, Problem, Queue, Ready, State,
    Tenure,
};

/// The schemas of all bodies.
pub fn all() -> Map<String, Value> {
    let mut requests = generator(Contract::Deserialize);
    requests.subschema_for::<Acquire<String>>();
    requests.subschema_for::<Extend<String>>();
    requests.subschema_for::<Break<String>>();
    requests.subschema_for::<Pin<String>>();
    let mut answers = generator(Contract::Serialize);
    answers.subschema_for::<Lock>();
    answers.subschema_for::<Page>();
    answers.subschema_for::<Broken>();
    answers.subschema_for::<Holder>();
    answers.subschema_for::<Queue>();
    answers.subschema_for::<Limit>();
    answers.subschema_for::<Health>();
    answers.subschema_for::<Ready>();
    answers.subschema_for::<Error>();
    answers.subschema_for::<Problem>();
    let mut schemas = requests.take_definitions(true);
    schemas.append(&mut answers.take_definitions(true));
    schemas.extend(states());
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
        }
        one["required"] = one["properties"].as_object().into_iter().flat_map(Map::keys).cloned().collect();
        one
    };
    let (somebody, nobody) = ("Somebody holds it.", "Nobody holds it.");
    [
        ("Held".into(), of(true, "What everybody may know of a lock that one client holds.", somebody, &[&group])),
        ("Shared".into(), of(true, "What everybody may know of a lock that several clients may hold.", somebody, &[])),
        ("Free".into(), of(false, "What everybody may know of a lock that nobody holds.", nobody, &[&tenure, &group])),
    ]
}
