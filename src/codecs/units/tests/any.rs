//! Any file, read in any pieces and begun again anywhere, gives the records of the file read at once.

use proptest::prelude::*;

use super::*;

/// A line of a container's log: which output, whether it is a piece, its payload.
type Written = (bool, bool, String);

fn payload() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-cé ]{0,12}",
        1 => Just(" at frame".to_owned()),
        1 => Just("{\"a\":1}".to_owned()),
        1 => "[x]{38,60}",
    ]
}

fn container(lines: &[Written], is_docker: bool) -> Vec<u8> {
    let line = |(is_error, is_partial, text): &Written| {
        let stream = if *is_error { "stderr" } else { "stdout" };
        if is_docker {
            let log = serde_json::to_string(&format!("{text}{}", if *is_partial { "" } else { "\n" })).unwrap();
            return format!("{{\"log\":{log},\"stream\":\"{stream}\",\"time\":\"{T}\"}}\n");
        }
        format!("{T} {stream} {} {text}\n", if *is_partial { "P" } else { "F" })
    };
    lines.iter().map(line).collect::<String>().into_bytes()
}

fn rules() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![
        None,
        Some("preset = 'java'"),
        Some("mode = 'continue_through'\nstart_pattern = '^a'\ncondition_pattern = '^ '\nmax_lines = 3"),
        Some("mode = 'continue_past'\nstart_pattern = 'a$'\ncondition_pattern = 'a$'"),
        Some("mode = 'halt_before'\nstart_pattern = ''\ncondition_pattern = '^b'\nmax_bytes = 50"),
        Some("mode = 'halt_with'\nstart_pattern = ''\ncondition_pattern = 'c$'"),
    ])
}

/// What is left of a record when it does not matter with which other streams it was read, or whether it lies in a block.
fn sorted(mut found: Vec<Record>) -> Vec<Record> {
    found.sort();
    found
}

fn check(layout: &Layout, file: &[u8], quanta: &[usize], restart: usize) -> Result<(), TestCaseError> {
    let (whole, _) = read(layout, file);
    let mut reader = Reader::new(layout, file);
    let mut committed = (reader.resume(), 0);
    for (turn, quantum) in quanta.iter().enumerate() {
        // The writer is never far ahead.
        let end = file.len().min(reader.offset as usize + quantum * 2);
        reader.read(quantum % 7 + 8, end);
        if turn == restart / 2 {
            committed = (reader.resume(), reader.found.len());
        }
        if turn == restart {
            // What was offered since the last commit is lost with the process.
            reader.found.truncate(committed.1);
            reader.begin(committed.0);
        }
    }
    let (found, _) = reader.finish(64);
    let mut last = std::collections::HashMap::new();
    for record in &found {
        let before = last.insert(record.stream, record.position);
        prop_assert!(before.is_none_or(|before| before < record.position), "positions of a stream grow");
    }
    prop_assert_eq!(sorted(found), sorted(whole));
    Ok(())
}

proptest! {
    #[test]
    fn container_logs(
        lines in prop::collection::vec((any::<bool>(), prop::bool::weighted(0.3), payload()), 0..30),
        is_docker in any::<bool>(),
        rules in rules(),
        quanta in prop::collection::vec(0..40_usize, 0..120),
        restart in 0..60_usize,
    ) {
        let layout = layout(Framing::Container).with_multiline(rules.and_then(multiline));
        check(&layout, &container(&lines, is_docker), &quanta, restart)?;
    }

    #[test]
    fn plain_files(
        text in prop_oneof!["[a-c \r\n]{0,200}", "(\u{feff})?[ab\n]{0,100}"],
        rules in rules(),
        delimiter in prop::sample::select(vec![None, Some("b"), Some("ab")]),
        is_wide in any::<bool>(),
        quanta in prop::collection::vec(0..40_usize, 0..60),
        restart in 0..30_usize,
    ) {
        let charset = if is_wide { charset("utf-16le").unwrap() } else { Charset::default() };
        let layout = layout(Framing::Lines).with_text(delimiter, charset).with_multiline(rules.and_then(multiline));
        let file = if is_wide { text.encode_utf16().flat_map(u16::to_le_bytes).collect() } else { text.into_bytes() };
        check(&layout, &file, &quanta, restart)?;
    }

    /// Model: the pieces of each output, joined up to each last one.
    #[test]
    fn chains_agree_with_a_model(
        lines in prop::collection::vec((any::<bool>(), prop::bool::weighted(0.5), "[a-c]{0,3}"), 0..40),
        quantum in 1..100_usize,
    ) {
        let layout = layout(Framing::Container);
        let (found, _) = Reader::new(&layout, &container(&lines, false)).finish(quantum);
        for is_error in [false, true] {
            let mut model = vec![String::new()];
            for (_, is_partial, text) in lines.iter().filter(|line| line.0 == is_error) {
                model.last_mut().unwrap().push_str(text);
                if !is_partial {
                    model.push(String::new());
                }
            }
            model.retain(|line| !line.is_empty());
            let of_stream = |record: &&Record| record.json.contains(if is_error { "stderr" } else { "stdout" });
            let joined: Vec<String> = found.iter().filter(of_stream).map(|record| record.text.clone()).collect();
            let cut: Vec<String> = model.iter().map(|line| line[..line.len().min(40)].to_owned()).collect();
            prop_assert_eq!(joined, cut);
        }
    }
}
