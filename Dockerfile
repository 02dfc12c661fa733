# The agent as one static binary in an empty image.
#
#   docker build -t levada .
#
# Root inside of the container by default: container logs are readable by root alone (0600 or 0640). As a sidecar run
# it as the user of the application (`runAsUser`, deploy/daemonset/overlays/sidecar).

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
ARG TARGETARCH
# glibc linked in: musl's allocator halves the speed, and an empty image has no libc to load.
RUN case "${TARGETARCH:-amd64}" in amd64) machine=x86_64 ;; arm64) machine=aarch64 ;; *) exit 1 ;; esac \
 && export RUSTFLAGS="-C target-feature=+crt-static" \
 && cargo build --release --locked --target "$machine-unknown-linux-gnu" \
 && install -D "target/$machine-unknown-linux-gnu/release/levada" /out/usr/bin/levada \
 && strip /out/usr/bin/levada \
 && install -D -m 0644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt \
 && install -d -m 0755 /out/etc/levada && install -d -m 0700 /out/var/lib/levada && install -d -m 1777 /out/tmp

FROM scratch
COPY --from=build /out /
ENTRYPOINT ["/usr/bin/levada"]
CMD ["--config", "/etc/levada", "--watch-config", "--log-format", "json"]
