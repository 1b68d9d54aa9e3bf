//! Linked accounts: rows that refer to security definitions, whose numbers every cluster makes anew.
//!
//! Owns which of them are taken. Must never link an account to a definition of another name.

use std::borrow::Cow;

use super::{Converter, Fields, Linked};
use crate::rows::{NULL, Row, unescape};
use crate::schema::Table;
use crate::stream::SecurityDefinition;

/// Others keep every server of Zato 3.2 from starting.
const TYPES: [&str; 2] = ["zato.basic_auth", "zato.jwt"];

impl Converter {
    /// Whether the row is taken; its definition is the one of the target then.
    pub(super) fn link(&mut self, table: &Table, row: &Row<'_>, fields: &mut Fields<'_>) -> bool {
        let field = |column: &str| table.position(column).map_or(NULL, |at| row.fields[at]);
        let auth_id = field("auth_id").parse::<i64>().ok();
        let told = |what: String| Linked {
            id: row.id().unwrap_or_default(),
            auth_id,
            what,
        };
        let auth_type = unescape(field("auth_type")).unwrap_or_default();
        if !TYPES.contains(&auth_type.as_ref()) {
            let what = format!(
                "left out: its type is none of {}, and would keep servers from starting",
                TYPES.join(", ")
            );
            self.report.linked_left_out.push(told(what));
            return false;
        }
        let Some(id) = auth_id else { return true };
        match self.definition(id, &auth_type) {
            Ok(definition) => {
                if definition.id != id {
                    let what = format!("{} has number {} here", definition.name, definition.id);
                    let number = definition.id.to_string();
                    self.report.linked_mapped.push(told(what));
                    if let Some(at) = table.position("auth_id") {
                        fields[at] = Cow::Owned(number);
                    }
                }
                true
            }
            Err(why) => {
                self.report.linked_left_out.push(told(format!("left out: {why}")));
                false
            }
        }
    }

    /// The definition of the target that is meant.
    fn definition(&self, id: i64, auth_type: &str) -> Result<&SecurityDefinition, String> {
        let sec_type = auth_type.trim_start_matches("zato.");
        let known = self.definitions.iter().find(|definition| definition.id == id);
        let name = match (self.choices.security.get(&id), known) {
            (Some(name), _) => name,
            (None, Some(definition)) => &definition.name,
            (None, None) => {
                return Err(format!(
                    "the archive does not say which security definition {id} is; say it: --map-security {id}=NAME"
                ));
            }
        };
        let mut same = self
            .target
            .definitions
            .iter()
            .filter(|definition| definition.name == *name && definition.sec_type == sec_type);
        match (same.next(), same.next()) {
            (Some(definition), None) => Ok(definition),
            (None, _) => Err(format!(
                "there is no security definition {name} of type {sec_type} here; make it, or name another: --map-security {id}=NAME"
            )),
            (Some(_), Some(_)) => Err(format!("there are several security definitions {name} here")),
        }
    }
}
