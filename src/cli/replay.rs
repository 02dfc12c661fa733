//! `levada replay`: sends dead letters to a sink again.

use std::io::{IsTerminal, stderr};
use std::process::ExitCode;

use super::client::{Which, runtime};
use super::screen::say;
use super::{FAULTY, failed};
use crate::admin::{ReplayRequest, Replayed};

/// Send dead letters to a sink again, as the records they were: what arrives is taken out of the folder.
#[derive(Debug, clap::Args)]
pub(super) struct Replay {
    /// The sink that gets them.
    #[arg(long, value_name = "ID")]
    to: String,
    /// Whose letters: a component, also one that is gone; by default those of the sink itself.
    #[arg(long, value_name = "ID")]
    from: Option<String>,
    #[command(flatten)]
    which: Which,
    /// Only those that meet this VRL condition; it sees them as `levada dead-letters show` shows them.
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,
    /// Only count what would be sent.
    #[arg(long)]
    dry_run: bool,
}

/// Columns of the bar.
const BAR: u64 = 30;

pub(super) fn replay(arguments: &Replay) -> ExitCode {
    match runtime().and_then(|runtime| runtime.block_on(run(arguments))) {
        Ok(done) if done.kept > 0 => {
            failed(&format!("{} did not arrive; they are still there: send them again later", done.kept), FAULTY)
        }
        Ok(_) => ExitCode::SUCCESS,
        Err(why) => failed(&why, FAULTY),
    }
}

/// Asks for the replay and shows how far it is; tells what came of it.
async fn run(arguments: &Replay) -> Result<Replayed, String> {
    let request = ReplayRequest {
        to: arguments.to.clone(),
        from: arguments.from.clone(),
        condition: arguments.condition.clone(),
        dry_run: arguments.dry_run,
    };
    let mut lines = arguments.which.agent()?.lines("/replay", &request).await?;
    let has_bar = stderr().is_terminal();
    let mut done = Replayed::default();
    while let Some(line) = lines.next().await? {
        done = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        if has_bar {
            eprint!("\r{}", bar(&done));
        }
    }
    if has_bar {
        eprintln!();
    }
    if !done.is_over {
        return Err("the agent ended before the replay did: send them again".to_owned());
    }
    say(&sum(&done, arguments.dry_run));
    done.why.clone().map_or(Ok(done), Err)
}

fn bar(done: &Replayed) -> String {
    let whole = done.bytes.max(1);
    let share = done.done_bytes.min(whole);
    let full = (share * BAR / whole) as usize;
    let (full, rest) = ("#".repeat(full), "-".repeat(BAR as usize - full));
    format!("[{full}{rest}] {:>3} %  {} letters", share * 100 / whole, done.selected)
}

fn sum(done: &Replayed, is_dry: bool) -> String {
    let letters = |count: u64| if count == 1 { "1 letter".to_owned() } else { format!("{count} letters") };
    if is_dry {
        return format!("{} would be sent\n", letters(done.selected)) + &left_out(done);
    }
    let refused = match done.refused {
        0 => String::new(),
        refused => format!(", {refused} refused again (they are new letters)"),
    };
    format!("{} sent, {} delivered{refused}\n", letters(done.selected), done.delivered) + &left_out(done)
}

fn left_out(done: &Replayed) -> String {
    let failed = format!("the condition failed on {}, which stay\n", done.failed);
    let unreadable = format!("{} lines are no letters that can be sent; they stay\n", done.unreadable);
    let told = [(done.failed, failed), (done.unreadable, unreadable)];
    told.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_and_the_sum_tell_how_far_it_is() {
        let mut done = Replayed { bytes: 200, done_bytes: 50, selected: 7, ..Replayed::default() };
        assert_eq!(bar(&done), "[#######-----------------------]  25 %  7 letters");
        assert_eq!(bar(&Replayed::default()), "[------------------------------]   0 %  0 letters");
        assert_eq!(sum(&done, true), "7 letters would be sent\n");
        (done.delivered, done.refused, done.unreadable) = (4, 3, 2);
        let told = "7 letters sent, 4 delivered, 3 refused again (they are new letters)\n\
                    2 lines are no letters that can be sent; they stay\n";
        assert_eq!(sum(&done, false), told);
    }
}
