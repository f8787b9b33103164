//! What the command learns about its locks from its environment.

use gorilla_client::GuardSet;

/// The variables about the only lock. Under several locks the command must not find those of a lock around them.
const OF_ONE: [&str; 3] = ["GORILLA_LOCK_NAME", "GORILLA_LOCK_FENCE", "GORILLA_LOCK_FLOOR"];

/// The variables of the command; without a value, the variable is to be removed.
pub fn variables(set: &GuardSet, expire_at: String) -> Vec<(&'static str, Option<String>)> {
    let guards = set.guards();
    // No name has a line break.
    let lines = |lines: Vec<String>| Some(lines.join("\n"));
    let names = || guards.iter().map(|guard| guard.resource().to_string()).collect();
    let fences = || guards.iter().map(|guard| guard.fence().to_string()).collect();
    let floors = || guards.iter().map(|guard| guard.floor().to_string()).collect();
    let of_one = [names(), fences(), floors()].map(|values| lines(values).filter(|_| guards.len() == 1));
    let owner = guards.first().map(|guard| guard.owner().to_string());
    let mut variables: Vec<_> = OF_ONE.into_iter().zip(of_one).collect();
    variables.extend([
        ("GORILLA_LOCK_NAMES", lines(names())),
        ("GORILLA_LOCK_FENCES", lines(fences())),
        ("GORILLA_LOCK_FLOORS", lines(floors())),
        ("GORILLA_LOCK_OWNER", owner),
        ("GORILLA_LOCK_EXPIRES_AT", Some(expire_at)),
    ]);
    variables
}
