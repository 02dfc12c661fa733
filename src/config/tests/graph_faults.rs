//! Faults of the connections and of the whole, as a person sees them.

use super::kit::faults;
use insta::assert_snapshot;

#[test]
fn unknown_input() {
    let text = r"[sources.in]
type = 'file'
include = ['/var/log/*.log']

[sinks.out]
type = 'blackhole'
inputs = ['in', 'inn', 'in.errors', 'app-*']
";
    assert_snapshot!(faults(text), @r#"
    error[E018]: unknown input `inn` of sink `out`
     --> levada.toml:7:17
      |
    7 | inputs = ['in', 'inn', 'in.errors', 'app-*']
      |                 ^^^^^ no component and no output has this name
      |
      = help: did you mean `in`?

    error[E018]: unknown input `in.errors` of sink `out`
     --> levada.toml:7:24
      |
    7 | inputs = ['in', 'inn', 'in.errors', 'app-*']
      |                        ^^^^^^^^^^^ source `in` has no such output
      |
      = help: its outputs are `in`

    error[E018]: unknown input `app-*` of sink `out`
     --> levada.toml:7:37
      |
    7 | inputs = ['in', 'inn', 'in.errors', 'app-*']
      |                                     ^^^^^^^ no component and no output has this name
      |
      = help: the outputs are `in`

    3 errors
    "#);
}

#[test]
fn pattern_without_match() {
    let text = r"[sources.in]
type = 'file'
include = ['/var/log/*.log']

[sinks.out]
type = 'blackhole'
inputs = ['in']

[sinks.more]
type = 'blackhole'
inputs = ['app-*']
";
    assert_snapshot!(faults(text), @r#"
    error[E018]: unknown input `app-*` of sink `more`
      --> levada.toml:11:11
       |
    11 | inputs = ['app-*']
       |           ^^^^^^^ no component and no output has this name
       |
       = help: the outputs are `in`, `out.dead_letter`

    1 error
    "#);
}

#[test]
fn no_inputs() {
    let text = r"[sources.in]
type = 'file'
include = ['/var/log/*.log']

[sinks.out]
type = 'blackhole'
inputs = ['in']

[sinks.none]
type = 'blackhole'

[sinks.empty]
type = 'blackhole'
inputs = []
";
    assert_snapshot!(faults(text), @r#"
    error[E019]: sink `none` has no inputs
     --> levada.toml:9:1
      |
    9 | [sinks.none]
      | ^^^^^^^^^^^^ expected `inputs` here: a list of component names

    error[E019]: sink `empty` has no inputs
      --> levada.toml:14:10
       |
    14 | inputs = []
       |          ^^ expected at least one component name

    2 errors
    "#);
}

#[test]
fn unexpected_inputs() {
    let text = r"[sources.in]
type = 'file'
include = ['a']
inputs = ['out']

[sinks.out]
type = 'blackhole'
inputs = ['in']
";
    assert_snapshot!(faults(text), @r#"
    error[E020]: source `in` has `inputs`
     --> levada.toml:4:1
      |
    4 | inputs = ['out']
      | ^^^^^^ a source takes its records from outside
      |
      = help: remove `inputs`

    1 error
    "#);
}

#[test]
fn cycle() {
    let text = r"[sources.in]
type = 'file'
include = ['/var/log/*.log']

[transforms.a]
type = 'enrich'
inputs = ['in', 'c']
fields = {}

[transforms.b]
type = 'enrich'
inputs = ['a']
fields = {}

[transforms.c]
type = 'enrich'
inputs = ['b']
fields = {}

[sinks.out]
type = 'blackhole'
inputs = ['c']
";
    assert_snapshot!(faults(text), @r#"
    error[E021]: components feed each other in a circle: `a` -> `b` -> `c` -> `a`
      --> levada.toml:5:13
       |
     5 | [transforms.a]
       |             ^ takes in what it has sent out
    ...
    10 | [transforms.b]
       |             - which is part of the circle
    ...
    15 | [transforms.c]
       |             - which is part of the circle
       |
       = help: take one of these inputs away

    1 error
    "#);
}

#[test]
fn buffers_too_large() {
    let text = r"memory_limit = '16MiB'

[sources.in]
type = 'file'
include = ['/var/log/*.log']

[sinks.out]
type = 'elasticsearch'
inputs = ['in']
endpoints = ['http://127.0.0.1:9200']
buffer.max_size = '16MiB'

[sinks.more]
type = 'blackhole'
inputs = ['in']
";
    assert_snapshot!(faults(text), @r#"
    error[E022]: all buffers together hold up to 17 MiB, and `memory_limit` is 16 MiB
      --> levada.toml:11:19
       |
    11 | buffer.max_size = '16MiB'
       |                   ^^^^^^^ `out` may hold 16 MiB
    12 |
    13 | [sinks.more]
       | ------------ `more` may hold 1 MiB
       |
       = help: lower `buffer.max_size` or raise `memory_limit`

    1 error
    "#);
}

#[test]
fn input_twice() {
    let text = r"[sources.in]
type = 'file'
include = ['/var/log/*.log']

[sinks.out]
type = 'blackhole'
inputs = ['in', 'in']
";
    assert_snapshot!(faults(text), @r#"
    error[E023]: sink `out` lists `in` twice
     --> levada.toml:7:17
      |
    7 | inputs = ['in', 'in']
      |                 ^^^^ listed again here
      |
      = help: remove one: it would take each record twice

    1 error
    "#);
}

#[test]
fn unused_output() {
    let text = r"[sources.in]
type = 'file'
include = ['/var/log/*.log']

[transforms.split]
type = 'route'
inputs = ['in']
route.errors = 'x'

[sinks.out]
type = 'blackhole'
inputs = ['in']
";
    assert_snapshot!(faults(text), @r#"
    warning[W001]: nobody takes what transform `split` sends out
     --> levada.toml:5:13
      |
    5 | [transforms.split]
      |             ^^^^^ its records go nowhere
      |
      = help: add `split.errors` or `split._unmatched` to the `inputs` of a sink

    1 warning
    "#);
}

#[test]
fn a_misspelt_name_of_a_faulty_component_and_what_is_unused_beside_it() {
    let text = "[sources.app]\ntype = 'file'\nincude = ['/x']\n[sources.alone]\ntype = 'file'\ninclude = ['/y']\n\
        [sinks.out]\ntype = 'blackhole'\ninputs = ['ap']\n";
    assert_snapshot!(faults(text), @r#"
    error[E008]: unknown setting `incude` in source `app`
     --> levada.toml:3:1
      |
    3 | incude = ['/x']
      | ^^^^^^ there is no such setting
      |
      = help: did you mean `include`?

    warning[W001]: nobody takes what source `alone` sends out
     --> levada.toml:4:10
      |
    4 | [sources.alone]
      |          ^^^^^ its records go nowhere
      |
      = help: add `alone` to the `inputs` of a sink

    error[E018]: unknown input `ap` of sink `out`
     --> levada.toml:9:11
      |
    9 | inputs = ['ap']
      |           ^^^^ no component and no output has this name
      |
      = help: did you mean `app`?

    2 errors, 1 warning
    "#);
}
