//! What the services write, step by step. `<name>` stands for a value of the flow's cast.

/// One line of a flow.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) service: &'static str,
    pub(super) level: &'static str,
    pub(super) event: &'static str,
    pub(super) message: &'static str,
    /// More members of the record, as JSON text.
    pub(super) members: &'static str,
}

const fn step([service, level, event]: [&'static str; 3], message: &'static str, members: &'static str) -> Step {
    Step { service, level, event, message, members }
}

/// The services, by the names they log.
pub(super) const SERVICES: &[&str] = &[
    "atlas",
    "pulse",
    "guru",
    "rielt",
    "voucher",
    "rf",
    "quest",
    "referral",
    "connect",
    "points",
    "nft",
    "blockchain_gateway_service",
    "user",
    "bff",
];

/// A probe of the kubelet. Whoever runs it, it looks the same.
pub(super) const HEALTH: Step = step(
    ["", "info", "http_request"],
    "GET /health",
    r#""http":{"method":"GET","path":"/health","status":200,"duration_ms":1,"user_agent":"kube-probe/1.31"}"#,
);

/// Lines that are not JSON: what runtimes and libraries print past the logger.
pub(super) const NOT_JSON: &[(&str, &str)] = &[
    ("guru", "panic: runtime error: index out of range [3] with length 3"),
    ("guru", "goroutine 1847 [running]: go2asia/guru/geo.(*Provider).search(0xc0004a21e0)"),
    ("voucher", "java.net.SocketTimeoutException: Read timed out, customer <email>, card <card>"),
    ("bff", "(node:17) Warning: unhandled rejection for <email>: 401 from /api/v1/me, sent `Bearer <token>`"),
    ("user", "DEBUG smtp: RCPT TO:<email> 250 2.1.5 Ok"),
    ("pulse", r#"{"timestamp":"2026-01-01T00:00:00Z","level":"info","message":"feed rebuilt for <email>","#),
];

const QUEST_AND_REWARD: &[Step] = &[
    step(
        ["bff", "info", "http_request"],
        "POST /api/v1/quests/<quest>/complete",
        r#""http":{"method":"POST","path":"/api/v1/quests/<quest>/complete","status":202,"duration_ms":<fast>},"headers":{"authorization":"Bearer <token>","x-client":"go2asia-pwa/5.2.1"}"#,
    ),
    step(
        ["quest", "debug", "quest_rules_evaluated"],
        "rules of <quest>: 7 of 7 hold",
        r#""rules":[1,2,3,5,8,13,21],"user_id":<user>"#,
    ),
    step(
        ["quest", "info", "quest_completed"],
        "<email> completed quest <quest> in <city>",
        r#""quest_id":"<quest>","city":"<city>","user":{"id":<user>,"email":"<email>","phone":"<phone>"}"#,
    ),
    step(
        ["connect", "info", "reward_calculated"],
        "reward for <quest>: <points> points",
        r#""span_name":"connect_reward_pipeline","quest_id":"<quest>","user_id":<user>,"points":<points>,"rules_version":"2026.03""#,
    ),
    step(["points", "debug", "ledger_locked"], "ledger of user <user> locked", r#""user_id":<user>,"wait_ms":<fast>"#),
    step(
        ["points", "info", "points_credited"],
        "<points> points credited to <email>",
        r#""user_id":<user>,"points":<points>,"balance":18446744073709551615,"ledger":"go2asia-main""#,
    ),
    step(
        ["nft", "info", "nft_awarded"],
        "badge <quest> awarded to user <user>",
        r#""user_id":<user>,"nft_contract":"0x7f3a","badge":"<quest>","rarity":0.050"#,
    ),
    step(
        ["blockchain_gateway_service", "info", "chain_transaction_submitted"],
        "mint submitted",
        r#""log_type":"security","tx_hash":"<tx>","chain":"polygon","user_id":<user>,"signer":"hot-wallet-2""#,
    ),
    step(
        ["blockchain_gateway_service", "info", "chain_transaction_confirmed"],
        "mint confirmed after 12 blocks",
        r#""log_type":"security","tx_hash":"<tx>","chain":"polygon","gas_price_gwei":31.250,"confirmations":12"#,
    ),
];

const VOUCHER_SUCCESS: &[Step] = &[
    step(
        ["bff", "info", "http_request"],
        "POST /api/v1/vouchers",
        r#""http":{"method":"POST","path":"/api/v1/vouchers","status":201,"duration_ms":<fast>},"headers":{"authorization":"Bearer <token>"}"#,
    ),
    step(
        ["voucher", "info", "voucher_purchase_started"],
        "user <user> buys <voucher>",
        r#""span_name":"voucher_purchase","voucher_type":"<voucher>","partner_id":"<partner>","city":"<city>","price_points":<price>,"contact":{"email":"<email>","phone":"<phone>"}"#,
    ),
    step(
        ["voucher", "debug", "payment_request"],
        "charging card <card> for <email>",
        r#""gateway":"stripe","attempt":1"#,
    ),
    step(
        ["voucher", "info", "voucher_purchase_success"],
        "voucher <voucher> paid with card <card>, receipt sent to <email>",
        r#""voucher_type":"<voucher>","partner_id":"<partner>","city":"<city>","price_points":<price>,"user_id":<user>"#,
    ),
    step(
        ["rf", "info", "rf_partner_notified"],
        "partner <partner> told of a guest",
        r#""partner_id":"<partner>","guest_phone":"<phone>""#,
    ),
    step(
        ["connect", "info", "reward_dispatched"],
        "cashback of <points> points dispatched",
        r#""user_id":<user>,"points":<points>,"reason":"premium_voucher""#,
    ),
];

const VOUCHER_FAILURE: &[Step] = &[
    step(
        ["voucher", "info", "voucher_purchase_started"],
        "user <user> buys <voucher>",
        r#""span_name":"voucher_purchase","voucher_type":"<voucher>","partner_id":"<partner>","city":"<city>","price_points":<price>"#,
    ),
    step(
        ["voucher", "error", "voucher_purchase_failure"],
        "card <card> of <email> was declined:\\n\\tinsufficient funds",
        r#""voucher_type":"<voucher>","partner_id":"<partner>","error":{"code":"card_declined","retryable":false},"user_id":<user>"#,
    ),
];

const GEO_SEARCH: &[Step] = &[
    step(["guru", "debug", "geo_cache_miss"], "no cached tiles for <city>", r#""city":"<city>","tile":"w4rq""#),
    step(
        ["guru", "info", "guru_geo_search"],
        "24 places near <city>",
        r#""city":"<city>","guru_geo_search_latency_ms":<fast>,"provider":"osm","lat":13.7563309,"lon":100.5017651"#,
    ),
    step(["atlas", "info", "place_viewed"], "place card opened", r#""place_id":"pl-<user>","city":"<city>""#),
];

const GEO_SEARCH_SLOW: &[Step] = &[
    step(
        ["guru", "warn", "geo_provider_timeout"],
        "provider did not answer within <slow> ms, falling back",
        r#""provider":"osm","city":"<city>","timeout_ms":<slow>,"attempt":3"#,
    ),
    step(
        ["guru", "info", "guru_geo_search"],
        "3 places near <city>, from the fallback",
        r#""city":"<city>","guru_geo_search_latency_ms":<slow>,"provider":"fallback","lat":13.7563309,"lon":100.5017651"#,
    ),
];

const CHAIN_INCIDENT: &[Step] = &[
    step(
        ["blockchain_gateway_service", "error", "chain_rpc_error"],
        "eth_sendRawTransaction: 502 from rpc-3, key Bearer <token>",
        r#""chain":"polygon","rpc":"rpc-3","http_status":502,"tx_hash":"<tx>""#,
    ),
    step(
        ["blockchain_gateway_service", "error", "chain_transaction_failed"],
        "transaction dropped from the mempool after 3 attempts",
        r#""log_type":"security","tx_hash":"<tx>","chain":"polygon","reason":"underpriced","user_id":<user>"#,
    ),
    step(
        ["nft", "warn", "nft_award_delayed"],
        "award of <quest> to <email> waits for the chain",
        r#""user_id":<user>,"badge":"<quest>""#,
    ),
];

const SIGN_IN: &[Step] = &[
    step(
        ["user", "info", "user_signed_in"],
        "<email> signed in",
        r#""user_id":<user>,"method":"password","session":{"access_token":"<token>","ip":"203.0.113.7"}"#,
    ),
    step(
        ["referral", "info", "referral_linked"],
        "user <user> came by invitation of <email>",
        r#""user_id":<user>,"campaign":"songkran""#,
    ),
    step(
        ["pulse", "debug", "feed_ranked"],
        "feed of user <user> ranked",
        r#""candidates":412,"shown":20,"duration_ms":<fast>"#,
    ),
    step(["pulse", "info", "feed_served"], "feed served", r#""user_id":<user>,"city":"<city>","items":20"#),
    step(
        ["rielt", "info", "listing_inquiry"],
        "inquiry about a flat in <city> from <email>",
        r#""listing_id":"rl-<price>","contact":{"email":"<email>","phone":"<phone>"},"note":"call after 18:00""#,
    ),
];

/// All flows, each with its tickets in the draw.
pub(super) const FLOWS: &[(usize, &[Step])] = &[
    (5, QUEST_AND_REWARD),
    (4, VOUCHER_SUCCESS),
    (1, VOUCHER_FAILURE),
    (8, GEO_SEARCH),
    (1, GEO_SEARCH_SLOW),
    (1, CHAIN_INCIDENT),
    (5, SIGN_IN),
];
