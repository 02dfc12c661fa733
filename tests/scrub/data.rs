//! Labelled lines: valid values, values that miss by one digit, and what only looks like one, in Russian and English
//! text, plain and as JSON. The same for the same seed.

use levada::transforms::scrub::Kind;

pub(super) const SEED: u64 = 20_261_121;

/// A line, and what is to be found in it.
pub(super) struct Line {
    pub(super) text: String,
    pub(super) value: Option<(Kind, String)>,
}

/// Makes lines.
pub(super) struct Maker(u64);

const BEFORE: [&str; 12] = [
    "payment of",
    "user wrote from",
    "received",
    "запрос от",
    "не удалось обработать",
    "client sent",
    "получено",
    "handled",
    "2026-11-21T13:08:46.123Z INFO got",
    "[worker-7] принято",
    "retry 3 of 5 for",
    "level=info msg=see",
];
const AFTER: [&str; 10] = [
    "and went on",
    "in 17 ms",
    "через 5 с",
    ", повтор позже",
    "; status 200",
    "",
    "(attempt 2)",
    "at offset 88120",
    "— готово",
    "ok",
];
const FIRST: [&str; 8] =
    ["ines.duarte", "rui_camacho", "m.freitas+shop", "tiago99", "иван.петров", "a", "JO.VIEIRA", "x-y_z%1"];
const HOSTS: [&str; 7] =
    ["example.com", "mail.example.co.uk", "a-b.io", "почта.рф", "EXAMPLE.ORG", "sub.domain.dev", "ya.ru"];
const COUNTRIES: [(&str, usize); 8] =
    [("DE", 22), ("GB", 22), ("FR", 27), ("NL", 18), ("ES", 24), ("IT", 27), ("PL", 28), ("AT", 20)];
const CARDS: [(&str, usize); 9] =
    [("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15), ("2200", 16), ("2204", 16), ("6011", 16)];
const KEYS: [(&str, usize, &str); 20] = [
    ("AKIA", 16, UPPER),
    ("ghp_", 36, ALNUM),
    ("gho_", 36, ALNUM),
    ("glpat-", 20, ALNUM),
    ("xoxb-", 30, ALNUM),
    ("sk_live_", 24, ALNUM),
    ("AIza", 35, ALNUM),
    ("npm_", 36, ALNUM),
    ("dop_v1_", 64, HEX),
    ("hf_", 34, ALNUM),
    ("hvs.", 28, ALNUM),
    ("sk-proj-", 40, ALNUM),
    ("hf_", 34, LETTERS),
    ("tskey-auth-", 16, ALNUM),
    ("glrt-", 20, ALNUM),
    ("ya29.", 24, ALNUM),
    ("whsec_", 32, ALNUM),
    ("dckr_pat_", 27, ALNUM),
    ("GOCSPX-", 28, ALNUM),
    ("hvs.CAESI", 24, ALNUM),
];
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const HEX: &str = "0123456789abcdef";

impl Maker {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// `SplitMix64`.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn text(&mut self, alphabet: &str, length: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| self.pick(&letters)).collect()
    }

    fn digits(&mut self, length: usize) -> String {
        self.text("0123456789", length)
    }

    fn wrap(&mut self, words: &str) -> String {
        let (before, after) = (self.pick(&BEFORE), self.pick(&AFTER));
        let text = format!("{before} {words} {after}");
        if self.below(2) == 0 {
            return text;
        }
        let id = self.below(100_000);
        let record = serde_json::json!({ "level": "info", "n": id, "body": { "items": [text, "fine"] } });
        record.to_string()
    }

    /// A line with a value of this kind.
    pub(super) fn line_with(&mut self, kind: Kind) -> Line {
        let (words, value) = self.value(kind);
        Line { text: self.wrap(&words), value: Some((kind, value)) }
    }

    /// A line with what is almost a value of this kind.
    pub(super) fn near_miss(&mut self, kind: Kind) -> Line {
        let words = self.almost(kind);
        Line { text: self.wrap(&words), value: None }
    }

    /// A line with what only looks like something.
    pub(super) fn nothing(&mut self) -> Line {
        let words = match self.below(14) {
            0 => format!("order {}", self.digits(8)),
            12 => {
                let length = 9 + self.below(11);
                format!("item {}", self.digits(length))
            }
            13 => format!("batch {}-{}-{} {}", self.digits(3), self.digits(3), self.digits(3), self.digits(2)),
            1 => format!("заказ № {}", self.digits(11)),
            2 => format!(
                "{}-{}-4{}-a{}-{}",
                self.text(HEX, 8),
                self.text(HEX, 4),
                self.text(HEX, 3),
                self.text(HEX, 3),
                self.text(HEX, 12)
            ),
            3 => format!("v{}.{}.{}.{}", self.below(20), self.below(20), self.below(20), self.below(20)),
            4 => format!("sha256 {}", self.text(HEX, 64)),
            5 => format!("ts 17{} and 17{}", self.digits(8), self.digits(11)),
            6 => format!(
                "2026-{:02}-{:02} {:02}:{:02}:{:02}",
                1 + self.below(12),
                1 + self.below(28),
                self.below(24),
                self.below(60),
                self.below(60)
            ),
            7 => format!("span {} of trace {}", self.text(HEX, 16), self.text(HEX, 32)),
            8 => format!("price {}.{:02} of {}", self.below(10_000), self.below(100), self.digits(5)),
            9 => format!("at com.example.orders.Client{}.call(Client.java:{})", self.below(9), self.below(999)),
            10 => "the token was refused: unexpected end, keys and passwords are never logged".to_owned(),
            _ => format!("version {}.{}.{}.{}", self.below(9), self.below(9), self.below(9), self.below(9)),
        };
        Line { text: self.wrap(&words), value: None }
    }

    fn value(&mut self, kind: Kind) -> (String, String) {
        let value = match kind {
            Kind::Email => format!("{}@{}", self.pick(&FIRST), self.pick(&HOSTS)),
            Kind::PaymentCard => self.card(),
            Kind::Iban => self.iban(),
            Kind::Phone => self.phone(),
            Kind::Ssn => format!("{:03}-{:02}-{:04}", 1 + self.below(600), 1 + self.below(99), 1 + self.below(9998)),
            Kind::Snils => self.snils(),
            Kind::Inn => self.inn(),
            Kind::Ogrn => ogrn(&format!("1{}", self.digits(11))),
            Kind::PassportRu => self.passport(),
            Kind::Ipv4 => {
                format!("{}.{}.{}.{}", 11 + self.below(100), self.below(256), self.below(256), 1 + self.below(255))
            }
            Kind::Ipv6 => format!("2001:db8:{}::{}", self.text(HEX, 4), self.text(HEX, 4)),
            Kind::MacAddress => {
                (0..6).map(|at| if at == 1 { "a7".to_owned() } else { self.text(HEX, 2) }).collect::<Vec<_>>().join(":")
            }
            Kind::Jwt => self.jwt(),
            Kind::BearerToken | Kind::KeyValue | Kind::QuerySecret => self.text(ALNUM, 22),
            Kind::BasicAuth => base64(format!("user{}:{}", self.below(99), self.text(ALNUM, 10)).as_bytes()),
            Kind::UrlCredentials => format!("app{}:{}", self.below(9), self.text(ALNUM, 12)),
            Kind::CloudKey => self.key(),
            Kind::Pem => {
                format!("-----BEGIN EC PRIVATE KEY-----\\n{}\\n-----END EC PRIVATE KEY-----", self.text(ALNUM, 64))
            }
        };
        (self.around(kind, &value), value)
    }

    /// The words that belong to the value.
    fn around(&mut self, kind: Kind, value: &str) -> String {
        let words: &[&str] = match kind {
            Kind::Inn => &["ИНН #", "инн: #", "inn #", "(ИНН организации #)"],
            Kind::Ogrn => &["ОГРН #", "огрн: #", "ogrn #"],
            Kind::PassportRu => &["паспорт #", "паспорт серия и номер #", "passport #", "Паспорт гражданина РФ: #"],
            Kind::BearerToken => &["Authorization: Bearer #", "bearer #", "header `Bearer #`"],
            Kind::BasicAuth => &["Authorization: Basic #", "basic #"],
            Kind::UrlCredentials => {
                &["postgres://#@db.internal:5432/x", "https://#@example.com/a?b=1", "amqp://#@queue/"]
            }
            Kind::QuerySecret => &["GET /cb?token=#&x=1", "/x?a=1&sig=#", "https://h.example/?api_key=#"],
            Kind::KeyValue => &[
                "password=#",
                "api_key: #",
                "{\"secret\":\"#\"}",
                "DB_PASSWORD=#",
                "пароль: #",
                "PGPASSWORD=# psql",
                "deploy --password # --yes",
                "Authorization: Token #",
                "dbPassword=#",
            ],
            Kind::CloudKey => &["#", "key #", "(#)", "uses #,"],
            _ => &["#", "<#>", "(#)", "#,", "is #;"],
        };
        self.pick(words).replace('#', value)
    }

    fn almost(&mut self, kind: Kind) -> String {
        match kind {
            Kind::Email => ["user@host", "a@", "@types/node", "10@20.30", "git@[::1]"][self.below(5)].to_owned(),
            Kind::PaymentCard => one_off(&self.card()),
            Kind::Iban => one_off(&self.iban()),
            Kind::Phone => ["+7 916 123-45-6", "+0300", "order 89161234567", "8 (016) 123-45-67", "+12 ms"]
                [self.below(5)]
            .to_owned(),
            Kind::Ssn => format!("{}-{:02}-{:04}", self.pick(&["000", "666", "912"]), self.below(99), self.below(9999)),
            Kind::Snils => one_off(&self.snils()),
            Kind::Inn => format!("ИНН {}", one_off(&self.inn())),
            Kind::Ogrn => format!("ОГРН {}", one_off(&ogrn(&format!("1{}", self.digits(11))))),
            Kind::PassportRu => format!("паспорт {}", self.digits(5)),
            Kind::Ipv4 => format!("v{}.{}.{}.{}", self.below(99), self.below(99), self.below(99), self.below(99)),
            Kind::Ipv6 => format!("{:02}:{:02}:{:02}", self.below(24), self.below(60), self.below(60)),
            Kind::MacAddress => format!("{}:{}:{}", self.text(HEX, 2), self.text(HEX, 2), self.text(HEX, 2)),
            Kind::Jwt => format!("eyJ{}", self.text("abcdefgh", 12)),
            Kind::BearerToken => {
                ["bearer token expired", "Bearer authentication", "forbearer x"][self.below(3)].to_owned()
            }
            Kind::BasicAuth => ["basic plan", "Basic authentication", "basic sanity"][self.below(3)].to_owned(),
            Kind::UrlCredentials => ["ssh://git@host/x", "https://h.example:8080/a@b:c"][self.below(2)].to_owned(),
            Kind::QuerySecret => format!("GET /x?page={}&sort=name", self.below(99)),
            Kind::KeyValue => [
                "key=value",
                "tokens=17",
                "token: refused",
                "a secret: none",
                "pin code",
                "the --password flag is missing",
                "Authorization: Token expired",
                "--verbose --retries 5",
            ][self.below(8)]
            .to_owned(),
            Kind::CloudKey => {
                let key = self.key();
                key[..key.len() / 2].trim_end_matches(['-', '_', '.']).chars().take(14).collect()
            }
            Kind::Pem => "-----BEGIN CERTIFICATE-----".to_owned(),
        }
    }

    fn card(&mut self) -> String {
        let (prefix, length) = self.pick(&CARDS);
        let body = format!("{prefix}{}", self.digits(length - prefix.len() - 1));
        let sum: u32 = body
            .bytes()
            .rev()
            .enumerate()
            .map(|(place, byte)| {
                let digit = u32::from(byte - b'0') * if place % 2 == 0 { 2 } else { 1 };
                digit / 10 + digit % 10
            })
            .sum();
        let number = format!("{body}{}", (10 - sum % 10) % 10);
        match (length, self.below(3)) {
            (16, 1) => grouped(&number, &[4, 4, 4, 4], " "),
            (16, 2) => grouped(&number, &[4, 4, 4, 4], "-"),
            (15, 1) => grouped(&number, &[4, 6, 5], " "),
            _ => number,
        }
    }

    fn iban(&mut self) -> String {
        let (country, length) = self.pick(&COUNTRIES);
        let account = self.digits(length - 4);
        let digits =
            format!("{account}{}00", country.bytes().map(|byte| (byte - b'A' + 10).to_string()).collect::<String>());
        let rest = digits.bytes().fold(0, |rest, byte| (rest * 10 + u32::from(byte - b'0')) % 97);
        let number = format!("{country}{:02}{account}", 98 - rest);
        if self.below(2) == 0 {
            number
        } else {
            number.as_bytes().chunks(4).map(|part| std::str::from_utf8(part).unwrap()).collect::<Vec<_>>().join(" ")
        }
    }

    fn phone(&mut self) -> String {
        let (code, rest) = (900 + self.below(99), self.digits(7));
        match self.below(8) {
            0 => format!("+7{code}{rest}"),
            1 => format!("+7 ({code}) {}", grouped(&rest, &[3, 2, 2], "-")),
            2 => format!("8 ({code}) {}", grouped(&rest, &[3, 2, 2], "-")),
            3 => format!("8-{code}-{}", grouped(&rest, &[3, 2, 2], "-")),
            4 => format!("8{code}{rest}"),
            5 => format!("+1 212 555 {}", self.digits(4)),
            6 => format!("+44 20 7946 {}", self.digits(4)),
            _ => format!("+4930{}", self.digits(8)),
        }
    }

    fn snils(&mut self) -> String {
        let body = format!("1{}", self.digits(8));
        let sum: u32 = body.bytes().zip((1..=9).rev()).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
        format!("{} {:02}", grouped(&body, &[3, 3, 3], "-"), sum % 101 % 100)
    }

    fn inn(&mut self) -> String {
        let check = |body: &str, weights: &[u32]| {
            let sum: u32 = body.bytes().zip(weights).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
            format!("{body}{}", sum % 11 % 10)
        };
        if self.below(2) == 0 {
            return check(&format!("7{}", self.digits(8)), &[2, 4, 10, 3, 5, 9, 4, 6, 8]);
        }
        let eleven = check(&format!("5{}", self.digits(9)), &[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]);
        check(&eleven, &[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8])
    }

    fn passport(&mut self) -> String {
        let (series, number) = (self.digits(4), self.digits(6));
        match self.below(4) {
            0 => format!("{series} {number}"),
            1 => format!("{} {} {number}", &series[..2], &series[2..]),
            2 => format!("{series} № {number}"),
            _ => format!("{series}{number}"),
        }
    }

    fn jwt(&mut self) -> String {
        let part = |text: String| base64(text.as_bytes()).trim_end_matches('=').replace('+', "-").replace('/', "_");
        let claims = part(format!("{{\"sub\":\"{}\"}}", self.below(99_999)));
        format!("{}.{claims}.{}", part("{\"alg\":\"HS256\",\"typ\":\"JWT\"}".to_owned()), self.text(ALNUM, 43))
    }

    fn key(&mut self) -> String {
        let (prefix, length, alphabet) = self.pick(&KEYS);
        format!("{prefix}{}", self.text(alphabet, length))
    }
}

fn grouped(number: &str, lengths: &[usize], by: &str) -> String {
    let mut rest = number;
    let mut parts = Vec::new();
    for length in lengths {
        let (part, more) = rest.split_at(*length);
        parts.push(part);
        rest = more;
    }
    parts.join(by)
}

/// The number with its last digit one off.
fn one_off(number: &str) -> String {
    let last = number.bytes().last().unwrap();
    format!("{}{}", &number[..number.len() - 1], (last - b'0' + 1) % 10)
}

fn ogrn(body: &str) -> String {
    format!("{body}{}", body.parse::<u64>().unwrap() % 11 % 10)
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
