#!/bin/bash
# usage: leash.sh COMMAND...
# Runs a server in a process group of its own until standard input closes, however its other end went, then kills it.
set -m
"$@" < /dev/null &
read -r _ || true
kill -KILL -- -$!
wait
