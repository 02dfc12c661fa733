//! What can be looked for: one name, one sentence and one finder for each.
//!
//! Detectors see *decoded* text. It is UTF-8 in practice; any other bytes are searched as well as they can be.

use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;

use super::gate::{self, Signals};
use super::{
    basic, bearer, card, cloud, email, escape, jwt, mask::Shape, network, numbers, pattern::Pattern, pem, url,
};

/// A built-in detector. The order decides who counts a span that two of them find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Blocks of PEM that are not public by nature.
    Pem,
    /// Keys of clouds, forges and services, by their prefix.
    CloudKey,
    /// JSON Web Tokens whose header decodes.
    Jwt,
    /// What follows `Bearer`, and whatever is built like a JSON Web Token.
    BearerToken,
    /// What follows `Basic`, where it decodes to `name:password`.
    BasicAuth,
    /// `user:password` in front of the host of a URL.
    UrlCredentials,
    /// E-mail addresses.
    Email,
    /// Numbers of payment cards: known issuer, right length, Luhn.
    PaymentCard,
    /// International bank account numbers: length of the country, mod 97.
    Iban,
    /// Telephone numbers: E.164 behind a plus, and Russian ones.
    Phone,
    /// US social security numbers that can have been issued.
    Ssn,
    /// Russian pension insurance numbers (СНИЛС): check number.
    Snils,
    /// Russian taxpayer numbers (ИНН): check digits, and the word near by.
    Inn,
    /// Russian registration numbers (ОГРН, ОГРНИП): check digit, and the word near by.
    Ogrn,
    /// Russian passports: series and number, and the word near by.
    PassportRu,
    /// IPv4 addresses that are no versions.
    Ipv4,
    /// IPv6 addresses.
    Ipv6,
    /// Addresses of network cards.
    MacAddress,
    /// Query parameters with a telling name.
    QuerySecret,
    /// `name=value`, `"name": value` in text, where the name tells.
    KeyValue,
}

impl Kind {
    /// All of them, in their order.
    pub const ALL: [Self; 20] = [
        Self::Pem,
        Self::CloudKey,
        Self::Jwt,
        Self::BearerToken,
        Self::BasicAuth,
        Self::UrlCredentials,
        Self::Email,
        Self::PaymentCard,
        Self::Iban,
        Self::Phone,
        Self::Ssn,
        Self::Snils,
        Self::Inn,
        Self::Ogrn,
        Self::PassportRu,
        Self::Ipv4,
        Self::Ipv6,
        Self::MacAddress,
        Self::QuerySecret,
        Self::KeyValue,
    ];

    /// The name used in the configuration, as the label of counters and as the domain of hashes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pem => "pem",
            Self::CloudKey => "cloud_key",
            Self::Jwt => "jwt",
            Self::BearerToken => "bearer_token",
            Self::BasicAuth => "basic_auth",
            Self::UrlCredentials => "url_credentials",
            Self::QuerySecret => "query_secret",
            Self::KeyValue => "key_value",
            Self::Email => "email",
            Self::PaymentCard => "payment_card",
            Self::Iban => "iban",
            Self::Phone => "phone",
            Self::Ssn => "ssn",
            Self::Snils => "snils",
            Self::Inn => "inn",
            Self::Ogrn => "ogrn",
            Self::PassportRu => "passport_ru",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::MacAddress => "mac_address",
        }
    }

    /// What it finds and how it makes sure, in one line.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Pem => "PEM blocks, except certificates and public keys",
            Self::CloudKey => "keys of clouds, forges and services: prefix, alphabet and length",
            Self::Jwt => "JSON Web Tokens: the header decodes and names an algorithm",
            Self::BearerToken => "what follows `Bearer`, and dotted base64url that begins with `eyJ`",
            Self::BasicAuth => "what follows `Basic` and decodes to `name:password`",
            Self::UrlCredentials => "`user:password` in front of the host of a URL",
            Self::QuerySecret => "values of query parameters such as `token`, `sig`, `api_key`",
            Self::KeyValue => "`name=value` and `\"name\": value` in text, by the key names",
            Self::Email => "e-mail addresses, also with letters beyond ASCII",
            Self::PaymentCard => "payment cards: prefix of an issuer (Mir too), length, Luhn",
            Self::Iban => "bank accounts: length of the country, mod 97",
            Self::Phone => "telephone numbers: `+`, country code and length; Russian ones also as 8 (9xx)",
            Self::Ssn => "US social security numbers: issued ranges; without dashes only beside the word",
            Self::Snils => "Russian СНИЛС: check number; without dashes only beside the word",
            Self::Inn => "Russian ИНН of 10 or 12 digits: check digits, beside the word",
            Self::Ogrn => "Russian ОГРН and ОГРНИП: check digit, beside the word",
            Self::PassportRu => "Russian passports, beside the word or with `№` before the number",
            Self::Ipv4 => "IPv4 addresses, except loopback and versions",
            Self::Ipv6 => "IPv6 addresses, except loopback",
            Self::MacAddress => "addresses of network cards: six pairs",
        }
    }

    /// Is it found among runs of digits?
    pub(super) const fn is_number(self) -> bool {
        matches!(
            self,
            Self::PaymentCard
                | Self::Iban
                | Self::Phone
                | Self::Ssn
                | Self::Snils
                | Self::Inn
                | Self::Ogrn
                | Self::PassportRu
        )
    }

    /// Does something stand in front of the value that would find whatever came behind it next?
    pub(super) const fn is_anchored(self) -> bool {
        matches!(self, Self::BearerToken | Self::BasicAuth | Self::QuerySecret | Self::KeyValue | Self::UrlCredentials)
    }

    /// Appends the spans of all matches of a detector that needs nothing but the text, of which the first signal shows
    /// at `from`.
    #[inline]
    fn find(self, text: &[u8], from: usize, found: &mut Vec<Range<usize>>) {
        match self {
            Self::Pem => pem::find(text, found),
            Self::CloudKey => cloud::find(text, from, found),
            Self::Jwt => jwt::find(text, from, found),
            Self::BearerToken => bearer::find(text, from, found),
            Self::BasicAuth => basic::find(text, from, found),
            Self::UrlCredentials => url::find(text, found),
            Self::Email => email::find(text, from, found),
            Self::PaymentCard => card::find(text, found),
            Self::Ipv4 => network::find_ipv4(text, found),
            Self::Ipv6 => network::find_ipv6(text, found),
            Self::MacAddress => network::find_mac(text, found),
            _ => {}
        }
    }
}

/// What to look for in a text.
#[derive(Debug, Clone)]
pub enum Detector {
    /// A built-in detector.
    Known(Kind),
    /// An expression of the user, see [`Pattern`].
    Pattern(Pattern),
}

impl Detector {
    /// The name used in the configuration and as the label of counters.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Known(kind) => kind.name(),
            Self::Pattern(_) => "pattern",
        }
    }

    /// The built-in detector, if it is one.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Self::Known(kind) => Some(*kind),
            Self::Pattern(_) => None,
        }
    }

    /// What of the match at `span` of `text` may stay readable. A domain with an `@` behind it is the name in the
    /// next address, so nothing of it is kept.
    pub(super) fn shape(&self, text: &[u8], span: &Range<usize>) -> Shape {
        match self.kind() {
            Some(Kind::Email) if text.get(span.end) != Some(&b'@') => Shape::Email,
            Some(Kind::PaymentCard) => Shape::PaymentCard,
            _ => Shape::Opaque,
        }
    }

    /// The signals without one of which nothing can be found; all of them, where no signal tells.
    pub(super) fn needs(&self) -> Signals {
        match self.kind() {
            Some(Kind::Email | Kind::UrlCredentials) => gate::AT,
            Some(Kind::KeyValue | Kind::QuerySecret) => gate::ASSIGNED,
            Some(Kind::Jwt) => gate::TOKEN,
            Some(Kind::BearerToken) => gate::BEARER | gate::TOKEN,
            Some(Kind::BasicAuth) => gate::BASIC,
            Some(Kind::Pem) => gate::PEM,
            Some(Kind::CloudKey) => gate::KEY,
            Some(kind) if kind.is_number() => gate::DIGITS,
            _ => Signals::MAX,
        }
    }

    /// Whether the decoded `text` may have a match; `false` is certain, and cheap.
    pub fn gate(&self, text: &[u8]) -> bool {
        match self.kind() {
            Some(Kind::Email | Kind::UrlCredentials) => email::gate(text),
            Some(Kind::PaymentCard) => card::gate(text),
            Some(Kind::BearerToken) => bearer::gate(text),
            Some(kind) if kind.is_number() => numbers::next_run(text, 0).is_some(),
            _ => true,
        }
    }

    /// Whether the still escaped content of a JSON string may have a match once decoded; `false` is certain.
    pub fn raw_gate(&self, raw: &[u8]) -> bool {
        match self.kind() {
            Some(Kind::Email) => self.gate(raw) || escape::hides(raw, |byte| byte == b'@'),
            Some(Kind::PaymentCard) => self.gate(raw) || escape::hides(raw, card::is_part),
            Some(Kind::BearerToken) => self.gate(raw) || escape::hides(raw, bearer::is_part),
            _ => true,
        }
    }

    /// Appends the spans of all matches in the decoded `text` of a detector that needs nothing but the text.
    #[inline]
    pub fn find(&self, text: &[u8], found: &mut Vec<Range<usize>>) {
        if self.kind() != Some(Kind::BearerToken) || bearer::gate(text) {
            self.find_from(text, 0, found);
        }
    }

    /// The same, where the first signal that it needs shows at `from`.
    #[inline]
    pub(super) fn find_from(&self, text: &[u8], from: usize, found: &mut Vec<Range<usize>>) {
        match self {
            Self::Known(kind) => kind.find(text, from, found),
            Self::Pattern(pattern) => pattern.find(text, found),
        }
    }
}
