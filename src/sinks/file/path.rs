//! Where a record's line goes: a folder that nothing leaves, and the path below it.

use std::path::{Component, Path, PathBuf};

use crate::component::row::Problem;
use crate::component::sink::Refusal;
use crate::delivery::confined::{Allow, Confined, Live, refusal};
use crate::event::View;

/// Bytes of a path below the folder.
const MAX_PATH: usize = 1_024;
/// Bytes of one name in it, as file systems have it.
const MAX_NAME: usize = 255;

/// A template of paths that stay below a folder.
pub(super) struct PathTemplate {
    base: PathBuf,
    template: Confined,
    /// How many bytes of a rendered path are the folder's.
    skip: usize,
    allow: Allow,
    live: Live,
}

impl PathTemplate {
    pub(super) fn parse(source: &str, base_dir: Option<&Path>, allow: &[String]) -> Result<Self, Problem> {
        let allow = Allow::parse("allow", allow)?;
        let template = Confined::parse("path", source)?;
        if !source.starts_with('/') {
            let message = format!("`{source}` is no absolute path: expected it to begin with `/`");
            return Err(Problem::new("path", message));
        }
        let prefix = template.template().literal_prefix();
        let base = match base_dir {
            Some(base) => base.to_str().unwrap_or_default().trim_end_matches('/').to_owned() + "/",
            None => prefix[..=prefix.rfind('/').unwrap_or(0)].to_owned(),
        };
        if !prefix.starts_with(&base) {
            let message = format!("does not lead into `base_dir`, which is `{base}`");
            return Err(Problem::new("path", message).help("begin `path` with the folder that `base_dir` names"));
        }
        if base == "/" && template.has_fields() {
            let message = "begins with a field of the record: whoever writes logs could choose any folder";
            return Err(Problem::new("path", message).help("begin it with a folder of its own"));
        }
        let path = Self { skip: base.len(), base: PathBuf::from(base), template, allow, live: Live::default() };
        if let Some(constant) = path.template.constant() {
            check(&constant[path.skip..]).map_err(|why| Problem::new("path", why))?;
        }
        Ok(path)
    }

    /// Do records choose a part of it?
    pub(super) fn is_chosen(&self) -> bool {
        self.template.has_fields()
    }

    /// A whole path that it can give.
    pub(super) fn example(&self) -> String {
        self.template.template().example()
    }

    /// The folder.
    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    /// Writes the path of `record` below the folder to `out`.
    pub(super) fn render(&self, record: View<'_>, out: &mut String) -> Result<(), Refusal> {
        out.clear();
        self.template.render(record, out)?;
        out.drain(..self.skip);
        Ok(())
    }

    /// Refuses a path that may not be; to be called once for each path of a batch.
    pub(super) fn admit(&self, path: &str) -> Result<(), Refusal> {
        check(path).map_err(|why| refusal("path_name", why))?;
        self.allow.check(path)?;
        self.live.admit(path)
    }
}

/// What is wrong with a path below the folder, if anything.
fn check(path: &str) -> Result<(), String> {
    let is_plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if path.is_empty() || path.ends_with('/') || !is_plain {
        return Err("is no path of a file below its folder".to_owned());
    }
    if path.len() > MAX_PATH || path.split('/').any(|name| name.len() > MAX_NAME) {
        return Err(format!("is longer than {MAX_PATH} bytes, or has a name of more than {MAX_NAME}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::test_batch::json;

    fn parse(source: &str, base: Option<&str>) -> Result<PathTemplate, Problem> {
        PathTemplate::parse(source, base.map(Path::new), &[])
    }

    fn fault(source: &str, base: Option<&str>) -> bool {
        parse(source, base).is_err_and(|problem| problem.setting == "path")
    }

    #[test]
    fn a_path_needs_a_folder_that_records_cannot_choose() {
        assert!(fault("logs/x.log", None) && fault("{{ a }}.log", None) && fault("/{{ a }}/x.log", None));
        assert!(fault("/var/log/", None) && fault("/var/log/../x", None).eq(&false));
        assert!(fault("/srv/{{ a }}.log", Some("/var")) && fault("/variable/{{ a }}.log", Some("/var")));
        assert_eq!(parse("/var/out/a-{{ s }}/x.log", None).unwrap().base(), Path::new("/var/out/"));
        assert_eq!(parse("/var/out/a/{{ s }}.log", Some("/var/out")).unwrap().base(), Path::new("/var/out/"));
    }

    #[test]
    fn records_stay_below_it() {
        let template = parse("/out/a-{{ s }}/%Y.log", None).unwrap();
        let mut path = String::new();
        template.render(json(&[r#"{"s":"x"}"#]).get(0), &mut path).unwrap();
        assert_eq!(path, "a-x/2026.log");
        for hostile in ["..", "../../etc/cron.d/x", "a/b", ".ssh", "", "a\\u0000b"] {
            let record = format!(r#"{{"s":"{hostile}"}}"#);
            let refused = template.render(json(&[&record]).get(0), &mut path).unwrap_err();
            assert_eq!(refused.code, "template_value", "{hostile}");
        }
        for bad in ["", "a/../b", "/etc/passwd", "a/", "./a"] {
            assert_eq!(template.admit(bad).unwrap_err().code, "path_name", "{bad}");
        }
        assert!(template.admit(&"x".repeat(256)).is_err());
    }
}
