//! The errors of the client in the words of the protocol.

use gorilla_client::{Error, Lost};
use serde_json::{Value, json};

/// The member `error` of an answer.
pub struct Failed(pub Value);

impl Failed {
    pub fn cancelled() -> Self {
        Self(json!({ "kind": "Cancelled", "message": "the command was cancelled" }))
    }

    pub fn unsupported(command: &str) -> Self {
        Self(json!({ "kind": "Unsupported", "message": format!("this agent does not know {command}") }))
    }

    pub fn other(message: &str) -> Self {
        Self(json!({ "kind": "Other", "message": message }))
    }

    /// The error of a body.
    pub fn body(message: &str, lost: Option<&str>) -> Self {
        Self(json!({ "kind": "BodyError", "message": message, "lost": lost }))
    }

    /// The same with whether the lock counted as held.
    pub fn held(mut self, held: bool) -> Self {
        self.0["held"] = held.into();
        self
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let (message, request_id) = (error.to_string(), error.request_id().map(String::from));
        let mut failed = match &error {
            Error::NotAcquired(busy) => {
                let holder = busy.holder.as_ref().map(|holder| {
                    let ttl = holder.ttl.as_millis() as u64;
                    json!({ "owner": holder.owner, "fence": holder.fence.to_string(), "ttlMs": ttl })
                });
                let (position, waiting) = (busy.position, busy.waiting);
                json!({ "kind": "NotAcquired", "message": message, "holder": holder, "position": position, "waiting": waiting })
            }
            Error::Lost(lost) => json!({ "kind": "LockLost", "message": message, "reason": reason(lost) }),
            Error::Unknown(_) => json!({ "kind": "Unknown", "message": message }),
            Error::Unavailable(_) => json!({ "kind": "Unavailable", "message": message }),
            Error::Refused { code, field, .. } => {
                json!({ "kind": "Refused", "message": message, "code": code, "field": field })
            }
            _ => json!({ "kind": "Other", "message": message }),
        };
        failed["requestId"] = request_id.into();
        Self(failed)
    }
}

/// The reason of a loss in the words of the protocol.
pub fn reason(lost: &Lost) -> &'static str {
    match lost {
        Lost::Ended(_) => "ended",
        // The server does not renew it any more, and it ends.
        Lost::Breaking => "ended",
        Lost::MaxHold => "max_hold",
        _ => "unconfirmed",
    }
}
