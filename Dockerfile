# The image of a Maskline node: unprivileged, health-checked, one process tree with a clean stop. README, "Container".
# BASE can be any Debian with Python 3.11 or later.
ARG BASE=python:3.11-slim-bookworm
# hadolint ignore=DL3006
FROM ${BASE} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
COPY maskline maskline
COPY media media
# Bytecode is made here, since the root is read-only later; pip stays behind.
RUN python3 -m venv /opt/maskline \
 && /opt/maskline/bin/pip install --no-cache-dir --only-binary :all: '.[otel,postgres,webrtc]' \
 && /opt/maskline/bin/pip uninstall --yes pip

# hadolint ignore=DL3006
FROM ${BASE}
RUN groupadd --gid 10001 maskline \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/maskline --create-home --shell /usr/sbin/nologin maskline
COPY --from=build /opt/maskline /opt/maskline
COPY configs/maskline.toml /etc/maskline/maskline.toml
COPY configs/carriers /etc/maskline/carriers
# All that is written is in the volume, temporary files too.
ENV PATH=/opt/maskline/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 TMPDIR=/var/lib/maskline \
    HEALTH_URL=http://127.0.0.1:8080/healthz
USER 10001:10001
WORKDIR /var/lib/maskline
VOLUME /var/lib/maskline
EXPOSE 5060/udp 5060/tcp 8080/tcp
# Drains for node.drain_seconds (900), then ends within 30 s: give `docker stop` 960.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["python3", "-c", "import os, urllib.request as r; r.urlopen(os.environ['HEALTH_URL'], timeout=4)"]
ENTRYPOINT ["maskline"]
CMD ["serve", "--config", "/etc/maskline/maskline.toml"]
