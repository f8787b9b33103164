//! Reads the fields of a table of TOML. Notes every problem with its place, where serde would stop at the first, and
//! would repeat values, which may be keys that somebody has put in the wrong place.

use std::{num::NonZeroU32, time::Duration};

use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use super::notes::Notes;

/// A table of which the fields are read one by one.
pub struct Entry<'a> {
    /// What messages call it, such as `[[role]] "orders"`.
    label: String,
    at: usize,
    fields: &'a DeTable<'a>,
    read: Vec<&'static str>,
}

/// The value of a field, or an item of a list.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    /// The name of the field.
    pub name: &'static str,
    /// Where the value stands.
    pub at: usize,
    value: &'a DeValue<'a>,
}

impl<'a> Entry<'a> {
    /// The table at a place.
    pub fn new(label: String, at: usize, fields: &'a DeTable<'a>) -> Self {
        Self { label, at, fields, read: Vec::new() }
    }

    /// The same table, called by its kind and its name.
    pub fn called(self, kind: &str) -> Self {
        let name = self.fields.get("name").and_then(|name| name.get_ref().as_str());
        let label = name.map_or_else(|| format!("[[{kind}]]"), |name| label(kind, name));
        Self { label, ..self }
    }

    /// What messages call the table.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// A field, if it is set.
    pub fn optional(&mut self, name: &'static str) -> Option<Field<'a>> {
        self.read.push(name);
        let value = self.fields.get(name)?;
        Some(Field { name, at: value.span().start, value: value.get_ref() })
    }

    /// A field that must be set.
    pub fn required(&mut self, notes: &mut Notes, name: &'static str) -> Option<Field<'a>> {
        let field = self.optional(name);
        if field.is_none() {
            notes.problem(Some(self.at), &self.label, format!("lacks {name}"));
        }
        field
    }

    /// Notes a problem with the table.
    pub fn problem(&self, notes: &mut Notes, text: impl Into<String>) {
        notes.problem(Some(self.at), &self.label, text);
    }

    /// Notes a problem with a field.
    pub fn refuse(&self, notes: &mut Notes, field: Field, text: impl Into<String>) {
        notes.problem(Some(field.at), &self.label, text);
    }

    /// Notes that a field is doubtful.
    pub fn doubt(&self, notes: &mut Notes, field: Field, text: impl Into<String>) {
        notes.warning(field.at, &self.label, text);
    }

    /// Text.
    pub fn text(&self, notes: &mut Notes, field: Field<'a>) -> Option<&'a str> {
        self.expect(notes, field, field.value.as_str(), "text in quotes")
    }

    /// The items of a list.
    pub fn items(
        &self,
        notes: &mut Notes,
        field: Field<'a>,
        rule: &str,
    ) -> Option<impl ExactSizeIterator<Item = Field<'a>> + use<'a>> {
        let item =
            move |item: &'a Spanned<DeValue<'a>>| Field { at: item.span().start, value: item.get_ref(), ..field };
        self.expect(notes, field, field.value.as_array(), rule).map(|list: &'a DeArray| list.iter().map(item))
    }

    /// A table in this table. Messages call it by the name of this one.
    pub fn table(&self, notes: &mut Notes, field: Field<'a>) -> Option<Self> {
        let fields = self.expect(notes, field, field.value.as_table(), "a table, such as { … }")?;
        Some(Self::new(self.label.clone(), field.at, fields))
    }

    /// A whole number from 1.
    pub fn number(&self, notes: &mut Notes, field: Field<'a>) -> Option<NonZeroU32> {
        let number = field.value.as_integer();
        let number = number.and_then(|number| u32::from_str_radix(number.as_str(), number.radix()).ok());
        self.expect(notes, field, number.and_then(NonZeroU32::new), "a whole number from 1 to 4294967295")
    }

    /// A time span that is not zero.
    pub fn duration(&self, notes: &mut Notes, field: Field<'a>) -> Option<Duration> {
        let duration = field.value.as_str().and_then(|text| humantime::parse_duration(text).ok());
        let duration = duration.filter(|duration| !duration.is_zero());
        self.expect(notes, field, duration, "a duration such as \"500ms\", \"10s\" or \"5m\", and not zero")
    }

    /// Text, or a date or time of TOML as text.
    pub fn text_or_time(&self, notes: &mut Notes, field: Field<'a>, rule: &str) -> Option<String> {
        let time = || field.value.as_datetime().map(ToString::to_string);
        self.expect(notes, field, field.value.as_str().map(String::from).or_else(time), rule)
    }

    /// Notes each field that nobody has read. Returns where the table stands.
    pub fn finish(self, notes: &mut Notes) -> usize {
        for (name, _) in self.fields {
            let at = Some(name.span().start);
            let name = name.get_ref().as_ref();
            if !self.read.contains(&name) {
                notes.problem(at, &self.label, format!("has no field {name:?}{}", nearest(&self.read, name)));
            }
        }
        self.at
    }

    fn expect<T>(&self, notes: &mut Notes, field: Field, value: Option<T>, rule: &str) -> Option<T> {
        if value.is_none() {
            self.refuse(notes, field, format!("{} must be {rule}", field.name));
        }
        value
    }
}

/// What messages call a `[[role]]` or a `[[key]]`.
pub fn label(kind: &str, name: &str) -> String {
    format!("[[{kind}]] {name:?}")
}

/// A hint at a word that may have been meant.
pub fn nearest(known: &[&str], word: &str) -> String {
    let nearest = known.iter().map(|known| (strsim::damerau_levenshtein(known, word), known)).min();
    let nearest = nearest.filter(|&(distance, known)| distance < known.len().min(4));
    nearest.map(|(_, known)| format!("; did you mean {known}?")).unwrap_or_default()
}
