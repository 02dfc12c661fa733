//! Recognises the usual first statement of a program: the message is JSON and becomes the record.
//!
//! `. = parse_json!(.message)` on a raw line asks for nothing but an index over the line's own bytes. So a program that begins with it is cut in two: the statement, which
//! the record room does natively, and the rest, which is compiled with the type state that the statement leaves. The decision is made on the parser's syntax tree. What
//! is accepted, for a `.message` that is text:
//!
//! ```text
//! statement = ". =" parsed | ".," variable "=" parsed
//! parsed    = parse_json(text) | object(parsed) | "(" parsed ")" | parsed "??" anything
//! text      = .message | string(text) | "(" text ")"
//! ```
//!
//! each call with or without `!`. When the line is one JSON object none of these can fail, so their error branches do not matter, and an error variable is `null`, which
//! is what VRL gives for a variable that was never set.

use vrl::parser::Program;
use vrl::parser::ast::{
    Assignment, AssignmentOp, AssignmentTarget, Container, Expr, FunctionCall, Opcode, Query, QueryTarget, RootExpr,
};
use vrl::path::{OwnedSegment, PathPrefix};

/// Cuts a program behind its first statement, if that one only parses the message.
pub(super) fn cut(program: Program) -> Option<(Program, Program)> {
    let RootExpr::Expr(first) = program.first()?.inner() else {
        return None;
    };
    if !parses_message(first.inner()) {
        return None;
    }
    let mut statements = program.0.into_iter();
    let first: Vec<_> = statements.by_ref().take(1).collect();
    Some((Program(first), Program(statements.collect())))
}

fn parses_message(statement: &Expr) -> bool {
    let Expr::Assignment(assignment) = statement else {
        return false;
    };
    match assignment.inner() {
        Assignment::Single { target, op: AssignmentOp::Assign, expr } => {
            is_root(target.inner()) && is_parsed(expr.inner())
        }
        Assignment::Infallible { ok, err, op: AssignmentOp::Assign, expr } => {
            is_root(ok.inner()) && is_local(err.inner()) && is_parsed(expr.inner())
        }
        _ => false,
    }
}

fn is_root(target: &AssignmentTarget) -> bool {
    match target {
        AssignmentTarget::External(None) => true,
        AssignmentTarget::External(Some(path)) => path.prefix == PathPrefix::Event && path.path.is_root(),
        AssignmentTarget::Query(query) => is_event(query) && query.path.is_root(),
        _ => false,
    }
}

fn is_local(target: &AssignmentTarget) -> bool {
    match target {
        AssignmentTarget::Noop | AssignmentTarget::Internal(_, None) => true,
        AssignmentTarget::Query(query) => {
            matches!(query.target.inner(), QueryTarget::Internal(_)) && query.path.is_root()
        }
        _ => false,
    }
}

fn is_parsed(expression: &Expr) -> bool {
    match expression {
        Expr::FunctionCall(call) => match call.ident.inner().as_ref() {
            "parse_json" => argument(call.inner()).is_some_and(is_message),
            "object" => argument(call.inner()).is_some_and(is_parsed),
            _ => false,
        },
        Expr::Op(operation) => *operation.1.inner() == Opcode::Err && is_parsed(operation.0.inner()),
        _ => grouped(expression).is_some_and(is_parsed),
    }
}

fn is_message(expression: &Expr) -> bool {
    match expression {
        Expr::Query(query) => {
            is_event(query.inner())
                && matches!(query.path.segments.as_slice(), [OwnedSegment::Field(name)] if name.as_str() == "message")
        }
        Expr::FunctionCall(call) => {
            call.ident.inner().as_ref() == "string" && argument(call.inner()).is_some_and(is_message)
        }
        _ => grouped(expression).is_some_and(is_message),
    }
}

fn is_event(query: &Query) -> bool {
    matches!(query.target.inner(), QueryTarget::External(PathPrefix::Event))
}

/// The only argument of a call. With a second one (`max_depth`, `lossy`) the call means something else.
fn argument(call: &FunctionCall) -> Option<&Expr> {
    let [argument] = call.arguments.as_slice() else {
        return None;
    };
    let by_name = argument.ident.as_ref().map(|name| name.inner().as_ref());
    (call.closure.is_none() && matches!(by_name, None | Some("value"))).then(|| argument.expr.inner())
}

fn grouped(expression: &Expr) -> Option<&Expr> {
    let Expr::Container(container) = expression else {
        return None;
    };
    match container.inner() {
        Container::Group(group) => Some(group.0.inner()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variants_are_recognised_and_nothing_else() {
        let cases = [
            (". = parse_json!(.message)", true),
            ("# first\n\n.= parse_json!( .message )\n.a = 1", true),
            (". = object!(parse_json!(.message))", true),
            (". = parse_json!(string!(.message))", true),
            (". = object!(parse_json!(string!(.message)))", true),
            ("., err = parse_json(.message)", true),
            ("., _ = parse_json(value: string!(.message))", true),
            (". = parse_json(string!(.message)) ?? {}", true),
            (". = object(parse_json(.message)) ?? {\"raw\": .message}", true),
            (". = (parse_json!(.\"message\"))", true),
            (". = parse_json!(.message, max_depth: 2)", false),
            (". = parse_json!(.message, lossy: false)", false),
            (". = parse_json!(.msg)", false),
            (". = parse_json!(.message.text)", false),
            (". = parse_json!(%message)", false),
            (". |= object!(parse_json!(.message))", false),
            (". = merge(., object!(parse_json!(.message)))", false),
            ("% = parse_json!(.message)", false),
            (".a = parse_json!(.message)", false),
            ("., .err = parse_json(.message)", false),
            ("., err.a = parse_json(.message)", false),
            (". = parse_json!(downcase!(.message))", false),
            ("a = 1\n. = parse_json!(.message)", false),
            ("\". = parse_json!(.message)\"", false),
            ("if true { . = parse_json!(.message) }", false),
        ];
        for (source, expected) in cases {
            let program = vrl::parser::parse(source).unwrap();
            assert_eq!(cut(program).is_some(), expected, "{source}");
        }
    }
}
