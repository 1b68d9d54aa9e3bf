//! Condition types and reasons: a public contract, in one place.

use std::fmt;

/// The types of the conditions that the operator writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionType {
    /// The object does what its spec says, now.
    Ready,
    /// Every `ZatoService` of the cluster is loaded in the revision that its spec has.
    ServicesLoaded,
    /// No file has a name that makes Zato touch files of its own installation.
    FileNamesSafe,
    /// The OpenAPI document of what was loaded last is published.
    Documented,
    /// The change from the version before breaks no callers.
    Compatible,
    /// The newest commit of a git source was fetched, and its files can be taken.
    SourceFetched,
    /// Every channel of the service answers as its spec says.
    ChannelsActive,
    /// Every job of the service is on Zato's scheduler as its spec says.
    JobsScheduled,
    /// All startup callables passed when the server started last.
    CallablesPassed,
    /// Data and keys are those of an earlier cluster of this name.
    DataAdopted,
    /// Zato's tables are in the database of a Distributed cluster.
    DatabaseReady,
}

/// What a reason means to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The objects and their condition that have it.
    pub place: &'static str,
    /// What it says.
    pub meaning: &'static str,
    /// What to do; empty: nothing.
    pub next_step: &'static str,
    /// The test that shows it.
    pub test: &'static str,
}

/// Reasons, each with its meaning, what to do about it, and the test that shows it: the enum, and the table that users
/// read (`docs/reference/conditions.md`).
macro_rules! reasons {
    ($($reason:ident, $place:literal, $meaning:literal, $next_step:literal, $test:literal;)*) => {
        /// Why a condition has its status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason {
            $(#[doc = $meaning] $reason,)*
        }

        impl Reason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$reason,)*];

            /// What it means to a user.
            pub fn explanation(self) -> Explanation {
                match self {
                    $(Self::$reason => Explanation { place: $place, meaning: $meaning, next_step: $next_step, test: $test },)*
                }
            }
        }
    };
}

reasons! {
    Running, "ZatoCluster: Ready", "Everything runs as wanted.", "", "a_service_follows_its_edits";
    Starting, "ZatoCluster: Ready", "The pod is being created, started or replaced.", "Wait; the message says what is done now. A server that does not answer for 90 s is `ServerFailed`.", "truth_table";
    Stopped, "both: Ready", "`spec.stopped` is true: no pod runs.", "Set it to false.", "stopped_and_paused";
    Paused, "both: Ready", "`spec.paused` is true: the operator does nothing.", "Set it to false.", "stopped_and_paused";
    ImagePullFailed, "ZatoCluster: Ready", "An image cannot be pulled.", "Check `spec.image` and `spec.imagePullSecrets`.", "a_broken_image_is_told_and_heals";
    Unschedulable, "ZatoCluster: Ready", "The pod fits on no node, or its volume cannot be had.", "Free resources, add a node, or describe the claim: it names what its class lacks.", "keys_that_are_wrong";
    ContainerFailed, "ZatoCluster: Ready", "A container of the pod does not start, or ends again and again.", "Read its log.", "trouble_of_the_pod_is_told_until_it_is_ready";
    CreationFailed, "ZatoCluster: Ready", "Zato's environment could not be created.", "The message names the step: an image without Zato, a volume that is read-only, too small or full.", "an_image_without_zato";
    ServerFailed, "ZatoCluster: Ready", "The server does not answer for 90 s, or something that it needs does not work.", "The message names it.", "truth_table";
    CallableFailed, "ZatoCluster: Ready, CallablesPassed", "A startup callable failed, is missing or took too long. With `failurePolicy: Fail` the server is not Ready before it passes.", "The message has phase, exception, file and line: mend the module, or set the policy to Ignore.", "a_callable_that_fails";
    AllPassed, "ZatoCluster: CallablesPassed", "All startup callables passed when the server started last.", "", "callables_of_the_article";
    CallablesPending, "ZatoCluster: CallablesPassed", "The server starts, and not all startup callables have passed yet.", "Wait.", "truth_table";
    KeyMissing, "ZatoCluster: Ready", "The database exists, but the Secret with the key that decrypts it does not.", "Restore the Secret, or start anew: without the claim and the pod, or in a new cluster with an empty database of its own. The pod that runs goes on until then.", "keys_and_data_are_never_lost";
    KeyChanged, "ZatoCluster: Ready", "The credentials Secret has another `key1` than the database was made with.", "Restore the old key, or start anew: without the claim and the pod, or in a new cluster with an empty database of its own.", "keys_that_are_wrong";
    CredentialsInvalid, "ZatoCluster: Ready", "The credentials Secret, or the one with the user of the database, exists, but a key of it is missing or cannot be used.", "Put the key that the message names back.", "keys_that_are_wrong";
    NameTaken, "ZatoCluster: Ready", "A child's name is taken by an object that is not the cluster's.", "Rename the cluster, or delete that object.", "clusters_and_strangers_are_left_alone";
    Forbidden, "both: Ready", "The operator lacks a right.", "Install the chart's roles again; `helm test` lists what lacks.", "a_right_that_is_taken_away_is_told";
    QuotaExceeded, "ZatoCluster: Ready", "A quota of the namespace is used up.", "Raise the quota, or free some of it.", "a_quota_that_is_used_up";
    AdmissionDenied, "ZatoCluster: Ready", "An admission webhook or policy refuses a child.", "Change that policy, or what it refuses.", "a_webhook_that_refuses_a_child";
    ResizeRefused, "ZatoCluster: Ready", "The volume cannot have that size.", "Its StorageClass must allow volume expansion, and no volume shrinks: set the size back.", "a_volume_grows";
    ApiError, "both: Ready", "The API server answered with an error.", "It is tried again.", "a_refused_child_is_named_with_what_to_do";
    InvalidSpec, "both: Ready", "The spec contradicts itself in a way that the schema could not refuse.", "Change the field that the message names.", "without_any_image_the_field_is_named";
    AllLoaded, "ZatoCluster: ServicesLoaded", "All services are loaded.", "", "services_are_counted_by_their_current_revision";
    Loading, "ZatoCluster: ServicesLoaded", "At least one service is not loaded yet.", "Wait.", "services_are_counted_by_their_current_revision";
    SomeFailed, "ZatoCluster: ServicesLoaded", "At least one service could not be loaded.", "Look at the ZatoService that the message names.", "code_travels_and_bad_code_does_not";
    Deployed, "ZatoService: Ready", "The current revision answers on every server.", "", "a_service_follows_its_edits";
    Deploying, "ZatoService: Ready", "The current revision is on its way to the servers.", "Wait.", "truth_table";
    SyntaxError, "both: Ready", "A file, or a module of startup callables, is not valid Python; it was not sent to any server.", "Mend the line that the message names.", "code_travels_and_bad_code_does_not";
    ConfigMapNotFound, "both: Ready; ZatoService: SourceFetched", "A ConfigMap that the spec names does not exist, or lacks the key.", "Create it, or add the key.", "code_comes_from_config_maps";
    SourceInvalid, "both: Ready", "A ConfigMap that the spec names holds no file, or something that is no file of Python source.", "Add a file, or rename or remove the key that the message names.", "code_comes_from_config_maps";
    Fetched, "ZatoService: SourceFetched", "The newest commit of the branch, tag or commit was fetched.", "", "what_is_pushed_is_deployed";
    GitFetching, "ZatoService: Ready, SourceFetched", "A git server is asked for the first time.", "Wait.", "truth_table_of_git";
    GitUnreachable, "ZatoService: Ready, SourceFetched", "The git server does not answer, or its certificate is not trusted. What is deployed goes on answering, and `Ready` stays as it was.", "The message has the cause. The server is asked again, after 5 s and then less often, at least every five minutes, or every `interval` if that is longer.", "a_server_that_is_down";
    GitRefused, "ZatoService: Ready, SourceFetched", "The git server answers, and does not give the repository: credentials, the address, a redirect to another host, an old protocol.", "The message says what to do.", "private_repositories";
    GitRefNotFound, "ZatoService: Ready, SourceFetched", "The repository has no such branch, tag or commit, or a branch and a tag of that name.", "Correct `spec.source.git.ref`.", "branches_tags_and_commits";
    GitSourceInvalid, "ZatoService: Ready, SourceFetched", "The commit has no such folder, no Python file there, or something that is no file of Python source; or the repository is too large or damaged: then it is asked for again, and what is deployed stays.", "The message names the file: correct it and push.", "commits_that_are_wrong_are_told";
    GitNotAllowed, "ZatoService: Ready, SourceFetched", "The operator was installed so that it does not ask this git server.", "Ask who installed it: the chart's git.enabled and git.allowedHosts.", "only_allowed_servers_are_asked";
    TooMuchCode, "ZatoService: Ready", "The services of the cluster have more code than fits.", "Make files smaller, or use another cluster.", "code_that_does_not_fit_is_refused_and_leaves_room_for_what_is_deployed";
    FileNameTaken, "ZatoService: Ready", "Another, older `ZatoService` of the cluster, or the operator, has a file of the same name.", "Rename the file.", "the_older_of_two_services_keeps_the_file";
    ServiceNameTaken, "ZatoService: Ready", "Another file of the cluster defines a service of the same name.", "Rename one of the two services.", "the_older_of_two_services_keeps_the_service_name";
    InternalName, "ZatoService: Ready", "A file defines a service under a name that is Zato's own.", "Rename the service.", "a_name_of_zatos_own_is_refused";
    LoadFailed, "ZatoService: Ready, ChannelsActive, JobsScheduled", "A server could not load a file. If every server had a revision before, that one is put back, so that servers which start have it, too.", "The message has Python's error: mend the code. What failed is tried again when another service of the cluster changes.", "what_a_server_cannot_load_is_put_back";
    RevisionNotKept, "ZatoService: Ready", "`spec.rollbackTo` names a revision that is not kept.", "Take one of `status.revisions`, or take `spec.rollbackTo` away.", "what_a_server_cannot_load_is_put_back";
    BreakingChange, "ZatoService: Ready, Compatible, ChannelsActive, JobsScheduled", "A change breaks those who call the services. With `spec.openapi.breakingChangePolicy: Refuse` it is not deployed.", "Take the change back, give the new version another name, or set the policy to Warn.", "a_breaking_change_is_told_or_refused";
    NothingBroken, "ZatoService: Compatible", "The change from the version before breaks no callers.", "", "a_breaking_change_is_told_or_refused";
    NotJudged, "ZatoService: Compatible", "The version before is gone, so that nothing could be compared: an operator was interrupted, or a ConfigMap with code was deleted.", "Compare by hand, with `apispec --since`. The next change is judged again.", "what_cannot_be_compared_is_told_as_such";
    AllActive, "ZatoService: ChannelsActive", "Every channel answers as the spec says.", "", "channels_follow_their_spec";
    ChannelsPending, "ZatoService: Ready, ChannelsActive", "A channel is being made or changed.", "Wait.", "truth_table_of_channels";
    ChannelInvalid, "ZatoService: Ready, ChannelsActive", "A channel names a service that no file of the `ZatoService` defines, or its path contradicts itself or that of another channel.", "The message names it: correct the name or the path, or add the service.", "channels_that_are_wrong_are_told";
    ChannelFailed, "ZatoService: Ready, ChannelsActive", "Zato did not take a channel.", "The message has Zato's answer; it is tried again.", "truth_table_of_channels";
    PathTaken, "ZatoService: Ready, ChannelsActive", "A channel of an older `ZatoService`, or one before it in the same list, answers the same path and method.", "Choose another path.", "channels_that_are_wrong_are_told";
    PortTaken, "ZatoService: Ready, ChannelsActive", "A WebSocket channel of an older `ZatoService`, or one before it in the same list, has the port.", "Choose another port.", "web_sockets_that_are_wrong_are_told";
    SecretNotFound, "ZatoService: Ready, ChannelsActive, SourceFetched; ZatoCluster: Ready", "A Secret that a channel, a git source or a database names does not exist. The channel is not made; one that was there stays as it was.", "Create it.", "channels_that_are_wrong_are_told";
    SecretInvalid, "ZatoService: Ready, ChannelsActive, SourceFetched", "A Secret that a channel or a git source names lacks a key or the label that lets services use it, or may not be used for that server, has a value that callers cannot send, or a user name that another Secret or Zato itself has. The channel is not made; one that was there stays as it was.", "The message says what to do.", "channels_that_are_wrong_are_told";
    AllScheduled, "ZatoService: JobsScheduled", "Every job is on Zato's scheduler as the spec says, is suspended, or ran at its time.", "", "jobs_run_as_their_spec_says";
    JobsPending, "ZatoService: Ready, JobsScheduled", "A job is being made or changed.", "Wait; it needs its service and the scheduler.", "truth_table_of_jobs";
    JobInvalid, "ZatoService: Ready, JobsScheduled", "A job names a service that no file of the `ZatoService` defines, a time that never comes or has passed, or a payload that is too large. It is not made.", "The message names it: correct the job, or add the service.", "jobs_that_are_wrong_are_told";
    JobFailed, "ZatoService: Ready, JobsScheduled", "The cluster has no scheduler, the scheduler does not answer, or Zato did not take a job.", "The message has Zato's answer; it is tried again. Without a scheduler: set `spec.scheduler.enabled` of the ZatoCluster to true.", "jobs_that_are_wrong_are_told";
    Published, "both: Documented", "The OpenAPI document of what was loaded last is in the ConfigMap that the message names.", "", "documents_are_published";
    DocumentTooLarge, "both: Documented", "The OpenAPI document does not fit into a ConfigMap.", "Divide the services among several ZatoServices, or several clusters.", "a_document_that_does_not_fit_is_told";
    DatabasePending, "ZatoCluster: Ready, DatabaseReady", "The database is being looked at, or Zato's tables are being made.", "Wait.", "truth_table_of_databases";
    DatabaseMade, "ZatoCluster: DatabaseReady", "Zato's tables are in the database.", "", "truth_table_of_databases";
    DatabaseUnreachable, "ZatoCluster: Ready, DatabaseReady", "No PostgreSQL server answers at the address, or it takes no connections now.", "Correct the address, or start the server; it is tried again.", "truth_table_of_databases";
    DatabaseRefused, "ZatoCluster: Ready, DatabaseReady", "The PostgreSQL server answers and refuses: the login, a right, or its version is too old.", "The message has the server's own words; correct the Secret, or grant the right; it is tried again.", "truth_table_of_databases";
    DatabaseForeign, "ZatoCluster: Ready, DatabaseReady", "The database holds another cluster, or tables that are not Zato's or not whole. Nothing was changed.", "Make a new cluster with an empty database of its own: which one a cluster has is immutable.", "truth_table_of_databases";
    Adopted, "ZatoCluster: DataAdopted", "Data and keys are those of an earlier cluster of this name.", "If that is not wanted: delete the cluster, its claim and its Secret.", "keys_and_data_are_never_lost";
    Fresh, "ZatoCluster: DataAdopted", "The volume was made for this cluster.", "", "trouble_of_the_pod_is_told_until_it_is_ready";
    Safe, "ZatoService: FileNamesSafe", "No file has a name that Zato takes for one of its own.", "", "an_unsafe_file_name_is_told";
    TouchesZato, "ZatoService: FileNamesSafe", "A file has a name that also stands in imports of Zato's own code. After each deployment Zato reloads what it takes for importers of that file, files of its own among them.", "Rename the file.", "an_unsafe_file_name_is_told";
    ClusterNotFound, "ZatoService: Ready", "The referenced cluster does not exist.", "Create it.", "code_travels_and_bad_code_does_not";
    ClusterNotReady, "ZatoService: Ready", "The referenced cluster has no running server, or cannot take a change now.", "Look at the ZatoCluster: its `Ready` says why.", "truth_table";
}

impl Reason {
    /// What was said, and what to do about it.
    pub fn advise(self, said: &str) -> String {
        match self.explanation().next_step {
            "" => said.to_owned(),
            next_step => format!("{}. {next_step}", said.trim_end_matches('.')),
        }
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
