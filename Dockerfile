# The service: API and workers. It holds no Docker client socket and runs as a plain user.
FROM debian:bookworm-slim

# Package sources of the machine that builds, where the default mirror does not answer.
ARG APT_SOURCES=""
RUN if [ -n "$APT_SOURCES" ]; then \
        rm -f /etc/apt/sources.list.d/debian.sources; \
        printf '%s\n' "$APT_SOURCES" > /etc/apt/sources.list; \
    fi \
    && apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/rulegrade
COPY requirements requirements
# Where the build may not reach a package index, requirements/wheels holds what the lock names: there,
# `pip download --require-hashes -r requirements/lock.txt -d requirements/wheels` by the same Python.
RUN python3 -m venv .venv \
    && if [ -d requirements/wheels ]; then set -- --no-index --find-links requirements/wheels; fi \
    && .venv/bin/pip install --no-cache-dir --require-hashes "$@" -r requirements/lock.txt

COPY pyproject.toml README.md ./
COPY reward_service reward_service
COPY sandbox sandbox
COPY clients clients
RUN .venv/bin/pip install --no-cache-dir --no-build-isolation --no-deps .

USER 10000:10000
EXPOSE 8000 8001
ENTRYPOINT ["/opt/rulegrade/.venv/bin/rulegrade"]
CMD ["serve"]
