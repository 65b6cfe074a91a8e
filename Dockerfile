# The image of a Maskline node: unprivileged, health-checked, one process tree with a clean stop.
# BASE can be any Debian with Python 3.11 or later; without a registry, see docs in README "Container".
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
COPY media media
RUN python3 -m venv /opt/maskline && /opt/maskline/bin/pip install --no-cache-dir --only-binary :all: '.[postgres]'

FROM ${BASE}
RUN useradd --uid 10001 --home-dir /var/lib/maskline --create-home --shell /usr/sbin/nologin maskline
COPY --from=build /opt/maskline /opt/maskline
COPY configs/maskline.toml /etc/maskline/maskline.toml
COPY configs/carriers /etc/maskline/carriers
ENV PATH=/opt/maskline/bin:$PATH PYTHONUNBUFFERED=1
USER maskline
WORKDIR /var/lib/maskline
VOLUME /var/lib/maskline
EXPOSE 5060/udp 5060/tcp 8080/tcp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s \
  CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["maskline"]
CMD ["serve", "--config", "/etc/maskline/maskline.toml"]
