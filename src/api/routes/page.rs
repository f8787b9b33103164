//! `/`: the locks, for people. One document with everything in it, so that it works where nothing but the replica can
//! be reached, and so that a browser never puts the parts of two versions together while replicas are replaced.

use std::sync::LazyLock;

use axum::{http::HeaderMap, response::Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::embedded::{Embedded, guarded};

/// Preact, which keeps the document like the data, and htm, which reads the templates.
const LIBRARY: &str = include_str!("../../../ui/vendor/htm-preact.js");

const STYLE: &str = include_str!("../../../ui/style.css");

/// The page's own program: one module, its files in the order in which they need each other.
const PROGRAM: &str = concat!(
    include_str!("../../../ui/words.js"),
    include_str!("../../../ui/api.js"),
    include_str!("../../../ui/clock.js"),
    include_str!("../../../ui/stream.js"),
    include_str!("../../../ui/parts.js"),
    include_str!("../../../ui/copy.js"),
    include_str!("../../../ui/verdict.js"),
    include_str!("../../../ui/break.js"),
    include_str!("../../../ui/strip.js"),
    include_str!("../../../ui/lock.js"),
    include_str!("../../../ui/locks.js"),
    include_str!("../../../ui/overview.js"),
    include_str!("../../../ui/contention.js"),
    include_str!("../../../ui/events.js"),
    include_str!("../../../ui/app.js"),
);

/// The page, with the policy that lets the browser run these scripts and this style sheet, and nothing else.
static PAGE: LazyLock<(Embedded, String)> = LazyLock::new(|| {
    let (style, program) = (squeezed(STYLE), squeezed(PROGRAM));
    let document = include_str!("../../../ui/page.html")
        .replacen("{VERSION}", env!("CARGO_PKG_VERSION"), 1)
        .replacen("/*STYLE*/", &style, 1)
        .replacen("/*LIBRARY*/", LIBRARY, 1)
        .replacen("/*PROGRAM*/", &program, 1);
    let [style, library, program] = [&style, LIBRARY, &program].map(digest);
    let policy = format!(
        "default-src 'none'; script-src {library} {program}; style-src {style}; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    );
    (Embedded::new("text/html; charset=utf-8", document).and_gzipped(), policy)
});

/// A source without the comments that have lines of their own, and without indentation: people read those in `ui/`. No
/// text of the sources goes over several lines in which white space counts.
fn squeezed(source: &str) -> String {
    let is_comment = |line: &str| line.starts_with("//") || (line.starts_with("/**") && line.ends_with("*/"));
    let lines = source.lines().map(str::trim).filter(|line| !line.is_empty() && !is_comment(line));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// How a policy names a text that stands in a document.
fn digest(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

/// The page, or 304 for a client that has it.
pub async fn page(headers: HeaderMap) -> Response {
    let (page, policy) = &*PAGE;
    guarded(page.answer(&headers), policy)
}
