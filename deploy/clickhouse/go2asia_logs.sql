-- Logs of the Go2Asia services, as examples/g4-logs-to-clickhouse.toml writes them.
CREATE DATABASE IF NOT EXISTS go2asia;

CREATE TABLE IF NOT EXISTS go2asia.logs
(
    timestamp      DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    service        LowCardinality(String),
    level          LowCardinality(String),
    event          LowCardinality(String),
    message        String CODEC(ZSTD),
    correlation_id String CODEC(ZSTD),
    trace_id       String CODEC(ZSTD),
    span_id        String CODEC(ZSTD),
    env            LowCardinality(String),
    pod_name       LowCardinality(String),
    region         LowCardinality(String),
    -- What has no column of its own. A field that is asked for often gets one: ALTER TABLE ... ADD COLUMN, and within
    -- five minutes it is filled.
    rest           Map(LowCardinality(String), String) CODEC(ZSTD),

    INDEX by_correlation correlation_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
-- A request of the agent makes one part for each partition that its rows fall into: by day that is one, rarely two.
PARTITION BY toDate(timestamp)
ORDER BY (service, level, timestamp)
TTL toDateTime(timestamp) + INTERVAL 30 DAY
-- The window lets the table know an insert again that is sent twice. A ReplicatedMergeTree has one by itself.
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;
