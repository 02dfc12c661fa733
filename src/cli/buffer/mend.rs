//! `levada buffer repair`: mends the buffers of an agent that does not run.

use std::process::ExitCode;

use super::{Fault, Found};
use crate::buffer::repair::{How, Repaired, repair};
use crate::cli::FAULTY;
use crate::cli::screen::say;
use crate::component::clock;

pub(super) fn mend(found: &Found, ids: &[String], how: How) -> Result<ExitCode, Fault> {
    let now = (clock::now() / 60_000_000_000) as u32;
    let mut is_done = true;
    for id in found.meant(ids)? {
        let path = found.path(&id)?;
        let failed = |error| (format!("cannot repair the buffer in `{}`: {error}", path.display()), FAULTY);
        let told = repair(&path, how, found.max_size(&id), now).map_err(failed)?;
        is_done &= told.newer == 0;
        say(&format!("{id}: {}\n", words(&told, how)));
    }
    Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::from(FAULTY) })
}

fn words(told: &Repaired, how: How) -> String {
    let Repaired { torn, damaged, lost, rewritten, heads, set_aside, unkept, ledgers, newer } = told;
    if *newer > 0 {
        return format!("nothing done: a later version wrote {newer} of its files; repair it with that version");
    }
    if told.is_sound() {
        let missing = if *lost > 0 { format!("; {lost} frames are missing") } else { String::new() };
        return format!("sound: nothing to be done{missing}");
    }
    let deeds = [
        (*torn > 0, format!("{torn} torn bytes at its end cut off")),
        (*rewritten > 0, format!("{rewritten} files written anew, {damaged} damaged bytes moved to `quarantine`")),
        (*heads > 0, format!("{heads} of them with a new head")),
        (!set_aside.is_empty(), format!("{} unreadable files moved to `quarantine`", set_aside.len())),
        (*unkept > 0, format!("{unkept} bytes of these removed, since `quarantine` has no room for them")),
        (*ledgers > 0, format!("{ledgers} ledgers made again: what was delivered last may be sent once more")),
        (*lost > 0, format!("{lost} frames are lost")),
    ];
    let deeds: Vec<_> = deeds.into_iter().filter(|(is_so, _)| *is_so).map(|(_, deed)| deed).collect();
    let deeds = deeds.join("; ");
    if how == How::DryRun { format!("would be mended: {deeds}") } else { deeds }
}
