#!/bin/sh
# usage: container.sh FOLDER LOG SIZE_MAX COMMAND     needs root, runc, conmon, busybox-static
# Runs COMMAND in a busybox container under conmon, which writes true CRI lines to LOG; ends with the container.
set -e
folder=$1 log=$2 size=$3 command=$4
bundle=$folder/bundle
mkdir -p "$bundle/rootfs/bin" "$bundle/rootfs/proc" "$bundle/rootfs/dev" "$bundle/rootfs/sys" "$folder/exit" "$folder/sockets" "$folder/persist" "$(dirname "$log")"
cp /bin/busybox "$bundle/rootfs/bin/"
for tool in sh echo sleep printf; do ln -sf busybox "$bundle/rootfs/bin/$tool"; done
(cd "$bundle" && runc spec)
COMMAND="$command" python3 - "$bundle/config.json" <<'P'
import json, os, sys
spec = json.load(open(sys.argv[1]))
spec["process"]["terminal"] = False
spec["process"]["args"] = ["/bin/sh", "-c", os.environ["COMMAND"]]
json.dump(spec, open(sys.argv[1], "w"))
P
id=levada-$$
conmon --sync -c $id -u $id -n $id -r "$(command -v runc)" -b "$bundle" -p "$bundle/pid" -P "$bundle/conmon.pid" \
  --exit-dir "$folder/exit" --persist-dir "$folder/persist" --socket-dir-path "$folder/sockets" -l "k8s-file:$log" \
  ${size:+--log-size-max $size} --runtime-arg --root --runtime-arg "$folder/runtime" --log-level info < /dev/null &
conmon=$!
tries=0
until runc --root "$folder/runtime" start $id 2> "$folder/start.err"; do
  tries=$((tries + 1))
  [ $tries -lt 100 ] || { cat "$folder/start.err" >&2; exit 1; }
  sleep 0.05
done
wait $conmon || true
runc --root "$folder/runtime" delete -f $id
