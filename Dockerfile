# docker build -t netsecgame .
# docker build -t netsecgame-whitebox --build-arg GAME_MODULE=netsecgame.game.worlds.WhiteBoxNetSecGame .
ARG PYTHON_VERSION=3.12

FROM python:${PYTHON_VERSION}-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY netsecgame netsecgame
COPY AIDojoCoordinator AIDojoCoordinator
COPY agents agents
COPY task_configs task_configs
RUN python -m venv /opt/netsecgame \
 && /opt/netsecgame/bin/pip install --no-cache-dir ".[server]"

FROM python:${PYTHON_VERSION}-slim
ARG GAME_MODULE=netsecgame.game.worlds.NetSecGame
RUN useradd --create-home --uid 1000 netsecgame \
 && mkdir -p /netsecgame/logs \
 && chown -R netsecgame /netsecgame
COPY --from=build /opt/netsecgame /opt/netsecgame
# A task to play without mounting one; `-v your_task.yaml:/netsecgame/netsecenv_conf.yaml` replaces it.
COPY --chown=netsecgame task_configs/two_networks_small.yaml /netsecgame/netsecenv_conf.yaml
# The exec-form entry point cannot read a build argument, so the module gets a fixed name here.
RUN printf 'import runpy\nrunpy.run_module("%s", run_name="__main__", alter_sys=True)\n' "$GAME_MODULE" \
    > /opt/netsecgame/serve.py
ENV PATH=/opt/netsecgame/bin:$PATH PYTHONUNBUFFERED=1
USER netsecgame
WORKDIR /netsecgame
VOLUME /netsecgame/logs
EXPOSE 9000
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s \
  CMD ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 9000), 2).close()"]
ENTRYPOINT ["python", "/opt/netsecgame/serve.py"]
CMD ["--task_config", "/netsecgame/netsecenv_conf.yaml", "--game_host", "0.0.0.0", "--game_port", "9000"]
