//! Where an answer ends.

/// An answer.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The status of HTTP.
    pub status: u16,
    /// What follows the head.
    pub body: &'a [u8],
}

/// How answers end.
#[derive(Clone, Copy, Debug)]
pub enum Framing {
    /// HTTP/1.1 with `Content-Length`, or with a status that has no body.
    Http,
}

impl Framing {
    /// The answer that the bytes begin with and its length, or none if it has not ended yet.
    pub fn answer<'a>(&self, bytes: &'a [u8]) -> Result<Option<(Answer<'a>, usize)>, String> {
        let Self::Http = self;
        http(bytes)
    }
}

fn http(bytes: &[u8]) -> Result<Option<(Answer<'_>, usize)>, String> {
    let Some(head) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let wrong = || format!("no HTTP: {}", String::from_utf8_lossy(&bytes[..head.min(200)]));
    let status =
        bytes.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).ok_or_else(wrong)?;
    let length = match bytes[..head].split(|&byte| byte == b'\n').find_map(content_length) {
        Some(length) => length.ok_or_else(wrong)?,
        None if status == 204 || status == 304 => 0,
        None => return Err(wrong()),
    };
    let end = head + 4 + length;
    Ok((bytes.len() >= end).then(|| (Answer { status, body: &bytes[head + 4..end] }, end)))
}

/// The length, if this is the line that has it; none inside if it is no number.
fn content_length(line: &[u8]) -> Option<Option<usize>> {
    const NAME: &[u8] = b"content-length:";
    let (name, value) = line.split_at_checked(NAME.len())?;
    name.eq_ignore_ascii_case(NAME).then(|| std::str::from_utf8(value).ok()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let two = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 204 No Content\r\n\r\n";
        let (first, end) = http(two).expect("HTTP").expect("whole");
        assert_eq!((first.status, first.body, end), (200, &b"{}"[..], 40));
        let (second, end) = http(&two[end..]).expect("HTTP").expect("whole");
        assert_eq!((second.status, second.body, end), (204, &b""[..], 27));
        for part in 0..40 {
            assert!(http(&two[..part]).expect("HTTP").is_none(), "{part}");
        }
    }

    #[test]
    fn what_has_no_length_is_an_error() {
        assert!(http(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(http(b"+OK nothing that is HTTP\r\n\r\n").is_err());
    }
}
