//! A small record to test on: ordered raw members, or a raw line.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::lang::{Fields, FieldsMut, Member, Side};

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Document {
    pub(super) line: Option<String>,
    pub(super) event: Vec<(String, String)>,
    pub(super) metadata: Vec<(String, String)>,
    /// What the program asked for.
    pub(super) asked: std::cell::RefCell<Vec<String>>,
}

impl Document {
    pub(super) fn json(text: &str) -> Self {
        Self { event: members(text), ..Self::default() }
    }

    pub(super) fn text(line: &str) -> Self {
        Self { line: Some(line.to_owned()), ..Self::default() }
    }

    pub(super) fn render(&self) -> String {
        let mut out = Vec::new();
        self.whole(Side::Event, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn side(&self, side: Side) -> &Vec<(String, String)> {
        match side {
            Side::Event => &self.event,
            Side::Metadata => &self.metadata,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut Vec<(String, String)> {
        if side == Side::Event
            && let Some(line) = self.line.take()
        {
            self.event.insert(0, ("message".to_owned(), serde_json::to_string(&line).unwrap()));
        }
        match side {
            Side::Event => &mut self.event,
            Side::Metadata => &mut self.metadata,
        }
    }
}

/// The members of an object in their order; of a duplicate the last.
pub(super) fn members(text: &str) -> Vec<(String, String)> {
    struct Ordered(Vec<(String, String)>);
    impl<'de> serde::Deserialize<'de> for Ordered {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Ordered;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                    let mut all: Vec<(String, String)> = Vec::new();
                    while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                        all.retain(|(old, _)| *old != key);
                        all.push((key, value.get().to_owned()));
                    }
                    Ok(Ordered(all))
                }
            }
            from.deserialize_map(Visitor)
        }
    }
    serde_json::from_str::<Ordered>(text).map(|all| all.0).unwrap()
}

impl Fields for Document {
    fn member(&self, side: Side, key: &str) -> Option<Member<'_>> {
        self.asked.borrow_mut().push(key.to_owned());
        if side == Side::Event
            && key == "message"
            && let Some(line) = &self.line
        {
            return Some(Member::Text(line.as_bytes()));
        }
        let (_, raw) = self.side(side).iter().find(|(name, _)| name == key)?;
        Some(Member::Json(Cow::Borrowed(raw.as_bytes())))
    }

    fn whole(&self, side: Side, out: &mut Vec<u8>) {
        self.asked.borrow_mut().push(".".to_owned());
        let line = self
            .line
            .iter()
            .filter(|_| side == Side::Event)
            .map(|line| ("message".to_owned(), serde_json::to_string(line).unwrap()));
        let all: Vec<_> = line
            .chain(self.side(side).iter().cloned())
            .map(|(key, raw)| format!("{}:{raw}", serde_json::to_string(&key).unwrap()))
            .collect();
        out.extend_from_slice(format!("{{{}}}", all.join(",")).as_bytes());
    }
}

impl FieldsMut for Document {
    fn set(&mut self, side: Side, key: &str, json: &[u8]) {
        let json = String::from_utf8(json.to_vec()).unwrap();
        let all = self.side_mut(side);
        match all.iter_mut().find(|(name, _)| name == key) {
            Some((_, raw)) => *raw = json,
            None => all.push((key.to_owned(), json)),
        }
    }

    fn remove(&mut self, side: Side, key: &str) {
        self.side_mut(side).retain(|(name, _)| name != key);
    }

    fn replace(&mut self, side: Side, json: &[u8]) {
        let text = std::str::from_utf8(json).unwrap().to_owned();
        *self.side_mut(side) = members(&text);
    }

    fn parse_message(&mut self) -> bool {
        let Some(line) = &self.line else { return false };
        if !serde_json::from_str::<serde_json::Value>(line).is_ok_and(|value| value.is_object()) {
            return false;
        }
        self.event = members(line);
        // The line stays as the sentinel that `restore_message` needs.
        self.metadata.push(("line".to_owned(), serde_json::to_string(line).unwrap()));
        self.line = None;
        true
    }

    fn restore_message(&mut self) {
        let (_, raw) = self.metadata.pop().unwrap();
        self.event.clear();
        self.line = Some(serde_json::from_str(&raw).unwrap());
    }
}
