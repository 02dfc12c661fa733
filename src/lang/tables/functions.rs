//! `get_enrichment_table_record` and `find_enrichment_table_records`, as Vector has them.

use std::sync::{Arc, LazyLock};

use vrl::compiler::expression::{Container, Expr, Variant};
use vrl::compiler::prelude::*;

use super::find::{Case, Condition, Search};
use super::{Table, Tables};

/// The functions that look things up.
pub(in crate::lang) fn functions() -> [Box<dyn Function>; 2] {
    [Box::new(Lookup { is_one: true }), Box::new(Lookup { is_one: false })]
}

/// One function or the other.
#[derive(Clone, Copy, Debug)]
struct Lookup {
    /// Exactly one row, or all?
    is_one: bool,
}

static SENSITIVE: LazyLock<Value> = LazyLock::new(|| Value::Boolean(true));

static PARAMETERS: LazyLock<Vec<Parameter>> = LazyLock::new(|| {
    vec![
        Parameter::required("table", kind::BYTES, "The name of the table."),
        Parameter::required("condition", kind::OBJECT, "What the columns of a row must hold."),
        Parameter::optional("select", kind::ARRAY, "The columns of the result; all if not given."),
        Parameter::optional("case_sensitive", kind::BOOLEAN, "Does the case of letters matter?").default(&SENSITIVE),
        Parameter::optional("wildcard", kind::BYTES, "A value in the table that stands for any."),
    ]
});

impl Function for Lookup {
    fn identifier(&self) -> &'static str {
        if self.is_one { "get_enrichment_table_record" } else { "find_enrichment_table_records" }
    }

    fn summary(&self) -> &'static str {
        if self.is_one { "look up one row of a table" } else { "look up rows of a table" }
    }

    fn usage(&self) -> &'static str {
        if self.is_one {
            "Finds the one row of an enrichment table that meets the condition. Fails if there is none, or several."
        } else {
            "Finds the rows of an enrichment table that meet the condition."
        }
    }

    fn category(&self) -> &'static str {
        "Enrichment"
    }

    fn return_kind(&self) -> u16 {
        if self.is_one { kind::OBJECT } else { kind::ARRAY }
    }

    fn parameters(&self) -> &'static [Parameter] {
        &PARAMETERS
    }

    fn examples(&self) -> &'static [Example] {
        &[]
    }

    fn compile(&self, state: &TypeState, ctx: &mut FunctionCompileContext, arguments: ArgumentList) -> Compiled {
        let tables = ctx.get_external_context::<Tables>().cloned().unwrap_or_default();
        let names: Vec<Value> = tables.names().map(Value::from).collect();
        let named = arguments.required_literal("table", state)?;
        let name = named.as_str().unwrap_or_default();
        if !names.contains(&named) {
            let why = format!("there is no table `{name}`; {}", tables.instead_of(&name));
            return Err(Box::new(ExpressionError::from(why)));
        }
        let table = tables.get(&name).cloned().unwrap_or_default();
        let conditions: Vec<_> = arguments.required_object("condition")?.into_iter().collect();
        let case = match arguments.optional_literal("case_sensitive", state)? {
            Some(Value::Boolean(false)) => Case::Insensitive,
            _ => Case::Sensitive,
        };
        let equal = conditions.iter().filter(|(_, value)| !is_span(value)).map(|(column, _)| column.as_str());
        let index = table
            .index(&equal.collect::<Vec<_>>(), case)
            .map_err(|why| Box::new(ExpressionError::from(format!("`{name}`: {why}"))) as Box<dyn DiagnosticMessage>)?;
        let (select, wildcard) = (arguments.optional("select"), arguments.optional("wildcard"));
        Ok(LookupFn { is_one: self.is_one, table, conditions, index, select, wildcard, case }.as_expr())
    }
}

/// Is it written as `{ "from": ..., "to": ... }`?
fn is_span(value: &Expr) -> bool {
    let Expr::Container(Container { variant: Variant::Object(object) }) = value else { return false };
    object.contains_key("from") || object.contains_key("to")
}

#[derive(Clone, Debug)]
struct LookupFn {
    is_one: bool,
    table: Arc<Table>,
    conditions: Vec<(KeyString, Expr)>,
    /// Over the columns that must be equal.
    index: usize,
    select: Option<Box<dyn Expression>>,
    wildcard: Option<Box<dyn Expression>>,
    case: Case,
}

impl FunctionExpression for LookupFn {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        let mut conditions = Vec::with_capacity(self.conditions.len());
        for (column, value) in &self.conditions {
            let is_span = is_span(value);
            conditions.push(condition(column, value.resolve(ctx)?, is_span)?);
        }
        let select = self.select.as_ref().map(|select| names(select.resolve(ctx)?)).transpose()?;
        let wildcard = self.wildcard.as_ref().map(|wildcard| wildcard.resolve(ctx)).transpose()?;
        let search =
            Search { index: self.index, conditions: &conditions, wildcard: wildcard.as_ref(), case: self.case };
        let mut found = Vec::new();
        self.table.search(search, |row| {
            found.push(Value::Object(row.object(select.as_deref())));
            !self.is_one || found.len() < 2
        })?;
        match (self.is_one, found.len()) {
            (false, _) => Ok(Value::Array(found)),
            (true, 0) => Err("no rows found".into()),
            (true, 1) => Ok(found.swap_remove(0)),
            (true, _) => Err("more than one row found".into()),
        }
    }

    fn type_def(&self, _: &TypeState) -> TypeDef {
        if self.is_one {
            return TypeDef::object(Collection::any()).fallible();
        }
        TypeDef::array(Collection::from_unknown(Kind::object(Collection::any()))).fallible()
    }
}

fn condition(column: &KeyString, value: Value, is_span: bool) -> Result<Condition<'_>, ExpressionError> {
    let column = column.as_str();
    let Value::Object(span) = &value else { return Ok(Condition::Equals { column, value }) };
    if !is_span {
        return Ok(Condition::Equals { column, value });
    }
    let time = |name: &str| match span.get(name) {
        None => Ok(None),
        Some(Value::Timestamp(time)) => Ok(Some(*time)),
        Some(_) => Err(ExpressionError::from(format!("`{name}` in the condition must be a timestamp"))),
    };
    Ok(Condition::Between { column, from: time("from")?, to: time("to")? })
}

fn names(value: Value) -> Result<Vec<String>, ExpressionError> {
    let Value::Array(names) = value else { return Err("`select` must be a list of names".into()) };
    let name = |name: Value| Ok(name.try_bytes_utf8_lossy()?.into_owned());
    names.into_iter().map(name).collect()
}
