//! Messages as the stream has them: server-sent events.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;

/// Messages on their way into the body of a stream.
#[derive(Default)]
pub struct Frames(BytesMut);

impl Frames {
    /// How long a client waits before it connects again.
    pub fn retry(&mut self, milliseconds: u32) {
        self.0.extend_from_slice(format!("retry: {milliseconds}\n\n").as_bytes());
    }

    /// A message. `data` is one line. With an id a client resumes behind this message.
    pub fn push(&mut self, event: &str, id: Option<&str>, data: &[u8]) {
        let frame = &mut self.0;
        frame.reserve(event.len() + id.map_or(0, str::len) + data.len() + 32);
        for (field, value) in [("event: ", Some(event)), ("id: ", id)] {
            if let Some(value) = value {
                frame.put_slice(field.as_bytes());
                frame.put_slice(value.as_bytes());
                frame.put_u8(b'\n');
            }
        }
        frame.put_slice(b"data: ");
        frame.put_slice(data);
        frame.put_slice(b"\n\n");
    }

    /// A message whose data is the JSON that serde makes.
    pub fn push_json(&mut self, event: &str, id: Option<&str>, data: &impl Serialize) {
        // No data of a message can fail to serialise: all keys are strings.
        self.push(event, id, &serde_json::to_vec(data).unwrap_or_default());
    }

    /// In bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn take(&mut self) -> Bytes {
        self.0.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_written_as_server_sent_events() {
        let mut frames = Frames::default();
        assert!(frames.is_empty());
        frames.retry(2000);
        frames.push("granted", Some("5f.1-0.0"), br#"{"a":1}"#);
        frames.push_json("bye", None, &serde_json::json!({ "line": "one\ntwo" }));
        let text = "retry: 2000\n\nevent: granted\nid: 5f.1-0.0\ndata: {\"a\":1}\n\nevent: bye\ndata: {\"line\":\"one\\ntwo\"}\n\n";
        assert_eq!(frames.len(), text.len());
        assert_eq!(frames.take(), text);
        assert!(frames.is_empty());
    }
}
