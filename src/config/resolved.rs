//! The configuration as it is used: every setting with its value and where that came from. Secrets are not shown.

use serde_json::Value as Json;

use super::catalogue::Catalogue;
use super::plan::{Plan, Section};
use super::schema::Schema;
use super::tree::{Node, Text, Value};
use crate::component::files::Digest;
use crate::component::mask::STARS;
use crate::diagnostic::{Place, Sources};

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Its path from the root, such as `sinks.out.batch.max_bytes`.
    pub path: String,
    /// Its value, as TOML would have it; `"***"` for a secret, `"SECRET[backend.key]"` for one of a backend.
    pub value: String,
    /// Of its value, also where that is not shown.
    pub digest: Digest,
    /// Where the value came from.
    pub origin: Origin,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is written there.
    Written(Place),
    /// Variables of the environment are part of it.
    Variable(Place),
    /// Secrets of a backend are part of it.
    Secret(Place),
    /// It is the default.
    Default,
}

/// Every setting of `plan`: those of the process, then each component's, in the order of the files.
pub fn resolved(plan: &Plan, catalogue: &dyn Catalogue) -> Vec<Resolved> {
    let mut lines = Vec::new();
    section(&plan.globals, catalogue.globals(), "", &mut lines);
    for component in plan.components() {
        let above = format!("{}.{}", component.kind.section(), component.id);
        let Some(found) = catalogue.find(component.kind, &component.type_name) else { continue };
        let place = component.section.place();
        let mut line = |name: &str, value: String| {
            let origin = Origin::Written(place.clone());
            let digest = Digest::of(value.as_bytes());
            lines.push(Resolved { path: format!("{above}.{name}"), value, digest, origin });
        };
        line("type", text(&component.type_name));
        if !component.inputs.is_empty() {
            let inputs: Vec<_> = component.inputs.iter().map(|input| text(&input.to_string())).collect();
            line("inputs", format!("[{}]", inputs.join(", ")));
        }
        section(&component.section, found.schema, &above, &mut lines);
    }
    lines
}

fn section(section: &Section, schema: &Json, above: &str, lines: &mut Vec<Resolved>) {
    let checked = toml::Value::Table(section.settings.clone());
    walk(&mut Walk { lines, path: above.to_owned() }, (Some(&section.node), Some(&checked)), &Schema::of(schema));
}

struct Walk<'a> {
    lines: &'a mut Vec<Resolved>,
    path: String,
}

/// Lists a value and what is below it: as written (`node`), as checked (`value`), as allowed (`schema`).
fn walk(out: &mut Walk<'_>, (node, value): (Option<&Node>, Option<&toml::Value>), schema: &Schema<'_>) {
    let schema = &schema.without_null();
    let forms = schema.alternatives();
    let table = value.and_then(toml::Value::as_table);
    let has_settings = !schema.properties().is_empty() || forms.iter().any(|form| !form.properties().is_empty());
    // What may be a table may be written as something else: a condition as its text.
    if table.is_none() && (!has_settings || value.is_some()) {
        return leaf(out, (node, value), schema);
    }
    let form = table.and_then(|table| chosen(&forms, table)).unwrap_or_else(|| schema.clone());
    let mut names: Vec<String> = form.properties().keys().map(|name| (*name).to_owned()).collect();
    names.extend(
        table
            .into_iter()
            .flat_map(toml::Table::keys)
            .filter(|key| !form.properties().contains_key(key.as_str()))
            .cloned(),
    );
    if value.is_none() && !forms.is_empty() {
        // A choice that nobody made.
        return;
    }
    for name in names {
        let length = out.path.len();
        if !out.path.is_empty() {
            out.path.push('.');
        }
        out.path.push_str(&name);
        let below = node.and_then(|node| child(node, &name));
        if let Some(schema) = form.setting(&name) {
            walk(out, (below, table.and_then(|table| table.get(&name))), &schema);
        }
        out.path.truncate(length);
    }
}

/// The form that a table has, told by its tag.
fn chosen<'s>(forms: &[Schema<'s>], table: &toml::Table) -> Option<Schema<'s>> {
    let tag = Schema::tag_of(forms)?;
    let written = table.get(tag)?.as_str()?;
    forms
        .iter()
        .find(|form| {
            form.properties()
                .get(tag)
                .and_then(Schema::constants)
                .is_some_and(|all| all.iter().any(|value| *value == written))
        })
        .cloned()
}

fn child<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    match &node.value {
        Value::Table(table) => table.get(name).map(|entry| &entry.node),
        _ => None,
    }
}

fn leaf(out: &mut Walk<'_>, (node, value): (Option<&Node>, Option<&toml::Value>), schema: &Schema<'_>) {
    let references = node.map(references).unwrap_or_default();
    let shown = match value {
        Some(_) if !references.is_empty() => text(&references.join(", ")),
        Some(value) => veiled(value, vec![schema.clone()]).to_string(),
        None => match schema.default_value().filter(|value| !value.is_null()) {
            Some(value) => value.to_string(),
            None => return,
        },
    };
    let origin = match (value, node) {
        (Some(_), Some(node)) if node.any_text(Text::has_secret) => Origin::Secret(node.place.clone()),
        (Some(_), Some(node)) if node.any_text(|text| !text.splices.is_empty()) => Origin::Variable(node.place.clone()),
        (Some(_), Some(node)) => Origin::Written(node.place.clone()),
        _ => Origin::Default,
    };
    let digest = Digest::of(value.map_or_else(|| shown.clone(), ToString::to_string).as_bytes());
    out.lines.push(Resolved { path: out.path.clone(), value: shown, digest, origin });
}

/// The secrets of backends that are part of a value, as they are written.
fn references(node: &Node) -> Vec<String> {
    let mut found = Vec::new();
    node.for_each_text(&mut |text| found.extend(text.splices.iter().filter_map(|splice| splice.secret.clone())));
    found
}

/// The value with stars in the place of each secret: of what any of `forms` calls so, in lists and in the tables of lists, too.
fn veiled<'s>(value: &toml::Value, forms: Vec<Schema<'s>>) -> toml::Value {
    let inner = |schema: Schema<'s>| std::iter::once(schema.without_null()).chain(schema.alternatives());
    let forms: Vec<Schema<'s>> = forms.into_iter().flat_map(inner).collect();
    if forms.iter().any(Schema::is_secret) {
        return STARS.into();
    }
    match value {
        toml::Value::Array(items) => {
            let of = |at: usize| forms.iter().map(|form| form.item(at)).collect();
            items.iter().enumerate().map(|(at, item)| veiled(item, of(at))).collect::<Vec<_>>().into()
        }
        toml::Value::Table(table) => {
            let of = |key: &str| forms.iter().filter_map(|form| form.setting(key)).collect();
            let entry = |(key, inner): (&String, &toml::Value)| (key.clone(), veiled(inner, of(key)));
            table.iter().map(entry).collect::<toml::Table>().into()
        }
        plain => plain.clone(),
    }
}

fn text(value: &str) -> String {
    toml::Value::String(value.to_owned()).to_string()
}

impl Origin {
    /// In a person's words.
    pub fn show(&self, sources: &Sources) -> String {
        let at = |place: &Place| format!("{}:{}", sources.file(place.file).name, sources.position(place).line);
        match self {
            Self::Written(place) => at(place),
            Self::Variable(place) => format!("{}, from the environment", at(place)),
            Self::Secret(place) => format!("{}, from a secret backend", at(place)),
            Self::Default => "default".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Origin, resolved};
    use crate::config::{Memory, Rules, Shelves, load_texts};

    #[test]
    fn what_is_written_in_another_form_is_listed_and_secrets_in_lists_are_not_shown() {
        let text = "[sources.app]\ntype = 'stdin'\n[transforms.private]\ntype = 'scrub'\ninputs = ['app']\naction = 'hash'\n\
                    keys = [{ id = 'k', value = '${KEY}' }]\n[transforms.few]\ntype = 'filter'\ninputs = ['private']\n\
                    condition = '.a == 1'\n[sinks.out]\ntype = 'blackhole'\ninputs = ['few']\n";
        let environment = |_: &str| Some("0123456789abcdef0123456789abcdef".to_owned());
        let rules =
            Rules { catalogue: &Shelves, environment: &environment, budget: &Memory { default_limit: 1 << 30 } };
        let loaded = load_texts([("levada.toml", text)], rules);
        let lines = resolved(&loaded.plan.unwrap(), &Shelves);
        let value = |path: &str| lines.iter().find(|line| line.path == path).map(|line| line.value.as_str());
        assert_eq!(value("transforms.few.condition"), Some("\".a == 1\""));
        assert_eq!(value("transforms.private.keys"), Some("[{ id = \"k\", value = \"***\" }]"));
    }

    #[test]
    fn each_value_has_its_origin_and_secrets_have_none() {
        let text = "[sources.app]\ntype = 'file'\ninclude = ['${LOGS}/*.log']\n\
                    [sinks.out]\ntype = 'elasticsearch'\ninputs = ['app']\nendpoints = ['http://127.0.0.1:9200']\n\
                    bulk.index = 'logs'\nauth = { strategy = 'basic', user = 'u', password = '${PASSWORD}' }\n";
        let environment = |name: &str| Some(format!("value-of-{name}"));
        let rules =
            Rules { catalogue: &Shelves, environment: &environment, budget: &Memory { default_limit: 1 << 30 } };
        let loaded = load_texts([("levada.toml", text)], rules);
        let lines = resolved(&loaded.plan.unwrap(), &Shelves);
        let line = |path: &str| {
            let line = lines.iter().find(|line| line.path == path).unwrap_or_else(|| panic!("{path}: {lines:#?}"));
            format!("{} # {}", line.value, line.origin.show(&loaded.sources))
        };
        assert_eq!(line("sources.app.include"), "[\"value-of-LOGS/*.log\"] # levada.toml:3, from the environment");
        assert_eq!(line("sources.app.read_from"), "\"beginning\" # default");
        assert_eq!(line("sinks.out.bulk.index"), "\"logs\" # levada.toml:8");
        assert_eq!(line("sinks.out.auth.password"), "\"***\" # levada.toml:9, from the environment");
        assert_eq!(line("sinks.out.inputs"), "[\"app\"] # levada.toml:4");
        assert_eq!(line("sinks.out.buffer.when_full"), "\"block\" # default");
        assert!(!lines.iter().any(|line| line.value.contains("value-of-PASSWORD")));
        assert!(lines.iter().any(|line| line.origin == Origin::Default && line.path == "data_dir"));
    }
}
