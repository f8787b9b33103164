//! References to parts of the document that stand in it once.

use serde_json::{Value, json};

/// A reference to a component of the document.
pub fn component(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}
