# Two stages: packages and static files are made in the first, the second holds only what runs.
FROM python:3.12-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements.lock ./
RUN pip install --quiet -r requirements.lock
COPY adapters adapters
RUN pip install --quiet --no-deps ./adapters/dbt-mysql
COPY . .
# Settings refuse to load without keys; these live as long as this command and guard nothing.
RUN DATABASE_URL=postgres://build@build/build \
    DATANIKA_SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(48))')" \
    DATANIKA_ENCRYPTION_KEYS="$(python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())')" \
    CELERY_BROKER_URL=memory:// \
    python manage.py collectstatic --noinput --verbosity 0 \
    && rm -rf /app/data /app/build
# Compiled ahead, because the running container may not write; a template among the packages that
# is no valid Python is no reason to stop.
RUN python -m compileall -q /app /opt/venv/lib || true

FROM python:3.12-slim

ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    DATANIKA_DATA_DIR=/data
RUN groupadd --gid 10001 datanika \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin datanika \
    && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
VOLUME /data
EXPOSE 8000
# The exec form, so that the server itself receives the signals.
CMD ["uvicorn", "datanika_site.asgi:application", "--host", "0.0.0.0", "--port", "8000"]
