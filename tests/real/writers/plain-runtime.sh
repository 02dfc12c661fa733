#!/bin/sh
# What conmon takes for an OCI runtime: it starts the script `cmd` of the bundle as a plain process. No privilege needed.
while [ $# -gt 0 ]; do
  case "$1" in
    --bundle) bundle=$2; shift ;;
    --pid-file) pid_file=$2; shift ;;
  esac
  shift
done
[ -n "$pid_file" ] || exit 0
sh "$bundle/cmd" &
printf %s $! > "$pid_file"
