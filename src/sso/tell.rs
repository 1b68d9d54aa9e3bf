//! What the commands `sso ..` say.
//!
//! Owns the words. Outcomes go to stdout, everything else to stderr.

use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;
use sso_dump::archive::{KeyCheck, Manifest};
use sso_dump::convert::Report;
use sso_dump::database::Database;
use sso_dump::diff::{Changes, TableDiff};
use sso_dump::error::Error;
use sso_dump::restore::Restored;
use sso_dump::schema::TABLES;

use super::Format;

/// Why it ended, and the exit code for it.
pub fn failed(error: &Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(error.exit_code())
}

/// Something that should be known.
pub fn note(text: &str) {
    eprintln!("note: {text}");
}

fn print(text: &str) -> Result<ExitCode, Error> {
    match io::stdout().write_all(text.as_bytes()) {
        // A closed pipe (`| head`) is not worth a word.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::io("stdout")(error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn json(value: &impl Serialize) -> Result<ExitCode, Error> {
    let text = serde_json::to_string_pretty(value).map_err(|why| Error::Usage(why.to_string()))?;
    print(&(text + "\n"))
}

/// An archive.
pub fn manifest(manifest: &Manifest, how: &str, format: Format) -> Result<ExitCode, Error> {
    if format == Format::Json {
        return json(manifest);
    }
    let header = &manifest.header;
    let or_unknown = |value: &Option<String>| value.clone().unwrap_or_else(|| "not known".into());
    let mut text = format!(
        "snapshot     {}\nmade         {}\nsource       {}\ndatabase     {} {}\nclusters     {}\nZato         {}\nkey          {}\n",
        header.snapshot,
        header.created,
        header.source.database,
        header.source.kind,
        header.source.version,
        header.source.clusters.join(", "),
        or_unknown(&header.zato_version),
        key(manifest),
    );
    for table in &manifest.tables {
        text += &line(&table.name, table.rows, &table.sha256[..16]);
    }
    for (table, rows) in &header.source.left_out {
        note(&format!(
            "{rows} rows of {table} were left out: they refer to rows that are not there"
        ));
    }
    for (table, rows) in &header.source.orphans {
        note(&format!(
            "{rows} references of {table} lead nowhere; PostgreSQL and MySQL will not take them (dump --without-orphans)"
        ));
    }
    key_check(manifest.key_check);
    print(&format!("{text}{how}\n"))
}

/// Some passwords may be of a key that was there before.
fn key_check(check: Option<KeyCheck>) {
    let Some(check) = check.filter(|check| check.closed() > 0) else {
        return;
    };
    note(&format!(
        "key1 does not open {} of the {} passwords that were looked at: these users cannot log in",
        check.closed(),
        check.looked_at
    ));
}

fn line(name: &str, rows: u64, rest: &str) -> String {
    format!("{name:<24} {rows:>10} {rest}\n")
}

fn key(manifest: &Manifest) -> String {
    match (&manifest.header.key_fingerprint, manifest.key_check) {
        (Some(fingerprint), Some(check)) => format!(
            "{fingerprint}, opens {} of {} passwords that were looked at",
            check.opened, check.looked_at
        ),
        _ => "none in the archive".into(),
    }
}

/// What was restored.
pub fn restored(
    restored: &Restored,
    database: &Database,
    is_rehearsal: bool,
    format: Format,
) -> Result<ExitCode, Error> {
    report(&restored.report);
    key_check(restored.key_check);
    if format == Format::Json {
        return json(restored);
    }
    let mut text = String::new();
    for (table, (rows, deleted)) in TABLES.iter().zip(restored.rows.iter().zip(&restored.deleted)) {
        let rest = if *deleted > 0 {
            format!("in the place of {deleted}")
        } else {
            String::new()
        };
        text += &line(table.name, *rows, &rest);
    }
    let what = if is_rehearsal {
        "would be restored"
    } else {
        "is restored"
    };
    print(&format!(
        "{text}snapshot {} {what} into {database}\n",
        restored.manifest.header.snapshot
    ))
}

fn report(report: &Report) {
    let counts = [
        (
            report.repaired,
            "values that PostgreSQL had written as \\x.. were made readable for Zato",
        ),
        (
            report.cut_fractions,
            "dates lost their fraction of a second: the columns hold whole seconds",
        ),
        (report.sessions_left_out, "sessions were left out"),
        (
            report.session_attributes_left_out,
            "attributes of sessions were left out",
        ),
    ];
    for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
        note(&format!("{count} {what}"));
    }
    for linked in report.linked_mapped.iter().chain(&report.linked_left_out) {
        note(&format!("linked account {}: {}", linked.id, linked.what));
    }
}

/// How two sides differ.
pub fn differences(tables: &[TableDiff], format: Format) -> Result<ExitCode, Error> {
    if format == Format::Json {
        return json(&tables);
    }
    let ids = |sign: &str, changes: &Changes| match changes.rows {
        0 => String::new(),
        rows => {
            let ids: Vec<_> = changes.first_ids.iter().map(i64::to_string).collect();
            let more = if rows > changes.first_ids.len() as u64 {
                ", .."
            } else {
                ""
            };
            format!("  {sign} {rows} (id {}{more})\n", ids.join(", "))
        }
    };
    let mut text = String::new();
    for table in tables {
        text += &line(&table.name, table.same, "the same");
        text += &ids("added  ", &table.added);
        text += &ids("changed", &table.changed);
        text += &ids("removed", &table.removed);
    }
    print(&text)
}
