//! Collects what is wrong or doubtful while a file is read.

use super::finding::{Finding, Problems, Warning};

/// So many problems are told, because a file of another kind may have any number.
const TOLD: usize = 50;

/// What was found so far.
#[derive(Default)]
pub struct Notes {
    problems: Vec<Note>,
    warnings: Vec<Note>,
}

struct Note {
    /// Where, in bytes from the beginning of the file. Nothing for the file as a whole.
    at: Option<usize>,
    entry: String,
    text: String,
}

impl Notes {
    /// Notes what makes the file invalid.
    pub fn problem(&mut self, at: Option<usize>, entry: &str, text: impl Into<String>) {
        self.problems.push(Note { at, entry: entry.into(), text: text.into() });
    }

    /// Notes what is doubtful.
    pub fn warning(&mut self, at: usize, entry: &str, text: impl Into<String>) {
        self.warnings.push(Note { at: Some(at), entry: entry.into(), text: text.into() });
    }

    /// The warnings if the file is valid, else all problems. Both are in the order of the file.
    pub fn finish(self, file: &str) -> Result<Vec<Warning>, Problems> {
        if self.problems.is_empty() {
            return Ok(findings(file, self.warnings).into_iter().map(Warning).collect());
        }
        let more = self.problems.len().saturating_sub(TOLD);
        let mut problems = findings(file, self.problems);
        problems.truncate(TOLD);
        if more > 0 {
            problems.extend(Problems::of_file(format!("has {more} more problems")).0);
        }
        Err(Problems(problems))
    }
}

fn findings(file: &str, mut notes: Vec<Note>) -> Vec<Finding> {
    notes.sort_by_key(|note| note.at);
    let (mut line, mut begin, mut seen) = (1, 0, 0);
    let mut position = |at: usize| {
        // Both ends stand at characters if the parser of TOML says so; if it doesn't, the beginning of the line is near
        // enough.
        for (newline, _) in file.get(seen..at).unwrap_or_default().match_indices('\n') {
            (line, begin) = (line + 1, seen + newline + 1);
        }
        seen = at;
        (line, file.get(begin..at).unwrap_or_default().chars().count() + 1)
    };
    let finding = |Note { at, entry, text }: Note| Finding { position: at.map(&mut position), entry, text };
    notes.into_iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_told_in_the_order_of_the_file_by_line_and_column() {
        let mut notes = Notes::default();
        let file = "a = 1\nä = \"ö\" # x\n\nb";
        for at in [file.find('b'), file.find('x'), Some(0), None, file.find('ä'), file.find('#'), Some(file.len())] {
            notes.problem(at, "", "is wrong");
        }
        notes.warning(0, "", "is not told");
        let Err(Problems(problems)) = notes.finish(file) else { panic!("there are problems") };
        let positions: Vec<_> = problems.iter().map(|problem| problem.position).collect();
        let expected = [None, Some((1, 1)), Some((2, 1)), Some((2, 9)), Some((2, 11)), Some((4, 1)), Some((4, 2))];
        assert_eq!(positions, expected);
    }

    #[test]
    fn a_file_with_many_problems_has_a_short_list() {
        let mut notes = Notes::default();
        (0..1_000).for_each(|_| notes.problem(None, "", "is wrong"));
        let Err(Problems(problems)) = notes.finish("") else { panic!("there are problems") };
        assert_eq!((problems.len(), problems[50].text.as_str()), (51, "has 950 more problems"));
    }
}
