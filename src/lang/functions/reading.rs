//! Functions that read a file: whoever compiles a program says which.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use vrl::compiler::prelude::*;

use crate::lang::Tables;

/// The functions that read a file, and below the argument of each that names it. They read while they are compiled, but
/// for `validate_json_schema`, which does so at its first call.
pub const READERS: [&str; 5] = ["encode_proto", "parse_etld", "parse_groks", "parse_proto", "validate_json_schema"];
const NAMING: [&str; 5] = ["desc_file", "psl", "alias_sources", "desc_file", "schema_definition"];

/// Says which files programs may read.
pub trait Admits: fmt::Debug + Send + Sync {
    /// Looks at the file before a function reads it.
    ///
    /// # Errors
    ///
    /// Why the program may not read it, or cannot.
    fn admit(&self, path: &Path) -> Result<(), String>;
}

/// Asks for the files that a call of `function` names. Where nobody says which may be read, none may.
pub(super) fn admit(
    function: &str,
    state: &TypeState,
    ctx: &FunctionCompileContext,
    arguments: &ArgumentList,
) -> Result<(), Box<dyn DiagnosticMessage>> {
    let Some(keyword) = READERS.iter().position(|name| *name == function).map(|at| NAMING[at]) else { return Ok(()) };
    // What is not constant is a fault that the function finds, before it reads.
    let Some(named) = arguments.optional(keyword).and_then(|named| named.resolve_constant(state)) else {
        return Ok(());
    };
    let files: Option<Arc<dyn Admits>> = ctx.get_external_context::<Tables>().and_then(Tables::files);
    let paths = if let Value::Array(paths) = named { paths } else { vec![named] };
    for path in paths.iter().filter_map(Value::as_str) {
        let admitted = match &files {
            Some(files) => files.admit(Path::new(path.as_ref())),
            None => Err(format!("cannot read `{path}`: a program reads no files here")),
        };
        admitted.map_err(|why| Box::new(ExpressionError::from(why)) as Box<dyn DiagnosticMessage>)?;
    }
    Ok(())
}
