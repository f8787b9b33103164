//! The page at `/`, in a real Chromium that looks at real replicas.

mod breaking;
mod browser;
mod document;
mod front;
mod live;
mod looks;
mod real;
mod shown;
mod sleep;
mod states;
mod stream;

use browser::Browser;

/// A name that does harm wherever it is taken for something else than text.
const NASTY: &str = "'$(x)'; <img src=x onerror=alert(1)> \u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{202e}%2e\"`&?#[1-3]";
