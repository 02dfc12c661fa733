//! Rewrites a program so that what it makes stays within its [allowance](super::allowance), and finds the places where
//! it could not.
//!
//! VRL's own operators have no bounds: `x = x + x` doubles, `"a" * 1000000000` fills the memory, `.a[1000000000] = 1` too.
//! So each variable that is read, each factor that may be text, and some arguments stand in calls of
//! [guards](super::functions::guards), whose names no program can write. Places stay those of the source.

use vrl::compiler::Function;
use vrl::diagnostic::Span;
use vrl::parser::Program;
use vrl::parser::ast::{
    Abort, Array, Assignment, AssignmentTarget, Block, Container, Expr, FunctionArgument, FunctionCall,
    FunctionClosure, Group, Ident, IfStatement, Literal, Node, Not, Object, Op, Opcode, Predicate, Query, QueryTarget,
    Return, RootExpr, Unary,
};
use vrl::path::{OwnedSegment, OwnedValuePath};

use super::fault::Fault;
use super::functions::FUNCTIONS;
use super::functions::guards::{self, COUNT, FACTOR, READ};

/// The largest index of an assignment, from either end of the list.
pub(super) const MOST_INDEX: isize = 10_000;

/// Text in a closure that is counted each time, in bytes; a shorter one makes less than what the call counts.
const SHORT: usize = 64;
/// Bytes of the longest text in the program that may be repeated by a number that is not.
const DASHES: usize = 256;

/// Functions whose argument is a place, not a value.
const PLACES: [&str; 3] = ["del", "exists", "unnest"];

/// The program with its guards; `source` is its text.
pub(super) fn bounded(source: &str, program: Program) -> Result<Program, Vec<Fault>> {
    let mut rewrite = Rewrite { source, faults: Vec::new(), closures: 0 };
    let statement = |statement: Node<RootExpr>| {
        statement.map(|statement| match statement {
            RootExpr::Expr(expr) => RootExpr::Expr(rewrite.expr(expr)),
            broken @ RootExpr::Error(_) => broken,
        })
    };
    let program = Program(program.0.into_iter().map(statement).collect());
    if rewrite.faults.is_empty() { Ok(program) } else { Err(rewrite.faults) }
}

struct Rewrite<'s> {
    source: &'s str,
    faults: Vec<Fault>,
    /// How many closures are around.
    closures: usize,
}

impl Rewrite<'_> {
    fn expr(&mut self, node: Node<Expr>) -> Node<Expr> {
        let (span, expr) = node.take();
        let expr = match expr {
            Expr::Literal(literal) => self.literal(span, literal),
            Expr::Container(container) => Expr::Container(container.map(|container| self.container(container))),
            Expr::IfStatement(choice) => Expr::IfStatement(choice.map(|choice| self.choice(choice))),
            Expr::Op(op) => Expr::Op(op.map(|op| self.op(op))),
            Expr::Assignment(assignment) => Expr::Assignment(assignment.map(|one| self.assignment(one))),
            Expr::Query(query) => self.query(span, query),
            Expr::FunctionCall(call) => Expr::FunctionCall(call.map(|call| self.call(call))),
            variable @ Expr::Variable(_) => guard(READ, span, variable, None),
            Expr::Unary(unary) => Expr::Unary(
                unary.map(|Unary::Not(not)| Unary::Not(not.map(|not| Not::new(span, self.expr(*not.take().1))))),
            ),
            Expr::Abort(abort) => Expr::Abort(
                abort.map(|abort| Abort { message: abort.message.map(|message| Box::new(self.expr(*message))) }),
            ),
            Expr::Return(back) => Expr::Return(back.map(|back| Return { expr: Box::new(self.expr(*back.expr)) })),
        };
        Node::new(span, expr)
    }

    fn literal(&mut self, span: Span, literal: Node<Literal>) -> Expr {
        match literal.inner() {
            Literal::String(template) if template.as_literal_string().is_none() => {
                self.expr(Node::new(span, template.rewrite_to_concatenated_strings())).into_inner()
            }
            _ if self.closures > 0 && text(&literal).is_some_and(|text| text.len() > SHORT) => {
                guard(READ, span, Expr::Literal(literal), None)
            }
            _ => Expr::Literal(literal),
        }
    }

    fn container(&mut self, container: Container) -> Container {
        match container {
            Container::Group(group) => Container::Group(Box::new(group.map(|Group(inner)| Group(self.expr(inner))))),
            Container::Block(block) => Container::Block(self.block(block)),
            Container::Array(array) => {
                Container::Array(array.map(|array| array.into_iter().map(|item| self.expr(item)).collect::<Array>()))
            }
            Container::Object(object) => Container::Object(
                object
                    .map(|object| object.into_iter().map(|(key, member)| (key, self.expr(member))).collect::<Object>()),
            ),
        }
    }

    fn block(&mut self, block: Node<Block>) -> Node<Block> {
        block.map(|block| Block(block.into_iter().map(|statement| self.expr(statement)).collect()))
    }

    fn choice(&mut self, choice: IfStatement) -> IfStatement {
        let predicate = choice.predicate.map(|predicate| match predicate {
            Predicate::One(one) => Predicate::One(Box::new(self.expr(*one))),
            Predicate::Many(many) => Predicate::Many(many.into_iter().map(|one| self.expr(one)).collect()),
        });
        let if_node = self.block(choice.if_node);
        IfStatement { predicate, if_node, else_node: choice.else_node.map(|block| self.block(block)) }
    }

    fn op(&mut self, Op(left, opcode, right): Op) -> Op {
        if *opcode.inner() != Opcode::Mul {
            return Op(Box::new(self.expr(*left)), opcode, Box::new(self.expr(*right)));
        }
        let (by_left, by_right) = (Times::by(&left), Times::by(&right));
        // A text that the other operand counts needs no bound of its own.
        let left = if matches!(by_left, Times::Of(_)) && !matches!(by_right, Times::Written(_)) {
            self.expr(*left)
        } else {
            self.factor(*left, by_right)
        };
        let right = if matches!(by_right, Times::Of(_)) && !matches!(by_left, Times::Written(_)) {
            self.expr(*right)
        } else {
            self.factor(*right, by_left)
        };
        Op(Box::new(left), opcode, Box::new(right))
    }

    /// An operand of `*`, or a part of one.
    fn factor(&mut self, node: Node<Expr>, times: Times) -> Node<Expr> {
        let (span, expr) = node.take();
        let expr = match expr {
            Expr::Container(container) if matches!(container.inner(), Container::Group(_)) => {
                Expr::Container(container.map(|container| match container {
                    Container::Group(group) => {
                        Container::Group(Box::new(group.map(|Group(inner)| Group(self.factor(inner, times)))))
                    }
                    other => self.container(other),
                }))
            }
            // Whatever these give is made of their operands.
            Expr::Op(op) if times.reaches_into(*op.inner().1.inner()) => Expr::Op(op.map(|Op(left, opcode, right)| {
                let times = if *opcode.inner() == Opcode::Mul { Times::Never } else { times };
                Op(Box::new(self.factor(*left, times)), opcode, Box::new(self.factor(*right, times)))
            })),
            number @ Expr::Literal(_) if times.takes_numbers() && is_number(&number) => number,
            Expr::FunctionCall(call) if times.takes_numbers() && !may_be_text(call.inner()) => {
                Expr::FunctionCall(call.map(|call| self.call(call)))
            }
            other => {
                let other = self.expr(Node::new(span, other)).into_inner();
                match times {
                    Times::Written(times) => guard(FACTOR, span, other, Some(times)),
                    Times::Of(length) => guard(COUNT, span, other, Some(length as i64)),
                    Times::Never => guard(FACTOR, span, other, None),
                }
            }
        };
        Node::new(span, expr)
    }

    fn assignment(&mut self, assignment: Assignment) -> Assignment {
        match assignment {
            Assignment::Single { target, op, expr } => {
                self.target(&target);
                Assignment::Single { target, op, expr: Box::new(self.expr(*expr)) }
            }
            Assignment::Infallible { ok, err, op, expr } => {
                self.target(&ok);
                self.target(&err);
                Assignment::Infallible { ok, err, op, expr: Box::new(self.expr(*expr)) }
            }
        }
    }

    /// An index beyond the end of a list fills it up to there.
    fn target(&mut self, target: &Node<AssignmentTarget>) {
        let path: Option<&OwnedValuePath> = match target.inner() {
            AssignmentTarget::Noop => None,
            AssignmentTarget::Query(query) => Some(query.path.inner()),
            AssignmentTarget::Internal(_, path) => path.as_ref(),
            AssignmentTarget::External(path) => path.as_ref().map(|path| &path.path),
        };
        let is_far = |segment: &&OwnedSegment| matches!(segment, OwnedSegment::Index(index) if index.unsigned_abs() > MOST_INDEX.unsigned_abs());
        if let Some(OwnedSegment::Index(index)) = path.and_then(|path| path.segments.iter().find(is_far)) {
            let message = format!("the index {index} is too large: at most {MOST_INDEX} from either end of a list");
            let clip = |at: usize| at.min(self.source.len());
            let span = clip(target.start())..clip(target.end());
            let note = "a list is filled with `null` up to the index; `push` adds to its end".to_owned();
            self.faults.push(Fault { span, notes: vec![note], ..Fault::whole(self.source, &message) });
        }
    }

    fn query(&mut self, span: Span, query: Node<Query>) -> Expr {
        let is_variable = matches!(query.inner().target.inner(), QueryTarget::Internal(_));
        let query = Expr::Query(query.map(|Query { target, path }| {
            let target = target.map(|target| match target {
                QueryTarget::FunctionCall(call) => QueryTarget::FunctionCall(self.call(call)),
                QueryTarget::Container(container) => QueryTarget::Container(self.container(container)),
                // The record counts what is read of it.
                plain => plain,
            });
            Query { target, path }
        }));
        if is_variable { guard(READ, span, query, None) } else { query }
    }

    fn call(&mut self, call: FunctionCall) -> FunctionCall {
        let name = call.ident.inner().to_string();
        let keywords = keywords(&name, &call.arguments);
        let arguments = call.arguments.into_iter().zip(&keywords).map(|(argument, keyword)| {
            let is_place = PLACES.contains(&name.as_str()) && matches!(argument.inner().expr.inner(), Expr::Query(_));
            argument.map(|FunctionArgument { ident, expr }| {
                let expr = if is_place { expr } else { self.expr(expr) };
                let Some(check) = keyword.and_then(|keyword| guards::of_argument(&name, keyword, &keywords)) else {
                    return FunctionArgument { ident, expr };
                };
                let (span, expr) = expr.take();
                FunctionArgument { ident, expr: Node::new(span, guard(check, span, expr, None)) }
            })
        });
        let arguments = arguments.collect();
        self.closures += 1;
        let closure = call.closure.map(|closure| {
            closure.map(|FunctionClosure { variables, block }| FunctionClosure { variables, block: self.block(block) })
        });
        self.closures -= 1;
        FunctionCall { ident: call.ident, abort_on_error: call.abort_on_error, arguments, closure }
    }
}

/// What the other operand of `*` makes of this one.
#[derive(Clone, Copy)]
enum Times {
    /// If this is text, it is repeated so often.
    Written(i64),
    /// This is how often a text of so many bytes is repeated.
    Of(usize),
    /// This must not be text: nothing tells how often it would be repeated.
    Never,
}

impl Times {
    fn by(other: &Node<Expr>) -> Self {
        match other.inner() {
            Expr::Literal(literal) => match literal.inner() {
                Literal::Integer(times) => Self::Written(*times),
                // A float repeats nothing.
                Literal::Float(_) => Self::Written(1),
                _ => text(literal).filter(|text| text.len() <= DASHES).map_or(Self::Never, |text| Self::Of(text.len())),
            },
            Expr::Container(container) => match container.inner() {
                Container::Group(group) => Self::by(&group.inner().0),
                _ => Self::Never,
            },
            _ => Self::Never,
        }
    }

    /// Does a bound for each operand bound the result?
    fn reaches_into(self, opcode: Opcode) -> bool {
        match opcode {
            Opcode::Add | Opcode::Sub | Opcode::Div | Opcode::Err | Opcode::Or => true,
            Opcode::Mul => self.takes_numbers(),
            _ => false,
        }
    }

    fn takes_numbers(self) -> bool {
        !matches!(self, Self::Of(_))
    }
}

/// A call of the guard `name` around `expr`.
fn guard(name: &str, span: Span, expr: Expr, number: Option<i64>) -> Expr {
    let argument = |expr| Node::new(span, FunctionArgument { ident: None, expr: Node::new(span, expr) });
    let number = number.map(|number| Expr::Literal(Node::new(span, Literal::Integer(number))));
    Expr::FunctionCall(Node::new(
        span,
        FunctionCall {
            ident: Node::new(span, Ident::new(name)),
            abort_on_error: false,
            arguments: [Some(expr), number].into_iter().flatten().map(argument).collect(),
            closure: None,
        },
    ))
}

fn text(literal: &Node<Literal>) -> Option<&str> {
    match literal.inner() {
        Literal::String(template) => template.as_literal_string(),
        Literal::RawString(text) => Some(text),
        _ => None,
    }
}

fn is_number(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(literal) if matches!(literal.inner(), Literal::Integer(_) | Literal::Float(_)))
}

fn function(name: &str) -> Option<&'static dyn Function> {
    FUNCTIONS.iter().find(|function| function.identifier() == name).map(AsRef::as_ref)
}

/// The types that a function may give, as bits; all, if there is no such function.
pub(super) fn return_kind(name: &str) -> u16 {
    function(name).map_or(u16::MAX, Function::return_kind)
}

fn may_be_text(call: &FunctionCall) -> bool {
    return_kind(call.ident.inner()) & vrl::compiler::value::kind::BYTES != 0
}

/// The parameter that each argument is for.
fn keywords(name: &str, arguments: &[Node<FunctionArgument>]) -> Vec<Option<&'static str>> {
    let parameters = function(name).map_or(&[][..], Function::parameters);
    let mut next = 0;
    let keyword = |argument: &Node<FunctionArgument>| match &argument.inner().ident {
        None => {
            next += 1;
            parameters.get(next - 1).map(|parameter| parameter.keyword)
        }
        Some(ident) => {
            let at = parameters.iter().position(|parameter| parameter.keyword == ident.inner().as_ref())?;
            next += usize::from(at == next);
            Some(parameters[at].keyword)
        }
    };
    arguments.iter().map(keyword).collect()
}
