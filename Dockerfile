# A replica of Gorilla. `docker compose up` builds it; alone: docker build -t gorilla .

FROM rust:1-trixie AS build
WORKDIR /build

# The dependencies are compiled against empty crates, in a layer that only Cargo.toml and Cargo.lock invalidate: an edit
# of a source file does not compile them again. The empty crates themselves are removed, or Cargo might take them, by
# their newer dates, for the real ones. If the layer does have to be rebuilt, the cache mount spares the downloads.
COPY Cargo.toml Cargo.lock ./
COPY client/Cargo.toml client/
COPY clients/conformance/Cargo.toml clients/conformance/
COPY crates/gorilla-domain/Cargo.toml crates/gorilla-domain/
COPY crates/gorilla-scripts/Cargo.toml crates/gorilla-scripts/
COPY crates/gorilla-wire/Cargo.toml crates/gorilla-wire/
COPY benches/Cargo.toml benches/
COPY tests/faults/Cargo.toml tests/faults/
COPY tests/harness/Cargo.toml tests/harness/
COPY tests/model/Cargo.toml tests/model/
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    mkdir -p src client/src clients/conformance/src crates/gorilla-domain/src crates/gorilla-scripts/src crates/gorilla-wire/src/bin tests/faults/src tests/harness/src tests/model/src benches/src \
    && touch src/lib.rs client/src/lib.rs clients/conformance/src/lib.rs crates/gorilla-domain/src/lib.rs crates/gorilla-scripts/src/lib.rs crates/gorilla-wire/src/lib.rs tests/faults/src/lib.rs tests/harness/src/lib.rs tests/model/src/lib.rs \
    && echo 'fn main() {}' | tee benches/src/main.rs clients/conformance/src/main.rs crates/gorilla-wire/src/bin/openapi.rs >src/main.rs \
    && cargo build --release --locked \
    && cargo clean --release --package gorilla --package gorilla-client --package gorilla-domain --package gorilla-scripts --package gorilla-wire \
    && rm -r src client/src crates/gorilla-domain/src crates/gorilla-scripts/src crates/gorilla-wire/src

COPY lua lua
COPY docs/openapi.json docs/
COPY client client
COPY crates crates
COPY src src
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    cargo build --release --locked

FROM debian:trixie-slim

# The slim image has no certificates, and rediss:// needs them. Copying them spares an apt-get here.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /build/target/release/gorilla /usr/local/bin/gorilla

# Kubernetes' runAsNonRoot can only judge a number, so the user has no name. It needs no home: replicas keep no files.
USER 10001:10001

# The default address, 127.0.0.1, could not be reached from outside the container.
ENV GORILLA__SERVER__LISTEN=0.0.0.0:4000
EXPOSE 4000

# It asks /_health, which does not depend on Redis: a Redis that blinks makes no replica unhealthy.
HEALTHCHECK --interval=3s --timeout=3s --start-period=10s --retries=3 CMD ["gorilla", "healthcheck"]

ENTRYPOINT ["gorilla"]
CMD ["serve"]
