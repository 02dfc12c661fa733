//! Vector's settings of sources.

use super::{Moved, Of, rows};
use crate::config::Kind;

pub(super) fn rows() -> impl Iterator<Item = &'static Moved> {
    [FILE, KUBERNETES_LOGS, STDIN, DEMO_LOGS, OPENTELEMETRY, HTTP_SERVER, DECODING, ALL].into_iter().flatten()
}

const FILE: &[Moved] = rows! { Of::Types(Kind::Source, &["file"]);
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
    Otherwise "message_start_indicator"
        "`multiline.mode = \"halt_before\"` with this as `multiline.start_pattern` and `multiline.condition_pattern`"
    Otherwise "multi_line_timeout" "`multiline.timeout_ms`"
    Otherwise "remove_after" "`remove_after_secs`"
    Kept "internal_metrics.include_file_tag" ["false"] "metrics name the source, not the file"
    Needless "internal_metrics.include_file_tag" ["true"] "metrics name the source, not the file"
};

const KUBERNETES_LOGS: &[Moved] = rows! { Of::Types(Kind::Source, &["kubernetes_logs"]);
    Otherwise "extra_label_selector" "`include_pods`, `exclude_pods`: labels are known to the API server, and metadata is what paths tell"
    Otherwise "extra_field_selector" "`include_pods`, `include_namespaces`: fields are known to the API server, and metadata is what paths tell"
    Otherwise "extra_namespace_label_selector"
        "`include_namespaces`, `exclude_namespaces`: labels are known to the API server, and metadata is what paths tell"
    Kept "insert_namespace_fields" ["false"] "metadata is what paths tell: no labels of namespaces"
    Otherwise "insert_namespace_fields" ["true"]
        "leave it out: labels of namespaces are known to the API server, and metadata is what paths tell"
    Needless "self_node_name" "no API server is asked: the pods of this node are those with a folder here"
    Needless "kube_config_file" "no API server is asked, so no access to it is needed"
    Needless "use_apiserver_cache" "no API server is asked"
    Needless "delay_deletion_ms" "metadata is what the path tells, and stays while the log is read"
    Otherwise "pod_annotation_fields" "rename the members of `.kubernetes` in a `remap` step: `.pod = del(.kubernetes.pod_name)`"
    Otherwise "namespace_annotation_fields" "leave it out: labels of namespaces are known to the API server, and metadata is what paths tell"
    Otherwise "node_annotation_fields" "leave it out: labels of nodes are known to the API server; an `enrich` step adds what is the same for a node"
    Kept "auto_partial_merge" ["true"] "the pieces of a line are joined"
    Otherwise "auto_partial_merge" ["false"] "leave it out: the pieces of a line are always joined"
    Otherwise "max_merged_line_bytes" "`max_line_bytes`: it bounds a line with all its pieces, which is cut, not dropped"
    Needless "fingerprint_lines" "a log is known by its device, its inode and its first bytes together"
    Otherwise "ingestion_timestamp_field" "a `remap` step: `.ingest_timestamp = now()`"
    Needless "timezone" "times of container runtimes tell their offset"
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

const OPENTELEMETRY: &[Moved] = rows! { Of::Types(Kind::Source, &["opentelemetry"]);
    Needless "use_otlp_decoding" "a record is the message it came as, and reads as docs/opentelemetry.md has it"
    Otherwise "http.headers" "leave it out: headers of a request are not part of its records"
    Kept "http.tls.verify_certificate" ["true"] "with `ca_file`, clients are let in that show a certificate of it"
    Otherwise "http.tls.verify_certificate" ["false"] "leave out `ca_file`: then clients are not asked for a certificate"
    Needless "http.tls.alpn_protocols" "both HTTP/1.1 and HTTP/2 are offered"
    Otherwise "http.tls.key_pass" "keep the key without a passphrase, in a file that only the agent may read: `openssl pkey`"
    Needless "http.tls.server_name" "it is for clients"
    Needless "http.tls.verify_hostname" "it is for clients"
    Kept "grpc.tls.verify_certificate" ["true"] "with `ca_file`, clients are let in that show a certificate of it"
    Otherwise "grpc.tls.verify_certificate" ["false"] "leave out `ca_file`: then clients are not asked for a certificate"
    Needless "grpc.tls.alpn_protocols" "both HTTP/1.1 and HTTP/2 are offered"
    Otherwise "grpc.tls.key_pass" "keep the key without a passphrase, in a file that only the agent may read: `openssl pkey`"
    Needless "grpc.tls.server_name" "it is for clients"
    Needless "grpc.tls.verify_hostname" "it is for clients"
};

const HTTP_SERVER: &[Moved] = rows! { Of::Types(Kind::Source, &["http_server"]);
    Otherwise "auth.strategy" ["custom"]
        "`basic` or `bearer`; what else is to be looked at goes into `headers`, and a `filter` step decides"
    Otherwise "auth.source" "`basic` or `bearer`; what else is to be looked at goes into `headers`, and a `filter` step decides"
    Otherwise "encoding" ["json"] "`decoding.codec = \"json\"`"
    Otherwise "encoding" ["ndjson"] "`decoding.codec = \"json\"` and `framing.method = \"newline_delimited\"`"
    Otherwise "encoding" ["text"] "`framing.method = \"newline_delimited\"`"
    Otherwise "encoding" ["binary"] "leave it out: a body is one record"
    Otherwise "method" ["GET", "HEAD", "DELETE", "OPTIONS"] "`POST`, `PUT` or `PATCH`: records stand in the body of a request"
    Needless "framing.newline_delimited.max_length" "set `max_request_bytes`: a request that is larger is refused"
    Needless "framing.newline_delimited.oversized_action" "a line is never longer than its request may be"
    Otherwise "framing.method" ["character_delimited", "length_delimited", "octet_counting", "chunked_gelf", "varint_length_delimited"]
        "`bytes` or `newline_delimited`"
    Otherwise "framing.character_delimited" "`newline_delimited`, or split `.message` in a `remap` step"
    Otherwise "framing.length_delimited" "`bytes`: one record for each request"
    Otherwise "framing.octet_counting" "`bytes`: one record for each request"
    Otherwise "framing.chunked_gelf" "`bytes`: one record for each request"
    Otherwise "framing.varint_length_delimited" "`bytes`: one record for each request"
    Otherwise "framing.max_frame_length" "set `max_request_bytes`: a request that is larger is refused"
    Kept "tls.verify_certificate" ["true"] "with `ca_file`, clients are let in that show a certificate of it"
    Otherwise "tls.verify_certificate" ["false"] "leave out `ca_file`: then clients are not asked for a certificate"
    Needless "tls.alpn_protocols" "both HTTP/1.1 and HTTP/2 are offered"
    Otherwise "tls.key_pass" "keep the key without a passphrase, in a file that only the agent may read: `openssl pkey`"
    Needless "tls.server_name" "it is for clients"
    Needless "tls.verify_hostname" "it is for clients"
};

const DECODING: &[Moved] = rows! { Of::Types(Kind::Source, &["file", "http_server", "kubernetes_logs", "stdin", "demo_logs"]);
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
