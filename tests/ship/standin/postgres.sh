#!/bin/sh
# As the official image reads its environment: a superuser and his database, made once.
set -e
DATA=/var/lib/postgresql/data BIN=$(echo /usr/lib/postgresql/*/bin)
chown postgres "$DATA"
as() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
if [ ! -s "$DATA/PG_VERSION" ]; then
  echo "$POSTGRES_PASSWORD" > /tmp/pw; chmod 644 /tmp/pw
  as "$BIN/initdb" -D "$DATA" -U "$POSTGRES_USER" --pwfile=/tmp/pw -A scram-sha-256 > /dev/null
  echo "host all all all scram-sha-256" >> "$DATA/pg_hba.conf"
  echo "CREATE DATABASE \"${POSTGRES_DB:-$POSTGRES_USER}\";" | as "$BIN/postgres" --single -D "$DATA" postgres > /dev/null
fi
exec setpriv --reuid=postgres --regid=postgres --init-groups "$BIN/postgres" -D "$DATA" -c listen_addresses='*' -c unix_socket_directories=/tmp,/var/run/postgresql
