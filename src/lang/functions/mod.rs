//! The functions that programs may call: VRL's, and two that look things up. Ours stand in the place of those that reach
//! beyond the record, or whose results have no bound.

pub(super) mod guards;
mod log;
mod reading;
mod text;

use std::sync::LazyLock;

use vrl::compiler::function::{Example, closure};
use vrl::compiler::prelude::*;

use super::{allowance, tables};

pub use log::{Said, Voice};
pub use reading::{Admits, READERS};

/// All functions, built once: a table of some two hundred boxes.
pub(super) static FUNCTIONS: LazyLock<Vec<Box<dyn Function>>> = LazyLock::new(|| {
    let known = vrl::stdlib::all().into_iter().map(|function| Box::new(Counted(function)) as Box<dyn Function>);
    known.chain(tables::functions()).chain(guards::all()).collect()
});

/// The names of all functions that programs may call, sorted.
pub fn function_names() -> Vec<&'static str> {
    let names = FUNCTIONS.iter().map(|function| function.identifier());
    let mut names: Vec<_> = names.filter(|name| !guards::is_guard(name)).collect();
    names.sort_unstable();
    names
}

/// A function of VRL, what it gives counted, and what it reads asked for.
#[derive(Debug)]
struct Counted(Box<dyn Function>);

impl Function for Counted {
    fn identifier(&self) -> &'static str {
        self.0.identifier()
    }

    fn summary(&self) -> &'static str {
        self.0.summary()
    }

    fn usage(&self) -> &'static str {
        self.0.usage()
    }

    fn category(&self) -> &'static str {
        self.0.category()
    }

    fn return_kind(&self) -> u16 {
        self.0.return_kind()
    }

    fn pure(&self) -> bool {
        self.0.pure()
    }

    fn examples(&self) -> &'static [Example] {
        self.0.examples()
    }

    fn parameters(&self) -> &'static [Parameter] {
        self.0.parameters()
    }

    fn closure(&self) -> Option<closure::Definition> {
        self.0.closure()
    }

    fn compile(&self, state: &TypeState, ctx: &mut FunctionCompileContext, arguments: ArgumentList) -> Compiled {
        reading::admit(self.identifier(), state, ctx, &arguments)?;
        let call = match self.identifier() {
            "log" => log::compile(state, ctx, &arguments),
            "join" => Ok(text::join(&arguments)),
            "replace" => Ok(text::replace(&arguments)),
            _ => self.0.compile(state, ctx, arguments),
        };
        Ok(Box::new(CountedCall(call?)))
    }
}

/// A call whose result is counted.
#[derive(Clone, Debug)]
struct CountedCall(Box<dyn Expression>);

impl Expression for CountedCall {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        let value = self.0.resolve(ctx)?;
        allowance::called(&value)?;
        Ok(value)
    }

    fn resolve_constant(&self, state: &TypeState) -> Option<Value> {
        self.0.resolve_constant(state)
    }

    fn type_info(&self, state: &TypeState) -> TypeInfo {
        self.0.type_info(state)
    }
}
