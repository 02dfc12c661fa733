//! How deeply a program nests, by a cheap look at its text.
//!
//! VRL's compiler calls itself for each bracket within a bracket and for each operator of a chain, and so does a program
//! that runs or is let go. A text of a few kilobytes could thus end the process. So the text is looked at before: what
//! is deeper than [`DEEPEST`] is a fault. The look counts at least as many levels as the compiler goes down; two things
//! that stand beside each other may count as if one were in the other.

use super::fault::Fault;

/// Levels of the deepest program that is compiled. The tests run one of each kind on the smallest stack that any
/// thread here has.
pub(super) const DEEPEST: usize = 200;

/// Closures and calls with `!` in each other. VRL's compiler looks at what is in one of them twice, so each level doubles
/// its time.
pub(super) const MOST_DOUBLING: usize = 16;

/// A fault where `source` nests too deeply.
pub(super) fn check(source: &str) -> Result<(), Fault> {
    let levels = vec![Level::default()];
    let scan = Scan { source: source.as_bytes(), at: 0, levels, doubling: 0, last: Last::Operator, is_closure: false };
    scan.find_too_deep().map_or(Ok(()), |(at, what)| Err(too_deep(source, at, &what)))
}

fn too_deep(source: &str, at: usize, what: &str) -> Fault {
    let message = format!("the program nests too deeply: at most {what}");
    let note = "give parts of it names of their own (`a = ...`), or ask `includes([...], value)`";
    Fault { span: at..at + 1, notes: vec![note.to_owned()], ..Fault::whole(source, &message) }
}

/// What stands between two brackets, so far.
#[derive(Default)]
struct Level {
    /// The deepest expression that is complete.
    deepest: usize,
    chain: Chain,
    /// Is it in a closure, or in a call with `!`?
    is_doubling: bool,
}

/// The expression that is being looked at.
#[derive(Default)]
struct Chain {
    /// Operators that bind least: `=`, `??`, `||`, `&&`; and `if`, `else`. They nest in each other.
    links: usize,
    /// The others, since the last of these, and the most between two of these.
    run: usize,
    longest: usize,
    /// The deepest operand.
    operand: usize,
    /// Segments of the path at hand.
    path: usize,
}

impl Chain {
    fn depth(&self) -> usize {
        self.links + self.longest.max(self.run) + self.operand
    }

    fn link(&mut self, count: usize) {
        self.longest = self.longest.max(self.run);
        (self.run, self.path) = (0, 0);
        self.links += count;
    }

    fn operand(&mut self, depth: usize) {
        self.operand = self.operand.max(depth);
    }

    fn segment(&mut self) {
        self.path += 1;
        self.operand(self.path);
    }
}

/// What was seen last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Something that wants an operand: a line break behind it ends nothing.
    Operator,
    Operand,
    /// A line break behind an operand: the expression is complete, unless `else` follows.
    Line,
}

struct Scan<'s> {
    source: &'s [u8],
    at: usize,
    levels: Vec<Level>,
    /// Open levels that double the compiler's time.
    doubling: usize,
    last: Last,
    /// Did `->` come, and its block not yet?
    is_closure: bool,
}

impl Scan<'_> {
    /// Where it becomes too deep, and what would be enough.
    fn find_too_deep(mut self) -> Option<(usize, String)> {
        while let Some(byte) = self.source.get(self.at).copied() {
            let from = self.at;
            self.step(byte);
            let above = self.levels.len() - 1;
            if above + self.chain().depth() > DEEPEST {
                return Some((from, format!("{DEEPEST} levels of brackets and chained operators")));
            }
            if self.doubling > MOST_DOUBLING {
                return Some((from, format!("{MOST_DOUBLING} closures and calls with `!` in each other")));
            }
        }
        None
    }

    fn chain(&mut self) -> &mut Chain {
        &mut self.level().chain
    }

    fn level(&mut self) -> &mut Level {
        self.levels.last_mut().expect("the lowest is never closed")
    }

    /// Looks at what begins with `byte`.
    fn step(&mut self, byte: u8) {
        if byte.is_ascii_whitespace() {
            self.chain().path = 0;
            self.at += 1;
            if byte == b'\n' && self.last == Last::Operand {
                self.last = Last::Line;
            }
            return;
        }
        if byte == b'#' {
            return self.skip(|byte| byte != b'\n');
        }
        let word = self.word().len();
        if self.last == Last::Line && self.word() != b"else" {
            self.complete();
        }
        match byte {
            b'"' => self.string(),
            b'r' | b's' | b't' if word == 1 && self.next_is(1, b'\'') => self.literal(),
            _ if word > 0 => self.name(word),
            b'(' | b'[' | b'{' => self.open(byte),
            b')' | b']' | b'}' => self.close(),
            b',' | b';' | b':' => {
                self.complete();
                (self.last, self.at) = (Last::Operator, self.at + 1);
            }
            _ if is_operator(byte) => self.operator(),
            _ => {
                if byte == b'.' {
                    self.chain().segment();
                }
                (self.last, self.at) = (Last::Operand, self.at + 1);
            }
        }
    }

    fn next_is(&self, ahead: usize, byte: u8) -> bool {
        self.source.get(self.at + ahead) == Some(&byte)
    }

    fn skip(&mut self, is_skipped: impl Fn(u8) -> bool) {
        let rest = &self.source[self.at..];
        self.at += rest.iter().position(|byte| !is_skipped(*byte)).unwrap_or(rest.len());
    }

    /// The letters, digits and `_` that come next.
    fn word(&self) -> &[u8] {
        let rest = &self.source[self.at..];
        let end = rest.iter().position(|byte| !is_name(*byte)).unwrap_or(rest.len());
        &rest[..end]
    }

    fn name(&mut self, length: usize) {
        let links = match self.word() {
            b"if" | b"return" | b"abort" => 1,
            // The compiler makes a block with an `if` of it.
            b"else" => 2,
            _ => 0,
        };
        self.at += length;
        self.last = Last::Operand;
        if links > 0 {
            self.chain().link(links);
            self.last = Last::Operator;
        }
    }

    /// Text in double quotes. The compiler makes a chain of a template: text, value, text, ...
    fn string(&mut self) {
        let end = self.end_of(b'"', self.at + 1);
        let holes = self.source[self.at..end].windows(2).filter(|pair| pair == b"{{").count();
        self.chain().operand(1 + 2 * holes);
        (self.at, self.last) = (end, Last::Operand);
    }

    /// A regular expression, raw text or a time in single quotes.
    fn literal(&mut self) {
        self.at = self.end_of(b'\'', self.at + 2);
        self.last = Last::Operand;
    }

    /// Behind the next `quote` that no backslash hides.
    fn end_of(&self, quote: u8, from: usize) -> usize {
        let mut at = from;
        while let Some(byte) = self.source.get(at) {
            match *byte {
                b'\\' => at += 2,
                byte if byte == quote => return at + 1,
                _ => at += 1,
            }
        }
        self.source.len()
    }

    fn open(&mut self, byte: u8) {
        let before = self.at.checked_sub(1).map(|at| self.source[at]);
        if byte == b'[' && before.is_some_and(|byte| is_name(byte) || b")]}\"".contains(&byte)) {
            self.chain().segment();
        }
        let is_block = byte == b'{' && std::mem::take(&mut self.is_closure);
        let is_doubling = is_block || (byte == b'(' && before == Some(b'!') && self.last == Last::Operand);
        self.doubling += usize::from(is_doubling);
        self.levels.push(Level { is_doubling, ..Level::default() });
        (self.last, self.at) = (Last::Operator, self.at + 1);
    }

    fn close(&mut self) {
        self.complete();
        let depth = self.level().deepest + 1;
        if self.levels.len() > 1 {
            self.doubling -= usize::from(self.levels.pop().is_some_and(|level| level.is_doubling));
            self.chain().operand(depth);
        }
        (self.last, self.at) = (Last::Operand, self.at + 1);
    }

    /// The expression at hand is at its end.
    fn complete(&mut self) {
        let level = self.level();
        let chain = std::mem::take(&mut level.chain);
        level.deepest = level.deepest.max(chain.depth());
    }

    fn operator(&mut self) {
        let from = self.at;
        self.skip(is_operator);
        let text = &self.source[from..self.at];
        self.is_closure |= text == b"->";
        let is_call = text == b"!" && self.last == Last::Operand && self.next_is(0, b'(');
        let last = std::mem::replace(&mut self.last, Last::Operator);
        if is_call {
            self.last = last;
            return;
        }
        // `a = !!b`: each `!` is one more.
        let nots = if text == b"!=" { 0 } else { text.iter().rev().take_while(|byte| **byte == b'!').count() };
        let plain = &text[..text.len() - nots];
        if matches!(plain, b"=" | b"|=" | b"??" | b"||" | b"&&") {
            self.chain().link(1);
        } else if !plain.is_empty() {
            self.chain().run += 1;
        }
        self.chain().run += nots;
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'@'
}

fn is_operator(byte: u8) -> bool {
    b"!&*+-/<=>?|".contains(&byte)
}
