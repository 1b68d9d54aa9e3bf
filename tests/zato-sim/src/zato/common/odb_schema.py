"""The tables of the ODB: those that the commands, the servers and the dashboard use here, with their real columns; of the
others there is the name alone. Written as SQLite has it; PostgreSQL has the names of some types otherwise."""

CLUSTER_TABLES = (
    """create table install_state (
    id INTEGER PRIMARY KEY, version INTEGER NOT NULL UNIQUE, install_time DATETIME NOT NULL,
    source_host VARCHAR(200) NOT NULL, source_user VARCHAR(200) NOT NULL, opaque1 TEXT)""",

    """create table cluster (
    id INTEGER PRIMARY KEY, name VARCHAR(200) NOT NULL UNIQUE, description VARCHAR(1000), odb_type VARCHAR(30) NOT NULL,
    odb_host VARCHAR(200), odb_port INTEGER, odb_user VARCHAR(200), odb_db_name VARCHAR(200), odb_schema VARCHAR(200),
    broker_host VARCHAR(200) NOT NULL, broker_port INTEGER NOT NULL, lb_host VARCHAR(200) NOT NULL,
    lb_port INTEGER NOT NULL, lb_agent_port INTEGER NOT NULL, cw_srv_id INTEGER, cw_srv_keep_alive_dt DATETIME,
    opaque1 TEXT)""",

    """create table server (
    id INTEGER PRIMARY KEY, name VARCHAR(200) NOT NULL, host VARCHAR(400), bind_host VARCHAR(400), bind_port INTEGER,
    preferred_address VARCHAR(400), crypto_use_tls BOOLEAN, last_join_status VARCHAR(40), last_join_mod_date DATETIME,
    last_join_mod_by VARCHAR(200), up_status VARCHAR(40), up_mod_date DATETIME, token VARCHAR(32) NOT NULL, opaque1 TEXT,
    cluster_id INTEGER NOT NULL REFERENCES cluster (id) ON DELETE CASCADE, UNIQUE (name, cluster_id))""",

    """create table sec_base (
    id INTEGER PRIMARY KEY, name VARCHAR(200) NOT NULL, username VARCHAR(200), password VARCHAR(1000),
    password_type VARCHAR(45), is_active BOOLEAN NOT NULL, sec_type VARCHAR(45) NOT NULL, opaque1 TEXT,
    cluster_id INTEGER NOT NULL REFERENCES cluster (id) ON DELETE CASCADE,
    UNIQUE (cluster_id, name), UNIQUE (cluster_id, username, sec_type))""",

    """create table sec_basic_auth (
    id INTEGER PRIMARY KEY REFERENCES sec_base (id), realm VARCHAR(200) NOT NULL)""",

    """create table sec_apikey (
    id INTEGER PRIMARY KEY REFERENCES sec_base (id))""",

    """create table service (
    id INTEGER PRIMARY KEY, name VARCHAR(200) NOT NULL, is_active BOOLEAN NOT NULL, impl_name VARCHAR(2000) NOT NULL,
    is_internal BOOLEAN NOT NULL, wsdl BLOB, wsdl_name VARCHAR(200), slow_threshold INTEGER NOT NULL, opaque1 TEXT,
    cluster_id INTEGER NOT NULL REFERENCES cluster (id) ON DELETE CASCADE, UNIQUE (name, cluster_id))""",

    """create table deployed_service (
    deployment_time DATETIME NOT NULL, details VARCHAR(2000) NOT NULL, source BLOB, source_path VARCHAR(2000),
    source_hash VARCHAR(512), source_hash_method VARCHAR(20), opaque1 TEXT,
    server_id INTEGER NOT NULL REFERENCES server (id) ON DELETE CASCADE,
    service_id INTEGER NOT NULL REFERENCES service (id) ON DELETE CASCADE, PRIMARY KEY (server_id, service_id))""",

    """create table http_soap (
    id INTEGER PRIMARY KEY, name VARCHAR(200) NOT NULL, is_active BOOLEAN NOT NULL, is_internal BOOLEAN NOT NULL,
    connection VARCHAR(20) NOT NULL, transport VARCHAR(200) NOT NULL, host VARCHAR(200), url_path VARCHAR(200) NOT NULL,
    method VARCHAR(200), content_encoding VARCHAR(200), soap_action VARCHAR(200) NOT NULL, soap_version VARCHAR(20),
    data_format VARCHAR(20), content_type VARCHAR(200), ping_method VARCHAR(60), pool_size INTEGER,
    serialization_type VARCHAR(200) NOT NULL, timeout INTEGER NOT NULL, merge_url_params_req BOOLEAN,
    url_params_pri VARCHAR(200), params_pri VARCHAR(200), has_rbac BOOLEAN NOT NULL, sec_use_rbac BOOLEAN NOT NULL,
    cache_expiry INTEGER, opaque1 TEXT, security_id INTEGER REFERENCES sec_base (id) ON DELETE CASCADE,
    sec_tls_ca_cert_id INTEGER, cache_id INTEGER, service_id INTEGER REFERENCES service (id) ON DELETE CASCADE,
    cluster_id INTEGER NOT NULL REFERENCES cluster (id) ON DELETE CASCADE,
    UNIQUE (name, connection, transport, cluster_id))""",
    'create index path_host_conn_act_clus_idx on http_soap (url_path, host, connection, soap_action, cluster_id)',

    """create table channel_web_socket (
    id INTEGER PRIMARY KEY, name VARCHAR(200) NOT NULL, is_active BOOLEAN NOT NULL, is_internal BOOLEAN NOT NULL,
    is_out BOOLEAN NOT NULL, address VARCHAR(200) NOT NULL, data_format VARCHAR(20) NOT NULL,
    new_token_wait_time INTEGER NOT NULL, token_ttl INTEGER NOT NULL, opaque1 TEXT,
    service_id INTEGER REFERENCES service (id) ON DELETE CASCADE,
    cluster_id INTEGER NOT NULL REFERENCES cluster (id) ON DELETE CASCADE,
    security_id INTEGER REFERENCES sec_base (id) ON DELETE CASCADE,
    UNIQUE (name, cluster_id), UNIQUE (address, cluster_id))""",

    """create table cache (
    id INTEGER PRIMARY KEY, name VARCHAR(200) NOT NULL, is_active BOOLEAN NOT NULL, is_default BOOLEAN NOT NULL,
    cache_type VARCHAR(45) NOT NULL, opaque1 TEXT,
    cluster_id INTEGER NOT NULL REFERENCES cluster (id) ON DELETE CASCADE, UNIQUE (name, cluster_id))""",

    """create table cache_builtin (
    cache_id INTEGER PRIMARY KEY REFERENCES cache (id), max_size INTEGER NOT NULL, max_item_size INTEGER NOT NULL,
    extend_expiry_on_get BOOLEAN NOT NULL, extend_expiry_on_set BOOLEAN NOT NULL, sync_method VARCHAR(20) NOT NULL,
    persistent_storage VARCHAR(40) NOT NULL)""",

    """create table job (
    id INTEGER PRIMARY KEY, name VARCHAR(200) NOT NULL, is_active BOOLEAN NOT NULL, job_type VARCHAR(14) NOT NULL,
    start_date DATETIME NOT NULL, extra BLOB, opaque1 TEXT,
    cluster_id INTEGER NOT NULL REFERENCES cluster (id) ON DELETE CASCADE,
    service_id INTEGER NOT NULL REFERENCES service (id) ON DELETE CASCADE, UNIQUE (name, cluster_id))""",

    """create table job_interval_based (
    id INTEGER PRIMARY KEY, weeks INTEGER, days INTEGER, hours INTEGER, minutes INTEGER, seconds INTEGER,
    repeats INTEGER, opaque1 TEXT, job_id INTEGER NOT NULL UNIQUE REFERENCES job (id) ON DELETE CASCADE)""",

    """create table job_cron_style (
    id INTEGER PRIMARY KEY, cron_definition VARCHAR(4000) NOT NULL, opaque1 TEXT,
    job_id INTEGER NOT NULL UNIQUE REFERENCES job (id) ON DELETE CASCADE)""",
)

# Tables that nothing uses here.
UNUSED_NAMES = """
    alembic_version aws_s3 cache_memcached channel_amqp channel_stomp channel_wmq channel_zmq conn_def_amqp
    conn_def_cassandra conn_def_wmq deployment_package deployment_status email_imap email_smtp generic_conn
    generic_conn_client generic_conn_def generic_conn_def_sec generic_conn_sec generic_object kv_data msg_json_pointer
    msg_ns msg_xpath notif notif_os_swift notif_sql os_swift out_amqp out_ftp out_odoo out_sap out_stomp out_wmq out_zmq
    pubsub_channel pubsub_endp_msg_q_inter pubsub_endp_msg_queue pubsub_endp_topic pubsub_endpoint pubsub_message
    pubsub_sub pubsub_topic query_cassandra rate_limit_state rbac_client_role rbac_perm rbac_role rbac_role_perm
    search_es search_solr sec_aws sec_jwt sec_multi sec_ntlm sec_oauth sec_openstack sec_tls_ca_cert sec_tls_channel
    sec_tls_key_cert sec_vault_conn sec_wss_def sec_xpath sms_twilio sql_pool web_socket_cli_ps_keys web_socket_client
    web_socket_sub"""
UNUSED_TABLES = tuple('create table %s (id INTEGER PRIMARY KEY)' % name for name in UNUSED_NAMES.split())

SSO_TABLES = (
    """create table zato_sso_user (
    id INTEGER PRIMARY KEY, user_id VARCHAR(191) NOT NULL, is_active BOOLEAN NOT NULL, is_internal BOOLEAN NOT NULL,
    is_super_user BOOLEAN NOT NULL, is_locked BOOLEAN NOT NULL, locked_time DATETIME, creation_ctx TEXT NOT NULL,
    locked_by VARCHAR(191), approval_status VARCHAR(191) NOT NULL, approval_status_mod_time DATETIME NOT NULL,
    approval_status_mod_by VARCHAR(191) NOT NULL, username VARCHAR(191) NOT NULL, password TEXT NOT NULL,
    password_is_set BOOLEAN NOT NULL, password_must_change BOOLEAN NOT NULL, password_last_set DATETIME NOT NULL,
    password_expiry DATETIME NOT NULL, sign_up_status VARCHAR(191) NOT NULL, sign_up_time DATETIME NOT NULL,
    sign_up_confirm_time DATETIME, sign_up_confirm_token VARCHAR(191) NOT NULL, email TEXT, display_name VARCHAR(191),
    first_name VARCHAR(191), middle_name VARCHAR(191), last_name VARCHAR(191), display_name_upper VARCHAR(191),
    first_name_upper VARCHAR(191), middle_name_upper VARCHAR(191), last_name_upper VARCHAR(191),
    is_rate_limit_active BOOLEAN, rate_limit_type VARCHAR(40), rate_limit_def TEXT, rate_limit_check_parent_def BOOLEAN,
    is_totp_enabled BOOLEAN DEFAULT (0) NOT NULL, totp_key TEXT, totp_label TEXT, opaque1 TEXT,
    CONSTRAINT zato_u_usrn_uq UNIQUE (username), CONSTRAINT zato_user_id_uq UNIQUE (user_id))""",
    'create index zato_u_alln_idx on zato_sso_user (first_name_upper, middle_name_upper, last_name_upper)',
    'create index zato_u_appr_stat_idx on zato_sso_user (approval_status)',
    'create index zato_u_dspn_idx on zato_sso_user (display_name_upper)',
    'create index zato_u_email_idx on zato_sso_user (email)',
    'create index zato_u_lastn_idx on zato_sso_user (last_name_upper)',
    'create unique index zato_u_sigctok_idx on zato_sso_user (sign_up_confirm_token)',
    'create index zato_u_sigst_idx on zato_sso_user (sign_up_status)',

    """create table zato_sso_group (
    id INTEGER PRIMARY KEY, is_active BOOLEAN NOT NULL, is_internal BOOLEAN NOT NULL, group_id VARCHAR(191) NOT NULL,
    name VARCHAR(191) NOT NULL, source VARCHAR(191) NOT NULL, opaque1 TEXT,
    parent_id INTEGER REFERENCES zato_sso_group (id) ON DELETE CASCADE,
    CONSTRAINT zato_g_name_uq UNIQUE (name, source), CONSTRAINT zato_g_gid_uq UNIQUE (group_id))""",

    """create table zato_sso_user_group (
    id INTEGER PRIMARY KEY, opaque1 TEXT, user_id INTEGER NOT NULL REFERENCES zato_sso_user (id) ON DELETE CASCADE,
    group_id INTEGER NOT NULL REFERENCES zato_sso_group (id) ON DELETE CASCADE,
    CONSTRAINT zato_ug_id_uq UNIQUE (user_id, group_id))""",

    """create table zato_sso_session (
    id INTEGER PRIMARY KEY, ust VARCHAR(191) NOT NULL, creation_time DATETIME NOT NULL,
    expiration_time DATETIME NOT NULL, remote_addr TEXT NOT NULL, user_agent TEXT NOT NULL, auth_type TEXT NOT NULL,
    auth_principal TEXT NOT NULL, ext_session_id TEXT, opaque1 TEXT,
    user_id INTEGER NOT NULL REFERENCES zato_sso_user (id) ON DELETE CASCADE)""",
    'create index zato_sso_extsi_idx on zato_sso_session (ext_session_id)',
    'create unique index zato_sso_sust_idx on zato_sso_session (ust)',

    """create table zato_sso_attr (
    id INTEGER PRIMARY KEY, creation_time DATETIME NOT NULL, last_modified DATETIME, expiration_time DATETIME,
    is_session_attr BOOLEAN NOT NULL, is_encrypted BOOLEAN NOT NULL, serial_method VARCHAR(20) NOT NULL,
    name VARCHAR(191) NOT NULL, value TEXT, _ust_string VARCHAR(191) NOT NULL, opaque1 TEXT,
    user_id VARCHAR(191) NOT NULL REFERENCES zato_sso_user (user_id) ON DELETE CASCADE,
    ust VARCHAR(191) REFERENCES zato_sso_session (ust) ON DELETE CASCADE,
    CONSTRAINT zato_attr_name_uq UNIQUE (name, is_session_attr, user_id, _ust_string))""",
    'create index zato_attr_usr on zato_sso_attr (user_id)',
    'create index zato_attr_usr_name on zato_sso_attr (user_id, name)',
    'create index zato_attr_usr_ust on zato_sso_attr (user_id, ust)',
    'create unique index zato_attr_usr_ust_name on zato_sso_attr (user_id, ust, name)',

    """create table zato_sso_linked_auth (
    id INTEGER PRIMARY KEY, is_active BOOLEAN NOT NULL, is_internal BOOLEAN NOT NULL, creation_time DATETIME NOT NULL,
    last_modified DATETIME, has_ext_principal BOOLEAN NOT NULL, auth_type TEXT NOT NULL, auth_id INTEGER,
    auth_principal TEXT, auth_source TEXT NOT NULL, opaque1 TEXT,
    user_id VARCHAR(191) NOT NULL REFERENCES zato_sso_user (user_id) ON DELETE CASCADE)""",
    'create unique index auth_idx on zato_sso_linked_auth (auth_type, user_id, auth_id, auth_principal)',

    """create table zato_sso_password_reset (
    id INTEGER PRIMARY KEY, creation_time DATETIME NOT NULL, expiration_time DATETIME NOT NULL,
    creation_ctx TEXT NOT NULL, token VARCHAR(191) NOT NULL, type_ VARCHAR(191) NOT NULL,
    reset_key VARCHAR(191) NOT NULL, reset_key_exp_time DATETIME NOT NULL, has_been_accessed BOOLEAN NOT NULL,
    access_time DATETIME, access_ctx TEXT, is_password_reset BOOLEAN NOT NULL, password_reset_time DATETIME,
    password_reset_ctx TEXT, opaque1 TEXT,
    user_id VARCHAR(191) NOT NULL REFERENCES zato_sso_user (user_id) ON DELETE CASCADE)""",
    'create unique index zato_prt_value_type on zato_sso_password_reset (token, type_)',
)

# Made by `create web-admin`, in the same database.
DASHBOARD_TABLES = (
    """create table if not exists auth_user (
    id INTEGER PRIMARY KEY AUTOINCREMENT, password VARCHAR(128) NOT NULL, last_login DATETIME,
    is_superuser BOOLEAN NOT NULL, username VARCHAR(150) NOT NULL UNIQUE, last_name VARCHAR(150) NOT NULL,
    email VARCHAR(254) NOT NULL, is_staff BOOLEAN NOT NULL, is_active BOOLEAN NOT NULL, date_joined DATETIME NOT NULL,
    first_name VARCHAR(150) NOT NULL)""",
    """create table if not exists django_session (
    session_key VARCHAR(40) PRIMARY KEY, session_data TEXT NOT NULL, expire_date DATETIME NOT NULL)""",
)

# PostgreSQL: where ids come from. No column has one of these for its default, so that whoever writes rows has to count on.
SEQUENCES = {
    'install_state': 'install_state_seq', 'cluster': 'cluster_id_seq', 'server': 'server_id_seq', 'sec_base': 'sec_base_seq',
    'service': 'service_id_seq', 'http_soap': 'http_soap_seq', 'channel_web_socket': 'web_socket_chan_seq',
    'cache': 'cache_builtin_seq', 'job': 'job_id_seq', 'job_interval_based': 'job_intrvl_seq',
    'job_cron_style': 'job_cron_seq', 'zato_sso_user': 'zato_sso_user_id_seq', 'zato_sso_group': 'zato_sso_group_id_seq',
    'zato_sso_user_group': 'zato_sso_ug_seq', 'zato_sso_session': 'zato_sso_sid_seq', 'zato_sso_attr': 'zato_sso_attr_seq',
    'zato_sso_linked_auth': 'zato_sso_linked_auth_seq', 'zato_sso_password_reset': 'zato_sso_flow_prt_seq'}
