# A worker of any queue. Build from the repository's root:
#   docker build -f deploy/worker.Dockerfile -t artsite-worker .
# Plain pip brings torch with CUDA. Without a GPU, an index with CPU wheels makes the image ten times smaller:
#   --build-arg TORCH_INDEX=<address of PyTorch's CPU wheels>
FROM python:3.11-slim AS packages
ARG TORCH_INDEX=""
WORKDIR /build
RUN python -m venv /venv
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN /venv/bin/pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} \
    -c constraints.txt '.[worker,s3]'

FROM python:3.11-slim
COPY --from=packages /venv /venv
WORKDIR /app
COPY manage.py ./
COPY artsite ./artsite
COPY gallery ./gallery
COPY workers ./workers
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 ARTSITE_DATA=/data
RUN python -m compileall -q artsite gallery workers && install -d -o 10001 -g 10001 -m 0700 /data /data/media
ENV ARTSITE_PROFILE=service ARTSITE_LOG_FORMAT=json HOME=/tmp
USER 10001:10001
CMD ["python", "-m", "celery", "-A", "workers.app", "worker", "-Q", "gan,cnn,rnn"]
