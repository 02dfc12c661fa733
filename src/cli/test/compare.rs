//! How the records that came out differ from the expected ones.

use std::collections::BTreeSet;

use serde_json::Value;

/// What differs, member by member; None if nothing does.
pub(super) fn difference(name: &str, expected: &[Value], found: &[Value]) -> Option<String> {
    let mut lines = Vec::new();
    if expected.len() != found.len() {
        lines.push(format!("expected {} records of `{name}`, found {}", expected.len(), found.len()));
    }
    for (at, (expected, found)) in expected.iter().zip(found).enumerate() {
        let mut changes = Vec::new();
        compare(&mut String::new(), Some(expected), Some(found), &mut changes);
        if !changes.is_empty() {
            lines.push(format!("record {} of `{name}` differs:", at + 1));
            lines.extend(changes);
        }
    }
    let (missing, more) = (expected.iter().skip(found.len()), found.iter().skip(expected.len()));
    lines.extend(missing.map(|record| format!("- {record}")));
    lines.extend(more.map(|record| format!("+ {record}")));
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// One line for what is not there (`-`), one for what is there instead (`+`), each with its path.
fn compare(path: &mut String, expected: Option<&Value>, found: Option<&Value>, lines: &mut Vec<String>) {
    if expected == found {
        return;
    }
    if let (Some(Value::Object(expected)), Some(Value::Object(found))) = (expected, found) {
        for key in expected.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
            let length = path.len();
            path.extend([".", key]);
            compare(path, expected.get(key), found.get(key), lines);
            path.truncate(length);
        }
        return;
    }
    lines.extend(expected.map(|value| format!("- {path} = {value}")));
    lines.extend(found.map(|value| format!("+ {path} = {value}")));
}

#[cfg(test)]
mod tests {
    use super::difference;
    use serde_json::json;

    #[test]
    fn equal_records_have_no_difference() {
        let records = [json!({"a": 1, "b": {"c": []}})];
        assert_eq!(difference("x", &records, &records), None);
    }

    #[test]
    fn each_member_that_differs_has_its_path() {
        let expected = [json!({"a": 1, "b": {"c": 2, "d": 3}}), json!({})];
        let found = [json!({"a": 1, "b": {"c": "2", "e": null}})];
        let lines = "expected 2 records of `x`, found 1\nrecord 1 of `x` differs:\n- .b.c = 2\n+ .b.c = \"2\"\n\
                     - .b.d = 3\n+ .b.e = null\n- {}";
        assert_eq!(difference("x", &expected, &found).as_deref(), Some(lines));
    }
}
