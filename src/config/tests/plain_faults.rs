//! Secrets in plain text, as a person sees them: told of, and never shown.

use insta::assert_snapshot;

use super::kit::own_faults;

fn faults(sink: &str) -> String {
    let sink = format!("[sinks.out]\ntype = 'http'\ninputs = ['app']\n{sink}\n");
    own_faults(&format!("[sources.app]\ntype = 'file'\ninclude = ['/x/*.log']\n{sink}"))
}

#[test]
fn in_headers_and_addresses() {
    let told = faults(
        "uri = 'http://h/?api_key=hunter2hunter2'\nauth = { strategy = 'basic', user = 'u', password = 'hunter2' }\n\
        [sinks.out.request.headers]\nAuthorization = 'Bearer hunter2hunter2'\nX-Api-Key = 'hunter2'\n\
        X-Scope-OrgID = 'tenant'\nX-Note = 'glpat-0123456789abcdefghij'\n",
    );
    assert!(!told.contains("hunter2") && !told.contains("glpat"), "{told}");
    assert_snapshot!(told, @r#"
    warning[W004]: `uri` in sink `out` is a secret in plain text
    --> levada.toml:7:7
     = help: take it from a variable of the environment: `"${NAME}"`
     = help: or from a secret backend, `[secret.NAME]`: `"SECRET[NAME.key]"`

    warning[W004]: `auth.password` in sink `out` is a secret in plain text
    --> levada.toml:8:53
     = help: take it from a variable of the environment: `"${NAME}"`
     = help: or from a secret backend, `[secret.NAME]`: `"SECRET[NAME.key]"`

    warning[W004]: `request.headers.Authorization` in sink `out` is a secret in plain text
    --> levada.toml:10:17
     = help: take it from a variable of the environment: `"${NAME}"`
     = help: or from a secret backend, `[secret.NAME]`: `"SECRET[NAME.key]"`

    warning[W004]: `request.headers.X-Api-Key` in sink `out` is a secret in plain text
    --> levada.toml:11:13
     = help: take it from a variable of the environment: `"${NAME}"`
     = help: or from a secret backend, `[secret.NAME]`: `"SECRET[NAME.key]"`

    warning[W004]: `request.headers.X-Note` in sink `out` is a secret in plain text
    --> levada.toml:13:10
     = help: take it from a variable of the environment: `"${NAME}"`
     = help: or from a secret backend, `[secret.NAME]`: `"SECRET[NAME.key]"`

    5 warnings
    "#);
}

#[test]
fn what_comes_from_outside_is_not_plain() {
    for fine in [
        "uri = 'http://h/?api_key=${WORD}'",
        "uri = 'http://h/?page=2'",
        "uri = 'http://h/'\nrequest.headers.Authorization = 'Bearer ${WORD}'",
        "uri = 'http://h/'\nrequest.headers.X-Api-Key = 'SECRET[s.key]'\n[secret.s]\ntype = 'file'\npath = '/s'",
        "uri = 'http://h/'\nrequest.headers.X-Scope-OrgID = 'tenant'",
    ] {
        assert_eq!(faults(fine), "", "{fine}");
    }
    assert!(faults("uri = 'http://${WORD}/?api_key=0123456789abcdef'").contains("warning[W004]: `uri` in sink `out`"));
}

#[test]
fn a_secret_of_no_backend() {
    let sink = "uri = 'http://h/'\nrequest.headers.X-Api-Key = 'SECRET[none.key]'";
    assert_snapshot!(faults(sink), @r#"
    error[E030]: there is no secret backend
     --> levada.toml:8:30
      |
    8 | request.headers.X-Api-Key = 'SECRET[none.key]'
      |                              ^^^^^^^^^^^^^^^^ no `[secret.NAME]` has this name
      |
      = help: declare one: `[secret.NAME]` with `type`: `file`, `directory`, `exec` or `vault`

    1 error
    "#);
    assert_snapshot!(faults(&format!("{sink}\n[secret.s]\ntype = 'file'\npath = '/s'")), @r#"
    error[E030]: there is no such secret backend
     --> levada.toml:8:30
      |
    8 | request.headers.X-Api-Key = 'SECRET[none.key]'
      |                              ^^^^^^^^^^^^^^^^ no `[secret.NAME]` has this name
      |
      = help: the backends are `s`

    1 error
    "#);
}
