//! Confined templates: what records may choose of an index name or a file path, and how much of it.
//!
//! A record is written by whoever can log. A template that reads its fields therefore needs a literal beginning or an
//! `allow` list; what fills a hole is short, one path segment at most and never hidden; dates are clamped to sane
//! years; and a template may have [`MAX_LIVE`] live results. What does not fit is a [`Refusal`]: the record becomes a
//! dead letter with the reason, and no other record suffers.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use glob::Pattern;

use crate::component::row::Problem;
use crate::component::sink::Refusal;
use crate::event::View;
use crate::lang::Template;

/// Results that a template may have within [`LIVE_FOR`].
pub const MAX_LIVE: usize = 1_000;
/// How long a result that is not used any more counts as live.
const LIVE_FOR: Duration = Duration::from_hours(1);
/// Bytes that one hole may bring in.
const MAX_VALUE: usize = 128;
/// 1970-01-01T00:00:00Z and the end of 2099, in nanoseconds since the Unix epoch.
const YEARS: (i64, i64) = (0, 4_102_444_799_999_999_999);

/// A template whose holes are checked as they are filled.
#[derive(Debug)]
pub struct Confined {
    template: Template,
}

impl Confined {
    /// Parses the template that stands in `setting`.
    pub fn parse(setting: &str, source: &str) -> Result<Self, Problem> {
        let template = Template::parse(source)
            .map_err(|error| Problem { within: Some(error.span), ..Problem::new(setting, error.message) })?;
        Ok(Self { template })
    }

    /// A fault if records could choose the beginning: `allow` or a literal prefix must bind them.
    pub fn require_prefix(self, setting: &str, allow: &Allow) -> Result<Self, Problem> {
        if allow.is_set() || !self.has_fields() || !self.template.literal_prefix().is_empty() {
            return Ok(self);
        }
        let message = "begins with a date or a field of the record: whoever writes logs could choose any name";
        Err(Problem::new(setting, message).help("begin it with literal text, or list what it may give in `allow`"))
    }

    /// The parsed template.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The result, if it is the same for every record.
    pub fn constant(&self) -> Option<&str> {
        self.template.is_constant().then(|| self.template.literal_prefix())
    }

    /// Does the result depend on fields of the record?
    pub fn has_fields(&self) -> bool {
        self.template.fields().next().is_some()
    }

    /// Appends what the template gives for `record`.
    pub fn render(&self, record: View<'_>, out: &mut String) -> Result<(), Refusal> {
        let time = if self.template.has_time() { record.time().0.clamp(YEARS.0, YEARS.1) } else { 0 };
        let mut refused = None;
        let rendered = self.template.render_each((&record, time), out, |hole, value| {
            if refused.is_none() {
                refused = check_value(value).err().map(|why| refusal("template_value", format!("`{hole}` {why}")));
            }
        });
        rendered.map_err(|missing| refusal("template_field", missing.to_string()))?;
        refused.map_or(Ok(()), Err)
    }
}

/// What may fill a hole. The value itself is not quoted: it is the record's.
pub fn check_value(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Err("is empty".to_owned());
    }
    if value.len() > MAX_VALUE {
        return Err(format!("has {} bytes, {MAX_VALUE} are allowed in a template", value.len()));
    }
    if value.starts_with(['_', '-', '.']) {
        return Err("begins with `_`, `-` or `.`, which is not allowed in a template".to_owned());
    }
    if value.contains(['/', '\\']) || value.contains("..") || value.chars().any(char::is_control) {
        return Err("holds `/`, `\\`, `..` or a control character, which are not allowed in a template".to_owned());
    }
    Ok(())
}

/// A record that a template has no place for.
pub fn refusal(code: &'static str, why: String) -> Refusal {
    Refusal { code, why }
}

/// Names that a template may give, as globs; empty: any that its literal text admits.
#[derive(Debug, Default)]
pub struct Allow(Vec<Pattern>);

impl Allow {
    /// Reads the globs that stand in `setting`.
    pub fn parse(setting: &str, globs: &[String]) -> Result<Self, Problem> {
        globs.iter().enumerate().map(|glob| Self::pattern(setting, glob)).collect::<Result<_, _>>().map(Self)
    }

    /// The faults of all globs that stand in `setting`.
    pub fn problems(setting: &str, globs: &[String]) -> Vec<Problem> {
        globs.iter().enumerate().filter_map(|glob| Self::pattern(setting, glob).err()).collect()
    }

    fn pattern(setting: &str, (at, glob): (usize, &String)) -> Result<Pattern, Problem> {
        Pattern::new(glob).map_err(|error| {
            let message = format!("`{glob}` is no glob: {}", error.msg);
            Problem { within: Some(error.pos..glob.len()), ..Problem::new(format!("{setting}[{at}]"), message) }
        })
    }

    /// Is there a list?
    pub fn is_set(&self) -> bool {
        !self.0.is_empty()
    }

    /// Refuses a name that no glob of the list matches.
    pub fn check(&self, name: &str) -> Result<(), Refusal> {
        if !self.is_set() || self.0.iter().any(|glob| glob.matches(name)) {
            return Ok(());
        }
        Err(refusal("template_not_allowed", format!("`{name}` matches no glob in `allow`")))
    }
}

/// The results of a template that were used lately.
#[derive(Debug, Default)]
pub struct Live(Mutex<Names>);

#[derive(Debug, Default)]
struct Names {
    used: HashMap<Box<str>, Instant>,
    /// No name can have aged before then.
    full_until: Option<Instant>,
}

impl Live {
    /// Marks `name` as used, or refuses it when there are too many already.
    pub fn admit(&self, name: &str) -> Result<(), Refusal> {
        self.admit_at(name, Instant::now())
    }

    fn admit_at(&self, name: &str, now: Instant) -> Result<(), Refusal> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = names.used.get_mut(name) {
            *used = now;
            return Ok(());
        }
        if names.used.len() >= MAX_LIVE {
            names.make_room(now);
        }
        if names.used.len() >= MAX_LIVE {
            let why = format!("the template has {MAX_LIVE} different results already; one that rests for an hour goes");
            return Err(refusal("template_limit", why));
        }
        names.used.insert(name.into(), now);
        Ok(())
    }
}

impl Names {
    fn make_room(&mut self, now: Instant) {
        if self.full_until.is_some_and(|until| now < until) {
            return;
        }
        self.used.retain(|_, used| now.duration_since(*used) < LIVE_FOR);
        self.full_until = self.used.values().min().map(|oldest| *oldest + LIVE_FOR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::test_batch::json;

    fn rendered(source: &str, record: &str) -> Result<String, &'static str> {
        let mut out = String::new();
        let batch = json(&[record]);
        let done = Confined::parse("path", source).unwrap().render(batch.get(0), &mut out);
        done.map(|()| out).map_err(|refusal| refusal.code)
    }

    #[test]
    fn values_that_could_lead_elsewhere_are_refused() {
        assert_eq!(rendered("x-{{ a }}", r#"{"a":"quest-api"}"#), Ok("x-quest-api".to_owned()));
        assert_eq!(rendered("x-{{ a }}", r#"{"a":17}"#), Ok("x-17".to_owned()));
        for hostile in ["", "..", "a/b", "a\\\\b", "a..b", ".git", "_all", "-rf", "a\\nb", "a\\u0000", "\\u007f"] {
            let record = format!(r#"{{"a":"{hostile}"}}"#);
            assert_eq!(rendered("x-{{ a }}", &record), Err("template_value"), "{hostile}");
        }
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_VALUE + 1));
        assert_eq!(rendered("x-{{ a }}", &long), Err("template_value"));
        assert_eq!(rendered("x-{{ b }}", r#"{"a":1}"#), Err("template_field"));
    }

    #[test]
    fn a_value_in_front_of_a_good_one_is_still_seen() {
        assert_eq!(rendered("x-{{ a }}-{{ b }}", r#"{"a":"../x","b":"y"}"#), Err("template_value"));
    }

    #[test]
    fn a_template_that_begins_with_a_field_needs_a_list() {
        let parse = |source: &str, globs: &[&str]| {
            let globs: Vec<String> = globs.iter().map(ToString::to_string).collect();
            let allow = Allow::parse("allow", &globs).unwrap();
            Confined::parse("index", source).unwrap().require_prefix("index", &allow).is_ok()
        };
        assert!(!parse("{{ a }}", &[]));
        assert!(!parse("%Y-{{ a }}", &[]));
        assert!(parse("{{ a }}", &["logs-*"]));
        assert!(parse("logs-{{ a }}", &[]));
        assert!(parse("%Y", &[]), "no record chooses anything");
    }

    #[test]
    fn faults_are_pointed_at() {
        let fault = Confined::parse("bulk.index", "logs-{{ service").unwrap_err();
        assert_eq!((fault.setting.as_str(), fault.within), ("bulk.index", Some(5..15)));
        let globs = ["ok-*".to_owned(), "a[b".to_owned()];
        assert_eq!(Allow::parse("allow", &globs).unwrap_err().setting, "allow[1]");
    }

    #[test]
    fn a_list_binds_the_whole_name() {
        let allow = Allow::parse("allow", &["logs-*".to_owned()]).unwrap();
        assert!(allow.check("logs-a").is_ok());
        assert_eq!(allow.check("audit-logs-a").unwrap_err().code, "template_not_allowed");
    }

    #[test]
    fn the_thousand_and_first_name_waits_until_another_has_aged() {
        let (live, start) = (Live::default(), Instant::now());
        for number in 0..MAX_LIVE {
            live.admit_at(&number.to_string(), start).unwrap();
        }
        assert_eq!(live.admit_at("one more", start).unwrap_err().code, "template_limit");
        let later = start + Duration::from_secs(1);
        live.admit_at("7", later).unwrap();
        assert!(live.admit_at("one more", later).is_err());
        let aged = start + LIVE_FOR;
        live.admit_at("one more", aged).unwrap();
        live.admit_at("7", aged).unwrap();
        live.admit_at("8", aged).unwrap();
    }
}
