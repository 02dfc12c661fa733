//! Members whose values files hold, and constants beside them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::fresh::{Fresh, Watch};
use crate::component::keepsake::Keepsake;
use crate::component::meters::Meters;
use crate::component::row::Context;
use crate::event::{Shared, json};

/// Bytes of a file, at most.
const MOST_BYTES: u64 = 1 << 20;

/// A file that holds a member's value.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSettings {
    /// Where it is.
    path: PathBuf,
    /// How it is written.
    #[serde(default)]
    format: FileFormat,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum FileFormat {
    /// Text, without space around it: the member is a string.
    #[default]
    Text,
    /// Lines such as `app="billing"`, as the downward API writes labels and annotations: the member is an object.
    KeyValue,
}

/// Members that all records get.
pub(super) struct Constants {
    now: Arc<ArcSwap<Arc<[Shared]>>>,
    _watch: Option<Watch>,
}

impl Constants {
    /// Those that are `fixed`, and those of `files`, which must be there.
    pub(super) fn open(
        fixed: Vec<Shared>,
        settings: BTreeMap<String, FileSettings>,
        context: &Context,
    ) -> Result<Self, String> {
        let folder = context.state_dir.join("files");
        let folder = if context.state_dir.as_os_str().is_empty() { PathBuf::new() } else { folder };
        let open = |(name, FileSettings { path, format }): (String, FileSettings)| {
            Member::open(&name, (&path, format), Keepsake::new(&folder, &path), &context.meters)
        };
        let members: Vec<Member> = settings.into_iter().map(open).collect::<Result<_, _>>()?;
        let has_files = !members.is_empty();
        Keepsake::tidy(&folder, &members.iter().map(|member| &member.keepsake).collect::<Vec<_>>());
        let mut files = Files { fixed, members, id: context.id.clone(), meters: context.meters.clone() };
        let now = Arc::new(ArcSwap::from_pointee(files.all()));
        if !has_files {
            return Ok(Self { now, _watch: None });
        }
        let kept = Arc::downgrade(&now);
        let watch = Watch::begin("enrich-files", move || {
            if let Some(now) = kept.upgrade()
                && files.look()
            {
                now.store(Arc::new(files.all()));
            }
        });
        let watch = watch.map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(Self { now, _watch: Some(watch) })
    }

    /// As they are now: the same allocation as long as they are the same.
    pub(super) fn now(&self) -> Arc<[Shared]> {
        Arc::clone(&**self.now.load())
    }
}

/// The files, and what else there is.
struct Files {
    fixed: Vec<Shared>,
    members: Vec<Member>,
    id: String,
    meters: Meters,
}

impl Files {
    fn all(&self) -> Arc<[Shared]> {
        self.fixed.iter().cloned().chain(self.members.iter().map(|member| member.value.clone())).collect()
    }

    /// Has a member changed?
    fn look(&mut self) -> bool {
        let mut changed = false;
        for member in &mut self.members {
            changed |= member.look(&self.id, &self.meters);
        }
        changed
    }
}

struct Member {
    file: Fresh,
    format: FileFormat,
    value: Shared,
    keepsake: Keepsake,
    /// Could its file not be read at the last look?
    is_lost: bool,
}

impl Member {
    /// What its file holds; where that cannot be used, what it held last.
    fn open(
        name: &str,
        (path, format): (&Path, FileFormat),
        keepsake: Keepsake,
        meters: &Meters,
    ) -> Result<Self, String> {
        let (file, read) = match Fresh::open(path, MOST_BYTES) {
            Ok((file, bytes)) => (file, format.read(&bytes).inspect(|_| keepsake.keep(&bytes))),
            Err(error) => (Fresh::lost(path, MOST_BYTES), Err(error.to_string())),
        };
        let is_lost = read.is_err();
        let value = read.or_else(|why| {
            let why = format!("cannot use the file `{}` of `files.{name}`: {why}", path.display());
            let kept = keepsake.read(MOST_BYTES).and_then(|bytes| format.read(&bytes).ok());
            let kept = kept.ok_or_else(|| why.clone())?;
            meters.error("file_unreadable");
            tracing::warn!("{why}; its member is what it was when the agent ran last");
            Ok::<_, String>(kept)
        });
        Ok(Self { file, format, value: Shared { key: name.into(), value: value?.into() }, keepsake, is_lost })
    }

    /// Has it another value now? What cannot be read leaves it as it was; that is told when it begins.
    fn look(&mut self, component_id: &str, meters: &Meters) -> bool {
        let changed = match self.file.changed() {
            Ok(None) => return false,
            Ok(Some(bytes)) => self.format.read(&bytes).inspect(|_| self.keepsake.keep(&bytes)),
            Err(error) => Err(error.to_string()),
        };
        match changed {
            Ok(value) => {
                (self.value.value, self.is_lost) = (value.into(), false);
                true
            }
            Err(why) => {
                if !std::mem::replace(&mut self.is_lost, true) {
                    meters.error("file_unreadable");
                    let path = self.file.path().display();
                    tracing::warn!(component_id, %path, "the member `{}` stays as it was: {why}", self.value.key);
                }
                false
            }
        }
    }
}

impl FileFormat {
    /// The JSON text of what a file holds.
    fn read(self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        let mut out = Vec::new();
        match self {
            Self::Text => json::quote(text.trim().as_bytes(), &mut out),
            Self::KeyValue => {
                out.push(b'{');
                for line in text.lines().filter(|line| !line.trim().is_empty()) {
                    let (key, value) = pair(line).ok_or_else(|| format!("`{line}` is not `key=\"value\"`"))?;
                    if out.len() > 1 {
                        out.push(b',');
                    }
                    json::quote(key.as_bytes(), &mut out);
                    out.push(b':');
                    json::quote(value.as_bytes(), &mut out);
                }
                out.push(b'}');
            }
        }
        Ok(out)
    }
}

/// A line of the downward API: the value is quoted as Go's `%q` does it.
fn pair(line: &str) -> Option<(&str, String)> {
    let (key, quoted) = line.split_once('=')?;
    let quoted = quoted.trim_end().strip_prefix('"')?.strip_suffix('"')?;
    let mut value = String::new();
    let mut rest = quoted.chars();
    while let Some(char) = rest.next() {
        let char = if char == '\\' { escaped(&mut rest)? } else { char };
        value.push(char);
    }
    Some((key, value))
}

fn escaped(rest: &mut std::str::Chars<'_>) -> Option<char> {
    let kind = rest.next()?;
    let mut number = |digits: usize| {
        let text: String = rest.by_ref().take(digits).collect();
        let whole = text.len() == digits;
        u32::from_str_radix(&text, 16).ok().filter(|_| whole).and_then(char::from_u32)
    };
    match kind {
        'a' => Some('\u{7}'),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{b}'),
        '\\' | '"' | '\'' => Some(kind),
        'x' => number(2),
        'u' => number(4),
        'U' => number(8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::test_kit::context;

    fn read(format: FileFormat, text: &str) -> Result<String, String> {
        format.read(text.as_bytes()).map(|json| String::from_utf8(json).unwrap())
    }

    #[test]
    fn files_of_the_downward_api_are_read() {
        assert_eq!(read(FileFormat::Text, "pod-7\n").unwrap(), "\"pod-7\"");
        let labels = "app=\"bil\\\"ling\"\nnote=\"a=b\\n\\u00e9\\x41\"\n";
        assert_eq!(read(FileFormat::KeyValue, labels).unwrap(), r#"{"app":"bil\"ling","note":"a=b\néA"}"#);
        assert_eq!(read(FileFormat::KeyValue, "").unwrap(), "{}");
        for broken in ["app", "app=x", "app=\"x", "app=\"\\q\"", "app=\"\\u12\""] {
            assert!(read(FileFormat::KeyValue, broken).is_err(), "{broken}");
        }
        assert!(FileFormat::Text.read(b"\xff").is_err());
    }

    #[test]
    fn a_member_follows_its_file_and_keeps_its_value_when_that_breaks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels");
        let (_, context) = context(folder.path(), 1);
        let keepsake = Keepsake::new(&folder.path().join("kept"), &path);
        let open = || Member::open("labels", (&path, FileFormat::KeyValue), keepsake.clone(), &context.meters);
        assert!(open().err().unwrap().contains("files.labels"));
        std::fs::write(&path, "a=\"1\"\n").unwrap();
        let mut files = Files {
            fixed: Vec::new(),
            members: vec![open().unwrap()],
            id: "it".into(),
            meters: context.meters.clone(),
        };
        let shown = |files: &Files| String::from_utf8(files.all()[0].value.to_vec()).unwrap();
        assert!(!files.look());
        std::fs::write(&path, "a=\"two\"\n").unwrap();
        assert!(files.look());
        assert_eq!(shown(&files), r#"{"a":"two"}"#);
        std::fs::write(&path, "broken now").unwrap();
        assert!(!files.look());
        std::fs::remove_file(&path).unwrap();
        assert!(!files.look() && !files.look());
        assert_eq!((shown(&files).as_str(), context.meters.error_count("file_unreadable")), (r#"{"a":"two"}"#, 1));
        std::fs::write(&path, "a=\"3\"\n").unwrap();
        assert!(files.look());
        assert_eq!(shown(&files), r#"{"a":"3"}"#);
        // Another start finds the file broken, and then gone; then it is whole again.
        std::fs::write(&path, "broken now").unwrap();
        for errors in [2, 3] {
            files.members = vec![open().unwrap()];
            assert_eq!(
                (shown(&files).as_str(), context.meters.error_count("file_unreadable")),
                (r#"{"a":"3"}"#, errors)
            );
            assert!(!files.look());
            let _gone = std::fs::remove_file(&path);
        }
        std::fs::write(&path, "a=\"4\"\n").unwrap();
        assert!(files.look());
        assert_eq!(shown(&files), r#"{"a":"4"}"#);
    }
}
