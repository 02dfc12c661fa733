//! Recognises constants that a program assigns first, so that they are rendered once and not once per record.
//!
//! Programs often open with `.env = "prod"`, `.region = "eu-west-1"`. As statements they cost VRL several reference counts each; as rendered text they cost a copy. Only
//! a *leading* run of such assignments is taken, so order and early returns are as written, and only if the rest of the program neither names these members nor looks at
//! the root.

use vrl::compiler::{self, Program, TargetValue, TimeZone};
use vrl::parser::ast::{Assignment, AssignmentOp, AssignmentTarget, Expr, Literal, QueryTarget, RootExpr};
use vrl::path::{OwnedSegment, OwnedTargetPath, OwnedValuePath, PathPrefix};
use vrl::value::{KeyString, ObjectMap, Secrets, Value};

use super::{allowance, json};

/// A member and the JSON text it is always given.
pub(super) type Constant = (KeyString, Vec<u8>);

/// How many statements at the start only assign constants to top-level members.
pub(super) fn leading(program: &vrl::parser::Program) -> usize {
    program
        .iter()
        .take_while(|statement| matches!(statement.inner(), RootExpr::Expr(expr) if is_constant(expr.inner())))
        .count()
}

/// The constants that a program made of nothing else assigns, in its order.
pub(super) fn render(head: &Program) -> Option<Vec<Constant>> {
    let empty = || Value::Object(ObjectMap::new());
    let mut target = TargetValue { value: empty(), metadata: empty(), secrets: Secrets::new() };
    allowance::begin();
    let mut runtime = compiler::runtime::Runtime::default();
    runtime.resolve(&mut target, head, &TimeZone::default()).ok()?;
    let assigned = &head.info().target_assignments;
    assigned.iter().map(|path| constant(path, &target.value)).collect()
}

/// Whether a program can run after these constants without seeing them.
pub(super) fn is_blind_to(program: &Program, constants: &[Constant]) -> bool {
    let info = program.info();
    let mut paths = info.target_queries.iter().chain(&info.target_assignments);
    paths.all(|path| match (path.prefix, path.path.segments.first()) {
        (PathPrefix::Metadata, _) => true,
        (PathPrefix::Event, Some(OwnedSegment::Field(name))) => constants.iter().all(|(constant, _)| constant != name),
        (PathPrefix::Event, _) => false,
    })
}

fn constant(path: &OwnedTargetPath, record: &Value) -> Option<Constant> {
    let [OwnedSegment::Field(name)] = path.path.segments.as_slice() else {
        return None;
    };
    let mut text = Vec::new();
    json::write(record.get(&path.path)?, &mut text);
    Some((name.clone(), text))
}

fn is_constant(statement: &Expr) -> bool {
    let Expr::Assignment(assignment) = statement else {
        return false;
    };
    let Assignment::Single { target, op: AssignmentOp::Assign, expr } = assignment.inner() else {
        return false;
    };
    is_member(target.inner()) && matches!(expr.inner(), Expr::Literal(literal) if is_fixed(literal.inner()))
}

fn is_member(target: &AssignmentTarget) -> bool {
    let one_field = |path: &OwnedValuePath| matches!(path.segments.as_slice(), [OwnedSegment::Field(_)]);
    match target {
        AssignmentTarget::External(Some(path)) => path.prefix == PathPrefix::Event && one_field(&path.path),
        AssignmentTarget::Query(query) => {
            matches!(query.target.inner(), QueryTarget::External(PathPrefix::Event)) && one_field(&query.path)
        }
        _ => false,
    }
}

/// A string with `{{ variable }}` in it is not fixed.
fn is_fixed(literal: &Literal) -> bool {
    match literal {
        Literal::String(template) => template.as_literal_string().is_some(),
        _ => true,
    }
}
