//! Vector's global options.

use super::{Moved, Of, rows};

pub(super) const ROWS: &[Moved] = rows! { Of::Globals;
    Kept "acknowledgements" ["true"] "a record counts as delivered only when every sink that is to have it has it"
    Kept "acknowledgements.enabled" ["true"]
        "a record counts as delivered only when every sink that is to have it has it"
    Needless "acknowledgements" ["false"] "acknowledgements are always on and cost one count for each batch"
    Needless "acknowledgements.enabled" ["false"] "acknowledgements are always on and cost one count for each batch"
    Kept "api.enabled" ["true"] "`api.address` opens the door"
    Otherwise "api.enabled" ["false"] "leave `[api]` out: without `api.address` there is no door"
    Needless "api.playground" "there is no GraphQL: `levada status`, `levada tap` and `levada graph` show what it showed"
    Needless "api.graphql" "there is no GraphQL: `levada status`, `levada tap` and `levada graph` show what it showed"
    Otherwise "timezone" "set `timezone` in each `remap` that reads times without an offset"
    Kept "log_schema.host_key" ["host", ".host"] "the member is named `host`"
    Otherwise "log_schema.host_key" "set `host_key` in each source"
    Kept "log_schema.message_key" ["message", ".message"] "the member is named `message`"
    Otherwise "log_schema.message_key" "rename it in a `remap` step: `.text = del(.message)`"
    Kept "log_schema.timestamp_key" ["timestamp", ".timestamp"] "the member is named `timestamp`"
    Otherwise "log_schema.timestamp_key"
        "rename it in a `remap` step; `timestamp_key` of a `file` source names the member that tells a record's time"
    Kept "log_schema.source_type_key" ["source_type", ".source_type"] "the member is named `source_type`"
    Otherwise "log_schema.source_type_key" "rename it in a `remap` step: `.kind = del(.source_type)`"
    Kept "log_schema.metadata_key" ["metadata", ".metadata"] "the member is named `metadata`"
    Otherwise "log_schema.metadata_key" "rename it in a `remap` step behind the output `dropped`"
    Kept "schema.enabled" ["false"] "programs are checked without a schema of records"
    Needless "schema.enabled" ["true"] "programs are checked without a schema of records"
    Kept "schema.validation" ["false"] "programs are checked without a schema of records"
    Needless "schema.validation" ["true"] "programs are checked without a schema of records"
    Kept "schema.log_namespace" ["false"] "members that a source adds stand in the record"
    Otherwise "schema.log_namespace" ["true"]
        "leave it out: members that a source adds stand in the record; move them in a `remap` step"
    Needless "expire_metrics_secs" "series belong to components, not to records, and go with them"
    Needless "expire_metrics_per_metric_set" "series belong to components, not to records, and go with them"
    Needless "metrics_storage_refresh_period" "metrics are read where they are counted, when they are asked for"
    Needless "buffer_utilization_ewma_alpha" "utilization is the share of time since the scrape before, and nothing is smoothed: docs/metrics.md"
    Needless "buffer_utilization_ewma_half_life_secs" "utilization is the share of time since the scrape before, and nothing is smoothed: docs/metrics.md"
    Needless "latency_ewma_alpha" "nothing is smoothed: docs/metrics.md"
    Needless "healthchecks" "the health of each sink is told all the time: `/health`, `levada status`"
    Kept "proxy.enabled" ["false"] "requests go straight to their destination"
    Otherwise "proxy"
        "open the way, or name a gateway in front of the destination as its address: requests go straight there"
    Needless "telemetry" "metrics name the component, not the members of its records"
    Kept "wildcard_matching" ["strict"] "a pattern in `inputs` that names nothing is a fault"
    Otherwise "wildcard_matching" ["relaxed"] "take the pattern out that names nothing: in `inputs` that is a fault"
    Otherwise "enrichment_tables.*.type" ["geoip", "mmdb"]
        "a pipeline of the store (`pipeline` of `elasticsearch`, with its processor `geoip`), or a file of single values: `type = \"file\"`"
    Otherwise "enrichment_tables.*.type" ["memory"]
        "a step that remembers: `reduce`, `dedupe` or `throttle`; or a file: `type = \"file\"`"
    Otherwise "secret.*.type" ["aws_secrets_manager"]
        "`type = \"exec\"` with a command that asks AWS, or a folder that an operator of Kubernetes fills: `type = \"directory\"`"
    Kept "secret.*.protocol.version" ["v1"] "the command is asked by version 1.0"
    Otherwise "secret.*.protocol" "leave it out: the command is asked by version 1.0; what else it needs are arguments in `command`"
    Otherwise "provider" "name files or folders: `--config`; `--watch-config` takes over what is written into them"
};
