//! What the exit codes mean, after sysexits.h.

use std::process::ExitCode;

use gorilla_client::{Code, Error};

use super::messages;

/// The command line is wrong.
pub const USAGE: u8 = 64;
/// The server can't be reached or can't serve, or nobody knows what it did.
pub const UNAVAILABLE: u8 = 69;
/// The lock was not acquired.
pub const NOT_ACQUIRED: u8 = 75;
/// The lock was lost.
pub const LOST: u8 = 76;
/// Something in the settings is wrong.
pub const CONFIG: u8 = 78;

/// The exit code for an error of the client.
pub fn code(error: &Error) -> u8 {
    match error {
        Error::NotAcquired(_) => NOT_ACQUIRED,
        Error::Lost(_) => LOST,
        Error::Refused { code, .. } if code == Code::Replaced.as_str() => NOT_ACQUIRED,
        Error::Unknown(_) | Error::Unavailable(_) => UNAVAILABLE,
        Error::Refused { code, .. } if code.starts_with("invalid_") => USAGE,
        _ => 1,
    }
}

/// Writes an error of the client to standard error. Returns its exit code.
pub fn with(error: &Error) -> ExitCode {
    messages::tell(format_args!("{error}."));
    ExitCode::from(code(error))
}
