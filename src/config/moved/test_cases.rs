//! Vector's settings of `[[tests]]`.

use super::{Moved, Of, rows};

pub(super) const ROWS: &[Moved] = rows! { Of::Tests;
    Otherwise "input.type" ["metric"] "`type = \"log\"` with the members that the program reads: `log_fields`"
    Otherwise "inputs[].type" ["metric"] "`type = \"log\"` with the members that the program reads: `log_fields`"
    Kept "input.metric" "it goes with `type = \"metric\"`"
    Kept "inputs[].metric" "it goes with `type = \"metric\"`"
    Otherwise "outputs[].conditions[].type" ["datadog_search"]
        "write the condition in VRL: `match_datadog_query(., \"...\")`"
    Otherwise "outputs[].conditions[].type" ["is_log", "is_metric", "is_trace"] "records are logs: leave the condition out"
};
