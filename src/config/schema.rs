//! A view over a JSON Schema, of the part that settings types produce.
//!
//! A reference with siblings, and `allOf`, mean "all of these": a view is therefore a list of parts, and each question is put to all.

use serde_json::Value as Json;
use std::collections::BTreeMap;

/// References that lead to references beyond this are a circle.
const DEEPEST: usize = 16;

/// The schema that every value satisfies.
static ANYTHING: Json = Json::Bool(true);

/// What a value must satisfy.
#[derive(Clone, Debug)]
pub(super) struct Schema<'s> {
    root: &'s Json,
    parts: Vec<&'s Json>,
}

/// What a table allows beyond the named settings.
pub(super) enum Others<'s> {
    /// Nothing: an unknown key is a fault.
    Refused,
    /// Anything of this form.
    Like(Schema<'s>),
}

impl<'s> Schema<'s> {
    /// The view of a whole document.
    pub(super) fn of(root: &'s Json) -> Self {
        Self::at(root, root)
    }

    fn at(root: &'s Json, node: &'s Json) -> Self {
        let mut parts = Vec::new();
        gather(root, node, DEEPEST, &mut parts);
        Self { root, parts }
    }

    fn under(&self, node: &'s Json) -> Self {
        Self::at(self.root, node)
    }

    fn first(&self, keyword: &str) -> Option<&'s Json> {
        self.parts.iter().find_map(|part| part.get(keyword))
    }

    fn lists(&self, keyword: &str) -> impl Iterator<Item = &'s Json> {
        self.parts.iter().filter_map(move |part| part.get(keyword)?.as_array()).flatten()
    }

    /// The allowed types, without `null`; empty where any will do.
    pub(super) fn types(&self) -> Vec<&'s str> {
        let named = self.parts.iter().find_map(|part| part.get("type"));
        let types: Vec<_> = match named {
            Some(Json::String(one)) => vec![one.as_str()],
            Some(Json::Array(many)) => many.iter().filter_map(Json::as_str).collect(),
            _ if self.first("properties").is_some() => vec!["object"],
            _ => Vec::new(),
        };
        types.into_iter().filter(|name| *name != "null").collect()
    }

    /// The choices of `oneOf` or `anyOf`, without `null`.
    pub(super) fn alternatives(&self) -> Vec<Self> {
        let all = self.lists("oneOf").chain(self.lists("anyOf"));
        all.filter(|choice| choice.get("type").and_then(Json::as_str) != Some("null"))
            .map(|choice| self.under(choice))
            .collect()
    }

    /// The choice itself, where `null` is the only other.
    pub(super) fn without_null(&self) -> Self {
        match self.alternatives().as_slice() {
            [only] => only.without_null(),
            _ => self.clone(),
        }
    }

    /// The only values allowed, if they are listed.
    pub(super) fn constants(&self) -> Option<Vec<&'s Json>> {
        if let Some(constant) = self.first("const") {
            return Some(vec![constant]);
        }
        let listed = self.first("enum")?.as_array()?;
        Some(listed.iter().filter(|value| !value.is_null()).collect())
    }

    /// The named settings of a table.
    pub(super) fn properties(&self) -> BTreeMap<&'s str, Self> {
        let all = self.parts.iter().filter_map(|part| part.get("properties")?.as_object()).flatten();
        all.map(|(name, node)| (name.as_str(), self.under(node))).collect()
    }

    /// The settings a table must have.
    pub(super) fn required(&self) -> Vec<&'s str> {
        self.lists("required").filter_map(Json::as_str).collect()
    }

    /// What a table allows beside its named settings. A table that names settings and says nothing of others refuses them: serde would
    /// pass over them in silence.
    pub(super) fn others(&self) -> Others<'s> {
        match self.first("additionalProperties") {
            Some(Json::Bool(false)) => Others::Refused,
            Some(node) => Others::Like(self.under(node)),
            None if self.first("properties").is_some() => Others::Refused,
            None => Others::Like(self.under(&ANYTHING)),
        }
    }

    /// What a table allows under a name, if anything.
    pub(super) fn setting(&self, name: &str) -> Option<Self> {
        self.properties().remove(name).or_else(|| match self.others() {
            Others::Like(schema) => Some(schema),
            Others::Refused => None,
        })
    }

    /// The form of the item at an index of a list.
    pub(super) fn item(&self, index: usize) -> Self {
        let tuple = self.first("prefixItems").and_then(|items| items.get(index));
        self.under(tuple.or_else(|| self.first("items")).unwrap_or(&ANYTHING))
    }

    /// The number a keyword such as `minimum` holds.
    pub(super) fn number(&self, keyword: &str) -> Option<f64> {
        self.first(keyword)?.as_f64()
    }

    /// The `format`, if there is one.
    pub(super) fn format(&self) -> Option<&'s str> {
        self.first("format")?.as_str()
    }

    /// The first line of what the setting's author says about it.
    pub(super) fn description(&self) -> Option<&'s str> {
        self.first("description")?.as_str()?.lines().next()
    }

    /// All that the setting's author says about it.
    pub(super) fn description_whole(&self) -> Option<&'s str> {
        self.first("description")?.as_str()
    }

    /// The value of a setting that is not given.
    pub(super) fn default_value(&self) -> Option<&'s Json> {
        self.first("default")
    }

    /// Must the value not be seen?
    pub(super) fn is_secret(&self) -> bool {
        self.first("writeOnly") == Some(&Json::Bool(true))
    }

    /// The property that tells the alternatives apart, if each alternative is a table with a constant of that name.
    pub(super) fn tag_of(alternatives: &[Self]) -> Option<&'s str> {
        let tags = |choice: &Self| -> Vec<&'s str> {
            choice
                .properties()
                .into_iter()
                .filter(|(_, schema)| schema.constants().is_some_and(|all| all.len() == 1))
                .map(|(name, _)| name)
                .collect()
        };
        let (first, rest) = alternatives.split_first()?;
        tags(first).into_iter().find(|tag| rest.iter().all(|choice| tags(choice).contains(tag)))
    }

    /// What is expected, in a person's words.
    pub(super) fn expected(&self) -> String {
        match self.format() {
            Some("byte-size") => return "a size such as `10MiB`".to_owned(),
            Some("duration") => return "a duration such as `5s`".to_owned(),
            Some("share") => return "a share such as `15%`".to_owned(),
            _ => {}
        }
        let alternatives = self.alternatives();
        if !alternatives.is_empty() {
            let mut words: Vec<_> = alternatives.iter().map(Self::expected).collect();
            words.dedup();
            return words.join(" or ");
        }
        let words: Vec<_> = self.types().into_iter().map(type_in_words).collect();
        if words.is_empty() { "a value".to_owned() } else { words.join(" or ") }
    }
}

fn gather<'s>(root: &'s Json, node: &'s Json, depth: usize, parts: &mut Vec<&'s Json>) {
    parts.push(node);
    if depth == 0 {
        return;
    }
    let target = node.get("$ref").and_then(Json::as_str).and_then(|path| root.pointer(path.strip_prefix('#')?));
    let all = node.get("allOf").and_then(Json::as_array).into_iter().flatten();
    for part in target.into_iter().chain(all) {
        gather(root, part, depth - 1, parts);
    }
}

fn type_in_words(name: &str) -> &str {
    match name {
        "integer" => "an integer",
        "number" => "a number",
        "string" => "a string",
        "boolean" => "a boolean",
        "array" => "a list",
        "object" => "a table",
        other => other,
    }
}
