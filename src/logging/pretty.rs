//! The fields of an event as people read them, on a terminal perhaps.
//!
//! tracing-subscriber escapes what terminals of old act on, but not what turns the direction of text or ends a line.

use std::fmt::{self, Debug};

use anstyle::Style;
use tracing::field::Field;
use tracing_subscriber::fmt::format::Writer;

use crate::printable;

/// Writes one field: the message alone, others behind their names.
pub fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let value = format!("{value:?}");
    let value = printable::for_people(&value);
    if field.name() == "message" {
        return writer.write_str(&value);
    }
    let style = if writer.has_ansi_escapes() { Style::new().italic() } else { Style::new() };
    write!(writer, "{style}{}{style:#}={value}", field.name())
}
