//! Vector's settings of transforms.

use super::{Moved, Of, rows};
use crate::config::Kind;

pub(super) fn rows() -> impl Iterator<Item = &'static Moved> {
    [REMAP, SAMPLE, THROTTLE, CONDITIONS, ALL].into_iter().flatten()
}

const REMAP: &[Moved] = rows! { Of::Types(Kind::Transform, &["remap"]);
    Needless "metric_tag_values" "records are logs"
    Kept "runtime" ["ast"] "programs are compiled when the configuration is"
};

const SAMPLE: &[Moved] = rows! { Of::Types(Kind::Transform, &["sample"]);
    Otherwise "rate_field" "a `route` by that field, and a `sample` with its own share behind each output"
    Otherwise "ratio_field" "a `route` by that field, and a `sample` with its own share behind each output"
};

const THROTTLE: &[Moved] = rows! { Of::Types(Kind::Transform, &["throttle"]);
    Kept "internal_metrics.include_group_tag" ["false"] "dropped records are counted without their key"
    Otherwise "internal_metrics.include_group_tag" ["true"] "`internal_metrics.emit_events_discarded_per_key = true`"
};

const CONDITIONS: &[Moved] = rows! { Of::Kind(Kind::Transform);
    Otherwise "condition.type" ["datadog_search"] "write the condition in VRL: `match_datadog_query(., \"...\")`"
    Otherwise "exclude.type" ["datadog_search"] "write the condition in VRL: `match_datadog_query(., \"...\")`"
    Otherwise "route.*.type" ["datadog_search"] "write the condition in VRL: `match_datadog_query(., \"...\")`"
    Otherwise "starts_when.type" ["datadog_search"] "write the condition in VRL: `match_datadog_query(., \"...\")`"
    Otherwise "ends_when.type" ["datadog_search"] "write the condition in VRL: `match_datadog_query(., \"...\")`"
    Otherwise "condition.type" ["is_log", "is_metric", "is_trace"] "records are logs: leave the step out"
    Otherwise "exclude.type" ["is_log", "is_metric", "is_trace"] "records are logs: leave the condition out"
    Otherwise "route.*.type" ["is_log", "is_metric", "is_trace"] "records are logs: leave the output out"
    Otherwise "starts_when.type" ["is_log", "is_metric", "is_trace"] "records are logs: leave the condition out"
    Otherwise "ends_when.type" ["is_log", "is_metric", "is_trace"] "records are logs: leave the condition out"
};

const ALL: &[Moved] = rows! { Of::Components;
    Needless "graph" "`levada graph` draws all components alike"
};
