//! The table of all forms, unset, empty and set; and what is left alone.

use super::{Fault, Outside, Reason};
use crate::config::secret::Secrets;
use crate::config::tree::Text;
use proptest::prelude::*;

fn environment(name: &str) -> Option<String> {
    match name {
        "SET" => Some("s".to_owned()),
        "EMPTY" => Some(String::new()),
        "DOLLAR" => Some("$SET }".to_owned()),
        "with.dot" => Some("d".to_owned()),
        _ => None,
    }
}

fn expand(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Text, Vec<Fault>> {
    super::expand(text, Outside { environment, secrets: &Secrets::default() })
}

fn outcome(text: &str) -> Result<String, Reason> {
    expand(text, &environment).map(|expanded| expanded.content).map_err(|mut faults| faults.remove(0).reason)
}

fn unset(name: &str) -> Result<&'static str, Reason> {
    Err(Reason::Unset(name.to_owned()))
}

fn required(name: &str, message: &str) -> Result<&'static str, Reason> {
    Err(Reason::Required(name.to_owned(), message.to_owned()))
}

#[test]
fn every_form_unset_empty_and_set() {
    // The form with NAME in it, and what it yields for an unset, an empty and a set (`s`) variable.
    let cases = [
        ("$NAME", unset("UNSET"), Ok(""), Ok("s")),
        ("${NAME}", unset("UNSET"), Ok(""), Ok("s")),
        ("${NAME-d e}", Ok("d e"), Ok(""), Ok("s")),
        ("${NAME:-d}", Ok("d"), Ok("d"), Ok("s")),
        ("${NAME:-}", Ok(""), Ok(""), Ok("s")),
        ("${NAME-}", Ok(""), Ok(""), Ok("s")),
        ("${NAME:-a:-b}", Ok("a:-b"), Ok("a:-b"), Ok("s")),
        ("${NAME:\"d\"}", Ok("d"), Ok("d"), Ok("s")),
        ("${NAME:\"a } b\"}", Ok("a } b"), Ok("a } b"), Ok("s")),
        ("${NAME?why}", required("UNSET", "why"), Ok(""), Ok("s")),
        ("${NAME:?why}", required("UNSET", "why"), required("EMPTY", "why"), Ok("s")),
        ("${NAME:?}", required("UNSET", ""), required("EMPTY", ""), Ok("s")),
    ];
    for (form, if_unset, if_empty, if_set) in cases {
        for (name, expected) in [("UNSET", if_unset), ("EMPTY", if_empty), ("SET", if_set)] {
            let text = form.replace("NAME", name);
            let expected = expected.map(str::to_owned);
            assert_eq!(outcome(&text), expected, "{text}");
            let inside = format!("<{text}>");
            assert_eq!(outcome(&inside), expected.map(|value| format!("<{value}>")), "{inside}");
        }
    }
}

#[test]
fn dollar_signs_that_are_not_variables_stay() {
    for (text, expected) in [
        ("$$SET", "$SET"),
        ("$$$SET", "$s"),
        ("$${SET}", "${SET}"),
        ("r'^a$|b'", "r'^a$|b'"),
        ("costs 5$", "costs 5$"),
        ("$0 $1", "$0 $1"),
        ("$.a", "$.a"),
        ("a$SET.b", "as.b"),
        ("${with.dot}", "d"),
        ("${SET}${SET}", "ss"),
        ("ключ $SET", "ключ s"),
        ("no variable", "no variable"),
    ] {
        assert_eq!(outcome(text), Ok(expected.to_owned()), "{text}");
    }
}

#[test]
fn a_value_is_not_interpolated_again() {
    assert_eq!(outcome("$DOLLAR"), Ok("$SET }".to_owned()));
}

#[test]
fn what_cannot_be_read_is_a_fault() {
    for text in ["${", "${}", "${SET", "${1}", "${SET!}", "${SET:d}", "${SET:\"d}", "${ SET}", "${SET:}"] {
        assert_eq!(outcome(text), Err(Reason::Malformed), "{text}");
    }
}

#[test]
fn only_a_single_interpolation_is_whole() {
    let whole = |text: &str| expand(text, &environment).expect("no fault").whole;
    for text in ["$SET", "${SET}", "${UNSET:-5}", "${UNSET:\"5\"}"] {
        assert!(whole(text).is_some(), "{text}");
    }
    for text in ["$SET ", " ${SET}", "${SET}${SET}", "$$", "SET", "", "$SET$"] {
        assert_eq!(whole(text), None, "{text}");
    }
}

#[test]
fn every_fault_of_a_string_is_found_at_its_place() {
    let faults = expand("a $ONE ${TWO:?m} ${", &environment).expect_err("three faults");
    assert_eq!(
        faults,
        [
            Fault { span: 2..6, reason: Reason::Unset("ONE".to_owned()) },
            Fault { span: 7..16, reason: Reason::Required("TWO".to_owned(), "m".to_owned()) },
            Fault { span: 17..19, reason: Reason::Malformed },
        ]
    );
}

proptest! {
    #[test]
    fn splices_tell_exactly_what_changed(text in "([a-z$é]|\\$\\{SET\\}|\\$\\$|\\$SET|\\$\\{X:-d\\}){0,12}") {
        if let Ok(expanded) = expand(&text, &environment) {
            let (mut written, mut result) = (0, 0);
            for splice in &expanded.splices {
                prop_assert_eq!(&text[written..splice.written.start], &expanded.content[result..splice.result.start]);
                (written, result) = (splice.written.end, splice.result.end);
            }
            prop_assert_eq!(&text[written..], &expanded.content[result..]);
        }
    }
}
