//! Vector's settings of sources.

use super::{Moved, Of, rows};
use crate::config::Kind;

pub(super) fn rows() -> impl Iterator<Item = &'static Moved> {
    [FILE, STDIN, DEMO_LOGS, DECODING, ALL].into_iter().flatten()
}

const FILE: &[Moved] = rows! { Of::Types(Kind::Source, &["file"]);
    Kept "encoding.charset" ["utf-8", "UTF-8"] "lines are read as UTF-8"
    Otherwise "encoding.charset" "have the service write UTF-8: lines are read as such"
    Needless "fingerprint"
        "a file is known by its first bytes, those before its position and its inode together: also one shorter than a line, and all that begin alike"
    Needless "fingerprinting"
        "a file is known by its first bytes, those before its position and its inode together: also one shorter than a line, and all that begin alike"
    Needless "file_discovery_mode" "the kernel tells of new files, and `glob_minimum_cooldown_ms` looks for them besides"
    Needless "reconcile_interval_secs" "set `glob_minimum_cooldown_ms`: how often all patterns are looked at"
    Otherwise "idle_timeout_secs" "`max_open_files`: beyond it files with nothing to read are closed until they are written to"
    Needless "ignore_not_found" "a file that goes away between being found and being opened is no fault"
    Otherwise "ignore_older" "`ignore_older_secs`"
    Otherwise "start_at_beginning" "`read_from = \"beginning\"` or `\"end\"`"
    Otherwise "message_key" "the line is `message`; rename it in a `remap` step: `.text = del(.message)`"
    Kept "line_delimiter" ["\n"] "lines end with a line feed"
    Otherwise "line_delimiter"
        "leave it out: lines end with a line feed; a `remap` step strips a carriage return: `.message = strip_whitespace!(.message)`"
    Otherwise "multiline"
        "a `reduce` step: `group_by = [\"file\"]`, `starts_when`, `merge_strategies.message = \"concat_newline\"`"
    Otherwise "message_start_indicator" "a `reduce` step with `starts_when`"
    Otherwise "multi_line_timeout" "`expire_after_ms` of a `reduce` step"
    Otherwise "offset_key" "leave it out: the offset is in a record's identity, not in the record"
    Otherwise "remove_after" "`remove_after_secs`"
    Kept "internal_metrics.include_file_tag" ["false"] "metrics name the source, not the file"
    Needless "internal_metrics.include_file_tag" ["true"] "metrics name the source, not the file"
};

const STDIN: &[Moved] = rows! { Of::Types(Kind::Source, &["stdin"]);
    Otherwise "max_length" "`max_line_bytes`"
    Kept "framing.method" ["newline_delimited"] "lines end with a line feed"
    Otherwise "framing.newline_delimited.max_length" "`max_line_bytes`"
    Needless "framing.newline_delimited.oversized_action" "a line that is too long is cut and marked"
    Otherwise "framing" "leave it out: lines end with a line feed, nothing else parts records"
};

const DEMO_LOGS: &[Moved] = rows! { Of::Types(Kind::Source, &["demo_logs"]);
    Needless "framing" "each line that is made is one record"
};

const DECODING: &[Moved] = rows! { Of::Types(Kind::Source, &["file", "stdin", "demo_logs"]);
    Otherwise "decoding.codec"
        ["avro", "gelf", "influxdb", "native", "native_json", "otlp", "protobuf", "syslog", "vrl"]
        "read lines as `bytes` and parse them in a `remap` step: `. = parse_syslog!(.message)`"
    Needless "decoding.json.lossy" "a line that is no valid JSON is kept as text, and counted"
    Otherwise "decoding.avro" "read lines as `bytes` and parse them in a `remap` step"
    Otherwise "decoding.gelf" "read lines as `bytes` and parse them in a `remap` step"
    Otherwise "decoding.influxdb" "read lines as `bytes` and parse them in a `remap` step"
    Otherwise "decoding.native_json" "read lines as `bytes` and parse them in a `remap` step"
    Otherwise "decoding.protobuf" "read lines as `bytes` and parse them in a `remap` step"
    Otherwise "decoding.syslog" "read lines as `bytes` and parse them in a `remap` step: `. = parse_syslog!(.message)`"
    Otherwise "decoding.vrl" "read lines as `bytes` and run the program in a `remap` step"
};

const ALL: &[Moved] = rows! { Of::Kind(Kind::Source);
    Kept "acknowledgements" ["true"] "a record counts as delivered only when every sink that is to have it has it"
    Kept "acknowledgements.enabled" ["true"]
        "a record counts as delivered only when every sink that is to have it has it"
    Needless "acknowledgements" ["false"] "acknowledgements are always on and cost one count for each batch"
    Needless "acknowledgements.enabled" ["false"] "acknowledgements are always on and cost one count for each batch"
    Kept "log_namespace" ["false"] "members that a source adds stand in the record"
    Otherwise "log_namespace" ["true"]
        "leave it out: members that a source adds stand in the record; move them in a `remap` step"
    Kept "proxy.enabled" ["false"] "requests go straight to their destination"
    Otherwise "proxy"
        "open the way, or name a gateway in front of the destination as its address: requests go straight there"
};
