//! What containers with Zato's image run before its components: `/bin/sh` around Zato's own commands.
//!
//! What the commands print holds secrets when they fail: it goes to memory, and only the exit code to the agent and into the
//! pod's status.

/// How a step runs, and what is left behind when it fails. A server whose row is there already ends with 7, and its directory
/// is complete.
const STEPS: &str = r#"set -u
cd /tmp
fail() {
  echo "$1 $2" > /create/failing; mv /create/failing /create/failed
  echo "CreationFailed: creating $1: exit code $2" | tee /dev/termination-log >&2
  exit "$2"
}
run() {
  code=0
  /opt/zato/current/bin/zato from-config "/create/$1" > "/create/$1.log" 2>&1 || code=$?
  [ "$code" = 0 ] || [ "$1 $code" = "server 7" ] || fail "$1" "$code"
}
rm -f /create/failed /create/done
"#;

/// The database is made under another name and renamed when it is complete, because Zato's `create odb` cannot finish one that
/// is half made. A volume that is read-only or full is told before Zato's commands fail on it in words of their own.
const FILE: &str = r"rm -rf /opt/zato/data/new
need=1
[ -e /opt/zato/data/zato.db ] || need=16
dd if=/dev/zero of=/opt/zato/data/.probe bs=1048576 count=$need 2>/dev/null || { rm -f /opt/zato/data/.probe; fail volume 1; }
rm -f /opt/zato/data/.probe
if [ ! -e /opt/zato/data/zato.db ]; then
  mkdir /opt/zato/data/new || fail database $?
  run database
  run cluster
  mv /opt/zato/data/new/zato.db /opt/zato/data/zato.db || fail database $?
  rmdir /opt/zato/data/new
fi
";

/// The Job of a database has both steps, or one, or neither; other pods have none. A `create odb` that was interrupted cannot go
/// on: the pod of the Job must not start its containers again, so that its successor looks into the database first. What a container
/// made before this one may have another password in it: it is made anew.
const SERVER: &str = r#"rm -f /opt/zato/env/*/.complete
for step in database cluster; do
  [ ! -e "/create/$step" ] || run "$step"
done
"#;

/// Each directory has a mark when it is complete.
const COMPONENTS: &str = r#"for component in server scheduler dashboard; do
  directory=/opt/zato/env/$component
  [ -e "/create/$component" ] || continue
  [ -e "$directory/.complete" ] && continue
  rm -rf "$directory"
  mkdir "$directory" || fail "$component" $?
  run "$component"
  [ "$component" != dashboard ] || run dashboard-password
  : > "$directory/.complete"
done
: > /create/done
"#;

/// Makes what is not there yet.
pub fn create(is_quickstart: bool) -> String {
    let database = if is_quickstart { FILE } else { SERVER };
    [STEPS, database, COMPONENTS].concat()
}
