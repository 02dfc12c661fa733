//! The JSON Schema of a whole configuration, for editors: made of the same schemas that check it.

use serde_json::{Map, Value as Json, json};

use super::catalogue::{Catalogue, Kind};

/// The schema. Editors find it by a first line `#:schema PATH`.
pub fn whole_schema(catalogue: &dyn Catalogue) -> Json {
    let mut definitions = Map::new();
    let mut root = adopt(catalogue.globals().clone(), "globals", &mut definitions);
    let tests = adopt(catalogue.tests().clone(), "tests", &mut definitions);
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    root["title"] = "Levada".into();
    root["description"] = "A configuration of Levada.".into();
    for kind in Kind::ALL {
        let types: Vec<Json> = catalogue
            .names(kind)
            .into_iter()
            .filter_map(|name| component(catalogue, (kind, name), &mut definitions))
            .collect();
        root["properties"][kind.section()] = json!({
            "description": format!("The {}s, by name.", kind.noun()),
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9_-]+$" },
            "additionalProperties": { "oneOf": types },
        });
    }
    root["properties"]["tests"] =
        json!({ "description": "Tests of transforms: `levada test`.", "type": "array", "items": tests });
    root["$defs"] = Json::Object(definitions);
    root
}

/// The schema of one type, which its `type` tells from the others.
fn component(
    catalogue: &dyn Catalogue,
    (kind, name): (Kind, &str),
    definitions: &mut Map<String, Json>,
) -> Option<Json> {
    let found = catalogue.find(kind, name)?;
    let mut schema = adopt(found.schema.clone(), &format!("{}.{name}", kind.section()), definitions);
    let mut required = vec![json!("type")];
    schema["properties"]["type"] =
        json!({ "const": name, "description": format!("A {} of type `{name}`.", kind.noun()) });
    if kind != Kind::Source {
        schema["properties"]["inputs"] = json!({
            "description": "Whose records it takes: names of components, of their outputs, patterns.",
            "type": "array", "items": { "type": "string" }, "minItems": 1,
        });
        required.push(json!("inputs"));
    }
    required.extend(schema["required"].as_array().into_iter().flatten().cloned());
    schema["required"] = Json::Array(required);
    schema["examples"] = Json::Array(examples(kind, found.example));
    Some(schema)
}

/// The components that an example declares.
fn examples(kind: Kind, example: &str) -> Vec<Json> {
    let written: toml::Table = example.parse().expect("an example is TOML");
    let declared = written.get(kind.section()).and_then(toml::Value::as_table).into_iter().flatten();
    declared.map(|(_, component)| json!(component)).collect()
}

/// Moves the definitions of a schema under names of its own.
fn adopt(mut schema: Json, prefix: &str, definitions: &mut Map<String, Json>) -> Json {
    let own = schema.as_object_mut().and_then(|members| {
        members.remove("$schema");
        members.remove("title");
        members.remove("$defs")
    });
    for (name, mut definition) in own.as_ref().and_then(Json::as_object).cloned().unwrap_or_default() {
        rewrite(&mut definition, prefix);
        definitions.insert(format!("{prefix}.{name}"), definition);
    }
    rewrite(&mut schema, prefix);
    schema
}

/// Points references at their new places, and lets a variable stand where a number or a boolean does.
fn rewrite(schema: &mut Json, prefix: &str) {
    match schema {
        Json::Object(members) => {
            if let Some(Json::String(target)) = members.get_mut("$ref") {
                *target = target.replacen("#/$defs/", &format!("#/$defs/{prefix}."), 1);
            }
            members.values_mut().for_each(|value| rewrite(value, prefix));
            if let Some(types) = members.get("type").cloned().filter(takes_a_variable) {
                members.insert("type".to_owned(), with_text(types));
                members.insert("pattern".to_owned(), json!("^\\$"));
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| rewrite(item, prefix)),
        _ => {}
    }
}

/// Is it a number or a boolean, and no text?
fn takes_a_variable(types: &Json) -> bool {
    let names: Vec<_> = match types {
        Json::String(one) => vec![one.as_str()],
        Json::Array(many) => many.iter().filter_map(Json::as_str).collect(),
        _ => return false,
    };
    !names.contains(&"string") && names.iter().any(|name| ["integer", "number", "boolean"].contains(name))
}

fn with_text(types: Json) -> Json {
    let mut names = match types {
        Json::Array(many) => many,
        one => vec![one],
    };
    names.push("string".into());
    Json::Array(names)
}

#[cfg(test)]
mod tests {
    use super::whole_schema;
    use crate::config::Shelves;
    use serde_json::Value as Json;

    fn references(schema: &Json, found: &mut Vec<String>) {
        match schema {
            Json::Object(members) => {
                found.extend(members.get("$ref").and_then(Json::as_str).map(str::to_owned));
                members.values().for_each(|value| references(value, found));
            }
            Json::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn each_reference_leads_somewhere() {
        let schema = whole_schema(&Shelves);
        let mut found = Vec::new();
        references(&schema, &mut found);
        assert!(found.len() > 20);
        for reference in found {
            assert!(schema.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }

    #[test]
    fn the_committed_schema_is_fresh() {
        let committed = include_str!("../../config/schema.json");
        let fresh = serde_json::to_string_pretty(&whole_schema(&Shelves)).unwrap() + "\n";
        assert!(committed == fresh, "run `levada generate-schema > config/schema.json`");
    }
}
