//! The protocol of Gorilla as a state machine, and a search through all its states.
