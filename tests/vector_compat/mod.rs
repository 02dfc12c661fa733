//! A configuration of Vector 0.57 moves over: each setting of the components that both have means the same here, or says
//! what to write instead. The settings stand in the files beside this one, and in `docs/moving-from-vector.md`.

mod page;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use levada::config::{self, Kind, LIST, Loaded, Memory, Moved, Of, Rules, Shelves, Verdict, moved};
use levada::diagnostic::{Code, Color, render_report};
use serde::Deserialize;
use toml::{Table, Value};

/// The settings of one component.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sheet {
    /// The component's type, where it is not the name of the file.
    #[serde(rename = "type")]
    type_name: Option<String>,
    /// Settings that must be there.
    base: String,
    /// What a sink reads of a transform, or of a source that has several outputs.
    #[serde(default)]
    outputs: Vec<String>,
    /// Each has its meaning.
    works: Vec<String>,
    /// Each asks for what always holds.
    kept: Vec<String>,
    /// Each is left out with a warning, which has this word.
    needless: Vec<(String, String)>,
    /// Each is an error with a next step, which has this word.
    otherwise: Vec<(String, String)>,
    /// Each has faults of this code and of no other.
    #[serde(default)]
    refused: Vec<(String, String)>,
}

/// The sheet of `[[tests]]`.
const TESTS: &str = "tests";

/// A sheet, and what it is about; no kind for the global options and for the tests.
struct Page {
    kind: Option<Kind>,
    type_name: String,
    sheet: Sheet,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vector_compat")
}

/// All sheets, in the order of a configuration.
fn pages() -> Vec<Page> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let mut pages: Vec<Page> = files.map(|path| read(&path)).collect();
    pages.sort_by(|one, other| (one.kind, &one.type_name).cmp(&(other.kind, &other.type_name)));
    pages
}

fn read(path: &Path) -> Page {
    let text = std::fs::read_to_string(path).unwrap();
    let sheet: Sheet = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let stem = path.file_stem().unwrap().to_str().unwrap();
    let (section, name) = stem.split_once('.').unwrap_or((stem, ""));
    let kind = Kind::ALL.into_iter().find(|kind| kind.section() == section);
    let name = if kind.is_some() { name } else { section };
    let type_name = sheet.type_name.clone().unwrap_or_else(|| name.to_owned());
    Page { kind, type_name, sheet }
}

impl Page {
    /// A configuration in which the component has this setting besides those it needs.
    fn configuration(&self, setting: &str) -> String {
        let mut settings: Table = toml::from_str(&self.sheet.base).unwrap();
        lay_over(&mut settings, toml::from_str(setting).unwrap());
        let source = "[sources.in]\ntype = 'stdin'\n";
        let sink = |inputs: &[String]| format!("[sinks.out]\ntype = 'blackhole'\ninputs = {inputs:?}\n");
        if self.type_name == TESTS {
            let tests = Table::from_iter([(TESTS.to_owned(), Value::Array(vec![Value::Table(settings)]))]);
            let step = "[transforms.it]\ntype = 'filter'\ninputs = ['in']\ncondition = 'true'\n";
            return format!("{source}{step}{}{}", sink(&["it".to_owned()]), toml::to_string(&tests).unwrap());
        }
        let Some(kind) = self.kind else {
            return format!("{}\n{source}{}", toml::to_string(&settings).unwrap(), sink(&["in".to_owned()]));
        };
        settings.insert("type".to_owned(), self.type_name.clone().into());
        if kind != Kind::Source {
            settings.insert("inputs".to_owned(), vec!["in"].into());
        }
        let component = Table::from_iter([("it".to_owned(), Value::Table(settings))]);
        let section = Table::from_iter([(kind.section().to_owned(), Value::Table(component))]);
        let own = toml::to_string(&section).unwrap();
        match kind {
            Kind::Source if self.sheet.outputs.is_empty() => format!("{own}{}", sink(&["it".to_owned()])),
            Kind::Source => format!("{own}{}", sink(&self.sheet.outputs)),
            Kind::Transform => format!("{source}{own}{}", sink(&self.sheet.outputs)),
            Kind::Sink => format!("{source}{own}"),
        }
    }

    /// Loads it with a setting and says what is not as `expected`: no fault, or one of a code whose help has a word.
    fn differs(&self, setting: &str, expected: Option<(&str, &str)>) -> Option<String> {
        let text = self.configuration(setting);
        let loaded = load(&text);
        // Nothing refers to a backend or a table that a sheet declares.
        let all = loaded.report.diagnostics().iter();
        let found: Vec<_> = all.filter(|fault| fault.code != Code::IdleSetting).collect();
        let is_so = match (expected, found.as_slice()) {
            (None, []) => loaded.plan.is_some(),
            (Some((code, "")), [_, ..]) => found.iter().all(|fault| fault.code.as_str() == code),
            (Some((code, word)), [fault]) => {
                fault.code.as_str() == code && fault.help.iter().chain([&fault.message]).any(|text| text.contains(word))
            }
            _ => false,
        };
        let shown = || render_report(&loaded.report, &loaded.sources, Color::Never);
        (!is_so).then(|| format!("{} with `{setting}`: expected {expected:?}, found\n{}\n", self.type_name, shown()))
    }

    /// Does a setting of this sheet come to this row?
    fn has(&self, row: &Moved) -> bool {
        let is_here = match row.of {
            Of::Globals => self.kind.is_none() && self.type_name != TESTS,
            Of::Tests => self.type_name == TESTS,
            Of::Components => self.kind.is_some(),
            Of::Kind(kind) => self.kind == Some(kind),
            Of::Types(kind, names) => self.kind == Some(kind) && names.contains(&self.type_name.as_str()),
        };
        let Sheet { kept, needless, otherwise, .. } = &self.sheet;
        let told = |list: &[(String, String)]| list.iter().map(|(setting, _)| setting.clone()).collect();
        let settings: Vec<String> = match row.verdict {
            Verdict::Kept => kept.clone(),
            Verdict::Needless => told(needless),
            Verdict::Otherwise => told(otherwise),
        };
        is_here && settings.iter().flat_map(|setting| leaves(setting)).any(|leaf| meets(row, &leaf))
    }
}

fn load(text: &str) -> Loaded {
    let rules = Rules { catalogue: &Shelves, environment: &|_| None, budget: &Memory { default_limit: 256 << 20 } };
    config::load_texts([("vector.toml", text)], rules)
}

/// Puts `more` over `table`; of two tables, the members one by one.
fn lay_over(table: &mut Table, more: Table) {
    for (key, value) in more {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => lay_over(inner, value),
            (_, value) => drop(table.insert(key, value)),
        }
    }
}

/// The paths of a setting with their values as words.
fn leaves(setting: &str) -> Vec<(String, String)> {
    fn walk(path: &str, value: &Value, found: &mut Vec<(String, String)>) {
        match value {
            Value::Table(table) => {
                let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                table.iter().for_each(|(key, value)| walk(&below(key), value, found));
            }
            Value::Array(items) => {
                found.push((path.to_owned(), LIST.to_owned()));
                let tables = items.iter().filter(|item| item.is_table());
                tables.for_each(|item| walk(&format!("{path}[]"), item, found));
            }
            Value::String(text) => found.push((path.to_owned(), text.clone())),
            value => found.push((path.to_owned(), value.to_string())),
        }
    }
    let mut found = Vec::new();
    walk("", &Value::Table(toml::from_str(setting).unwrap()), &mut found);
    found
}

fn meets(row: &Moved, (path, value): &(String, String)) -> bool {
    let mut names = path.split('.');
    let is_path = row.setting.split('.').all(|step| names.next().is_some_and(|name| step == "*" || step == name));
    is_path && (row.values.is_empty() || row.values.contains(&value.as_str()))
}

#[test]
fn every_setting_has_its_meaning_or_its_answer() {
    let (mut strange, mut tried) = (String::new(), 0);
    for page in pages() {
        let Sheet { works, kept, needless, otherwise, refused, .. } = &page.sheet;
        let fine = works.iter().chain(kept).map(|setting| (setting, None));
        let needless =
            needless.iter().map(|(setting, word)| (setting, Some((Code::NeedlessSetting.as_str(), word.as_str()))));
        let otherwise =
            otherwise.iter().map(|(setting, word)| (setting, Some((Code::MovedSetting.as_str(), word.as_str()))));
        let refused = refused.iter().map(|(setting, code)| (setting, Some((code.as_str(), ""))));
        for (setting, expected) in fine.chain(needless).chain(otherwise).chain(refused) {
            tried += 1;
            let _written = write!(strange, "{}", page.differs(setting, expected).unwrap_or_default());
        }
    }
    assert_eq!(strange, "");
    assert!(tried > 300, "{tried} settings");
}

#[test]
fn every_answer_is_asked_for() {
    let pages = pages();
    let unasked: Vec<_> = moved().filter(|row| !pages.iter().any(|page| page.has(row))).collect();
    assert!(unasked.is_empty(), "{unasked:#?}");
}

#[test]
fn a_needless_setting_leaves_the_others_in_force() {
    let text = "[sources.in]\ntype = 'stdin'\nhost_key = 'h'\ngraph.node_attributes.x = 'y'\n\
                [sinks.out]\ntype = 'blackhole'\ninputs = ['in']\nhealthcheck.enabled = true\nbuffer.max_size = 65536\n";
    let plan = load(text).plan.unwrap();
    let settings = |section: &config::Section| toml::to_string(&section.settings).unwrap();
    assert_eq!(settings(&plan.sources[0].section), "host_key = \"h\"\n");
    assert_eq!(settings(&plan.sinks[0].section), "[buffer]\nmax_size = 65536\n");
}

#[test]
fn what_neither_has_stays_unknown() {
    for (text, code) in [
        ("encoding.charsett = 'x'", Code::UnknownSetting),
        ("encoding = { charset = 'utf-8', other = 1 }", Code::UnknownSetting),
        ("pattern = 'x'", Code::UnknownSetting),
    ] {
        let text = format!(
            "[sources.in]\ntype = 'file'\ninclude = ['/x']\n{text}\n[sinks.out]\ntype = 'blackhole'\ninputs = ['in']\n"
        );
        let found: Vec<_> = load(&text).report.diagnostics().iter().map(|fault| fault.code).collect();
        assert_eq!(found, [code], "{text}");
    }
}
