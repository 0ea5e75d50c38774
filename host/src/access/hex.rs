//! Bytes as lower-case hexadecimal digits. There is one text for each value, so that a token has one text.

/// The digits of some bytes.
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of exactly as many digits.
pub fn decode<const LEN: usize>(text: &str) -> Option<[u8; LEN]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != LEN || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; LEN];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_back_and_nothing_else_is_read() {
        let bytes = [0, 1, 0x7f, 0xff];
        assert_eq!(decode(&encode(&bytes)), Some(bytes));
        for other in ["", "00017ff", "00017fff0", "00017FFF", "0 017fff", "é0017ff", "00017ffg"] {
            assert_eq!(decode::<4>(other), None, "{other:?}");
        }
    }
}
