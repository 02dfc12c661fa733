//! Union of the spans that one detector found by more than one rule.

use std::ops::Range;

/// Sorts the spans from index `first` on and joins those that overlap; spans that only touch stay apart.
pub(crate) fn unite(found: &mut Vec<Range<usize>>, first: usize) {
    if found.len() < first + 2 {
        return;
    }
    found[first..].sort_unstable_by_key(|span| span.start);
    let mut kept = first;
    for next in first + 1..found.len() {
        let span = found[next].clone();
        if span.start < found[kept].end {
            found[kept].end = found[kept].end.max(span.end);
        } else {
            kept += 1;
            found[kept] = span;
        }
    }
    found.truncate(kept + 1);
}
