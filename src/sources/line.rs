//! What sources of lines have in common in their settings: how long a line may be, how it is written, which lines are one
//! record, and which members they add or read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codecs::multiline::MultilineSettings;
use crate::codecs::units::charset;
use crate::component::row::Problem;

/// Largest number of bytes of a line or of a read: offsets in a batch have 32 bits.
const LARGEST: usize = 1 << 30;

/// The default of `max_line_bytes`.
pub(super) const fn max_line_bytes() -> usize {
    1 << 20
}

/// The fault of a number of bytes.
pub(super) fn check_bytes(setting: &str, bytes: usize) -> Option<Problem> {
    let is_fine = (1..=LARGEST).contains(&bytes);
    (!is_fine).then(|| Problem::new(setting, format!("expected 1 to {LARGEST} bytes, found {bytes}")))
}

/// How text is written.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// A label of the [Encoding Standard](https://encoding.spec.whatwg.org/#names-and-labels), as `utf-16le` or `windows-1251`.
    /// Lines become UTF-8. A byte order mark at the beginning of a file tells more: it counts.
    pub charset: String,
}

/// The fault of a charset.
pub(super) fn check_charset(written: Option<&Written>) -> Option<Problem> {
    let label = &written?.charset;
    charset(label).is_none().then(|| {
        Problem::new("encoding.charset", format!("expected a charset such as `utf-16le`, found `{label}`"))
            .help("take a label of <https://encoding.spec.whatwg.org/#names-and-labels>")
    })
}

/// The faults of rules for records of several lines.
pub(super) fn check_multiline(multiline: Option<&MultilineSettings>) -> Vec<Problem> {
    let faults = multiline.map(MultilineSettings::faults).unwrap_or_default();
    let problem = |(setting, message): (&str, String)| {
        let setting = if setting.is_empty() { "multiline".to_owned() } else { format!("multiline.{setting}") };
        Problem::new(setting, message)
    };
    faults.into_iter().map(problem).collect()
}

/// The fault of the name of a member that a source adds.
pub(super) fn check_key(setting: &str, key: Option<&str>) -> Option<Problem> {
    let is_path = key.is_some_and(|key| key.trim_start_matches('.').contains(['.', '[', '"']));
    is_path.then(|| {
        Problem::new(setting, "expected the name of a top-level member")
            .help("use a `remap` or `enrich` step to put it deeper")
    })
}

/// The name of a member that a source adds: as written, else `default`. An empty one means none.
pub(super) fn key<'a>(written: Option<&'a str>, default: Option<&'a str>) -> Option<&'a str> {
    written.map(|key| key.trim_start_matches('.')).or(default).filter(|key| !key.is_empty())
}

/// The members that may tell a record's time, in this order, where the settings name none.
pub(super) fn timestamp_keys() -> Vec<Box<str>> {
    ["timestamp", "@timestamp", "time"].map(Box::from).to_vec()
}
