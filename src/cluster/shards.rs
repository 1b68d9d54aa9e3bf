//! Pure: which ConfigMap has which file. There is a fixed number of them, because pods mount them all.

use std::collections::BTreeMap;

use crate::exchange::{Index, IndexedService};
use crate::k8s::names;

/// How many shards a cluster can have.
pub const COUNT: usize = 8;
/// What the API server lets one ConfigMap hold.
pub const CAPACITY: u64 = 1024 * 1024;
/// How large a file may be.
pub const FILE: u64 = 200 * 1024;
/// How much code a cluster may have. A file has at most [`FILE`], so that one which fits nowhere means that every shard
/// is filled to four fifths: with this limit that cannot be.
pub const TOTAL: u64 = 6 * 1024 * 1024;

/// Names the shard of every file: the one that it had, if it still fits there, else the first with room.
pub fn assign(cluster: &str, services: &mut BTreeMap<String, IndexedService>, before: &Index) {
    let names: Vec<String> = names::shards(cluster).collect();
    let mut room = [CAPACITY; COUNT];
    let had: BTreeMap<&str, &str> = before
        .files()
        .map(|(_, file, entry)| (file, entry.shard.as_str()))
        .collect();
    let mut take = |shard: usize, bytes: u64| {
        let fits = room[shard] >= bytes;
        if fits {
            room[shard] -= bytes;
        }
        fits
    };
    let mut files: Vec<_> = services
        .values_mut()
        .flat_map(|service| &mut service.files)
        .collect();
    files.sort_by_key(|(file, _)| (*file).clone());
    for (file, entry) in &mut files {
        let old = had
            .get(file.as_str())
            .and_then(|old| names.iter().position(|name| name == old));
        let shard = old.filter(|shard| take(*shard, entry.bytes));
        entry.shard = shard.map_or(String::new(), |shard| names[shard].clone());
    }
    for (_, entry) in files.into_iter().filter(|(_, entry)| entry.shard.is_empty()) {
        if let Some(shard) = (0..COUNT).find(|shard| take(*shard, entry.bytes)) {
            entry.shard.clone_from(&names[shard]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::IndexedFile;
    use proptest::prelude::*;

    fn services(sizes: &[u64]) -> BTreeMap<String, IndexedService> {
        let file = |(n, bytes): (usize, &u64)| {
            let entry = IndexedFile {
                bytes: *bytes,
                ..IndexedFile::default()
            };
            (format!("f{n:03}.py"), entry)
        };
        let files = sizes.iter().enumerate().map(file).collect();
        [(
            "s".to_owned(),
            IndexedService {
                files,
                ..IndexedService::default()
            },
        )]
        .into()
    }

    fn fill(services: &BTreeMap<String, IndexedService>) -> BTreeMap<&str, u64> {
        let mut filled = BTreeMap::new();
        for entry in services["s"].files.values() {
            *filled.entry(entry.shard.as_str()).or_default() += entry.bytes;
        }
        filled
    }

    #[test]
    fn a_file_stays_where_it_is_while_it_fits() {
        let mut before = services(&[200_000; 6]);
        assign("demo", &mut before, &Index::default());
        assert_eq!(before["s"].files["f004.py"].shard, "demo-code-0");
        assert_eq!(before["s"].files["f005.py"].shard, "demo-code-1");
        let index = Index::sealed(before);
        let mut smaller = services(&[1; 6]);
        assign("demo", &mut smaller, &index);
        assert_eq!(smaller["s"].files["f005.py"].shard, "demo-code-1");
    }

    proptest! {
        /// Whatever was there before: all that is allowed has a place, and no shard is too full.
        #[test]
        fn all_that_is_allowed_fits(sizes in prop::collection::vec(0..=FILE, 0..60), old in prop::collection::vec(0..=FILE, 0..60)) {
            let within = |sizes: Vec<u64>| {
                let mut sum = 0;
                sizes.into_iter().take_while(|size| { sum += size; sum <= TOTAL }).collect::<Vec<_>>()
            };
            let mut before = services(&within(old));
            assign("demo", &mut before, &Index::default());
            let mut now = services(&within(sizes));
            assign("demo", &mut now, &Index::sealed(before));
            let filled = fill(&now);
            prop_assert!(filled.keys().all(|shard| shard.starts_with("demo-code-")));
            prop_assert!(filled.values().all(|bytes| *bytes <= CAPACITY));
        }
    }
}
