#!/bin/sh
# Starts nginx with the host names of ARTSITE_HOSTS; requests for any other name are closed without an answer.
set -eu
names=$(printf '%s' "$ARTSITE_HOSTS" | tr ',' ' ')
case $names in *[!A-Za-z0-9.\ :-]*) echo "ARTSITE_HOSTS: not host names: $names" >&2; exit 1 ;; esac
sed "s/@names@/$names/" /etc/nginx/artsite.conf >/tmp/nginx.conf
exec nginx -c /tmp/nginx.conf -g 'daemon off;'
