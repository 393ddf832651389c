# The image: one static binary, the CA certificates, an empty folder for the store; no shell, no user but a number.
# Built by any builder that knows RUN --mount (Docker, buildah, podman); scripts/image builds it and tries it out.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# Static, since the last stage has no C library. The target is named so that only the binary is static, not what
# builds it (procedural macros cannot be); glibc 2.34 and later resolve names in a static binary as well.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    host="$(rustc --print host-tuple)" \
    && RUSTFLAGS="-C target-feature=+crt-static" \
       cargo build --locked --profile dist --bin zohook --target "$host" \
    && install -D "target/$host/dist/zohook" /out/zohook \
    && install -D -m 644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt \
    && mkdir /data

FROM scratch
LABEL org.opencontainers.image.title="zohook" \
      org.opencontainers.image.description="A self-hosted webhook receiver and event router for Zoho CRM" \
      org.opencontainers.image.source="https://github.com/zohook/zohook" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /out/ /
COPY --from=build --chown=65532:65532 /data /data
# 8080 hears Zoho. 9180 is the operators' and asks for ZOHOOK_ADMIN_TOKEN.
# SQLite's temporary files go beside the store: all else may be read-only.
ENV ZOHOOK_ROUTES=/etc/zohook/routes.yaml \
    ZOHOOK_LISTEN=0.0.0.0:8080 \
    ZOHOOK_ADMIN_LISTEN=0.0.0.0:9180 \
    ZOHOOK_STORE=sqlite:/data/zohook.db \
    SQLITE_TMPDIR=/data
EXPOSE 8080 9180
VOLUME /data
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/zohook", "healthcheck"]
ENTRYPOINT ["/zohook"]
CMD ["serve"]
