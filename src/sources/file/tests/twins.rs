//! Files that are alike byte for byte, and files that other programs have compressed.

use std::fs;

use super::engine::Engine;
use super::{Bench, append, errors};
use crate::component::inspect::FileState;
use crate::component::test_kit::Catcher;

/// The same lines each time: without times, short and longer than what a file is known by.
const LENGTHS: [usize; 2] = [3, 300];

fn lines(count: usize) -> String {
    "the same line\n".repeat(count)
}

#[test]
fn files_with_the_same_lines_are_all_read_and_go_on_after_a_restart() {
    for count in LENGTHS {
        let (bench, outlet) = (Bench::new(), Catcher::default());
        let names = ["a.log", "b.log", "worker-1.log", "worker-2.log", "worker-3.log"];
        for name in names {
            bench.append(name, lines(count));
        }
        let mut engine = Engine::start(&bench, &outlet);
        engine.settle();
        assert_eq!(outlet.lines().len(), names.len() * count);
        for name in names {
            bench.append(name, lines(1));
        }
        engine.settle();
        engine.stop();
        for name in names {
            bench.append(name, lines(1));
        }
        Engine::start(&bench, &outlet).settle();
        assert_eq!(outlet.lines().len(), names.len() * (count + 2));
    }
}

#[test]
fn files_with_the_same_lines_that_are_rotated_between_two_looks_are_all_read() {
    for (count, is_running) in LENGTHS.into_iter().flat_map(|count| [(count, true), (count, false)]) {
        let (bench, outlet) = (Bench::with("include = [\"LOGSapp.log\"]"), Catcher::default());
        bench.append("app.log", lines(count));
        let mut engine = Engine::start(&bench, &outlet);
        engine.settle();
        let mut running = is_running.then_some(engine);
        for rotation in (1..=3).rev() {
            fs::rename(bench.path("app.log"), bench.path(&format!("app.log.{rotation}"))).unwrap();
            bench.append("app.log", lines(count));
        }
        let engine = running.get_or_insert_with(|| Engine::start(&bench, &outlet));
        (0..3).for_each(|_| engine.settle());
        assert_eq!(outlet.lines().len(), 4 * count, "of {count} lines, is running: {is_running}");
        assert_eq!(engine.job.files.abandoned_bytes(), 0);
    }
}

#[test]
fn a_copy_of_a_file_in_its_place_is_still_none_of_its_own() {
    for count in LENGTHS {
        let (bench, outlet) = (Bench::with("include = [\"LOGSapp.log*\"]"), Catcher::default());
        bench.append("app.log", lines(count));
        let mut engine = Engine::start(&bench, &outlet);
        engine.settle();
        fs::copy(bench.path("app.log"), bench.path("app.log.1")).unwrap();
        engine.settle();
        assert_eq!(outlet.lines().len(), count);
        fs::File::create(bench.path("app.log")).unwrap();
        engine.settle();
        bench.append("app.log", lines(1));
        engine.settle();
        assert_eq!(outlet.lines().len(), count + 1);
    }
}

#[test]
fn what_comes_after_a_file_that_was_deleted_is_another_although_it_has_the_same_lines() {
    for (count, name) in LENGTHS.into_iter().flat_map(|count| [(count, "job.log"), (count, "other.log")]) {
        for is_restarted in [false, true] {
            let (bench, outlet) = (Bench::new(), Catcher::default());
            bench.append("job.log", lines(count));
            let mut engine = Engine::start(&bench, &outlet);
            engine.settle();
            fs::remove_file(bench.path("job.log")).unwrap();
            // It is read to its end, and closed.
            engine.settle();
            engine.settle();
            if is_restarted {
                engine.stop();
                engine = Engine::start(&bench, &outlet);
            }
            bench.append(name, lines(count));
            engine.settle();
            assert_eq!(outlet.lines().len(), 2 * count, "{name}, is restarted: {is_restarted}");
        }
    }
}

#[test]
fn a_file_that_was_compressed_and_deleted_is_known_by_what_was_made_of_it() {
    use std::io::Write;

    let (bench, outlet) = (Bench::with("include = [\"LOGSapp.log\"]"), Catcher::default());
    bench.append("app.log", lines(300));
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    fs::rename(bench.path("app.log"), bench.path("app.log.1")).unwrap();
    engine.settle();
    let packed = fs::File::create(bench.path("app.log.1.gz")).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
    encoder.write_all(&fs::read(bench.path("app.log.1")).unwrap()).unwrap();
    encoder.finish().unwrap();
    fs::remove_file(bench.path("app.log.1")).unwrap();
    (0..3).for_each(|_| engine.settle());
    engine.stop();
    Engine::start(&bench, &outlet).settle();
    assert_eq!(outlet.lines().len(), 300);
}

#[test]
fn what_others_have_compressed_is_never_text_and_told_of_once() {
    let (bench, outlet) = (Bench::with("include = [\"LOGSapp.log*\"]"), Catcher::default());
    bench.append("app.log", "one\n");
    // As the programs begin, and what might be a line behind that.
    let files = [
        ("app.log.1.xz", &b"\xFD7zXZ\0\0\x04 packed\n"[..]),
        ("app.log.2.zst", b"\x28\xB5\x2F\xFD\x04 packed\n"),
        ("app.log.3.lz4", b"\x04\x22\x4D\x18\x64 packed\n"),
        ("app.log.4.bz2", b"BZh91AY&SY packed\n"),
        ("app.log.5", b"\x1F\x8B\x08\0 packed\n"),
    ];
    for (name, bytes) in files {
        append(&bench.path(name), &bytes[..2]);
        append(&bench.path(name), &bytes[2..]);
    }
    append(&bench.path("app.log.6.zst"), b"");
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    engine.settle();
    assert_eq!(outlet.lines(), ["one"]);
    assert_eq!(errors(&engine.families, "compression_unsupported") as usize, files.len(), "once each");
    append(&bench.path("app.log.6.zst"), b"\x28\xB5\x2F\xFD\x04 packed\n");
    bench.append("app.log", "two\n");
    engine.settle();
    assert_eq!(outlet.lines(), ["one", "two"]);
    assert_eq!(errors(&engine.families, "compression_unsupported") as usize, files.len() + 1);
    let told = engine.without_lane();
    assert_eq!(told.len(), files.len() + 1);
    assert!(told.iter().all(|file| file.state == FileState::LeftOut && file.stream_key.is_empty()), "{told:?}");
    let why = told.iter().find(|file| file.path.contains("app.log.1")).and_then(|file| file.reason.clone()).unwrap();
    assert!(why.contains("compressed by xz") && why.contains("gzip"), "{why}");
}

/// One run: a few services write the same line again and again, and rotate by names; an agent comes and goes.
fn play(seed: u64) -> Result<(), String> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let pattern = if rng.bool() { "*" } else { "" };
    let settings = format!("include = [\"LOGS[0-9].log{pattern}\"]\nmax_read_bytes = {}", rng.usize(20..2048));
    let (bench, outlet) = (Bench::with(&settings), Catcher::default());
    let mut engine = Some(Engine::start(&bench, &outlet));
    let (mut written, mut story) = (0, Vec::new());
    let mut append = |rng: &mut fastrand::Rng, file: usize| {
        let count = rng.usize(1..150);
        bench.append(&format!("{file}.log"), lines(count));
        written += count;
    };
    (0..2).for_each(|file| append(&mut rng, file));
    engine.as_mut().unwrap().look();
    for _ in 0..rng.usize(5..40) {
        let file = rng.usize(0..2);
        let path = |rotation: usize| {
            bench.path(&if rotation == 0 { format!("{file}.log") } else { format!("{file}.log.{rotation}") })
        };
        let act = rng.u32(0..100);
        story.push((act, file));
        match act {
            0..35 => append(&mut rng, file),
            35..60 if path(0).exists() => {
                (0..20)
                    .rev()
                    .filter(|at| path(*at).exists())
                    .for_each(|at| fs::rename(path(at), path(at + 1)).unwrap());
            }
            // Deleted when it is read: it may come again with the same inode.
            60..66 if path(0).exists() => {
                let engine = engine.get_or_insert_with(|| Engine::start(&bench, &outlet));
                (0..3).for_each(|_| engine.settle());
                fs::remove_file(path(0)).unwrap();
                (0..3).for_each(|_| engine.settle());
            }
            66..90 => {
                let engine = engine.get_or_insert_with(|| Engine::start(&bench, &outlet));
                if rng.bool() {
                    engine.look();
                } else {
                    engine.turn();
                }
            }
            90.. => engine.take().into_iter().for_each(Engine::stop),
            _ => {}
        }
    }
    let engine = engine.get_or_insert_with(|| Engine::start(&bench, &outlet));
    (0..4).for_each(|_| engine.settle());
    let came = outlet.lines().len();
    if came == written { Ok(()) } else { Err(format!("seed {seed}: {came} of {written} lines, after {story:?}")) }
}

/// `LEVADA_TAIL_SEEDS` as of the model.
#[test]
fn every_one_of_the_same_lines_arrives_once_however_its_file_is_renamed() {
    let seeds = std::env::var("LEVADA_TAIL_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let failed: Vec<String> = (0..seeds).filter_map(|seed| play(seed).err()).collect();
    assert!(failed.is_empty(), "{} of {seeds} seeds:\n{}", failed.len(), failed[..failed.len().min(3)].join("\n"));
}
