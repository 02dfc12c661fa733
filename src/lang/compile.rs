//! From source text to a program that can run on records.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use vrl::compiler::{self, CompilationResult, CompileConfig, Compiler, TimeZone, TypeState};
use vrl::diagnostic::DiagnosticList;
use vrl::parser as ast;
use vrl::path::{OwnedSegment, OwnedTargetPath};
use vrl::value::KeyString;

use super::bounded::bounded;
use super::constant::{self, Constant};
use super::depth;
use super::fault::{self, Fault};
use super::fields::Side;
use super::functions::FUNCTIONS;
use super::tables::Tables;
use super::target::Names;
use super::{shape, shortcut};

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
    compile_with(source, timezone, &Tables::default())
}

/// Compiles a program that may look things up in `tables`.
///
/// # Errors
///
/// Every fault that the compiler found; or that the program nests too deeply.
pub fn compile_with(source: &str, timezone: TimeZone, tables: &Tables) -> Result<Program, Vec<Fault>> {
    apart(source, || {
        guarded(source, || {
            let (full, warnings) = compile_body(source, &|| config(tables))?;
            let lean = |program| lean((source, tables), program, &TypeState::default());
            let full = parse(source).and_then(lean).unwrap_or(full);
            Ok(Program { full, rest: compile_rest(source, tables), timezone, warnings })
        })
    })
}

thread_local! {
    /// Is a function of a program being compiled on this thread, whose panic is a fault?
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Is a panic on this thread one that becomes a fault of a program? Then a panic hook has nothing to say: who wrote the
/// program is told.
pub fn panic_is_a_fault() -> bool {
    GUARDED.get()
}

/// Functions that read a file when they are compiled (`parse_proto`, `encode_proto`) panic where they cannot.
fn guarded<T>(source: &str, compile: impl FnOnce() -> Result<T, Vec<Fault>>) -> Result<T, Vec<Fault>> {
    GUARDED.set(true);
    let compiled = catch_unwind(AssertUnwindSafe(compile));
    GUARDED.set(false);
    compiled.unwrap_or_else(|panic| Err(vec![unreadable(source, panic.downcast_ref::<String>())]))
}

/// A panic of VRL's compiler says why in its text.
fn unreadable(source: &str, panic: Option<&String>) -> Fault {
    // `message type not found: "Failed to parse protobuf desc file ..."`
    let why = panic.and_then(|text| text.split_once(": ")).map(|(_, why)| why.trim_matches('"').replace("\\\"", "\""));
    let message = match why {
        Some(why) => format!("a function of the program cannot use the file that it names: {why}"),
        None => "the compiler gave up: a function of the program cannot use the file that it names".to_owned(),
    };
    let calls = ["parse_proto", "encode_proto"].into_iter().filter_map(|name| Some((source.find(name)?, name.len())));
    let span = calls.min().map_or(0..source.len(), |(start, length)| start..start + length);
    Fault { span, ..Fault::whole(source, &message) }
}

fn config(tables: &Tables) -> CompileConfig {
    let mut config = CompileConfig::default();
    config.set_custom(tables.clone());
    config
}

/// Compiles a condition. As in Vector it may not assign or delete, and its type must be boolean whatever the record holds.
///
/// # Errors
///
/// Every fault that the compiler found, or one about the type.
pub fn compile_condition(source: &str, timezone: TimeZone) -> Result<Condition, Vec<Fault>> {
    compile_condition_with(source, timezone, &Tables::default())
}

/// Compiles a condition that may look things up in `tables`.
///
/// # Errors
///
/// Every fault that the compiler found, or one about the type.
pub fn compile_condition_with(source: &str, timezone: TimeZone, tables: &Tables) -> Result<Condition, Vec<Fault>> {
    apart(source, || {
        let config = || {
            let mut config = config(tables);
            config.set_read_only();
            config
        };
        let (body, warnings) = guarded(source, || compile_body(source, &config))?;
        let result = body.program.final_type_info().result;
        if !result.is_boolean() {
            let message = format!("a condition must give a boolean, this one gives {}", result.kind());
            return Err(vec![Fault::whole(source, &message)]);
        }
        Ok(Condition { body, timezone, warnings })
    })
}

/// Faults and warnings are those of the program as it is written; what runs is the one with bounds.
fn compile_body(source: &str, config: &dyn Fn() -> CompileConfig) -> Result<(Body, Vec<Fault>), Vec<Fault>> {
    let parsed = parse(source);
    parsed.as_ref().map_or(Ok(()), |program| shape::check(source, program)).map_err(|fault| vec![fault])?;
    let guarded = parsed.map(|program| bounded(source, program)).transpose()?;
    let result = compiler::compile_with_state(source, &FUNCTIONS, &TypeState::default(), config());
    let CompilationResult { program, warnings, .. } = result.map_err(|list| fault::from_list(source, list))?;
    let warnings = fault::from_list(source, warnings);
    let Some(guarded) = guarded else { return Ok((Body::new(program, Vec::new()), warnings)) };
    let result = Compiler::compile(&FUNCTIONS, guarded, &TypeState::default(), config());
    let CompilationResult { program, .. } = result.map_err(|list| unbounded(source, list))?;
    Ok((Body::new(program, Vec::new()), warnings))
}

/// The faults of a program that compiles, but not with bounds: a factor of `*` that may fail and may be text.
fn unbounded(source: &str, list: DiagnosticList) -> Vec<Fault> {
    let note = "give the factor a name of its own before it is multiplied: `a = ... ?? 0`".to_owned();
    let fault = |fault: Fault| Fault {
        message: "nothing bounds what this may become".to_owned(),
        labels: Vec::new(),
        notes: vec![note.clone()],
        ..fault
    };
    fault::from_list(source, list).into_iter().map(fault).collect()
}

/// The rest of a program behind a first statement that parses the message. Only called for a source that compiles as a whole, so the rest is expected to; should it not,
/// the program runs whole.
fn compile_rest(source: &str, tables: &Tables) -> Option<Body> {
    let (first, rest) = shortcut::cut(parse(source)?)?;
    let after = compile_part(first, &TypeState::default(), tables)?.final_type_info().state;
    match lean((source, tables), rest.clone(), &after) {
        Some(body) => Some(body),
        None => Some(Body::new(compile_part(rest, &after, tables)?, Vec::new())),
    }
}

/// A program without the constants that it begins with, if it has some and cannot see them.
fn lean((source, tables): (&str, &Tables), mut program: ast::Program, state: &TypeState) -> Option<Body> {
    let count = constant::leading(&program);
    // `unnest` looks at the root without telling the compiler; it cannot be called without being named.
    if count == 0 || source.contains("unnest") {
        return None;
    }
    let tail = ast::Program(program.0.split_off(count));
    let head = compile_part(program, state, tables)?;
    let constants = constant::render(&head)?;
    let tail = compile_part(tail, &head.final_type_info().state, tables)?;
    constant::is_blind_to(&tail, &constants).then(|| Body::new(tail, constants))
}

fn parse(source: &str) -> Option<ast::Program> {
    vrl::parser::parse(source).ok()
}

fn compile_part(part: ast::Program, state: &TypeState, tables: &Tables) -> Option<compiler::Program> {
    let part = bounded("", part).ok()?;
    Compiler::compile(&FUNCTIONS, part, state, config(tables)).ok().map(|result| result.program)
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
