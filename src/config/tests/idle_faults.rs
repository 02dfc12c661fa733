//! Settings without effect, as a person sees them.

use insta::assert_snapshot;

use super::kit::own_faults as faults;

const SOURCE: &str = "[sources.app]\ntype = 'file'\ninclude = ['/x/*.log']\n";

#[test]
fn of_a_scrub() {
    let text = format!(
        "{SOURCE}[transforms.private]\ntype = 'scrub'\ninputs = ['app']\ndetectors = ['email']\nkey_names = []\n\
        action = 'mask'\nreplacement = '-'\nactions = {{ ipv4 = 'remove', key_name = 'mask', email = 'last4' }}\n\
        fields = ['.a', '.b.c']\nexempt_fields = ['.d', '.a.x', '.b']\n\
        [sinks.out]\ntype = 'blackhole'\ninputs = ['private']\n"
    );
    assert_snapshot!(faults(&text), @r#"
    warning[W006]: `replacement` in transform `private` has no effect
      --> levada.toml:10:15
       |
    10 | replacement = '-'
       |               ^^^ no action is `replace`: nothing is replaced by it

    warning[W006]: `actions.ipv4` in transform `private` has no effect
      --> levada.toml:11:20
       |
    11 | actions = { ipv4 = 'remove', key_name = 'mask', email = 'last4' }
       |                    ^^^^^^^^ `ipv4` is not looked for

    warning[W006]: `actions.key_name` in transform `private` has no effect
      --> levada.toml:11:41
       |
    11 | actions = { ipv4 = 'remove', key_name = 'mask', email = 'last4' }
       |                                         ^^^^^^ `key_name` is not looked for

    warning[W006]: `exempt_fields[0]` in transform `private` has no effect
      --> levada.toml:13:18
       |
    13 | exempt_fields = ['.d', '.a.x', '.b']
       |                  ^^^^ `fields` does not look into `.d` anyway

    4 warnings
    "#);
    let global = format!(
        "scrub.replacement = '-'\nscrub.action = 'mask'\n{SOURCE}[sinks.out]\ntype = 'blackhole'\ninputs = ['app']\n"
    );
    assert!(faults(&global).contains("warning[W006]: `scrub.replacement` in the global settings has no effect"));
}

#[test]
fn of_sinks() {
    let sink = |more: &str| {
        let sink = "[sinks.out]\ntype = 'elasticsearch'\ninputs = ['app']\nendpoints = ['http://a:1']\n";
        faults(&format!("{SOURCE}{sink}{more}\n"))
    };
    assert_snapshot!(sink("mode = 'data_stream'\nbulk.index = 'a'\nbuffer.compression = 'zstd'"), @r#"
    warning[W006]: `bulk` in sink `out` has no effect
     --> levada.toml:9:1
      |
    9 | bulk.index = 'a'
      | ^^^^ `mode` is `data_stream`: these settings are those of `bulk`

    warning[W006]: `buffer.compression` in sink `out` has no effect
      --> levada.toml:10:22
       |
    10 | buffer.compression = 'zstd'
       |                      ^^^^^^ records in memory are not compressed, those of `buffer.type = "disk"` are

    2 warnings
    "#);
    assert_eq!(sink("bulk.index = 'a'\nbuffer = { type = 'disk', compression = 'zstd' }"), "");
    let stream = sink("bulk.index = 'a'\ndata_stream.dataset = 'x'");
    assert!(stream.contains("warning[W006]: `data_stream` in sink `out` has no effect"), "{stream}");
    let tls = sink("bulk.index = 'a'\ntls.verify_certificate = false");
    assert!(tls.contains("warning[W006]: `tls` in sink `out` has no effect"), "{tls}");
    let some = "bulk.index = 'a'\nendpoints = ['http://a:1', 'https://b:1']\ntls.verify_certificate = false";
    let some = faults(&format!("{SOURCE}[sinks.out]\ntype = 'elasticsearch'\ninputs = ['app']\n{some}\n"));
    assert!(!some.contains("W006"), "{some}");
}

#[test]
fn of_backends_and_tables() {
    let text = format!(
        "[secret.used]\ntype = 'file'\npath = '/s.json'\n[secret.unused]\ntype = 'file'\npath = '/s.json'\n\
        [enrichment_tables.pods]\ntype = 'file'\nfile.path = '/t.csv'\n\
        [enrichment_tables.lost]\ntype = 'file'\nfile.path = '/t.csv'\n{SOURCE}\
        [transforms.look]\ntype = 'remap'\ninputs = ['app']\n\
        source = '.a = get_enrichment_table_record!(\"pods\", {{ \"a\": 1 }})'\n\
        [sinks.out]\ntype = 'http'\ninputs = ['look']\nuri = 'http://a:1'\n\
        auth = {{ strategy = 'bearer', token = 'SECRET[used.t]' }}\n"
    );
    assert_snapshot!(faults(&text), @r#"
    warning[W006]: `secret.unused` in the global settings has no effect
     --> levada.toml:4:1
      |
    4 | [secret.unused]
      | ^^^^^^^^^^^^^^^ nothing refers to it
      |
      = help: take it out, or refer to it: `SECRET[unused.key]`

    warning[W002]: `enrichment_tables.pods.file.path` in the global settings may not do what was meant
     --> levada.toml:9:13
      |
    9 | file.path = '/t.csv'
      |             ^^^^^^^^ cannot read `/t.csv`: No such file or directory (os error 2)
      |
      = help: the agent starts with such a table only where it has run with it before

    warning[W006]: `enrichment_tables.lost` in the global settings has no effect
      --> levada.toml:10:1
       |
    10 | [enrichment_tables.lost]
       | ^^^^^^^^^^^^^^^^^^^^^^^^ nothing looks into it
       |
       = help: take it out, or look into it: `get_enrichment_table_record("lost", ...)`

    warning[W002]: `enrichment_tables.lost.file.path` in the global settings may not do what was meant
      --> levada.toml:12:13
       |
    12 | file.path = '/t.csv'
       |             ^^^^^^^^ cannot read `/t.csv`: No such file or directory (os error 2)
       |
       = help: the agent starts with such a table only where it has run with it before

    4 warnings
    "#);
}
