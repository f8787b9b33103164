//! The `gorilla` program.

fn main() -> std::process::ExitCode {
    gorilla::commands::run()
}
