//! What people wrote into the report stays when it is written anew.

/// The places for it, by name: at the top, and under "What was tried".
pub const TOP: &str = "top";
/// See `TOP`.
pub const TRIED: &str = "what was tried";

const OPENING: &str = "<!-- hand-written: ";
const OPENING_ENDS: &str = " -->\n";
const CLOSING: &str = "<!-- end of hand-written -->\n";

/// The sections of an earlier report.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HandWritten<'a> {
    sections: Vec<(&'a str, &'a str)>,
}

impl<'a> HandWritten<'a> {
    /// Finds the sections. What is not sure to be kept whole is an error: what people wrote can't be measured again.
    pub fn find(mut document: &'a str) -> Result<Self, String> {
        let mut sections: Vec<(&str, &str)> = Vec::new();
        while let Some((_, rest)) = document.split_once(OPENING) {
            let (name, rest) = rest.split_once(OPENING_ENDS).ok_or("the line of a `hand-written` marker has no end")?;
            let (text, rest) =
                rest.split_once(CLOSING).ok_or_else(|| format!("`{name}` is not closed by {CLOSING}"))?;
            if text.contains(OPENING) {
                return Err(format!("`{name}` is not closed before the next section is opened"));
            }
            if ![TOP, TRIED].contains(&name) {
                return Err(format!("there is no place for a hand-written section `{name}`"));
            }
            if sections.iter().any(|(other, _)| *other == name) {
                return Err(format!("there are two hand-written sections `{name}`"));
            }
            sections.push((name, text));
            document = rest;
        }
        Ok(Self { sections })
    }

    /// A section between its markers; `otherwise` if there is none yet.
    pub fn section(&self, name: &str, otherwise: &str) -> String {
        let kept = self.sections.iter().find(|(other, _)| *other == name).map_or(otherwise, |(_, text)| text);
        format!("{OPENING}{name}{OPENING_ENDS}{kept}{CLOSING}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_kept_to_the_letter() {
        let first = HandWritten::default();
        let document = format!("# A\n{}b\n{}", first.section(TOP, "\n *x*\n\n"), first.section(TRIED, "| y |\n"));
        let found = HandWritten::find(&document).expect("it is whole");
        assert_eq!(found.section(TOP, "nothing"), first.section(TOP, "\n *x*\n\n"));
        assert_eq!(found.section(TRIED, "nothing"), first.section(TRIED, "| y |\n"));
    }

    #[test]
    fn a_document_that_could_lose_a_section_is_refused() {
        for document in [
            "<!-- hand-written: top -->\nwords",
            "<!-- hand-written: top",
            "<!-- hand-written: top -->\n<!-- hand-written: what was tried -->\n<!-- end of hand-written -->\n",
            "<!-- hand-written: elsewhere -->\n<!-- end of hand-written -->\n",
            "<!-- hand-written: top -->\n<!-- end of hand-written -->\n<!-- hand-written: top -->\n<!-- end of hand-written -->\n",
        ] {
            assert!(HandWritten::find(document).is_err(), "{document}");
        }
    }
}
