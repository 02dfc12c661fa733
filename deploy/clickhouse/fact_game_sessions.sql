-- Game sessions of the store's analytics, as examples/a4-fact-game-sessions.toml writes them.
CREATE DATABASE IF NOT EXISTS analytics_db;

CREATE TABLE IF NOT EXISTS analytics_db.fact_game_sessions
(
    event_id         UUID,
    session_id       String,
    user_hash        FixedString(32),
    game_id          String,
    platform         Enum8('unknown' = 0, 'windows' = 1, 'linux' = 2, 'macos' = 3, 'steamdeck' = 4),
    country          FixedString(2),
    client_ip        Nullable(IPv6),
    started_at       DateTime64(3, 'UTC'),
    ended_at         DateTime64(3, 'UTC'),
    duration_seconds UInt32,
    is_first_session Bool,
    revenue          Decimal64(2),
    correlation_id   String
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(started_at)
ORDER BY (game_id, started_at, session_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- Daily active users, play time and revenue of each game. A view is filled by each insert into the fact table.
CREATE TABLE IF NOT EXISTS analytics_db.game_days
(
    day          Date,
    game_id      String,
    users        AggregateFunction(uniq, FixedString(32)),
    play_seconds SimpleAggregateFunction(sum, UInt64),
    revenue      SimpleAggregateFunction(sum, Decimal(38, 2))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (game_id, day)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS analytics_db.game_days_of_sessions TO analytics_db.game_days AS
SELECT
    toDate(started_at) AS day,
    game_id,
    uniqState(user_hash) AS users,
    sum(toUInt64(duration_seconds)) AS play_seconds,
    sum(CAST(revenue, 'Decimal(38, 2)')) AS revenue
FROM analytics_db.fact_game_sessions
GROUP BY day, game_id;
