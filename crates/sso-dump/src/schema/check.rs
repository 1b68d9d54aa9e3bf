//! What a database has, beside what is known.
//!
//! Owns the comparison. Must never touch the database: what was found is given.

use super::{Column, TABLES, Type};
use crate::database::{Database, Kind};
use crate::error::Error;

/// One column of a database whose table's name begins with `zato_sso_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// The type, as the database calls it, without its length.
    pub type_name: String,
    /// The longest text, in characters.
    pub characters: Option<u64>,
    /// The longest text, in bytes.
    pub bytes: Option<u64>,
    /// Digits of a second's fraction.
    pub fraction: Option<u64>,
    /// Whether NULL is allowed.
    pub is_nullable: bool,
}

/// What a column of this database can hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Characters, if there is a limit.
    pub characters: Option<u64>,
    /// Bytes, if there is a limit.
    pub bytes: Option<u64>,
    /// Whether a timestamp keeps its microseconds.
    pub keeps_fraction: bool,
}

/// The limits of all columns, by table and column as in [`TABLES`].
pub type Limits = Vec<Vec<Limit>>;

/// The limits, or what there is to tell of the differences: those that were seen already, and those of the columns.
pub fn limits(database: &Database, found: &[Found], mut differences: Vec<String>) -> Result<Limits, Error> {
    let limits = of_columns(database.kind(), found).unwrap_or_else(|others| {
        differences.extend(others);
        Vec::new()
    });
    if differences.is_empty() {
        return Ok(limits);
    }
    Err(Error::Schema {
        database: database.to_string(),
        differences,
    })
}

fn of_columns(kind: Kind, found: &[Found]) -> Result<Limits, Vec<String>> {
    let mut differences = extra(found);
    let mut limits = Vec::new();
    for table in &TABLES {
        if !found.iter().any(|column| column.table == table.name) {
            differences.push(format!("table {} is missing", table.name));
            continue;
        }
        let of = |column: &Column| one(kind, table.name, column, found);
        let (known, unknown): (Vec<_>, Vec<_>) = table.columns.iter().map(of).partition(Result::is_ok);
        differences.extend(unknown.into_iter().filter_map(Result::err));
        limits.push(known.into_iter().filter_map(Result::ok).collect());
    }
    if differences.is_empty() {
        Ok(limits)
    } else {
        Err(differences)
    }
}

/// Tables and columns that nobody knows: their content would be lost.
fn extra(found: &[Found]) -> Vec<String> {
    let mut differences = Vec::new();
    for column in found {
        let difference = match super::table(&column.table) {
            None => format!("table {} is not known", column.table),
            Some(table) if table.position(&column.column).is_none() => {
                format!("column {} of {} is not known", column.column, column.table)
            }
            Some(_) => continue,
        };
        if !differences.contains(&difference) {
            differences.push(difference);
        }
    }
    differences
}

fn one(kind: Kind, table: &str, column: &Column, found: &[Found]) -> Result<Limit, String> {
    let is_it = |found: &&Found| found.table == table && found.column == column.name;
    let name = format!("column {} of {table}", column.name);
    let Some(found) = found.iter().find(is_it) else {
        return Err(format!("{name} is missing"));
    };
    if !is_of(kind, column.kind, &found.type_name) {
        return Err(format!("{name} is of type {}", found.type_name));
    }
    if column.is_nullable && !found.is_nullable {
        return Err(format!("{name} does not take NULL"));
    }
    let is_text = matches!(column.kind, Type::Text | Type::Varchar(_));
    Ok(Limit {
        characters: found.characters.filter(|_| is_text),
        bytes: found.bytes.filter(|_| is_text),
        keeps_fraction: found.fraction.is_none_or(|digits| digits >= 6),
    })
}

/// Whether a type of a database holds what is wanted.
fn is_of(kind: Kind, wanted: Type, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let names: &[&str] = match (wanted, kind) {
        (Type::Integer, _) => &["integer", "int", "bigint"],
        (Type::Boolean, Kind::Mysql) => &["tinyint"],
        (Type::Boolean, _) => &["boolean"],
        (Type::Timestamp, Kind::Postgresql) => &["timestamp without time zone"],
        (Type::Timestamp, _) => &["datetime"],
        (Type::Varchar(_) | Type::Text, _) => {
            &["character varying", "varchar", "text", "mediumtext", "longtext"]
        }
    };
    names.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(kind: Kind) -> Vec<Found> {
        let name = |wanted: Type| match (wanted, kind) {
            (Type::Integer, _) => "integer",
            (Type::Boolean, Kind::Mysql) => "tinyint",
            (Type::Boolean, _) => "boolean",
            (Type::Timestamp, Kind::Postgresql) => "timestamp without time zone",
            (Type::Timestamp, _) => "datetime",
            (Type::Varchar(_), _) => "varchar",
            (Type::Text, _) => "text",
        };
        let of = |table: &'static crate::schema::Table| {
            table.columns.iter().map(move |column| Found {
                table: table.name.into(),
                column: column.name.into(),
                type_name: name(column.kind).into(),
                characters: None,
                bytes: None,
                fraction: None,
                is_nullable: column.is_nullable,
            })
        };
        TABLES.iter().flat_map(of).collect()
    }

    /// The known schema of each database is taken; each single change of it is told with its place.
    #[test]
    fn every_difference_is_told() {
        for kind in [Kind::Sqlite, Kind::Postgresql, Kind::Mysql] {
            let found = all(kind);
            assert!(of_columns(kind, &found).is_ok());
            for place in 0..found.len() {
                let told = |change: &dyn Fn(&mut Vec<Found>)| {
                    let mut changed = found.clone();
                    change(&mut changed);
                    of_columns(kind, &changed).unwrap_err().join("; ")
                };
                let column = &found[place].column;
                assert!(told(&|all| drop(all.remove(place))).contains(column));
                assert!(told(&|all| all[place].type_name = "json".into()).contains("type json"));
                assert!(told(&|all| all[place].column = "later".into()).contains("later"));
                if found[place].is_nullable {
                    assert!(told(&|all| all[place].is_nullable = false).contains("NULL"));
                }
            }
        }
    }

    #[test]
    fn tables_that_are_missing_or_unknown_are_told() {
        let mut found = all(Kind::Sqlite);
        found.retain(|column| column.table != "zato_sso_password_reset");
        found[0].table = "zato_sso_device".into();
        let told = of_columns(Kind::Sqlite, &found).unwrap_err();
        assert!(
            told.contains(&"table zato_sso_password_reset is missing".to_owned()),
            "{told:?}"
        );
        assert!(
            told.contains(&"table zato_sso_device is not known".to_owned()),
            "{told:?}"
        );
    }
}
