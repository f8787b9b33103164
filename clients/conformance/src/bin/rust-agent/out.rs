//! What the agent writes.

use std::io::{Write, stdout};

use serde_json::{Value, json};

use crate::errors::Failed;

/// A line of standard output.
pub fn line(message: &Value) {
    let mut stdout = stdout().lock();
    // Fails if the runner has ended; then this process ends too.
    let _ = writeln!(stdout, "{message}").and_then(|()| stdout.flush());
}

/// The answer to a command.
pub fn answer(id: u64, answer: &Result<Value, Failed>) {
    line(&match answer {
        Ok(ok) => json!({ "id": id, "ok": ok }),
        Err(error) => json!({ "id": id, "error": error.0 }),
    });
}

/// An event about a lock.
pub fn event(name: &str, lock: &str, mut facts: Value) {
    (facts["event"], facts["lock"]) = (name.into(), lock.into());
    line(&facts);
}
