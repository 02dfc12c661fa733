//! What made-up lines look like.

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use fastrand::Rng;
use schemars::JsonSchema;
use serde::Deserialize;

use super::flows::Flows;
use crate::component::clock;

/// What the lines look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    /// Requests to a web server, as JSON objects.
    Json,
    /// One of `lines`, at random.
    Shuffle,
    /// The common log format of the Apache web server.
    ApacheCommon,
    /// The error log of the Apache web server.
    ApacheError,
    /// RFC 5424.
    Syslog,
    /// RFC 3164.
    BsdSyslog,
    /// The services of `Go2Asia`: flows with correlation and trace ids, personal data, health checks, noise.
    Go2asia,
}

const USERS: &[&str] = &["alma", "bo", "chidi", "-"];
const METHODS: &[&str] = &["GET", "POST", "PUT", "DELETE"];
const PATHS: &[&str] = &["/", "/cart", "/api/v1/orders", "/login", "/health"];
const STATUS: &[&str] = &["200", "201", "302", "404", "500"];
const PROGRAMS: &[&str] = &["sshd", "cron", "kernel", "dockerd"];
const EVENTS: &[&str] = &["connection closed", "job finished", "out of file handles", "retrying in 5 s"];

/// Makes lines of one format.
#[derive(Debug)]
pub(super) struct Maker {
    format: Format,
    random: Rng,
    flows: Flows,
    lines: Vec<String>,
    is_numbered: Option<u64>,
}

impl Maker {
    pub(super) fn new((format, seed): (Format, u64), lines: &[String], sequence: bool) -> Self {
        let is_numbered = sequence.then_some(0);
        Self { format, random: Rng::with_seed(seed), flows: Flows::new(seed), lines: lines.to_vec(), is_numbered }
    }

    /// Appends the next line, without its line feed.
    pub(super) fn write_line(&mut self, out: &mut String) {
        let now = clock::now();
        match self.format {
            Format::Go2asia => {
                self.flows.write_next(now, out);
            }
            Format::Shuffle => self.shuffle(out),
            // Writing into a string cannot fail.
            _ => drop(self.write_classic(DateTime::from_timestamp_nanos(now), out)),
        }
    }

    fn shuffle(&mut self, out: &mut String) {
        if let Some(number) = &mut self.is_numbered {
            let _ = write!(out, "{number} ");
            *number += 1;
        }
        out.push_str(&self.lines[self.random.usize(..self.lines.len())]);
    }

    fn write_classic(&mut self, time: DateTime<Utc>, out: &mut String) -> std::fmt::Result {
        let mut pick = |from: &[&'static str]| from[self.random.usize(..from.len())];
        let (user, method, path, status) = (pick(USERS), pick(METHODS), pick(PATHS), pick(STATUS));
        let (program, event) = (pick(PROGRAMS), pick(EVENTS));
        let (host, size, process) = (self.random.u8(1..), self.random.u16(..), self.random.u16(2..));
        let stamp = time.to_rfc3339_opts(SecondsFormat::Millis, true);
        match self.format {
            Format::Json => write!(
                out,
                r#"{{"timestamp":"{stamp}","host":"192.0.2.{host}","user":"{user}","method":"{method}","path":"{path}","status":{status},"bytes":{size}}}"#
            ),
            Format::ApacheCommon => {
                let stamp = time.format("%d/%b/%Y:%H:%M:%S %z");
                write!(out, r#"192.0.2.{host} - {user} [{stamp}] "{method} {path} HTTP/1.1" {status} {size}"#)
            }
            Format::ApacheError => {
                let stamp = time.format("%a %b %d %H:%M:%S%.6f %Y");
                write!(out, "[{stamp}] [core:error] [pid {process}] [client 192.0.2.{host}:{size}] {event}: {path}")
            }
            Format::Syslog => write!(out, "<{}>1 {stamp} node-{host} {program} {process} - - {event}", host % 192),
            _ => {
                let stamp = time.format("%b %e %H:%M:%S");
                write!(out, "<{}>{stamp} node-{host} {program}[{process}]: {event}", host % 192)
            }
        }
    }
}
