//! The tables that `zato create odb` of Zato 3.2 makes, and the one of ours that stands beside them for a while.

/// There while a cluster is being created, with the name of that cluster: what tables there are then are half made, by us.
pub const MARK: &str = "zato_operator_creation";
/// The tables that have a row as soon as they are complete, and before there is any cluster.
pub const WITH_ROWS: [&str; 2] = ["alembic_version", "install_state"];
/// All tables.
#[rustfmt::skip]
pub const ALL: [&str; 90] = [
    "alembic_version", "aws_s3", "cache", "cache_builtin", "cache_memcached",
    "channel_amqp", "channel_stomp", "channel_web_socket", "channel_wmq", "channel_zmq",
    "cluster", "conn_def_amqp", "conn_def_cassandra", "conn_def_wmq", "deployed_service",
    "deployment_package", "deployment_status", "email_imap", "email_smtp", "generic_conn",
    "generic_conn_client", "generic_conn_def", "generic_conn_def_sec", "generic_conn_sec", "generic_object",
    "http_soap", "install_state", "job", "job_cron_style", "job_interval_based",
    "kv_data", "msg_json_pointer", "msg_ns", "msg_xpath", "notif",
    "notif_os_swift", "notif_sql", "os_swift", "out_amqp", "out_ftp",
    "out_odoo", "out_sap", "out_stomp", "out_wmq", "out_zmq",
    "pubsub_channel", "pubsub_endp_msg_q_inter", "pubsub_endp_msg_queue", "pubsub_endp_topic", "pubsub_endpoint",
    "pubsub_message", "pubsub_sub", "pubsub_topic", "query_cassandra", "rate_limit_state",
    "rbac_client_role", "rbac_perm", "rbac_role", "rbac_role_perm", "search_es",
    "search_solr", "sec_apikey", "sec_aws", "sec_base", "sec_basic_auth",
    "sec_jwt", "sec_multi", "sec_ntlm", "sec_oauth", "sec_openstack",
    "sec_tls_ca_cert", "sec_tls_channel", "sec_tls_key_cert", "sec_vault_conn", "sec_wss_def",
    "sec_xpath", "server", "service", "sms_twilio", "sql_pool",
    "web_socket_cli_ps_keys", "web_socket_client", "web_socket_sub", "zato_sso_attr", "zato_sso_group",
    "zato_sso_linked_auth", "zato_sso_password_reset", "zato_sso_session", "zato_sso_user", "zato_sso_user_group",
];
