# The operator's image: one statically linked program, nothing else.
FROM rust:1.95-alpine AS builder
RUN apk add --no-cache build-base
WORKDIR /source
COPY rust-toolchain.toml Cargo.toml Cargo.lock ./
COPY src ./src
COPY crates ./crates
# Cargo.toml names them.
COPY bench ./bench
COPY tests ./tests
RUN cargo build --release --locked --target "$(uname -m)-unknown-linux-musl" \
 && mkdir /out && cp target/*-unknown-linux-musl/release/zato-operator /out/

FROM scratch
COPY --from=builder /out/zato-operator /zato-operator
USER 65532:65532
ENTRYPOINT ["/zato-operator"]
