//! Who and what a flow is about: the names that stand in its lines as `<name>`.

use fastrand::Rng;

const PEOPLE: &[(&str, &str)] = &[
    ("anna.petrova", "mail.example"),
    ("linh.nguyen", "hanoi.example"),
    ("somchai", "siam.example"),
    ("dmitry.volkov", "post.example"),
    ("mei-ling.tan", "example.sg"),
    ("oksana+travel", "example.com"),
    ("j.santos", "manila.example"),
];
/// Test numbers of the payment industry: they satisfy Luhn and belong to nobody.
const CARDS: &[&str] =
    &["4111 1111 1111 1111", "5555-5555-5555-4444", "4242424242424242", "378282246310005", "6011 1111 1111 1117"];
const CITIES: &[&str] = &["Bangkok", "Hanoi", "Da Nang", "Phuket", "Singapore", "Manila", "Chiang Mai"];
const QUESTS: &[&str] = &["night-market", "temple-run", "street-food", "old-quarter", "river-boat"];
const VOUCHERS: &[&str] = &["premium_spa", "premium_dinner", "city_pass", "airport_lounge"];

/// One flow's values.
#[derive(Debug)]
pub(super) struct Cast {
    values: [(&'static str, String); 17],
}

impl Cast {
    pub(super) fn new(random: &mut Rng) -> Self {
        let (name, domain) = PEOPLE[random.usize(..PEOPLE.len())];
        let mut pick = |from: &[&str]| from[random.usize(..from.len())].to_owned();
        let (card, city, quest, voucher) = (pick(CARDS), pick(CITIES), pick(QUESTS), pick(VOUCHERS));
        let digits = random.u32(1_000_000..10_000_000);
        let (area, last) = (digits / 10_000, digits % 10_000);
        let token = format!("eyJhbGciOiJIUzI1NiJ9.{:024x}.{:020x}", random.u64(..), random.u64(..));
        let values = [
            ("correlation", format!("c-{:016x}", random.u64(..))),
            ("trace", format!("{:032x}", random.u128(1..))),
            ("span", format!("{:016x}", random.u64(1..))),
            ("user", random.u32(10_000..99_999).to_string()),
            ("email", format!("{name}@{domain}")),
            ("phone", format!("+66 2 {area} {last:04}")),
            ("card", card),
            ("token", token),
            ("city", city),
            ("quest", quest),
            ("voucher", voucher),
            ("partner", format!("rf-{:04}", random.u32(1..400))),
            ("points", random.u32(5..500).to_string()),
            ("price", random.u32(100..5_000).to_string()),
            ("fast", random.u32(8..400).to_string()),
            ("slow", random.u32(2_000..9_000).to_string()),
            ("tx", format!("0x{:032x}{:032x}", random.u128(..), random.u128(..))),
        ];
        Self { values }
    }

    /// Each line of a flow is written in a span of its own.
    pub(super) fn next_span(&mut self, random: &mut Rng) {
        self.values[2].1 = format!("{:016x}", random.u64(1..));
    }

    /// Appends `text` with its names filled in.
    pub(super) fn fill(&self, mut text: &str, line: &mut String) {
        while let Some((before, rest)) = text.split_once('<') {
            line.push_str(before);
            let Some((name, after)) = rest.split_once('>') else { break };
            let value = self.values.iter().find(|(known, _)| *known == name);
            line.push_str(value.map_or("", |(_, value)| value));
            text = after;
        }
        line.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{FLOWS, HEALTH, NOT_JSON};
    use super::*;

    #[test]
    fn every_name_in_the_script_has_a_value() {
        let cast = Cast::new(&mut Rng::with_seed(1));
        let steps = FLOWS.iter().flat_map(|(_, steps)| steps.iter()).chain([&HEALTH]);
        let texts = steps.flat_map(|step| [step.message, step.members]).chain(NOT_JSON.iter().map(|(_, text)| *text));
        for text in texts {
            for name in text.split('<').skip(1).filter_map(|rest| rest.split_once('>')) {
                assert!(cast.values.iter().any(|(known, _)| *known == name.0), "`<{}>` in {text}", name.0);
            }
        }
    }

    #[test]
    fn card_numbers_satisfy_luhn() {
        for card in CARDS {
            let digits: Vec<u32> = card.chars().filter_map(|digit| digit.to_digit(10)).rev().collect();
            let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
            let sum: u32 = digits.iter().enumerate().map(|(at, d)| if at % 2 == 1 { doubled(*d) } else { *d }).sum();
            assert_eq!(sum % 10, 0, "{card}");
        }
    }
}
