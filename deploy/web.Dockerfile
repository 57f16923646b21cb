# The web and the scheduler: no torch, no worker code. Build from the repository's root:
#   docker build -f deploy/web.Dockerfile -t artsite-web .
FROM python:3.11-slim AS packages
WORKDIR /build
RUN python -m venv /venv
# Only what names the packages: a change of code does not install them again.
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN /venv/bin/pip install --no-cache-dir -c constraints.txt '.[s3]'

FROM python:3.11-slim
COPY --from=packages /venv /venv
WORKDIR /app
COPY manage.py ./
COPY artsite ./artsite
COPY gallery ./gallery
COPY templates ./templates
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 ARTSITE_DATA=/data ARTSITE_STATIC=/app/static
RUN python -m compileall -q artsite gallery \
    && ARTSITE_DATA=/tmp/build ARTSITE_SECRET_KEY=only-for-the-build python manage.py collectstatic --noinput -v 0 \
    && rm -rf /tmp/build \
    && install -d -o 10001 -g 10001 -m 0700 /data /data/media
ENV ARTSITE_PROFILE=service ARTSITE_LOG_FORMAT=json HOME=/tmp
USER 10001:10001
EXPOSE 8000
CMD ["python", "-m", "uvicorn", "artsite.asgi:application", "--host", "0.0.0.0", "--port", "8000"]
