//! Writes docs/openapi.json to standard output: `make openapi`.

fn main() {
    print!("{}", gorilla_wire::openapi::document());
}
