//! Log lines of a shop's services, the same for the same seed: 414 bytes on average, an e-mail in every tenth.

use std::fmt::Write;

const SERVICES: [&str; 6] = ["checkout", "catalogue", "payments", "accounts", "delivery", "recommendations"];
const LEVELS: [&str; 8] = ["info", "info", "info", "info", "info", "debug", "warn", "error"];
const MESSAGES: [&str; 5] = [
    "order accepted and handed to the warehouse with the next available slot",
    "no entry in the cache, reading the price from the second replica now",
    "card accepted by the provider after a \\\"3ds\\\" challenge of the customer",
    "the broker moved its leader, connecting again to the partition's new one",
    "reading the history of this account took longer than it should have taken",
];
const NAMES: [&str; 6] = ["ines.duarte", "rui.camacho", "marta.freitas", "tiago.gouveia", "lia.nobrega", "jo.vieira"];
const PLANS: [&str; 4] = ["free", "plus", "family", "business"];
const METHODS: [&str; 4] = ["GET", "GET", "POST", "DELETE"];
const PATHS: [&str; 4] = ["/api/v1/orders/", "/api/v1/accounts/", "/api/v2/articles/", "/internal/prices/"];

/// Numbers that look random (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }
}

/// `records` lines.
pub(crate) fn logs(records: u64, seed: u64) -> Vec<u8> {
    let mut numbers = Numbers(seed);
    let mut text = String::with_capacity(records as usize * 430);
    for record in 0..records {
        line(&mut text, record, &mut numbers).expect("text takes all that is written");
    }
    text.into_bytes()
}

fn line(text: &mut String, record: u64, numbers: &mut Numbers) -> std::fmt::Result {
    let (minute, second, milli) = (record / 60_000 % 60, record / 1000 % 60, record % 1000);
    write!(text, "{{\"timestamp\":\"2026-11-20T10:{minute:02}:{second:02}.{milli:03}Z\",")?;
    write!(text, "\"level\":\"{}\",\"service\":\"{}\",", numbers.pick(&LEVELS), numbers.pick(&SERVICES))?;
    let id = numbers.next();
    write!(text, "\"correlation_id\":\"{:08x}-{:04x}-4{:03x}-", id >> 32, id >> 16 & 0xFFFF, id & 0xFFF)?;
    write!(text, "{:04x}-{:012x}\",", numbers.below(1 << 16), numbers.below(1 << 48))?;
    write!(text, "\"trace_id\":\"{:016x}{:016x}\",", numbers.next(), numbers.next())?;
    write!(text, "\"message\":\"{}", numbers.pick(&MESSAGES))?;
    if numbers.below(10) == 0 {
        write!(text, " for {}{}@mail.example.org", numbers.pick(&NAMES), numbers.below(100))?;
    }
    let is_active = numbers.below(4) != 0;
    let user = 100_000 + numbers.below(900_000);
    write!(text, "\",\"user\":{{\"id\":{user},\"plan\":\"{}\",\"active\":{is_active}}},", numbers.pick(&PLANS))?;
    write!(text, "\"http\":{{\"method\":\"{}\",\"path\":\"{}", numbers.pick(&METHODS), numbers.pick(&PATHS))?;
    let (status, millis) = ([200, 200, 200, 301, 404, 500][numbers.below(6) as usize], numbers.below(900));
    write!(text, "{}\",\"status\":{status},\"duration_ms\":{millis}", numbers.below(1_000_000))?;
    writeln!(text, ".{:03},\"bytes\":{}}}}}", numbers.below(1000), 200 + numbers.below(60_000))
}
