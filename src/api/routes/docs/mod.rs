//! `/docs`: the interface, for people. The page and all that it needs are part of the program, so that it works where
//! nothing but the replica can be reached.

use std::sync::{Arc, LazyLock};

use axum::{extract::Path, http::HeaderMap, response::Response};
use utoipa_swagger_ui::Config;

use super::embedded::{Embedded, guarded};
use crate::api::error::ApiError;

/// Nothing from elsewhere is loaded, nothing is sent elsewhere, no other page shows this one, and no text becomes a
/// script. Swagger UI has its icons as `data:` in its style sheet.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static PAGE: LazyLock<Embedded> =
    LazyLock::new(|| Embedded::new("text/html; charset=utf-8", include_str!("page.html").as_bytes()));

/// The files of the page, by their names.
static FILES: LazyLock<Vec<(&str, Embedded)>> = LazyLock::new(|| {
    let start = Embedded::new("text/javascript; charset=utf-8", include_str!("start.js").as_bytes());
    let theirs = [
        ("favicon-32x32.png", "image/png"),
        ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
        ("swagger-ui.css", "text/css; charset=utf-8"),
    ];
    let theirs = theirs.into_iter().filter_map(|(name, media)| Some((name, part_of_swagger_ui(name, media)?)));
    [("start.js", start)].into_iter().chain(theirs).collect()
});

/// A file of Swagger UI.
fn part_of_swagger_ui(name: &str, media: &'static str) -> Option<Embedded> {
    let file = utoipa_swagger_ui::serve(name, Arc::new(Config::<'static>::default())).ok()??;
    let embedded = Embedded::new(media, file.bytes.into_owned());
    Some(if file.gzpipped { embedded.gzipped() } else { embedded })
}

/// The page.
pub async fn page(headers: HeaderMap) -> Response {
    guarded(PAGE.answer(&headers), POLICY)
}

/// A file of the page.
pub async fn file(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, ApiError> {
    let (_, file) = FILES.iter().find(|(known, _)| *known == name).ok_or(ApiError::UnknownPath)?;
    Ok(guarded(file.answer(&headers), POLICY))
}
