#!/bin/bash
# usage: install.sh elasticsearch|opensearch|clickhouse
# Unpacks a server into the folder LEVADA_SERVERS, once for each state of its files here, and prints where it is.
set -euo pipefail
here=$(cd "$(dirname "$0")/$1" && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/levada/servers
# Started by root the servers run as nobody, who cannot look into root's home.
[ "$(id -u)" != 0 ] || cache=/var/cache/levada/servers
version=$(cd "$here" && find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c 1-12)
home=${LEVADA_SERVERS:-$cache}/$1-$version
mkdir -p "$home"
exec 9> "$home/lock"
flock 9
if [ ! -e "$home/complete" ]; then
  {
    cp -r "$here/." "$home"
    cd "$home"
    rm -rf target dist
    [ ! -e pom.xml ] || mvn -q -B dependency:unpack
    [ ! -e requirements.txt ] || python3 -m pip install --quiet --no-deps --target dist --requirement requirements.txt
    [ ! -e build-plugin.sh ] || bash build-plugin.sh
    touch complete
  } >&2
fi
echo "$home"
