//! What containers with Zato's image run in the pods of a Distributed cluster: `/bin/sh` around Zato's own commands.

/// Makes what the files in /create are for, each anew: the database's Job has `database` and `cluster` or neither, the others one
/// component each. Nothing here is kept between two runs; a server whose row is there already ends with 7, and its directory is
/// complete. What the commands print holds secrets when they fail: it goes to memory, and only the exit code to the agent and
/// into the pod's status.
///
/// A `create odb` that was interrupted cannot go on: the pod of the Job must not start its containers again, so that its
/// successor looks into the database first.
pub const CREATE: &str = r#"set -u
cd /tmp
fail() {
  echo "$1 $2" > /create/failing; mv /create/failing /create/failed
  echo "CreationFailed: creating $1: exit code $2; its output, with secrets, is in /create/$1.log of the pod" | tee /dev/termination-log >&2
  exit "$2"
}
run() {
  code=0
  /opt/zato/current/bin/zato from-config "/create/$1" > "/create/$1.log" 2>&1 || code=$?
  [ "$code" = 0 ] || [ "$1 $code" = "server 7" ] || fail "$1" "$code"
}
rm -f /create/failed /create/done
for step in database cluster; do
  [ ! -e "/create/$step" ] || run "$step"
done
for component in server scheduler dashboard; do
  [ -e "/create/$component" ] || continue
  directory=/opt/zato/env/$component
  rm -rf "$directory"
  mkdir "$directory" || fail "$component" $?
  run "$component"
  [ "$component" != dashboard ] || run dashboard-password
done
: > /create/done
"#;
