//! Runs the searches and prints the table of the README. With names as arguments it runs only those searches, and
//! prints the shortest way to what they break.

use gorilla_model::{
    Search,
    searches::{ALL, MISTAKEN},
    table::{HEAD, line},
};

fn main() {
    let wanted: Vec<_> = std::env::args().skip(1).collect();
    let is_wanted = |search: &&Search| wanted.is_empty() || wanted.iter().any(|name| search.name == name);
    print!("{HEAD}");
    for search in ALL.iter().chain(MISTAKEN).filter(is_wanted) {
        let found = search.run();
        println!("{}", line(search, &found));
        for (property, steps) in found.broken.iter().filter(|_| !wanted.is_empty()) {
            println!("\nbroken: {property}");
            steps.iter().for_each(|step| println!("  {step}"));
        }
        for property in found.impossible.iter().filter(|_| !wanted.is_empty()) {
            println!("\nnot seen: {property}");
        }
    }
}
