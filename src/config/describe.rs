//! What a component type offers, for people: its settings with their defaults, read from the schema that also checks
//! them.

use serde_json::Value as Json;

use super::catalogue::{Catalogue, Kind};
use super::schema::Schema;

/// A component type.
#[derive(Debug)]
pub struct Description {
    /// What it does.
    pub about: String,
    /// How one stands in a configuration: TOML.
    pub example: String,
    /// Its settings, those of tables behind the table.
    pub settings: Vec<Setting>,
}

/// A setting.
#[derive(Debug)]
pub struct Setting {
    /// Its name, such as `bulk.index`.
    pub path: String,
    /// What it takes, in words.
    pub expected: String,
    /// Must it be given? Within a table: where the table is.
    pub is_required: bool,
    /// Its value where it is not given, as JSON.
    pub default: Option<String>,
    /// What it does.
    pub about: String,
    /// The words it takes, each with what it means.
    pub choices: Vec<(String, String)>,
}

/// What the type of this name offers.
pub fn describe(catalogue: &dyn Catalogue, kind: Kind, type_name: &str) -> Option<Description> {
    let found = catalogue.find(kind, type_name)?;
    let schema = Schema::of(found.schema);
    let mut settings = Vec::new();
    table(&schema, "", &mut settings);
    Some(Description { about: text(schema.description_whole()), example: found.example.to_owned(), settings })
}

/// The settings of the process.
pub fn describe_globals(catalogue: &dyn Catalogue) -> Vec<Setting> {
    let mut settings = Vec::new();
    table(&Schema::of(catalogue.globals()), "", &mut settings);
    settings
}

fn table(schema: &Schema<'_>, above: &str, settings: &mut Vec<Setting>) {
    let required = schema.required();
    for (name, property) in schema.properties() {
        let path = if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") };
        settings.push(setting(&path, &property, required.contains(&name)));
        inner(&property, &path, settings);
    }
}

/// The settings of a table, and those of each of its forms, if it has several.
fn inner(schema: &Schema<'_>, path: &str, settings: &mut Vec<Setting>) {
    let schema = &schema.without_null();
    table(schema, path, settings);
    let forms = schema.alternatives();
    let tag = Schema::tag_of(&forms);
    for form in &forms {
        let shown = match tag.and_then(|tag| Some((tag, form.properties().get(tag)?.constants()?.first()?.to_string())))
        {
            Some((tag, value)) => format!("{path}({tag} = {value})"),
            None => path.to_owned(),
        };
        let required = form.required();
        for (name, property) in form.properties() {
            if Some(name) != tag {
                settings.push(setting(&format!("{shown}.{name}"), &property, required.contains(&name)));
                inner(&property, &format!("{shown}.{name}"), settings);
            }
        }
    }
}

fn setting(path: &str, schema: &Schema<'_>, is_required: bool) -> Setting {
    let choices = choices(schema);
    let expected = if choices.is_empty() { schema.expected() } else { "one of".to_owned() };
    let default = schema.default_value().filter(|value| !value.is_null() && !is_required);
    let default = default.filter(|value| !value.is_object()).map(Json::to_string);
    Setting { path: path.to_owned(), expected, is_required, default, about: text(schema.description_whole()), choices }
}

fn choices(schema: &Schema<'_>) -> Vec<(String, String)> {
    let shown = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(listed) = schema.constants() {
        return listed.into_iter().map(|value| (shown(value), String::new())).collect();
    }
    let words = schema.without_null().alternatives();
    let each = words.iter().flat_map(|word| {
        let about = text(word.description_whole());
        word.constants().into_iter().flatten().map(move |value| (shown(value), about.clone()))
    });
    each.collect()
}

/// One paragraph: line breaks within it mean nothing.
fn text(description: Option<&str>) -> String {
    description.unwrap_or_default().split('\n').map(str::trim).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{Kind, describe};
    use crate::config::Shelves;

    #[test]
    fn settings_have_their_path_their_default_and_their_words() {
        let sink = describe(&Shelves, Kind::Sink, "elasticsearch").unwrap();
        let of = |path: &str| sink.settings.iter().find(|setting| setting.path == path).unwrap();
        assert!(of("endpoints").is_required);
        assert_eq!(of("buffer.when_full").default.as_deref(), Some("\"block\""));
        assert_eq!(of("buffer.when_full").choices[0].0, "block");
        assert_eq!(of("auth(strategy = \"basic\").password").expected, "a string");
        assert!(describe(&Shelves, Kind::Source, "elasticsearch").is_none());
    }
}
