//! Pure: the lines in which git servers talk, and the pack among them.

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// What it holds.
    Data(Vec<u8>),
    /// The end of an answer.
    Flush,
    /// The end of a part of it.
    Delimiter,
}

/// The end of a request.
pub const FLUSH: &str = "0000";
/// The end of its first part.
pub const DELIMITER: &str = "0001";

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
pub struct Packets(Vec<u8>);

impl Packets {
    /// The next piece.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Takes a line; none: it is not complete yet.
    pub fn take(&mut self) -> Result<Option<Packet>, Unusable> {
        let Some(digits) = self.0.get(..4) else {
            return Ok(None);
        };
        let digits = std::str::from_utf8(digits).map_err(|_| Unusable::Garbled)?;
        let length = usize::from_str_radix(digits, 16).map_err(|_| Unusable::Garbled)?;
        let special = match length {
            // 2, the end of an answer of several, means the same to us.
            0 | 2 => Some(Packet::Flush),
            1 => Some(Packet::Delimiter),
            3 => return Err(Unusable::Garbled),
            _ => None,
        };
        if let Some(packet) = special {
            self.0.drain(..4);
            return Ok(Some(packet));
        }
        if self.0.len() < length {
            return Ok(None);
        }
        let data = self.0[4..length].to_vec();
        self.0.drain(..length);
        Ok(Some(Packet::Data(data)))
    }
}

/// All lines of an answer up to its end, as text.
pub fn texts(answer: &[u8]) -> Result<Vec<String>, Unusable> {
    let mut packets = Packets::default();
    packets.push(answer);
    let mut found = vec![];
    while let Some(packet) = packets.take()? {
        match packet {
            Packet::Data(data) => {
                let text = String::from_utf8(data).map_err(|_| Unusable::Garbled)?;
                let text = text.trim_end_matches('\n').to_owned();
                if text.starts_with("ERR ") {
                    return Err(Unusable::Error);
                }
                found.push(text);
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
                    found.push(packet);
                }
            }
            let data = |text: &str| Packet::Data(text.into());
            assert_eq!(
                found,
                [data("a\n"), Packet::Delimiter, data("b"), Packet::Flush],
                "{size}"
            );
        }
    }

    #[rstest]
    #[case("0006a\n0000", Ok(vec!["a"]))]
    #[case("000e# service=00000006a\n0000", Ok(vec!["a"]))]
    #[case("0000", Ok(vec![]))]
    #[case("0006a\n", Err(Unusable::Garbled))]
    #[case("<html>", Err(Unusable::Garbled))]
    #[case("0003", Err(Unusable::Garbled))]
    #[case("", Err(Unusable::Garbled))]
    #[case("+006a\n0000", Ok(vec!["a"]))]
    #[case("000bERR no\n0000", Err(Unusable::Error))]
    fn answers_are_read(#[case] answer: &str, #[case] wanted: Result<Vec<&str>, Unusable>) {
        let wanted = wanted.map(|lines| lines.into_iter().map(ToOwned::to_owned).collect::<Vec<_>>());
        assert_eq!(texts(answer.as_bytes()), wanted);
    }

    #[rstest]
    #[case(line("shallow-info\n") + &line("shallow 0\n") + DELIMITER + &line("packfile\n") + &line("\u{1}PA") + &line("\u{2}50 %") + &line("\u{1}CK") + FLUSH, Ok(("PACK", true)))]
    #[case(line("packfile\n") + &line("\u{1}PA"), Ok(("PA", false)))]
    #[case(line("packfile\n") + &line("\u{3}killed"), Err(Unusable::Error))]
    #[case(line("packfile\n") + &line(""), Err(Unusable::Error))]
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
