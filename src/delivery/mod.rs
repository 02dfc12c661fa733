//! What every sink shares: cutting requests, retries, outcomes, dead letters.

mod cutter;
mod request;
mod share;
