//! All detectors of a `scrub` step over one text.

use std::ops::Range;

use super::assign::Form;
use super::fold::{self, Folded};
use super::gate::{self, Gate, Signals, Signs};
use super::keyword::Near;
use super::numbers::Run;
use super::{Detector, KeyNames, Kind, Shape, card, iban, ids, numbers, phone};

/// A span to cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Bytes of the decoded text.
    pub span: Range<usize>,
    /// Index of the detector that counts it: of several that overlap the one that starts first, then the longest,
    /// then the first in the list.
    pub detector: usize,
    /// What may stay readable; `Opaque` where detectors overlap, since what one keeps another may have found.
    pub shape: Shape,
}

/// Matches of the last scan, and its buffers. Keep one per lane.
#[derive(Debug, Default)]
pub struct Found {
    matches: Vec<Match>,
    spans: Vec<Range<usize>>,
    folded: Folded,
}

impl Found {
    /// Matches of the last scan: sorted, none empty, none overlapping.
    pub fn matches(&self) -> &[Match] {
        &self.matches
    }
}

/// A set of detectors.
#[derive(Debug, Clone)]
pub struct Scanner {
    detectors: Vec<Detector>,
    /// What is looked for before any detector looks.
    gate: Box<Gate>,
    /// Those that look for themselves, with the signals that they need.
    single: Vec<(usize, Signals)>,
    /// Those that share one search for runs of digits.
    numbers: Vec<(usize, Kind)>,
    /// Where the passports are, which may also have a mark between their digits.
    passports: Option<usize>,
    /// Where values of telling names count: those in text, and those in queries.
    assigned: [Option<usize>; 2],
    /// Is there a detector that wants to see every escaped text?
    is_open: bool,
    /// Is there a detector that no signal tells of?
    is_blind: bool,
}

impl Default for Scanner {
    /// One that finds nothing.
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Scanner {
    /// A scanner over `detectors`, in the order in which matches name them, with the default key names.
    pub fn new(detectors: Vec<Detector>) -> Self {
        Self::with_names(detectors, &KeyNames::default())
    }

    /// The same; `names` are those whose values in plain text are looked for.
    pub fn with_names(detectors: Vec<Detector>, names: &KeyNames) -> Self {
        let place = |kind: Kind| detectors.iter().position(|detector| detector.kind() == Some(kind));
        let mut numbers: Vec<(usize, Kind)> = Vec::new();
        let mut single = Vec::new();
        for (index, detector) in detectors.iter().enumerate() {
            match detector.kind() {
                Some(kind) if kind.is_number() => numbers.push((index, kind)),
                Some(Kind::KeyValue | Kind::QuerySecret) => {}
                _ => single.push((index, detector.needs())),
            }
        }
        // Cards alone have a quicker search of their own.
        if let [(index, Kind::PaymentCard)] = numbers[..] {
            single.push((index, gate::DIGITS));
            single.sort_unstable();
            numbers.clear();
        }
        let assigned = [place(Kind::KeyValue), place(Kind::QuerySecret)];
        let is_simple = |kind| matches!(kind, Some(Kind::Email | Kind::PaymentCard | Kind::BearerToken));
        let is_open = detectors.iter().any(|detector| !is_simple(detector.kind()));
        let passports = place(Kind::PassportRu);
        let is_blind = passports.is_some() || detectors.iter().any(|detector| detector.needs() == Signals::MAX);
        let wants = detectors.iter().fold(0, |wants, detector| wants | detector.needs());
        let gate = Box::new(Gate::new(wants, names));
        Self { detectors, gate, single, numbers, passports, assigned, is_open, is_blind }
    }

    /// Where in these bytes of JSON, such as a record or a value, something shows first that a detector or the name of a
    /// member may have to cover, `from` on, which is no part of a string or of a number. In a member or an element
    /// without such a place there is certainly nothing.
    #[inline]
    pub(super) fn next_sign(&self, raw: &[u8], from: usize) -> Option<usize> {
        if self.has_signs() { self.gate.next_sign(raw, from) } else { (from < raw.len()).then_some(from) }
    }

    /// Does each thing that it looks for show in raw JSON?
    pub(super) fn has_signs(&self) -> bool {
        self.is_open && !self.is_blind
    }

    /// The detectors, by the index that matches carry.
    pub fn detectors(&self) -> &[Detector] {
        &self.detectors
    }

    /// Whether the still escaped content of a JSON string may have a match once decoded; `false` is certain.
    pub fn raw_gate(&self, raw: &[u8]) -> bool {
        self.is_open || self.detectors.iter().any(|detector| detector.raw_gate(raw))
    }

    /// All matches in the decoded `text`: sorted, none empty, none overlapping. Gates are part of it.
    pub fn scan<'found>(&self, text: &[u8], found: &'found mut Found) -> &'found [Match] {
        self.scan_near(text, &Near::default(), found)
    }

    /// The same for a text of which more is known. Of a JSON number only numbers are asked.
    #[inline]
    pub fn scan_near<'found>(&self, text: &[u8], near: &Near<'_>, found: &'found mut Found) -> &'found [Match] {
        found.matches.clear();
        if self.is_open {
            self.look_for_all(text, near, found);
        } else {
            // A few detectors have gates of their own, and one look for all is dearer than these.
            for &(index, _) in &self.single {
                self.look_for(index, (text, near, None), found);
            }
            if fold::is_needed(text) {
                self.look_folded(text, near, found);
            }
        }
        if found.matches.len() > 1 {
            unite(&mut found.matches, &self.detectors);
        }
        &found.matches
    }

    #[inline]
    fn look_for(&self, index: usize, (text, near, from): (&[u8], &Near<'_>, Option<usize>), found: &mut Found) {
        let detector = &self.detectors[index];
        if !near.is_number || detector.kind() == Some(Kind::PaymentCard) {
            match from {
                Some(from) => detector.find_from(text, from, &mut found.spans),
                None => detector.find(text, &mut found.spans),
            }
            self.take(index, text, found);
        }
    }

    #[inline]
    fn look_for_all(&self, text: &[u8], near: &Near<'_>, found: &mut Found) {
        let signs = self.gate.signs(text);
        if !signs.is_empty() || self.is_blind {
            self.look_with(&signs, (text, near), found);
        }
    }

    #[inline(never)]
    fn look_with(&self, signs: &Signs, (text, near): (&[u8], &Near<'_>), found: &mut Found) {
        if signs.has(gate::ODD) {
            self.look_folded(text, near, found);
        }
        for &(index, needs) in &self.single {
            if needs == Signals::MAX {
                self.look_for(index, (text, near, None), found);
            } else if signs.has(needs) {
                self.look_for(index, (text, near, Some(signs.first(needs))), found);
            }
        }
        if !near.is_number {
            if signs.has(gate::ASSIGNED) {
                self.find_assigned((text, signs.first(gate::ASSIGNED)), found);
            }
            if let Some(index) = self.passports {
                ids::find_passports(text, &mut found.spans);
                self.take(index, text, found);
            }
        }
        if signs.has(gate::DIGITS) {
            self.find_numbers((text, near, signs.first(gate::DIGITS)), found);
        }
    }

    /// Looks at the text as it reads without the characters that people do not see. Nothing of such a match is kept.
    #[cold]
    fn look_folded(&self, text: &[u8], near: &Near<'_>, found: &mut Found) {
        let mut folded = std::mem::take(&mut found.folded);
        folded.fold(text);
        let first = found.matches.len();
        if self.is_open {
            // What reads like one of these characters only now is no such character.
            self.look_with(&self.gate.signs(&folded.text).without(gate::ODD), (&folded.text, near), found);
        } else {
            self.single.iter().for_each(|&(index, _)| self.look_for(index, (&folded.text, near, None), found));
        }
        for found in &mut found.matches[first..] {
            *found = Match { span: folded.place(&found.span), shape: Shape::Opaque, ..*found };
        }
        found.folded = folded;
    }

    /// Makes matches of the spans that the detector at `index` found.
    #[inline]
    fn take(&self, index: usize, text: &[u8], found: &mut Found) {
        let Found { matches, spans, .. } = found;
        if spans.is_empty() {
            return;
        }
        matches.extend(spans.drain(..).map(|span| {
            let shape = self.detectors[index].shape(text, &span);
            Match { span, detector: index, shape }
        }));
    }

    fn find_assigned(&self, (text, from): (&[u8], usize), found: &mut Found) {
        let Some(assigned) = self.gate.assigned() else { return };
        let [text_place, query_place] = &self.assigned;
        assigned.for_each(text, from, |span, form| {
            let place = if form == Form::Query { query_place } else { text_place };
            if let Some(detector) = *place {
                found.matches.push(Match { span, detector, shape: Shape::Opaque });
            }
        });
    }

    /// Asks about each run of digits, the first of which begins at `from`.
    fn find_numbers(&self, (text, near, mut from): (&[u8], &Near<'_>, usize), found: &mut Found) {
        while let Some(run) = numbers::next_run(text, from) {
            from = run.span.end;
            if !run.is_idle(text) {
                self.ask((text, near), &run, found);
            }
        }
    }

    /// Asks each detector of numbers about a run of digits.
    fn ask(&self, (text, near): (&[u8], &Near<'_>), run: &Run, found: &mut Found) {
        for &(index, kind) in &self.numbers {
            let spans = &mut found.spans;
            match kind {
                Kind::PaymentCard if run.digits < card::FEWEST || iban::is_form(text, run) => {}
                Kind::PaymentCard => card::find_within(text, run.span.clone(), spans),
                Kind::Iban => iban::at_run(text, run, spans),
                Kind::Phone => phone::at_run(text, run, *near, spans),
                _ => ids::at_run(kind, (text, run), *near, spans),
            }
            self.take(index, text, found);
        }
    }
}

/// Sorts the matches and joins those that overlap; those that only touch stay apart.
fn unite(matches: &mut Vec<Match>, detectors: &[Detector]) {
    matches.sort_unstable_by_key(|found| (found.span.start, usize::MAX - found.span.end, found.detector));
    matches.dedup_by(|next, kept| {
        let overlap = next.span.start < kept.span.end;
        let is = |found: &Match, kind| detectors[found.detector].kind() == Some(kind);
        // The address that begins in a password ends with the host, which tells nothing without its beginning.
        let is_host = is(kept, Kind::UrlCredentials) && is(next, Kind::Email);
        if overlap && !is_host {
            kept.span.end = kept.span.end.max(next.span.end);
            kept.shape = Shape::Opaque;
        }
        overlap
    });
}

#[cfg(test)]
mod tests;
