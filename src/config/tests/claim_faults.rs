//! What two components claim, as a person sees it.

use insta::assert_snapshot;

use super::kit::own_faults as faults;

#[test]
fn a_port_is_listened_on_twice() {
    let text = "api.address = '127.0.0.1:4317'\n[sources.web]\ntype = 'http_server'\naddress = '127.0.0.1:4318'\n\
        [sources.otlp]\ntype = 'opentelemetry'\n[sources.any]\ntype = 'http_server'\naddress = '127.0.0.1:0'\n\
        [sources.other]\ntype = 'http_server'\naddress = '127.0.0.1:0'\n\
        [sinks.out]\ntype = 'blackhole'\ninputs = ['*']\n";
    assert_snapshot!(faults(text), @r#"
    error[E034]: source `web` and source `otlp` listen on the same port
     --> levada.toml:5:1
      |
    4 | address = '127.0.0.1:4318'
      |           ---------------- it is taken here
    5 | [sources.otlp]
      | ^^^^^^^^^^^^^^ this port is taken
      |
      = help: give one of them another port

    error[E034]: `[api]` and source `otlp` listen on the same port
     --> levada.toml:5:1
      |
    1 | api.address = '127.0.0.1:4317'
      |               ---------------- it is taken here
    ...
    5 | [sources.otlp]
      | ^^^^^^^^^^^^^^ this port is taken
      |
      = help: give one of them another port

    2 errors
    "#);
    let one = "[sources.otlp]\ntype = 'opentelemetry'\nhttp.address = '127.0.0.1:4317'\ngrpc.address = '127.0.0.1:4317'\n\
        [sinks.out]\ntype = 'blackhole'\ninputs = ['*']\n";
    assert_eq!(faults(one), "", "two protocols at one door");
    assert_snapshot!(faults(&one.replacen("127.0.0.1:4317", "[::]:4317", 1)), @r#"
    warning[W003]: `http.address` in source `otlp` is open to the network
     --> levada.toml:3:16
      |
    3 | http.address = '[::]:4317'
      |                ^^^^^^^^^^^ anyone who can reach this machine can send records here
      |
      = help: `auth` asks senders who they are, `127.0.0.1` keeps it to this machine; in a pod, a network policy tells who may send

    error[E034]: source `otlp` listens twice on the same port
     --> levada.toml:4:16
      |
    3 | http.address = '[::]:4317'
      |                ----------- it is taken here
    4 | grpc.address = '127.0.0.1:4317'
      |                ^^^^^^^^^^^^^^^^ this port is taken
      |
      = help: give one of them another port

    1 error, 1 warning
    "#);
}

#[test]
fn the_standard_input_is_read_twice() {
    let text = "[sources.one]\ntype = 'stdin'\n[sources.two]\ntype = 'stdin'\n\
        [sinks.out]\ntype = 'blackhole'\ninputs = ['*']\n";
    assert_snapshot!(faults(text), @r#"
    error[E034]: source `one` and source `two` read the standard input
     --> levada.toml:3:1
      |
    1 | [sources.one]
      | ------------- it is read here too
    2 | type = 'stdin'
    3 | [sources.two]
      | ^^^^^^^^^^^^^ a line that comes here never reaches source `one`
      |
      = help: keep one, and name it in the `inputs` of all that want its records

    1 error
    "#);
}

#[test]
fn a_file_is_written_twice_or_read_again() {
    let text = "[sources.app]\ntype = 'file'\ninclude = ['/x/*.log']\n\
        [sinks.one]\ntype = 'file'\ninputs = ['app']\npath = '/y/{{ service }}-%Y.log'\n\
        [sinks.two]\ntype = 'file'\ninputs = ['app']\npath = '/y/{{ service }}-%Y.log'\n\
        [sinks.again]\ntype = 'file'\ninputs = ['app']\npath = '/x/{{ service }}.log'\n";
    assert_snapshot!(faults(text), @r#"
    error[E034]: sink `one` and sink `two` write the same file
      --> levada.toml:11:8
       |
     7 | path = '/y/{{ service }}-%Y.log'
       |        ------------------------- it is written here too
    ...
    11 | path = '/y/{{ service }}-%Y.log'
       |        ^^^^^^^^^^^^^^^^^^^^^^^^^ each would tear what the other writes
       |
       = help: write to another path, or let one sink have the `inputs` of both

    error[E034]: sink `again` writes what source `app` reads
      --> levada.toml:15:8
       |
     3 | include = ['/x/*.log']
       |           ------------ and read here
    ...
    15 | path = '/x/{{ service }}.log'
       |        ^^^^^^^^^^^^^^^^^^^^^^ it is written here
       |
       = help: write to another path, or name it in `exclude` of the source: records could go round without end

    2 errors
    "#);
    let pods = "[sources.pods]\ntype = 'kubernetes_logs'\n[sinks.out]\ntype = 'file'\ninputs = ['pods']\n\
        path = '/var/log/pods/a_b_c/levada/0.log'\n";
    assert_snapshot!(faults(pods), @r#"
    error[E034]: sink `out` writes what source `pods` reads
     --> levada.toml:6:8
      |
    1 | [sources.pods]
      | -------------- and read here
    ...
    6 | path = '/var/log/pods/a_b_c/levada/0.log'
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ it is written here
      |
      = help: write to another path, or name it in `exclude` of the source: records could go round without end

    1 error
    "#);
    let excluded = "[sources.pods]\nexclude_paths_glob_patterns = ['/var/log/pods/a_*/**']";
    assert_eq!(faults(&pods.replace("[sources.pods]", excluded)), "");
}
