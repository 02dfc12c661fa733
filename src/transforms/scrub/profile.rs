//! Profiles: sets of detectors and key names with a name of their own.

use schemars::JsonSchema;
use serde::Deserialize;

use super::detector::Kind;
use super::keys::{DEFAULT_NAMES, PERSON_NAMES, RUSSIAN_NAMES, SECRET_NAMES};

/// A set of detectors and key names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Secrets, and what identifies a person in any country.
    #[default]
    Default,
    /// Everything there is, network addresses and names of persons included.
    Strict,
    /// Secrets alone: passwords, tokens, keys.
    Secrets,
    /// The default, and the identity numbers of Russia.
    Ru,
}

const SECRETS: &[Kind] = &[
    Kind::Pem,
    Kind::CloudKey,
    Kind::Jwt,
    Kind::BearerToken,
    Kind::BasicAuth,
    Kind::UrlCredentials,
    Kind::QuerySecret,
    Kind::KeyValue,
];

const DEFAULT: &[Kind] = &[
    Kind::Pem,
    Kind::CloudKey,
    Kind::Jwt,
    Kind::BearerToken,
    Kind::BasicAuth,
    Kind::UrlCredentials,
    Kind::Email,
    Kind::PaymentCard,
    Kind::Iban,
    Kind::Phone,
    Kind::Ssn,
    Kind::QuerySecret,
    Kind::KeyValue,
];

const RU: &[Kind] = &[
    Kind::Pem,
    Kind::CloudKey,
    Kind::Jwt,
    Kind::BearerToken,
    Kind::BasicAuth,
    Kind::UrlCredentials,
    Kind::Email,
    Kind::PaymentCard,
    Kind::Iban,
    Kind::Phone,
    Kind::Snils,
    Kind::Inn,
    Kind::Ogrn,
    Kind::PassportRu,
    Kind::QuerySecret,
    Kind::KeyValue,
];

impl Profile {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Default, Self::Strict, Self::Secrets, Self::Ru];

    /// The name used in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Strict => "strict",
            Self::Secrets => "secrets",
            Self::Ru => "ru",
        }
    }

    /// The profile of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// What it is for, in one line.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Default => "secrets, and what identifies a person in any country",
            Self::Strict => "everything there is, network addresses and names of persons included",
            Self::Secrets => "secrets alone: passwords, tokens, keys",
            Self::Ru => "the default without SSN, and the identity numbers of Russia",
        }
    }

    /// Its detectors.
    pub const fn detectors(self) -> &'static [Kind] {
        match self {
            Self::Default => DEFAULT,
            Self::Strict => &Kind::ALL,
            Self::Secrets => SECRETS,
            Self::Ru => RU,
        }
    }

    /// The names of members whose whole value goes.
    pub fn key_names(self) -> Vec<&'static str> {
        let lists: &[&[&str]] = match self {
            Self::Default => &[DEFAULT_NAMES],
            Self::Strict => &[DEFAULT_NAMES, RUSSIAN_NAMES, PERSON_NAMES],
            Self::Secrets => &[SECRET_NAMES],
            Self::Ru => &[DEFAULT_NAMES, RUSSIAN_NAMES],
        };
        lists.concat()
    }
}
