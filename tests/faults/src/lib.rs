//! Runs Gorilla under faults, and decides from what its clients saw whether it kept its promises.
