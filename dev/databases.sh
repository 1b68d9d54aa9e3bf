#!/usr/bin/env bash
# Runs a command with throw-away PostgreSQL and MariaDB on loopback, from Debian's packages: started in a temporary folder
# by an unprivileged user, ended and removed afterwards.
#   databases.sh COMMAND...
# The command finds them in ZATO_SSO_TEST_POSTGRESQL and ZATO_SSO_TEST_MYSQL (URLs without a database).
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
dev/packages.sh postgresql postgresql-client mariadb-server-core mariadb-client sqlite3 openssl

folder=$(mktemp -d)
processes=()
finish() {
  # What they have is thrown away: PostgreSQL ends at once on SIGQUIT, MariaDB on SIGTERM.
  for process in "${processes[@]}"; do kill -QUIT "$process" 2>/dev/null || true; kill -TERM "$process" 2>/dev/null || true; done
  for process in "${processes[@]}"; do wait "$process" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap finish EXIT

# Databases refuse to be run by root.
as_nobody=()
if [ "$(id -u)" = 0 ]; then
  as_nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
  chown nobody:nogroup "$folder"
fi
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# For TLS: an authority, another one that vouches for nothing, and the servers' own key.
certificates=$folder/certificates
mkdir "$certificates"
authority() { openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -keyout "$certificates/$1.key" -out "$certificates/$1.crt" 2>/dev/null; }
authority authority
authority other
openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$certificates/server.key" -out "$certificates/server.csr" 2>/dev/null
openssl x509 -req -in "$certificates/server.csr" -days 2 -CA "$certificates/authority.crt" -CAkey "$certificates/authority.key" \
  -CAcreateserial -extfile <(echo subjectAltName=DNS:localhost) -out "$certificates/server.crt" 2>/dev/null
chmod 600 "$certificates"/*.key
[ "$(id -u)" != 0 ] || chown nobody:nogroup "$certificates"/server.*
export ZATO_SSO_TEST_AUTHORITY=$certificates/authority.crt ZATO_SSO_TEST_OTHER_AUTHORITY=$certificates/other.crt

postgresql=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
port=$(free_port)
"${as_nobody[@]}" "$postgresql/initdb" -D "$folder/postgresql" -U zato -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$folder/log" 2>&1 ||
  { cat "$folder/log" >&2; exit 1; }
# User secure comes in with TLS only, others than zato with a password.
"${as_nobody[@]}" sed -i -e '1i hostnossl all secure all reject\nhostssl all secure all scram-sha-256' \
  -e '1i host all zato all trust\nhost all all all scram-sha-256' "$folder/postgresql/pg_hba.conf"
# Nothing is kept: nothing needs to reach the disk.
"${as_nobody[@]}" "$postgresql/postgres" -D "$folder/postgresql" -h 127.0.0.1 -p "$port" -k "$folder" \
  -c ssl=on -c ssl_cert_file="$certificates/server.crt" -c ssl_key_file="$certificates/server.key" \
  -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_wal_size=2GB >"$folder/postgresql.log" 2>&1 &
processes+=($!)
export ZATO_SSO_TEST_POSTGRESQL=postgresql://zato@127.0.0.1:$port
export ZATO_SSO_TEST_POSTGRESQL_LOG=$folder/postgresql.log

mysql_port=$(free_port)
"${as_nobody[@]}" mariadb-install-db --no-defaults --datadir="$folder/mysql" --auth-root-authentication-method=normal \
  --skip-test-db >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
"${as_nobody[@]}" mariadbd --no-defaults --datadir="$folder/mysql" --bind-address=127.0.0.1 --port="$mysql_port" \
  --socket="$folder/mysql.socket" --skip-name-resolve --innodb-flush-log-at-trx-commit=0 \
  --ssl-cert="$certificates/server.crt" --ssl-key="$certificates/server.key" --ssl-ca="$certificates/authority.crt" \
  --character-set-server=utf8mb4 >"$folder/mysql.log" 2>&1 &
processes+=($!)
export ZATO_SSO_TEST_MYSQL=mysql://root@127.0.0.1:$mysql_port

wait_for() { # log, command...
  local log=$1 end=$((SECONDS + 60)); shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || { echo "databases.sh: does not answer: $*" >&2; tail "$log" >&2; exit 1; }
    sleep 0.2
  done
}
wait_for "$folder/postgresql.log" psql -h 127.0.0.1 -p "$port" -U zato -d postgres -c 'SELECT 1'
wait_for "$folder/mysql.log" mariadb --no-defaults -h 127.0.0.1 -P "$mysql_port" -u root -e 'SELECT 1'

psql -q -h 127.0.0.1 -p "$port" -U zato -d postgres -c "CREATE ROLE secure SUPERUSER LOGIN PASSWORD 'geheim'" \
  -c "CREATE ROLE directory SUPERUSER LOGIN PASSWORD 'hello'"
mariadb --no-defaults -h 127.0.0.1 -P "$mysql_port" -u root \
  -e "CREATE USER secure IDENTIFIED BY 'geheim' REQUIRE SSL; GRANT ALL ON *.* TO secure; CREATE USER directory IDENTIFIED BY 'hello'; GRANT ALL ON *.* TO directory"

"$@"
