//! Faults of settings, as a person sees them.

use super::kit::faults;
use insta::assert_snapshot;

#[test]
fn unknown_setting() {
    let text = r"[sources.in]
type = 'file'
includes = ['/var/log/*.log']

[sinks.out]
type = 'elasticsearch'
inputs = ['in']
endpoints = ['http://127.0.0.1:9200']
";
    assert_snapshot!(faults(text), @r#"
    error[E008]: unknown setting `includes` in source `in`
     --> levada.toml:3:1
      |
    3 | includes = ['/var/log/*.log']
      | ^^^^^^^^ there is no such setting
      |
      = help: did you mean `include`?

    1 error
    "#);
}

#[test]
fn settings_of_vector() {
    let text = r"[sources.in]
type = 'file'
include = ['/var/log/*.log']
fingerprint.strategy = 'checksum'

[sinks.out]
type = 'elasticsearch'
inputs = ['in']
endpoints = ['http://127.0.0.1:9200']
compression = 'snappy'
buffer = { max_events = 500 }
";
    assert_snapshot!(faults(text), @r#"
    warning[W010]: `fingerprint` in source `in` is a setting of Vector that is not needed here
     --> levada.toml:4:1
      |
    4 | fingerprint.strategy = 'checksum'
      | ^^^^^^^^^^^ left out
      |
      = help: a file is known by its first bytes, those before its position and its inode together: also one shorter than a line, and all that begin alike

    error[E040]: `snappy` for `compression` in sink `out` is a value of Vector that is written otherwise here
      --> levada.toml:10:15
       |
    10 | compression = 'snappy'
       |               ^^^^^^^^ not known under this name
       |
       = help: instead: `gzip`

    error[E040]: `buffer.max_events` in sink `out` is a setting of Vector that is written otherwise here
      --> levada.toml:11:12
       |
    11 | buffer = { max_events = 500 }
       |            ^^^^^^^^^^ not known under this name
       |
       = help: instead: `buffer.max_size`: queues are bounded in bytes, such as `"4MiB"` (the default)

    2 errors, 1 warning
    "#);
}

#[test]
fn unknown_setting_far_from_all() {
    let text = r"[sources.in]
type = 'file'
include = ['/var/log/*.log']

[sinks.out]
type = 'elasticsearch'
inputs = ['in']
endpoints = ['http://127.0.0.1:9200']
bulk.shard = 3
";
    assert_snapshot!(faults(text), @r#"
    error[E010]: missing setting `bulk.index` in sink `out`
     --> levada.toml:9:1
      |
    9 | bulk.shard = 3
      | ^^^^ expected `index` here: a string
      |
      = help: `index`: The index that records go to.

    error[E008]: unknown setting `bulk.shard` in sink `out`
     --> levada.toml:9:6
      |
    9 | bulk.shard = 3
      |      ^^^^^ there is no such setting
      |
      = help: known here: `index`

    2 errors
    "#);
}

#[test]
fn wrong_type() {
    let text = r"[sources.in]
type = 'file'
include = ['/var/log/*.log']

[sinks.out]
type = 'elasticsearch'
inputs = ['in']
endpoints = ['http://127.0.0.1:9200']
request.concurrency = '${WORD}'
tls = 'yes'
";
    assert_snapshot!(faults(text), @r#"
    error[E009]: wrong type of `request.concurrency` in sink `out`
     --> levada.toml:9:23
      |
    9 | request.concurrency = '${WORD}'
      |                       ^^^^^^^^^ expected an integer, found the value of `WORD`

    error[E009]: wrong type of `tls` in sink `out`
      --> levada.toml:10:7
       |
    10 | tls = 'yes'
       |       ^^^^^ expected a boolean, found a string

    2 errors
    "#);
}

#[test]
fn missing_setting() {
    let text = r"[sources.in]
type = 'file'

[sinks.out]
type = 'elasticsearch'
inputs = ['in']
endpoints = ['http://127.0.0.1:9200']
[sinks.out.bulk]
";
    assert_snapshot!(faults(text), @r#"
    error[E010]: missing setting `include` in source `in`
     --> levada.toml:1:1
      |
    1 | [sources.in]
      | ^^^^^^^^^^^^ expected `include` here: a list
      |
      = help: `include`: Patterns of the files to read.

    error[E010]: missing setting `bulk.index` in sink `out`
     --> levada.toml:8:1
      |
    8 | [sinks.out.bulk]
      | ^^^^^^^^^^^^^^^^ expected `index` here: a string
      |
      = help: `index`: The index that records go to.

    2 errors
    "#);
}

#[test]
fn out_of_range() {
    let text = r"[sources.in]
type = 'file'
include = ['/var/log/*.log']

[sinks.out]
type = 'elasticsearch'
inputs = ['in']
endpoints = ['http://127.0.0.1:9200']
ports = [80, 80_000]
nested.depth = 99999999999999999999
";
    assert_snapshot!(faults(text), @r#"
    error[E011]: `ports[1]` in sink `out` is out of range
     --> levada.toml:9:14
      |
    9 | ports = [80, 80_000]
      |              ^^^^^^ expected between 0 and 65535

    error[E011]: the number `99999999999999999999` does not fit in 64 bits
      --> levada.toml:10:16
       |
    10 | nested.depth = 99999999999999999999
       |                ^^^^^^^^^^^^^^^^^^^^ expected at most 9223372036854775807

    2 errors
    "#);
}

#[test]
fn not_allowed() {
    let text = r"[sources.in]
type = 'file'
include = ['/var/log/*.log']

[sinks.out]
type = 'elasticsearch'
inputs = ['in']
endpoints = ['http://127.0.0.1:9200']
compression = 'gzp'
";
    assert_snapshot!(faults(text), @r#"
    error[E012]: `compression` in sink `out` has a value that is not allowed
     --> levada.toml:9:15
      |
    9 | compression = 'gzp'
      |               ^^^^^ expected one of `none`, `gzip`, `zstd`
      |
      = help: did you mean `gzip`?

    1 error
    "#);
}

#[test]
fn empty() {
    let text = r"[sources.in]
type = 'file'
include = []

[sinks.out]
type = 'elasticsearch'
inputs = ['in']
endpoints = ['http://127.0.0.1:9200']
bulk.index = ''
";
    assert_snapshot!(faults(text), @r#"
    error[E013]: `include` in source `in` is empty
     --> levada.toml:3:11
      |
    3 | include = []
      |           ^^ expected at least one item

    error[E013]: `bulk.index` in sink `out` is empty
     --> levada.toml:9:14
      |
    9 | bulk.index = ''
      |              ^^ expected some text

    2 errors
    "#);
}

#[test]
fn bad_format() {
    let text = r"[sources.in]
type = 'file'
include = ['/var/log/*.log']

[sinks.out]
type = 'elasticsearch'
inputs = ['in']
endpoints = ['http://127.0.0.1:9200']
buffer.max_size = '10 apples'
";
    assert_snapshot!(faults(text), @r#"
    error[E014]: `buffer.max_size` in sink `out` cannot be read
     --> levada.toml:9:19
      |
    9 | buffer.max_size = '10 apples'
      |                   ^^^^^^^^^^^ expected a size such as `10MiB`, found "10 apples"

    1 error
    "#);
}

#[test]
fn unknown_type() {
    let text = r"[sources.in]
type = 'fiel'

[sinks.out]
type = 'remap'
inputs = ['in']
";
    assert_snapshot!(faults(text), @r#"
    error[E015]: unknown type `fiel` of source `in`
     --> levada.toml:2:8
      |
    2 | type = 'fiel'
      |        ^^^^^^ there is no source of this type
      |
      = help: did you mean `file`?

    error[E015]: unknown type `remap` of sink `out`
     --> levada.toml:5:8
      |
    5 | type = 'remap'
      |        ^^^^^^^ there is no sink of this type
      |
      = help: `remap` is a transform: declare it under `[transforms.out]`

    2 errors
    "#);
}

#[test]
fn misspelt_section() {
    let text = r"[source.in]
type = 'file'
include = ['/var/log/*.log']

[sinks.out]
type = 'elasticsearch'
inputs = ['in']
endpoints = ['http://127.0.0.1:9200']
";
    assert_snapshot!(faults(text), @r"
    error[E008]: unknown section `source`
     --> levada.toml:1:2
      |
    1 | [source.in]
      |  ^^^^^^ there is no such section
      |
      = help: did you mean `sources`?

    1 error
    ");
}
