//! Says in words for people why there is no connection: fred has what the system said in Rust's debug form.

use fred::error::{Error, ErrorKind};

/// An error of fred as a part of a sentence, without a full stop.
pub fn explain(error: &Error) -> String {
    let details = error.details();
    match error.kind() {
        ErrorKind::Timeout => "Redis did not answer in time".into(),
        _ if details.starts_with("NOAUTH") => {
            "Redis refused the user name or password: NOAUTH, it wants a password, and redis.url has none".into()
        }
        _ if details.starts_with("WRONGPASS") => format!("Redis refused the user name or password: {}", plain(details)),
        ErrorKind::Auth => format!("Redis refused to let Gorilla in: {}", plain(details)),
        ErrorKind::Sentinel if details.starts_with("Failed to connect to all") => {
            "Gorilla can't reach any sentinel, or no sentinel accepts its password".into()
        }
        _ => plain(details),
    }
}

/// Takes the message for people out of `Os { code: 111, kind: ConnectionRefused, message: "Connection refused" }` and
/// the like.
fn plain(details: &str) -> String {
    let inner = |start: &str| {
        let (_, rest) = details.split_once(start)?;
        rest.strip_suffix(" }")
    };
    let said = inner("message: ").or_else(|| inner("error: ")).unwrap_or(details);
    let said = said.trim_matches('"').trim_end_matches('.');
    match said.strip_prefix("InvalidCertificate(").and_then(|reason| reason.strip_suffix(')')) {
        Some(reason) => format!("Gorilla doesn't accept the certificate of Redis: {reason}"),
        None => said.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_said_is_told_without_rust_s_debug_form() {
        for (kind, details, told) in [
            (
                ErrorKind::IO,
                r#"Os { code: 111, kind: ConnectionRefused, message: "Connection refused" }"#,
                "Connection refused",
            ),
            (
                ErrorKind::IO,
                r#"Custom { kind: Uncategorized, error: "failed to lookup address information: Name or service not known" }"#,
                "failed to lookup address information: Name or service not known",
            ),
            (
                ErrorKind::IO,
                "Custom { kind: InvalidData, error: InvalidCertificate(UnknownIssuer) }",
                "Gorilla doesn't accept the certificate of Redis: UnknownIssuer",
            ),
            (
                ErrorKind::Auth,
                "WRONGPASS invalid username-password pair or user is disabled.",
                "Redis refused the user name or password: WRONGPASS invalid username-password pair or user is disabled",
            ),
            (ErrorKind::Unknown, "ERR max number of clients reached", "ERR max number of clients reached"),
            (ErrorKind::Cluster, "Invalid or missing cluster state.", "Invalid or missing cluster state"),
        ] {
            assert_eq!(explain(&Error::new(kind, details)), told);
        }
    }
}
