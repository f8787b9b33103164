//! Values as text: what is hidden of a URL, and lists.

/// A URL without its password and other secrets.
pub fn masked(url: &str) -> String {
    let Ok(mut parsed) = url::Url::parse(url) else { return "***".into() };
    if parsed.password().is_some() && parsed.set_password(Some("***")).is_err() {
        return "***".into();
    }
    let query: Vec<(String, String)> = parsed.query_pairs().into_owned().collect();
    if query.iter().any(|(name, _)| name == "sentinelPassword") {
        parsed.query_pairs_mut().clear().extend_pairs(
            query.iter().map(|(name, value)| (name, if name == "sentinelPassword" { "***" } else { value.as_str() })),
        );
    }
    parsed.into()
}

/// The items of a list as a user writes it in the environment.
pub fn items(list: &str) -> Vec<&str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
}
