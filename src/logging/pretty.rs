//! Writes the fields of an event for people, who may read them on a terminal.
//!
//! tracing-subscriber escapes control sequences, but not characters that turn the direction of text or end a line.

use std::fmt::{self, Debug};

use anstyle::Style;
use tracing::field::Field;
use tracing_subscriber::fmt::format::Writer;

use crate::printable;

/// Writes a field: the message without its name, other fields behind their names.
pub fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let value = format!("{value:?}");
    let value = printable::for_people(&value);
    if field.name() == "message" {
        return writer.write_str(&value);
    }
    let style = if writer.has_ansi_escapes() { Style::new().italic() } else { Style::new() };
    write!(writer, "{style}{}{style:#}={value}", field.name())
}
