//! How large the types become that the compiler works out for a program, by a look at its syntax.
//!
//! The compiler knows each member of what a program builds: after `x = [x, x]` forty times it would know of 2^40, before
//! anything runs. The look follows variables and paths, and takes a type for as large as what it is made of.

use std::collections::BTreeMap;

use vrl::compiler::value::kind;
use vrl::diagnostic::Span;
use vrl::parser::Program;
use vrl::parser::ast::{
    Assignment, AssignmentTarget, Block, Container, Expr, FunctionCall, Node, Op, Opcode, Predicate, Query,
    QueryTarget, RootExpr, Unary,
};

use super::bounded::return_kind;
use super::fault::Fault;

/// Members of the largest type.
const LARGEST: u64 = 50_000;
/// Levels of the deepest type.
const DEEPEST: u64 = 200;

/// What is known of a type: how many members, and how deep.
#[derive(Clone, Copy)]
struct Shape {
    members: u64,
    depth: u64,
}

const PLAIN: Shape = Shape { members: 1, depth: 0 };

impl Shape {
    /// A type that holds either of two, or both beside each other.
    fn beside(self, other: Self) -> Self {
        Self { members: self.members.saturating_add(other.members), depth: self.depth.max(other.depth) }
    }

    fn around(inner: Self) -> Self {
        Self { members: inner.members.saturating_add(1), depth: inner.depth.saturating_add(1) }
    }
}

/// A fault where a type becomes too large.
pub(super) fn check(source: &str, program: &Program) -> Result<(), Fault> {
    let mut look = Look { known: BTreeMap::new(), too_large: None };
    for statement in program.iter() {
        if let RootExpr::Expr(expr) = statement.inner() {
            look.node(expr);
        }
    }
    let Some(span) = look.too_large else { return Ok(()) };
    let clip = |at: usize| at.min(source.len());
    let message = format!(
        "the program builds a value with too many known members: at most {LARGEST}, at most {DEEPEST} levels deep"
    );
    Err(Fault { span: clip(span.start())..clip(span.end()), ..Fault::whole(source, &message) })
}

struct Look {
    /// By name and path: `x`, `x.a`, `.a.b`.
    known: BTreeMap<String, Shape>,
    too_large: Option<Span>,
}

impl Look {
    fn node(&mut self, node: &Node<Expr>) -> Shape {
        if self.too_large.is_some() {
            return PLAIN;
        }
        let shape = self.expr(node.inner());
        if shape.members > LARGEST || shape.depth > DEEPEST {
            self.too_large.get_or_insert(node.span());
        }
        shape
    }

    fn all<'n>(&mut self, nodes: impl IntoIterator<Item = &'n Node<Expr>>) -> Shape {
        nodes.into_iter().fold(Shape { members: 0, depth: 0 }, |sum, node| sum.beside(self.node(node)))
    }

    fn expr(&mut self, expr: &Expr) -> Shape {
        match expr {
            Expr::Literal(_) => PLAIN,
            Expr::Variable(name) => self.of(name.inner()),
            Expr::Query(query) => self.query(query.inner()),
            Expr::Container(container) => self.container(container.inner()),
            Expr::Op(op) => self.op(op.inner()),
            Expr::Assignment(assignment) => self.assignment(assignment.inner()),
            Expr::FunctionCall(call) => self.call(call.inner()),
            Expr::IfStatement(choice) => {
                let choice = choice.inner();
                match choice.predicate.inner() {
                    Predicate::One(one) => self.node(one),
                    Predicate::Many(many) => self.all(many),
                };
                let one = self.block(&choice.if_node);
                let other = choice.else_node.as_ref().map_or(PLAIN, |block| self.block(block));
                one.beside(other)
            }
            Expr::Unary(unary) => {
                let Unary::Not(not) = unary.inner();
                self.node(&not.inner().clone().take().1);
                PLAIN
            }
            Expr::Abort(abort) => abort.inner().message.as_ref().map_or(PLAIN, |message| self.node(message)),
            Expr::Return(back) => self.node(&back.inner().expr),
        }
    }

    fn container(&mut self, container: &Container) -> Shape {
        match container {
            Container::Group(group) => self.node(&group.inner().0),
            Container::Block(block) => self.block(block),
            Container::Array(array) => {
                let items: Vec<_> = array.inner().clone().into_iter().collect();
                Shape::around(self.all(&items))
            }
            Container::Object(object) => {
                let members: Vec<_> = object.inner().clone().into_iter().map(|(_, member)| member).collect();
                Shape::around(self.all(&members))
            }
        }
    }

    fn block(&mut self, block: &Node<Block>) -> Shape {
        block.inner().0.iter().fold(PLAIN, |_, statement| self.node(statement))
    }

    fn op(&mut self, Op(left, opcode, right): &Op) -> Shape {
        let both = self.node(left).beside(self.node(right));
        match opcode.inner() {
            Opcode::Merge | Opcode::Err | Opcode::Or => both,
            _ => PLAIN,
        }
    }

    fn call(&mut self, call: &FunctionCall) -> Shape {
        let arguments = self.all(call.arguments.iter().map(|argument| &argument.inner().expr));
        let given = call.closure.as_ref().map_or(PLAIN, |closure| self.block(&closure.inner().block));
        let is_plain = return_kind(call.ident.inner()) & (kind::OBJECT | kind::ARRAY) == 0;
        if is_plain { PLAIN } else { Shape::around(arguments.beside(given)) }
    }

    fn query(&mut self, query: &Query) -> Shape {
        match query.target.inner() {
            QueryTarget::FunctionCall(call) => self.call(call),
            QueryTarget::Container(container) => self.container(container),
            QueryTarget::Internal(name) => self.of(&format!("{name}.{}", query.path.inner())),
            QueryTarget::External(prefix) => self.of(&format!("{prefix:?}.{}", query.path.inner())),
        }
    }

    /// What is known below a path, or of what is around it.
    fn of(&self, path: &str) -> Shape {
        let path = path.trim_end_matches('.');
        let below = self.known.range(path.to_owned()..).take_while(|(name, _)| name.starts_with(path));
        let below = below.filter(|(name, _)| is_at_or_below(name, path));
        let sum = below.fold(None, |sum: Option<Shape>, (_, shape)| {
            Some(sum.map_or(*shape, |sum| Shape::around(sum.beside(*shape))))
        });
        let around = || self.known.iter().rfind(|(name, _)| is_at_or_below(path, name)).map(|(_, shape)| *shape);
        sum.or_else(around).unwrap_or(PLAIN)
    }

    fn assignment(&mut self, assignment: &Assignment) -> Shape {
        let (targets, expr) = match assignment {
            Assignment::Single { target, expr, .. } => ([Some(target), None], expr),
            Assignment::Infallible { ok, err, expr, .. } => ([Some(ok), Some(err)], expr),
        };
        let shape = self.node(expr);
        for (target, shape) in targets.into_iter().flatten().zip([shape, PLAIN]) {
            self.set(target.inner(), shape);
        }
        shape
    }

    fn set(&mut self, target: &AssignmentTarget, shape: Shape) {
        let path = match target {
            AssignmentTarget::Noop => return,
            AssignmentTarget::Query(query) => match query.target.inner() {
                QueryTarget::Internal(name) => format!("{name}.{}", query.path.inner()),
                QueryTarget::External(prefix) => format!("{prefix:?}.{}", query.path.inner()),
                _ => return,
            },
            AssignmentTarget::Internal(name, None) => name.to_string(),
            AssignmentTarget::Internal(name, Some(path)) => format!("{name}.{path}"),
            AssignmentTarget::External(None) => "Event".to_owned(),
            AssignmentTarget::External(Some(path)) => format!("{:?}.{}", path.prefix, path.path),
        };
        let path = path.trim_end_matches('.').to_owned();
        self.known.retain(|name, _| !is_at_or_below(name, &path));
        self.known.insert(path, shape);
    }
}

/// Is `name` the path, or one that leads further?
fn is_at_or_below(name: &str, path: &str) -> bool {
    name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
