#!/bin/sh
# Runs once, when the database server of docker-compose.yml makes its data directory.
# Datanika's role owns its database and is no superuser: row-level security holds for it. The superuser is left
# without a password, so nobody reaches it over the network:
#   docker compose exec postgres psql --username postgres datanika
set -eu
psql --set ON_ERROR_STOP=1 --set password="$POSTGRES_PASSWORD" --username postgres --dbname postgres <<'SQL'
CREATE ROLE datanika LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'password';
CREATE DATABASE datanika OWNER datanika;
ALTER ROLE postgres PASSWORD NULL;
SQL
