//! From source text to a program that can run on records.

use std::sync::LazyLock;
use std::thread;

use vrl::compiler::{self, CompilationResult, CompileConfig, Compiler, Function, TimeZone, TypeState};
use vrl::parser as ast;
use vrl::path::{OwnedSegment, OwnedTargetPath};
use vrl::value::KeyString;

use super::constant::{self, Constant};
use super::depth;
use super::fault::{self, Fault};
use super::fields::Side;
use super::shortcut;
use super::target::Names;

/// VRL's functions, built once: a table of some two hundred boxes.
static FUNCTIONS: LazyLock<Vec<Box<dyn Function>>> = LazyLock::new(vrl::stdlib::all);

/// A program with the names of the members it can touch.
pub(super) struct Body {
    pub program: compiler::Program,
    pub names: Names,
    /// What is assigned before the program runs.
    pub constants: Vec<Constant>,
}

/// A compiled program. It is immutable and shared; a [`Runner`](super::Runner) runs it.
pub struct Program {
    pub(super) full: Body,
    /// What follows a first statement that only parses the message.
    pub(super) rest: Option<Body>,
    pub(super) timezone: TimeZone,
    warnings: Vec<Fault>,
}

/// A compiled condition: a program that changes nothing and gives a boolean.
pub struct Condition {
    pub(super) body: Body,
    pub(super) timezone: TimeZone,
    warnings: Vec<Fault>,
}

impl Program {
    /// What the compiler found doubtful.
    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
    }
}

impl Condition {
    /// What the compiler found doubtful.
    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
    }
}

/// Stack of the thread that compiles, in bytes. The compiler takes many times more for a level than a program that runs;
/// what is not touched costs nothing.
const STACK: usize = 64 << 20;

/// Does `work`, which compiles `source`, on a thread with room for the deepest program; a deeper one is a fault.
fn apart<T: Send>(source: &str, work: impl FnOnce() -> Result<T, Vec<Fault>> + Send) -> Result<T, Vec<Fault>> {
    depth::check(source).map_err(|fault| vec![fault])?;
    let failed = |why: &str| Err(vec![Fault::whole(source, why)]);
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("levada-compile".to_owned()).stack_size(STACK);
        match builder.spawn_scoped(scope, work) {
            Ok(worker) => worker.join().unwrap_or_else(|_| failed("the compiler ended by an internal error")),
            Err(error) => failed(&format!("cannot start a thread to compile it: {error}")),
        }
    })
}

/// Compiles a program. `timezone` is what timestamps without an offset are read in.
///
/// # Errors
///
/// Every fault that the compiler found; or that the program nests too deeply.
pub fn compile(source: &str, timezone: TimeZone) -> Result<Program, Vec<Fault>> {
    apart(source, || {
        let (full, warnings) = compile_body(source, CompileConfig::default())?;
        let full = parse(source).and_then(|program| lean(source, program, &TypeState::default())).unwrap_or(full);
        Ok(Program { full, rest: compile_rest(source), timezone, warnings })
    })
}

/// Compiles a condition. As in Vector it may not assign or delete, and its type must be boolean whatever the record holds.
///
/// # Errors
///
/// Every fault that the compiler found, or one about the type.
pub fn compile_condition(source: &str, timezone: TimeZone) -> Result<Condition, Vec<Fault>> {
    apart(source, || {
        let mut config = CompileConfig::default();
        config.set_read_only();
        let (body, warnings) = compile_body(source, config)?;
        let result = body.program.final_type_info().result;
        if !result.is_boolean() {
            let message = format!("a condition must give a boolean, this one gives {}", result.kind());
            return Err(vec![Fault::whole(source, &message)]);
        }
        Ok(Condition { body, timezone, warnings })
    })
}

fn compile_body(source: &str, config: CompileConfig) -> Result<(Body, Vec<Fault>), Vec<Fault>> {
    let result = compiler::compile_with_state(source, &FUNCTIONS, &TypeState::default(), config);
    let CompilationResult { program, warnings, .. } = result.map_err(|list| fault::from_list(source, list))?;
    Ok((Body::new(program, Vec::new()), fault::from_list(source, warnings)))
}

/// The rest of a program behind a first statement that parses the message. Only called for a source that compiles as a whole, so the rest is expected to; should it not,
/// the program runs whole.
fn compile_rest(source: &str) -> Option<Body> {
    let (first, rest) = shortcut::cut(parse(source)?)?;
    let after = compile_part(first, &TypeState::default())?.final_type_info().state;
    match lean(source, rest.clone(), &after) {
        Some(body) => Some(body),
        None => Some(Body::new(compile_part(rest, &after)?, Vec::new())),
    }
}

/// A program without the constants that it begins with, if it has some and cannot see them.
fn lean(source: &str, mut program: ast::Program, state: &TypeState) -> Option<Body> {
    let count = constant::leading(&program);
    // `unnest` looks at the root without telling the compiler; it cannot be called without being named.
    if count == 0 || source.contains("unnest") {
        return None;
    }
    let tail = ast::Program(program.0.split_off(count));
    let head = compile_part(program, state)?;
    let constants = constant::render(&head)?;
    let tail = compile_part(tail, &head.final_type_info().state)?;
    constant::is_blind_to(&tail, &constants).then(|| Body::new(tail, constants))
}

fn parse(source: &str) -> Option<ast::Program> {
    vrl::parser::parse(source).ok()
}

fn compile_part(part: ast::Program, state: &TypeState) -> Option<compiler::Program> {
    Compiler::compile(&FUNCTIONS, part, state, CompileConfig::default()).ok().map(|result| result.program)
}

impl Body {
    fn new(program: compiler::Program, constants: Vec<Constant>) -> Self {
        let info = program.info();
        let paths: Vec<_> = info.target_queries.iter().chain(&info.target_assignments).collect();
        let names = Names { event: top_level(&paths, Side::Event), metadata: top_level(&paths, Side::Metadata) };
        Self { program, names, constants }
    }
}

fn top_level(paths: &[&OwnedTargetPath], side: Side) -> Vec<KeyString> {
    let mut names: Vec<_> = paths
        .iter()
        .filter(|path| path.prefix == side)
        .filter_map(|path| match path.path.segments.first() {
            Some(OwnedSegment::Field(name)) => Some(name.clone()),
            _ => None,
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}
