//! What the scrubber is compared with: one alternation of the patterns that the profile `default` looks for.

use levada::transforms::scrub::{Kind, Profile};
use regex::bytes::Regex;

#[allow(dead_code, clippy::unwrap_used, reason = "it is of the tests, which make other lines, too")]
#[path = "../../tests/scrub/data.rs"]
mod data;

/// Lines of each type that tell whether it finds as much.
const LINES: usize = 1_000;
/// Of their values, what it must find: as much as is asked of the scrubber.
const LEAST: f64 = 0.99;

/// A blank, as people write it between groups of digits.
const BLANK: &str = r"[ \x{A0}\x{202F}]";
/// A blank or a hyphen there.
const BREAK: &str = r"[ \x{A0}\x{202F}\x{2010}-\x{2012}-]";
const HYPHEN: &str = r"[\x{2010}-\x{2012}-]";

/// The patterns, as one would write them without this program; `<blank>`, `<break>`, `<hyphen>`, `<keys>` and `<names>`
/// stand for more of them. It checks nothing: no Luhn, no mod 97, no header that decodes, no word near by.
///
/// Letters beyond ASCII are looked for where the scrubber sees them; all else is of bytes, for the edges of words are
/// far slower in Unicode.
const PATTERNS: &[&str] = &[
    r"[\p{L}\p{N}._%+-]+(?:@|&#64;|&commat;|\x{FF20})[\p{L}\p{N}.-]+\.\p{L}{2,}",
    r"(?-u:\b)(?:[0-9]<break>?){12,18}[0-9](?-u:\b)",
    r"\+[0-9](?:[0-9()]|<break>){7,18}[0-9]",
    r"(?-u:\b)8(?:\(|<break>)*9[0-9][0-9](?:[0-9()]|<break>){7,12}",
    r"(?i-u:bearer)(?-u:\s)+[A-Za-z0-9._~+/=-]+|(?i-u:basic)(?-u:\s)+[A-Za-z0-9+/=]{8,}",
    r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",
    r"://[^\x09-\x0D /:@]*:[^\x09-\x0D /@]+@",
    r"(?-u:<keys>)",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[A-Za-z0-9+/= \x0A\x0D]|\\n)*(?:-----END [A-Z ]*PRIVATE KEY-----)?",
    r"(?-u:\b)[A-Z]{2}[0-9]{2}(?:<blank>?[A-Z0-9]{4}){2,7}(?:<blank>?[A-Z0-9]{1,3})?(?-u:\b)",
    r"(?-u:\b)[0-9]{3}<hyphen>[0-9]{2}<hyphen>[0-9]{4}(?-u:\b)",
    concat!(
        r#"(?i:<names>|sig|signature|code|auth)["'\\]*(?-u:\s)*(?:[=:](?-u:\s)*|(?-u:\s)+)["'\\]*"#,
        r"(?:(?i-u:Token|ApiKey|Bearer|Basic)(?-u:\s)+)?[^\x09-\x0D &,;]+",
    ),
];

/// The keys of clouds, forges and services.
const KEYS: &str = concat!(
    r"AKIA[A-Z0-9]{16}|ASIA[A-Z0-9]{16}|ABIA[A-Z0-9]{16}|ACCA[A-Z0-9]{16}|AIza[\w-]{35}|ya29\.[\w-]{20,}",
    r"|GOCSPX-[\w-]{28}|AQVN[\w-]{36}|t1\.[\w.=-]{80,}|YCAJ[\w-]{21}|YCP[\w-]{37}|y0_[\w-]{40,}",
    r"|vk1\.a\.[\w-]{40,}|LTAI[A-Za-z0-9]{20}|AKID[A-Za-z0-9]{32}|dop_v1_[0-9a-f]{64}|doo_v1_[0-9a-f]{64}",
    r"|dor_v1_[0-9a-f]{64}|dapi[0-9a-f]{32}|ghp_[A-Za-z0-9]{36,}|gho_[A-Za-z0-9]{36,}|ghu_[A-Za-z0-9]{36,}",
    r"|ghs_[A-Za-z0-9]{36,}|ghr_[A-Za-z0-9]{36,}|github_pat_[\w-]{22,}|glpat-[\w.=-]{20,}|gldt-[\w-]{20,}",
    r"|glrt-[\w.=-]{20,}|glptt-[0-9a-f]{40,}|glcbt-[\w-]{20,}|glsoat-[\w-]{20,}|glft-[\w-]{20,}",
    r"|glagent-[\w-]{50,}|GR1348941[\w-]{20}|ATBB[A-Za-z0-9]{32,}|ATATT3[\w.=-]{100,}|ATCTT3[\w.=-]{100,}",
    r"|xoxb-[\w-]{20,}|xoxp-[\w-]{20,}|xoxa-[\w-]{20,}|xoxr-[\w-]{20,}|xoxs-[\w-]{20,}|xoxe-[\w-]{20,}",
    r"|xoxe\.xox[\w-]{20,}|xapp-[\w-]{20,}|hooks\.slack\.com/services/[\w/-]{20,}|\d{8,11}:AA[\w-]{33}",
    r"|sk_live_[A-Za-z0-9]{16,}|sk_test_[A-Za-z0-9]{16,}|rk_live_[A-Za-z0-9]{16,}|rk_test_[A-Za-z0-9]{16,}",
    r"|whsec_[A-Za-z0-9]{24,}|sq0atp-[\w-]{22}|sq0csp-[\w-]{43}|live_[\w-]{40,}|shpat_[0-9a-f]{32,}",
    r"|shpca_[0-9a-f]{32,}|shppa_[0-9a-f]{32,}|shpss_[0-9a-f]{32,}|shippo_live_[0-9a-f]{40,}",
    r"|FLWSECK-[\w-]{20,}|duffel_live_[\w-]{43,}|EZAK[A-Za-z0-9]{54}|sk-ant-[\w-]{24,}|sk-proj-[\w-]{24,}",
    r"|sk-svcacct-[\w-]{24,}|sk-[A-Za-z0-9]{32,}|sk-or-v1-[0-9a-f]{64,}|hf_[A-Za-z0-9]{34,}",
    r"|r8_[A-Za-z0-9]{37,}|gsk_[A-Za-z0-9]{48,}|xai-[A-Za-z0-9]{60,}|pplx-[A-Za-z0-9]{40,}",
    r"|npm_[A-Za-z0-9]{36,}|pypi-AgEIcHlwaS5vcmc[\w-]{50,}|rubygems_[0-9a-f]{48}|cio[A-Za-z0-9]{32,}",
    r"|dckr_pat_[\w-]{27,}|dckr_oat_[\w-]{27,}|SG\.[\w.=-]{60,}|key-[0-9a-f]{32}|xkeysib-[\w-]{60,}",
    r"|md-[\w-]{22}|SK[0-9a-f]{32,}|hvs\.[\w-]{24,}|hvb\.[\w-]{24,}|hvr\.[\w-]{24,}|atlasv1\.[\w.=-]{60,}",
    r"|pul-[0-9a-f]{40,}|dp\.pt\.[A-Za-z0-9]{40,}|lin_api_[A-Za-z0-9]{40,}|ntn_[A-Za-z0-9]{40,}",
    r"|secret_[A-Za-z0-9]{43}|figd_[\w-]{40,}|PMAK-[\w-]{59}|NRAK-[A-Z0-9]{27}|glc_[A-Za-z0-9]{32,}",
    r"|glsa_[\w-]{40,}|sntrys_[\w.=-]{40,}|sntryu_[0-9a-f]{64,}|pscale_tkn_[\w.=-]{32,}",
    r"|pscale_pw_[\w.=-]{32,}|nfp_[A-Za-z0-9]{36,}|fo1_[\w-]{40,}|tskey-[\w-]{20,}|sbp_[0-9a-f]{40,}",
    r"|sgp_[\w-]{40,}|phx_[A-Za-z0-9]{40,}|sl\.[\w-]{130,}|AGE-SECRET-KEY-1[A-Z0-9]{58,}|p8e-[\w-]{32,}",
    r"|pat[\w.=-]{80,}",
);

/// The alternation.
pub(crate) fn alternation() -> Regex {
    let names = Profile::Default.key_names().join("|").replace('_', "[_.-]?");
    let wide = PATTERNS
        .join("|")
        .replace("<blank>", BLANK)
        .replace("<break>", BREAK)
        .replace("<hyphen>", HYPHEN)
        .replace("<keys>", KEYS)
        .replace("<names>", &names);
    Regex::new(&wide).expect("a valid expression")
}

/// Does it find what the scrubber is asked to find in the labelled lines of `tests/scrub`? Prints what it does not.
pub(crate) fn finds_as_much(regex: &Regex) -> bool {
    let mut maker = data::Maker::new(data::SEED);
    let missed: Vec<&str> = Profile::Default
        .detectors()
        .iter()
        .filter(|kind| !finds(regex, **kind, &mut maker))
        .map(|kind| kind.name())
        .collect();
    println!("the alternation finds all but {missed:?}");
    missed.is_empty()
}

fn finds(regex: &Regex, kind: Kind, maker: &mut data::Maker) -> bool {
    let found = (0..LINES).filter(|_| {
        let line = maker.line_with(kind);
        let value = line.value.map(|(_, value)| value).unwrap_or_default();
        // What JSON writes with escapes is not compared.
        line.text.find(&value).is_none_or(|at| {
            let covers = |found: regex::bytes::Match<'_>| found.start() <= at && at + value.len() <= found.end();
            regex.find_iter(line.text.as_bytes()).any(covers)
        })
    });
    found.count() as f64 >= LEAST * LINES as f64
}
