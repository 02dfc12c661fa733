//! Settings of Vector that have no namesake here, or not with that meaning: what is to be written instead, or why
//! nothing is. A file of Vector's then says what to do, where it would say "unknown setting".

mod globals;
mod sinks;
mod sources;
mod test_cases;
mod transforms;

use super::catalogue::Kind;

/// A setting of Vector 0.57 and what becomes of it.
#[derive(Clone, Copy, Debug)]
pub struct Moved {
    /// The tables it stands in.
    pub of: Of,
    /// Its path in that table; `*` stands for any name, `name[]` for any item of a list.
    pub setting: &'static str,
    /// The values that are meant, [`LIST`] for any list; empty for all.
    pub values: &'static [&'static str],
    /// What becomes of it.
    pub verdict: Verdict,
    /// What to write instead, or what holds without it.
    pub instead: &'static str,
}

/// What a list is called among the values.
pub const LIST: &str = "[...]";

/// The tables that a setting stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The root.
    Globals,
    /// `[[tests]]`.
    Tests,
    /// Components of every kind.
    Components,
    /// All components of a kind.
    Kind(Kind),
    /// Components of these types.
    Types(Kind, &'static [&'static str]),
}

/// What becomes of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It asks for what always holds: it is left out without a word.
    Kept,
    /// There is nothing for it to do: it is left out, with a warning.
    Needless,
    /// It must be written otherwise, or cannot be had: an error.
    Otherwise,
}

/// Whose settings are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner<'a> {
    Globals,
    Tests,
    Component(Kind, &'a str),
}

impl Of {
    fn covers(self, owner: Owner<'_>) -> bool {
        match (self, owner) {
            (Self::Globals, Owner::Globals)
            | (Self::Tests, Owner::Tests)
            | (Self::Components, Owner::Component(..)) => true,
            (Self::Kind(kind), Owner::Component(found, _)) => kind == found,
            (Self::Types(kind, names), Owner::Component(found, name)) => kind == found && names.contains(&name),
            _ => false,
        }
    }
}

/// Every such setting. Of two that fit, the first counts.
pub fn moved() -> impl Iterator<Item = &'static Moved> {
    globals::ROWS.iter().chain(test_cases::ROWS).chain(sources::rows()).chain(transforms::rows()).chain(sinks::rows())
}

/// What becomes of `setting`, where it has this `value` (none for a list or a table): what is said of itself, else of a
/// table that it stands in.
pub(super) fn find(owner: Owner<'_>, setting: &str, value: Option<&str>) -> Option<&'static Moved> {
    let of_owner = || moved().filter(|row| row.of.covers(owner));
    let is_meant = |row: &Moved| row.values.is_empty() || value.is_some_and(|value| row.values.contains(&value));
    let itself = of_owner().find(|row| is_meant(row) && fits(row.setting, setting) == Some(Fit::Wholly));
    itself.or_else(|| of_owner().find(|row| row.values.is_empty() && fits(row.setting, setting) == Some(Fit::Inside)))
}

/// Is something known of settings below `setting`?
pub(super) fn is_known_below(owner: Owner<'_>, setting: &str) -> bool {
    moved().any(|row| row.of.covers(owner) && fits(row.setting, setting) == Some(Fit::Around))
}

/// How a setting fits a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// It is what the pattern means.
    Wholly,
    /// It stands in a table that the pattern means.
    Inside,
    /// It is a table in which the pattern means something.
    Around,
}

fn fits(pattern: &str, setting: &str) -> Option<Fit> {
    let (mut steps, mut names) = (pattern.split('.'), setting.split('.'));
    loop {
        match (steps.next(), names.next()) {
            (None, None) => return Some(Fit::Wholly),
            (None, Some(_)) => return Some(Fit::Inside),
            (Some(_), None) => return Some(Fit::Around),
            (Some(step), Some(name)) if step == "*" || step == name || is_item(step, name) => {}
            _ => return None,
        }
    }
}

/// Is it an item of the list that the step `list[]` means?
fn is_item(step: &str, name: &str) -> bool {
    let index = step.strip_suffix("[]").and_then(|list| name.strip_prefix(list));
    index.is_some_and(|index| index.starts_with('[') && index.ends_with(']'))
}

/// Rows for one place: verdict, setting, values, text.
macro_rules! rows {
    ($of:expr; $($verdict:ident $setting:literal $([$($value:literal),+])? $instead:literal)*) => {
        &[$(crate::config::moved::Moved {
            of: $of,
            setting: $setting,
            values: &[$($($value),+)?],
            verdict: crate::config::moved::Verdict::$verdict,
            instead: $instead,
        }),*]
    };
}
use rows;

#[cfg(test)]
mod tests {
    use super::{Fit, Owner, Verdict, find, fits, is_known_below, moved};
    use crate::config::Kind;

    #[test]
    fn a_path_fits_wholly_or_as_a_beginning() {
        let pairs = [("a.b", "a.b"), ("a.b", "a"), ("a.*.c", "a.x.c"), ("a.b", "a.c"), ("a.b", "a.b.c"), ("a", "ab")];
        let items = [("a[].b", "a[12].b"), ("a[].b", "a.b"), ("a[].b", "ab[1].b"), ("a[].b", "a[0]")];
        let items = items.map(|(pattern, setting)| fits(pattern, setting));
        assert_eq!(items, [Some(Fit::Wholly), None, None, Some(Fit::Around)]);
        let found = pairs.map(|(pattern, setting)| fits(pattern, setting));
        let (wholly, around) = (Some(Fit::Wholly), Some(Fit::Around));
        assert_eq!(found, [wholly, around, wholly, None, Some(Fit::Inside), None]);
    }

    #[test]
    fn the_value_and_the_owner_count() {
        let sink = Owner::Component(Kind::Sink, "console");
        let verdict = |owner, setting, value| find(owner, setting, value).map(|row| row.verdict);
        assert_eq!(verdict(sink, "proxy.enabled", Some("false")), Some(Verdict::Kept));
        assert_eq!(verdict(sink, "buffer.when_full", Some("overflow")), Some(Verdict::Otherwise));
        assert_eq!(verdict(sink, "buffer.when_full", Some("tape")), None);
        assert_eq!(verdict(Owner::Component(Kind::Source, "file"), "buffer.when_full", Some("overflow")), None);
        assert!(is_known_below(sink, "encoding.json") && !is_known_below(Owner::Globals, "encoding.json"));
    }

    #[test]
    fn no_row_is_hidden_by_one_before_it() {
        let all: Vec<_> = moved().collect();
        for (at, row) in all.iter().enumerate() {
            let hides = |other: &&&super::Moved| {
                let as_many = other.values.is_empty() || row.values.iter().all(|value| other.values.contains(value));
                let every = other.values.is_empty() || !row.values.is_empty();
                other.of == row.of && other.setting == row.setting && as_many && every
            };
            let hidden = all[..at].iter().find(hides);
            assert!(hidden.is_none(), "{row:?} is hidden by {hidden:?}");
        }
    }
}
