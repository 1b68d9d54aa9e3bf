//! The seven tables of single sign-on, as Zato 3.2 makes them: data, once, for all databases.
//!
//! Source: the tables that a real Zato 3.2 made on SQLite, PostgreSQL 15 and MariaDB 10.11.

use super::Purpose::{self, Constraint, Speed, Unique};
use super::Type::{self, Boolean, Integer, Text, Timestamp, Varchar};
use super::{Column, Index, Reference, Table};

const fn required(name: &'static str, kind: Type) -> Column {
    Column {
        name,
        kind,
        is_nullable: false,
        is_bytes: false,
    }
}

const fn optional(name: &'static str, kind: Type) -> Column {
    Column {
        is_nullable: true,
        ..required(name, kind)
    }
}

/// Encrypted with `key1`.
const fn sealed(column: Column) -> Column {
    Column {
        is_bytes: true,
        ..column
    }
}

const fn index(name: &'static str, purpose: Purpose, columns: &'static [&'static str]) -> Index {
    Index {
        name,
        purpose,
        columns,
    }
}

const fn reference(column: &'static str, table: &'static str, to: &'static str) -> Reference {
    Reference { column, table, to }
}

const NAME: Type = Varchar(191);
const USER: &str = "zato_sso_user";
const GROUP: &str = "zato_sso_group";
const SESSION: &str = "zato_sso_session";

/// All tables, in an order in which rows can be inserted.
pub static TABLES: [Table; 7] = [
    Table {
        name: USER,
        columns: &[
            required("id", Integer),
            required("user_id", NAME),
            required("is_active", Boolean),
            required("is_internal", Boolean),
            required("is_super_user", Boolean),
            required("is_locked", Boolean),
            optional("locked_time", Timestamp),
            required("creation_ctx", Text),
            optional("locked_by", NAME),
            required("approval_status", NAME),
            required("approval_status_mod_time", Timestamp),
            required("approval_status_mod_by", NAME),
            required("username", NAME),
            sealed(required("password", Text)),
            required("password_is_set", Boolean),
            required("password_must_change", Boolean),
            required("password_last_set", Timestamp),
            required("password_expiry", Timestamp),
            required("sign_up_status", NAME),
            required("sign_up_time", Timestamp),
            optional("sign_up_confirm_time", Timestamp),
            required("sign_up_confirm_token", NAME),
            sealed(optional("email", Text)),
            optional("display_name", NAME),
            optional("first_name", NAME),
            optional("middle_name", NAME),
            optional("last_name", NAME),
            optional("display_name_upper", NAME),
            optional("first_name_upper", NAME),
            optional("middle_name_upper", NAME),
            optional("last_name_upper", NAME),
            optional("is_rate_limit_active", Boolean),
            optional("rate_limit_type", Varchar(40)),
            optional("rate_limit_def", Text),
            optional("rate_limit_check_parent_def", Boolean),
            required("is_totp_enabled", Boolean),
            sealed(optional("totp_key", Text)),
            sealed(optional("totp_label", Text)),
            optional("opaque1", Text),
        ],
        references: &[],
        indexes: &[
            index("zato_u_usrn_uq", Constraint, &["username"]),
            index("zato_user_id_uq", Constraint, &["user_id"]),
            index("zato_u_sigctok_idx", Unique, &["sign_up_confirm_token"]),
            index(
                "zato_u_alln_idx",
                Speed,
                &["first_name_upper", "middle_name_upper", "last_name_upper"],
            ),
            index("zato_u_dspn_idx", Speed, &["display_name_upper"]),
            index("zato_u_email_idx", Speed, &["email"]),
            index("zato_u_sigst_idx", Speed, &["sign_up_status"]),
            index("zato_u_lastn_idx", Speed, &["last_name_upper"]),
            index("zato_u_appr_stat_idx", Speed, &["approval_status"]),
        ],
        sequence: "zato_sso_user_id_seq",
    },
    Table {
        name: GROUP,
        columns: &[
            required("id", Integer),
            required("is_active", Boolean),
            required("is_internal", Boolean),
            required("group_id", NAME),
            required("name", NAME),
            required("source", NAME),
            optional("opaque1", Text),
            optional("parent_id", Integer),
        ],
        references: &[reference("parent_id", GROUP, "id")],
        indexes: &[
            index("zato_g_name_uq", Constraint, &["name", "source"]),
            index("zato_g_gid_uq", Constraint, &["group_id"]),
        ],
        sequence: "zato_sso_group_id_seq",
    },
    Table {
        name: "zato_sso_user_group",
        columns: &[
            required("id", Integer),
            optional("opaque1", Text),
            required("user_id", Integer),
            required("group_id", Integer),
        ],
        references: &[
            reference("user_id", USER, "id"),
            reference("group_id", GROUP, "id"),
        ],
        indexes: &[index("zato_ug_id_uq", Constraint, &["user_id", "group_id"])],
        sequence: "zato_sso_ug_seq",
    },
    Table {
        name: SESSION,
        columns: &[
            required("id", Integer),
            required("ust", NAME),
            required("creation_time", Timestamp),
            required("expiration_time", Timestamp),
            required("remote_addr", Text),
            required("user_agent", Text),
            required("auth_type", Text),
            required("auth_principal", Text),
            optional("ext_session_id", Text),
            optional("opaque1", Text),
            required("user_id", Integer),
        ],
        references: &[reference("user_id", USER, "id")],
        indexes: &[
            index("zato_sso_sust_idx", Unique, &["ust"]),
            index("zato_sso_extsi_idx", Speed, &["ext_session_id"]),
        ],
        sequence: "zato_sso_sid_seq",
    },
    Table {
        name: "zato_sso_attr",
        columns: &[
            required("id", Integer),
            required("creation_time", Timestamp),
            optional("last_modified", Timestamp),
            optional("expiration_time", Timestamp),
            required("is_session_attr", Boolean),
            required("is_encrypted", Boolean),
            required("serial_method", Varchar(20)),
            required("name", NAME),
            optional("value", Text),
            required("_ust_string", NAME),
            optional("opaque1", Text),
            required("user_id", NAME),
            optional("ust", NAME),
        ],
        references: &[
            reference("user_id", USER, "user_id"),
            reference("ust", SESSION, "ust"),
        ],
        indexes: &[
            index(
                "zato_attr_name_uq",
                Constraint,
                &["name", "is_session_attr", "user_id", "_ust_string"],
            ),
            index("zato_attr_usr_ust_name", Unique, &["user_id", "ust", "name"]),
            index("zato_attr_usr_name", Speed, &["user_id", "name"]),
            index("zato_attr_usr_ust", Speed, &["user_id", "ust"]),
            index("zato_attr_usr", Speed, &["user_id"]),
        ],
        sequence: "zato_sso_attr_seq",
    },
    Table {
        name: "zato_sso_linked_auth",
        columns: &[
            required("id", Integer),
            required("is_active", Boolean),
            required("is_internal", Boolean),
            required("creation_time", Timestamp),
            optional("last_modified", Timestamp),
            required("has_ext_principal", Boolean),
            required("auth_type", Text),
            optional("auth_id", Integer),
            optional("auth_principal", Text),
            required("auth_source", Text),
            optional("opaque1", Text),
            required("user_id", NAME),
        ],
        references: &[reference("user_id", USER, "user_id")],
        indexes: &[index(
            "auth_idx",
            Unique,
            &["auth_type", "user_id", "auth_id", "auth_principal"],
        )],
        sequence: "zato_sso_linked_auth_seq",
    },
    Table {
        name: "zato_sso_password_reset",
        columns: &[
            required("id", Integer),
            required("creation_time", Timestamp),
            required("expiration_time", Timestamp),
            required("creation_ctx", Text),
            required("token", NAME),
            required("type_", NAME),
            required("reset_key", NAME),
            required("reset_key_exp_time", Timestamp),
            required("has_been_accessed", Boolean),
            optional("access_time", Timestamp),
            optional("access_ctx", Text),
            required("is_password_reset", Boolean),
            optional("password_reset_time", Timestamp),
            optional("password_reset_ctx", Text),
            optional("opaque1", Text),
            required("user_id", NAME),
        ],
        references: &[reference("user_id", USER, "user_id")],
        indexes: &[index("zato_prt_value_type", Unique, &["token", "type_"])],
        sequence: "zato_sso_flow_prt_seq",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_referred_to_comes_first() {
        for (place, table) in TABLES.iter().enumerate() {
            assert_eq!(table.columns[0], required("id", Integer));
            for reference in table.references {
                let to = TABLES
                    .iter()
                    .position(|other| other.name == reference.table)
                    .unwrap();
                assert!(to <= place, "{} refers to {}", table.name, reference.table);
                assert!(table.position(reference.column).is_some());
                assert!(TABLES[to].position(reference.to).is_some());
            }
            for index in table.indexes {
                for column in index.columns {
                    assert!(table.position(column).is_some(), "{column} of {}", index.name);
                }
            }
        }
    }
}
