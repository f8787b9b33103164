//! The schemas of the bodies. schemars knows the members of the types; `values` says which values they have.

use schemars::{
    Schema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
    transform::RecursiveTransform,
};
use serde_json::{Map, Value, json};

use crate::{Acquire, Break, Broken, Error, Extend, Health, Lock, Page, Problem, Ready, State, Tenure};

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

/// What a [`State`] is while somebody holds the lock, and while nobody does. It has all members of the tenure or no
/// member of it, which schemars does not say.
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
