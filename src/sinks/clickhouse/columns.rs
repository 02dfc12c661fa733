//! Members that no column of the table takes: they go into one column that takes everything.

use std::collections::HashSet;

use crate::event::View;
use crate::event::json::{members, quote, unescape};

/// The column that takes what no other takes, and the columns that take something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CatchAll {
    column: String,
    kind: Kind,
    /// Names of members that a column takes. The column that takes the others is not among them: a member of its name
    /// is one of the others.
    taken: HashSet<Box<[u8]>>,
}

/// How a column holds members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `JSON`: an object.
    Object,
    /// `Map(String, String)`: an object of texts; what is no text stands there as JSON.
    Texts,
    /// `String`: an object as text.
    Text,
}

/// Why a column cannot take the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// The table has none of this name that can be written.
    Absent,
    /// Its type holds no members.
    Type(String),
}

impl CatchAll {
    /// `name` among the columns (names and types) that an insert may write.
    pub(super) fn new(name: &str, columns: &[(String, String)]) -> Result<Self, Unfit> {
        let (_, kind) = columns.iter().find(|(column, _)| column == name).ok_or(Unfit::Absent)?;
        let kind = Kind::of(kind).ok_or_else(|| Unfit::Type(kind.clone()))?;
        let others = columns.iter().map(|(column, _)| column.as_str()).filter(|column| *column != name);
        // `input_format_import_nested_json`: the columns `a.b` and `a.c` take the members of `a`.
        let taken = others.flat_map(|column| [column, column.split('.').next().unwrap_or(column)]);
        let taken = taken.map(|column| Box::from(column.as_bytes())).collect();
        Ok(Self { column: name.to_owned(), kind, taken })
    }

    /// Does a column take each member of `record`? Looks at the index of its members alone; a "no" may be wrong.
    pub(super) fn takes_all(&self, record: View<'_>) -> bool {
        record.all_keys(|key| self.taken.contains(key))
    }

    /// Moves members of the object that `body` holds from `start` on, which no column takes, into the column that takes
    /// the rest. `scratch` is any memory.
    pub(super) fn fold(&self, start: usize, body: &mut Vec<u8>, scratch: &mut Scratch) {
        let Scratch { row, rest, key } = scratch;
        row.clear();
        rest.clear();
        let object = &body[start..];
        for entry in members(object, 0) {
            let raw = &object[entry.key.clone()];
            let is_taken = if raw.contains(&b'\\') {
                key.clear();
                unescape(raw, key);
                self.taken.contains(key.as_slice())
            } else {
                self.taken.contains(raw)
            };
            let (side, is_text) = if is_taken { (&mut *row, false) } else { (&mut *rest, self.kind == Kind::Texts) };
            side.push(if side.is_empty() { b'{' } else { b',' });
            let value = &object[entry.value.clone()];
            if is_text && value.first() != Some(&b'"') {
                side.extend_from_slice(&object[(entry.key.start - 1)..=entry.key.end]);
                side.push(b':');
                quote(value, side);
            } else {
                side.extend_from_slice(&object[entry.key.start - 1..entry.value.end]);
            }
        }
        if rest.is_empty() {
            return;
        }
        rest.push(b'}');
        row.push(if row.is_empty() { b'{' } else { b',' });
        quote(self.column.as_bytes(), row);
        row.push(b':');
        match self.kind {
            Kind::Object | Kind::Texts => row.extend_from_slice(rest),
            Kind::Text => quote(rest, row),
        }
        row.push(b'}');
        body.truncate(start);
        body.extend_from_slice(row);
    }
}

/// Memory that is used again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    row: Vec<u8>,
    rest: Vec<u8>,
    key: Vec<u8>,
}

impl Kind {
    fn of(kind: &str) -> Option<Self> {
        let bare = bare(kind);
        if bare == "String" {
            return Some(Self::Text);
        }
        if bare == "JSON" || bare.starts_with("JSON(") || bare.starts_with("Object(") {
            return Some(Self::Object);
        }
        let (key, value) = bare.strip_prefix("Map(")?.strip_suffix(')')?.split_once(',')?;
        let is_text = |kind: &str| self::bare(kind.trim()) == "String";
        (is_text(key) && is_text(value)).then_some(Self::Texts)
    }
}

/// A type without `Nullable` and `LowCardinality` around it.
fn bare(kind: &str) -> &str {
    let inner = ["Nullable(", "LowCardinality("].iter().find_map(|wrap| kind.strip_prefix(wrap)?.strip_suffix(')'));
    inner.map_or(kind, bare)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::test_batch::{json, text};

    fn catch_all(kind: &str) -> CatchAll {
        let columns =
            [("service", "LowCardinality(String)"), ("n.a", "Array(String)"), ("größe", "UInt8"), ("rest", kind)];
        CatchAll::new("rest", &columns.map(|(name, kind)| (name.to_owned(), kind.to_owned()))).unwrap()
    }

    fn folded(kind: &str, record: &str) -> String {
        let mut body = b"before\n".to_vec();
        let start = body.len();
        body.extend_from_slice(record.as_bytes());
        catch_all(kind).fold(start, &mut body, &mut Scratch::default());
        String::from_utf8(body.split_off(start)).unwrap()
    }

    #[test]
    fn what_no_column_takes_goes_into_the_one_that_takes_all() {
        let record = r#"{"service":"a","n":{"a":["x"]},"x":1.50,"y":"é\n","größe":1,"z":{"b":null},"w":null}"#;
        let kept = r#""service":"a","n":{"a":["x"]},"größe":1"#;
        assert_eq!(
            folded("JSON", record),
            format!(r#"{{{kept},"rest":{{"x":1.50,"y":"é\n","z":{{"b":null}},"w":null}}}}"#)
        );
        let texts = r#"{"x":"1.50","y":"é\n","z":"{\"b\":null}","w":"null"}"#;
        assert_eq!(folded("Map(LowCardinality(String), String)", record), format!(r#"{{{kept},"rest":{texts}}}"#));
        let text = r#""{\"x\":1.50,\"y\":\"é\\n\",\"z\":{\"b\":null},\"w\":null}""#;
        assert_eq!(folded("Nullable(String)", record), format!(r#"{{{kept},"rest":{text}}}"#));
    }

    #[test]
    fn a_record_that_fits_leaves_as_it_came() {
        let odd = r#"{"service" : "a", "größ\u0065":1}"#;
        assert_eq!(folded("JSON", odd), odd);
        assert_eq!(folded("JSON", "{}"), "{}");
    }

    #[test]
    fn a_member_of_the_columns_own_name_is_not_lost() {
        assert_eq!(folded("JSON", r#"{"rest":5,"service":"a"}"#), r#"{"service":"a","rest":{"rest":5}}"#);
        assert_eq!(folded("JSON", r#"{"rest":5}"#), r#"{"rest":{"rest":5}}"#);
    }

    #[test]
    fn the_index_tells_whether_all_fit() {
        let columns = catch_all("JSON");
        let fits = |record: &str| columns.takes_all(json(&[record]).get(0));
        assert!(fits(r#"{"service":"a","n":1}"#) && fits("{}"));
        assert!(!fits(r#"{"service":"a","x":1}"#) && !fits(r#"{"rest":1}"#));
        assert!(!columns.takes_all(text(&["a line"]).get(0)));
    }

    #[test]
    fn only_some_types_take_the_rest() {
        let of = |kind: &str| CatchAll::new("c", &[("c".to_owned(), kind.to_owned())]).map(|made| made.kind);
        assert_eq!(of("JSON(max_dynamic_paths=8)"), Ok(Kind::Object));
        assert_eq!(of("Object('json')"), Ok(Kind::Object));
        assert_eq!(of("LowCardinality(Nullable(String))"), Ok(Kind::Text));
        assert_eq!(of("Map(String, Nullable(String))"), Ok(Kind::Texts));
        for unfit in ["UInt8", "Map(String, UInt8)", "Array(String)", "Map(String, Array(String))"] {
            assert_eq!(of(unfit), Err(Unfit::Type(unfit.to_owned())));
        }
        assert_eq!(CatchAll::new("c", &[]), Err(Unfit::Absent));
    }
}
