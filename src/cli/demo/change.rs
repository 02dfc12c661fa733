//! What happened to a record on its way, member by member.

use crate::event::json;

/// A member that is not as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Its path.
    pub(super) path: String,
    /// JSON text it came with.
    pub(super) before: Option<String>,
    /// JSON text it left with.
    pub(super) after: Option<String>,
}

/// The differences of two records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) changes: Vec<Change>,
    /// How many members are the same, byte for byte.
    pub(super) same: usize,
}

impl Changes {
    /// Of a line as it came and a record as it left. A line that is no JSON object came as its `message`.
    pub(super) fn between(line: &str, record: &str) -> Self {
        let before = members(line).unwrap_or_else(|| vec![("message".to_owned(), quoted(line))]);
        let mut found = Self::default();
        found.compare("", &before, &members(record).unwrap_or_default());
        found
    }

    fn compare(&mut self, prefix: &str, before: &[Member], after: &[Member]) {
        for (key, old) in before {
            let new = value_of(after, key);
            if new == Some(old) {
                self.same += 1;
                continue;
            }
            let path = format!("{prefix}{key}");
            match (members(old), new.and_then(|new| members(new))) {
                (Some(old), Some(new)) => self.compare(&format!("{path}."), &old, &new),
                _ => self.changes.push(Change { path, before: Some(old.clone()), after: new.cloned() }),
            }
        }
        let added = after.iter().filter(|(key, _)| value_of(before, key).is_none());
        let added =
            added.map(|(key, new)| Change { path: format!("{prefix}{key}"), before: None, after: Some(new.clone()) });
        self.changes.extend(added);
    }
}

/// A key, and the JSON text of its value.
type Member = (String, String);

fn value_of<'a>(members: &'a [Member], key: &str) -> Option<&'a String> {
    members.iter().find(|(other, _)| other == key).map(|(_, value)| value)
}

/// The members of an object; none if it is none.
fn members(text: &str) -> Option<Vec<Member>> {
    let mut index = Vec::new();
    json::index(text.as_bytes(), &mut index).ok()?;
    let slice = |from: u32, to: u32| text.get(from as usize..to as usize).unwrap_or_default().to_owned();
    Some(index.iter().map(|m| (slice(m.key, m.key_end), slice(m.value, m.value_end))).collect())
}

fn quoted(line: &str) -> String {
    let mut value = Vec::new();
    json::quote(line.as_bytes(), &mut value);
    String::from_utf8_lossy(&value).into_owned()
}

/// The member's string value without its quotes.
pub(super) fn string_member(record: &str, key: &str) -> Option<String> {
    let members = members(record)?;
    Some(value_of(&members, key)?.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, record: &str) -> (Vec<String>, usize) {
        let found = Changes::between(line, record);
        let text = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
        let row = |change: &Change| format!("{}: {} > {}", change.path, text(&change.before), text(&change.after));
        (found.changes.iter().map(row).collect(), found.same)
    }

    #[test]
    fn members_are_compared_at_every_depth() {
        let line = r#"{"a":1.0,"user":{"id":7,"email":"x@y.zz"},"b":true}"#;
        let record = r#"{"a":1.0,"user":{"id":7,"email":"***"},"env":"demo"}"#;
        let rows = [r#"user.email: "x@y.zz" > "***""#, "b: true > -", r#"env: - > "demo""#].map(str::to_owned);
        assert_eq!(shown(line, record), (rows.to_vec(), 2));
    }

    #[test]
    fn a_raw_line_came_as_its_message() {
        let rows = vec![r#"timestamp: - > "t""#.to_owned()];
        assert_eq!(shown(r#"a "b""#, r#"{"message":"a \"b\"","timestamp":"t"}"#), (rows, 1));
    }
}
