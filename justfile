# Shows the recipes.
default:
    @just --list

# What the compiler and its friends say.
check:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings

# All tests that need nothing but the toolchain.
test:
    cargo test

# The agent against real servers and real writers of logs; needs Maven, a JDK 17, Python 3 with pip, curl, openssl,
# conmon, runc, busybox-static, logrotate, xz-utils, zstd and bzip2.
real *names:
    LEVADA_REAL=1 cargo test --test real -- {{ names }}

# The agent is killed again and again while it works: at random times, and at named points.
crash kills="25":
    LEVADA_CRASH={{ kills }} cargo test --test crash

# The manifests against the schemas of Kubernetes, needs Go once; the alert rules, needs promtool.
deploy:
    deploy/check.sh
    deploy/prometheus/check.sh

# Speed and allocations of the stages; the instructions of a record, against the committed figure.
bench:
    cargo bench --bench stages
    cargo bench --bench programs
    cargo bench --bench scrub
    cargo bench --bench disk
    cargo bench --bench idle
    cargo bench --bench tail
    benches/instructions.sh

# Two cores against one; needs a quiet machine.
cores:
    cargo bench --bench cores

# Any bytes into the JSON index, or with `just fuzz scrub`, `just fuzz config` ... into another of `fuzz/fuzz_targets`; needs `cargo install cargo-fuzz` and a nightly toolchain.
fuzz target="json_index" seconds="60":
    cargo +nightly fuzz run {{ target }} -- -max_total_time={{ seconds }}

# What is too slow for every change.
nightly: check test real deploy bench cores (crash "1000")
    PROPTEST_CASES=20000 cargo test --lib
    LEVADA_TAIL_SEEDS=20000 cargo test --lib sources::file::tests::model
    cargo deny check
