//! The form of an answer that is not a success: Gorilla's own, or RFC 9457 if the client asks for it.

use axum::{http::header, response::Response};
use gorilla_wire::Code;

use super::head::Head;
use crate::api::{error::ApiError, shape::Shape};

/// The media type of RFC 9457.
const PROBLEM: &str = "application/problem+json";

/// Which form a client wants.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    is_problem: bool,
}

/// What an error was, for the log.
pub struct Told {
    /// What the client is told.
    pub code: Code,
    /// What only the log is told.
    pub cause: Option<String>,
}

impl Form {
    /// The form that a client accepts.
    pub fn accepted(head: &Head) -> Self {
        let names_problem =
            |kind: &str| kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(PROBLEM));
        // Most values are shorter than its name, and need not be taken apart.
        let long = head.accept.iter().filter(|value| value.len() >= PROBLEM.len());
        let mut accepted = long.filter_map(|value| value.to_str().ok());
        let is_problem = accepted.any(|kinds| kinds.split(',').any(names_problem));
        Self { is_problem }
    }

    /// The body of an error in this form.
    pub fn json(self, shape: Shape) -> String {
        shape.into_json(self.is_problem)
    }

    /// Writes the error that a handler has left in an answer, if there is one.
    pub fn write(self, response: &mut Response) -> Option<Told> {
        let error = response.extensions_mut().remove::<ApiError>()?;
        let shape = Shape::of(&error);
        let told = Told { code: shape.body.code, cause: error.cause().map(String::from) };
        let mut shaped = shape.into_response(self.is_problem);
        // axum adds Allow to a 405.
        if let Some(allow) = response.headers_mut().remove(header::ALLOW) {
            shaped.headers_mut().insert(header::ALLOW, allow);
        }
        *response = shaped;
        Some(told)
    }
}
