//! Everybody may use and pass on what Gorilla is built from.

use std::process::Command;

use serde_json::Value;
use spdx::Expression;

/// Licences that only ask for a notice that names them. Each has its reason, but for the usual two.
const ALLOWED: [&str; 8] = [
    "MIT",
    "Apache-2.0",
    // As MIT, and the names of the authors must not be used for advertising.
    "BSD-3-Clause",
    // As MIT, and programs need not name it. redis-rs has it, which the benchmark alone uses.
    "BSL-1.0",
    // As MIT in other words; the TLS stack has it.
    "ISC",
    // As MIT, and copies need not have the notice. A part of the validator of JSON Schema has it, which tests alone
    // use.
    "MIT-0",
    // As MIT, for tables that are made from Unicode's data.
    "Unicode-3.0",
    // As MIT, and programs need not name it; a changed copy must say that it was changed. The same validator needs it.
    "Zlib",
];

/// Every package that a build or a test of this platform uses.
fn packages() -> Vec<Value> {
    let compiler = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let about = String::from_utf8_lossy(&compiler.stdout).into_owned();
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    // What other platforms need is not downloaded here and not part of what is passed on.
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let used = metadata["resolve"]["nodes"].as_array().expect("nodes");
    let used: Vec<_> = used.iter().map(|node| &node["id"]).collect();
    let packages = metadata["packages"].as_array().expect("packages");
    let own = metadata["workspace_members"].as_array().expect("members");
    let theirs = |package: &&Value| !own.contains(&package["id"]);
    packages.iter().filter(|package| used.contains(&&package["id"])).filter(theirs).cloned().collect()
}

#[test]
fn every_package_has_a_licence_that_is_allowed_and_every_allowed_one_is_needed() {
    let packages = packages();
    assert!(packages.len() > 50, "only {} packages were found", packages.len());
    let mut needed = vec![false; ALLOWED.len()];
    for package in &packages {
        let (name, licence) = (&package["name"], package["license"].as_str().unwrap_or_default());
        // Some still write the old form, "MIT/Apache-2.0".
        let expression = Expression::parse(&licence.replace('/', " OR "));
        let expression = expression.unwrap_or_else(|error| panic!("{name} has no licence that can be read: {error}"));
        // Takes the first licences of the list that are enough, so that a licence which nothing needs stands out.
        let enough = |count: usize| {
            let allowed = &ALLOWED[..count];
            expression.evaluate(|licence| {
                // An exception only adds permissions.
                licence.license.id().is_some_and(|id| allowed.contains(&id.name))
            })
        };
        let count = (0..=ALLOWED.len()).find(|&count| enough(count));
        let count = count.unwrap_or_else(|| panic!("{name} has the licence {licence}, which is not allowed"));
        needed[count.max(1) - 1] = true;
    }
    for (licence, needed) in ALLOWED.iter().zip(needed) {
        assert!(needed, "{licence} is allowed, and nothing needs it");
    }
}

#[test]
fn every_package_comes_from_crates_io() {
    for package in packages() {
        assert_eq!(
            package["source"], "registry+https://github.com/rust-lang/crates.io-index",
            "{} comes from elsewhere",
            package["name"]
        );
    }
}
