//! `log`: what a program says. It goes to a [`Voice`], not into the log as it is: it may be of a record.

use std::fmt;
use std::sync::Arc;

use vrl::compiler::prelude::*;

use crate::lang::Tables;

/// What a program says.
#[derive(Debug)]
pub struct Said<'a> {
    /// The text; of a value that is no text, its JSON.
    pub text: &'a str,
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub level: &'a str,
    /// Where the call stands in the program, in bytes.
    pub position: usize,
    /// The least seconds between two of this place.
    pub rate_limit_secs: i64,
}

/// Takes what programs say.
pub trait Voice: fmt::Debug + Send + Sync {
    /// Says it, or not.
    fn say(&self, said: &Said<'_>);
}

const LEVELS: [&str; 5] = ["trace", "debug", "info", "warn", "error"];

pub(super) fn compile(state: &TypeState, ctx: &FunctionCompileContext, arguments: &ArgumentList) -> Compiled {
    let level = arguments.optional_enum("level", &LEVELS.map(Value::from), state)?;
    let level = level.and_then(|level| LEVELS.into_iter().find(|known| level == Value::from(*known)));
    let voice = ctx.get_external_context::<Tables>().and_then(Tables::voice);
    Ok(Log {
        value: arguments.required("value"),
        level: level.unwrap_or("info"),
        rate_limit_secs: arguments.optional("rate_limit_secs"),
        position: ctx.span().start(),
        voice,
    }
    .as_expr())
}

#[derive(Clone, Debug)]
struct Log {
    value: Box<dyn Expression>,
    level: &'static str,
    rate_limit_secs: Option<Box<dyn Expression>>,
    position: usize,
    voice: Option<Arc<dyn Voice>>,
}

impl FunctionExpression for Log {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        let value = self.value.resolve(ctx)?;
        let limit = self.rate_limit_secs.as_ref().map(|limit| limit.resolve(ctx)).transpose()?;
        let rate_limit_secs = limit.map(VrlValueConvert::try_integer).transpose()?.unwrap_or(1);
        if let Some(voice) = &self.voice {
            let text = &value.to_string_lossy();
            voice.say(&Said { text, level: self.level, position: self.position, rate_limit_secs });
        }
        Ok(Value::Null)
    }

    fn type_def(&self, _: &TypeState) -> TypeDef {
        TypeDef::null().infallible().impure()
    }
}
