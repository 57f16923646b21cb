#!/bin/sh
# Runs once, when the database's volume is empty: the studio's own role, which is no superuser, and its database.
set -eu
psql --variable=ON_ERROR_STOP=1 --variable=password="$ARTSITE_DATABASE_PASSWORD" --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
CREATE ROLE artsite LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'password';
CREATE DATABASE artsite OWNER artsite;
REVOKE ALL ON DATABASE artsite FROM PUBLIC;
SQL
