//! The shelf of sinks: one row each.

mod blackhole;
mod console;
mod elasticsearch;
mod file;
mod http;

use crate::component::row::Row;
use crate::delivery::Drain;

/// Every kind of sink.
pub const ROWS: &[Row<Box<dyn Drain>>] = &[
    Row::of::<blackhole::BlackholeSettings>(),
    Row::of::<console::ConsoleSettings>(),
    Row::of::<elasticsearch::ElasticsearchSettings>(),
    Row::of::<file::FileSettings>(),
    Row::of::<http::HttpSettings>(),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The TOML at the head of a component's file.
    fn example(source: &str) -> toml::Table {
        let lines = source.lines().map(|line| line.trim_start_matches("//!").trim_start());
        let block = lines.skip_while(|line| *line != "```toml").skip(1).take_while(|line| *line != "```");
        block.collect::<Vec<_>>().join("\n").parse().unwrap()
    }

    #[test]
    fn the_example_of_every_sink_is_a_configuration_without_a_fault() {
        let sources = [
            include_str!("blackhole.rs"),
            include_str!("console/mod.rs"),
            include_str!("elasticsearch/mod.rs"),
            include_str!("file/mod.rs"),
            include_str!("http/mod.rs"),
        ];
        assert_eq!(sources.len(), ROWS.len());
        for (row, source) in ROWS.iter().zip(sources) {
            let sinks = example(source).remove("sinks").unwrap();
            let mut settings = sinks.as_table().unwrap().values().next().unwrap().as_table().unwrap().clone();
            assert_eq!(settings.remove("type").unwrap().as_str(), Some(row.name));
            assert!(settings.remove("inputs").is_some(), "{}", row.name);
            assert_eq!((row.check)(&settings), Ok(vec![]), "{}", row.name);
        }
    }
}
