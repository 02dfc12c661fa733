//! Draws faults the way rustc draws them: code, file, line, the text underlined, then the next steps.

use super::{Diagnostic, FileId, Label, Report, Severity, Sources};
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};

/// Whether control codes for colour may be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// Plain text, for pipes and files.
    #[default]
    Never,
    /// ANSI control codes, for a terminal.
    Always,
}

/// Draws one fault; no line break at the end.
pub fn render(diagnostic: &Diagnostic, sources: &Sources, color: Color) -> String {
    let title = level(diagnostic.severity()).primary_title(visible(&diagnostic.message));
    let group = Group::with_title(title.id(diagnostic.code.as_str()));
    let group = match &diagnostic.primary {
        Some(label) if diagnostic.code.hides_text() => group.element(origin(label, sources)),
        _ => group.elements(snippets(diagnostic, sources)),
    };
    let group = group.elements(diagnostic.help.iter().map(|text| Level::HELP.message(visible(text))));
    renderer(color).render(&[group])
}

/// Draws all faults, an empty line between them, and a line that counts them. Empty if there is none.
pub fn render_report(report: &Report, sources: &Sources, color: Color) -> String {
    let mut text = String::new();
    for diagnostic in report.diagnostics() {
        text.push_str(&render(diagnostic, sources, color));
        text.push_str("\n\n");
    }
    if let Some(summary) = summary(report) {
        text.push_str(&summary);
        text.push('\n');
    }
    text
}

fn summary(report: &Report) -> Option<String> {
    let count = |severity, one: &str| match report.count(severity) {
        0 => None,
        1 => Some(format!("1 {one}")),
        many => Some(format!("{many} {one}s")),
    };
    let parts: Vec<_> =
        [count(Severity::Error, "error"), count(Severity::Warning, "warning")].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

const fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    }
}

const fn renderer(color: Color) -> Renderer {
    match color {
        Color::Never => Renderer::plain(),
        Color::Always => Renderer::styled(),
    }
}

/// The place alone, without what stands there.
fn origin<'a>(label: &Label, sources: &'a Sources) -> Origin<'a> {
    let at = sources.position(&label.place);
    Origin::path(visible(&sources.file(label.place.file).name)).line(at.line).char_column(at.column)
}

/// One snippet for each file: that of the primary label first.
fn snippets<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Vec<Snippet<'a, Annotation<'a>>> {
    let mut files: Vec<FileId> = Vec::new();
    for label in diagnostic.primary.iter().chain(&diagnostic.secondary) {
        if !files.contains(&label.place.file) {
            files.push(label.place.file);
        }
    }
    files.into_iter().map(|file| snippet(diagnostic, sources, file)).collect()
}

fn snippet<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources, id: FileId) -> Snippet<'a, Annotation<'a>> {
    let file = sources.file(id);
    let draw = |label: &'a Label, kind: AnnotationKind| {
        let annotation = kind.span(drawable(&file.text, label));
        if label.text.is_empty() { annotation } else { annotation.label(visible(&label.text)) }
    };
    let here = |label: &&Label| label.place.file == id;
    let primary = diagnostic.primary.iter().filter(here).map(|label| draw(label, AnnotationKind::Primary));
    let secondary = diagnostic.secondary.iter().filter(here).map(|label| draw(label, AnnotationKind::Context));
    Snippet::source(file.text.as_str()).path(visible(&file.name)).annotations(primary.chain(secondary))
}

/// Text of a person's file without control codes: a key or a file name must not drive the terminal. The drawing itself does this only for
/// the text of the file.
fn visible(text: &str) -> String {
    let picture = |code: char| char::from_u32(0x2400 + u32::from(code)).filter(|_| u32::from(code) < 0x20);
    text.chars().map(|next| if next.is_control() { picture(next).unwrap_or('\u{2421}') } else { next }).collect()
}

/// The span inside the text, on character boundaries, and not beyond the end of its first line: a label for a whole block hides the
/// message under its text.
fn drawable(text: &str, label: &Label) -> std::ops::Range<usize> {
    let start = text.floor_char_boundary(label.place.span.start);
    let end = text.ceil_char_boundary(label.place.span.end.max(start));
    let line = text[start..end].find(['\r', '\n']).unwrap_or(end - start);
    start..start + line
}

#[cfg(test)]
mod tests {
    use super::{Color, render};
    use crate::diagnostic::{Code, Diagnostic, Place, Sources};

    fn drawn(color: Color) -> String {
        let mut sources = Sources::default();
        let file = sources.add("a.toml", "key = '''\n\u{1b}[2Jж\n'''\r\n");
        let fault = Diagnostic::new(Code::UnknownSetting, "unknown setting `\u{1b}[2J`")
            .at(&Place { file, span: 6..99 }, "\u{1b}[2J")
            .also(&Place { file, span: 10..15 }, "here")
            .help("\u{1b}[2J");
        render(&fault, &sources, color)
    }

    #[test]
    fn a_secret_in_plain_text_is_not_drawn() {
        let mut sources = Sources::default();
        let file = sources.add("a.toml", "password = 'hunter2'\n");
        let fault = Diagnostic::new(Code::PlainSecret, "a secret").at(&Place { file, span: 11..20 }, "here").help("no");
        let shown = render(&fault, &sources, Color::Never);
        assert!(shown.contains("a.toml:1:12") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn control_codes_are_written_only_for_colour_and_never_from_a_file() {
        let plain = drawn(Color::Never);
        assert!(!plain.contains('\u{1b}'), "{plain:?}");
        let styled = drawn(Color::Always);
        assert!(styled.contains('\u{1b}') && !styled.contains("\u{1b}[2J"), "{styled:?}");
    }
}
