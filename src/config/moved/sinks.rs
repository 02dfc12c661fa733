//! Vector's settings of sinks.

use super::{Moved, Of, rows};
use crate::config::Kind;

pub(super) fn rows() -> impl Iterator<Item = &'static Moved> {
    [ELASTICSEARCH, CLICKHOUSE, HTTP, OPENTELEMETRY, FILE, BLACKHOLE, LINES, ENCODING, REQUEST, TLS, ALL]
        .into_iter()
        .flatten()
}

const ELASTICSEARCH: &[Moved] = rows! { Of::Types(Kind::Sink, &["elasticsearch"]);
    Otherwise "endpoint" "`endpoints = [\"...\"]`"
    Otherwise "index" "`bulk.index`"
    Otherwise "bulk_action" "`bulk.action`"
    Kept "api_version" ["auto", "v7", "v8"] "what is sent is the same for Elasticsearch 7 to 9 and OpenSearch"
    Otherwise "api_version" ["v6"] "a newer server: Elasticsearch 7 to 9 or OpenSearch 2 and 3"
    Kept "suppress_type_name" ["true"] "no `_type` is sent"
    Needless "suppress_type_name" ["false"] "no `_type` is sent: servers since 7 have none"
    Needless "doc_type" "no `_type` is sent: servers since 7 have none"
    Kept "opensearch_service_type" ["managed"] "a server of one's own, or a managed one"
    Otherwise "opensearch_service_type" ["serverless"] "a signing proxy in front of the server: requests are not signed for AWS"
    Kept "request_retry_partial" ["true"] "of a request, the documents that a server could not take now are sent again"
    Needless "request_retry_partial" ["false"]
        "of a request, only the documents that a server could not take now are sent again, and their `_id` keeps them single"
    Needless "distribution" "one endpoint is used until it fails, then the next"
    Needless "metrics" "records are logs"
    Otherwise "bulk.action" ["update"]
        "`index` with `id_key`, which overwrites the whole document"
    Otherwise "bulk.version_type" ["external_gt"] "`external`, which means the same"
    Otherwise "bulk.template_fallback_index"
        "give the field a value in a `remap` step: `.team = .team || \"none\"`; else the record is a dead letter"
    Otherwise "auth.strategy" ["aws"] "a signing proxy in front of the server: requests are not signed for AWS"
    Otherwise "aws" "a signing proxy in front of the server: requests are not signed for AWS"
    Kept "dangerously_allow_unconfined_template_resolution" ["false"] "records choose only behind a literal beginning"
    Otherwise "dangerously_allow_unconfined_template_resolution" ["true"]
        "list what records may choose in `bulk.allow` or `data_stream.allow`"
    Otherwise "compression" ["snappy", "zlib"] "`gzip`"
};

const CLICKHOUSE: &[Moved] = rows! { Of::Types(Kind::Sink, &["clickhouse"]);
    Otherwise "host" "`endpoint`"
    Otherwise "format" ["arrow_stream"] "`json_each_row`, `json_as_object` or `json_as_string`: rows are JSON"
    Otherwise "batch_encoding" "`format`: `json_each_row`, `json_as_object` or `json_as_string`: rows are JSON"
    Kept "query_settings.async_insert_settings.wait_for_processing" ["true"]
        "rows count as delivered when the server has stored them"
    Otherwise "query_settings.async_insert_settings.wait_for_processing" ["false"]
        "leave it out: rows count as delivered when the server has stored them, so the end of an insert is waited for"
    Otherwise "auth.strategy" ["aws", "custom"] "`basic`, `bearer`, or a header of your own in `request.headers`"
    Kept "dangerously_allow_unconfined_template_resolution" ["false"] "records choose only behind a literal beginning"
    Otherwise "dangerously_allow_unconfined_template_resolution" ["true"] "list what records may choose in `allow`"
    Otherwise "compression" ["snappy", "zlib"] "`gzip` or `zstd`"
};

const HTTP: &[Moved] = rows! { Of::Types(Kind::Sink, &["http"]);
    Otherwise "headers" "`request.headers`"
    Otherwise "method" ["get", "head", "options", "delete", "trace"] "`post`, `put` or `patch`: a request carries records"
    Otherwise "framing.method" ["length_delimited", "varint_length_delimited"]
        "`newline_delimited`, `character_delimited` or `bytes`"
    Otherwise "framing.length_delimited" "`framing.method`: `newline_delimited`, `character_delimited` or `bytes`"
    Otherwise "framing.max_frame_length" "`framing.method`: `newline_delimited`, `character_delimited` or `bytes`"
    Otherwise "auth.strategy" ["aws", "custom"] "`basic`, `bearer`, or a header of your own in `request.headers`"
    Kept "retry_strategy.type" ["default"] "what a status means is in the documentation of the sink"
    Otherwise "retry_strategy"
        "leave it out: 408, 425, 429 and 5xx are sent again; what else a status means is in the documentation of the sink"
    Kept "dangerously_allow_unconfined_template_resolution" ["false"] "records do not choose where they are sent"
    Otherwise "dangerously_allow_unconfined_template_resolution" ["true"]
        "records do not choose where they are sent: write one sink for each address, behind a `route`"
    Otherwise "compression" ["snappy", "zlib"] "`gzip` or `zstd`"
};

const OPENTELEMETRY: &[Moved] = rows! { Of::Types(Kind::Sink, &["opentelemetry"]);
    Otherwise "protocol.type" "`protocol = \"http\"` or `protocol = \"grpc\"`"
    Otherwise "protocol.uri"
        "`endpoint = \"http://host:4318\"`, or the whole address in `traces_endpoint`, `logs_endpoint` or `metrics_endpoint`"
    Otherwise "protocol.method" "leave it out: it is `POST`"
    Otherwise "protocol.encoding" "leave it out: records are sent as the protobuf messages of OTLP"
    Otherwise "protocol.framing" "leave it out: records are sent as the protobuf messages of OTLP"
    Otherwise "protocol.payload_prefix" "leave it out: records are sent as the protobuf messages of OTLP"
    Otherwise "protocol.payload_suffix" "leave it out: records are sent as the protobuf messages of OTLP"
    Otherwise "protocol.headers" "`request.headers`"
    Otherwise "protocol.*" "the same setting beside `protocol`: `auth`, `tls`, `compression`, `batch`, `request`"
};

const FILE: &[Moved] = rows! { Of::Types(Kind::Sink, &["file"]);
    Kept "timezone" ["UTC", "Etc/UTC"] "dates in `path` are UTC"
    Otherwise "timezone" "leave it out: dates in `path` are UTC, so that a record goes to one file whatever the clocks are set to"
    Otherwise "truncate" "put the date into `path`, and leave old files to log rotation"
    Kept "internal_metrics.include_file_tag" ["false"] "metrics name the sink, not the file"
    Needless "internal_metrics.include_file_tag" ["true"] "metrics name the sink, not the file"
    Kept "dangerously_allow_unconfined_template_resolution" ["false"] "files stay below `base_dir`"
    Otherwise "dangerously_allow_unconfined_template_resolution" ["true"]
        "files stay below `base_dir`: set it to the folder that may hold them, and `allow` to what records may choose"
};

const BLACKHOLE: &[Moved] = rows! { Of::Types(Kind::Sink, &["blackhole"]);
    Kept "print_interval_secs" ["0"] "figures stand at `/metrics` and in `levada status`"
    Needless "print_interval_secs" "figures stand at `/metrics` and in `levada status`"
    Otherwise "rate" "a `throttle` step in front drops what is too much"
};

const LINES: &[Moved] = rows! { Of::Types(Kind::Sink, &["console", "file"]);
    Kept "framing.method" ["newline_delimited"] "each record is one line"
    Otherwise "framing" "leave it out: each record is one line"
};

const ENCODING: &[Moved] = rows! { Of::Types(Kind::Sink, &["console", "file", "http"]);
    Otherwise "encoding.codec" ["raw_message"] "`text`: the `message`, its line breaks written as `\\n`"
    Otherwise "encoding.codec" ["avro", "cef", "csv", "gelf", "logfmt", "native", "native_json", "otlp", "protobuf"]
        "`json`; or `text` with the line made in a `remap` step: `.message = encode_logfmt(.)`"
    Otherwise "encoding.avro" "`encoding.codec` is `json` or `text`"
    Otherwise "encoding.cef" "`encoding.codec` is `json` or `text`"
    Otherwise "encoding.csv" "`encoding.codec` is `json` or `text`"
    Otherwise "encoding.gelf" "`encoding.codec` is `json` or `text`"
    Otherwise "encoding.protobuf" "`encoding.codec` is `json` or `text`"
    Kept "encoding.json.pretty" ["false"] "each record is one line"
    Otherwise "encoding.json.pretty" ["true"] "leave it out: each record is one line; `jq` shows it over several"
    Needless "encoding.metric_tag_values" "records are logs"
};

const REQUEST: &[Moved] = rows! { Of::Types(Kind::Sink, &["http", "elasticsearch", "clickhouse"]);
    Kept "request.retry_jitter_mode" ["Full"] "a pause is a random part of what it may be"
    Needless "request.retry_jitter_mode" ["None"]
        "a pause is a random part of what it may be, so that many agents do not come back at once"
};

const TLS: &[Moved] = rows! { Of::Types(Kind::Sink, &["http", "elasticsearch", "clickhouse"]);
    Needless "tls.alpn_protocols" "requests are HTTP/1.1, which every server of this kind takes"
    Otherwise "tls.key_pass" "keep the key without a passphrase, in a file that only the agent may read: `openssl pkey`"
    Otherwise "tls.server_name" "the name that the certificate holds, written in the address"
    Kept "tls.verify_hostname" ["true"] "the name in the address is what the certificate must hold"
    Otherwise "tls.verify_hostname" ["false"]
        "write a name that the certificate holds into the address; `tls.verify_certificate = false` checks nothing at all"
    Kept "tls.enabled" ["true"] "`https` in the address is what turns it on"
    Needless "tls.enabled" ["false"] "`http` in the address is what turns it off"
};

const ALL: &[Moved] = rows! { Of::Kind(Kind::Sink);
    Otherwise "buffer" ["[...]"]
        "one table: `buffer.type = \"disk\"`, which writes only what the sink does not take in time"
    Otherwise "buffer.max_events" "`buffer.max_size`: queues are bounded in bytes, such as `\"4MiB\"` (the default)"
    Otherwise "buffer.when_full" ["overflow"] "`block`, or `drop_newest`, which counts what it drops"
    Needless "healthcheck"
        "the health of each sink is told all the time: `/health`, `levada status`; at the start nothing is asked"
    Otherwise "healthcheck_uri" "leave it out: the health of each sink is told by what its requests meet"
    Kept "proxy.enabled" ["false"] "requests go straight to their destination"
    Otherwise "proxy"
        "open the way, or name a gateway in front of the destination as its address: requests go straight there"
};
