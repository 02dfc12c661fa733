//! `join` and `replace` as VRL has them, with a bound: what they give can be the product of what they take.

use std::borrow::Cow;

use vrl::compiler::prelude::*;

use crate::lang::allowance;

pub(super) fn join(arguments: &ArgumentList) -> Box<dyn Expression> {
    Join { items: arguments.required("value"), separator: arguments.optional("separator") }.as_expr()
}

pub(super) fn replace(arguments: &ArgumentList) -> Box<dyn Expression> {
    let value = arguments.required("value");
    let (pattern, with) = (arguments.required("pattern"), arguments.required("with"));
    Replace { value, pattern, with, count: arguments.optional("count") }.as_expr()
}

#[derive(Clone, Debug)]
struct Join {
    items: Box<dyn Expression>,
    separator: Option<Box<dyn Expression>>,
}

impl FunctionExpression for Join {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        let items = self.items.resolve(ctx)?.try_array()?;
        let separator = self.separator.as_ref().map(|separator| separator.resolve(ctx)).transpose()?;
        let separator = separator.map(VrlValueConvert::try_bytes).transpose()?.unwrap_or_default();
        let mut joined = String::new();
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                joined.push_str(&String::from_utf8_lossy(&separator));
            }
            joined.push_str(&item.try_bytes_utf8_lossy().map_err(|_| "all array items must be strings")?);
            allowance::fits_text(joined.len() as u64)?;
        }
        Ok(Value::from(joined))
    }

    fn type_def(&self, _: &TypeState) -> TypeDef {
        TypeDef::bytes().fallible()
    }
}

#[derive(Clone, Debug)]
struct Replace {
    value: Box<dyn Expression>,
    pattern: Box<dyn Expression>,
    with: Box<dyn Expression>,
    count: Option<Box<dyn Expression>>,
}

impl FunctionExpression for Replace {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        let (value, with) = (self.value.resolve(ctx)?, self.with.resolve(ctx)?);
        let count = self.count.as_ref().map_or(Ok(Value::Integer(-1)), |count| count.resolve(ctx))?;
        let pattern = self.pattern.resolve(ctx)?;
        let (text, with) = (value.try_bytes_utf8_lossy()?, with.try_bytes_utf8_lossy()?);
        let most = match count.try_integer()? {
            0 => return Ok(text.into()),
            count => usize::try_from(count).unwrap_or(usize::MAX),
        };
        match &pattern {
            Value::Bytes(pattern) => plain(&text, &String::from_utf8_lossy(pattern), (&with, most)),
            Value::Regex(pattern) => by_regex(&text, pattern, (&with, most)),
            other => Err(ValueError::Expected { got: other.kind(), expected: Kind::regex() | Kind::bytes() }.into()),
        }
    }

    fn type_def(&self, _: &TypeState) -> TypeDef {
        TypeDef::bytes().infallible()
    }
}

fn plain(text: &str, pattern: &str, (with, most): (&str, usize)) -> Resolved {
    let mut replaced = Replaced::of(text);
    for (at, found) in text.match_indices(pattern).take(most) {
        replaced.to(at, at + found.len());
        replaced.out.push_str(with);
        allowance::fits_text(replaced.out.len() as u64)?;
    }
    Ok(replaced.end())
}

fn by_regex(text: &str, pattern: &regex::Regex, (with, most): (&str, usize)) -> Resolved {
    let mut replaced = Replaced::of(text);
    if !with.contains('$') {
        for found in pattern.find_iter(text).take(most) {
            replaced.to(found.start(), found.end());
            replaced.out.push_str(with);
            allowance::fits_text(replaced.out.len() as u64)?;
        }
        return Ok(replaced.end());
    }
    for groups in pattern.captures_iter(text).take(most) {
        let found = groups.get_match();
        replaced.to(found.start(), found.end());
        groups.expand(with, &mut replaced.out);
        allowance::fits_text(replaced.out.len() as u64)?;
    }
    Ok(replaced.end())
}

/// A text of which parts were replaced.
struct Replaced<'t> {
    text: &'t str,
    out: String,
    /// Behind the last part.
    at: usize,
}

impl<'t> Replaced<'t> {
    fn of(text: &'t str) -> Self {
        Self { text, out: String::with_capacity(text.len()), at: 0 }
    }

    /// Takes over what stands before the next part.
    fn to(&mut self, start: usize, end: usize) {
        self.out.push_str(&self.text[self.at..start]);
        self.at = end;
    }

    fn end(mut self) -> Value {
        self.out.push_str(&self.text[self.at..]);
        Value::from(Cow::<str>::from(self.out))
    }
}
