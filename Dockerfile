# Two stages: build a static binary, ship nothing but that binary.
#
#   docker build --build-arg REVISION="$(git rev-parse --short HEAD)" -t lossd .
#   docker run --rm -e LOSSD_OPEN=true -p 127.0.0.1:8080:8080 \
#     --read-only --cap-drop ALL --security-opt no-new-privileges lossd
#
# LOSSD_OPEN=true serves everyone who reaches the port, here this machine alone. For others mount a
# file with API keys instead, and name it: -v ./keys.toml:/keys.toml:ro -e LOSSD_KEYS_FILE=/keys.toml

FROM rust:1-bookworm AS build
WORKDIR /src

# Linking the C library in lets the final stage be empty. The flag must not reach procedural macros
# and build scripts, which cargo keeps apart only when a target is named: hence --target below.
ENV RUSTFLAGS="-C target-feature=+crt-static"

# The dependencies, built against empty sources, in a layer of their own: it stays valid until a
# manifest changes. The benchmarks are here because the manifest names them; the empty files are
# worded so that strict lints pass them. `cargo clean -p` drops the empty lossd, so that the next
# step cannot mistake it for the real one by file times.
COPY Cargo.toml Cargo.lock ./
COPY benches benches
RUN host="$(rustc --print host-tuple)" \
 && mkdir src \
 && for file in build.rs src/lib.rs src/main.rs; do \
      printf '//! Empty.\n#![allow(dead_code)]\nfn main() {}\n' >"$file"; \
    done \
 && cargo build --release --locked --target "$host" --bin lossd \
 && cargo clean --release --locked --target "$host" -p lossd \
 && rm -r build.rs src

# After the dependencies, so that a new revision does not rebuild them.
COPY . .
ARG REVISION=unknown
RUN host="$(rustc --print host-tuple)" \
 && LOSSD_REVISION="$REVISION" cargo build --release --locked --target "$host" --bin lossd \
 && cp "target/$host/release/lossd" /lossd

FROM scratch
ARG REVISION=unknown
LABEL org.opencontainers.image.title="lossd" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.description="Evaluates loss functions over HTTP" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /lossd /lossd

# Numbers, because an empty image has no user database. Nothing is ever written to disk, so a
# read-only root file system and no capabilities are enough.
USER 65532:65532

# Inside a container the loopback default would be out of reach; outside one it stays the safe default.
# The server does not start like this until it is given keys, or told to serve everyone.
ENV LOSSD_LISTEN=0.0.0.0:8080 \
    LOSSD_LOG_FORMAT=json
EXPOSE 8080

# There is no shell or curl here: the binary asks its own /readyz.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/lossd", "probe"]

# The server drains on SIGTERM; as the first process it gets the signal itself.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/lossd"]
