#!/bin/bash
# usage: deploy/check.sh     Builds every kustomization here and holds it against the Kubernetes schemas, offline after
# the first run. Installs kustomize and kubeconform (Go modules) and the schemas (a wheel) into LEVADA_TOOLS, once.
set -euo pipefail
cd "$(dirname "$0")"
kustomize=v5.8.2 kubeconform=v0.8.0 schemas=1.37.0 kubernetes=v1.34.0
tools=${LEVADA_TOOLS:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/levada/tools}/$kustomize-$kubeconform-$schemas-$kubernetes
PATH=$PATH:/usr/local/go/bin

if [ ! -e "$tools/complete" ]; then
  if ! command -v go > /dev/null; then
    echo "deploy: not checked, kustomize and kubeconform are built with Go and there is none" >&2
    exit 0
  fi
  mkdir -p "$tools"
  export CGO_ENABLED=0 GOBIN=$tools GOFLAGS=-buildvcs=false
  go install -trimpath "sigs.k8s.io/kustomize/kustomize/v5@$kustomize"
  go install -trimpath "github.com/yannh/kubeconform/cmd/kubeconform@$kubeconform"
  python3 -m pip download --quiet --no-deps --dest "$tools" "kubernetes-validate==$schemas"
  python3 schemas.py "$tools"/kubernetes_validate-*.whl "$tools/schemas" "$kubernetes"
  touch "$tools/complete"
fi

for folder in daemonset/base daemonset/overlays/*/; do
  "$tools/kustomize" build "$folder" |
    "$tools/kubeconform" -strict -summary -schema-location \
      "$tools/schemas/$kubernetes-local-strict/{{.ResourceKind}}{{.KindSuffix}}.json"
done
