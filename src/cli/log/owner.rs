//! Whose a line is: the component in whose span it is logged.

use std::fmt::Debug;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

use crate::component::meters::COMPONENT;

/// A component, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) id: String,
    kind: String,
    type_name: String,
}

impl Owner {
    /// One of which only the name is known.
    pub(super) fn named(id: String) -> Self {
        Self { id, ..Self::default() }
    }

    /// The component that a span is of, if it is one of those.
    pub(super) fn of(span: &Attributes<'_>) -> Option<Self> {
        let mut owner = Self::default();
        span.record(&mut owner);
        (span.metadata().name() == COMPONENT).then_some(owner)
    }

    /// What is known of it.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [("component_id", &self.id), ("component_kind", &self.kind), ("component_type", &self.type_name)];
        all.into_iter().map(|(name, text)| (name, text.as_str())).filter(|(_, text)| !text.is_empty())
    }
}

impl Visit for Owner {
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "component_id" => value.clone_into(&mut self.id),
            "component_kind" => value.clone_into(&mut self.kind),
            "component_type" => value.clone_into(&mut self.type_name),
            _ => {}
        }
    }
}

/// What is logged: what the levels say. They are of lines: a component's span is always there, to say whose a line is.
pub(super) struct Chosen(pub(super) EnvFilter);

fn is_component(about: &Metadata<'_>) -> bool {
    about.is_span() && about.name() == COMPONENT
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Filter<S> for Chosen {
    fn enabled(&self, about: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        is_component(about) || Filter::<S>::enabled(&self.0, about, context)
    }

    fn callsite_enabled(&self, about: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        if is_component(about) {
            return tracing::subscriber::Interest::always();
        }
        Filter::<S>::callsite_enabled(&self.0, about)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Filter::<S>::max_level_hint(&self.0).map(|most| most.max(LevelFilter::ERROR))
    }

    fn on_new_span(&self, span: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        Filter::<S>::on_new_span(&self.0, span, id, context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        Filter::<S>::on_record(&self.0, id, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        Filter::<S>::on_enter(&self.0, id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        Filter::<S>::on_exit(&self.0, id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        Filter::<S>::on_close(&self.0, id, context);
    }
}
