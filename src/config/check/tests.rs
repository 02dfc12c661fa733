//! Types, bounds and choices of settings, written and from variables.

use crate::config::tests::kit::{self, SINK};
use crate::diagnostic::Code;

fn codes(setting: &str) -> Vec<Code> {
    let text = format!("{}{SINK}{setting}\n", kit::SOURCE);
    kit::load(&text).report.diagnostics().iter().map(|fault| fault.code).collect()
}

fn value(setting: &str) -> String {
    let text = format!("{}{SINK}{setting}\n", kit::SOURCE);
    let loaded = kit::load(&text);
    let plan = loaded.plan.unwrap_or_else(|| panic!("{:#?}", loaded.report));
    let key = setting.split(['=', '.']).next().expect("a key").trim();
    plan.sinks[0].section.settings[key].to_string()
}

#[test]
fn written_values_that_fit() {
    for (setting, expected) in [
        ("request.concurrency = 4", "{ concurrency = 4 }"),
        ("request.timeout = '1m30s'", "{ timeout = \"1m30s\" }"),
        ("request.rate = 3", "{ rate = 3.0 }"),
        ("buffer.max_size = '10MiB'", "{ max_size = \"10MiB\" }"),
        ("buffer.max_size = 1024", "{ max_size = 1024 }"),
        ("compression = 'gzip'", "\"gzip\""),
        ("auth = { strategy = 'aws', region = 'r' }", "{ region = \"r\", strategy = \"aws\" }"),
        (
            "auth = { strategy = 'basic', user = 'u', password = 'p' }",
            "{ password = \"p\", strategy = \"basic\", user = \"u\" }",
        ),
        ("fields.anything = 'x'", "{ anything = \"x\" }"),
        ("id = 'x'", "\"x\""),
        ("id = 7", "7"),
        ("nested.nested.depth = 1", "{ nested = { depth = 1 } }"),
    ] {
        assert_eq!(value(setting), expected, "{setting}");
    }
}

#[test]
fn variables_take_the_type_of_their_setting() {
    for (setting, expected) in [
        ("request.concurrency = '${INT}'", "{ concurrency = 8090 }"),
        ("request.concurrency = '${NONE:-7}'", "{ concurrency = 7 }"),
        ("request.rate = '$INT'", "{ rate = 8090.0 }"),
        ("request.rate = '${FLOAT}'", "{ rate = 0.5 }"),
        ("tls = '${TRUE}'", "true"),
        ("request.timeout = '${DURATION}'", "{ timeout = \"5s\" }"),
        ("buffer.max_size = '${SIZE}'", "{ max_size = \"10MiB\" }"),
        ("buffer.max_size = '${INT}'", "{ max_size = 8090 }"),
        ("compression = '${COMPRESSION}'", "\"gzip\""),
        ("fields.port = '$INT'", "{ port = \"8090\" }"),
        ("index = '$INT'", "\"8090\""),
        ("tags = '${LIST}'", "[\"a\", \"b\", \"c\"]"),
        ("tags = ['x', '${LIST}']", "[\"x\", \"a\", \"b\", \"c\"]"),
        ("tags = ['x', '<${LIST}>']", "[\"x\", \"<a, b,c>\"]"),
        ("tags = ['$EMPTY']", "[]"),
        ("ports = ['${INTS}']", "[1, 2]"),
        ("id = '${INT}'", "\"8090\""),
    ] {
        assert_eq!(value(setting), expected, "{setting}");
    }
}

#[test]
fn values_that_do_not_fit() {
    for (setting, expected) in [
        ("request.concurrency = '8'", Code::WrongType),
        ("request.concurrency = 8.0", Code::WrongType),
        ("request.concurrency = '${WORD}'", Code::WrongType),
        ("request.concurrency = '<$INT>'", Code::WrongType),
        ("request.concurrency = '$EMPTY'", Code::WrongType),
        ("request.concurrency = 1979-05-27", Code::WrongType),
        ("request.concurrency = 0", Code::OutOfRange),
        ("request.concurrency = '${BIG}'", Code::OutOfRange),
        ("request.rate = nan", Code::OutOfRange),
        ("request.rate = 0.0", Code::OutOfRange),
        ("request.timeout = 5", Code::WrongType),
        ("request.timeout = '5'", Code::BadFormat),
        ("request.timeout = '${WORD}'", Code::BadFormat),
        ("buffer.max_size = '10 apples'", Code::BadFormat),
        ("buffer.max_size = -1", Code::OutOfRange),
        ("compression = 'gzp'", Code::NotAllowed),
        ("compression = 1", Code::WrongType),
        ("tls = 'true'", Code::WrongType),
        ("tags = 'a'", Code::WrongType),
        ("tags = [1]", Code::WrongType),
        ("ports = ['$LIST']", Code::WrongType),
        ("auth.strategy = 'basci'", Code::NotAllowed),
        ("auth.strategy = 1", Code::WrongType),
        ("auth.user = 'u'", Code::MissingSetting),
        ("auth = { strategy = 'basic', user = 'u' }", Code::MissingSetting),
        ("auth = { strategy = 'bearer', user = 'u', token = 't' }", Code::UnknownSetting),
        ("auth = 'basic'", Code::WrongType),
        ("auth = { strategy = 'aws', region = 'r', zone = 'z' }", Code::UnknownSetting),
        ("auth.strategy = 'aws'", Code::MissingSetting),
        ("id = true", Code::WrongType),
        ("nested.nested.nested.dept = 1", Code::UnknownSetting),
        ("index = '${NONE}'", Code::MissingVariable),
    ] {
        let codes = codes(setting);
        assert!(!codes.is_empty() && codes.iter().all(|code| *code == expected), "{setting}: {codes:?}");
    }
}
