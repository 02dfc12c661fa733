#!/bin/bash
# usage: [ES_SECURE=basic|tls] es.sh STATE_DIR HTTP_PORT [SETTING=VALUE ...]
# runs in the foreground; stop with SIGTERM or SIGKILL
set -eu
here=$(cd "$(dirname "$0")" && pwd)
home=$(echo "$here"/dist/elasticsearch-*)
state=$1 port=$2
shift 2
mkdir -p "$state/config" "$state/data" "$state/logs" "$state/tmp"
state=$(cd "$state" && pwd)
cp "$home"/config/{jvm.options,role_mapping.yml,roles.yml,users,users_roles} "$state/config/"
mkdir -p "$state/config/jvm.options.d"
# smaller and without the gc log
sed -i -e '/gc.log/d' -e '/UseG1GC/d' "$state/config/jvm.options"
cat > "$state/config/jvm.options.d/small.options" <<C
-Xms64m
-XX:-AlwaysPreTouch
-Xmx512m
-XX:+UseSerialGC
-XX:TieredStopAtLevel=1
C
cat > "$state/config/log4j2.properties" <<'C'
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
C
cat > "$state/config/elasticsearch.yml" <<C
cluster.name: it
node.name: it-1
discovery.type: single-node
network.host: 127.0.0.1
http.port: $port
transport.port: $((port+1))
path.data: $state/data
path.logs: $state/logs
cluster.routing.allocation.disk.threshold_enabled: false
C
if [ -n "${ES_SECURE:-}" ]; then # basic auth and API keys; user agent / agent-secret
  echo 'agent:$2a$10$VXXa485Xm75XOvSNIyuoj.0lOrGazGXcKSEFaNbBpoyWA6wt/I.f2' > "$state/config/users"
  echo 'superuser:agent' > "$state/config/users_roles"
  echo "xpack.security.enabled: true" >> "$state/config/elasticsearch.yml"
else
  echo "xpack.security.enabled: false" >> "$state/config/elasticsearch.yml"
fi
if [ "${ES_SECURE:-}" = tls ]; then
  if [ ! -f "$state/config/cert.pem" ]; then # an authority, and a certificate of it: not every client takes one for both
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=authority -keyout "$state/config/ca-key.pem" -out "$state/config/ca.pem"
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext basicConstraints=critical,CA:FALSE \
      -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -CA "$state/config/ca.pem" -CAkey "$state/config/ca-key.pem" \
      -keyout "$state/config/key.pem" -out "$state/config/cert.pem"
  fi 2> "$state/logs/openssl.log"
  cat >> "$state/config/elasticsearch.yml" <<C
xpack.security.http.ssl.enabled: true
xpack.security.http.ssl.key: key.pem
xpack.security.http.ssl.certificate: cert.pem
C
fi
for kv in "$@"; do
  echo "${kv%%=*}: ${kv#*=}" >> "$state/config/elasticsearch.yml"
done
export ES_PATH_CONF=$state/config ES_TMPDIR=$state/tmp
export ES_JAVA_HOME=${ES_JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")}
export CLI_JAVA_OPTS="-Xms4m -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
run=()
if [ "$(id -u)" = 0 ]; then # the server refuses to run as root
  chown -R 65534:65534 "$state"
  run=(setpriv --reuid 65534 --regid 65534 --clear-groups)
fi
exec "${run[@]}" "$home/bin/elasticsearch"
