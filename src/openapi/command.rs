//! The command `apispec`: files in, documents out.
//!
//! Owns its options, what it tells, and the folder that it writes. Never deletes what it did not write itself.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use k8s_openapi::jiff::Timestamp;

use super::breaking::breaking_changes;
use super::document::{Settings, document};
use super::facts;
use super::files;
use super::model::Api;
use super::names;
use super::postman;
use super::project::Project;
use super::read::{self, Selection};
use super::schema::Version;
use super::select::Patterns;
use super::wsdl;
use crate::progress::Progress;

/// The options, as `zato apispec` has them where it has them.
#[derive(clap::Args, Debug)]
pub struct Apispec {
    /// Python files, and folders with them.
    #[arg(required = true, value_name = "DIR|FILE")]
    sources: Vec<PathBuf>,
    /// Where the documents are written. Default: a new folder `apispec.<time>`.
    #[arg(long, value_name = "OUT")]
    dir: Option<PathBuf>,
    /// Write into --dir also if it exists, instead of what an earlier run wrote there.
    #[arg(long)]
    delete_dir: bool,
    /// Patterns of services to take, with commas: * ? [abc] [!abc].
    #[arg(long, value_delimiter = ',', default_value = "*")]
    include: Vec<String>,
    /// Patterns of services to leave out, with commas.
    #[arg(long, value_delimiter = ',', default_values = facts::INTERNAL)]
    exclude: Vec<String>,
    /// Take Zato's own services, too.
    #[arg(long)]
    with_internal: bool,
    /// Tags of docstrings whose text is taken, with commas.
    #[arg(long, value_delimiter = ',', default_value = "public")]
    tags: Vec<String>,
    /// Paths by which services are invoked, with commas.
    #[arg(long, value_delimiter = ',', default_value = facts::INVOKE_PATH, value_parser = invoke_path)]
    api_invoke_path: Vec<String>,
    /// Format of the document.
    #[arg(long, value_enum, default_value = "yaml")]
    format: Format,
    /// Version of OpenAPI.
    #[arg(long = "version", value_enum, default_value = "3.1")]
    openapi: Version,
    /// Where the services answer, such as https://api.example.com. Can be repeated.
    #[arg(long, value_name = "URL", value_delimiter = ',', value_parser = address)]
    server: Vec<String>,
    /// Patterns of services, with commas, of which a WSDL is written, too.
    #[arg(long, value_delimiter = ',', value_name = "PATTERN")]
    wsdl: Vec<String>,
    /// The path of the SOAP channel that the WSDL names.
    #[arg(long, default_value = "/zato/soap", requires = "wsdl", value_parser = path)]
    soap_path: String,
    /// The namespace of the WSDL.
    #[arg(long, default_value = "urn:zato:services", requires = "wsdl", value_parser = namespace)]
    wsdl_namespace: String,
    /// Write a Postman collection, too.
    #[arg(long)]
    postman: bool,
    /// The same services before a change: what breaks their callers is told, and is an error. Can be repeated.
    #[arg(long, value_name = "DIR|FILE")]
    since: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Json,
    Yaml,
}

/// Names of files that a run may write.
const WRITTEN: [&str; 4] = ["openapi.json", "openapi.yaml", "services.wsdl", "postman.json"];

/// Why nothing is written.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("a pattern is too long: {0}")]
    Pattern(#[from] regex::Error),
    #[error("{path}: {source}")]
    Io {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("{0} exists: --delete-dir writes into it")]
    Exists(String),
    #[error("{0} has {1}, which apispec did not write: nothing is deleted")]
    Foreign(String, String),
    #[error("the document cannot be written: {0}")]
    Format(String),
}

impl Apispec {
    /// Reads, writes, and tells what was wrong. Whether all of it went well.
    pub fn run(&self) -> bool {
        let mut errors = io::stderr().lock();
        match self.write(&mut errors) {
            Ok(complete) => complete,
            Err(failure) => {
                // Nobody is left to tell when stderr is closed.
                let _ = writeln!(errors, "error: {failure}");
                false
            }
        }
    }

    fn write(&self, tell: &mut impl Write) -> Result<bool, Failure> {
        let selection = self.selection()?;
        let folder = self.folder();
        // Before the work: a long one should not end in vain.
        prepare(&folder, self.delete_dir)?;
        let (api, mut unreadable) = Self::api(&self.sources, &selection, tell);
        let (before, unreadable_before) = Self::api(&self.since, &selection, tell);
        unreadable += unreadable_before;
        let mut say = |line: String| {
            let _ = writeln!(tell, "{line}");
        };
        for warning in &api.warnings {
            say(format!("warning: {warning}"));
        }
        for (name, text) in self.documents(&api, &mut say)? {
            let path = folder.join(name);
            let failed = |source| Failure::Io {
                path: path.display().to_string(),
                source,
            };
            std::fs::write(&path, text).map_err(failed)?;
            say(format!("{} is written", path.display()));
        }
        say(format!("{} services", api.services.len()));
        let mut errors = vec![];
        if unreadable > 0 {
            errors.push(format!("{unreadable} files or folders could not be read"));
        }
        if api.services.is_empty() {
            errors.push("no service was found".into());
        }
        if !self.since.is_empty() && before.services.is_empty() {
            errors.push("no service was found in --since: nothing was compared".into());
        }
        errors.extend(broken(&before, &api));
        for error in &errors {
            say(format!("error: {error}"));
        }
        Ok(errors.is_empty())
    }

    fn selection(&self) -> Result<Selection, Failure> {
        let is_taken = |pattern: &&String| !(self.with_internal && facts::INTERNAL.contains(&pattern.trim()));
        let mut exclude: Vec<&str> = self.exclude.iter().filter(is_taken).map(String::as_str).collect();
        // As Zato does it: an --exclude of one's own does not let its services in.
        if !self.with_internal {
            exclude.push(facts::INTERNAL[0]);
        }
        Ok(Selection {
            include: Patterns::new(self.include.iter().map(String::as_str))?,
            exclude: Patterns::new(exclude)?,
            files: None,
            tags: self
                .tags
                .iter()
                .map(|tag| tag.trim().trim_start_matches('@').to_owned())
                .collect(),
        })
    }

    fn folder(&self) -> PathBuf {
        let fresh = || PathBuf::from(format!("apispec.{}", names::safe(&Timestamp::now().to_string())));
        self.dir.clone().unwrap_or_else(fresh)
    }

    /// The services of files and folders, and how many of those could not be read.
    fn api(sources: &[PathBuf], selection: &Selection, tell: &mut impl Write) -> (Api, usize) {
        let (found, mut failures) = files::find(sources);
        let mut modules = Vec::new();
        let progress = Progress::new(&format!("of {} files", found.len()), "");
        for (done, file) in (0..).zip(&found) {
            progress.tell(file.path.display().to_string(), done);
            match files::read(file) {
                Ok(module) => modules.push(module),
                Err(failure) => failures.push(failure),
            }
        }
        progress.finish();
        for failure in &failures {
            let _ = writeln!(tell, "error: {failure}");
        }
        (read::api(&Project::new(modules), selection), failures.len())
    }

    /// What is written, by the names of the files.
    fn documents(
        &self,
        api: &Api,
        say: &mut impl FnMut(String),
    ) -> Result<Vec<(&'static str, String)>, Failure> {
        let mut documents = vec![self.document(api)?];
        // Without an address of its own the server that Zato listens at.
        let server = self
            .server
            .first()
            .map_or("http://127.0.0.1:17010", String::as_str)
            .trim_end_matches('/');
        if !self.wsdl.is_empty() {
            let patterns = Patterns::new(self.wsdl.iter().map(String::as_str))?;
            let services = api.services.keys().filter(|name| patterns.matches(name));
            let place = wsdl::Place {
                address: format!("{server}{}", self.soap_path),
                services: services.cloned().collect(),
                ..wsdl::Place::default()
            };
            let settings = wsdl::Settings {
                namespace: self.wsdl_namespace.clone(),
                places: vec![place],
            };
            let (text, problems) =
                wsdl::wsdl(api, &settings).map_err(|error| Failure::Format(error.to_string()))?;
            for problem in problems {
                say(format!("warning: {problem}"));
            }
            if settings.places[0].services.is_empty() {
                say("warning: --wsdl matches no service".into());
            }
            documents.push((WRITTEN[2], text));
        }
        if self.postman {
            let path = self
                .api_invoke_path
                .first()
                .map_or(facts::INVOKE_PATH, String::as_str);
            documents.push((
                WRITTEN[3],
                format!("{:#}\n", postman::collection(api, server, path)),
            ));
        }
        Ok(documents)
    }

    fn document(&self, api: &Api) -> Result<(&'static str, String), Failure> {
        let settings = Settings {
            version: self.openapi,
            servers: self.server.clone(),
            paths: self.api_invoke_path.clone(),
            ..Settings::default()
        };
        let document = document(api, &settings);
        match self.format {
            Format::Json => serde_json::to_string_pretty(&document)
                .map(|text| (WRITTEN[0], text + "\n"))
                .map_err(|error| Failure::Format(error.to_string())),
            Format::Yaml => serde_saphyr::to_string(&document)
                .map(|text| (WRITTEN[1], text))
                .map_err(|error| Failure::Format(error.to_string())),
        }
    }
}

/// What breaks the callers of the services as they were.
fn broken(before: &Api, after: &Api) -> Vec<String> {
    breaking_changes(before, after)
        .iter()
        .map(|change| format!("breaks callers: {change}"))
        .collect()
}

/// A path that a service's name can be put into.
fn invoke_path(text: &str) -> Result<String, String> {
    let text = text.trim();
    let rest = text.replacen("{service_name}", "", 1);
    if !text.starts_with('/') || rest == text || rest.contains(['{', '}', '?', '#']) {
        return Err("a path such as /zato/api/invoke/{service_name}".into());
    }
    Ok(text.into())
}

/// Where services answer.
fn address(text: &str) -> Result<String, String> {
    let text = text.trim();
    let parsed: Option<http::Uri> = text.parse().ok();
    let is_web =
        |uri: &http::Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none();
    if parsed.is_some_and(|uri| is_web(&uri)) {
        Ok(text.into())
    } else {
        Err("an address such as https://api.example.com".into())
    }
}

/// The path of a channel.
fn path(text: &str) -> Result<String, String> {
    let is_path = text.starts_with('/') && text.parse::<http::uri::PathAndQuery>().is_ok();
    if is_path && !text.contains(['?', '#']) {
        Ok(text.into())
    } else {
        Err("a path such as /zato/soap".into())
    }
}

/// A namespace of XML is an address or a name (`urn:..`), of which the form is free but for what no address has.
fn namespace(text: &str) -> Result<String, String> {
    let is_odd = |character: char| {
        character.is_whitespace() || character.is_control() || "<>\"{}|\\^`".contains(character)
    };
    if text.contains(':') && !text.contains(is_odd) {
        Ok(text.into())
    } else {
        Err("a namespace such as urn:zato:services".into())
    }
}

/// Makes the folder, or empties it of what an earlier run wrote.
fn prepare(folder: &Path, may_exist: bool) -> Result<(), Failure> {
    let path = folder.display().to_string();
    let failed = |source| Failure::Io {
        path: path.clone(),
        source,
    };
    if !folder.exists() {
        return std::fs::create_dir_all(folder).map_err(failed);
    }
    if !may_exist {
        return Err(Failure::Exists(path));
    }
    let entries: Vec<_> = folder.read_dir().and_then(Iterator::collect).map_err(failed)?;
    let foreign = entries
        .iter()
        .find(|entry| !WRITTEN.iter().any(|name| entry.file_name() == **name));
    if let Some(entry) = foreign {
        return Err(Failure::Foreign(path, entry.file_name().display().to_string()));
    }
    entries
        .iter()
        .try_for_each(|entry| std::fs::remove_file(entry.path()))
        .map_err(failed)
}

#[cfg(test)]
mod tests;
