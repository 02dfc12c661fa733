#!/bin/bash
# usage: benches/instructions.sh [--update]
# Counts the instructions that a record of the node job takes, under callgrind, alone and behind the global scrub: figures
# that do not depend on how busy the machine is. Fails where one is more than 3 % above that in `instructions.txt`;
# `--update` writes that file.
set -euo pipefail
cd "$(dirname "$0")/.."
committed=benches/instructions.txt

binary=$(cargo bench --quiet --bench chain_b --no-run --message-format json |
  sed -n 's/.*"name":"chain_b".*"executable":"\([^"]*\)".*/\1/p')
out=$(mktemp) found=$(mktemp)
trap 'rm -f "$out" "$found"' EXIT

for job in plain scrubbed; do
  # The C library is kept from choosing other copy loops on other processors.
  GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX_Fast_Unaligned_Load,-AVX2,-AVX512F,-ERMS valgrind --tool=callgrind \
    --callgrind-out-file=/dev/null --toggle-collect='*measured_job*' "$binary" "$job" > "$out" 2>&1 || { cat "$out"; exit 1; }
  records=$(sed -n 's/^records: //p' "$out")
  collected=$(sed -n 's/.*Collected : //p' "$out")
  [ $((collected / records)) -gt 100 ] || { cat "$out"; echo "the counted function was not found"; exit 1; }
  echo "$job $((collected / records))" >> "$found"
done

if [ "${1:-}" = --update ]; then
  cp "$found" "$committed"
fi
is_met=true
while read -r job count; do
  allowed=$(sed -n "s/^$job //p" "$committed")
  echo "instructions per record, $job: $count, committed: $allowed"
  [ $((count * 100)) -le $((allowed * 103)) ] || is_met=false
done < "$found"
if [ $is_met = false ]; then
  echo "more than 3 % above; if it is worth it, commit what 'benches/instructions.sh --update' writes"
  exit 1
fi
