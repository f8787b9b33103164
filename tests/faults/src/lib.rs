//! Runs Gorilla under faults, and decides from what its clients saw whether it kept its promises.

pub mod cell;
pub mod check;
pub mod client;
pub mod deployment;
pub mod heard;
pub mod history;
pub mod listener;
pub mod mistake;
pub mod moment;
pub mod nemesis;
pub mod observer;
pub mod onlooker;
pub mod register;
pub mod report;
pub mod run;
pub mod world;
