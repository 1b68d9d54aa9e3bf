//! Pure: the lines in which git servers talk, and the pack among them.

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// What it holds.
    Data(&'a [u8]),
    /// The end of an answer.
    Flush,
    /// The end of a part of it.
    Delimiter,
}

/// The end of a request.
pub const FLUSH: &str = "0000";
/// The end of its first part.
pub const DELIMITER: &str = "0001";

/// Lines of an answer: one of 1 MiB has fewer, as each branch takes 50 bytes or more.
const LINES: usize = 20_000;

/// What is no answer of a git server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It does not have the form.
    Garbled,
    /// The server does not have the commit.
    NoSuchCommit,
    /// The server says that something is wrong.
    Error,
}

/// A line of a request.
pub fn line(text: &str) -> String {
    format!("{:04x}{text}", text.len() + 4)
}

/// Lines as they come, in pieces of any size.
#[derive(Debug, Default)]
pub struct Packets {
    bytes: Vec<u8>,
    /// How many of them were taken.
    taken: usize,
}

impl Packets {
    /// The next piece.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes a line; none: it is not complete yet.
    pub fn take(&mut self) -> Result<Option<Packet<'_>>, Unusable> {
        let next = first(&self.bytes[self.taken..])?;
        Ok(next.map(|(packet, length)| {
            self.taken += length;
            packet
        }))
    }
}

/// The first line, and its length; none: it is not complete.
fn first(bytes: &[u8]) -> Result<Option<(Packet<'_>, usize)>, Unusable> {
    let Some(digits) = bytes.get(..4) else {
        return Ok(None);
    };
    let digits = std::str::from_utf8(digits).map_err(|_| Unusable::Garbled)?;
    match usize::from_str_radix(digits, 16).map_err(|_| Unusable::Garbled)? {
        // 2, the end of an answer of several, means the same to us.
        0 | 2 => Ok(Some((Packet::Flush, 4))),
        1 => Ok(Some((Packet::Delimiter, 4))),
        // An empty line, 4, means nothing, and could come for ever.
        3 | 4 => Err(Unusable::Garbled),
        length => Ok(bytes.get(4..length).map(|data| (Packet::Data(data), length))),
    }
}

/// All lines of an answer up to its end, as text.
pub fn texts(mut answer: &[u8]) -> Result<Vec<&str>, Unusable> {
    let mut found = vec![];
    while let Some((packet, length)) = first(answer)? {
        answer = &answer[length..];
        match packet {
            Packet::Data(_) if found.len() == LINES => return Err(Unusable::Garbled),
            Packet::Data(data) => {
                let text = std::str::from_utf8(data).map_err(|_| Unusable::Garbled)?;
                if text.starts_with("ERR ") {
                    return Err(Unusable::Error);
                }
                found.push(text.trim_end_matches('\n'));
            }
            // Servers of before tell the service before the rest.
            Packet::Flush if found.len() == 1 && found[0].starts_with("# service=") => found.clear(),
            Packet::Flush => return Ok(found),
            Packet::Delimiter => {}
        }
    }
    Err(Unusable::Garbled)
}

/// The answer to a fetch, as it comes.
#[derive(Debug, Default)]
pub struct Incoming {
    packets: Packets,
    is_pack: bool,
    /// Whether its end was seen.
    pub is_complete: bool,
}

impl Incoming {
    /// The next piece; what it has of the pack.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Unusable> {
        self.packets.push(bytes);
        let mut pack = vec![];
        while let Some(packet) = self.packets.take()? {
            match packet {
                Packet::Data(data) if self.is_pack => match data.split_first() {
                    Some((1, data)) => pack.extend_from_slice(data),
                    // Progress, for people.
                    Some((2, _)) => {}
                    _ => return Err(Unusable::Error),
                },
                Packet::Data(data) if data.starts_with(b"ERR ") => {
                    let is_missing = data.windows(11).any(|words| words == b"not our ref");
                    return Err(if is_missing {
                        Unusable::NoSuchCommit
                    } else {
                        Unusable::Error
                    });
                }
                Packet::Data(data) => self.is_pack = data.trim_ascii_end() == b"packfile",
                Packet::Flush => self.is_complete = self.is_pack,
                Packet::Delimiter => {}
            }
        }
        Ok(pack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn lines_come_in_pieces_of_any_size() {
        let whole = format!("{}{DELIMITER}{}{FLUSH}", line("a\n"), line("b"));
        for size in 1..=whole.len() {
            let mut packets = Packets::default();
            let mut found = vec![];
            for piece in whole.as_bytes().chunks(size) {
                packets.push(piece);
                while let Some(packet) = packets.take().unwrap() {
                    found.push(format!("{packet:?}"));
                }
            }
            let wanted = [
                Packet::Data(b"a\n"),
                Packet::Delimiter,
                Packet::Data(b"b"),
                Packet::Flush,
            ];
            assert_eq!(found, wanted.map(|packet| format!("{packet:?}")), "{size}");
        }
    }

    /// What was taken is not held until the end, nor moved for each line.
    #[test]
    fn many_lines_are_taken_at_once() {
        let mut packets = Packets::default();
        packets.push("0005x".repeat(200_000).as_bytes());
        for _ in 0..200_000 {
            assert_eq!(packets.take(), Ok(Some(Packet::Data(b"x"))));
        }
        assert_eq!(packets.take(), Ok(None));
        packets.push(b"0");
        assert_eq!(packets.bytes, b"0");
    }

    #[rstest]
    #[case("0006a\n0000", Ok(vec!["a"]))]
    #[case("000e# service=00000006a\n0000", Ok(vec!["a"]))]
    #[case("0000", Ok(vec![]))]
    #[case("0006a\n", Err(Unusable::Garbled))]
    #[case("<html>", Err(Unusable::Garbled))]
    #[case("0003", Err(Unusable::Garbled))]
    #[case("", Err(Unusable::Garbled))]
    #[case("00040000", Err(Unusable::Garbled))]
    #[case(&("0005x".repeat(20_001) + "0000"), Err(Unusable::Garbled))]
    #[case("+006a\n0000", Ok(vec!["a"]))]
    #[case("000bERR no\n0000", Err(Unusable::Error))]
    fn answers_are_read(#[case] answer: &str, #[case] wanted: Result<Vec<&str>, Unusable>) {
        assert_eq!(texts(answer.as_bytes()), wanted);
    }

    #[rstest]
    #[case(line("shallow-info\n") + &line("shallow 0\n") + DELIMITER + &line("packfile\n") + &line("\u{1}PA") + &line("\u{2}50 %") + &line("\u{1}CK") + FLUSH, Ok(("PACK", true)))]
    #[case(line("packfile\n") + &line("\u{1}PA"), Ok(("PA", false)))]
    #[case(line("packfile\n") + &line("\u{3}killed"), Err(Unusable::Error))]
    #[case(line("packfile\n") + &line(""), Err(Unusable::Garbled))]
    #[case(line("ERR upload-pack: not our ref 01") + FLUSH, Err(Unusable::NoSuchCommit))]
    #[case(line("ERR access denied") + FLUSH, Err(Unusable::Error))]
    #[case(FLUSH.to_owned(), Ok(("", false)))]
    fn the_pack_is_taken_out_of_an_answer(
        #[case] answer: String,
        #[case] wanted: Result<(&str, bool), Unusable>,
    ) {
        let mut incoming = Incoming::default();
        let taken = incoming.take(answer.as_bytes());
        let found = taken.map(|pack| (String::from_utf8(pack).unwrap(), incoming.is_complete));
        assert_eq!(
            found,
            wanted.map(|(pack, is_complete)| (pack.to_owned(), is_complete))
        );
    }
}
