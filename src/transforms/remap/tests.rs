use std::sync::Arc;

use super::*;
use crate::event::{Origin, StreamKey};
use crate::transforms::test_kit::{Out, Step, batch, batch_with, identities, lines, problems, step, text};

fn remap(settings: &str) -> Step {
    step::<RemapSettings>(settings)
}

#[test]
fn the_usual_program_changes_what_it_names_and_keeps_the_rest() {
    let step = remap("source = '''\n. = object!(parse_json!(string!(.message)))\n.env = \"prod\"\n.n = 1\n'''");
    let line = r#"{"id":12345678901234567890,"env":"forged", "message":"a\/b"}"#;
    assert_eq!(step.main(text(&[line])), [r#"{"id":12345678901234567890,"env":"prod","message":"a\/b","n":1}"#]);
    assert_eq!(step.meters.error_count("program_failed"), 0);
}

const PICKY: &str = "source = 'if .a == \"stop\" { abort \"as asked\" }; .b = to_int!(.a)'";
const LINES: [&str; 3] = [r#"{"a":"1"}"#, r#"{"a":"stop"}"#, r#"{"a" : "x"}"#];

#[test]
fn by_default_aborted_records_are_dropped_and_failed_ones_go_on_unchanged() {
    let ledger = Arc::default();
    let step = remap(PICKY);
    let out = step.run(batch_with(&LINES, Origin::new(StreamKey(1)), &ledger));
    assert_eq!(out, Out { main: vec![r#"{"a":"1","b":1}"#.into(), LINES[2].into()], named: vec![] });
    assert_eq!(step.meters.discarded_events(Reason::Aborted), 1);
    assert_eq!(step.meters.discarded_events(Reason::ProgramFailed), 0);
    assert_eq!(step.meters.error_count("program_failed"), 1);
    let resolution = ledger.resolution();
    assert_eq!((resolution.delivered, resolution.dropped, resolution.failed), (2, 1, 0));
}

#[test]
fn drop_on_error_drops_and_drop_on_abort_off_keeps() {
    let step = remap(&format!("{PICKY}\ndrop_on_error = true\ndrop_on_abort = false"));
    assert_eq!(step.main(batch(&LINES)), [r#"{"a":"1","b":1}"#, LINES[1]]);
    assert_eq!(step.meters.discarded_events(Reason::ProgramFailed), 1);
    assert_eq!(step.meters.discarded_events(Reason::Aborted), 0);
}

#[test]
fn rerouted_records_say_why_and_keep_their_bytes() {
    let ledger = Arc::default();
    let settings = format!("{PICKY}\ndrop_on_error = true\nreroute_dropped = true");
    let step = remap(&settings);
    let out = step.run(batch_with(&LINES, Origin::new(StreamKey(1)), &ledger));
    assert_eq!(out.main, [r#"{"a":"1","b":1}"#]);
    let [(1, dropped)] = &out.named[..] else { panic!("{out:?}") };
    let told = |reason: &str, message: &str| {
        format!(
            r#""metadata":{{"dropped":{{"component_id":"it","component_kind":"transform","component_type":"remap","message":"{message}","reason":"{reason}"}}}}}}"#
        )
    };
    assert_eq!(dropped[0], format!(r#"{{"a":"stop",{}"#, told("abort", "as asked")));
    assert!(dropped[1].starts_with(r#"{"a" : "x","metadata":{"dropped":{"#), "{}", dropped[1]);
    assert!(dropped[1].contains(r#""reason":"error""#));
    assert_eq!(step.meters.discarded_events(Reason::Aborted), 0, "what is rerouted is not lost");
    assert_eq!(ledger.resolution().delivered, 3);
    let outputs = crate::transforms::test_kit::settings::<RemapSettings>(&settings).outputs();
    assert_eq!(outputs, [None, Some("dropped".into())]);
}

#[test]
fn rerouting_takes_only_what_would_be_dropped() {
    let step = remap(&format!("{PICKY}\nreroute_dropped = true"));
    let out = step.run(batch(&LINES));
    assert_eq!(out.main, [r#"{"a":"1","b":1}"#, LINES[2]]);
    assert_eq!(out.named[0].1.len(), 1);
}

#[test]
fn a_list_becomes_records_in_its_place_with_identities_of_their_own() {
    let ledger = Arc::default();
    let step = remap("source = 'if exists(.list) { . = array!(.list) } else { abort }'\nreroute_dropped = true");
    let input = [
        r#"{"a":1}"#,
        r#"{"list":[{"b":1},{"b":2},"text"]}"#,
        r#"{"a":2}"#,
        r#"{"list":[]}"#,
        r#"{"a":3}"#,
        r#"{"list":[{"c":1}]}"#,
    ];
    let batch = batch_with(&input, Origin::new(StreamKey(1)), &ledger);
    let before = identities(&batch);
    let (main, named) = step.apply(batch);
    assert_eq!(lines(&main), [r#"{"b":1}"#, r#"{"b":2}"#, r#"{"message":"text"}"#, r#"{"c":1}"#]);
    let ids = identities(&main);
    assert!(ids[..3].iter().all(|id| id.position == before[1].position && id.sub != 0));
    assert!(ids[0].sub != ids[1].sub && ids[1].sub != ids[2].sub && ids[0].sub != ids[2].sub);
    let dropped = &named[0].1;
    assert_eq!(identities(dropped), [before[0], before[2], before[4]]);
    assert_eq!(step.meters.discarded_events(Reason::Discarded), 1, "an empty list leaves nothing");
    for (_, batch) in named {
        batch.settle(Fate::Delivered);
    }
    main.settle(Fate::Delivered);
    let resolution = ledger.resolution();
    assert_eq!((resolution.delivered, resolution.dropped, resolution.failed), (7, 1, 0));
}

#[test]
fn faults_of_a_program_stand_at_their_place_in_it() {
    let found = problems::<RemapSettings>("source = '''\n.a = 1\n.b = to_int(.c)\n'''");
    let [problem] = &found[..] else { panic!("{found:?}") };
    assert_eq!(problem.setting, "source");
    assert!(problem.message.contains("(VRL E103)"), "{}", problem.message);
    let source = ".a = 1\n.b = to_int(.c)\n";
    assert_eq!(&source[problem.within.clone().unwrap()], "to_int(.c)");
    assert!(problem.help.as_ref().unwrap().contains(".b, err = to_int(.c)"), "{problem:?}");
    assert!(!problem.is_warning);
}

#[test]
fn a_fault_of_a_program_is_told_once() {
    let found = problems::<RemapSettings>("source = '.a = upcas(.b)'");
    assert_eq!(found[0].message, "call to undefined function (VRL E105)");
}

#[test]
fn exactly_one_program_and_a_known_time_zone() {
    let messages = |settings| -> Vec<String> {
        problems::<RemapSettings>(settings).into_iter().map(|problem| problem.message).collect()
    };
    assert!(messages("")[0].contains("no program"));
    assert!(messages("files = []")[0].contains("no program"));
    assert!(messages("source = '.'\nfile = 'a.vrl'")[0].contains("more than one"));
    assert_eq!(messages("source = '.a = 1'\ntimezone = 'Mars/Base'"), ["`Mars/Base` is no time zone"]);
    assert_eq!(messages("source = '.a = 1'\ntimezone = 'Europe/Lisbon'"), [""; 0]);
    assert_eq!(messages("file = 'nowhere.vrl'"), [""; 0], "files are a matter of their own");
}

#[test]
fn a_time_zone_reaches_the_program() {
    let step = remap("source = '.t = to_unix_timestamp(parse_timestamp!(.t, \"%F %T\"))'\ntimezone = 'Asia/Tokyo'");
    assert_eq!(step.main(batch(&[r#"{"t":"1970-01-01 09:00:05"}"#])), [r#"{"t":5}"#]);
}

#[test]
fn programs_in_files_are_joined_and_their_faults_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("a.vrl"), ".a = 1").unwrap();
    std::fs::write(path("b.vrl"), ".b = 2").unwrap();
    std::fs::write(path("bad.vrl"), ".b = ").unwrap();
    let step = remap(&format!("files = ['{}', '{}']", path("a.vrl"), path("b.vrl")));
    assert_eq!(step.main(batch(&["{}"])), [r#"{"a":1,"b":2}"#]);
    let faults = |files: &[&str]| {
        let written: Vec<String> = files.iter().map(|name| format!("'{}'", path(name))).collect();
        let settings: RemapSettings = toml::from_str(&format!("files = [{}]", written.join(", "))).unwrap();
        let found = settings.check_files(&Files::default());
        found.into_iter().map(|problem| (problem.setting, problem.within, problem.file)).collect::<Vec<_>>()
    };
    assert_eq!(faults(&["a.vrl", "b.vrl"]), []);
    assert_eq!(faults(&["a.vrl", "nowhere.vrl"]), [], "told by whoever reads the files");
    std::fs::write(path("typo.vrl"), ".b = 1\n.c = upcas(.d)").unwrap();
    let told = |name: &str, within| {
        vec![(name.to_owned(), Some(within), Some(std::path::Path::new(&path("typo.vrl")).into()))]
    };
    assert_eq!(faults(&["a.vrl", "typo.vrl", "b.vrl"]), told("files[1]", 12..17));
    assert_eq!(faults(&["typo.vrl", "b.vrl"]), told("files[0]", 12..17));
    assert_eq!(faults(&["bad.vrl"]).len(), 1);
    for name in ["bad.vrl", "nowhere.vrl"] {
        let settings: RemapSettings = toml::from_str(&format!("file = '{}'", path(name))).unwrap();
        let (_, context) = crate::component::test_kit::context(folder.path(), 1);
        let why = settings.build(context).err().unwrap();
        assert!(why.contains(&path(name)), "{why}");
    }
}
