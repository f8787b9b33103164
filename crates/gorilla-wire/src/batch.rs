//! Many operations in one request.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Token,
    request::{Body, given},
};

/// The most items that a batch may have.
pub const MOST_ITEMS: usize = 1000;

/// Many operations in one request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "V: Deserialize<'de>"))]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", schemars(rename = "Batch", extend("required" = ["operations"])))]
pub struct Batch<V> {
    /// At most 1000 items, each with the fields of the body of its operation, and `op`, `resource` and `token`.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::operations", extend("maxItems" = MOST_ITEMS)))]
    pub operations: Option<V>,
    /// With `true` the answer leaves out items that succeeded. Only for items whose answers have no new token: releases,
    /// and extends with `"rotate": false`.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::boolean"))]
    pub brief: Option<V>,
}

impl<V> Body for Batch<V> {
    const FIELDS: &'static [&'static str] = &["operations", "brief"];
}

/// What an item of a batch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Takes a lock.
    Acquire,
    /// Renews a lease.
    Extend,
    /// Frees a lock.
    Release,
}

impl Op {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Acquire, Self::Extend, Self::Release];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acquire => "acquire",
            Self::Extend => "extend",
            Self::Release => "release",
        }
    }
}

/// An item of a batch, as a client writes it.
#[derive(Clone, Debug, Serialize)]
pub struct Item<'a, B> {
    /// What to do.
    pub op: Op,
    /// With which resource.
    pub resource: &'a str,
    /// The right to it, for extend and release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<&'a Token>,
    /// The body of the single operation.
    #[serde(flatten)]
    pub body: B,
}

/// What came of the items of a batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Batched {
    /// How many items succeeded.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub ok: u64,
    /// How many items were refused and changed nothing.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub failed: u64,
    /// How many items may have been executed or not.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub unknown: u64,
    /// What came of each item, in the order of the items; with `brief` only of items that did not succeed.
    pub results: Vec<ItemResult>,
}

/// What came of an item of a batch: what the single operation would have been answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ItemResult {
    /// Which item, counted from 0.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub index: usize,
    /// The status that the answer would have had.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::any_status"))]
    pub status: u16,
    /// The body that it would have had; a release that succeeds has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::item_body"))]
    pub body: Option<Value>,
    /// Present and true if this success was answered before to the same Idempotency-Key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "openapi", schemars(extend("const" = true), transform = crate::openapi::values::always_there))]
    pub replayed: bool,
    /// The seconds after which to try again, where the answer would have had the header `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub retry_after: Option<u64>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Extend;

    #[test]
    fn an_item_is_the_body_of_its_operation_with_three_fields_more() {
        let body = Extend::<Value> { timeout: Some(30.into()), rotate: Some(false.into()), ..Extend::default() };
        let item = Item { op: Op::Extend, resource: "a", token: Some(&Token::new("t")), body };
        let expected = json!({ "op": "extend", "resource": "a", "token": "t", "timeout": 30, "rotate": false });
        assert_eq!(json!(item), expected);
    }

    #[test]
    fn the_words_of_the_operations_are_those_that_are_written() {
        for op in Op::ALL {
            assert_eq!(json!(op), json!(op.as_str()));
        }
    }
}
