//! The reader of archives, on whatever bytes are in gzip: nothing may panic, and what is taken is whole.

#![no_main]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use sso_dump::archive::read::{Ignore, read};
use sso_dump::archive::seal::Identities;

fuzz_target!(|data: &[u8]| {
    // As it is: seals and gzip.
    let _ = read(data, &Identities::default(), &mut Ignore);
    // Below gzip, whose sums no change would get through.
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(data).expect("it is written to memory");
    let bytes = gzip.finish().expect("it is written to memory");
    if let Ok(contents) = read(&bytes[..], &Identities::default(), &mut Ignore) {
        assert_eq!(contents.manifest.tables.len(), sso_dump::schema::TABLES.len());
    }
});
