#!/bin/bash
# usage: ch.sh STATE_DIR HTTP_PORT [OPTION ...]
# ClickHouse's engine behind its HTTP interface; runs in the foreground, stop with SIGTERM or SIGKILL
set -eu
here=$(cd "$(dirname "$0")" && pwd)
state=$1 port=$2
shift 2
mkdir -p "$state"
PYTHONPATH=$here/dist exec python3 "$here/clickhouse_front.py" --path "$state" --port "$port" "$@"
