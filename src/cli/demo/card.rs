//! A record before and after, side by side.

use super::change::{Change, Changes, string_member};
use super::paint::{Paint, Style};
use super::window::{Pair, SIGHTS};

/// Columns before the values: a sign and a space on either side.
const MARGIN: usize = 5;
/// Longest member name that is shown in full.
const LONGEST_NAME: usize = 21;
/// Columns between the two values.
const GAP: usize = 3;
/// Characters of context that stay in sight before the first difference.
const CONTEXT: usize = 9;

/// The lines that show a record.
pub(super) fn card(pair: &Pair, number: usize, paint: Paint) -> Vec<String> {
    let found = Changes::between(&pair.before, &pair.after);
    let names = found.changes.iter().filter(|change| change.before.is_some());
    let names = names.map(|change| change.path.chars().count()).max().unwrap_or(0);
    let name = names.clamp(8, LONGEST_NAME);
    let value = (paint.width - MARGIN - name - 2 * GAP) / 2;
    let columns = Columns { name, value };
    let mut lines = vec![title(pair, number, paint), columns.heading(paint)];
    let (added, changed): (Vec<&Change>, Vec<&Change>) =
        found.changes.iter().partition(|change| change.before.is_none());
    lines.extend(changed.iter().map(|change| columns.row(change, paint)));
    lines.extend(added_lines(&added, paint));
    if found.same > 0 {
        let members = if found.same == 1 { "member" } else { "members" };
        let same = format!("{:MARGIN$}{} more {members} left as they came, byte for byte", "", found.same);
        lines.push(paint.paint(Style::Faint, &same));
    }
    lines.push(String::new());
    lines
}

/// What was added needs no column beside it.
fn added_lines(added: &[&Change], paint: Paint) -> Vec<String> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for Change { path, after, .. } in added {
        let value = after.as_deref().unwrap_or_default();
        let length = path.chars().count() + value.chars().count() + 1 + GAP;
        let text = format!("{path} {}{:GAP$}", paint.paint(Style::New, value), "");
        match lines.last_mut().filter(|(used, _)| used + length <= paint.width) {
            Some((used, line)) => {
                *used += length;
                line.push_str(&text);
            }
            None => lines.push((MARGIN + length, format!("{:>3}  {text}", "+"))),
        }
    }
    lines.into_iter().map(|(_, line)| line.trim_end().to_owned()).collect()
}

fn title(pair: &Pair, number: usize, paint: Paint) -> String {
    let whose = [string_member(&pair.before, "service"), string_member(&pair.before, "event")];
    let whose: Vec<String> = whose.into_iter().flatten().collect();
    let whose = whose.join(" · ");
    let left = format!("{:>3}  {}", number, SIGHTS[pair.sight].0);
    let space = paint.width.saturating_sub(left.chars().count() + whose.chars().count());
    // Where both do not fit, what there is to see is enough.
    let whose = if whose.is_empty() || space < GAP {
        String::new()
    } else {
        format!("{:space$}{}", "", paint.paint(Style::Faint, &whose))
    };
    format!("{}{whose}", paint.paint(Style::Strong, &left)).trim_end().to_owned()
}

/// How wide the columns are.
#[derive(Clone, Copy)]
struct Columns {
    name: usize,
    value: usize,
}

impl Columns {
    fn heading(self, paint: Paint) -> String {
        let Self { name, value } = self;
        let text =
            format!("{:MARGIN$}{:name$}{:GAP$}{:value$}{:GAP$}as it leaves", "", "", "", "as the service wrote it", "");
        paint.paint(Style::Faint, &text)
    }

    fn row(self, change: &Change, paint: Paint) -> String {
        let sign = if change.after.is_none() { "-" } else { "~" };
        let [before, after] = sides(change).map(|side| side.map(|side| side.clip(self.value)));
        let pad = self.value - before.as_ref().map_or(0, Side::len);
        let before = before.map_or(String::new(), |side| side.paint(Style::Gone, paint));
        let after = after.map_or(String::new(), |side| side.paint(Style::New, paint));
        let name = clip_name(&change.path, self.name);
        let row =
            format!("{sign:>3}  {name:width$}{:GAP$}{before}{:pad$}{:GAP$}{after}", "", "", "", width = self.name);
        row.trim_end().to_owned()
    }
}

fn clip_name(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    format!("…{}", name.chars().skip(length + 1 - width).collect::<String>())
}

/// One side of a change: what both sides have in common, and between it what is different.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Side {
    start: Vec<char>,
    middle: Vec<char>,
    end: Vec<char>,
}

fn sides(change: &Change) -> [Option<Side>; 2] {
    let chars = |text: &Option<String>| text.as_ref().map(|text| text.chars().collect::<Vec<char>>());
    let (before, after) = (chars(&change.before), chars(&change.after));
    let (Some(old), Some(new)) = (&before, &after) else {
        return [before, after].map(|side| side.map(|middle| Side { start: vec![], middle, end: vec![] }));
    };
    let start = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    let most = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(one, other)| one == other).count();
    [old, new].map(|side| {
        let (start, rest) = side.split_at(start);
        let (middle, end) = rest.split_at(rest.len() - end);
        Some(Side { start: start.to_vec(), middle: middle.to_vec(), end: end.to_vec() })
    })
}

impl Side {
    fn len(&self) -> usize {
        self.start.len() + self.middle.len() + self.end.len()
    }

    /// No more than `width` characters, the difference among them.
    fn clip(mut self, width: usize) -> Self {
        if self.len() > width && self.start.len() > CONTEXT {
            let excess = (self.len() - width + 1).min(self.start.len() - CONTEXT);
            self.start.splice(..excess, ['…']);
        }
        if self.len() > width {
            let mut keep = width - 1;
            for part in [&mut self.start, &mut self.middle, &mut self.end] {
                part.truncate(keep);
                keep -= part.len();
            }
            let last = if self.end.is_empty() { &mut self.middle } else { &mut self.end };
            last.push('…');
        }
        self
    }

    fn paint(&self, style: Style, paint: Paint) -> String {
        let text = |part: &[char]| part.iter().collect::<String>();
        format!("{}{}{}", text(&self.start), paint.paint(style, &text(&self.middle)), text(&self.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Paint = Paint { is_live: false, width: 80 };

    fn pair() -> Pair {
        let before = r#"{"service":"quest","event":"quest_completed","message":"linh@hanoi.example completed quest river-boat in Hanoi, all of it","balance":1.50}"#;
        let after = r#"{"service":"quest","event":"quest_completed","message":"***@hanoi.example completed quest river-boat in Hanoi, all of it","balance":1.50,"env":"demo"}"#;
        Pair { sight: 0, before: before.to_owned(), after: after.to_owned() }
    }

    #[test]
    fn a_card_shows_what_changed() {
        insta::assert_snapshot!(card(&pair(), 1, PLAIN).join("\n"));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 60..=160 {
            let lines = card(&pair(), 1, Paint { width, ..PLAIN });
            let widest = lines.iter().map(|line| line.chars().count()).max();
            assert!(widest <= Some(width), "{widest:?} columns of {width}:\n{}", lines.join("\n"));
        }
    }

    #[test]
    fn only_the_difference_has_a_color() {
        let change = Change { path: "m".into(), before: Some("\"a 1 b\"".into()), after: Some("\"a 22 b\"".into()) };
        let [before, after] = sides(&change).map(Option::unwrap);
        let colored = Paint { is_live: true, ..PLAIN };
        assert_eq!(before.paint(Style::Gone, colored), "\"a \x1b[31m1\x1b[0m b\"");
        assert_eq!(after.paint(Style::New, colored), "\"a \x1b[32m22\x1b[0m b\"");
    }

    #[test]
    fn a_long_value_is_clipped_around_its_difference() {
        let long = |middle: &str| format!("\"{}{middle}{}\"", "x".repeat(50), "y".repeat(50));
        let change = Change { path: "m".into(), before: Some(long("1")), after: Some(long("2")) };
        let [before, _] = sides(&change).map(|side| side.unwrap().clip(20));
        let text = before.paint(Style::Gone, PLAIN);
        assert_eq!((text.chars().count(), text.contains('1')), (20, true), "{text}");
        assert!(text.starts_with('…') && text.ends_with('…'), "{text}");
    }
}
