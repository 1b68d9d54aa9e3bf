//! Packs as servers send them, and as nobody should.

use std::io::{Seek, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::*;

/// One entry, as it stands in a pack.
pub enum Wanted<'a> {
    /// Code of the kind, and content.
    Whole(u8, &'a [u8]),
    /// How many entries before, and the difference.
    ToPlace(usize, &'a [u8]),
    /// Of what name, and the difference.
    ToNamed(ObjectId, &'a [u8]),
    /// Code, the size that it says, and what is there in truth.
    Lie(u8, u64, &'a [u8]),
}

/// The lowest seven bits.
fn seven(bits: u64) -> u8 {
    u8::try_from(bits & 127).unwrap()
}

fn head(code: u8, mut size: u64) -> Vec<u8> {
    let mut bytes = vec![code << 4 | seven(size & 15)];
    size >>= 4;
    while size > 0 {
        *bytes.last_mut().unwrap() |= 128;
        bytes.push(seven(size));
        size >>= 7;
    }
    bytes
}

fn distance(distance: u64) -> Vec<u8> {
    let (mut bytes, mut rest) = (vec![seven(distance)], distance >> 7);
    while rest > 0 {
        rest -= 1;
        bytes.insert(0, seven(rest) | 128);
        rest >>= 7;
    }
    bytes
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(vec![], Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A pack in a file.
pub fn pack_of(entries: &[Wanted<'_>]) -> File {
    let mut bytes = b"PACK\0\0\0\x02".to_vec();
    bytes.extend(u32::try_from(entries.len()).unwrap().to_be_bytes());
    let mut places = vec![];
    for entry in entries {
        let begin = bytes.len();
        let (mut written, content) = match entry {
            Wanted::Whole(code, content) => (head(*code, content.len() as u64), content),
            Wanted::Lie(code, size, content) => (head(*code, *size), content),
            Wanted::ToPlace(before, delta) => {
                let mut written = head(6, delta.len() as u64);
                let place: usize = places[places.len() - before];
                written.extend(distance((begin - place) as u64));
                (written, delta)
            }
            Wanted::ToNamed(id, delta) => {
                let mut written = head(7, delta.len() as u64);
                written.extend(id.0);
                (written, delta)
            }
        };
        written.extend(compressed(content));
        bytes.extend(written);
        places.push(begin);
    }
    file(&bytes)
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

/// The name of an object.
pub fn id(kind: Kind, bytes: &[u8]) -> ObjectId {
    name(&Object {
        kind,
        bytes: bytes.to_vec(),
    })
    .unwrap()
}

fn found(pack: &mut Pack, bytes: &[u8]) -> bool {
    let object = pack.find(id(Kind::Blob, bytes)).unwrap();
    object.is_some_and(|object| object.bytes == bytes && object.kind == Kind::Blob)
}

#[test]
fn names_are_those_of_git() {
    // As `printf hello | git hash-object --stdin` says.
    let known = ObjectId::parse("b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0").unwrap();
    assert_eq!(id(Kind::Blob, b"hello"), known);
}

#[test]
fn objects_are_found_however_they_are_told() {
    let long = vec![b'x'; 100_000];
    // Copies 4 bytes, and inserts one.
    let (one, two) = ([4, 5, 0x90, 4, 1, b'1'], [5, 6, 0x90, 5, 1, b'2']);
    let late = [6, 7, 0x90, 6, 1, b'3'];
    let mut pack = Pack::read(pack_of(&[
        // To an object that is only named by the entries after it.
        Wanted::ToNamed(id(Kind::Blob, b"test12"), &late),
        Wanted::Whole(3, b"test"),
        Wanted::Whole(3, &long),
        Wanted::ToPlace(2, &one),
        Wanted::ToNamed(id(Kind::Blob, b"test1"), &two),
        Wanted::Whole(2, b"test"),
        Wanted::ToNamed(ObjectId([7; 20]), &one),
    ]))
    .unwrap();
    for text in ["test", "test1", "test12", "test123"] {
        assert!(found(&mut pack, text.as_bytes()), "{text}");
    }
    assert!(found(&mut pack, &long));
    let tree = pack.find(id(Kind::Tree, b"test")).unwrap().unwrap();
    assert_eq!(tree.kind, Kind::Tree);
    assert!(pack.find(ObjectId([7; 20])).unwrap().is_none());
}

#[test]
fn what_is_too_large_is_not_in_memory() {
    let large = vec![0; usize::try_from(OBJECT).unwrap() + 1];
    // A difference that says that it makes 2 GiB of 4 bytes.
    let bomb = [4, 0x80, 0x80, 0x80, 0x80, 0x08];
    let mut pack = Pack::read(pack_of(&[
        Wanted::Whole(3, &large),
        Wanted::Whole(3, b"test"),
        Wanted::ToPlace(1, &bomb),
    ]))
    .unwrap();
    assert!(pack.find(id(Kind::Blob, &large)).unwrap().is_none());
    assert!(found(&mut pack, b"test"));
    assert_eq!(pack.names.len(), 2);
}

#[test]
fn damage_is_told() {
    let whole = |entries: &[Wanted<'_>]| Pack::read(pack_of(entries)).map(drop);
    for (what, entries) in [
        ("more than it says", &[Wanted::Lie(3, 3, b"test")][..]),
        ("less than it says", &[Wanted::Lie(3, 5, b"test")]),
        ("an unknown kind", &[Wanted::Lie(5, 4, b"test")]),
        (
            "a difference to itself",
            &[Wanted::Whole(3, b"test"), Wanted::ToPlace(1, b"nonsense")],
        ),
    ] {
        assert!(matches!(whole(entries), Err(Broken::Damaged)), "{what}");
    }
    for bytes in [
        &b""[..],
        b"PACK",
        b"PACK\0\0\0\x09\0\0\0\0",
        b"KCAP\0\0\0\x02\0\0\0\0",
        b"PACK\0\0\0\x02\0\0\0\x01",
        b"PACK\0\0\0\x02\0\0\0\x01\x34",
        b"PACK\0\0\0\x02\0\0\0\x01\x34not zlib",
        b"PACK\0\0\0\x02\0\0\0\x01\xb4\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"PACK\0\0\0\x02\0\0\0\x01\x64\0x",
        b"PACK\0\0\0\x02\0\0\0\x01\x64\x7fx",
    ] {
        assert!(
            matches!(Pack::read(file(bytes)), Err(Broken::Damaged)),
            "{bytes:?}"
        );
    }
    assert!(Pack::read(file(b"PACK\0\0\0\x02\0\0\0\0")).is_ok());
}

/// Of few bytes that become many, or differences that lead through many others.
#[test]
fn work_has_a_limit() {
    let many = b"PACK\0\0\0\x02\xff\xff\xff\xff";
    assert!(matches!(Pack::read(file(many)), Err(Broken::TooMuch)));
    let mut pack = Pack::read(pack_of(&[Wanted::Whole(3, b"test")])).unwrap();
    pack.work = WORK;
    pack.cache.clear();
    assert!(matches!(pack.find(id(Kind::Blob, b"test")), Err(Broken::TooMuch)));
}

/// An object that is known is not free: who asks reads all of it.
#[test]
fn looking_again_counts() {
    let large = vec![b'x'; usize::try_from(OBJECT).unwrap()];
    let mut pack = Pack::read(pack_of(&[Wanted::Whole(2, &large)])).unwrap();
    let id = id(Kind::Tree, &large);
    let looks = (0..1000).take_while(|_| pack.find(id).is_ok()).count();
    // Two for reading it.
    assert_eq!(looks, 509);
    assert!(matches!(pack.find(id), Err(Broken::TooMuch)));
}

#[test]
fn time_has_a_limit() {
    let mut pack = Pack::read(pack_of(&[Wanted::Whole(3, b"test")])).unwrap();
    assert!(found(&mut pack, b"test"));
    pack.end = Instant::now();
    assert!(matches!(pack.find(id(Kind::Blob, b"test")), Err(Broken::TooMuch)));
}

proptest::proptest! {
    /// Whatever comes: no panic, and an end.
    #[test]
    fn noise_ends(noise: Vec<u8>, count in 0_u8..4, code in 0_u8..8) {
        let mut bytes = b"PACK\0\0\0\x02\0\0\0".to_vec();
        bytes.push(count);
        bytes.push(code << 4 | 4);
        bytes.extend(noise);
        let _ = Pack::read(file(&bytes));
    }

    #[test]
    fn noisy_differences_end(noise: Vec<u8>) {
        let _ = Pack::read(pack_of(&[Wanted::Whole(3, b"test"), Wanted::ToPlace(1, &noise)]));
    }
}
