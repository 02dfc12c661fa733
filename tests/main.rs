//! Levada against peers that refuse, stall, cut, answer nonsense: one binary, everything in this process.
#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect shall fail there")]

mod agent;
mod peer;
mod wait;

mod alerts;
mod arrival;
mod cases;
mod control;
mod demo;
mod deploy;
mod disk;
mod examples;
mod export;
mod faults;
mod files;
mod functions;
mod held;
mod hold;
mod letters;
mod overload;
mod pages;
mod privacy;
mod readme;
mod refusal;
mod reload;
mod restart;
mod rights;
mod scrub;
mod swaps;
mod tidy;
mod vector_compat;
