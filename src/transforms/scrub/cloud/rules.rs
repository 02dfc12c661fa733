//! The list of keys: a prefix that nothing else has, the alphabet and the length of what follows.
//!
//! Sources: the issuers' own documentation and the rules of gitleaks (MIT), without those that have no prefix.

use super::super::word;

/// Letters and digits without a mark between them that are no word.
const LONGEST_WORD: usize = 24;

/// What a key is made of behind its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// `A` to `Z`, `0` to `9`.
    Upper,
    /// `0` to `9`, `a` to `f`.
    Hex,
    /// Letters and digits.
    Alnum,
    /// Letters, digits, `_`, `-`.
    Word,
    /// Letters, digits, `_`, `-`, `.`, `=`.
    Dotted,
    /// Letters, digits, `_`, `-`, `/`.
    Path,
    /// As `Word`, behind the number of a bot.
    Telegram,
}

impl Alphabet {
    pub(super) fn has(self, byte: u8) -> bool {
        match self {
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Word | Self::Telegram => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'='),
            Self::Path => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/'),
        }
    }
}

/// One kind of key.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) prefix: &'static str,
    pub(super) alphabet: Alphabet,
    /// Characters behind the prefix.
    pub(super) fewest: usize,
    pub(super) most: usize,
}

impl Rule {
    /// Is this, the beginning of what stands behind the prefix, no word? Words have no digits, large letters only where one
    /// begins, and an end.
    pub(super) fn is_mixed(&self, head: &[u8]) -> bool {
        let is_long = self.alphabet == Alnum && self.fewest >= LONGEST_WORD && self.prefix.ends_with(['_', '-', '.']);
        is_long
            || self.prefix.bytes().all(|byte| byte.is_ascii_uppercase())
            || head.iter().any(u8::is_ascii_digit)
            || word::is_mixed(head)
    }
}

const fn exact(name: &'static str, prefix: &'static str, alphabet: Alphabet, length: usize) -> Rule {
    Rule { name, prefix, alphabet, fewest: length, most: length }
}

const fn from(name: &'static str, prefix: &'static str, alphabet: Alphabet, fewest: usize) -> Rule {
    Rule { name, prefix, alphabet, fewest, most: usize::MAX }
}

use Alphabet::{Alnum, Dotted, Hex, Path, Telegram, Upper, Word};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    exact("aws-access-key-id", "AKIA", Upper, 16), exact("aws-access-key-id", "ASIA", Upper, 16),
    exact("aws-access-key-id", "ABIA", Upper, 16), exact("aws-access-key-id", "ACCA", Upper, 16),
    exact("google-api-key", "AIza", Word, 35), from("google-oauth-token", "ya29.", Word, 20),
    exact("google-oauth-secret", "GOCSPX-", Word, 28),
    exact("yandex-cloud-api-key", "AQVN", Word, 36), from("yandex-cloud-iam-token", "t1.", Dotted, 80),
    exact("yandex-cloud-access-key", "YCAJ", Word, 21), exact("yandex-cloud-secret-key", "YCP", Word, 37),
    from("yandex-oauth-token", "y0_", Word, 40), from("vk-token", "vk1.a.", Word, 40),
    exact("alibaba-access-key", "LTAI", Alnum, 20), exact("tencent-secret-id", "AKID", Alnum, 32),
    exact("digitalocean-token", "dop_v1_", Hex, 64), exact("digitalocean-token", "doo_v1_", Hex, 64),
    exact("digitalocean-token", "dor_v1_", Hex, 64), exact("databricks-token", "dapi", Hex, 32),
    from("github-token", "ghp_", Alnum, 36), from("github-token", "gho_", Alnum, 36),
    from("github-token", "ghu_", Alnum, 36), from("github-token", "ghs_", Alnum, 36),
    from("github-token", "ghr_", Alnum, 36), from("github-token", "github_pat_", Word, 22),
    from("gitlab-token", "glpat-", Dotted, 20), from("gitlab-token", "gldt-", Word, 20),
    from("gitlab-token", "glrt-", Dotted, 20), from("gitlab-token", "glptt-", Hex, 40),
    from("gitlab-token", "glcbt-", Word, 20), from("gitlab-token", "glsoat-", Word, 20),
    from("gitlab-token", "glft-", Word, 20), from("gitlab-token", "glagent-", Word, 50),
    exact("gitlab-token", "GR1348941", Word, 20), from("bitbucket-token", "ATBB", Alnum, 32),
    from("atlassian-token", "ATATT3", Dotted, 100), from("atlassian-token", "ATCTT3", Dotted, 100),
    from("slack-token", "xoxb-", Word, 20), from("slack-token", "xoxp-", Word, 20),
    from("slack-token", "xoxa-", Word, 20), from("slack-token", "xoxr-", Word, 20),
    from("slack-token", "xoxs-", Word, 20), from("slack-token", "xoxe-", Word, 20),
    from("slack-token", "xoxe.xox", Word, 20), from("slack-token", "xapp-", Word, 20),
    from("slack-webhook", "hooks.slack.com/services/", Path, 20),
    exact("telegram-bot-token", "AA", Telegram, 33),
    from("stripe-key", "sk_live_", Alnum, 16), from("stripe-key", "sk_test_", Alnum, 16),
    from("stripe-key", "rk_live_", Alnum, 16), from("stripe-key", "rk_test_", Alnum, 16),
    from("stripe-webhook-secret", "whsec_", Alnum, 24),
    exact("square-token", "sq0atp-", Word, 22), exact("square-secret", "sq0csp-", Word, 43),
    from("yookassa-key", "live_", Word, 40), from("shopify-token", "shpat_", Hex, 32),
    from("shopify-token", "shpca_", Hex, 32), from("shopify-token", "shppa_", Hex, 32),
    from("shopify-token", "shpss_", Hex, 32), from("shippo-token", "shippo_live_", Hex, 40),
    from("flutterwave-key", "FLWSECK-", Word, 20), from("duffel-token", "duffel_live_", Word, 43),
    exact("easypost-key", "EZAK", Alnum, 54),
    from("anthropic-key", "sk-ant-", Word, 24), from("openai-key", "sk-proj-", Word, 24),
    from("openai-key", "sk-svcacct-", Word, 24), from("openai-key", "sk-", Alnum, 32),
    from("openrouter-key", "sk-or-v1-", Hex, 64), from("huggingface-token", "hf_", Alnum, 34),
    from("replicate-token", "r8_", Alnum, 37), from("groq-key", "gsk_", Alnum, 48),
    from("xai-key", "xai-", Alnum, 60), from("perplexity-key", "pplx-", Alnum, 40),
    from("npm-token", "npm_", Alnum, 36), from("pypi-token", "pypi-AgEIcHlwaS5vcmc", Word, 50),
    exact("rubygems-key", "rubygems_", Hex, 48), from("crates-io-token", "cio", Alnum, 32),
    from("docker-token", "dckr_pat_", Word, 27), from("docker-token", "dckr_oat_", Word, 27),
    from("sendgrid-key", "SG.", Dotted, 60), exact("mailgun-key", "key-", Hex, 32),
    from("brevo-key", "xkeysib-", Word, 60), exact("mailchimp-key", "md-", Word, 22),
    from("twilio-key", "SK", Hex, 32), from("vault-token", "hvs.", Word, 24), from("vault-token", "hvb.", Word, 24),
    from("vault-token", "hvr.", Word, 24), from("terraform-token", "atlasv1.", Dotted, 60),
    from("pulumi-token", "pul-", Hex, 40), from("doppler-token", "dp.pt.", Alnum, 40),
    from("linear-key", "lin_api_", Alnum, 40), from("notion-token", "ntn_", Alnum, 40),
    exact("notion-token", "secret_", Alnum, 43), from("figma-token", "figd_", Word, 40),
    exact("postman-key", "PMAK-", Word, 59), exact("new-relic-key", "NRAK-", Upper, 27),
    from("grafana-token", "glc_", Alnum, 32), from("grafana-token", "glsa_", Word, 40),
    from("sentry-token", "sntrys_", Dotted, 40), from("sentry-token", "sntryu_", Hex, 64),
    from("planetscale-token", "pscale_tkn_", Dotted, 32), from("planetscale-token", "pscale_pw_", Dotted, 32),
    from("netlify-token", "nfp_", Alnum, 36), from("fly-token", "fo1_", Word, 40),
    from("tailscale-key", "tskey-", Word, 20), from("supabase-key", "sbp_", Hex, 40),
    from("sourcegraph-token", "sgp_", Word, 40), from("posthog-key", "phx_", Alnum, 40),
    from("dropbox-token", "sl.", Word, 130), from("age-key", "AGE-SECRET-KEY-1", Upper, 58),
    from("adobe-secret", "p8e-", Word, 32), from("airtable-token", "pat", Dotted, 80),
];
