//! Pure: an object from another one and the difference to it.

use super::Broken;

/// The object; none: it would be larger than `limit`.
pub fn apply(base: &[u8], delta: &[u8], limit: u64) -> Result<Option<Vec<u8>>, Broken> {
    let mut rest = delta.iter().copied();
    let from = size(&mut rest)?;
    let wanted = size(&mut rest)?;
    if from != base.len() as u64 {
        return Err(Broken::Damaged);
    }
    if wanted > limit {
        return Ok(None);
    }
    let mut made = vec![];
    while let Some(code) = rest.next() {
        if code & 128 != 0 {
            let (offset, length) = (number(code, 4, &mut rest)?, number(code >> 4, 3, &mut rest)?);
            let length = if length == 0 { 0x1_0000 } else { length };
            let part = base.get(offset..offset + length).ok_or(Broken::Damaged)?;
            made.extend_from_slice(part);
        } else if code > 0 {
            let before = made.len();
            made.extend(rest.by_ref().take(code.into()));
            if made.len() - before != usize::from(code) {
                return Err(Broken::Damaged);
            }
        } else {
            return Err(Broken::Damaged);
        }
        // What it says is not what it makes: it must not grow.
        if made.len() as u64 > wanted {
            return Err(Broken::Damaged);
        }
    }
    if made.len() as u64 == wanted {
        Ok(Some(made))
    } else {
        Err(Broken::Damaged)
    }
}

fn size(rest: &mut impl Iterator<Item = u8>) -> Result<u64, Broken> {
    let (mut size, mut shift) = (0, 0);
    loop {
        let byte = rest.next().filter(|_| shift <= 49).ok_or(Broken::Damaged)?;
        size |= u64::from(byte & 127) << shift;
        shift += 7;
        if byte & 128 == 0 {
            return Ok(size);
        }
    }
}

/// A number whose bytes that are not zero are there, as the lowest bits of `code` say.
fn number(code: u8, bytes: u32, rest: &mut impl Iterator<Item = u8>) -> Result<usize, Broken> {
    let mut number = 0;
    for place in 0..bytes {
        if code >> place & 1 == 1 {
            number |= usize::from(rest.next().ok_or(Broken::Damaged)?) << (8 * place);
        }
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    // Insert "ab", then copy 3 bytes from 1.
    #[case(&[4, 5, 2, b'a', b'b', 0x91, 1, 3], Some("abest"))]
    #[case(&[4, 4, 0x90, 4], Some("test"))]
    #[case(&[4, 0], Some(""))]
    // Larger than the limit.
    #[case(&[4, 0xff, 0x7f], None)]
    fn objects_are_made(#[case] delta: &[u8], #[case] wanted: Option<&str>) {
        assert_eq!(
            apply(b"test", delta, 100).unwrap().as_deref(),
            wanted.map(str::as_bytes)
        );
    }

    #[rstest]
    #[case::of_another_base(&[5, 1, 1, b'a'])]
    #[case::beyond_the_base(&[4, 5, 0x91, 2, 5])]
    #[case::less_than_it_says(&[4, 5, 1, b'a'])]
    #[case::more_than_it_says(&[4, 1, 2, b'a', b'b'])]
    #[case::it_ends_in_a_copy(&[4, 1, 0x91, 1])]
    #[case::it_ends_in_an_insert(&[4, 2, 2, b'a'])]
    #[case::reserved(&[4, 0, 0])]
    #[case::no_size(&[4, 0x80])]
    #[case::an_endless_size(&[0x80; 20])]
    #[case::empty(&[])]
    fn what_is_wrong_is_refused(#[case] delta: &[u8]) {
        assert!(matches!(apply(b"test", delta, 100), Err(Broken::Damaged)));
    }
}
