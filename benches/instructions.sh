#!/bin/bash
# usage: benches/instructions.sh [--update]
# Counts the instructions that a record of the node job takes, under callgrind: a figure that does not depend on how
# busy the machine is. Fails where it is more than 3 % above `instructions.txt`; `--update` writes that file.
set -euo pipefail
cd "$(dirname "$0")/.."
committed=benches/instructions.txt

binary=$(cargo bench --quiet --bench chain_b --no-run --message-format json |
  sed -n 's/.*"name":"chain_b".*"executable":"\([^"]*\)".*/\1/p')
out=$(mktemp)
trap 'rm -f "$out"' EXIT
# The C library is kept from choosing other copy loops on other processors.
GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX_Fast_Unaligned_Load,-AVX2,-AVX512F,-ERMS valgrind --tool=callgrind \
  --callgrind-out-file=/dev/null --toggle-collect='*measured_job*' "$binary" > "$out" 2>&1 || { cat "$out"; exit 1; }
records=$(sed -n 's/^records: //p' "$out")
collected=$(sed -n 's/.*Collected : //p' "$out")
found=$((collected / records))
[ "$found" -gt 100 ] || { cat "$out"; echo "the counted function was not found"; exit 1; }

if [ "${1:-}" = --update ]; then
  echo "$found" > "$committed"
fi
allowed=$(cat "$committed")
echo "instructions per record: $found, committed: $allowed"
if [ $((found * 100)) -gt $((allowed * 103)) ]; then
  echo "more than 3 % above; if it is worth it, commit what 'benches/instructions.sh --update' writes"
  exit 1
fi
