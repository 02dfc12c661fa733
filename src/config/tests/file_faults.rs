//! Faults of files, names and variables, as a person sees them.

use super::kit::{self, faults};
use insta::assert_snapshot;

#[test]
fn syntax() {
    let text = r"a = 
[sources.in]
type = file
include = ['a'
";
    assert_snapshot!(faults(text), @r#"
    error[E003]: the file is not valid TOML
     --> levada.toml:1:5
      |
    1 | a = 
      |     ^ string values must be quoted, expected literal string

    error[E003]: the file is not valid TOML
     --> levada.toml:3:8
      |
    3 | type = file
      |        ^^^^ invalid boolean, expected `false`
      |
      = help: a text stands in quotes: "file"

    error[E003]: the file is not valid TOML
     --> levada.toml:4:15
      |
    4 | include = ['a'
      |               ^ unclosed array, expected `]`

    3 errors
    "#);
}

#[test]
fn table_twice() {
    let text = r"[sources.in]
type = 'file'
include = ['/var/log/*.log']

[sources.in]
type = 'file'
include = ['/var/log/*.log']

";
    assert_snapshot!(faults(text), @r#"
    error[E003]: the file is not valid TOML
     --> levada.toml:5:10
      |
    5 | [sources.in]
      |          ^^ duplicate key
      |
      = help: each table and each key stands once in a file

    1 error
    "#);
}

#[test]
fn id_twice() {
    let text = r"[sources.in]
type = 'file'
include = ['/var/log/*.log']

[transforms.in]
type = 'enrich'
inputs = ['in']
fields = {}
";
    assert_snapshot!(faults(text), @r#"
    error[E004]: the name `in` is used twice
     --> levada.toml:5:13
      |
    1 | [sources.in]
      |          -- first used for this source
    ...
    5 | [transforms.in]
      |             ^^ this transform needs another name

    1 error
    "#);
}

#[test]
fn bad_id() {
    let text = r#"[sources."my app"]
type = 'file'
include = ['a']

[sinks.out]
type = 'blackhole'
inputs = ['my app']
"#;
    assert_snapshot!(faults(text), @r#"
    error[E017]: the name `my app` has reserved characters
     --> levada.toml:1:10
      |
    1 | [sources."my app"]
      |          ^^^^^^^^ expected letters, digits, `_` and `-`
      |
      = help: `.` separates a name from an output, `*` is a pattern

    1 error
    "#);
}

#[test]
fn missing_variable() {
    let text = r#"[sources.in]
type = 'file'
include = ['/var/log/*.log']

[sinks.out]
type = 'elasticsearch'
inputs = ['in']
endpoints = ["http://${HOST:?which server}:${PORT}"]
"#;
    assert_snapshot!(faults(text), @r#"
    error[E006]: the environment variable `HOST` is not set
     --> levada.toml:8:22
      |
    8 | endpoints = ["http://${HOST:?which server}:${PORT}"]
      |                      ^^^^^^^^^^^^^^^^^^^^^ which server
      |
      = help: set it, or give a default: `${HOST:-default}`

    error[E006]: the environment variable `PORT` is not set
     --> levada.toml:8:44
      |
    8 | endpoints = ["http://${HOST:?which server}:${PORT}"]
      |                                            ^^^^^^^ no value and no default
      |
      = help: set it, or give a default: `${PORT:-default}`

    2 errors
    "#);
}

#[test]
fn bad_interpolation() {
    let text = r"[sources.in]
type = 'file'
include = ['/var/log/*.log']

[sinks.out]
type = 'elasticsearch'
inputs = ['in']
endpoints = ['http://127.0.0.1:9200']
index = 'logs-${ENV:dev}'
";
    assert_snapshot!(faults(text), @r#"
    error[E007]: an interpolation that cannot be read
     --> levada.toml:9:15
      |
    9 | index = 'logs-${ENV:dev}'
      |               ^^^^^^^^^^ expected a name and `}`
      |
      = help: write `${NAME}`, `${NAME:-default}` or `${NAME:?message}`; a literal `${` is `$${`

    1 error
    "#);
}

#[test]
fn names_and_globals_of_two_files() {
    let one = r"data_dir = '/a'
api.address = 'x'

[sources.in]
type = 'file'
include = ['/var/log/*.log']

";
    let two = r"data_dir = '/b'
api.address = 'y'

[sources.in]
type = 'file'
include = ['/var/log/*.log']

[sinks.out]
type = 'elasticsearch'
inputs = ['in']
endpoints = ['http://127.0.0.1:9200']
";
    let loaded = kit::load_many(&[("one.toml", one), ("two.toml", two)]);
    assert_snapshot!(kit::shown(&loaded), @r#"
    error[E024]: `api.address` in the global settings cannot work
     --> one.toml:2:15
      |
    2 | api.address = 'x'
      |               ^^^ expected an IP address and a port, such as `127.0.0.1:8686`

    error[E005]: `data_dir` is set twice
     --> two.toml:1:1
      |
    1 | data_dir = '/b'
      | ^^^^^^^^ set again here
      |
     ::: one.toml:1:1
      |
    1 | data_dir = '/a'
      | -------- first set here
      |
      = help: keep one of them

    error[E005]: `api.address` is set twice
     --> two.toml:2:5
      |
    2 | api.address = 'y'
      |     ^^^^^^^ set again here
      |
     ::: one.toml:2:5
      |
    2 | api.address = 'x'
      |     ------- first set here
      |
      = help: keep one of them

    error[E004]: the name `in` is used twice
     --> two.toml:4:10
      |
    4 | [sources.in]
      |          ^^ this source needs another name
      |
     ::: one.toml:4:10
      |
    4 | [sources.in]
      |          -- first used for this source

    4 errors
    "#);
}

#[test]
fn six_faults_in_two_files_come_at_once() {
    let one = r#"[sources.in]
type = "file"
includes = ["/var/log/*.log"]
include = ["${LOGS}"]

[transforms.work]
type = "remap"
inputs = ["im"]
source = 1
"#;
    let two = r#"[sinks.out]
type = "elasticsearch"
inputs = ["work"]
compression = "gzp"
endpoints = ["http://127.0.0.1:9200"]

[sinks.in]
type = "blackhole"
inputs = ["work"]
"#;
    let loaded = kit::load_many(&[("one.toml", one), ("two.toml", two)]);
    assert_snapshot!(kit::shown(&loaded), @r#"
    error[E008]: unknown setting `includes` in source `in`
     --> one.toml:3:1
      |
    3 | includes = ["/var/log/*.log"]
      | ^^^^^^^^ there is no such setting
      |
      = help: did you mean `include`?

    error[E006]: the environment variable `LOGS` is not set
     --> one.toml:4:13
      |
    4 | include = ["${LOGS}"]
      |             ^^^^^^^ no value and no default
      |
      = help: set it, or give a default: `${LOGS:-default}`

    error[E018]: unknown input `im` of transform `work`
     --> one.toml:8:11
      |
    8 | inputs = ["im"]
      |           ^^^^ no component and no output has this name
      |
      = help: the outputs are `in`

    error[E009]: wrong type of `source` in transform `work`
     --> one.toml:9:10
      |
    9 | source = 1
      |          ^ expected a string, found an integer

    error[E012]: `compression` in sink `out` has a value that is not allowed
     --> two.toml:4:15
      |
    4 | compression = "gzp"
      |               ^^^^^ expected one of `none`, `gzip`, `zstd`
      |
      = help: did you mean `gzip`?

    error[E004]: the name `in` is used twice
     --> two.toml:7:8
      |
    7 | [sinks.in]
      |        ^^ this sink needs another name
      |
     ::: one.toml:1:10
      |
    1 | [sources.in]
      |          -- first used for this source

    6 errors
    "#);
    assert_eq!(loaded.report.diagnostics().len(), 6);
}
