//! All detectors of a `scrub` step over one text.

use std::ops::Range;

use super::{Detector, Shape};

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
}

impl Found {
    /// Matches of the last scan: sorted, none empty, none overlapping.
    pub fn matches(&self) -> &[Match] {
        &self.matches
    }
}

/// A set of detectors.
#[derive(Debug, Clone, Default)]
pub struct Scanner {
    detectors: Vec<Detector>,
}

impl Scanner {
    /// A scanner over `detectors`, in the order in which matches name them.
    pub fn new(detectors: Vec<Detector>) -> Self {
        Self { detectors }
    }

    /// The detectors, by the index that matches carry.
    pub fn detectors(&self) -> &[Detector] {
        &self.detectors
    }

    /// Whether the still escaped content of a JSON string may have a match once decoded; `false` is certain.
    pub fn raw_gate(&self, raw: &[u8]) -> bool {
        self.detectors.iter().any(|detector| detector.raw_gate(raw))
    }

    /// All matches in the decoded `text`: sorted, none empty, none overlapping. Gates are part of it.
    pub fn scan<'found>(&self, text: &[u8], found: &'found mut Found) -> &'found [Match] {
        found.matches.clear();
        let mut contributors = 0;
        for (index, detector) in self.detectors.iter().enumerate() {
            detector.find(text, &mut found.spans);
            if found.spans.is_empty() {
                continue;
            }
            contributors += 1;
            found.matches.extend(found.spans.drain(..).map(|span| {
                let shape = detector.shape(text, &span);
                Match { span, detector: index, shape }
            }));
        }
        if contributors > 1 {
            unite(&mut found.matches);
        }
        &found.matches
    }
}

/// Sorts the matches and joins those that overlap; those that only touch stay apart.
fn unite(matches: &mut Vec<Match>) {
    matches.sort_unstable_by_key(|found| (found.span.start, usize::MAX - found.span.end, found.detector));
    matches.dedup_by(|next, kept| {
        let overlap = next.span.start < kept.span.end;
        if overlap {
            kept.span.end = kept.span.end.max(next.span.end);
            kept.shape = Shape::Opaque;
        }
        overlap
    });
}

#[cfg(test)]
mod tests;
