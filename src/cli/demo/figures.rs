//! The figures of the demonstration, read where everyone reads them: in the meters.

use prometheus::proto::{Metric, MetricFamily};

use crate::component::meters::Families;

/// Records that went no further, at one component, for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) component: String,
    pub(super) reason: String,
    pub(super) records: u64,
}

/// How it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    /// Records the source has read.
    pub(super) read: u64,
    /// Bytes it has read.
    pub(super) bytes: u64,
    /// Records at the sink that counts.
    pub(super) delivered: u64,
    /// What went no further.
    pub(super) dropped: Vec<Dropped>,
    /// Values that were masked, by detector.
    pub(super) masked: Vec<(String, u64)>,
}

impl Figures {
    /// As the meters have it, with what `source` has read and `sink` has delivered.
    pub(super) fn read(families: &Families, source: &str, sink: &str) -> Self {
        let mut figures = Self::default();
        for family in families.registry().gather() {
            family.get_metric().iter().for_each(|metric| figures.take(&family, metric, (source, sink)));
        }
        figures
    }

    fn take(&mut self, family: &MetricFamily, metric: &Metric, (source, sink): (&str, &str)) {
        let label = |name: &str| {
            let found = metric.get_label().iter().find(|label| label.name() == name);
            found.map_or("", |label| label.value()).to_owned()
        };
        let value = metric.get_counter().get_value() as u64;
        let component = label("component_id");
        match family.name() {
            "levada_component_received_events_total" if component == source => self.read = value,
            "levada_component_received_bytes_total" if component == source => self.bytes = value,
            "levada_component_sent_events_total" if component == sink => self.delivered = value,
            "levada_component_discarded_events_total" if value > 0 => {
                self.dropped.push(Dropped { component, reason: label("reason"), records: value });
            }
            "levada_scrubbed_values_total" => self.masked.push((label("detector"), value)),
            _ => {}
        }
    }

    /// Values that were masked.
    pub(super) fn all_masked(&self) -> u64 {
        self.masked.iter().map(|(_, values)| values).sum()
    }

    /// Records that went no further.
    pub(super) fn all_dropped(&self) -> u64 {
        self.dropped.iter().map(|dropped| dropped.records).sum()
    }

    /// Records that went no further for `reason`.
    pub(super) fn dropped_for(&self, reason: &str) -> u64 {
        self.dropped.iter().filter(|dropped| dropped.reason == reason).map(|dropped| dropped.records).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::meters::Label;
    use crate::component::reason::Reason;

    #[test]
    fn reads_what_the_meters_count() {
        let families = Families::default();
        let meters = |id: &str, kind| families.meters(&Label { id: id.into(), kind, type_name: "any" });
        let (app, few, out) = (meters("app", "source"), meters("few", "transform"), meters("out", "sink"));
        app.received(10, 900);
        few.discarded(Reason::Sampled, 3);
        few.scrubbed("email", 4);
        out.sent(7, 0);
        let figures = Figures::read(&families, "app", "out");
        assert_eq!((figures.read, figures.bytes, figures.delivered), (10, 900, 7));
        assert_eq!((figures.all_dropped(), figures.dropped_for("sampled"), figures.dropped_for("filtered")), (3, 3, 0));
        assert_eq!(figures.all_masked(), 4);
    }
}
