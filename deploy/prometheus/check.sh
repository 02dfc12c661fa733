#!/bin/bash
# usage: deploy/prometheus/check.sh     Has promtool check the rules and run their tests; says so where there is none.
set -euo pipefail
cd "$(dirname "$0")"
if ! command -v promtool > /dev/null; then
  echo "deploy: the alert rules are not checked, there is no promtool" >&2
  exit 0
fi
promtool check rules levada.rules.yml
promtool test rules levada.rules.test.yml
