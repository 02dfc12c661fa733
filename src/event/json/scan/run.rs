//! Which registers the processor has, for whoever brings [`Work`].
#![allow(unsafe_code)]

use std::sync::LazyLock;

use super::Work;
use super::avx2::Wide;
use super::avx512::Whole;
use super::sse2::Block;

/// The widest registers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Widest {
    Sixteen,
    ThirtyTwo,
    SixtyFour,
}

/// Asked once: a line is not much longer than the question.
static WIDEST: LazyLock<Widest> = LazyLock::new(|| {
    let has_more = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt");
    // Processors before those with VBMI2 work slower for a while after an instruction of 64 bytes.
    let has_most = is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vbmi2");
    match (has_more, has_more && has_most) {
        (_, true) => Widest::SixtyFour,
        (true, _) => Widest::ThirtyTwo,
        _ => Widest::Sixteen,
    }
});

/// Does `work` with the widest registers there are.
#[inline]
pub(crate) fn run<W: Work>(work: W) -> W::Done {
    match *WIDEST {
        // SAFETY: the processor has what the function is compiled for.
        Widest::SixtyFour => unsafe { with_sixty_four(work) },
        // SAFETY: as above.
        Widest::ThirtyTwo => unsafe { with_thirty_two(work) },
        Widest::Sixteen => work.run::<Block>(),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2,lzcnt,popcnt")]
fn with_sixty_four<W: Work>(work: W) -> W::Done {
    work.run::<Whole>()
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn with_thirty_two<W: Work>(work: W) -> W::Done {
    work.run::<Wide>()
}

/// What each of the widths that the processor has gives.
#[cfg(test)]
pub(super) fn all<W: Work>(work: impl Fn() -> W) -> Vec<W::Done> {
    let mut done = vec![work().run::<Block>()];
    if *WIDEST != Widest::Sixteen {
        // SAFETY: as in `run`.
        done.push(unsafe { with_thirty_two(work()) });
    }
    done.push(run(work()));
    done
}
