use super::Pattern;

fn fault(expression: &str) -> String {
    Pattern::new(expression).expect_err("a fault").to_string()
}

#[test]
fn matches_are_found_and_empty_ones_passed_over() {
    let pattern = Pattern::new("[0-9]*").expect("a valid pattern");
    let mut found = Vec::new();
    pattern.find("a12é3".as_bytes(), &mut found);
    assert_eq!(found, [1..3, 5..6]);
    pattern.find(b"\xff7", &mut found);
    assert_eq!(found, [1..3, 5..6, 1..2]);
}

#[test]
fn syntax_faults_name_their_place() {
    for (expression, at) in [("a(b", 1..2), ("[z-a]", 1..4), (r"é\d{3,1}", 4..9), ("(?=x)", 0..3), (r"(a)\1", 3..5)] {
        let fault = Pattern::new(expression).expect_err("a fault");
        assert_eq!(fault.at, Some(at), "{expression}: {fault}");
    }
    assert_eq!(fault("a(b"), "unclosed group at byte 1 of the pattern");
}

#[test]
fn patterns_that_could_split_a_character_are_refused() {
    assert_eq!(fault(r"x(?-u:\xff)"), "pattern can match invalid UTF-8 at byte 6 of the pattern");
    assert!(Pattern::new(r"(?-u:\w)+").is_ok());
}

#[test]
fn patterns_without_use_are_refused() {
    for expression in ["", "^", "(?:)|$"] {
        assert!(fault(expression).contains("only the empty text"), "{expression}");
    }
}

#[test]
fn limits_hold() {
    assert!(fault(r"\w{2000}").contains("more than 1048576 bytes"));
    assert!(fault(&format!("{}a{}", "(".repeat(200), ")".repeat(200))).contains("nested"));
}
