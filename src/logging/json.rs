//! Writes an event as a line of JSON.
//!
//! The line is the same, byte for byte, as that of tracing-subscriber's JSON formatter with the fields beside the
//! message and without spans; but characters on which a terminal acts are escaped (`printable`). tracing-subscriber's
//! formatter hands its text on in pieces of a few bytes and checks each piece anew to be UTF-8. That took a fifth of
//! the instructions of a request.

use std::{
    fmt::{self, Debug},
    time::SystemTime,
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::{
    json::{Object, name},
    rfc3339::Rfc3339,
};

/// In bytes: longer than most lines about requests.
const USUAL_LENGTH: usize = 512;

/// The formatter.
pub struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let mut line = JsonLine(Object::with_capacity(USUAL_LENGTH));
        line.0.member(name!("timestamp")).time(&Rfc3339::to_micros(SystemTime::now()));
        line.0.member(name!("level")).text(metadata.level().as_str());
        event.record(&mut line);
        line.0.member(name!("target")).text(metadata.target());
        let mut line = line.0.end_for_people();
        line.push('\n');
        writer.write_str(&line)
    }
}

/// A line in the making.
struct JsonLine(Object);

/// Values of types without a method here arrive at `record_debug`.
impl Visit for JsonLine {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.named(field.name()).text(value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.named(field.name()).whole(value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.named(field.name()).whole(value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.named(field.name()).value(value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.named(field.name()).value(value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.named(field.name()).debug(value);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::fmt;

    use super::*;
    use crate::printable;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no writer panics").write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink {
        /// The lines, each as the time and the rest.
        fn lines(&self) -> Vec<(String, String)> {
            let text = String::from_utf8(self.0.lock().expect("no writer panics").clone()).expect("UTF-8");
            let split = |line: &str| line.split_once(",\"level\"").map(|(time, rest)| (time.into(), rest.into()));
            text.split_inclusive('\n').map(|line| split(line).expect("a level after the time")).collect()
        }
    }

    /// What the other formatter leaves as it is.
    const TO_ESCAPE: [&str; 3] = ["\u{7f}", "NEL \u{85} CSI \u{9b}2J", "\u{202e}\u{2028}\u{200b}\u{e0001}\""];

    fn log_of_everything() {
        let (method, id) = ("GET", String::from("0-1"));
        tracing::info!(target: "gorilla::http", %method, route = "/a/{b}", status = 200u16, us = 17u64, request_id = id, "request");
        tracing::warn!(
            low = i64::MIN,
            high = u64::MAX,
            wide = u128::MAX,
            yes = true,
            part = 0.1,
            whole = 1e16,
            none = f64::NAN,
            "numbers"
        );
        tracing::error!(error = %io::Error::other("said \"no\"\n"), delay = ?std::time::Duration::from_millis(1500));
        let plain = ["", "\"", "\\", "a\u{0}b\u{1f}\r\n\t\u{8}\u{c}", "sixteen bytes..\n", "🦍é\"", "/</script>"];
        for text in plain.into_iter().chain(TO_ESCAPE) {
            tracing::debug!(text, shown = %text, debugged = ?text, absent = None::<u8>, "line {text}");
        }
        tracing::info!("quoted \"name\"" = 1, "only fields are named");
    }

    #[test]
    fn a_line_is_to_the_byte_that_of_tracing_subscriber_unless_a_terminal_would_act_on_it() {
        let (ours, theirs) = (Sink::default(), Sink::default());
        let (our_sink, their_sink) = (ours.clone(), theirs.clone());
        let builder = || fmt().with_max_level(tracing::Level::TRACE);
        let our_subscriber = builder().with_writer(move || our_sink.clone()).event_format(Json).finish();
        let their_subscriber = builder().with_writer(move || their_sink.clone()).json().flatten_event(true);
        let their_subscriber = their_subscriber.with_current_span(false).with_span_list(false).finish();
        tracing::subscriber::with_default(our_subscriber, log_of_everything);
        tracing::subscriber::with_default(their_subscriber, log_of_everything);

        let (ours, theirs) = (ours.lines(), theirs.lines());
        assert_eq!(ours.len(), 11 + TO_ESCAPE.len());
        let mut escaped = 0;
        for ((our_time, ours), (their_time, theirs)) in ours.iter().zip(&theirs) {
            if ours != theirs {
                escaped += 1;
                assert_eq!(ours.trim_end(), printable::for_people(ours.trim_end()));
                let [ours, theirs] = [ours, theirs].map(|rest| format!("{{\"level\"{rest}"));
                let [ours, theirs] = [ours, theirs].map(|line| serde_json::from_str::<serde_json::Value>(&line));
                assert_eq!(ours.expect("JSON"), theirs.expect("JSON"));
            }
            assert_eq!(our_time.len(), their_time.len(), "{our_time} and {their_time}");
        }
        assert_eq!((ours.len(), escaped), (theirs.len(), TO_ESCAPE.len()));
    }
}
