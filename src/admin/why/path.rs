//! What is said of one file.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use chrono::{DateTime, SecondsFormat};

use super::causes::{Cause, Finding};
use super::look::Look;
use super::seen::{Seen, SeenSource};
use crate::component::clock;
use crate::component::inspect::{FileReport, FileState, Meant, Position, Verdict};
use crate::config::show_size;

const NANOS: i64 = 1_000_000_000;

/// What keeps the logs of the file at `path`, or that nothing does.
pub(super) fn findings(path: &Path, seen: &Seen<'_>) -> Vec<Finding> {
    let look = Look::at(path);
    let judged: Vec<_> = seen.sources.iter().map(|source| (source, source.inspect.judge(path))).collect();
    let mut findings = Vec::new();
    for (source, verdict) in &judged {
        match (report(source, path, &look), &verdict.meant) {
            (Some(report), _) => findings.extend(of_report(source, report)),
            (None, Meant::Yes(rule)) => findings.extend(of_meant(source, (rule, verdict), (path, &look), seen.is_live)),
            (None, Meant::Excluded(_) | Meant::No { .. }) => {}
        }
    }
    if findings.is_empty() {
        findings = unmeant(&judged);
        if let Look::Not(finding) = look {
            findings.push(*finding);
        }
    }
    findings
}

/// The file as a source reports it: by where it lies, else by its path.
fn report<'r>(source: &'r SeenSource<'_>, path: &Path, look: &Look) -> Option<&'r FileReport> {
    let shown = path.to_string_lossy();
    let lies_there = |file: &&FileReport| match look {
        Look::There(about) => (file.device, file.inode) == (about.dev(), about.ino()),
        Look::Not(_) => false,
    };
    let is_open = |file: &&FileReport| file.state != FileState::Finished;
    let by_path = |file: &&FileReport| file.path == shown;
    let files = || source.files.iter();
    // Another file may have the path by now: one that is finished is told of only if nothing else has.
    let there = files().filter(is_open).find(lies_there).or_else(|| files().filter(is_open).find(by_path));
    there.or_else(|| files().find(lies_there)).or_else(|| {
        let is_there = matches!(look, Look::There(_));
        files().find(by_path).filter(|_| !is_there)
    })
}

/// A file that is followed, or was.
fn of_report(source: &SeenSource<'_>, report: &FileReport) -> Vec<Finding> {
    let mut findings = vec![state(source, report).of(source.id)];
    if let Some(error) = &report.last_error
        && report.state != FileState::Unreadable
    {
        findings[0].text = format!("{}; last error: {error}", findings[0].text);
    }
    findings.extend(discarded(source));
    findings
}

fn state(source: &SeenSource<'_>, report: &FileReport) -> Finding {
    let FileReport { path, size, lag_bytes, lag_seconds, .. } = report;
    let read = format!("{} of {} delivered", show_size(report.delivered), show_size(*size));
    let reason = report.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    match report.state {
        FileState::Unreadable => {
            let error = report.last_error.as_deref().unwrap_or("it cannot be read");
            match Look::at(Path::new(path)) {
                Look::Not(finding) => *finding,
                Look::There(_) => Finding::new(Cause::Unreadable, format!("cannot be read: {error}; tried again")),
            }
        }
        FileState::Paused => paused(source, &format!("{read}; ")),
        FileState::Failed => {
            Finding::new(Cause::Failed, format!("{read}; a batch failed and is offered again{reason}"))
                .next("`levada status` says why a sink fails")
        }
        FileState::Silent => Finding::new(Cause::Silent, format!("the thread that reads it does not answer{reason}"))
            .next("see whether its file system hangs (`cat` the file), then restart the agent"),
        FileState::WaitsForRoom => Finding::new(Cause::Waits, format!("{read}; it waits for room in a queue{reason}"))
            .next("`levada top` shows which queue is full: its sink is too slow or refused"),
        FileState::WaitsForMemory => Finding::new(Cause::Waits, format!("{read}; it waits for memory{reason}"))
            .next("raise `memory_limit`, or see with `levada top` which queue holds it"),
        FileState::RateLimited => Finding::new(Cause::Waits, format!("{read}; its rate limit is reached{reason}"))
            .next("raise the rate limit, or have its writer write less"),
        FileState::Abandoned => Finding::new(Cause::Abandoned, format!("{read}; what is not read is given up{reason}"))
            .next("`levada_abandoned_bytes_total` counts it; raise the limit that was reached"),
        FileState::Found => {
            let why = report.reason.as_deref().unwrap_or("not read before its key is on the disk");
            Finding::new(Cause::NotDiscovered, format!("found; {why}"))
        }
        FileState::LeftOut => Finding::new(Cause::LeftOut, format!("found, and left out{reason}"))
            .next("`levada files` shows what is read; look there for its lines"),
        FileState::Finished => Finding::new(Cause::Finished, format!("read to its end and closed, {read}{reason}")),
        FileState::Reading | FileState::Quiet if *lag_bytes > 0 || report.delivered < report.offset => {
            let rate = show_size(report.bytes_per_second as u64);
            let (left, flight) = (show_size(*lag_bytes), show_size(report.offset.saturating_sub(report.delivered)));
            let text = format!(
                "behind: {left} not read for {lag_seconds:.1} s, {flight} in flight, read at {rate}/s; {read}{reason}"
            );
            Finding::new(Cause::Behind, text).next("`levada top` shows the step or sink that is busiest")
        }
        FileState::Reading | FileState::Quiet => Finding::new(Cause::Delivered, format!("read to its end, {read}"))
            .next("look for its records at the destination, and with `levada tap`"),
    }
}

fn paused(source: &SeenSource<'_>, before: &str) -> Finding {
    let since = source.paused.map_or_else(String::new, |paused| format!(" since {}", time(paused.since)));
    let text = format!("{before}the source is paused{since}");
    Finding::new(Cause::Paused, text).next(format!("`levada resume {}`", source.id))
}

/// A file that is meant and not followed.
fn of_meant(
    source: &SeenSource<'_>,
    (rule, verdict): (&str, &Verdict),
    (path, look): (&Path, &Look),
    is_live: bool,
) -> Vec<Finding> {
    let about = match look {
        Look::Not(finding) => {
            let meant = format!("{} (the source reads {rule})", finding.text);
            return vec![Finding { text: meant, ..(**finding).clone() }.of(source.id)];
        }
        Look::There(about) => about,
    };
    let mut findings: Vec<_> = source.paused.map(|_| paused(source, "")).into_iter().collect();
    let kept = source.positions.iter().find(|position| (position.device, position.inode) == (about.dev(), about.ino()));
    let age = (clock::now() / NANOS - about.mtime()).max(0);
    match verdict.ignore_older_secs {
        Some(limit) if age > limit as i64 && kept.is_none_or(|kept| !kept.is_followed) => {
            let text = format!("was last written {age} s ago, and `ignore_older_secs` is {limit}");
            findings.push(Finding::new(Cause::TooOld, text).next("raise `ignore_older_secs`, or leave it out"));
        }
        _ if is_live => findings.push(undiscovered(rule, verdict)),
        _ => findings.push(alone(rule, (path, about), kept)),
    }
    findings.into_iter().map(|finding| finding.of(source.id)).collect()
}

fn undiscovered(rule: &str, verdict: &Verdict) -> Finding {
    let within = verdict.look_every.as_secs_f64();
    let text = format!("meant by {rule}, and not found yet; the next look comes within {within:.1} s");
    Finding::new(Cause::NotDiscovered, text).next("ask again then")
}

/// What can be said without an agent.
fn alone(rule: &str, (path, about): (&Path, &Metadata), kept: Option<&Position>) -> Finding {
    let size = about.len();
    let from = match kept {
        Some(kept) if kept.offset < size => {
            format!("{} of {} are left to read", show_size(size - kept.offset), show_size(size))
        }
        Some(_) => format!("all {} of it were delivered", show_size(size)),
        None => format!("nothing of its {} was delivered", show_size(size)),
    };
    let text = format!("no agent listens; one would read `{}`: it is meant by {rule}, and {from}", path.display());
    Finding::new(Cause::NoAgent, text).next("start the agent, or say where it runs by `--data-dir FOLDER`")
}

/// No source means it: by which rule it is left out, or which comes nearest.
fn unmeant(judged: &[(&SeenSource<'_>, Verdict)]) -> Vec<Finding> {
    if judged.is_empty() {
        let finding = Finding::new(Cause::NotIncluded, "no source follows files");
        return vec![finding.next("add a source of type `file`; `levada list file` shows its settings")];
    }
    let excluded = judged.iter().filter_map(|(source, verdict)| match &verdict.meant {
        Meant::Excluded(rule) => Some(
            Finding::new(Cause::Excluded, format!("left out by {rule}"))
                .next("take the rule out, or make it narrower")
                .of(source.id),
        ),
        _ => None,
    });
    let excluded: Vec<_> = excluded.collect();
    if !excluded.is_empty() {
        return excluded;
    }
    let near = judged.iter().find_map(|(source, verdict)| match &verdict.meant {
        Meant::No { nearest: Some((rule, difference)) } => Some((source.id, rule, difference)),
        _ => None,
    });
    let finding = Finding::new(Cause::NotIncluded, "no source reads it");
    vec![match near {
        Some((id, rule, difference)) => {
            let text = format!("no source reads it; {rule} comes nearest: {difference}");
            Finding { text, ..finding }.of(id).next("add the path to `include`")
        }
        None => finding.next("add the path to the `include` of a source"),
    }]
}

/// What became of the source's records besides; not of this file's alone.
fn discarded(source: &SeenSource<'_>) -> Option<Finding> {
    if source.discarded.is_empty() {
        return None;
    }
    let each = source.discarded.iter().map(|(component, reason, count)| format!("`{component}`: {count} {reason}"));
    let text = format!("of all records of this source went no further: {}", each.collect::<Vec<_>>().join(", "));
    Some(Finding::new(Cause::Discarded, text).next("`levada tap COMPONENT` shows what passes").of(source.id))
}

fn time(nanos: i64) -> String {
    DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(SecondsFormat::Secs, true)
}
