# The engine with its starter bot. For a bot of your own, `supportbot init` writes a Dockerfile next to it.
FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/supportbot
COPY requirements-image.lock /src/
RUN /opt/supportbot/bin/pip install --only-binary :all: --require-hashes -r /src/requirements-image.lock
COPY . /src
RUN /opt/supportbot/bin/pip install --no-deps --no-index --no-build-isolation /src \
    && /opt/supportbot/bin/pip uninstall --yes hatchling editables pip

FROM python:3.12-slim
ENV PATH=/opt/supportbot/bin:$PATH PYTHONUNBUFFERED=1 PORT=8080
COPY --from=build /opt/supportbot /opt/supportbot
RUN useradd --create-home --uid 10001 bot && mkdir -p /bot && chown bot:bot /bot
USER bot
WORKDIR /bot
# A bot with mistakes, or one that cannot answer, never becomes an image.
RUN supportbot init . && supportbot validate && supportbot test && supportbot serve --get /readyz
VOLUME /bot/data
EXPOSE 8080
# Asks the server that runs; `supportbot serve --get` would only ask a new one.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:%s/readyz' % os.environ['PORT'], timeout=4)"]
CMD ["supportbot", "serve"]
