//! Who hears what programs say by `log`: the agent's own log, without personal data and without floods.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::scrub::{Profile, Scrubber};
use crate::component::clock;
use crate::component::meters::{Families, Label};
use crate::lang::{Said, Voice};

/// Bytes of a text that are shown.
const SHOWN: usize = 1024;
const SECOND: i64 = 1_000_000_000;

/// The voice of the programs of the component `id`.
pub fn voice(id: &str) -> Arc<dyn Voice> {
    let label = Label { id: "protection".to_owned(), kind: "transform", type_name: "scrub" };
    let scrub = Scrubber::of_profile(Profile::Default, Families::default().meters(&label));
    Arc::new(Speaker { id: id.to_owned(), inner: Mutex::new(Inner { scrub, places: HashMap::new() }) })
}

/// The programs of one component.
struct Speaker {
    id: String,
    inner: Mutex<Inner>,
}

struct Inner {
    scrub: Scrubber,
    /// By the place in the program: when it may speak again, and what was not shown since.
    places: HashMap<usize, (i64, u64)>,
}

impl fmt::Debug for Speaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Speaker").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Voice for Speaker {
    fn say(&self, said: &Said<'_>) {
        let Some((text, untold)) = self.shown(said, clock::now()) else { return };
        let (component_id, position) = (&self.id, said.position);
        match said.level {
            "trace" => tracing::trace!(component_id, position, untold, "a program says: {text}"),
            "debug" => tracing::debug!(component_id, position, untold, "a program says: {text}"),
            "warn" => tracing::warn!(component_id, position, untold, "a program says: {text}"),
            "error" => tracing::error!(component_id, position, untold, "a program says: {text}"),
            _ => tracing::info!(component_id, position, untold, "a program says: {text}"),
        }
    }
}

impl Speaker {
    /// The text as it may be shown, if it is time for one, and how many were not shown since the last.
    fn shown(&self, said: &Said<'_>, now: i64) -> Option<(String, u64)> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, untold) = inner.places.entry(said.position).or_default();
        if now < *next {
            *untold += 1;
            return None;
        }
        *next = now.saturating_add(said.rate_limit_secs.max(1).saturating_mul(SECOND));
        let untold = std::mem::take(untold);
        let mut masked = Vec::new();
        let is_masked = inner.scrub.line(said.text.as_bytes(), &mut masked);
        inner.scrub.report();
        let text = if is_masked { String::from_utf8_lossy(&masked) } else { said.text.into() };
        let end = text.floor_char_boundary(SHOWN);
        let rest = if end < text.len() { "..." } else { "" };
        Some((format!("{}{rest}", text[..end].escape_debug()), untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaker() -> Speaker {
        let label = Label { id: String::new(), kind: "transform", type_name: "scrub" };
        let scrub = Scrubber::of_profile(Profile::Default, Families::default().meters(&label));
        Speaker { id: "it".to_owned(), inner: Mutex::new(Inner { scrub, places: HashMap::new() }) }
    }

    fn said(text: &str, position: usize) -> Said<'_> {
        Said { text, level: "info", position, rate_limit_secs: 0 }
    }

    #[test]
    fn what_is_said_is_scrubbed_and_stays_one_line() {
        let speaker = speaker();
        let (text, _) = speaker.shown(&said("mail ann@example.org\nnext", 0), 0).unwrap();
        assert!(!text.contains("ann@example.org") && text.contains("mail ") && !text.contains('\n'), "{text}");
        let (text, _) = speaker.shown(&said(r#"{"password":"hunter2","a":1}"#, 1), 0).unwrap();
        assert!(!text.contains("hunter2") && text.contains("password"), "{text}");
        let (text, _) = speaker.shown(&said(&"ж".repeat(SHOWN), 2), 0).unwrap();
        assert!(text.ends_with("ж...") && text.len() <= SHOWN + 3, "{}", text.len());
    }

    #[test]
    fn each_place_speaks_once_in_its_time_and_counts_the_rest() {
        let speaker = speaker();
        let untold = |position, now| speaker.shown(&said("x", position), now).map(|(_, untold)| untold);
        assert_eq!(untold(0, 0), Some(0));
        assert_eq!((untold(0, 1), untold(0, SECOND - 1)), (None, None));
        assert_eq!(untold(7, 1), Some(0), "another place");
        assert_eq!(untold(0, SECOND), Some(2));
        let slow = Said { rate_limit_secs: 60, ..said("x", 9) };
        assert!(speaker.shown(&slow, 0).is_some() && speaker.shown(&slow, 59 * SECOND).is_none());
    }
}
