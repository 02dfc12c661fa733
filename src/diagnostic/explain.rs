//! What a code means, at length: the page `docs/faults.md`, section by section.

use super::Code;

const PAGE: &str = include_str!("../../docs/faults.md");

impl Code {
    /// The code with this text, such as `E004`; case does not matter.
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text))
    }

    /// Its section of the page, as Markdown, from the words of its heading on.
    pub fn explanation(self) -> &'static str {
        let heading = format!("\n## {}: ", self.as_str());
        let from = PAGE.find(&heading).map_or("", |at| &PAGE[at + "\n## ".len()..]);
        from.split("\n## ").next().unwrap_or_default().trim_end()
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, PAGE};

    #[test]
    fn each_code_has_a_section_under_its_meaning_in_order() {
        let headings: Vec<_> = PAGE.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned).collect();
        let codes: Vec<_> = Code::ALL.iter().map(|code| format!("{code}: {}", code.meaning())).collect();
        assert_eq!(headings, codes);
        assert!(Code::ALL.iter().all(|code| code.explanation().lines().count() > 2));
    }

    #[test]
    fn a_code_is_found_in_any_case() {
        assert_eq!(Code::of("e004"), Some(Code::IdTwice));
        assert_eq!(Code::of("E999"), None);
    }
}
